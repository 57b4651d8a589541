/*
 * Streams, event by event. The head and the opening events wait for the first content or for keepalive_ms, so that
 * until then another candidate can take over unseen; from the first content on a failure is told as an event. The end
 * marker, and the summary before it, wait for the receipt.
 */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_stream.h"
#include "route/exchange/exchange_upload.h"

#include "core/clock.h"
#include "proto/openai/chat_openai.h"

#include <errno.h>

static void first_token_expired(struct timer *timer)
{
	struct exchange *e = exchange_turn_to(container_of(timer, struct exchange_attempt, first_token_timer));

	exchange_set_failure(
		e, ATTEMPT_FIRST_TOKEN_TIMEOUT, 0, SLICE("The provider did not begin its answer in time."));
	exchange_attempt_failed(e);
}

void exchange_attempt_init(struct exchange_attempt *attempt, struct exchange *e)
{
	memset(attempt, 0, offsetof(struct exchange_attempt, call));
	attempt->exchange = e;
	timer_init(&attempt->first_token_timer, first_token_expired);
}

/* A stream that fails unseen is told so by the writer as well: nothing of another attempt's may be in it. */
static void forget_written(struct exchange *e)
{
	e->attempt->reader = (struct chat_reader){0};
	e->attempt->writer = (struct chat_writer){.open = -1, .kept.arena = &e->arena};
}

void exchange_stream_prepare(struct exchange *e)
{
	uint64_t keepalive_ns = e->config->config->settings->http.keepalive_ns;

	e->streaming = true;
	forget_written(e);
	timer_init(&e->keepalive_timer, relay_keepalive);
	e->last_write_ns = exchange_now_ns(e);
	if (keepalive_ns && !exchange_is_uploading(e))
		timer_arm(&e->gateway_shard->shard->timers, &e->keepalive_timer, e->last_write_ns + keepalive_ns);
	metric_add(&e->gateway_shard->metrics.streams, 1);
}

void exchange_stream_stop(struct exchange *e)
{
	if (!e->streaming)
		return;
	e->streaming = false;
	timer_disarm(&e->gateway_shard->shard->timers, &e->attempt->first_token_timer);
	timer_disarm(&e->gateway_shard->shard->timers, &e->keepalive_timer);
}

int exchange_stream_begin(struct exchange *e)
{
	sse_init_growing(&e->attempt->sse, &e->arena, e->gateway_shard->event_joined, GATEWAY_STREAM_EVENT_BYTES);
	event_stream_init(&e->attempt->messages, &e->arena, GATEWAY_STREAM_EVENT_BYTES / 2);
	e->attempt->reader.asked = e->attempt->translates && e->chat ? e->chat->n : 1;
	e->state = EXCHANGE_STREAMING;
	return 0;
}

void exchange_stream_forget(struct exchange *e)
{
	forget_written(e);
	e->attempt->held.size = 0;
	e->attempt->usage_told = false;
	e->attempt->output_bytes = 0;
	e->attempt->finish_reason_size = 0;
	e->attempt->usage_known = false;
	e->attempt->usage = (struct usage){0};
	e->paused = false;
	e->budget.waiting = false;
}

static void take_figures(struct exchange *e, const struct openai_chunk *chunk)
{
	struct slice finish;

	e->attempt->output_bytes += chunk->output_bytes;
	if (chunk->usage.present) {
		e->attempt->usage_known = true;
		e->attempt->usage = (struct usage){.prompt_tokens = chunk->usage.prompt_tokens,
			.completion_tokens = chunk->usage.completion_tokens,
			.cached_tokens = chunk->usage.cached_tokens,
			.cache_write_tokens = chunk->usage.cache_write_tokens,
			.reasoning_tokens = chunk->usage.reasoning_tokens};
	}
	finish = dialect_finish(e->attempt->candidate->dialect, chunk->finish_reason);
	if (finish.size && finish.size <= sizeof(e->attempt->finish_reason)) {
		memcpy(e->attempt->finish_reason, finish.data, finish.size);
		e->attempt->finish_reason_size = (unsigned)finish.size;
	}
}

void relay_fail(struct exchange *e, enum attempt_failure kind, struct slice message)
{
	exchange_set_failure(e, kind, e->attempt->call.head->status, message);
	exchange_attempt_failed(e);
}

void relay_provider_error(struct exchange *e, json_ref error)
{
	struct slice raw = json_raw(e->gateway_shard->json, error);

	exchange_set_failure(e, exchange_stream_failure(e, error), e->attempt->call.head->status,
		SLICE("The provider reported an error in its stream."));
	if (raw.size <= EXCHANGE_ERROR_BYTES)
		e->failure.upstream = arena_copy(&e->arena, raw);
	exchange_attempt_failed(e);
}

static void pass_on(
	struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size, bool content)
{
	if (relay_send_event(e, lead, iov, count, size, content) < 0)
		relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
}

/* What most of a stream is. */
static void forward_usual(struct exchange *e, struct slice data, const struct openai_scan *scan)
{
	struct iovec iov[OPENAI_SCAN_PIECES];
	unsigned count;
	size_t size;

	e->attempt->output_bytes += scan->output_bytes;
	count = openai_scan_edit(scan, data, e->attempt->model_json, e->asked.include_usage, iov, &size);
	pass_on(e, SLICE("data: "), iov, count, size, scan->output_bytes > 0);
}

/* A budget may have the gateway end the stream, with a chunk of its own that has the others' id. */
static bool wants_id(const struct exchange *e)
{
	return e->budget.extend_at_bytes && !e->attempt->writer.id_size;
}

/* What a chunk of usage would need, should the provider tell it in another place than OpenAI's clients look. */
static void note_usage(struct exchange *e, const struct openai_chunk *chunk)
{
	const struct json_parser *json = e->gateway_shard->json;

	if (wants_id(e) || (e->asked.include_usage && !e->attempt->writer.id_size))
		chat_openai_take_id(&e->attempt->writer, chat_member_text(json, 0, SLICE("id")));
	if (!e->asked.include_usage)
		return;
	e->attempt->usage_told |= chunk->usage_value != JSON_NONE && json_type(json, chunk->usage_value) == JSON_OBJECT;
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

	if (json_parse(json, data, &json_error) || e->attempt->candidate->dialect->read_chunk(json, &chunk) < 0) {
		relay_fail(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream holds something that is not JSON."));
		return;
	}
	if (chunk.error != JSON_NONE) {
		relay_provider_error(e, chunk.error);
		return;
	}
	take_figures(e, &chunk);
	note_usage(e, &chunk);
	if (chunk.empty || (chunk.usage_only && !e->asked.include_usage))
		return;
	json_edits_init(&edits);
	openai_edit_chunk(json, &chunk, e->attempt->model_json, e->asked.include_usage,
		relay_usage_members(e, chunk.usage_only), &edits);
	dialect_edit_finish(e->attempt->candidate->dialect, json, &edits);
	count = json_edited(&edits, data, iov, &size);
	pass_on(e, SLICE("data: "), iov, count, size, chunk.content || chunk.finish_reason.size);
}

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
	struct slice name = e->attempt->candidate->dialect->event_name(e->gateway_shard->json);

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
	e->attempt->candidate->dialect->edit_event(json, e->attempt->model_json, &edits);
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
		relay_end(e, last);
	else
		relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
}

/* Streams whose events are taken apart: those to be translated, and those that tell their figures over several events.
 */
static void forward_read(struct exchange *e, struct slice data)
{
	struct exchange_event event = {.error = JSON_NONE};
	struct json_error json_error;
	int err = json_parse(e->gateway_shard->json, data, &json_error);

	if (!err)
		err = exchange_read_event(e, &event);
	if (err == -E2BIG)
		relay_fail(e, ATTEMPT_BROKEN_STREAM,
			SLICE("The provider's stream says more than its end can repeat, or than one event can hold."));
	else if (err)
		relay_fail(
			e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream holds an event that is not its own."));
	else if (event.error != JSON_NONE)
		relay_provider_error(e, event.error);
	else if (event.ended && !e->attempt->translates)
		end_named(e, data);
	else if (e->attempt->translates)
		forward_written(e, event.written, event.content);
	else if (!event.ended)
		forward_named(e, data, event.content);
	if (event.ended && e->attempt->translates && e->state == EXCHANGE_STREAMING)
		relay_end_marker(e);
}

static void forward(struct exchange *e, struct slice data)
{
	struct openai_scan scan;

	if (e->attempt->translates || !e->attempt->candidate->dialect->read_chunk)
		forward_read(e, data);
	else if (!wants_id(e) && e->attempt->candidate->dialect->scan_chunk(data, &scan))
		forward_usual(e, data, &scan);
	else
		forward_viewed(e, data);
}

/* A message as JSON, in the memory that events are joined in. */
static enum sse_result next_message(struct exchange *e, struct slice *data, struct sse_event *event)
{
	static const enum sse_result results[] = {[EVENT_STREAM_MORE] = SSE_MORE,
		[EVENT_STREAM_MESSAGE] = SSE_EVENT,
		[EVENT_STREAM_BROKEN] = SSE_BROKEN,
		[EVENT_STREAM_TOO_LARGE] = SSE_TOO_LARGE,
		[EVENT_STREAM_NO_MEMORY] = SSE_NO_MEMORY};
	struct text json = text_over(e->gateway_shard->event_joined, GATEWAY_STREAM_EVENT_BYTES);
	struct event_stream_message message;
	enum event_stream_result result = event_stream_next(&e->attempt->messages, data, &message);

	if (result == EVENT_STREAM_MESSAGE) {
		event_stream_print(&message, &json);
		*event = (struct sse_event){.data = text_slice(&json)};
	}
	return json.full ? SSE_TOO_LARGE : results[result];
}

static void on_event(struct exchange *e, const struct sse_event *event)
{
	struct slice data = event->data;

	if (event->comment || data.size == 0)
		return;
	while (data.size && data.data[data.size - 1] == ' ')
		data.size--;
	if (e->form)
		exchange_transcript_event(e, data);
	else if (e->attempt->candidate->dialect->end_marker.data &&
		 slice_equal(data, e->attempt->candidate->dialect->end_marker))
		relay_end_marker(e);
	else
		forward(e, data);
}

void exchange_stream_go_on(struct exchange *e)
{
	if (e->budget.waiting && !e->paused && (e->holds & HOLD_CALL))
		http_call_resume(&e->attempt->call);
	e->budget.waiting = false;
}

/* What was read may be as much as what is reserved: the rest waits until it is known whether there is more. */
static void wait_for_money(struct exchange *e)
{
	if (!e->budget.extending || e->budget.waiting || e->state != EXCHANGE_STREAMING ||
		e->attempt->output_bytes < e->budget.output_tokens || !(e->holds & HOLD_CALL))
		return;
	e->budget.waiting = true;
	http_call_pause(&e->attempt->call);
}

void exchange_stream_data(struct exchange *e, struct slice data)
{
	struct sse_event event;
	enum sse_result result;

	while (e->state == EXCHANGE_STREAMING) {
		result = e->attempt->candidate->dialect->event_stream ? next_message(e, &data, &event)
								      : sse_next(&e->attempt->sse, &data, &event);
		if (result == SSE_MORE)
			break;
		if (result == SSE_EVENT) {
			on_event(e, &event);
			if (e->budget.extend_at_bytes && e->attempt->output_bytes >= e->budget.extend_at_bytes &&
				e->state == EXCHANGE_STREAMING)
				exchange_budget_extend(e);
		} else if (result == SSE_NO_MEMORY)
			relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		else if (result == SSE_BROKEN)
			relay_fail(e, ATTEMPT_BROKEN_STREAM,
				SLICE("The provider's stream holds a message whose checksum is wrong."));
		else
			relay_fail(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider sent an event that is too large."));
	}
	relay_flush(e);
	wait_for_money(e);
}

/* A provider without an end marker may give fewer choices than were asked for: then its end is the end. */
void exchange_stream_ended(struct exchange *e)
{
	if (!e->attempt->candidate->dialect->end_marker.data && chat_all_ended(&e->attempt->reader, 1)) {
		relay_end_marker(e);
		return;
	}
	relay_fail(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream ended before its end marker."));
}
