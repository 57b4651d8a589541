/*
 * What the sources of the JSON view share (json_build.c makes it, json_escape.c knows escapes, json_view.c reads it);
 * for them alone.
 */
#ifndef PROTO_JSON_VIEW_H
#define PROTO_JSON_VIEW_H

#include "proto/json/json.h"
#include "proto/json/json_engine.h"

/* A value. A member's key needs none: it is two tokens before the value's first. */
struct json_node {
	uint32_t token; /* index of its first token */
	uint32_t close; /* index of its last: the closing bracket, or the same */
	uint32_t after; /* the value behind its last descendant */
	uint32_t count; /* its members or elements */
};

/* A string, value or key, that has escapes. Its text is written when it is asked for. */
struct json_text {
	uint32_t token;
	uint32_t size; /* JSON_TEXT_UNWRITTEN: not yet */
};
#define JSON_TEXT_UNWRITTEN UINT32_MAX

struct json_parser {
	struct json_engine *engine;
	struct slice document;
	const uint32_t *tokens; /* their offsets in the document */
	uint32_t token_count, node_count, text_count;
	struct json_node *nodes;
	struct json_text *texts; /* by token */
	char *text_bytes;        /* as many as the document's: a text begins where its string does, and is shorter */
	size_t node_capacity, text_capacity, text_bytes_capacity;
	size_t capacity_bytes, max_bytes;
};

/*
 * Checks the document, whose tokens are there, and makes its nodes and texts. -EINVAL when it is not JSON or beyond our
 * bounds; -ENOMEM.
 */
int json_build(struct json_parser *p);

/* The first backslash in [from, end), or `end`. */
const char *json_find_escape(const char *from, const char *end);

/*
 * Checks the escapes from the backslash at `escape` on that begin before `behind`. The next one after these, or `end`,
 * where the document ends; NULL: one is wrong.
 */
const char *json_check_escapes(const char *escape, const char *behind, const char *end);

/* Writes the text of `string`, whose escapes are right, to `text`, which has as much room. Its size. */
size_t json_unescape(struct slice string, char *text);

/* The end of the scalar or bracket that begins at `token`: what lies before the next token, without white space. */
uint32_t json_token_end(const struct json_parser *p, uint32_t token);

#endif
