/* OpenAI's chat completions over the form of a chat: the functions of its row, each in a file of its own. */
#ifndef PROTO_CHAT_OPENAI_H
#define PROTO_CHAT_OPENAI_H

#include "proto/chat/reading.h"

int chat_openai_read_messages(struct chat_reading *r, json_ref value);

/* For both of OpenAI's APIs. An image's URL or a file's base64, `param`: the field that it came in. */
int chat_openai_set_image(struct chat_reading *r, struct chat_part *part, struct slice url, struct slice param);
int chat_openai_set_file(struct chat_reading *r, struct chat_part *part, struct slice data, struct slice param);
void chat_openai_drop_detail(struct chat_reading *r, json_ref image);
int chat_openai_read_choice(struct chat_reading *r, json_ref value);
/* `schema`: the object that holds it and its name, if the type is that. */
int chat_openai_read_format(struct chat_reading *r, json_ref format, json_ref schema, struct slice param);
/* A field of the request's root that has the same name and meaning in both; what neither knows is dropped by name. */
int chat_openai_read_option(struct chat_reading *r, json_ref value);

/* Those that speak as OpenAI does, but for names and words; `choices` by enum chat_choice, NULL: nothing is said. */
struct chat_openai_flavour {
	const char *top_p, *stop;
	const char *knobs[CHAT_KNOBS];
	const char *choices[CHAT_CHOICE_TOOL + 1]; /* that of a tool: NULL: by its name; else the others are left out */
	bool max_tokens;                           /* the limit is always called so */
	bool strict_tools;                         /* said once for all, and not of each */
	bool needs_parameters;                     /* also of a tool that has none */
	bool omits_content;                        /* of a message of calls alone */
	bool parallel_tools, user, verbosity, asks_usage;
	void (*write_format)(const struct chat *chat, struct text *t);
	void (*write_effort)(struct chat *chat, struct text *t);
};
int chat_openai_write_as(const struct chat_openai_flavour *flavour, struct chat *chat, const struct chat_target *target,
	struct text *body, struct openai_problem *problem);
void chat_openai_write_format(const struct chat *chat, struct text *t);
void chat_openai_write_effort(struct chat *chat, struct text *t);
/* False when there was nothing to say. A message that holds nothing is left out. */
bool chat_openai_write_messages(const struct chat_openai_flavour *flavour, struct chat *chat, struct text *t);

/* Text of a message or a delta: a string, or parts of text and thinking. Stops at the first that is not 0. */
typedef int chat_openai_tell(void *context, enum chat_part_kind kind, struct slice text);
int chat_openai_each_text(const struct json_parser *p, json_ref content, chat_openai_tell *tell, void *context);

/* A tool call's arguments: a string, or the JSON of an object as some servers send it. */
struct slice chat_openai_arguments(const struct json_parser *p, json_ref function);

int chat_openai_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem);
int chat_openai_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
int chat_openai_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
int chat_openai_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body);
int chat_openai_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);
void chat_openai_write_event(
	struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame, struct text *out);

/* The id that the writer's chunks have, as far as it fits. */
void chat_openai_take_id(struct chat_writer *writer, struct slice id);

/* `"usage":{...}` as answers and the last chunk carry it. */
void chat_openai_write_usage(const struct openai_usage *usage, struct text *t);

/*
 * The signature that a thinking model gives to a call and wants back with it: where Google's own servers of this
 * dialect have it, extra_content.google.thought_signature. NULL data: none; then nothing is written.
 */
struct slice chat_openai_read_signature(const struct json_parser *p, json_ref call);
void chat_openai_write_signature(struct text *t, struct slice signature);

/* `,"tool_calls":[...]` as messages of requests and answers carry it; nothing when there are none. */
void chat_openai_write_calls(struct text *t, const struct chat_parts *parts);

#endif
