/*
 * Connections of the server: what they receive, by phase; one lazily armed timer each; and their ends.
 *
 * The timer is never armed further ahead than the shortest timeout. A deadline, which is at least that far away when
 * it is set, therefore needs no re-arming: it is a store, and the timer looks at it when it fires.
 */
#include "proto/http/http_server_internal.h"

#include "core/kconfig.h"
#include "tls/secure.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void arm(struct connection *c)
{
	struct shard *shard = c->server->shard;
	uint64_t at_ns = shard_now_ns(shard) + c->server->tick_ns;

	if (c->deadline_ns && c->deadline_ns < at_ns)
		at_ns = c->deadline_ns;
	timer_arm(&shard->timers, &c->timer, at_ns);
}

void connection_set_deadline(struct connection *c, uint64_t timeout_ns)
{
	c->deadline_ns = timeout_ns ? shard_now_ns(c->server->shard) + timeout_ns : 0;
	if (c->deadline_ns && (!timer_armed(&c->timer) || c->timer.deadline_ns > c->deadline_ns))
		arm(c);
}

/* The service learns that nobody reads its answer; it ends the exchange when it has stopped its work. */
static void tell_gone(struct exchange *x)
{
	x->request.gone = true;
	if (x->ended)
		return;
	if (!x->introduced) {
		x->ended = true;
		return;
	}
	x->server->service->on_gone(x->server->context, &x->request);
}

static void give_held(struct exchange *x)
{
	for (unsigned i = 0; i < x->held_count; i++)
		buffer_give(&x->held[i].buffer);
	x->held_count = 0;
}

void connection_lose(struct connection *c, bool reset)
{
	if (c->phase == PHASE_CLOSED)
		return;
	c->phase = PHASE_CLOSED;
	c->deadline_ns = 0;
	stream_close(&c->stream, reset);
	if (c->exchange) {
		give_held(c->exchange);
		tell_gone(c->exchange);
	}
}

static void resume(struct connection *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	stream_resume(&c->stream);
}

void http_pause_body(struct http_request *request)
{
	struct connection *c = exchange_of(request)->connection;

	if (!c || c->phase != PHASE_BODY || c->paused)
		return;
	c->paused = true;
	c->deadline_ns = 0;
	stream_pause(&c->stream);
}

void http_resume_body(struct http_request *request)
{
	struct connection *c = exchange_of(request)->connection;

	if (!c || c->phase != PHASE_BODY || !c->paused)
		return;
	connection_set_deadline(c, c->server->options.body_timeout_ns);
	resume(c);
}

static void linger(struct connection *c)
{
	c->phase = PHASE_LINGER;
	stream_shutdown(&c->stream);
	resume(c);
	connection_set_deadline(c, LINGER_S * 1000000000ull);
}

void connection_next(struct connection *c)
{
	struct exchange *x = c->exchange;
	bool keep = x->keep_alive && c->phase == PHASE_SERVING && !c->server->winding_down;
	struct held held[HELD_MAX];
	unsigned held_count = x->held_count;

	memcpy(held, x->held, held_count * sizeof(held[0]));
	x->held_count = 0;
	http_exchange_release(x);
	c->served = true;
	if (keep) {
		c->phase = PHASE_IDLE;
		connection_set_deadline(c, c->server->options.keepalive_timeout_ns);
	} else {
		linger(c);
	}
	for (unsigned i = 0; i < held_count; i++) {
		connection_receive(c, held[i].data, held[i].buffer);
		buffer_give(&held[i].buffer);
	}
	if (c->phase != PHASE_CLOSED && !(c->exchange && c->exchange->held_count == HELD_MAX))
		resume(c);
}

static void hold(struct connection *c, struct slice data, struct buffer *buffer)
{
	struct exchange *x = c->exchange;

	assert(x->held_count < HELD_MAX);
	buffer = buffer_keep(buffer, &data); /* for as long as the answer takes */
	x->held[x->held_count++] = (struct held){buffer, data};
	if (x->held_count < HELD_MAX)
		return;
	c->paused = true;
	stream_pause(&c->stream);
}

/* What is too much to drop stays where it is: a reset now might overtake the answer, and comes when lingering ends. */
static void drop(struct connection *c, size_t bytes)
{
	c->dropped_bytes += (uint32_t)bytes;
	if (c->dropped_bytes <= LINGER_MAX_BYTES || c->paused)
		return;
	c->paused = true;
	stream_pause(&c->stream);
}

static bool start_request(struct connection *c)
{
	if (!http_exchange_take(c)) {
		connection_lose(c, true);
		return false;
	}
	c->phase = PHASE_HEAD;
	c->dropped_bytes = 0;
	connection_set_deadline(c, c->server->options.head_timeout_ns);
	return true;
}

void connection_receive(struct connection *c, struct slice data, struct buffer *buffer)
{
	if (c->phase == PHASE_IDLE && !start_request(c))
		return;
	if (c->phase == PHASE_HEAD || c->phase == PHASE_BODY)
		http_exchange_parse(c, &data, buffer);
	if (!data.size)
		return;
	if (c->phase == PHASE_SERVING)
		hold(c, data, buffer);
	else if (c->phase == PHASE_DROPPING || c->phase == PHASE_LINGER)
		drop(c, data.size);
}

static void on_received(struct stream *stream, struct slice data, struct buffer *buffer)
{
	struct connection *c = container_of(stream, struct connection, stream);

	if (c->phase == PHASE_CLOSED)
		return;
	if (!buffer) { /* the client has ended: whoever half-closes does not wait for an answer here */
		connection_lose(c, false);
		return;
	}
	c->server->counts.bytes_in += data.size;
	connection_receive(c, data, buffer);
}

static void on_sent(struct stream *stream, int result)
{
	struct connection *c = container_of(stream, struct connection, stream);

	if (result < 0)
		connection_lose(c, true);
	else if (c->exchange)
		http_exchange_sent(c->exchange);
}

static void on_failed(struct stream *stream, int error)
{
	(void)error;
	connection_lose(container_of(stream, struct connection, stream), true);
}

static void on_closed(struct stream *stream)
{
	struct connection *c = container_of(stream, struct connection, stream);
	struct http_server *server = c->server;
	struct exchange *x = c->exchange;

	timer_disarm(&server->shard->timers, &c->timer);
	if (c->counted_peer)
		peers_remove(server->peers, &c->peer);
	list_remove(&c->link);
	server->counts.connections--;
	if (x) {
		x->connection = NULL;
		output_drop(&server->output_pool, &x->output);
		if (x->ended)
			http_exchange_release(x);
	}
	if (server->free_connection_count < CONNECTIONS_KEPT) {
		list_append(&server->free_connections, &c->link);
		server->free_connection_count++;
	} else {
		free(c);
	}
}

struct slice http_client_certificate(const struct http_request *request)
{
	const struct connection *c = exchange_of(request)->connection;

	return CONFIG(TLS) && c ? stream_tls_identity(&c->stream) : slice_of(NULL, 0);
}

static const struct stream_handler stream_handler = {
	.on_received = on_received,
	.on_sent = on_sent,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

static void expire(struct connection *c)
{
	switch ((enum phase)c->phase) {
	case PHASE_HEAD:
		http_exchange_fail(
			c->exchange, 408, SLICE("head_timeout"), SLICE("The request's head did not come in time."));
		break;
	case PHASE_BODY:
		if (!stream_sending(&c->stream)) {
			http_exchange_fail(c->exchange, 408, SLICE("body_timeout"),
				SLICE("The request's body did not come in time."));
			break;
		}
		connection_lose(c, true);
		break;
	case PHASE_IDLE:
		connection_lose(c, false);
		break;
	case PHASE_SERVING: /* the client does not read: a FIN would wait behind what it does not take */
	case PHASE_DROPPING:
	case PHASE_LINGER:
		connection_lose(c, true);
		break;
	case PHASE_CLOSED:
		break;
	}
}

static void on_timer(struct timer *timer)
{
	struct connection *c = container_of(timer, struct connection, timer);

	if (c->deadline_ns && c->deadline_ns <= shard_now_ns(c->server->shard)) {
		c->deadline_ns = 0;
		expire(c);
	}
	if (c->phase != PHASE_CLOSED)
		arm(c);
}

static struct connection *connection_new(struct http_server *server)
{
	struct list *link = list_take_first(&server->free_connections);
	struct connection *c;

	if (link) {
		server->free_connection_count--;
		c = container_of(link, struct connection, link);
	} else {
		c = malloc(sizeof(*c));
		if (!c)
			return NULL;
	}
	c->server = server;
	c->exchange = NULL;
	c->deadline_ns = 0;
	c->dropped_bytes = 0;
	c->phase = PHASE_IDLE;
	c->counted_peer = false;
	c->served = false;
	c->paused = false;
	timer_init(&c->timer, on_timer);
	list_init(&c->link);
	return c;
}

/* Told at once, before the client has asked: it may be one of thousands that keep trying. */
static void refuse(struct connection *c, unsigned status, struct slice code, struct slice message)
{
	c->server->counts.refused_connections++;
	if (!http_exchange_take(c)) {
		connection_lose(c, true);
		return;
	}
	http_exchange_fail(c->exchange, status, code, message);
	c->server->counts.bad_requests--; /* it was no request */
}

static void admit(struct connection *c)
{
	struct http_server *server = c->server;
	uint32_t per_ip = server->options.max_connections_per_ip, peers = 0;

	if (server->peers && c->peer.family != AF_UNSPEC) {
		peers = peers_add(server->peers, &c->peer);
		c->counted_peer = peers > 0;
	}
	if (server->counts.connections > server->options.max_connections)
		refuse(c, 503, SLICE("connections_exhausted"),
			SLICE("The server has all the connections it takes; try again later."));
	else if (per_ip && peers > per_ip)
		refuse(c, 429, SLICE("connections_per_ip"), SLICE("This address has too many connections."));
	else
		connection_set_deadline(c, server->options.head_timeout_ns);
}

static int start_stream(struct connection *c, const struct acceptor *a, int socket, const struct sockaddr_storage *peer)
{
	struct shard *shard = a->server->shard;

	if (CONFIG(TLS) && a->tls && !tls_worker_takes(a->tls->worker, peer))
		return -EBUSY;
	if (CONFIG(TLS) && a->tls)
		return stream_accepted_secure(&c->stream, shard, socket, &stream_handler, a->tls);
	stream_accepted(&c->stream, shard, socket, &stream_handler);
	return 0;
}

void connection_open(struct acceptor *a, int socket, const struct sockaddr_storage *peer)
{
	struct http_server *server = a->server;
	struct connection *c = NULL;

	if (server->counts.connections < (uint64_t)server->options.max_connections + REFUSALS_MAX)
		c = connection_new(server);
	if (!c || start_stream(c, a, socket, peer) < 0) {
		free(c);
		server->counts.refused_connections++;
		ring_close_socket(server->shard->ring, socket, true);
		return;
	}
	c->peer = peer_of(peer);
	list_append(&server->connections, &c->link);
	server->counts.connections++;
	server->counts.accepted++;
	arm(c);
	admit(c);
}
