/* The client itself: its origins, their pools of idle connections, and the memory of connections. */
#include "proto/http/http_client_internal.h"

#include "core/kconfig.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void on_idle_timer(struct timer *timer);

int http_client_open(
	struct http_client **client, struct shard *shard, uint32_t idle_connections_max, uint64_t idle_timeout_ns)
{
	struct http_client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->shard = shard;
	c->idle_connections_max = idle_connections_max;
	c->idle_timeout_ns = idle_timeout_ns;
	list_init(&c->origins);
	list_init(&c->spare);
	timer_init(&c->idle_timer, on_idle_timer);
	*client = c;
	return 0;
}

static struct http_connection *oldest_idle(struct http_origin *origin)
{
	return list_empty(&origin->idle) ? NULL : container_of(origin->idle.prev, struct http_connection, link);
}

void http_client_leave_pool(struct http_connection *connection)
{
	assert(connection->state == CONNECTION_IDLE);
	list_remove(&connection->link);
	connection->origin->idle_count--;
	connection->client->counts.connections_idle--;
}

void http_client_close(struct http_client *client)
{
	client->closing = true;
	timer_disarm(&client->shard->timers, &client->idle_timer);
	for (struct list *l = client->origins.next; l != &client->origins; l = l->next) {
		struct http_origin *origin = container_of(l, struct http_origin, link);
		struct http_connection *connection;

		assert(list_empty(&origin->waiting));
		while ((connection = oldest_idle(origin)))
			http_connection_close(connection, false);
	}
}

bool http_client_idle(const struct http_client *client)
{
	return client->counts.connections == 0;
}

static void free_connection(struct http_connection *connection)
{
	if (connection->parser)
		http_parser_close(connection->parser);
	free(connection->iov);
	free(connection);
}

static void free_origin(struct http_origin *origin)
{
	if (CONFIG(TLS) && origin->tls.client)
		tls_target_fini(&origin->tls);
	free(origin);
}

void http_client_free(struct http_client *client)
{
	struct list *link;

	assert(client->closing && http_client_idle(client));
	while ((link = list_take_first(&client->spare)))
		free_connection(container_of(link, struct http_connection, link));
	while ((link = list_take_first(&client->origins)))
		free_origin(container_of(link, struct http_origin, link));
	free(client);
}

static struct http_origin *make_origin(struct http_client *client, struct slice host, uint16_t port, struct slice trust)
{
	struct http_origin *origin = calloc(1, sizeof(*origin) + host.size + trust.size);

	if (!origin)
		return NULL;
	origin->client = client;
	if (host.size)
		memcpy(origin->host_bytes, host.data, host.size);
	origin->host = slice_of(origin->host_bytes, host.size);
	if (trust.size)
		memcpy(origin->host_bytes + host.size, trust.data, trust.size);
	origin->trust = slice_of(origin->host_bytes + host.size, trust.size);
	origin->port = port;
	list_init(&origin->idle);
	list_init(&origin->waiting);
	list_append(&client->origins, &origin->link);
	return origin;
}

struct http_origin *http_client_origin(struct http_client *client, struct slice host, uint16_t port, struct slice trust)
{
	for (struct list *l = client->origins.next; l != &client->origins; l = l->next) {
		struct http_origin *origin = container_of(l, struct http_origin, link);

		if (origin->port == port && slice_equal(origin->trust, trust) && slice_equal_nocase(origin->host, host))
			return origin;
	}
	return make_origin(client, host, port, trust);
}

int http_origin_set_tls(
	struct http_origin *origin, struct tls_worker *worker, struct tls_client *client, struct slice server_name)
{
	assert(origin->trust.size);
	origin->tls_worker = worker;
	return CONFIG(TLS) ? tls_target_set(&origin->tls, client, server_name) : -EINVAL;
}

void http_origin_set_addresses(struct http_origin *origin, const struct sockaddr_storage *addresses, unsigned count)
{
	struct list waiting, *link;

	if (count > RESOLVE_ADDRESSES_MAX)
		count = RESOLVE_ADDRESSES_MAX;
	if (count) {
		memcpy(origin->addresses, addresses, count * sizeof(*addresses));
		origin->address_count = count;
		origin->address_first = 0;
	}
	origin->unresolved = !origin->address_count;
	/* A callback may start a call that waits again: only those that wait now are served. */
	list_init(&waiting);
	while ((link = list_take_first(&origin->waiting)))
		list_append(&waiting, link);
	while ((link = list_take_first(&waiting))) {
		struct http_call *call = container_of(link, struct http_call, link);

		if (origin->address_count)
			http_call_place(call, true);
		else
			http_call_fail(call, HTTP_FAILURE_RESOLVE, 0, SLICE("the name has no address"));
	}
}

struct http_connection *http_client_take_idle(struct http_origin *origin)
{
	struct http_connection *connection;

	if (list_empty(&origin->idle))
		return NULL;
	connection = container_of(origin->idle.next, struct http_connection, link);
	http_client_leave_pool(connection);
	origin->client->counts.reused++;
	return connection;
}

struct http_connection *http_client_connection(struct http_origin *origin)
{
	struct http_client *client = origin->client;
	struct list *link = list_take_first(&client->spare);
	struct http_connection *connection;

	if (link) {
		client->spare_count--;
		connection = container_of(link, struct http_connection, link);
	} else {
		connection = calloc(1, sizeof(*connection));
		if (!connection)
			return NULL;
		list_init(&connection->link);
		connection->client = client;
	}
	connection->origin = origin;
	client->counts.connections++;
	return connection;
}

/*
 * The sweep is lazy: the timer is armed for the oldest idle connection's end at the latest, and looks again when it
 * fires.
 */
static void watch_idle(struct http_client *client, uint64_t idle_since_ns)
{
	if (client->idle_timeout_ns && !timer_armed(&client->idle_timer))
		timer_arm(&client->shard->timers, &client->idle_timer, idle_since_ns + client->idle_timeout_ns);
}

void http_client_pool(struct http_connection *connection)
{
	struct http_origin *origin = connection->origin;
	struct http_client *client = connection->client;

	if (client->closing || client->idle_connections_max == 0) {
		http_connection_close(connection, false);
		return;
	}
	if (origin->idle_count >= client->idle_connections_max)
		http_connection_close(oldest_idle(origin), false);
	connection->state = CONNECTION_IDLE;
	connection->idle_since_ns = shard_now_ns(client->shard);
	list_prepend(&origin->idle, &connection->link);
	origin->idle_count++;
	client->counts.connections_idle++;
	watch_idle(client, connection->idle_since_ns);
}

static void on_idle_timer(struct timer *timer)
{
	struct http_client *client = container_of(timer, struct http_client, idle_timer);
	uint64_t now_ns = shard_now_ns(client->shard), oldest_ns = UINT64_MAX;

	for (struct list *l = client->origins.next; l != &client->origins; l = l->next) {
		struct http_origin *origin = container_of(l, struct http_origin, link);
		struct http_connection *connection;

		while ((connection = oldest_idle(origin)) &&
			now_ns - connection->idle_since_ns >= client->idle_timeout_ns)
			http_connection_close(connection, false);
		if (connection && connection->idle_since_ns < oldest_ns)
			oldest_ns = connection->idle_since_ns;
	}
	if (oldest_ns != UINT64_MAX)
		watch_idle(client, oldest_ns);
}

void http_client_release(struct http_connection *connection)
{
	struct http_client *client = connection->client;

	assert(connection->state == CONNECTION_CLOSING && !connection->call);
	assert(!connection->head_buffer && !connection->held_buffer);
	client->counts.connections--;
	if (client->closing || client->spare_count >= client->idle_connections_max) {
		free_connection(connection);
		return;
	}
	client->spare_count++;
	list_prepend(&client->spare, &connection->link);
}

struct http_client_counts http_client_counts(const struct http_client *client)
{
	return client->counts;
}

const char *http_failure_name(enum http_failure failure)
{
	static const char *const names[] = {
		[HTTP_FAILURE_RESOLVE] = "name not resolved",
		[HTTP_FAILURE_CONNECT] = "connect failed",
		[HTTP_FAILURE_CONNECT_TIMEOUT] = "connect timeout",
		[HTTP_FAILURE_TLS] = "no secure connection",
		[HTTP_FAILURE_SEND] = "connection lost before the answer",
		[HTTP_FAILURE_HEAD_TIMEOUT] = "head timeout",
		[HTTP_FAILURE_PROTOCOL] = "protocol error",
		[HTTP_FAILURE_IDLE_TIMEOUT] = "idle timeout",
		[HTTP_FAILURE_TRUNCATED] = "answer cut off",
		[HTTP_FAILURE_TOTAL_TIMEOUT] = "total timeout",
	};

	assert((unsigned)failure < sizeof(names) / sizeof(names[0]));
	return names[failure];
}
