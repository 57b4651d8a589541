/* Providers that are simulated besides OpenAI and speak nearly as it does: which path is whose, and what they say. */
#ifndef TOOLS_MOCKLLM_KINDS_H
#define TOOLS_MOCKLLM_KINDS_H

#include "tools/mockllm/mock.h"

extern const struct mock_format mock_mistral, mock_groq, mock_together, mock_azure, mock_cohere, mock_cohere_embed,
	mock_mistral_embed, mock_together_embed;

/* MOCK_UNKNOWN: none of theirs. */
enum mock_path mock_kind_path(struct slice path);

/* kinds_answer.c */
void mock_kind_write(struct mock_connection *c);
void mock_kind_begin(struct mock_connection *c);
extern const struct mock_steps mock_kind_steps;

/* cohere_answer.c */
void mock_cohere_write(struct mock_connection *c);
void mock_cohere_begin(struct mock_connection *c);
extern const struct mock_steps mock_cohere_steps;

#endif
