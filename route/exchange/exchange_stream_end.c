/*
 * How a stream ends: in order, with its last event behind the receipt; as a failure, told as an event; or cut, where
 * the money is used up.
 */
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_idempotency.h"
#include "route/exchange/exchange_session.h"
#include "route/exchange/exchange_stream.h"

#include "core/clock.h"

#include <errno.h>

enum { END_EVENT_BYTES = 1024 };

/* What the client's own usage chunk carries besides; empty for other events. */
struct slice relay_usage_members(struct exchange *e, bool wanted)
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

static bool owes_usage(const struct exchange *e)
{
	return e->api == API_CHAT_COMPLETIONS && e->asked.include_usage && e->attempt->usage_known &&
	       !e->attempt->usage_told;
}

/*
 * The answer's last bytes: the end marker, or an error event without one. Either way the answer ends in order and its
 * connection stays: its head did not say close, so a client may have sent its next request by the time a close would
 * reach it.
 */
static void finish(struct exchange *e)
{
	exchange_stream_stop(e);
	relay_send(e, e->end_event);
	relay_flush(e);
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
		e->dialect->print_stream_error(error, id, &frame, &e->attempt->writer, &event);
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
	if (e->content_sent && (e->attempt->output_bytes || !e->continued)) /* else what came is settled */
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
		if (e->attempt->writer.kept.sequence)
			e->attempt->writer.kept.sequence--; /* it takes the last event's place */
		write_error_event(e, &error);
	}
	finish(e);
}

static void append_stream(struct exchange *e)
{
	exchange_append_receipt(e, stream_settled);
}

/* What goes on with the answer is kept by now. */
static void keep_stream(struct exchange *e)
{
	struct iovec end = {(void *)(uintptr_t)e->end_event.data, e->end_event.size};

	if (conversation_lost(e))
		e->status = 503;
	if (!idempotency_keep(e, &end, 1, append_stream))
		append_stream(e);
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
void relay_end(struct exchange *e, struct slice last)
{
	struct iovec data = data_of(last);
	size_t capacity = END_EVENT_BYTES + last.size;
	struct text event = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!event.data || relay_let_go(e) < 0) {
		relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	e->done_seen = true;
	if ((e->paused || e->budget.waiting) && (e->holds & HOLD_CALL))
		http_call_resume(&e->attempt->call); /* so that its connection gets back to the pool */
	e->paused = e->budget.waiting = false;
	exchange_settle_usage(e);
	text_literal(&event, ": x-llm-gateway ");
	exchange_print_summary(e, &event, true);
	text_literal(&event, "\n\n");
	text_add(&event, last);
	e->end_event = text_slice(&event);
	e->state = EXCHANGE_SETTLING;
	if (e->idempotency)
		relay_flush(e); /* for what was sent to be whole */
	if (!exchange_keep_answer(e, &data, 1, true, keep_stream) && !session_keep(e, keep_stream))
		keep_stream(e);
}

/* Where the gateway writes the events, it says last what the dialect wants there: usage, and all that was told. */
static void end_answer(struct exchange *e, bool writes)
{
	struct slice written = slice_of(NULL, 0), last = slice_of(NULL, 0);

	if (writes) {
		exchange_settle_usage(e);
		if (relay_let_go(e) < 0 || exchange_write_end(e, relay_usage_members(e, true), &written, &last) < 0) {
			relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
			return;
		}
		relay_send(e, written);
	}
	relay_end(e, last.size ? last : e->dialect->end_event);
}

void relay_end_marker(struct exchange *e)
{
	end_answer(e, e->attempt->translates || owes_usage(e)); /* or its provider told the usage elsewhere */
}

/* What the provider has counted so far, or what came through: that much was delivered. */
void relay_count_delivered(struct exchange *e)
{
	struct usage known = e->attempt->usage;

	e->attempt->usage_known = false;
	exchange_settle_usage(e);
	if (known.prompt_tokens) {
		e->attempt->usage.prompt_tokens = known.prompt_tokens;
		e->attempt->usage.cached_tokens = known.cached_tokens;
		e->attempt->usage.cache_write_tokens = known.cache_write_tokens;
	}
	if (e->attempt->usage.completion_tokens < known.completion_tokens)
		e->attempt->usage.completion_tokens = known.completion_tokens;
	e->attempt->usage_known = true;
}

/* The call is broken off; the client gets an end in order, whoever's dialect the stream had. */
void exchange_stream_cut(struct exchange *e)
{
	static const char length[] = "length";
	struct slice written;

	relay_count_delivered(e);
	exchange_cancel_call(e);
	e->paused = e->budget.waiting = false;
	e->receipt.reason = SLICE("the budget ended the stream");
	memcpy(e->attempt->finish_reason, length, sizeof(length) - 1);
	e->attempt->finish_reason_size = sizeof(length) - 1;
	if (relay_let_go(e) < 0 || exchange_write_length(e, &written) < 0) {
		relay_fail(e, ATTEMPT_NO_MEMORY, SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	relay_send(e, written);
	end_answer(e, true);
	relay_flush(e);
}
