/*
 * What a call of a defined endpoint becomes: a request of the chat completions API, with the endpoint's model, its
 * system prompt in front, and what the caller sent as messages, or as input that fills the template. All that the
 * caller sent besides stays as it is. Pure.
 */
#ifndef ROUTE_ENDPOINT_REQUEST_H
#define ROUTE_ENDPOINT_REQUEST_H

#include "core/arena.h"
#include "proto/openai/openai.h"
#include "route/endpoints/endpoint_table.h"

struct endpoint_call {
	json_ref messages, input; /* one of the two; the other is JSON_NONE */
	bool stream;
	/* What the rest of the request is made of. */
	bool format;          /* the output's schema goes with it */
	struct slice history; /* messages that go in front, without a list's brackets */
	struct slice said;    /* made: the caller's own messages in the request, likewise */
};

/* The view holds the caller's body. -EINVAL: *problem says why; its texts are static or in the arena. */
int endpoint_read_call(const struct endpoint *endpoint, const struct json_parser *json, struct endpoint_call *call,
	struct openai_problem *problem);

/*
 * The request, in the arena, with BUFFER_PADDING_BYTES behind it. -EINVAL: the template lacks something, as *problem
 * says; -E2BIG: it is longer than bytes_max; -ENOMEM.
 */
int endpoint_write_request(const struct endpoint *endpoint, const struct json_parser *json, struct endpoint_call *call,
	struct arena *arena, size_t bytes_max, struct slice *request, struct openai_problem *problem);

#endif
