/*
 * A connection of the simulator: reads one request at a time, then sends what answer.c and stream.c put into `out`,
 * in the pieces and at the pace that the plan says. One operation is under way at a time: reading, a delay, or a
 * send. The receive stays open all along, so that a client that leaves is seen at once.
 */
#include "tools/mockllm/mock.h"

#include "core/clock.h"
#include "core/kconfig.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DRIP_MS = 2, OUT_MIN_BYTES = 4096, OUT_KEPT_BYTES = 64 << 10 };

static const struct http_limits request_limits = {
	.max_head_bytes = 64 << 10,
	.max_headers = HTTP_HEADERS_MAX,
	.max_body_bytes = MOCK_BODY_MAX_BYTES,
};

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "mockllm: out of memory\n");
		abort(); /* a tool for tests: nobody is served better by going on */
	}
	return memory;
}

/* ---- output ------------------------------------------------------------------------------------------------- */

char *mock_out_reserve(struct mock_connection *c, size_t bytes)
{
	size_t capacity = c->out_capacity ? c->out_capacity : OUT_MIN_BYTES;

	assert(!stream_sending(&c->stream));
	while (capacity - c->out_size < bytes)
		capacity *= 2;
	if (capacity != c->out_capacity) {
		c->out = need(realloc(c->out, capacity));
		c->out_capacity = capacity;
	}
	return c->out + c->out_size;
}

void mock_out_add(struct mock_connection *c, struct slice bytes)
{
	char *at = mock_out_reserve(c, bytes.size);

	if (bytes.size)
		memcpy(at, bytes.data, bytes.size);
	c->out_size += bytes.size;
}

static void clear_out(struct mock_connection *c)
{
	c->out_size = c->out_sent = 0;
	if (c->out_capacity > OUT_KEPT_BYTES) {
		free(c->out);
		c->out = NULL;
		c->out_capacity = 0;
	}
}

static void close_connection(struct mock_connection *c, bool reset, bool aborted)
{
	struct shard *shard = &c->mock->shard;

	if (c->state == MOCK_CLOSING)
		return;
	if (c->counted && aborted)
		mock_record_abort(c->mock->record, c->request.stream, shard_wall_ns(shard));
	else if (c->counted)
		mock_record_end(c->mock->record);
	c->counted = false;
	c->state = MOCK_CLOSING;
	timer_disarm(&shard->timers, &c->timer);
	turn_hook_withdraw(&c->resume_hook);
	buffer_give(&c->held_buffer);
	buffer_give(&c->head_buffer);
	stream_close(&c->stream, reset);
}

static size_t piece_bytes(struct mock_connection *c)
{
	static const unsigned char odd[] = {1, 7, 2, 31, 5, 3, 64, 1, 13};

	switch (c->request.plan.pieces) {
	case MOCK_DRIP:
		return 1;
	case MOCK_SPLIT:
		return odd[c->piece++ % sizeof(odd)];
	case MOCK_WHOLE:
		break;
	}
	return SIZE_MAX;
}

static void send_piece(struct mock_connection *c)
{
	size_t left = c->out_size - c->out_sent, size = piece_bytes(c);

	assert(left > 0);
	c->state = MOCK_ANSWERING;
	if (size > left)
		size = left;
	c->iov = (struct iovec){c->out + c->out_sent, size};
	c->out_sent += size;
	stream_send(&c->stream, &c->iov, 1);
}

static void wait_until(struct mock_connection *c, uint64_t due_ns)
{
	timer_arm(&c->mock->shard.timers, &c->timer, due_ns);
}

static void await_request(struct mock_connection *c)
{
	if (c->counted)
		mock_record_end(c->mock->record);
	c->counted = false;
	c->state = MOCK_READING;
	clear_out(c);
	buffer_give(&c->head_buffer);
	http_parser_begin(c->parser, &c->head, false);
	if (c->held_buffer)
		shard_at_turn_end(&c->mock->shard, &c->resume_hook);
}

static void continue_events(struct mock_connection *c)
{
	uint64_t due_ns = mock_stream_due_ns(c);

	c->out_size = c->out_sent = 0;
	if (due_ns > shard_now_ns(&c->mock->shard)) {
		wait_until(c, due_ns);
		return;
	}
	mock_stream_fill(c);
	send_piece(c);
}

static void continue_answer(struct mock_connection *c)
{
	if (c->out_sent < c->out_size) {
		if (c->request.plan.pieces == MOCK_DRIP)
			wait_until(c, shard_now_ns(&c->mock->shard) + DRIP_MS * NS_PER_MS);
		else
			send_piece(c);
	} else if (c->streaming) {
		continue_events(c);
	} else if (c->stall_after) {
		return; /* until the client gives up */
	} else if (c->close_after) {
		close_connection(c, false, false);
	} else {
		await_request(c);
	}
}

static void on_sent(struct stream *stream, int result)
{
	struct mock_connection *c = container_of(stream, struct mock_connection, stream);

	if (result < 0)
		close_connection(c, false, true);
	else
		continue_answer(c);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void begin_answer(struct mock_connection *c)
{
	if (c->request.plan.status)
		mock_answer_planned_error(c);
	else if (c->request.stream)
		mock_stream_begin(c);
	else
		mock_answer(c);
	send_piece(c);
}

static void on_timer(struct timer *timer)
{
	struct mock_connection *c = container_of(timer, struct mock_connection, timer);

	if (c->state == MOCK_WAITING)
		begin_answer(c);
	else if (c->out_sent < c->out_size)
		send_piece(c);
	else
		continue_events(c);
}

static void serve(struct mock_connection *c, struct slice body)
{
	struct mock_request *r = &c->request;
	uint64_t delay_ns;

	c->close_after = !c->head.keep_alive;
	c->stall_after = c->streaming = false;
	c->piece = 0;
	memset(r, 0, sizeof(*r));
	r->hash = XXH3_64bits(body.data, body.size);
	r->body = body;
	c->state = MOCK_WAITING;
	if (!mock_request_read(c, body)) {
		send_piece(c);
		return;
	}
	c->counted = true;
	mock_record_begin(c->mock->record, r->stream);
	delay_ns = r->plan.head_delay_ns;
	if (!r->stream && r->plan.interval_ns)
		delay_ns += r->plan.words * r->plan.interval_ns;
	switch (r->plan.fault) {
	case MOCK_REFUSE:
	case MOCK_RESET:
		close_connection(c, r->plan.fault == MOCK_RESET, false);
		return;
	case MOCK_STALL_HEAD:
		return;
	default:
		break;
	}
	if (delay_ns)
		wait_until(c, shard_now_ns(&c->mock->shard) + delay_ns);
	else
		begin_answer(c);
}

/* ---- input -------------------------------------------------------------------------------------------------- */

static void gather(struct mock_connection *c, struct slice piece)
{
	if (c->body_size == 0 && c->head.has_length && piece.size == c->head.content_length) {
		c->body_whole = piece; /* lies in the receive buffer, which has padding behind it */
		return;
	}
	if (c->body_capacity - c->body_size < piece.size + BUFFER_PADDING_BYTES) {
		size_t capacity = 2 * c->body_capacity + piece.size + BUFFER_PADDING_BYTES;

		c->body = need(realloc(c->body, capacity));
		c->body_capacity = capacity;
	}
	memcpy(c->body + c->body_size, piece.data, piece.size);
	c->body_size += piece.size;
}

static void hold(struct mock_connection *c, struct slice bytes, struct buffer *buffer)
{
	assert(!c->held_buffer);
	c->held = bytes;
	c->held_buffer = buffer_borrow(buffer);
	stream_pause(&c->stream);
}

static void take_bytes(struct mock_connection *c, struct slice bytes, struct buffer *buffer)
{
	struct slice piece;

	for (;;) {
		switch (http_parser_next(c->parser, &bytes, &piece)) {
		case HTTP_PARSED_MORE:
			return;
		case HTTP_PARSED_HEAD:
			if (!http_parser_gathered(c->parser))
				c->head_buffer = buffer_borrow(buffer);
			c->body_size = 0;
			c->body_whole = slice_of(NULL, 0);
			break;
		case HTTP_PARSED_BODY:
			gather(c, piece);
			break;
		case HTTP_PARSED_END:
			if (bytes.size)
				hold(c, bytes, buffer);
			serve(c, c->body_whole.size ? c->body_whole : slice_of(c->body, c->body_size));
			return;
		case HTTP_PARSED_BAD:
			memset(&c->request, 0, sizeof(c->request));
			c->close_after = true;
			c->stall_after = c->streaming = false;
			mock_answer_error(c, http_parser_problem(c->parser)->status,
				http_parser_problem(c->parser)->message, NULL, "bad_http");
			send_piece(c);
			return;
		}
	}
}

static void on_resume_turn(struct turn_hook *hook)
{
	struct mock_connection *c = container_of(hook, struct mock_connection, resume_hook);
	struct buffer *buffer = c->held_buffer;

	c->held_buffer = NULL;
	take_bytes(c, c->held, buffer);
	buffer_give(&buffer);
	if (c->state != MOCK_CLOSING && !c->held_buffer)
		stream_resume(&c->stream);
}

static void on_received(struct stream *stream, struct slice data, struct buffer *buffer)
{
	struct mock_connection *c = container_of(stream, struct mock_connection, stream);

	if (!buffer)
		close_connection(c, false, true);
	else if (c->state == MOCK_READING)
		take_bytes(c, data, buffer);
	else
		hold(c, data, buffer);
}

static void on_failed(struct stream *stream, int error)
{
	(void)error;
	close_connection(container_of(stream, struct mock_connection, stream), false, true);
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void quit_when_idle(struct mock_shard *mock)
{
	if (mock->quitting && list_empty(&mock->connections) && !mock->accepting.op.in_flight)
		mock->shard.stopping = true;
}

static void on_closed(struct stream *stream)
{
	struct mock_connection *c = container_of(stream, struct mock_connection, stream);
	struct mock_shard *mock = c->mock;

	list_remove(&c->link);
	http_parser_close(c->parser);
	free(c->body);
	free(c->out);
	free(c);
	quit_when_idle(mock);
}

static const struct stream_handler stream_handler = {
	.on_received = on_received,
	.on_sent = on_sent,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

static void accept_connection(struct mock_shard *mock, int socket)
{
	struct mock_connection *c = need(calloc(1, sizeof(*c)));

	c->mock = mock;
	c->parser = need(http_parser_open(HTTP_PARSE_REQUESTS, &request_limits));
	list_append(&mock->connections, &c->link);
	timer_init(&c->timer, on_timer);
	turn_hook_init(&c->resume_hook, on_resume_turn);
	http_parser_begin(c->parser, &c->head, false);
	if (!CONFIG(TLS) || !mock->tls.server)
		stream_accepted(&c->stream, &mock->shard, socket, &stream_handler);
	else if (stream_accepted_secure(&c->stream, &mock->shard, socket, &stream_handler, &mock->tls) < 0)
		need(NULL);
}

static void on_accept(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct mock_shard *mock = container_of(op, struct mock_shard, accepting.op);

	(void)buffer;
	if (result >= 0 && mock->quitting)
		ring_close_socket(mock->shard.ring, result, true);
	else if (result >= 0)
		accept_connection(mock, result);
	if (flags & OP_MORE)
		return;
	if (mock->quitting)
		quit_when_idle(mock);
	else
		ring_accept(mock->shard.ring, &mock->accepting, mock->listener);
}

void mock_listen(struct mock_shard *mock)
{
	list_init(&mock->connections);
	mock->accepting.op.done = on_accept;
	ring_accept(mock->shard.ring, &mock->accepting, mock->listener);
}

void mock_quit(struct mock_shard *mock)
{
	mock->quitting = true;
	if (mock->accepting.op.in_flight)
		ring_cancel(mock->shard.ring, &mock->accepting.op);
	for (struct list *l = mock->connections.next; l != &mock->connections; l = l->next)
		close_connection(container_of(l, struct mock_connection, link), false, true);
	quit_when_idle(mock);
}
