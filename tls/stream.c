/*
 * The stream: receive and send operations on the ring. Between them and the owner is nothing, or a layer (tls/layer.h),
 * which turns what was received into what is told, and what is to be told into what is sent.
 *
 * Receiving is one multishot operation. Pausing cancels it; what the kernel had delivered by then is held as a list of
 * buffers and told on resume, before more is received, so that no byte is lost, order is kept, and the list does not
 * grow. `ended` remembers what ended receiving until it can be told.
 *
 * Closing: everything in flight is cancelled; the last operation to come home closes the socket, and on_closed is told
 * at the end of that turn, when no frame below uses the stream any more.
 */
#include "tls/stream.h"

#include "tls/layer.h"

#include <assert.h>
#include <errno.h>

static bool operations_in_flight(const struct stream *s)
{
	return s->receive_op.in_flight || s->send_op.in_flight;
}

static void give_held(struct stream *s)
{
	while (s->held_first) {
		struct buffer *buffer = s->held_first;

		s->held_first = buffer->next;
		buffer_give(&buffer);
	}
	s->held_last = NULL;
}

static void on_close_turn(struct turn_hook *hook)
{
	struct stream *s = container_of(hook, struct stream, close_hook);

	assert(!operations_in_flight(s));
	assert(!s->held_first);
	if (s->socket >= 0)
		ring_close_socket(s->shard->ring, s->socket, s->reset_on_close);
	s->socket = -1;
	if (s->layer)
		s->layer->closed(s);
	s->handler->on_closed(s);
}

static void continue_closing(struct stream *s)
{
	if (!operations_in_flight(s))
		shard_at_turn_end(s->shard, &s->close_hook);
}

/* Takes the caller's reference. A pause may be long, so the shard's own buffer goes back to those who do receive. */
static void hold(struct stream *s, struct buffer *received)
{
	struct slice bytes = slice_of(received->data, received->used_bytes);
	struct buffer *buffer = buffer_keep(received, &bytes);

	buffer_give(&received);
	buffer->next = NULL;
	if (s->held_last)
		s->held_last->next = buffer;
	else
		s->held_first = buffer;
	s->held_last = buffer;
}

static void tell_end(struct stream *s)
{
	int ended = s->ended;

	s->ended = 0;
	if (ended == STREAM_ENDED_BY_PEER)
		s->handler->on_received(s, slice_of(NULL, 0), NULL);
	else
		s->handler->on_failed(s, ended);
}

static void start_receiving(struct stream *s)
{
	/* After a pause: the peer was too fast, and may be again. */
	if (s->receive_cancelled)
		ring_receive_gently(s->shard->ring, &s->receive_op, s->socket);
	else
		ring_receive(s->shard->ring, &s->receive_op, s->socket);
	s->receive_cancelled = false;
}

void stream_deliver(struct stream *s, struct buffer *buffer)
{
	if (s->paused || s->held_first) {
		hold(s, buffer);
		return;
	}
	s->handler->on_received(s, slice_of(buffer->data, buffer->used_bytes), buffer);
	buffer_give(&buffer);
}

void stream_end(struct stream *s, int ended)
{
	s->receive_ended = true;
	s->ended = ended;
	if (!s->paused && !s->held_first)
		tell_end(s);
}

void stream_send_raw(struct stream *s, const struct iovec *iov, unsigned count)
{
	s->sending_bytes = 0;
	for (unsigned i = 0; i < count; i++)
		s->sending_bytes += iov[i].iov_len;
	ring_send(s->shard->ring, &s->send_op, s->socket, iov, count);
}

static void on_receive_done(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct stream *s = container_of(op, struct stream, receive_op);

	if (s->closing) {
		buffer_give(&buffer);
		continue_closing(s);
		return;
	}
	if (result > 0) {
		if (s->layer)
			s->layer->received(s, buffer);
		else
			stream_deliver(s, buffer);
		if (s->closing) {
			continue_closing(s);
			return;
		}
	}
	if (flags & OP_MORE)
		return;
	if (result > 0 || (result == -ECANCELED && s->receive_cancelled)) {
		if (!s->paused && !s->held_first)
			start_receiving(s);
		return;
	}
	if (result == 0)
		result = STREAM_ENDED_BY_PEER;
	if (s->layer)
		s->layer->ended(s, result);
	else
		stream_end(s, result);
}

static void on_send_done(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct stream *s = container_of(op, struct stream, send_op);

	(void)flags;
	(void)buffer;
	if (s->closing) {
		continue_closing(s);
		return;
	}
	/* What the kernel took before the connection broke comes as a count; the error itself is the receive's. */
	if (result >= 0)
		result = (size_t)result == s->sending_bytes ? 0 : -EPIPE;
	if (s->layer)
		s->layer->sent(s, result);
	else
		s->handler->on_sent(s, result);
}

static void on_connect_done(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct stream *s = container_of(op, struct stream, send_op);

	(void)flags;
	(void)buffer;
	s->connecting = false;
	op->done = on_send_done;
	if (result == 0)
		s->socket = op->socket;
	if (s->closing) {
		continue_closing(s);
		return;
	}
	if (result == 0)
		start_receiving(s);
	if (result == 0 && s->layer)
		s->layer->connected(s);
	else
		s->handler->on_connected(s, result);
}

/* Tells what was held; the owner may pause again, or close, in any of the calls. */
static void on_resume_turn(struct turn_hook *hook)
{
	struct stream *s = container_of(hook, struct stream, resume_hook);

	while (s->held_first && !s->paused && !s->closing) {
		struct buffer *buffer = s->held_first;

		s->held_first = buffer->next;
		if (!s->held_first)
			s->held_last = NULL;
		s->handler->on_received(s, slice_of(buffer->data, buffer->used_bytes), buffer);
		buffer_give(&buffer);
	}
	if (s->closing) {
		give_held(s);
		return;
	}
	if (s->paused || s->held_first)
		return;
	if (s->ended)
		tell_end(s);
	else if (!s->receive_op.in_flight && !s->receive_ended && !s->connecting)
		start_receiving(s);
}

static void stream_init(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler)
{
	*s = (struct stream){.handler = handler, .shard = shard, .socket = socket};
	s->receive_op.done = on_receive_done;
	s->send_op.done = on_send_done;
	turn_hook_init(&s->close_hook, on_close_turn);
	turn_hook_init(&s->resume_hook, on_resume_turn);
}

void stream_accepted(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler)
{
	assert(socket >= 0);
	stream_init(s, shard, socket, handler);
	start_receiving(s);
}

int stream_connect(struct stream *s, struct shard *shard, const struct sockaddr *address, socklen_t address_bytes,
	const struct stream_handler *handler)
{
	if (address_bytes > sizeof(s->address))
		return -EINVAL;
	stream_init(s, shard, -1, handler);
	memcpy(&s->address, address, address_bytes);
	s->connecting = true;
	s->send_op.done = on_connect_done;
	ring_connect(shard->ring, &s->send_op, (const struct sockaddr *)&s->address, address_bytes);
	return 0;
}

void stream_send(struct stream *s, const struct iovec *iov, unsigned count)
{
	assert(!s->closing);
	assert(s->socket >= 0);
	if (s->layer)
		s->layer->send(s, iov, count);
	else
		stream_send_raw(s, iov, count);
}

bool stream_sending(const struct stream *s)
{
	if (s->layer)
		return s->layer->sending(s);
	return s->send_op.in_flight && !s->connecting;
}

void stream_pause(struct stream *s)
{
	if (s->paused || s->closing)
		return;
	s->paused = true;
	if (s->receive_op.in_flight) {
		s->receive_cancelled = true;
		ring_cancel(s->shard->ring, &s->receive_op);
	}
}

void stream_resume(struct stream *s)
{
	if (!s->paused || s->closing)
		return;
	s->paused = false;
	/*
	 * What is held is told first: were more received meanwhile, an owner that pauses over each piece would hold
	 * ever more of the shard's buffers. A receive that is still being cancelled starts again when it has come home.
	 */
	if (s->held_first || s->ended)
		shard_at_turn_end(s->shard, &s->resume_hook);
	else if (!s->receive_op.in_flight && !s->receive_ended && !s->connecting)
		start_receiving(s);
}

void stream_shutdown(struct stream *s)
{
	assert(!stream_sending(s));
	if (s->closing || s->socket < 0)
		return;
	if (s->layer)
		s->layer->shutdown(s);
	else
		ring_shutdown(s->shard->ring, s->socket, SHUT_WR);
}

void stream_close(struct stream *s, bool reset)
{
	if (s->closing)
		return;
	s->closing = true;
	s->reset_on_close = reset;
	turn_hook_withdraw(&s->resume_hook);
	give_held(s);
	if (s->receive_op.in_flight)
		ring_cancel(s->shard->ring, &s->receive_op);
	if (s->send_op.in_flight)
		ring_cancel(s->shard->ring, &s->send_op);
	else if (s->layer && !reset && s->socket >= 0)
		s->layer->closing(s);
	continue_closing(s);
}
