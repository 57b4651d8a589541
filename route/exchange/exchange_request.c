/* The exchange's way in: what the body says, and what of it is refused before a provider hears of it. */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_idempotency.h"
#include "route/gateway/service.h"

#include <errno.h>

#define NONE slice_of(NULL, 0)

static bool refuse(struct exchange *e, unsigned status, struct slice type, struct slice code, struct slice message)
{
	struct api_error error = {.status = status, .type = type, .code = code, .message = message};

	exchange_refuse(e, &error, NONE);
	return false;
}

static bool refuse_json(struct exchange *e, int err, const struct json_error *error)
{
	struct text message = text_over(arena_alloc(&e->arena, 512), 512);

	if (err == -E2BIG)
		return refuse(e, 413, SLICE("invalid_request_error"), SLICE("body_too_large"),
			SLICE("The JSON document is larger than the gateway reads."));
	if (err == -ENOMEM || !message.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return false;
	}
	text_literal(&message, "The body is not valid JSON, at byte ");
	text_u64(&message, error->offset);
	text_literal(&message, ": ");
	text_string(&message, error->message);
	return refuse(e, 400, SLICE("invalid_request_error"), SLICE("invalid_json"), text_slice(&message));
}

/* What the request says and has to outlive the view. */
static bool note_request(struct exchange *e)
{
	e->model_name = arena_copy(&e->arena, e->asked.model);
	e->stream = e->asked.stream;
	if (e->model_name.data)
		return true;
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return false;
}

static bool parse_body(struct exchange *e)
{
	struct json_error error;
	int err = json_parse(e->gateway_shard->json, exchange_document(e), &error);

	return err == 0 || refuse_json(e, err, &error);
}

static bool read_body(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	struct openai_problem problem;
	struct api_error error;

	if (e->api == API_TRANSCRIPTIONS && !exchange_read_form(e))
		return false;
	if (!parse_body(e))
		return false;
	if (e->dialect->read_request(json, e->api, &e->asked, &problem) == 0 &&
		(!exchange_is_media(e) || exchange_read_media(e, &problem)))
		return true;
	error = (struct api_error){.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = problem.code,
		.message = problem.message,
		.param = problem.param};
	exchange_refuse(e, &error, NONE);
	return false;
}

/* Before any work: the store takes no receipts, or the gateway is about to stop. */
static bool refuse_closed(struct exchange *e)
{
	struct gateway *gateway = e->gateway_shard->gateway;

	if (atomic_load_explicit(&gateway->draining, memory_order_relaxed)) {
		exchange_refuse_overloaded(
			e, SLICE("draining"), SLICE("This gateway is shutting down. Try again; another will answer."));
		return true;
	}
	if (!store_writable(gateway->store)) {
		exchange_refuse_overloaded(e, SLICE("store_not_writable"),
			SLICE("The gateway cannot store receipts at the moment. Try again in a moment."));
		return true;
	}
	return false;
}

/* Reads the body, which what was said before may take the place of; see exchange_conversation.c. */
static void run_body(struct exchange *e)
{
	if (e->endpoint && !(parse_body(e) && exchange_enter_endpoint(e)))
		return;
	if (!read_body(e))
		return;
	e->view_lost = false;
	if (e->api == API_RESPONSES && exchange_converse(e, run_body) != CONVERSATION_READY)
		return;
	if (note_request(e) && exchange_plan(e))
		exchange_limit(e);
}

bool exchange_read_request(struct exchange *e)
{
	return read_body(e) && note_request(e);
}

void exchange_run(struct exchange *e)
{
	e->body_begun_ns = exchange_now_ns(e);
	if (!refuse_closed(e) && !idempotency_claim(e, run_body))
		run_body(e);
}

void exchange_go(struct exchange *e)
{
	if (e->stream)
		exchange_stream_prepare(e);
	exchange_attempt(e);
}
