/*
 * How a stream leaves: its head and opening events are held until there is content or the keep-alive is due, what one
 * read brings goes out as one chunk, and a client that reads slowly holds back its own upstream.
 */
#include "route/exchange/exchange_content.h"
#include "route/exchange/exchange_idempotency.h"
#include "route/exchange/exchange_stream.h"

#include "core/clock.h"

#include <errno.h>

enum { SENT_FIRST_BYTES = 4096, HELD_BYTES = 4096, HELD_BYTES_MAX = 262144 };

bool relay_grow(struct exchange *e, struct text *sent, size_t wanted)
{
	size_t capacity = SENT_FIRST_BYTES;
	char *memory;

	if (wanted <= sent->capacity)
		return true;
	while (capacity < wanted)
		capacity *= 2;
	memory = arena_alloc(&e->arena, capacity);
	if (!memory)
		return false;
	if (sent->size)
		memcpy(memory, sent->data, sent->size);
	sent->data = memory;
	sent->capacity = capacity;
	return true;
}

static void relay_write(struct exchange *e, struct slice bytes)
{
	if (e->gone || !bytes.size)
		return;
	idempotency_note(e, bytes);
	content_note(e, bytes);
	/* While two attempts race, all that is written are comments. */
	if (!http_write(e->request, bytes) && !e->paused && !e->rival && (e->holds & HOLD_CALL) && !e->done_seen) {
		e->paused = true;
		http_call_pause(&e->attempt->call);
	}
}

/*
 * What one piece of the provider's body brings leaves as one chunk: it is gathered in memory of the shard, which is
 * empty between callbacks. All pieces of a read leave in one send, at the turn's end.
 */
void relay_flush(struct exchange *e)
{
	struct gateway_shard *gs = e->gateway_shard;

	relay_write(e, slice_of(gs->gathered, gs->gathered_size));
	gs->gathered_size = 0;
}

void relay_send(struct exchange *e, struct slice bytes)
{
	struct gateway_shard *gs = e->gateway_shard;

	if (bytes.size > sizeof(gs->gathered) - gs->gathered_size)
		relay_flush(e);
	if (bytes.size > sizeof(gs->gathered)) {
		relay_write(e, bytes);
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

void relay_keepalive(struct timer *timer)
{
	struct exchange *e = container_of(timer, struct exchange, keepalive_timer);
	uint64_t keepalive_ns = e->config->config->settings->http.keepalive_ns;
	uint64_t due_ns = e->last_write_ns + keepalive_ns, now_ns = exchange_now_ns(e);

	if (due_ns <= now_ns) {
		if (!e->head_sent && send_head(e) < 0)
			return; /* without memory the stream goes on unheaded, and fails where it next needs some */
		relay_write(e, SLICE(": keep-alive\n\n"));
		e->last_write_ns = now_ns;
		due_ns = now_ns + keepalive_ns;
	}
	timer_arm(&e->gateway_shard->shard->timers, timer, due_ns);
}

/* Keeps an opening event back. False when it does not fit: then it is time to let them go. */
static bool hold_back(struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size)
{
	size_t wanted = e->attempt->held.size + lead.size + size + 2, capacity = HELD_BYTES;
	char *memory;

	if (wanted > HELD_BYTES_MAX)
		return false;
	if (wanted > e->attempt->held.capacity) {
		while (capacity < wanted)
			capacity *= 2;
		memory = arena_alloc(&e->arena, capacity);
		if (!memory)
			return false;
		if (e->attempt->held.size)
			memcpy(memory, e->attempt->held.data, e->attempt->held.size);
		e->attempt->held.data = memory;
		e->attempt->held.capacity = capacity;
	}
	text_add(&e->attempt->held, lead);
	for (unsigned i = 0; i < count; i++)
		text_add(&e->attempt->held, slice_of(iov[i].iov_base, iov[i].iov_len));
	if (lead.size)
		text_literal(&e->attempt->held, "\n\n");
	return true;
}

/* The first content: from here on the client sees this candidate. */
int relay_let_go(struct exchange *e)
{
	if (e->content_sent && !e->continued)
		return 0;
	timer_disarm(&e->gateway_shard->shard->timers, &e->attempt->first_token_timer);
	if (e->content_sent)
		return 0;
	exchange_hedge_end(e);
	e->first_content_ns = exchange_now_ns(e);
	e->overhead_ns += clock_monotonic_ns() - e->first_content_ns;
	if (!e->head_sent && send_head(e) < 0)
		return -ENOMEM;
	e->content_sent = true;
	relay_send(e, text_slice(&e->attempt->held));
	e->attempt->held.size = 0;
	return 0;
}

/* `lead` goes before an event's data; empty: the bytes are whole events. */
int relay_send_event(
	struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size, bool content)
{
	if (!content && !e->content_sent && hold_back(e, lead, iov, count, size))
		return 0;
	if (relay_let_go(e) < 0)
		return -ENOMEM;
	relay_send(e, lead);
	for (unsigned i = 0; i < count; i++)
		relay_send(e, slice_of(iov[i].iov_base, iov[i].iov_len));
	if (lead.size)
		relay_send(e, SLICE("\n\n"));
	e->last_write_ns = exchange_now_ns(e);
	metric_add(&e->gateway_shard->metrics.stream_events, 1);
	return 0;
}
