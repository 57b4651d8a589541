/*
 * Reading a request's fields into the form of a chat: a dialect has a table of them, and what several dialects mean by
 * the same thing is read here, whatever each calls it.
 */
#ifndef PROTO_CHAT_READING_H
#define PROTO_CHAT_READING_H

#include "proto/chat/chat.h"

/* A request as it is read. */
struct chat_reading {
	const struct json_parser *p;
	struct chat *chat;
	struct openai_problem *problem;
	struct slice field; /* static: the name of the field that is read, for what is wrong with it */
};

#define CHAT_INVALID SLICE("invalid_value")
#define CHAT_MISTYPED SLICE("invalid_type")
int chat_read_refuse(struct chat_reading *r, struct slice code, struct slice message, struct slice param);

/* 0; -EINVAL with *problem; -ENOMEM, -E2BIG. */
typedef int chat_read_value(struct chat_reading *r, json_ref value);

struct chat_field {
	const char *name;
	chat_read_value *read; /* NULL: it is passed over, or needs: */
	enum chat_need need;   /* 0: nothing */
};

/* NULL: none of that name. */
const struct chat_field *chat_find_field(const struct chat_field *fields, size_t count, struct slice name);
int chat_read_field(struct chat_reading *r, const struct chat_field *field, json_ref value);
/* All fields of the root but those that are null; what is in no row is `rest`'s. */
int chat_read_fields(struct chat_reading *r, const struct chat_field *fields, size_t count, chat_read_value *rest);
/* What a request comes to: that it has too many parts is told of `param`. */
int chat_read_end(struct chat_reading *r, int err, struct slice param);

/* Each item of an array, which has to be one. */
int chat_read_tools(struct chat_reading *r, json_ref value, chat_read_value *read);
/* A tool's name, description, schema and strictness, the schema under `schema`. */
int chat_read_tool(struct chat_reading *r, json_ref value, struct slice schema);

int chat_read_number(struct chat_reading *r, json_ref value, struct slice *number);
/* By the field's own name; of the two that OpenAI has for a limit the newer wins. */
chat_read_value chat_read_limit, chat_read_temperature, chat_read_top_p, chat_read_knob, chat_read_stop,
	chat_read_stream;

#endif
