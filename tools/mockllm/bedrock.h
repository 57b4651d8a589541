/* AWS Bedrock's format, between its parts: bedrock.c refuses, bedrock_answer.c answers. */
#ifndef TOOLS_MOCKLLM_BEDROCK_H
#define TOOLS_MOCKLLM_BEDROCK_H

#include "tools/mockllm/mock.h"

extern const struct mock_format mock_bedrock;
extern const struct mock_steps mock_bedrock_steps;

void mock_bedrock_write(struct mock_connection *c);
void mock_bedrock_begin(struct mock_connection *c);

#endif
