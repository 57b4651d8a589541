/*
 * What the JSON view takes of simdjson: where a document's tokens begin (brackets, commas, colons, opening quotes,
 * first bytes of scalars), found and its UTF-8 checked at some bytes a cycle; and what a number is worth.
 */
#ifndef PROTO_JSON_ENGINE_H
#define PROTO_JSON_ENGINE_H

#include "core/slice.h"

struct json_engine;

struct json_engine *json_engine_open(size_t capacity_bytes); /* NULL when memory is out */
void json_engine_close(struct json_engine *engine);

/* For documents of so many bytes. -ENOMEM: it is of use for none, until this succeeds. */
int json_engine_resize(struct json_engine *engine, size_t capacity_bytes);

/*
 * The offsets of the tokens of `document`, which BUFFER_PADDING_BYTES follow, and how many. -EINVAL: bytes that are in
 * no document (UTF-8, a string that is not closed, a control character in one, nothing at all).
 */
int json_engine_index(struct json_engine *engine, struct slice document, const uint32_t **tokens, uint32_t *count);

/* Of a well-formed JSON number that a double can hold; what is too small for one is 0. */
double json_engine_double(struct slice number);

#endif
