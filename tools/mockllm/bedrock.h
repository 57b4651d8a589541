/* AWS Bedrock's format, between its parts: bedrock.c refuses, bedrock_answer.c answers, bedrock_embed.c does both. */
#ifndef TOOLS_MOCKLLM_BEDROCK_H
#define TOOLS_MOCKLLM_BEDROCK_H

#include "tools/mockllm/mock.h"

extern const struct mock_format mock_bedrock, mock_bedrock_embed;
extern const struct mock_steps mock_bedrock_steps;

/* bedrock.c, for bedrock_embed.c */
bool mock_bedrock_read_model(struct mock_connection *c);
bool mock_bedrock_check_names(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *const *known);
bool mock_bedrock_refuse(struct mock_connection *c, const char *message);
void mock_bedrock_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message);

void mock_bedrock_write(struct mock_connection *c);
void mock_bedrock_begin(struct mock_connection *c);

#endif
