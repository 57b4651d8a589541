/*
 * Answers that are bytes of no meaning to the gateway, speech: they go on as they come, in the memory of one read. The
 * head waits for the first of them, so that until then another candidate may take over; the last of them, and with it
 * the end, wait for the receipt. What breaks off after the first is broken off for the client as well: its framing says
 * so, and never that this was all.
 */
#include "route/exchange/exchange_stream.h"

#include "core/clock.h"

#include <errno.h>

enum { KEPT_BYTES = 1024, TYPE_BYTES_MAX = 128 };

bool exchange_is_binary(const struct exchange *e)
{
	return e->api == API_SPEECH;
}

static bool is_type(struct slice type, struct slice wanted)
{
	return type.size >= wanted.size && slice_equal_nocase(slice_of(type.data, wanted.size), wanted);
}

/* A page or a document in a successful answer is an error that its server did not mean to tell. */
static struct slice type_of(const struct exchange *e)
{
	struct slice type = http_header(e->attempt->call.head, SLICE("content-type"));

	if (!type.size || type.size > TYPE_BYTES_MAX)
		return SLICE("application/octet-stream");
	if (is_type(type, SLICE("application/json")) || is_type(type, SLICE("text/html")))
		return slice_of(NULL, 0);
	return type;
}

static const struct slice out_of_memory = {"The gateway is out of memory. Try again in a moment.", 52};

/* What ends with its connection alone could have been cut anywhere. */
void exchange_binary_begin(struct exchange *e)
{
	if (!type_of(e).size) {
		relay_fail(e, ATTEMPT_BAD_ANSWER, SLICE("The provider answered with a document instead of sound."));
		return;
	}
	if (!e->attempt->call.head->chunked && !e->attempt->call.head->has_length) {
		relay_fail(e, ATTEMPT_BAD_ANSWER, SLICE("The provider's answer does not say where it ends."));
		return;
	}
	e->attempt->held = text_over(arena_alloc(&e->arena, KEPT_BYTES), KEPT_BYTES);
	if (e->attempt->held.data)
		e->state = EXCHANGE_STREAMING;
	else
		relay_fail(e, ATTEMPT_NO_MEMORY, out_of_memory);
}

/* The cost is known: what is spoken was counted in the request. */
static int send_head(struct exchange *e)
{
	enum { HEADERS_BYTES = 2048 + TYPE_BYTES_MAX };
	struct text headers = text_over(arena_alloc(&e->arena, HEADERS_BYTES), HEADERS_BYTES);

	if (!headers.data)
		return -ENOMEM;
	e->status = 200;
	e->first_content_ns = exchange_now_ns(e);
	e->overhead_ns += clock_monotonic_ns() - e->first_content_ns;
	exchange_settle_usage(e);
	text_literal(&headers, "Content-Type: ");
	text_add(&headers, type_of(e));
	text_literal(&headers, "\r\nX-Accel-Buffering: no\r\n");
	exchange_print_headers(e, &headers, true);
	if (headers.full)
		return -E2BIG;
	e->head_sent = e->content_sent = true;
	if (!e->gone)
		http_begin(e->request, 200, text_slice(&headers));
	return 0;
}

/* Sends all but the last KEPT_BYTES of what was kept and `data`, which are kept. */
static void pass_on(struct exchange *e, struct slice data)
{
	size_t fresh = data.size < KEPT_BYTES ? data.size : KEPT_BYTES, out = e->attempt->held.size + fresh;

	out = out > KEPT_BYTES ? out - KEPT_BYTES : 0;
	relay_send(e, slice_of(e->attempt->held.data, out));
	memmove(e->attempt->held.data, e->attempt->held.data + out, e->attempt->held.size - out);
	e->attempt->held.size -= out;
	relay_send(e, slice_of(data.data, data.size - fresh));
	text_add(&e->attempt->held, slice_after(data, data.size - fresh));
	relay_flush(e);
}

void exchange_binary_data(struct exchange *e, struct slice data)
{
	if (!data.size)
		return;
	if (!e->head_sent && send_head(e) < 0)
		relay_fail(e, ATTEMPT_NO_MEMORY, out_of_memory);
	else
		pass_on(e, data);
}

static void finish(struct exchange *e, bool whole)
{
	e->answered = true;
	e->state = EXCHANGE_ENDED;
	if (e->gone)
		return;
	if (!whole) {
		http_break(e->request);
		return;
	}
	relay_send(e, text_slice(&e->attempt->held));
	relay_flush(e);
	http_end(e->request);
}

static void settled(struct exchange *e, int result)
{
	finish(e, result >= 0);
}

void exchange_binary_ended(struct exchange *e)
{
	if (!e->head_sent) {
		relay_fail(e, ATTEMPT_BAD_ANSWER, SLICE("The provider's answer is empty."));
		return;
	}
	e->done_seen = true;
	e->state = EXCHANGE_SETTLING;
	exchange_append_receipt(e, settled);
}

static void break_settled(struct exchange *e, int result)
{
	(void)result; /* broken off either way */
	finish(e, false);
}

void exchange_binary_break(struct exchange *e, const struct api_error *error)
{
	e->done_seen = true;
	e->status = error->status;
	e->state = EXCHANGE_SETTLING;
	exchange_append_receipt(e, break_settled);
}
