/*
 * Between a stream's ring operations and its owner: a session. What was received is fed to it; what it has to say, the
 * owner's bytes sealed and its own, is gathered in its output and leaves in one send at a time.
 *
 * A connection is in its handshake, then open, or it has failed: then its alert leaves first, and the owner is told
 * when that is gone. A server whose peer never came through the handshake then ends its side and drops what still comes
 * until the peer ends its, for a reset would overtake the alert; the owner's timeout bounds that.
 */
#include "tls/secure.h"

#include "core/clock.h"
#include "tls/layer.h"
#include "tls/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { DROPPED_MAX_BYTES = 256 * 1024 };
#define LAST_WORD_NS NS_PER_S /* for close_notify to leave: who does not read gets none */

enum phase { PHASE_HANDSHAKE, PHASE_OPEN, PHASE_FAILED, PHASE_DROPPING };

struct secure {
	struct stream *stream;
	struct tls_session session;
	struct tls_cursor cursor; /* of the owner's send */
	struct tls_turn turn;     /* the handshake waits for it */
	struct timer timer;       /* of the last word */
	struct turn_hook hook;    /* tells what an owner's call met */
	uint32_t dropped_bytes;
	enum phase phase;
	bool sending;    /* on_sent is due */
	bool shutting;   /* the owner has ended its side: FIN when all has left */
	bool peer_ended; /* close_notify came */
	bool broken;     /* sending failed */
};

static struct secure *secure_of(const struct stream *stream)
{
	return stream->layer_state;
}

static void tell_failure(struct secure *x)
{
	struct stream *s = x->stream;

	x->phase = PHASE_DROPPING;
	tls_session_forget(&x->session);
	if (!x->session.established && x->session.listener)
		ring_shutdown(s->shard->ring, s->socket, SHUT_WR);
	else if (!x->session.established)
		s->handler->on_connected(s, -EPROTO);
	else
		stream_end(s, -EPROTO);
}

/* Everything that was to leave has left. */
static void on_output_empty(struct secure *x)
{
	struct stream *s = x->stream;

	if (x->phase == PHASE_FAILED) {
		tell_failure(x);
		return;
	}
	if (x->phase == PHASE_OPEN && x->sending && !x->cursor.count) {
		x->sending = false;
		s->handler->on_sent(s, 0);
		return;
	}
	if (x->shutting) {
		x->shutting = false;
		ring_shutdown(s->shard->ring, s->socket, SHUT_WR);
	}
}

static void fill_output(struct secure *x)
{
	struct tls_output *output = &x->session.output;

	while (x->phase == PHASE_OPEN && x->cursor.count &&
		output->waiting_bytes < (TLS_FLIGHT_CHUNKS - 1) * (size_t)TLS_CHUNK_BYTES)
		if (tls_session_seal(&x->session, &x->cursor) < 0)
			x->phase = PHASE_FAILED;
}

/* False: nothing was left to send. */
static bool start_send(struct secure *x)
{
	struct stream *s = x->stream;
	unsigned count;

	if (s->send_op.in_flight)
		return true;
	fill_output(x);
	count = tls_output_take(&x->session.output);
	if (count)
		stream_send_raw(s, x->session.output.vectors, count);
	return count > 0;
}

/* In a turn: sends, or tells that there is nothing more to send. */
static void flush(struct secure *x)
{
	if (!x->stream->closing && !x->broken && !start_send(x))
		on_output_empty(x);
}

static void read_all(struct secure *x)
{
	struct stream *s = x->stream;
	int rc = 1;

	while (rc > 0 && !s->closing && !x->peer_ended) {
		struct buffer *buffer = tls_worker_buffer(x->session.worker);

		if (!buffer) {
			x->phase = PHASE_DROPPING;
			stream_end(s, -ENOMEM);
			return;
		}
		rc = tls_session_read(&x->session, buffer);
		if (rc > 0) {
			stream_deliver(s, buffer);
			continue;
		}
		buffer_give(&buffer);
		if (rc == 0) {
			x->peer_ended = true;
			stream_end(s, STREAM_ENDED_BY_PEER);
		} else if (rc != -EAGAIN) {
			x->phase = PHASE_FAILED;
		}
	}
}

static void shake_hands(struct secure *x)
{
	struct stream *s = x->stream;

	switch (tls_session_handshake(&x->session)) {
	case TLS_STEP_WAIT:
		tls_session_keep(&x->session);
		break;
	case TLS_STEP_DONE:
		x->phase = PHASE_OPEN;
		if (x->session.target)
			s->handler->on_connected(s, 0);
		if (!s->closing)
			read_all(x);
		break;
	case TLS_STEP_FAILED:
		x->phase = PHASE_FAILED;
		break;
	}
	flush(x);
}

static void on_turn(struct tls_turn *turn)
{
	struct secure *x = container_of(turn, struct secure, turn);

	if (!x->stream->closing)
		shake_hands(x);
}

static void on_hook(struct turn_hook *hook)
{
	flush(container_of(hook, struct secure, hook));
}

static void drop(struct secure *x, struct buffer *buffer)
{
	x->dropped_bytes += buffer->used_bytes;
	if (x->dropped_bytes > DROPPED_MAX_BYTES && !x->stream->receive_ended)
		stream_end(x->stream, -EPROTO);
}

/* Who is refused sees a reset: an alert would cost a connection that waits for it to be taken. */
static void ask_for_turn(struct secure *x)
{
	switch (tls_worker_admit(x->session.worker, &x->turn)) {
	case TLS_ADMITTED:
		shake_hands(x);
		break;
	case TLS_WAITS:
		tls_session_keep(&x->session);
		break;
	case TLS_REFUSED:
		x->phase = PHASE_DROPPING;
		x->session.cause = TLS_CAUSE_RATE;
		stream_end(x->stream, -EPROTO);
		break;
	}
}

static void use(struct secure *x, struct buffer *buffer)
{
	if (x->phase >= PHASE_FAILED || x->peer_ended) {
		drop(x, buffer);
		return;
	}
	if (!tls_session_feed(&x->session, buffer)) {
		x->phase = PHASE_FAILED;
		x->session.cause = TLS_CAUSE_PROTOCOL;
		flush(x);
		return;
	}
	if (x->phase == PHASE_OPEN) {
		read_all(x);
		flush(x);
	} else {
		ask_for_turn(x);
	}
}

static void on_received(struct stream *s, struct buffer *buffer)
{
	use(secure_of(s), buffer);
	buffer_give(&buffer);
}

static void on_connected(struct stream *s)
{
	struct secure *x = secure_of(s);

	x->turn.begun = true; /* whom we call is ours to choose */
	ask_for_turn(x);
}

static void on_ended(struct stream *s, int ended)
{
	struct secure *x = secure_of(s);
	bool server = x->session.listener;

	if (x->peer_ended || s->receive_ended)
		return;
	if (x->phase == PHASE_OPEN) {
		stream_end(s, ended < 0 ? ended : -ECONNRESET);
	} else if (server) {
		if (x->phase == PHASE_HANDSHAKE && x->session.in_bytes)
			x->session.worker->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_CLOSED]++;
		stream_end(s, ended);
	} else if (x->phase == PHASE_HANDSHAKE) {
		x->phase = PHASE_DROPPING;
		x->session.cause = TLS_CAUSE_CLOSED;
		x->session.worker->counts.failed[TLS_CLIENT_SIDE][TLS_CAUSE_CLOSED]++;
		s->handler->on_connected(s, ended < 0 ? ended : -ECONNRESET);
	}
}

static void on_sent(struct stream *s, int result)
{
	struct secure *x = secure_of(s);

	tls_output_landed(&x->session.worker->outputs, &x->session.output);
	if (result == 0) {
		flush(x);
		return;
	}
	x->broken = true;
	if (x->phase == PHASE_FAILED) {
		tell_failure(x);
	} else if (x->sending) {
		x->sending = false;
		s->handler->on_sent(s, result);
	}
}

static void send_plain(struct stream *s, const struct iovec *iov, unsigned count)
{
	struct secure *x = secure_of(s);

	assert(!x->sending && count);
	x->sending = true;
	x->cursor = (struct tls_cursor){iov, count, 0};
	if (x->phase == PHASE_OPEN && !x->broken && !start_send(x))
		shard_at_turn_end(s->shard, &x->hook);
}

static bool is_sending(const struct stream *s)
{
	return secure_of(s)->sending;
}

static void shut_down(struct stream *s)
{
	struct secure *x = secure_of(s);

	if (x->phase != PHASE_OPEN || x->broken)
		return;
	tls_session_end(&x->session);
	x->shutting = true;
	if (!start_send(x))
		shard_at_turn_end(s->shard, &x->hook);
}

static void on_last_word_late(struct timer *timer)
{
	struct stream *s = container_of(timer, struct secure, timer)->stream;

	if (s->send_op.in_flight)
		ring_cancel(s->shard->ring, &s->send_op);
}

static void say_last_word(struct stream *s)
{
	struct secure *x = secure_of(s);

	/* After a part of what the owner had to send it would say that this was all. */
	if (x->phase != PHASE_OPEN || x->broken || x->sending)
		return;
	tls_session_end(&x->session);
	if (start_send(x))
		timer_arm(&s->shard->timers, &x->timer, shard_now_ns(s->shard) + LAST_WORD_NS);
}

static void on_closed(struct stream *s)
{
	struct secure *x = secure_of(s);

	timer_disarm(&s->shard->timers, &x->timer);
	turn_hook_withdraw(&x->hook);
	tls_worker_withdraw(x->session.worker, &x->turn);
	tls_session_fini(&x->session);
	s->layer = NULL;
	s->layer_state = NULL;
	free(x);
}

static const struct stream_layer layer = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.sent = on_sent,
	.send = send_plain,
	.sending = is_sending,
	.shutdown = shut_down,
	.closing = say_last_word,
	.closed = on_closed,
};

static struct secure *make(struct stream *s)
{
	struct secure *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->stream = s;
	x->turn.run = on_turn;
	list_init(&x->turn.link);
	timer_init(&x->timer, on_last_word_late);
	turn_hook_init(&x->hook, on_hook);
	return x;
}

static void put(struct stream *s, struct secure *x)
{
	s->layer = &layer;
	s->layer_state = x;
}

int stream_accepted_secure(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler,
	struct tls_listener *listener)
{
	struct secure *x = make(s);

	if (!x)
		return -ENOMEM;
	tls_session_accept(&x->session, listener);
	stream_accepted(s, shard, socket, handler);
	put(s, x);
	return 0;
}

int stream_connect_secure(struct stream *s, struct shard *shard, const struct sockaddr *address,
	socklen_t address_bytes, const struct stream_handler *handler, struct tls_worker *worker,
	struct tls_target *target)
{
	struct secure *x = make(s);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = tls_session_connect(&x->session, worker, target);
	if (!rc)
		rc = stream_connect(s, shard, address, address_bytes, handler);
	if (rc) {
		tls_session_fini(&x->session);
		free(x);
		return rc;
	}
	put(s, x);
	return 0;
}

enum tls_cause stream_tls_cause(const struct stream *s)
{
	return s->layer ? secure_of(s)->session.cause : TLS_CAUSE_NONE;
}

struct slice stream_tls_identity(const struct stream *s)
{
	return s->layer ? secure_of(s)->session.identity : slice_of(NULL, 0);
}
