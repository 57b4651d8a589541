/*
 * The Anthropic dialect (Messages): what the gateway reads of requests and answers where both sides speak it, how it
 * edits them, and the functions of its row over the form of a chat. What has no type here is OpenAI's
 * (proto/openai/openai.h), which the exchange knows.
 */
#ifndef PROTO_ANTHROPIC_H
#define PROTO_ANTHROPIC_H

#include "proto/chat/chat.h"

/* As openai_read_request(). A stream always tells its usage. */
int anthropic_read_common(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem);

/* Of one that asks how many tokens it has: without a limit of the answer. */
int anthropic_read_count(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem);

void anthropic_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *added, struct json_edits *edits);

/* As openai_read_answer(); openai_edit_answer() does the edits. */
int anthropic_read_figures(const struct json_parser *p, struct openai_answer *answer);
/* {"input_tokens":n} */
int anthropic_read_counted(const struct json_parser *p, struct openai_answer *answer);

/* The model's name in the event that opens a stream. */
void anthropic_edit_event(const struct json_parser *p, struct slice model_json, struct json_edits *edits);

/* What usage in an answer or an event says replaces what was known; null and nonsense say nothing. */
enum anthropic_figure {
	ANTHROPIC_INPUT,
	ANTHROPIC_CACHE_WRITE,
	ANTHROPIC_CACHE_READ,
	ANTHROPIC_OUTPUT,
	ANTHROPIC_THINKING
};
void anthropic_read_usage(const struct json_parser *p, json_ref usage, uint64_t raw[static 5]);
struct openai_usage anthropic_usage(const uint64_t raw[static 5]);

enum chat_finish anthropic_finish(struct slice stop_reason); /* any that is unknown is a stop */
struct slice anthropic_stop_reason(enum chat_finish finish);

int anthropic_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem);
int anthropic_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
int anthropic_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
int anthropic_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body);
int anthropic_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);
void anthropic_write_event(
	struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame, struct text *out);

/* `"usage":{...}` */
void anthropic_write_usage(const struct openai_usage *usage, struct text *t);

#endif
