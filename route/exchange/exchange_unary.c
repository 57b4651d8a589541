/*
 * Whole bodies of providers: collected, judged, then either the client's answer (edited in place, never rebuilt) or the
 * reason why an attempt failed. A body that came in one piece stays in the receive buffer in which it arrived.
 */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_session.h"
#include "route/exchange/exchange_idempotency.h"
#include "route/exchange/exchange_shadow.h"

#include "core/clock.h"
#include "route/fleet/retry_after.h"

#include <errno.h>

enum { COLLECT_FIRST_BYTES = 16384 };

static void give_answer_buffer(struct exchange *e)
{
	e->gateway_shard->kept_answers -= e->attempt->answer_buffer != NULL;
	buffer_give(&e->attempt->answer_buffer);
}

void exchange_forget_answer(struct exchange *e)
{
	give_answer_buffer(e);
	e->attempt->answer = slice_of(NULL, 0);
	e->attempt->answer_capacity = 0;
}

/* Memory of `capacity` bytes that begins with what is there; the parser reads past a document's end. */
static int grow(struct exchange *e, size_t capacity)
{
	char *memory = arena_alloc(&e->arena, capacity + BUFFER_PADDING_BYTES);

	if (!memory)
		return -ENOMEM;
	memset(memory + capacity, 0, BUFFER_PADDING_BYTES);
	if (e->attempt->answer.size)
		memcpy(memory, e->attempt->answer.data, e->attempt->answer.size);
	give_answer_buffer(e);
	e->attempt->answer.data = memory;
	e->attempt->answer_capacity = capacity;
	return 0;
}

static int make_room(struct exchange *e, size_t more)
{
	const struct http_head *head = e->attempt->call.head;
	size_t wanted = e->attempt->answer.size + more, capacity = COLLECT_FIRST_BYTES;

	if (wanted <= e->attempt->answer_capacity)
		return 0;
	if (head->has_length && head->content_length >= wanted)
		return grow(e, (size_t)head->content_length);
	while (capacity < wanted)
		capacity *= 2;
	return grow(e, capacity);
}

void exchange_collect(struct exchange *e, struct slice data, struct buffer *buffer)
{
	uint64_t bytes_max = e->config->config->settings->http.max_body_bytes;

	if (e->attempt->answer.size + data.size > bytes_max) {
		exchange_set_failure(e, ATTEMPT_BAD_ANSWER, e->attempt->call.head->status,
			SLICE("The provider's answer is too large."));
		exchange_attempt_failed(e);
		return;
	}
	if (e->attempt->answer.size == 0 && buffer && e->gateway_shard->kept_answers < BUFFERS_KEPT_MAX) {
		e->gateway_shard->kept_answers++;
		e->attempt->answer_buffer = buffer_borrow(buffer);
		e->attempt->answer = data;
		return;
	}
	if (make_room(e, data.size) < 0) {
		exchange_set_failure(e, ATTEMPT_NO_MEMORY, e->attempt->call.head->status,
			SLICE("The gateway is out of memory. Try again in a moment."));
		exchange_attempt_failed(e);
		return;
	}
	memcpy((char *)(uintptr_t)e->attempt->answer.data + e->attempt->answer.size, data.data, data.size);
	e->attempt->answer.size += data.size;
}

static enum attempt_failure status_failure(unsigned status)
{
	switch (status) {
	case 400:
	case 413:
	case 422:
		return ATTEMPT_REFUSED_REQUEST;
	case 401:
	case 402:
	case 403:
		return ATTEMPT_CREDENTIAL;
	case 429:
		return ATTEMPT_RATE_LIMITED;
	case 408:
	case 504:
		return ATTEMPT_STATUS_TIMEOUT;
	case 503:
	case 529:
		return ATTEMPT_OVERLOADED;
	default:
		return ATTEMPT_STATUS;
	}
}

static struct slice status_message(enum attempt_failure kind)
{
	switch (kind) {
	case ATTEMPT_REFUSED_REQUEST:
		return SLICE("The provider refused the request.");
	case ATTEMPT_CREDENTIAL:
		return SLICE("The provider did not accept the gateway's credential. Tell the gateway's operator.");
	case ATTEMPT_RATE_LIMITED:
		return SLICE("The provider's rate limit is reached. Try again later.");
	case ATTEMPT_STATUS_TIMEOUT:
		return SLICE("The provider did not answer in time.");
	case ATTEMPT_OVERLOADED:
		return SLICE("The provider is overloaded. Try again later.");
	default:
		return SLICE("The provider failed to answer. Try again later.");
	}
}

static struct slice kept(struct exchange *e, struct slice s)
{
	return s.data ? arena_copy(&e->arena, s) : s;
}

/* The provider's own words, as far as they are JSON and short. */
static void keep_complaint(struct exchange *e, const struct openai_error *complaint)
{
	struct exchange_failure *failure = &e->failure;

	if (complaint->raw.size <= EXCHANGE_ERROR_BYTES)
		failure->upstream = kept(e, complaint->raw);
	if (failure->kind != ATTEMPT_REFUSED_REQUEST)
		return;
	if (complaint->message.size && complaint->message.size <= EXCHANGE_ERROR_BYTES)
		failure->message = kept(e, complaint->message);
	failure->code = kept(e, dialect_error_code(complaint));
	failure->param = kept(e, complaint->param);
}

/* A model that takes no sampling: known from now on, and asked once more without. */
static void ask_unsampled(struct exchange *e)
{
	if (e->form || !exchange_learn_unsampled(e))
		return;
	e->failure.kind = ATTEMPT_STATUS;
	e->candidate_next = (unsigned)(e->attempt->candidate - e->plan.candidates);
}

/* What the body says holds where the header is not there. */
static void read_error_type(const struct http_head *head, struct slice header, struct openai_error *complaint)
{
	struct slice type = http_header(head, header);
	const char *colon = type.size ? memchr(type.data, ':', type.size) : NULL;

	if (type.size)
		complaint->type = slice_of(type.data, colon ? (size_t)(colon - type.data) : type.size);
}

static void judge_error(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	const struct dialect *dialect = e->attempt->candidate->dialect;
	struct openai_error complaint = {0};
	struct json_error json_error;
	enum attempt_failure kind;
	uint32_t wait_s;

	if (e->attempt->answer.size && !json_parse(json, e->attempt->answer, &json_error))
		dialect->read_error(json, &complaint);
	if (dialect->error_type_header.data)
		read_error_type(e->attempt->call.head, dialect->error_type_header, &complaint);
	kind = status_failure(dialect_error_means(dialect, e->attempt->call.head->status, &complaint, &wait_s));
	exchange_set_failure(e, kind, e->attempt->call.head->status, status_message(kind));
	e->failure.retry_after_s = retry_after_read(e->attempt->call.head, shard_wall_ns(e->gateway_shard->shard));
	if (!e->failure.retry_after_s)
		e->failure.retry_after_s = complaint.retry_after_s ? complaint.retry_after_s : wait_s;
	keep_complaint(e, &complaint);
	if (kind == ATTEMPT_REFUSED_REQUEST && dialect_refuses_sampling(&complaint))
		ask_unsampled(e);
	exchange_attempt_failed(e);
}

static void answer_settled(struct exchange *e, int result)
{
	struct api_error error = {.status = 503,
		.type = SLICE("overloaded"),
		.code = SLICE("store_not_writable"),
		.message = SLICE("The answer's receipt could not be stored, so the answer was withheld."),
		.retry_after_s = 1};

	if (result < 0) {
		e->is_api = false; /* its receipt is what failed */
		exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
		return;
	}
	if (conversation_lost(e)) {
		error.message =
			session_lost(e)
				? SLICE("The session could not be stored, so the answer was withheld.")
				: SLICE("The conversation could not be stored, so the answer was withheld. Send "
					"'store' as false to do without.");
		exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
		return;
	}
	e->answered = true;
	e->state = EXCHANGE_ENDED;
	if (e->shadow)
		exchange_shadow_done(e);
	else
		exchange_shadow_draw(e);
	if (!e->gone)
		http_respond_borrowed(e->request, e->status, e->answer_headers, e->answer_iov, e->answer_iov_count);
}

static void append_answer(struct exchange *e)
{
	exchange_append_receipt(e, answer_settled);
}

/* What goes on with the answer is kept by now. */
static void keep_answer(struct exchange *e)
{
	if (conversation_lost(e))
		e->status = 503;
	/* What is kept goes out as JSON. */
	if (e->media.plain || !idempotency_keep(e, e->answer_iov, e->answer_iov_count, append_answer))
		append_answer(e);
}

#define MEMBER "\"x-llm-gateway\":"

static void edit_answer(struct exchange *e, const struct openai_answer *answer, struct slice members, char *added,
	struct json_edits *edits)
{
	const struct json_parser *json = e->gateway_shard->json;

	openai_edit_answer(json, answer, e->attempt->model_json, members, sizeof(MEMBER) - 1, added, edits);
	dialect_edit_finish(e->attempt->candidate->dialect, json, edits);
	conversation_edit_answer(e, 0, edits);
}

/* A recording of silence is no text at all. */
static unsigned hold_text(struct exchange *e)
{
	e->answer_iov[0] = (struct iovec){(void *)(uintptr_t)e->attempt->answer.data, e->attempt->answer.size};
	return e->attempt->answer.size > 0;
}

/* `whole` is the answer where it is translated. */
static int render_answer(struct exchange *e, const struct openai_answer *answer, const struct chat_answer *whole)
{
	enum { MEMBERS_BYTES = 512, HEADERS_BYTES = 2048 };
	struct text members = text_over(arena_alloc(&e->arena, MEMBERS_BYTES), MEMBERS_BYTES);
	struct text headers = text_over(arena_alloc(&e->arena, HEADERS_BYTES), HEADERS_BYTES);
	char *added = arena_alloc(&e->arena, MEMBERS_BYTES + e->attempt->model_json.size + OPENAI_ADDED_BYTES);
	struct json_edits edits;
	size_t size;
	int err = 0;

	if (!members.data || !headers.data || !added)
		return -ENOMEM;
	e->overhead_ns += clock_monotonic_ns() - exchange_now_ns(e);
	text_literal(&members, MEMBER);
	exchange_print_summary(e, &members, false);
	json_edits_init(&edits);
	if (e->attempt->translates)
		err = exchange_write_translated(e, whole, text_slice(&members));
	else if (!e->media.plain)
		edit_answer(e, answer, text_slice(&members), added, &edits);
	if (err)
		return err;
	if (e->media.plain)
		e->answer_iov_count = hold_text(e);
	else if (!e->attempt->translates)
		e->answer_iov_count = json_edited(&edits, e->attempt->answer, e->answer_iov, &size);
	text_string(&headers,
		e->media.plain ? "Content-Type: text/plain; charset=utf-8\r\n" : "Content-Type: application/json\r\n");
	exchange_print_headers(e, &headers, true);
	e->answer_headers = text_slice(&headers);
	return members.full || headers.full || edits.full ? -E2BIG : 0;
}

static void take_usage(struct exchange *e, const struct openai_answer *answer)
{
	struct slice finish = e->attempt->translates
				      ? answer->finish_reason
				      : dialect_finish(e->attempt->candidate->dialect, answer->finish_reason);

	e->attempt->output_bytes = answer->output_bytes;
	e->attempt->usage_known = answer->usage.present;
	e->attempt->usage = (struct usage){.prompt_tokens = answer->usage.prompt_tokens,
		.completion_tokens = answer->usage.completion_tokens,
		.cached_tokens = answer->usage.cached_tokens,
		.cache_write_tokens = answer->usage.cache_write_tokens,
		.reasoning_tokens = answer->usage.reasoning_tokens};
	if (finish.size <= sizeof(e->attempt->finish_reason)) {
		if (finish.size)
			memcpy(e->attempt->finish_reason, finish.data, finish.size);
		e->attempt->finish_reason_size = (unsigned)finish.size;
	}
	exchange_settle_usage(e);
}

static void fail_answer(struct exchange *e, int err)
{
	if (err == -EPROTO)
		exchange_set_failure(e, ATTEMPT_BAD_ANSWER, e->attempt->call.head->status,
			SLICE("The provider's answer is not the JSON that this API returns."));
	else
		exchange_set_failure(e, ATTEMPT_NO_MEMORY, e->attempt->call.head->status,
			SLICE("The gateway is out of memory. Try again in a moment."));
	exchange_attempt_failed(e);
}

/* Many servers give numbers whatever was asked: clients that want base64 would take them for something else. */
static bool is_to_encode(struct exchange *e)
{
	if (e->api != API_EMBEDDINGS || e->attempt->translates || !e->embeddings.base64)
		return false;
	e->embeddings.count = embeddings_count_numbers(e->gateway_shard->json);
	return e->embeddings.count > 0;
}

/* Text was asked for: a document or a page is something else. */
static bool is_page(const struct exchange *e)
{
	struct slice type = http_header(e->attempt->call.head, SLICE("content-type")), html = SLICE("text/html");

	return type.size >= html.size && slice_equal_nocase(slice_of(type.data, html.size), html);
}

static int read_answer(struct exchange *e, struct chat_answer *whole, struct openai_answer *answer)
{
	struct json_parser *json = e->gateway_shard->json;
	struct json_error json_error;
	int err;

	*answer = (struct openai_answer){.model = JSON_NONE, .gateway = JSON_NONE};
	if (e->media.plain)
		return is_page(e) ? -EPROTO : 0;
	if (e->attempt->answer.size == 0 || json_parse(json, e->attempt->answer, &json_error))
		return -EPROTO;
	if (e->attempt->translates)
		return exchange_read_translated(e, whole, answer);
	err = e->attempt->candidate->dialect->read_answer(json, answer);
	if (!err && exchange_is_media(e))
		exchange_take_media(e, answer);
	return err;
}

void exchange_collected(struct exchange *e)
{
	struct openai_answer answer;
	struct chat_answer whole;
	int err;

	if (e->attempt->call.head->status / 100 != 2) {
		judge_error(e);
		return;
	}
	err = read_answer(e, &whole, &answer);
	if (!err && e->api == API_EMBEDDINGS && e->attempt->translates)
		err = exchange_next_embeddings(e, &answer.usage);
	if (err < 0)
		fail_answer(e, err);
	if (err)
		return;
	exchange_hedge_end(e);
	e->attempt->translates |= is_to_encode(e);
	e->status = 200;
	take_usage(e, &answer);
	err = render_answer(e, &answer, &whole);
	if (err) {
		fail_answer(e, err);
		return;
	}
	if (!exchange_check_output(e))
		return;
	e->state = EXCHANGE_SETTLING;
	if (!exchange_keep_answer(e, e->answer_iov, e->answer_iov_count, false, keep_answer) &&
		!session_keep(e, keep_answer))
		keep_answer(e);
}
