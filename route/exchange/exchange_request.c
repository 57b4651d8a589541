/* The exchange's way in: what the body says, and what of it is refused before a provider hears of it. */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_idempotency.h"
#include "route/exchange/exchange_upload.h"
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

/* NULL: this API's requests have to name their model. `auto` chooses among chats: of other APIs' models each is for
 * something of its own. */
static const char *default_model(const struct exchange *e)
{
	const char *model = e->config->config->settings->routing.default_model;

	if (e->form || e->api == API_MODERATIONS)
		return NULL;
	return exchange_is_chat(e) || strcmp(model, "auto") != 0 ? model : NULL;
}

static int write_named(struct exchange *e, json_ref absent, const char *model)
{
	const struct json_parser *json = e->gateway_shard->json;
	size_t size, capacity = 16 + 6 * strlen(model);
	struct text member = text_over(arena_alloc(&e->arena, capacity), capacity), body;
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct json_edits edits;
	unsigned count;

	if (!member.data)
		return -ENOMEM;
	text_literal(&member, "\"model\":");
	text_json(&member, slice_of_string(model));
	json_edits_init(&edits);
	if (absent != JSON_NONE)
		json_remove(&edits, json, 0, absent);
	json_insert(&edits, json, 0, text_slice(&member));
	count = json_edited(&edits, e->request->body, iov, &size);
	body = text_over(arena_alloc(&e->arena, size + BUFFER_PADDING_BYTES), size + BUFFER_PADDING_BYTES);
	if (!body.data)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		text_add(&body, slice_of(iov[i].iov_base, iov[i].iov_len));
	memset(body.data + size, 0, BUFFER_PADDING_BYTES);
	e->request->body = text_slice(&body);
	return 0;
}

/* A body that names no model names the default one from here on: nothing behind knows that it did not. */
static bool name_model(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	const char *model = default_model(e);
	json_ref there;

	if (!model || json_type(json, 0) != JSON_OBJECT)
		return true;
	there = json_member(json, 0, SLICE("model"));
	if (there != JSON_NONE && json_type(json, there) != JSON_NULL)
		return true;
	if (write_named(e, there, model) == 0)
		return parse_body(e);
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return false;
}

bool exchange_read_document(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	struct openai_problem problem;
	struct api_error error;

	if (!parse_body(e) || !name_model(e))
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

static bool read_body(struct exchange *e)
{
	return (e->api != API_TRANSCRIPTIONS || exchange_read_form(e)) && exchange_read_document(e);
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
	if (e->endpoint && !(parse_body(e) && exchange_enter_endpoint(e, run_body)))
		return;
	if (!read_body(e))
		return;
	e->view_lost = false;
	if (e->api == API_RESPONSES && exchange_converse(e, run_body) != CONVERSATION_READY)
		return;
	if (note_request(e) && (!e->endpoint || exchange_bound_endpoint(e)) && exchange_plan(e) &&
		(!e->upload || exchange_upload_decide(e)))
		exchange_limit(e);
}

bool exchange_read_request(struct exchange *e)
{
	return read_body(e) && note_request(e);
}

void exchange_run(struct exchange *e)
{
	if (e->request->passing) {
		exchange_upload_whole(e);
		return;
	}
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
