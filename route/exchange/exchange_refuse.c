/* Errors to the client: refusals before a provider was called, and what is left to say when every candidate failed. */
#include "route/exchange/exchange_shadow.h"

#include <stdlib.h>

static struct slice error_type(const struct api_error *error)
{
	return error->type.data ? error->type : api_error_type(error->status);
}

/* Headers and body in the arena. False when it is full. */
static bool render(struct exchange *e, const struct api_error *error, struct slice more_headers)
{
	struct api_error whole = *error;
	size_t body_capacity =
		1024 + 6 * (error->message.size + error->param.size + error->code.size) + error->upstream.size;
	struct text headers = text_over(arena_alloc(&e->arena, 2560), 2560);
	struct text body = text_over(arena_alloc(&e->arena, body_capacity), body_capacity);

	if (!headers.data || !body.data)
		return false;
	whole.type = error_type(error);
	e->dialect->print_error(&whole, slice_of(e->id_text, sizeof(e->id_text)), &body);
	text_literal(&headers, "Content-Type: application/json\r\n");
	exchange_print_headers(e, &headers, false);
	if (error->retry_after_s) {
		text_literal(&headers, "Retry-After: ");
		text_u64(&headers, error->retry_after_s);
		text_literal(&headers, "\r\n");
	}
	text_add(&headers, more_headers);
	e->answer_headers = text_slice(&headers);
	e->answer_iov[0] = (struct iovec){body.data, body.size};
	e->answer_iov_count = 1;
	return !headers.full && !body.full;
}

static void send_error(struct exchange *e)
{
	e->answered = true;
	if (e->shadow)
		exchange_shadow_done(e);
	if (!e->gone)
		http_respond_borrowed(e->request, e->status, e->answer_headers, e->answer_iov, e->answer_iov_count);
}

static void error_settled(struct exchange *e, int result)
{
	(void)result; /* a failure that could not be recorded stays a failure: the client hears of it all the same */
	send_error(e);
}

static void respond_plainly(struct exchange *e)
{
	static const struct api_error error = {.status = 503,
		.type = {"overloaded", 10},
		.code = {"out_of_memory", 13},
		.message = {"The gateway is out of memory. Try again in a moment.", 52},
		.retry_after_s = 1};
	char memory[512];
	struct text body = text_over(memory, sizeof(memory));

	e->answered = true;
	e->status = 503;
	if (e->shadow)
		exchange_shadow_done(e);
	if (e->gone)
		return;
	e->dialect->print_error(&error, slice_of(NULL, 0), &body);
	http_respond(e->request, 503, SLICE("Content-Type: application/json\r\nRetry-After: 1\r\n"), text_slice(&body));
}

void exchange_refuse(struct exchange *e, const struct api_error *error, struct slice more_headers)
{
	exchange_stream_stop(e);
	e->state = EXCHANGE_ENDED;
	e->status = error->status;
	if (!render(e, error, more_headers)) {
		respond_plainly(e);
		return;
	}
	if (e->is_api && e->key)
		exchange_receipt_quietly(e);
	send_error(e);
}

void exchange_refuse_invalid(struct exchange *e, struct slice code, struct slice message, struct slice param)
{
	const struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = param};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

void exchange_refused_by_server(struct exchange *e, unsigned status)
{
	exchange_cancel_call(e); /* of a body that was passing */
	e->state = EXCHANGE_ENDED;
	e->status = status;
	e->answered = true;
	if (e->is_api && e->key)
		exchange_receipt_quietly(e);
}

void exchange_refuse_overloaded(struct exchange *e, struct slice code, struct slice message)
{
	struct api_error error = {
		.status = 503, .type = SLICE("overloaded"), .code = code, .message = message, .retry_after_s = 1};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

void exchange_answer_error(struct exchange *e, const struct api_error *error, struct slice more_headers)
{
	exchange_stream_stop(e); /* a keep-alive would begin an answer while the receipt is under way */
	e->state = EXCHANGE_SETTLING;
	e->status = error->status;
	if (!render(e, error, more_headers)) {
		respond_plainly(e);
		return;
	}
	exchange_append_receipt(e, error_settled);
}

/* Our own words for a failure; a provider's words only where it speaks of the request. */
struct api_error exchange_failure_error(const struct exchange *e)
{
	const struct exchange_failure *failure = &e->failure;
	struct api_error error = {.status = 502,
		.type = SLICE("upstream_error"),
		.code = SLICE("upstream_error"),
		.message = failure->message,
		.upstream = failure->upstream};

	switch (failure->kind) {
	case ATTEMPT_REFUSED_REQUEST:
		error.status = failure->status;
		error.type = SLICE("invalid_request_error");
		error.code = failure->code;
		error.param = failure->param;
		break;
	case ATTEMPT_RATE_LIMITED:
		error.status = 429;
		error.type = SLICE("rate_limit_exceeded");
		error.code = SLICE("upstream_rate_limited");
		error.retry_after_s = failure->retry_after_s ? failure->retry_after_s : 5;
		break;
	case ATTEMPT_OVERLOADED:
		error.status = 503;
		error.type = SLICE("overloaded");
		error.code = SLICE("upstream_overloaded");
		error.retry_after_s = failure->retry_after_s ? failure->retry_after_s : 5;
		break;
	case ATTEMPT_NO_MEMORY:
	case ATTEMPT_NO_SOCKET:
		error.status = 503;
		error.type = SLICE("overloaded");
		error.code = SLICE("gateway_exhausted");
		error.retry_after_s = 1;
		break;
	case ATTEMPT_CONNECT_TIMEOUT:
	case ATTEMPT_HEAD_TIMEOUT:
	case ATTEMPT_IDLE_TIMEOUT:
	case ATTEMPT_TOTAL_TIMEOUT:
	case ATTEMPT_FIRST_TOKEN_TIMEOUT:
	case ATTEMPT_STATUS_TIMEOUT:
		error.status = 504;
		error.type = SLICE("upstream_timeout");
		error.code = SLICE("upstream_timeout");
		break;
	case ATTEMPT_CREDENTIAL:
		error.code = SLICE("upstream_auth_error");
		error.upstream = slice_of(NULL, 0); /* providers like to quote the key */
		break;
	default:
		break;
	}
	return error;
}

void exchange_give_up(struct exchange *e)
{
	struct api_error error = exchange_failure_error(e);

	if (e->head_sent && exchange_is_binary(e))
		exchange_binary_break(e, &error);
	else if (e->head_sent)
		exchange_stream_error(e, &error);
	else
		exchange_answer_error(e, &error,
			error.status == 400 || error.status == 413 || error.status == 422
				? slice_of(NULL, 0)
				: SLICE("x-should-retry: false\r\n"));
}
