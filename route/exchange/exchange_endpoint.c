/*
 * Calls of defined endpoints: which one the path names and whether the key may call it, before the body is read; then the chat
 * request that the call becomes, which goes the way of every other one.
 */
#include "route/endpoints/endpoint_request.h"
#include "route/exchange/exchange.h"

#include <errno.h>

enum { MESSAGE_BYTES = 512 };

static bool refuse_unknown(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("endpoint_not_found"),
		.message = SLICE("There is no endpoint at this path: /api/PROJECT/SLUG.")};
	struct slice near = endpoint_suggest(e->config->config->endpoints, e->key, e->route_argument);
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);

	if (near.data && message.data) {
		text_literal(&message, "There is no endpoint at this path. Did you mean /api/");
		text_add(&message, near);
		text_char(&message, '?');
		error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

static bool refuse_not_allowed(struct exchange *e)
{
	struct api_error error = {.status = 403,
		.type = SLICE("permission_error"),
		.code = SLICE("endpoint_not_allowed"),
		.message = SLICE("This API key may not call this endpoint. Ask its owner for one that may.")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

/* Another workspace's is none, so that nobody learns what others have. */
bool exchange_find_endpoint(struct exchange *e)
{
	const struct endpoint *endpoint = endpoint_find(e->config->config->endpoints, e->route_argument);

	if (!endpoint || !endpoint_is_of(endpoint, e->key))
		return refuse_unknown(e);
	e->endpoint = endpoint;
	return endpoint_is_allowed(endpoint, e->key) || refuse_not_allowed(e);
}

bool exchange_enter_endpoint(struct exchange *e)
{
	struct openai_problem problem;
	struct endpoint_call call;
	size_t bytes_max = e->config->config->settings->http.max_body_bytes;
	int err = endpoint_read_call(e->endpoint, e->gateway_shard->json, &call, &problem);

	if (!err)
		err = endpoint_write_request(e->endpoint, e->gateway_shard->json, &call, &e->arena, bytes_max,
			&e->request->body, &problem);
	if (err == -EINVAL) {
		exchange_refuse_invalid(e, problem.code, problem.message, problem.param);
	} else if (err == -E2BIG) {
		struct api_error error = {.status = 413,
			.type = SLICE("invalid_request_error"),
			.code = SLICE("body_too_large"),
			.message = SLICE("The input makes this endpoint's template larger than a request may be. Send "
					 "less.")};

		exchange_refuse(e, &error, slice_of(NULL, 0));
	} else if (err) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	}
	return err == 0;
}
