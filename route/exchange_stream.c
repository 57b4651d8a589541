/*
 * Streams, event by event. The head and the opening events wait for the first content or for keepalive_ms, so that
 * until then another candidate can take over unseen; from the first content on a failure is told as an event. The end
 * marker, and the summary before it, wait for the receipt.
 */
#include "route/exchange_conversation.h"

#include "core/clock.h"
#include "proto/chat_openai.h"

#include <errno.h>

enum { HELD_BYTES = 4096, HELD_BYTES_MAX = 262144, END_EVENT_BYTES = 1024 };

static void write_bytes(struct exchange *e, struct slice bytes)
{
	if (e->gone || !bytes.size)
		return;
	if (!http_write(e->request, bytes) && !e->paused && (e->holds & HOLD_CALL) && !e->done_seen) {
		e->paused = true;
		http_call_pause(&e->call);
	}
}

/*
 * What one piece of the provider's body brings leaves as one chunk: it is gathered in memory of the shard, which is
 * empty between callbacks. All pieces of a read leave in one send, at the turn's end.
 */
static void send_gathered(struct exchange *e)
{
	struct gateway_shard *gs = e->gateway_shard;

	write_bytes(e, slice_of(gs->gathered, gs->gathered_size));
	gs->gathered_size = 0;
}

static void send_bytes(struct exchange *e, struct slice bytes)
{
	struct gateway_shard *gs = e->gateway_shard;

	if (bytes.size > sizeof(gs->gathered) - gs->gathered_size)
		send_gathered(e);
	if (bytes.size > sizeof(gs->gathered)) {
		write_bytes(e, bytes);
		return;
	}
	if (bytes.size)
		memcpy(gs->gathered + gs->gathered_size, bytes.data, bytes.size);
	gs->gathered_size += bytes.size;
}

static int send_head(struct exchange *e)
{
	enum { HEADERS_BYTES = 1536 };
	struct text headers = text_over(arena_alloc(&e->arena, HEADERS_BYTES), HEADERS_BYTES);

	if (!headers.data)
		return -ENOMEM;
	e->status = 200;
	text_literal(&headers, "Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
			       "X-Accel-Buffering: no\r\n");
	exchange_print_headers(e, &headers, false);
	if (headers.full)
		return -E2BIG;
	e->head_sent = true;
	if (!e->gone)
		http_begin(e->request, 200, text_slice(&headers));
	return 0;
}

static void keepalive_expired(struct timer *timer)
{
	struct exchange *e = container_of(timer, struct exchange, keepalive_timer);
	uint64_t keepalive_ns = e->config->config->settings->http.keepalive_ns;
	uint64_t due_ns = e->last_write_ns + keepalive_ns, now_ns = exchange_now_ns(e);

	if (due_ns <= now_ns) {
		if (!e->head_sent && send_head(e) < 0)
			return; /* without memory the stream goes on unheaded, and fails where it next needs some */
		write_bytes(e, SLICE(": keep-alive\n\n"));
		e->last_write_ns = now_ns;
		due_ns = now_ns + keepalive_ns;
	}
	timer_arm(&e->gateway_shard->shard->timers, timer, due_ns);
}

static void first_token_expired(struct timer *timer)
{
	struct exchange *e = container_of(timer, struct exchange, first_token_timer);

	exchange_set_failure(
		e, ATTEMPT_FIRST_TOKEN_TIMEOUT, 0, SLICE("The provider did not begin its answer in time."));
	exchange_attempt_failed(e);
}

/* A stream that fails unseen is told so by the writer as well: nothing of another attempt's may be in it. */
static void forget_written(struct exchange *e)
{
	e->reader = (struct chat_reader){0};
	e->writer = (struct chat_writer){.open = -1, .kept.arena = &e->arena};
}

void exchange_stream_prepare(struct exchange *e)
{
	uint64_t keepalive_ns = e->config->config->settings->http.keepalive_ns;

	e->streaming = true;
	forget_written(e);
	timer_init(&e->first_token_timer, first_token_expired);
	timer_init(&e->keepalive_timer, keepalive_expired);
	e->last_write_ns = exchange_now_ns(e);
	if (keepalive_ns)
		timer_arm(&e->gateway_shard->shard->timers, &e->keepalive_timer, e->last_write_ns + keepalive_ns);
	metric_add(&e->gateway_shard->metrics.streams, 1);
}

void exchange_stream_stop(struct exchange *e)
{
	if (!e->streaming)
		return;
	e->streaming = false;
	timer_disarm(&e->gateway_shard->shard->timers, &e->first_token_timer);
	timer_disarm(&e->gateway_shard->shard->timers, &e->keepalive_timer);
}

int exchange_stream_begin(struct exchange *e)
{
	sse_init_growing(&e->sse, &e->arena, e->gateway_shard->event_joined, GATEWAY_STREAM_EVENT_BYTES);
	e->state = EXCHANGE_STREAMING;
	return 0;
}

void exchange_stream_forget(struct exchange *e)
{
	forget_written(e);
	e->held.size = 0;
	e->usage_told = false;
	e->output_bytes = 0;
	e->finish_reason_size = 0;
	e->usage_known = false;
	e->usage = (struct usage){0};
	e->paused = false;
	e->budget.waiting = false;
}

static void fail_stream(struct exchange *e, enum attempt_failure kind, struct slice message)
{
	exchange_set_failure(e, kind, e->call.head->status, message);
	exchange_attempt_failed(e);
}

/* Keeps an opening event back. False when it does not fit: then it is time to let them go. */
static bool hold_back(struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size)
{
	size_t wanted = e->held.size + lead.size + size + 2, capacity = HELD_BYTES;
	char *memory;

	if (wanted > HELD_BYTES_MAX)
		return false;
	if (wanted > e->held.capacity) {
		while (capacity < wanted)
			capacity *= 2;
		memory = arena_alloc(&e->arena, capacity);
		if (!memory)
			return false;
		if (e->held.size)
			memcpy(memory, e->held.data, e->held.size);
		e->held.data = memory;
		e->held.capacity = capacity;
	}
	text_add(&e->held, lead);
	for (unsigned i = 0; i < count; i++)
		text_add(&e->held, slice_of(iov[i].iov_base, iov[i].iov_len));
	if (lead.size)
		text_literal(&e->held, "\n\n");
	return true;
}

/* The first content: from here on the client sees this candidate. */
static int let_go(struct exchange *e)
{
	if (e->content_sent)
		return 0;
	timer_disarm(&e->gateway_shard->shard->timers, &e->first_token_timer);
	e->first_content_ns = exchange_now_ns(e);
	e->overhead_ns += clock_monotonic_ns() - e->first_content_ns;
	if (!e->head_sent && send_head(e) < 0)
		return -ENOMEM;
	e->content_sent = true;
	send_bytes(e, text_slice(&e->held));
	e->held.size = 0;
	return 0;
}

/* `lead` goes before an event's data; empty: the bytes are whole events. */
static int send_event(
	struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size, bool content)
{
	if (!content && !e->content_sent && hold_back(e, lead, iov, count, size))
		return 0;
	if (let_go(e) < 0)
		return -ENOMEM;
	send_bytes(e, lead);
	for (unsigned i = 0; i < count; i++)
		send_bytes(e, slice_of(iov[i].iov_base, iov[i].iov_len));
	if (lead.size)
		send_bytes(e, SLICE("\n\n"));
	e->last_write_ns = exchange_now_ns(e);
	metric_add(&e->gateway_shard->metrics.stream_events, 1);
	return 0;
}

static void take_figures(struct exchange *e, const struct openai_chunk *chunk)
{
	struct slice finish;

	e->output_bytes += chunk->output_bytes;
	if (chunk->usage.present) {
		e->usage_known = true;
		e->usage = (struct usage){.prompt_tokens = chunk->usage.prompt_tokens,
			.completion_tokens = chunk->usage.completion_tokens,
			.cached_tokens = chunk->usage.cached_tokens,
			.cache_write_tokens = chunk->usage.cache_write_tokens,
			.reasoning_tokens = chunk->usage.reasoning_tokens};
	}
	finish = dialect_finish(e->candidate->dialect, chunk->finish_reason);
	if (finish.size && finish.size <= sizeof(e->finish_reason)) {
		memcpy(e->finish_reason, finish.data, finish.size);
		e->finish_reason_size = (unsigned)finish.size;
	}
}

/* What the client's own usage chunk carries besides; empty for other events. */
static struct slice usage_members(struct exchange *e, bool wanted)
{
	enum { MEMBERS_BYTES = 768 };
	struct text members;

	if (!wanted || !e->asked.include_usage)
		return slice_of(NULL, 0);
	members = text_over(arena_alloc(&e->arena, MEMBERS_BYTES), MEMBERS_BYTES);
	if (!members.data)
		return slice_of(NULL, 0);
	exchange_settle_usage(e);
	text_literal(&members, "\"x-llm-gateway\":");
	exchange_print_summary(e, &members, true);
	return members.full ? slice_of(NULL, 0) : text_slice(&members);
}

static void provider_error(struct exchange *e, json_ref error)
{
	struct slice raw = json_raw(e->gateway_shard->json, error);

	exchange_set_failure(e, exchange_stream_failure(e, error), e->call.head->status,
		SLICE("The provider reported an error in its stream."));
	if (raw.size <= EXCHANGE_ERROR_BYTES)
		e->failure.upstream = arena_copy(&e->arena, raw);
	exchange_attempt_failed(e);
}

static void pass_on(
	struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size, bool content)
{
	if (send_event(e, lead, iov, count, size, content) < 0)
		fail_stream(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
}

/* What most of a stream is. */
static void forward_usual(struct exchange *e, struct slice data, const struct openai_scan *scan)
{
	struct iovec iov[OPENAI_SCAN_PIECES];
	unsigned count;
	size_t size;

	e->output_bytes += scan->output_bytes;
	count = openai_scan_edit(scan, data, e->model_json, e->asked.include_usage, iov, &size);
	pass_on(e, SLICE("data: "), iov, count, size, scan->output_bytes > 0);
}

/* What a chunk of usage would need, should the provider tell it in another place than OpenAI's clients look. */
static void note_usage(struct exchange *e, const struct openai_chunk *chunk)
{
	const struct json_parser *json = e->gateway_shard->json;

	if (!e->asked.include_usage)
		return;
	if (!e->writer.id_size)
		chat_openai_take_id(&e->writer, chat_member_text(json, 0, SLICE("id")));
	e->usage_told |= chunk->usage_value != JSON_NONE && json_type(json, chunk->usage_value) == JSON_OBJECT;
}

static bool owes_usage(const struct exchange *e)
{
	return e->api == API_CHAT_COMPLETIONS && e->asked.include_usage && e->usage_known && !e->usage_told;
}

static void forward_viewed(struct exchange *e, struct slice data)
{
	struct json_parser *json = e->gateway_shard->json;
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct openai_chunk chunk;
	struct json_error json_error;
	struct json_edits edits;
	unsigned count;
	size_t size;

	if (json_parse(json, data, &json_error) || e->candidate->dialect->read_chunk(json, &chunk) < 0) {
		fail_stream(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream holds something that is not JSON."));
		return;
	}
	if (chunk.error != JSON_NONE) {
		provider_error(e, chunk.error);
		return;
	}
	take_figures(e, &chunk);
	note_usage(e, &chunk);
	if (chunk.empty || (chunk.usage_only && !e->asked.include_usage))
		return;
	json_edits_init(&edits);
	openai_edit_chunk(json, &chunk, e->model_json, e->asked.include_usage, usage_members(e, chunk.usage_only), &edits);
	dialect_edit_finish(e->candidate->dialect, json, &edits);
	count = json_edited(&edits, data, iov, &size);
	pass_on(e, SLICE("data: "), iov, count, size, chunk.content || chunk.finish_reason.size);
}

static void end_stream(struct exchange *e, struct slice last);
static void end_marker(struct exchange *e);

static void forward_written(struct exchange *e, struct slice written, bool content)
{
	struct iovec iov = {(void *)(uintptr_t)written.data, written.size};

	if (written.size)
		pass_on(e, SLICE(""), &iov, 1, written.size, content);
}

enum { LEAD_BYTES = 128 };

/* The lines before an event's data, where clients go by its name: it says the name again. False: it has none. */
static bool name_event(const struct exchange *e, struct text *lead)
{
	struct slice name = e->candidate->dialect->event_name(e->gateway_shard->json);

	if (!name.size || name.size > LEAD_BYTES - 16)
		return false; /* clients skip what has no name */
	text_literal(lead, "event: ");
	text_add(lead, name);
	text_literal(lead, "\ndata: ");
	return true;
}

static unsigned edit_named(struct exchange *e, struct slice data, struct iovec *iov, size_t *size)
{
	const struct json_parser *json = e->gateway_shard->json;
	struct json_edits edits;

	json_edits_init(&edits);
	e->candidate->dialect->edit_event(json, e->model_json, &edits);
	if (e->conversation)
		conversation_edit_answer(e, json_member(json, 0, SLICE("response")), &edits);
	return json_edited(&edits, data, iov, size);
}

static void forward_named(struct exchange *e, struct slice data, bool content)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	char memory[LEAD_BYTES];
	struct text lead = text_over(memory, sizeof(memory));
	unsigned count;
	size_t size;

	if (!name_event(e, &lead))
		return;
	count = edit_named(e, data, iov, &size);
	pass_on(e, text_slice(&lead), iov, count, size, content);
}

/* The provider's own last event, to be kept until the receipt is there; NULL data: no memory. */
static struct slice keep_last(struct exchange *e, struct slice data)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size;
	unsigned count = edit_named(e, data, iov, &size);
	struct text last = text_over(arena_alloc(&e->arena, LEAD_BYTES + size + 2), LEAD_BYTES + size + 2);

	if (!last.data || !name_event(e, &last))
		return slice_of(NULL, 0);
	for (unsigned i = 0; i < count; i++)
		text_add(&last, slice_of(iov[i].iov_base, iov[i].iov_len));
	text_literal(&last, "\n\n");
	return text_slice(&last);
}

static void end_named(struct exchange *e, struct slice data)
{
	struct slice last = e->dialect->end_event.data ? e->dialect->end_event : keep_last(e, data);

	if (last.data)
		end_stream(e, last);
	else
		fail_stream(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
}

/* Streams whose events are taken apart: those to be translated, and those that tell their figures over several events. */
static void forward_read(struct exchange *e, struct slice data)
{
	struct exchange_event event = {.error = JSON_NONE};
	struct json_error json_error;

	if (json_parse(e->gateway_shard->json, data, &json_error) || exchange_read_event(e, &event) < 0)
		fail_stream(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream holds an event that is not its own."));
	else if (event.error != JSON_NONE)
		provider_error(e, event.error);
	else if (event.ended && !e->translates)
		end_named(e, data);
	else if (e->translates)
		forward_written(e, event.written, event.content);
	else if (!event.ended)
		forward_named(e, data, event.content);
	if (event.ended && e->translates && e->state == EXCHANGE_STREAMING)
		end_marker(e);
}

static void forward(struct exchange *e, struct slice data)
{
	struct openai_scan scan;

	if (e->translates || !e->candidate->dialect->read_chunk)
		forward_read(e, data);
	else if (e->candidate->dialect->scan_chunk(data, &scan))
		forward_usual(e, data, &scan);
	else
		forward_viewed(e, data);
}

/*
 * The answer's last bytes: the end marker, or an error event without one. Either way the answer ends in order and its connection
 * stays: its head did not say close, so a client may have sent its next request by the time a close would reach it.
 */
static void finish(struct exchange *e)
{
	exchange_stream_stop(e);
	send_bytes(e, e->end_event);
	send_gathered(e);
	e->answered = true;
	e->state = EXCHANGE_ENDED;
	if (e->gone)
		return;
	if (e->end_event.size)
		http_end(e->request);
	else
		http_break(e->request); /* no memory for the event: the framing says that this is not all */
}

static void write_error_event(struct exchange *e, const struct api_error *error)
{
	struct chat_frame frame = exchange_frame(e, slice_of(NULL, 0));
	struct slice id = slice_of(e->id_text, sizeof(e->id_text));
	size_t capacity = 4096 + 6 * error->message.size + error->upstream.size + 3 * frame.echo.size;
	struct text event = text_over(arena_alloc(&e->arena, capacity), capacity);

	e->end_event = slice_of(NULL, 0);
	if (!event.data)
		return;
	if (e->dialect->print_stream_error) {
		e->dialect->print_stream_error(error, id, &frame, &e->writer, &event);
	} else {
		text_add(&event, e->dialect->error_event);
		e->dialect->print_error(error, id, &event);
		text_literal(&event, "\n\n");
	}
	if (!event.full)
		e->end_event = text_slice(&event);
}

static void error_settled(struct exchange *e, int result)
{
	(void)result; /* told as an error either way */
	finish(e);
}

void exchange_stream_error(struct exchange *e, const struct api_error *error)
{
	e->done_seen = true;
	e->status = error->status;
	if (e->content_sent)
		exchange_settle_usage(e);
	write_error_event(e, error);
	e->state = EXCHANGE_SETTLING;
	exchange_append_receipt(e, error_settled);
}

static void stream_settled(struct exchange *e, int result)
{
	struct api_error error = {.status = 503,
		.type = SLICE("overloaded"),
		.code = SLICE("store_not_writable"),
		.message = SLICE("The answer's receipt could not be stored, so the stream was not completed.")};

	if (conversation_lost(e))
		error.message = SLICE("The conversation could not be stored, so the stream was not completed.");
	if (result < 0 || conversation_lost(e)) {
		e->status = error.status;
		write_error_event(e, &error);
	}
	finish(e);
}

static void append_stream(struct exchange *e)
{
	if (conversation_lost(e))
		e->status = 503;
	exchange_append_receipt(e, stream_settled);
}

/* Of an event as it is written: what follows "data: ", one line. */
static struct iovec data_of(struct slice event)
{
	static const struct slice lead = {"\ndata: ", 7};
	const char *at = event.size ? memmem(event.data, event.size, lead.data, lead.size) : NULL;
	struct slice data = at ? slice_after(event, (size_t)(at - event.data) + lead.size) : slice_of(NULL, 0);

	return (struct iovec){(void *)(uintptr_t)data.data, data.size};
}

/* `last`: the dialect's last event. */
static void end_stream(struct exchange *e, struct slice last)
{
	struct iovec data = data_of(last);
	size_t capacity = END_EVENT_BYTES + last.size;
	struct text event = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!event.data || let_go(e) < 0) {
		fail_stream(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	e->done_seen = true;
	if ((e->paused || e->budget.waiting) && (e->holds & HOLD_CALL))
		http_call_resume(&e->call); /* so that its connection gets back to the pool */
	e->paused = e->budget.waiting = false;
	exchange_settle_usage(e);
	text_literal(&event, ": x-llm-gateway ");
	exchange_print_summary(e, &event, true);
	text_literal(&event, "\n\n");
	text_add(&event, last);
	e->end_event = text_slice(&event);
	e->state = EXCHANGE_SETTLING;
	if (!exchange_keep_answer(e, &data, 1, true, append_stream))
		append_stream(e);
}

/* Where the gateway writes the events, it says last what the dialect wants there: usage, and all that was told. */
static void end_answer(struct exchange *e, bool writes)
{
	struct slice written = slice_of(NULL, 0), last = slice_of(NULL, 0);

	if (writes) {
		exchange_settle_usage(e);
		if (let_go(e) < 0 || exchange_write_end(e, usage_members(e, true), &written, &last) < 0) {
			fail_stream(
				e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
			return;
		}
		send_bytes(e, written);
	}
	end_stream(e, last.size ? last : e->dialect->end_event);
}

static void end_marker(struct exchange *e)
{
	end_answer(e, e->translates || owes_usage(e)); /* or its provider told the usage elsewhere */
}

/* What the provider has counted so far, or what came through: that much was delivered. */
static void count_delivered(struct exchange *e)
{
	struct usage known = e->usage;

	e->usage_known = false;
	exchange_settle_usage(e);
	if (known.prompt_tokens) {
		e->usage.prompt_tokens = known.prompt_tokens;
		e->usage.cached_tokens = known.cached_tokens;
		e->usage.cache_write_tokens = known.cache_write_tokens;
	}
	if (e->usage.completion_tokens < known.completion_tokens)
		e->usage.completion_tokens = known.completion_tokens;
	e->usage_known = true;
}

/* The call is broken off; the client gets an end in order, whoever's dialect the stream had. */
void exchange_stream_cut(struct exchange *e)
{
	static const char length[] = "length";
	struct slice written;

	count_delivered(e);
	exchange_cancel_call(e);
	e->paused = e->budget.waiting = false;
	e->receipt.reason = SLICE("the budget ended the stream");
	memcpy(e->finish_reason, length, sizeof(length) - 1);
	e->finish_reason_size = sizeof(length) - 1;
	if (let_go(e) < 0 || exchange_write_length(e, &written) < 0) {
		fail_stream(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	send_bytes(e, written);
	end_answer(e, true);
	send_gathered(e);
}

static void on_event(struct exchange *e, const struct sse_event *event)
{
	struct slice data = event->data;

	if (event->comment || data.size == 0)
		return;
	while (data.size && data.data[data.size - 1] == ' ')
		data.size--;
	if (e->candidate->dialect->end_marker.data && slice_equal(data, e->candidate->dialect->end_marker))
		end_marker(e);
	else
		forward(e, data);
}

void exchange_stream_go_on(struct exchange *e)
{
	if (e->budget.waiting && !e->paused && (e->holds & HOLD_CALL))
		http_call_resume(&e->call);
	e->budget.waiting = false;
}

/* What was read may be as much as what is reserved: the rest waits until it is known whether there is more. */
static void wait_for_money(struct exchange *e)
{
	if (!e->budget.extending || e->budget.waiting || e->state != EXCHANGE_STREAMING ||
		e->output_bytes < e->budget.output_tokens || !(e->holds & HOLD_CALL))
		return;
	e->budget.waiting = true;
	http_call_pause(&e->call);
}

void exchange_stream_data(struct exchange *e, struct slice data)
{
	struct sse_event event;
	enum sse_result result;

	while (e->state == EXCHANGE_STREAMING) {
		result = sse_next(&e->sse, &data, &event);
		if (result == SSE_MORE)
			break;
		if (result == SSE_EVENT) {
			on_event(e, &event);
			if (e->budget.extend_at_bytes && e->output_bytes >= e->budget.extend_at_bytes &&
				e->state == EXCHANGE_STREAMING)
				exchange_budget_extend(e);
		} else if (result == SSE_NO_MEMORY)
			fail_stream(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		else
			fail_stream(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider sent an event that is too large."));
	}
	send_gathered(e);
	wait_for_money(e);
}

void exchange_stream_ended(struct exchange *e)
{
	fail_stream(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream ended before its end marker."));
}
