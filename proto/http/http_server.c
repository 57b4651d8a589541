/* The server's outer life: options, listeners, drain and abort, counts. */
#include "proto/http/http_server_internal.h"

#include "core/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { ACCEPT_RETRY_MS = 100, TICK_S = 10 };

static void least(uint64_t *tick_ns, uint64_t timeout_ns)
{
	if (timeout_ns && timeout_ns < *tick_ns)
		*tick_ns = timeout_ns;
}

void http_server_configure(struct http_server *server, const struct http_server_options *options)
{
	server->options = *options;
	server->tick_ns = TICK_S * NS_PER_S;
	least(&server->tick_ns, options->head_timeout_ns);
	least(&server->tick_ns, options->body_timeout_ns);
	least(&server->tick_ns, options->keepalive_timeout_ns);
	least(&server->tick_ns, options->write_stall_timeout_ns);
}

int http_server_open(struct http_server **out, struct shard *shard, const struct http_server_options *options,
	const struct http_service *service, void *context)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->peers = peers_open(rand_u64(&shard->rand));
	if (!server->peers) {
		free(server);
		return -ENOMEM;
	}
	server->shard = shard;
	server->service = service;
	server->context = context;
	list_init(&server->connections);
	list_init(&server->free_connections);
	http_server_configure(server, options);
	*out = server;
	return 0;
}

static void start_accepting(struct acceptor *a)
{
	a->server->accepting_count++;
	ring_accept(a->server->shard->ring, &a->accepting, a->listener);
}

static void on_retry(struct timer *timer)
{
	start_accepting(container_of(timer, struct acceptor, retry));
}

/* Its accept has ended: who connects from now on is refused, instead of waiting for a process that will not accept. */
static void close_listener(struct acceptor *a)
{
	if (a->listener < 0)
		return;
	ring_close_socket(a->server->shard->ring, a->listener, false);
	a->listener = -1;
}

static void on_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct acceptor *a = container_of(op, struct acceptor, accepting.op);
	struct http_server *server = a->server;

	(void)buffer;
	if (result >= 0 && server->draining)
		ring_close_socket(server->shard->ring, result, true);
	else if (result >= 0)
		connection_open(a, result, a->accepting.peer);
	if (flags & OP_MORE)
		return;
	server->accepting_count--;
	if (server->draining)
		close_listener(a);
	else /* descriptors or memory are out: trying at once would only spin */
		timer_arm(&server->shard->timers, &a->retry, shard_now_ns(server->shard) + ACCEPT_RETRY_MS * NS_PER_MS);
}

int http_server_listen(struct http_server *server, int listener, struct tls_listener *tls)
{
	struct acceptor *a;

	assert(!server->draining);
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->server = server;
	a->listener = listener;
	a->tls = tls;
	a->accepting.op.done = on_accepted;
	timer_init(&a->retry, on_retry);
	a->next = server->acceptors;
	server->acceptors = a;
	start_accepting(a);
	return 0;
}

static void stop_accepting(struct http_server *server)
{
	server->winding_down = server->draining = true;
	for (struct acceptor *a = server->acceptors; a; a = a->next) {
		timer_disarm(&server->shard->timers, &a->retry);
		if (a->accepting.op.in_flight)
			ring_cancel(server->shard->ring, &a->accepting.op);
		else
			close_listener(a);
	}
}

/* `fresh`: also those that were opened for a request which has not come yet. */
static void close_idle(struct http_server *server, bool fresh)
{
	for (struct list *link = server->connections.next, *next; link != &server->connections; link = next) {
		struct connection *c = container_of(link, struct connection, link);

		next = link->next;
		if (c->phase == PHASE_IDLE && (c->served || fresh))
			connection_lose(c, false);
	}
}

void http_server_wind_down(struct http_server *server)
{
	if (server->winding_down)
		return;
	server->winding_down = true;
	close_idle(server, false);
}

void http_server_drain(struct http_server *server)
{
	if (server->draining)
		return;
	stop_accepting(server);
	close_idle(server, true);
}

void http_server_abort(struct http_server *server)
{
	if (!server->draining)
		stop_accepting(server);
	for (struct list *link = server->connections.next, *next; link != &server->connections; link = next) {
		next = link->next;
		connection_lose(container_of(link, struct connection, link), true);
	}
}

bool http_server_idle(const struct http_server *server)
{
	return list_empty(&server->connections) && !server->exchange_count && !server->accepting_count;
}

void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	assert(http_server_idle(server));
	for (struct list *link; (link = list_take_first(&server->free_connections));)
		free(container_of(link, struct connection, link));
	for (struct exchange *x = server->free_exchanges, *next; x; x = next) {
		next = x->next_free;
		http_parser_close(x->parser);
		free(x);
	}
	for (struct acceptor *a = server->acceptors, *next; a; a = next) {
		next = a->next;
		timer_disarm(&server->shard->timers, &a->retry);
		free(a);
	}
	output_pool_fini(&server->output_pool);
	peers_close(server->peers);
	free(server);
}

struct http_server_counts http_server_counts(const struct http_server *server)
{
	struct http_server_counts counts = server->counts;

	/* Who is not idle has an exchange; exchanges that outlive their connection make this a lower bound. */
	if (counts.connections > server->exchange_count)
		counts.connections_idle = counts.connections - server->exchange_count;
	return counts;
}
