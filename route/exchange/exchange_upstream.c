/*
 * Attempts: one call after the other to the candidates of the plan, until one serves or none is left. Nothing that a
 * provider sends is trusted: each answer is judged before the client sees any of it.
 */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_upload.h"
#include "route/fleet/upstream.h"

#include "core/clock.h"
#include "core/kconfig.h"

#include <assert.h>
#include <errno.h>

enum { ANSWER_HEAD_BYTES_MAX = 65536 };

const char *attempt_failure_name(enum attempt_failure kind)
{
	static const char *const names[ATTEMPT_FAILURES] = {
		[ATTEMPT_RESOLVE] = "resolve",
		[ATTEMPT_CONNECT] = "connect",
		[ATTEMPT_CONNECT_TIMEOUT] = "connect_timeout",
		[ATTEMPT_TLS] = "tls",
		[ATTEMPT_SEND] = "send",
		[ATTEMPT_HEAD_TIMEOUT] = "head_timeout",
		[ATTEMPT_PROTOCOL] = "protocol",
		[ATTEMPT_IDLE_TIMEOUT] = "idle_timeout",
		[ATTEMPT_TRUNCATED] = "truncated",
		[ATTEMPT_TOTAL_TIMEOUT] = "total_timeout",
		[ATTEMPT_FIRST_TOKEN_TIMEOUT] = "first_token_timeout",
		[ATTEMPT_REFUSED_REQUEST] = "refused_request",
		[ATTEMPT_CREDENTIAL] = "credential",
		[ATTEMPT_RATE_LIMITED] = "rate_limited",
		[ATTEMPT_OVERLOADED] = "overloaded",
		[ATTEMPT_STATUS_TIMEOUT] = "status_timeout",
		[ATTEMPT_STATUS] = "status",
		[ATTEMPT_BAD_ANSWER] = "bad_answer",
		[ATTEMPT_BROKEN_STREAM] = "broken_stream",
		[ATTEMPT_STREAM_ERROR] = "stream_error",
		[ATTEMPT_NO_MEMORY] = "no_memory",
		[ATTEMPT_NO_SOCKET] = "no_socket",
	};

	assert(kind < ATTEMPT_FAILURES);
	return names[kind];
}

void exchange_set_failure(struct exchange *e, enum attempt_failure kind, unsigned status, struct slice message)
{
	e->failure = (struct exchange_failure){.kind = kind, .status = status, .message = message};
}

void exchange_cancel_call(struct exchange *e)
{
	if (!(e->holds & HOLD_CALL))
		return;
	http_call_cancel(&e->attempt->call);
	exchange_unhold(e, HOLD_CALL);
}

/* Copies a text quoted as JSON into the arena. */
static struct slice quote(struct exchange *e, const char *string)
{
	size_t capacity = 6 * strlen(string) + 2;
	struct text text = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!text.data)
		return slice_of(NULL, 0);
	text_json(&text, slice_of_string(string));
	return text_slice(&text);
}

struct chat_target exchange_target(const struct exchange *e, const struct exchange_candidate *candidate)
{
	struct chat_target target = dialect_target(candidate->model, candidate->deployment, candidate->provider);

	if (exchange_is_unsampled(e))
		target.sampling = false;
	return target;
}

/*
 * What such a provider, or such a model, knows otherwise than the client. Messages that pass have the client's own
 * version, so that what they may say of sampling is known once it was refused.
 */
static int edit_fields(struct exchange *e, const struct exchange_candidate *candidate, struct json_edits *edits)
{
	enum { DROPPED_BYTES = 256 };
	struct chat_target target = exchange_target(e, candidate);
	/* A client of Messages asks in a version of its own, so that only the model counts, not its provider's version.
	 */
	bool sampled = e->api == API_MESSAGES ? !exchange_is_unsampled(e) && dialect_samples(candidate->model)
					      : target.sampling;
	const struct dialect_field *fields = candidate->dialect->fields;
	const struct dialect_field *unsampled = sampled ? NULL : dialect_unsampled_fields(target.max_completion_tokens);
	struct json_parser *json = e->gateway_shard->json;
	struct text dropped;
	int err;

	if (!fields && !unsampled)
		return 0;
	dropped = text_over(arena_alloc(&e->arena, DROPPED_BYTES), DROPPED_BYTES);
	if (!dropped.data)
		return -ENOMEM;
	err = dialect_edit_fields(fields, e->api, json, &e->arena, edits, &dropped);
	if (!err)
		err = dialect_edit_fields(unsampled, e->api, json, &e->arena, edits, &dropped);
	e->attempt->dropped = text_slice(&dropped);
	return err;
}

static int edit_body(struct exchange *e, const struct exchange_candidate *candidate, size_t *size)
{
	struct json_parser *json = e->gateway_shard->json;
	struct slice model_json = quote(e, candidate->deployment->upstream_model);
	char *added = model_json.data ? arena_alloc(&e->arena, model_json.size + OPENAI_ADDED_BYTES) : NULL;
	struct json_edits edits;
	struct json_error json_error;
	struct openai_problem problem;
	int err;

	if (!added)
		return -ENOMEM;
	e->attempt->dropped = slice_of(NULL, 0);
	if (e->form)
		return exchange_write_form(e, slice_of_string(candidate->deployment->upstream_model), size);
	/* The view has gone to other documents while it waited, or since the first attempt. */
	if ((e->view_lost || e->receipt.attempt_count > 0) &&
		(json_parse(json, e->request->body, &json_error) ||
			e->dialect->read_request(json, e->api, &e->asked, &problem)))
		return -ENOMEM;
	if (e->attempt->translates || e->continued)
		return exchange_translate_request(e, candidate, size);
	e->asked.output_cap = exchange_output_cap(e, candidate->model);
	e->asked.output_cap_name = candidate->provider->kind == PROVIDER_OPENAI && e->api == API_CHAT_COMPLETIONS
					   ? SLICE("max_completion_tokens")
					   : SLICE("max_tokens");
	e->asked.unstored = conversation_forgets(e);
	if (e->api == API_EMBEDDINGS)
		e->embeddings.base64 = embeddings_want_base64(json);
	json_edits_init(&edits);
	candidate->dialect->edit_request(json, &e->asked, model_json, added, &edits);
	err = edit_fields(e, candidate, &edits);
	if (!err)
		err = conversation_edit_input(e, &edits);
	if (err)
		return err;
	if (edits.full) /* more than edits hold, as names in many messages: written anew */
		return exchange_is_chat(e) && candidate->dialect->chat->write_request
			       ? exchange_translate_request(e, candidate, size)
			       : -E2BIG;
	e->attempt->call.body = e->attempt->body_iov;
	e->attempt->call.body_count = json_edited(&edits, e->request->body, e->attempt->body_iov, size);
	return 0;
}

/* Of the lines that show a credential, at most. */
static size_t credential_bytes(const struct credential_settings *credential)
{
	enum { SIGNATURE_BYTES = 512 }; /* the hash, the time, and all that stands around them and the signature */
	size_t bytes = 0;

	if (credential && credential->api_key)
		bytes += strlen(credential->api_key);
	if (credential && credential->access_key_id)
		bytes += SIGNATURE_BYTES + strlen(credential->access_key_id);
	if (credential && credential->region)
		bytes += strlen(credential->region);
	if (credential && credential->session_token)
		bytes += strlen(credential->session_token);
	return bytes;
}

static int write_head(struct exchange *e, const struct exchange_candidate *candidate, size_t body_bytes)
{
	struct upstream_request request = {
		.provider = candidate->provider,
		.credential = candidate->credential,
		.dialect = candidate->dialect,
		.api = e->api,
		.model = slice_of_string(candidate->deployment->upstream_model),
		.stream = e->stream,
		.body_bytes = body_bytes,
		.body = e->attempt->call.body,
		.body_count = e->attempt->call.body_count,
		.wall_ns = shard_wall_ns(e->gateway_shard->shard),
		.traceparent = http_header(&e->request->head, SLICE("traceparent")),
		.tracestate = http_header(&e->request->head, SLICE("tracestate")),
	};
	struct slice version = http_header(&e->request->head, SLICE("anthropic-version"));
	struct slice beta = http_header(&e->request->head, SLICE("anthropic-beta"));
	struct slice type = e->form ? exchange_form_type(e) : SLICE("application/json");
	const char *prefix = candidate->provider->path_prefix;
	const char *own_version = candidate->provider->api_version;
	size_t capacity = 448 + 3 * request.model.size + strlen(candidate->provider->host) +
			  credential_bytes(candidate->credential) + (prefix ? strlen(prefix) : 0) +
			  request.traceparent.size + request.tracestate.size + version.size + beta.size + type.size +
			  (own_version ? strlen(own_version) : 0);
	struct text head = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!head.data || !type.data)
		return -ENOMEM;
	request.content_type = type;
	if (!e->attempt->translates) {
		request.anthropic_version = version;
		request.anthropic_beta = beta;
	}
	upstream_head(&request, &head);
	e->attempt->call.request_head = text_slice(&head);
	return head.full ? -E2BIG : 0;
}

static const struct http_call_handler call_handler;

/* A provider's total_ms counts from when the request was whole, over all attempts: 0 when nothing of it is left. */
uint64_t exchange_time_left_ns(const struct exchange *e, const struct provider_settings *provider)
{
	uint64_t spent_ns = exchange_now_ns(e) - e->body_begun_ns;

	return spent_ns < provider->total_ns ? provider->total_ns - spent_ns : 0;
}

static void start_timers(struct exchange *e, const struct provider_settings *provider)
{
	uint64_t left_ns = exchange_time_left_ns(e, provider);

	e->attempt->call.timeouts = (struct http_timeouts){
		.connect_ns = provider->connect_ns,
		.head_ns = e->stream           ? provider->first_token_ns
			   : provider->head_ns ? provider->head_ns
					       : left_ns,
		.idle_ns = provider->idle_ns,
		.total_ns = left_ns,
	};
	if (e->stream && provider->first_token_ns && !exchange_is_uploading(e))
		timer_arm(&e->gateway_shard->shard->timers, &e->attempt->first_token_timer,
			exchange_now_ns(e) + provider->first_token_ns);
}

int exchange_start_call(struct exchange *e, const struct exchange_candidate *candidate)
{
	const struct gateway_origin *origin = &e->config->origins[candidate->deployment->provider];
	const struct settings *settings = e->config->config->settings;
	size_t body_bytes;
	uint64_t begun_ns;
	int err;

	memset(&e->attempt->call, 0, sizeof(e->attempt->call));
	e->attempt->candidate = candidate;
	e->attempt->translates = exchange_is_chat(e)
					 ? dialect_translates(e->dialect, candidate->dialect)
					 : e->api == API_EMBEDDINGS && exchange_embeddings_dialect(candidate);
	e->attempt->call_started_ns = exchange_now_ns(e);
	e->attempt->model_json = quote(e, candidate->model->id);
	err = e->attempt->model_json.data ? edit_body(e, candidate, &body_bytes) : -ENOMEM;
	e->attempt->translates |= e->continued;
	if (!err)
		exchange_continue_prepare(e);
	if (!err)
		err = write_head(e, candidate, body_bytes);
	if (err)
		return err;
	start_timers(e, candidate->provider);
	e->attempt->call.handler = &call_handler;
	e->attempt->call.origin = origin->origin;
	e->attempt->call.limits = (struct http_limits){ANSWER_HEAD_BYTES_MAX, HTTP_HEADERS_MAX,
		e->stream || exchange_is_binary(e) ? UINT64_MAX : settings->http.max_body_bytes};
	e->attempt->call.head = &e->attempt->head;
	e->attempt->call.user = e->attempt;
	e->holds |= HOLD_CALL;
	e->state = EXCHANGE_CALLING;
	metric_add(&e->gateway_shard->metrics.attempts, 1);
	http_call_start(e->gateway_shard->client, &e->attempt->call);
	begun_ns = e->attempt_count == 1 && e->vectors.count == 0 ? e->body_begun_ns : e->attempt->call_started_ns;
	e->overhead_ns += clock_monotonic_ns() - begun_ns;
	return 0;
}

/* Whether the candidate may be called: in time, with money and with its credential, in this order. */
static enum admission admit(struct exchange *e, const struct exchange_candidate *candidate)
{
	enum admission admission;

	if (exchange_time_left_ns(e, candidate->provider) == 0)
		return ADMISSION_REFUSED;
	admission = exchange_budget_admit(e, candidate);
	return admission == ADMISSION_NOW ? exchange_credential_admit(e, candidate) : admission;
}

void exchange_attempt(struct exchange *e)
{
	const struct limit_use undone = {.undone = true};
	uint32_t attempts_max = e->config->config->settings->routing.max_attempts;
	int err;

	while (e->candidate_next < e->plan.candidate_count && e->attempt_count < attempts_max) {
		const struct exchange_candidate *candidate = &e->plan.candidates[e->candidate_next];
		enum admission admission = admit(e, candidate);

		if (admission == ADMISSION_LATER)
			return;
		e->candidate_next++;
		if (admission == ADMISSION_REFUSED)
			continue;
		if (!exchange_may_call(e)) {
			exchange_credential_settle(e, &undone);
			break;
		}
		if (!exchange_call_take(e, candidate)) {
			exchange_credential_settle(e, &undone);
			continue;
		}
		e->attempt_count++;
		e->vectors = (struct exchange_vectors){0};
		err = exchange_start_call(e, candidate);
		if (err == 0) {
			if (e->attempt_count == 1)
				exchange_hedge_begin(e);
			return;
		}
		if (err != -EINVAL) /* else the failure is told */
			exchange_set_failure(
				e, ATTEMPT_NO_MEMORY, 0, SLICE("The gateway is out of memory. Try again in a moment."));
		exchange_call_done(e);
		exchange_credential_settle(e, &undone);
		exchange_note_attempt(e, 0, slice_of_string(attempt_failure_name(e->failure.kind)));
	}
	if (e->attempt_count == 0 && !e->head_sent) {
		exchange_refuse_for_now(e);
		return;
	}
	if (e->attempt_count == 0) /* a keep-alive went out while shards were asked */
		exchange_set_failure(
			e, ATTEMPT_RATE_LIMITED, 0, SLICE("The provider's rate limit is reached. Try again later."));
	exchange_give_up(e);
}

/* In the arena; cut short, to the first part, when memory is out. */
static struct slice compose(struct exchange *e, const char *first, const char *second, const char *third)
{
	size_t size = strlen(first) + strlen(second) + strlen(third);
	char *memory = arena_alloc(&e->arena, size);
	struct text text = text_over(memory, memory ? size : 0);

	if (!memory)
		return slice_of_string(first);
	text_string(&text, first);
	text_string(&text, second);
	text_string(&text, third);
	return text_slice(&text);
}

/* The failure is set; the call has ended or is cancelled here. */
void exchange_attempt_failed(struct exchange *e)
{
	const struct limit_use nothing_used = {.tokens = 0}; /* it counts as a request; its tokens are free again */
	struct slice name = slice_of_string(attempt_failure_name(e->failure.kind));

	if (CONFIG(TLS) && e->failure.kind == ATTEMPT_TLS)
		name = compose(e, "tls", "_", tls_cause_name(e->attempt->call.tls_cause));
	exchange_cancel_call(e);
	exchange_call_failed(e);
	timer_disarm(&e->gateway_shard->shard->timers, &e->attempt->first_token_timer);
	exchange_note_attempt(e, e->failure.status, name);
	metric_add(&e->gateway_shard->metrics.failures[e->failure.kind], 1);
	if (e->content_sent && exchange_continue(e))
		return;
	if (e->content_sent || e->failure.kind == ATTEMPT_REFUSED_REQUEST) {
		exchange_hedge_end(e);
		exchange_give_up(e);
		return;
	}
	exchange_credential_settle(e, &nothing_used);
	exchange_stream_forget(e);
	exchange_forget_answer(e);
	if (!exchange_hedge_goes_on(e))
		exchange_attempt(e);
}

static void fail_answer(struct exchange *e, enum attempt_failure kind, struct slice message)
{
	exchange_set_failure(e, kind, e->attempt->call.head->status, message);
	exchange_attempt_failed(e);
}

static bool is_event_stream(const struct http_head *head, const struct dialect *dialect)
{
	struct slice type = http_header(head, SLICE("content-type"));
	struct slice wanted = upstream_stream_type(dialect);

	if (type.size > wanted.size && (type.data[wanted.size] == ';' || type.data[wanted.size] == ' '))
		type.size = wanted.size;
	return slice_equal_nocase(type, wanted);
}

void exchange_take_head(struct exchange *e)
{
	const struct http_head *head = e->attempt->call.head;
	struct slice encoding = http_header(head, SLICE("content-encoding"));
	bool success = head->status / 100 == 2;

	exchange_read_room(e);
	if (encoding.size && !slice_equal_nocase(encoding, SLICE("identity"))) {
		fail_answer(e, ATTEMPT_BAD_ANSWER,
			SLICE("The provider sent a compressed answer, which was not asked for."));
		return;
	}
	if (success && exchange_is_binary(e)) {
		exchange_binary_begin(e);
		return;
	}
	if (!success || !e->stream) {
		e->state = EXCHANGE_ANSWERING;
		return;
	}
	if (!is_event_stream(head, e->attempt->candidate->dialect)) {
		if (exchange_transcript_whole(e))
			return;
		fail_answer(e, ATTEMPT_BAD_ANSWER,
			SLICE("The provider answered a streaming call with something else than a stream."));
		return;
	}
	if (exchange_stream_begin(e) < 0)
		fail_answer(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
}

static void on_head(struct http_call *call)
{
	struct exchange *e = exchange_turn_to(call->user);

	if (e->state != EXCHANGE_CALLING || (call->head->status / 100 == 2 && exchange_upload_answered(e)))
		return;
	exchange_take_head(e);
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	struct exchange *e = exchange_turn_to(call->user);

	if (e->state == EXCHANGE_ANSWERING)
		exchange_collect(e, data, buffer);
	else if (e->state == EXCHANGE_STREAMING && exchange_is_binary(e))
		exchange_binary_data(e, data);
	else if (e->state == EXCHANGE_STREAMING)
		exchange_stream_data(e, data);
	/* else: behind a stream's end marker, of no interest */
}

static void on_end(struct exchange *e)
{
	switch (e->state) {
	case EXCHANGE_ANSWERING:
		exchange_collected(e);
		break;
	case EXCHANGE_STREAMING:
		if (exchange_is_binary(e))
			exchange_binary_ended(e);
		else
			exchange_stream_ended(e);
		break;
	default:
		break;
	}
}

static void call_ended(struct http_call *call)
{
	struct exchange *e = exchange_turn_to(call->user);

	/* The request's hold keeps the exchange through on_end(), unless nothing is left to do there. */
	if (e->state != EXCHANGE_ANSWERING && e->state != EXCHANGE_STREAMING) {
		exchange_unhold(e, HOLD_CALL);
		return;
	}
	exchange_unhold(e, HOLD_CALL);
	on_end(e);
}

static struct slice failure_message(enum http_failure failure)
{
	switch (failure) {
	case HTTP_FAILURE_RESOLVE:
		return SLICE("The provider's name could not be resolved.");
	case HTTP_FAILURE_CONNECT:
		return SLICE("The provider could not be reached.");
	case HTTP_FAILURE_CONNECT_TIMEOUT:
		return SLICE("The provider could not be reached in time.");
	case HTTP_FAILURE_SEND:
		return SLICE("The provider closed the connection before it answered.");
	case HTTP_FAILURE_TLS:
		return SLICE("No secure connection to the provider could be made.");
	case HTTP_FAILURE_HEAD_TIMEOUT:
		return SLICE("The provider did not answer in time.");
	case HTTP_FAILURE_PROTOCOL:
		return SLICE("The provider's answer is not valid HTTP, or is too large.");
	case HTTP_FAILURE_IDLE_TIMEOUT:
		return SLICE("The provider stopped in the middle of its answer.");
	case HTTP_FAILURE_TRUNCATED:
		return SLICE("The provider broke off its answer.");
	case HTTP_FAILURE_TOTAL_TIMEOUT:
		return SLICE("The provider did not finish its answer in time.");
	}
	return SLICE("The call to the provider failed.");
}

/* No connection, for want of something of our own. */
static bool is_own_lack(enum http_failure failure, int error)
{
	return failure == HTTP_FAILURE_CONNECT && (error == -EMFILE || error == -ENFILE || error == -EADDRNOTAVAIL ||
							  error == -ENOBUFS || error == -ENOMEM);
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	struct exchange *e = exchange_turn_to(call->user);
	bool matters = e->state == EXCHANGE_CALLING || e->state == EXCHANGE_ANSWERING || e->state == EXCHANGE_STREAMING;
	unsigned status = e->state == EXCHANGE_CALLING ? 0 : call->head->status;

	(void)detail;
	exchange_unhold(e, HOLD_CALL);
	if (!matters)
		return; /* behind a stream's end marker; the exchange may be gone */
	if (is_own_lack(failure, error))
		exchange_set_failure(e, ATTEMPT_NO_SOCKET, 0,
			SLICE("The gateway has no socket left to call the provider with. Try again in a moment."));
	else if (CONFIG(TLS) && failure == HTTP_FAILURE_TLS)
		exchange_set_failure(e, ATTEMPT_TLS, 0,
			compose(e, "No secure connection to the provider: ", tls_cause_text(call->tls_cause), "."));
	else
		exchange_set_failure(e, (enum attempt_failure)failure, status, failure_message(failure));
	exchange_attempt_failed(e);
}

static void on_room(struct http_call *call)
{
	exchange_upload_room(exchange_turn_to(call->user));
}

static const struct http_call_handler call_handler = {
	.on_head = on_head,
	.on_data = on_data,
	.on_end = call_ended,
	.on_room = on_room,
	.on_failed = on_failed,
};
