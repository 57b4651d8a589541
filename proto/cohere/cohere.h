/* Cohere's dialect (chat, version 2) over the form of a chat: the functions of its row, each in a file of its own. */
#ifndef PROTO_COHERE_H
#define PROTO_COHERE_H

#include "proto/openai/chat_openai.h"

int cohere_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
int cohere_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
int cohere_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);

/* False for what is no end of an answer but a failure: ERROR, TIMEOUT. */
bool cohere_finish(struct slice finish_reason, enum chat_finish *finish);
/* The tokens that went in alone, as embeddings have them; false: not said. */
bool cohere_read_billed(const struct json_parser *p, json_ref billed, struct openai_usage *usage);
struct openai_usage cohere_usage(const struct json_parser *p, json_ref usage);

#endif
