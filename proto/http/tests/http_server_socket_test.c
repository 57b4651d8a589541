/*
 * The server on real loopback sockets: one shard that the test turns by hand, clients that are plain non-blocking
 * sockets. Every case runs with all kernel features and with all masked.
 */
#include "core/tests/turns.h"
#include "proto/http/http_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS = 32, BODY_BYTES = 1 << 20 };

struct world {
	struct shard shard;
	struct http_server *server;
	struct sockaddr_storage address;
	int listener;
	unsigned gone, done;
	struct http_request *held; /* of /later */
};

static void on_head(void *context, struct http_request *request)
{
	(void)context;
	if (slice_equal(request->head.path, SLICE("/refuse")))
		http_respond(request, 413, SLICE(""), SLICE("too much"));
}

static void on_request(void *context, struct http_request *request)
{
	struct world *w = context;

	if (slice_equal(request->head.path, SLICE("/later"))) {
		w->held = request;
		http_begin(request, 200, SLICE("Content-Type: text/event-stream\r\n"));
	} else {
		http_respond(request, 200, SLICE(""), request->body);
	}
}

static void on_drained(void *context, struct http_request *request)
{
	(void)context;
	(void)request;
}

static void on_gone(void *context, struct http_request *request)
{
	((struct world *)context)->gone++;
	http_end(request);
}

static void on_done(void *context, struct http_request *request)
{
	(void)request;
	((struct world *)context)->done++;
}

static void write_error(void *context, struct http_request *request, unsigned status, struct slice code,
	struct slice message, struct text *headers, struct text *body)
{
	(void)context;
	(void)request;
	(void)status;
	(void)message;
	(void)headers;
	text_add(body, code);
}

static const struct http_service service = {.on_head = on_head,
	.on_request = on_request,
	.on_drained = on_drained,
	.on_gone = on_gone,
	.on_done = on_done,
	.write_error = write_error};

static void turn_once(struct world *w, unsigned turns)
{
	shard_turn(&w->shard, turn_end_ns(turns));
}

#define turns_until(w, condition) turn_until(turn_once(w, turns), condition)

static void world_open(struct world *w, uint32_t without)
{
	struct shard_options options = {.name = "test",
		.cpu = -1,
		.seed = 1,
		.ring = {.entry_count = 64, .buffer_count = 64, .buffer_bytes = 4096, .without = without},
		.arena_blocks_kept = 4};
	struct http_server_options server = {
		.limits = {8192, 32, 2 * BODY_BYTES},
		.head_timeout_ns = 10 * NS_PER_S,
		.body_timeout_ns = 30 * NS_PER_S,
		.keepalive_timeout_ns = 75 * NS_PER_S,
		.write_stall_timeout_ns = 30 * NS_PER_S,
		.max_connections = 100,
		.max_connections_per_ip = 100,
	};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(w->address);
	char why[256] = "";

	memset(w, 0, sizeof(*w));
	assert_int_equal(shard_open(&w->shard, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(w->shard.ring), 0);
	memcpy(&w->address, &any, sizeof(any));
	w->listener = ring_listen(w->shard.ring, &w->address, 64, true);
	assert_true(w->listener >= 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&w->address, &size), 0);
	assert_int_equal(http_server_open(&w->server, &w->shard, &server, &service, w), 0);
	assert_int_equal(http_server_listen(w->server, w->listener, NULL), 0);
}

static void world_close(struct world *w)
{
	http_server_abort(w->server);
	turns_until(w, http_server_idle(w->server));
	http_server_close(w->server);
	ring_close_socket(w->shard.ring, w->listener, false);
	shard_turn(&w->shard, 0);
	assert_int_equal(ring_buffers_held(w->shard.ring), 0);
	shard_close(&w->shard);
}

static int dial(struct world *w)
{
	int client = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(client >= 0);
	assert_int_equal(connect(client, (struct sockaddr *)&w->address, sizeof(struct sockaddr_in)), 0);
	return client;
}

static void say(struct world *w, int client, struct slice bytes)
{
	unsigned turns = 0;

	while (bytes.size) {
		ssize_t size = send(client, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (size > 0)
			bytes = slice_after(bytes, (size_t)size);
		else
			assert_int_equal(errno, EAGAIN);
		turn_once(w, turns);
		assert_true(turns++ < TURNS_MAX);
	}
}

/* Reads until `size` bytes came, or the end. */
static size_t hear(struct world *w, int client, char *bytes, size_t size)
{
	size_t got = 0;
	unsigned turns = 0;

	while (got < size) {
		ssize_t n = recv(client, bytes + got, size - got, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		turn_once(w, turns);
		assert_true(turns++ < TURNS_MAX);
	}
	return got;
}

#define POST_ABC "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
enum { ANSWER_ABC_BYTES = 17 + 37 + 19 + 2 + 3 }; /* status line, Date, Content-Length, empty line, body */

static void test_many_connections(struct world *w)
{
	int clients[CLIENTS];
	char answer[256];

	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = dial(w);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			say(w, clients[i], SLICE(POST_ABC POST_ABC));
		for (unsigned i = 0; i < CLIENTS; i++) {
			assert_int_equal(hear(w, clients[i], answer, 2 * ANSWER_ABC_BYTES), 2 * ANSWER_ABC_BYTES);
			assert_memory_equal(answer, "HTTP/1.1 200 OK\r\nDate: ", 23);
			assert_memory_equal(answer + 2 * ANSWER_ABC_BYTES - 7, "\r\n\r\nabc", 7);
		}
	}
	assert_int_equal(w->done, 3 * 2 * CLIENTS);
	assert_int_equal(http_server_counts(w->server).connections, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(clients[i]);
	turns_until(w, http_server_counts(w->server).connections == 0);
}

static void test_large_bodies(struct world *w)
{
	char *body = malloc(BODY_BYTES), *answer = malloc(BODY_BYTES + 512);
	int client = dial(w);
	size_t got;

	assert_true(body && answer);
	for (size_t i = 0; i < BODY_BYTES; i++)
		body[i] = (char)(i * 31 + (i >> 9));
	say(w, client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n"));
	say(w, client, slice_of(body, BODY_BYTES));
	got = hear(w, client, answer, BODY_BYTES + 512); /* to the end: the server shuts its side */
	assert_true(got > BODY_BYTES);
	assert_memory_equal(answer + got - BODY_BYTES, body, BODY_BYTES);
	close(client);
	turns_until(w, http_server_counts(w->server).connections == 0);
	free(body);
	free(answer);
}

/* A refusal reaches the client whole although it goes on sending: no reset overtakes it. */
static void test_refusal_survives_unread_body(struct world *w)
{
	char *junk = calloc(1, 200000);
	char answer[512];
	int client = dial(w);
	size_t got;

	assert_non_null(junk);
	say(w, client, SLICE("POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"));
	say(w, client, slice_of(junk, 200000));
	got = hear(w, client, answer, sizeof(answer));
	assert_true(got > 20);
	assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
	assert_memory_equal(answer + got - 8, "too much", 8);
	close(client);
	turns_until(w, http_server_counts(w->server).connections == 0);
	free(junk);
}

static void test_client_resets_a_stream(struct world *w)
{
	struct linger reset = {.l_onoff = 1};
	char answer[128];
	int client = dial(w);

	say(w, client, SLICE("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
	turns_until(w, w->held);
	assert_true(hear(w, client, answer, 40) == 40);
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(client);
	turns_until(w, w->gone == 1 && w->done == 1);
	turns_until(w, http_server_idle(w->server) || http_server_counts(w->server).connections == 0);
}

static void run(void (*test)(struct world *w))
{
	static const char *const without[] = {"", "all"};

	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		uint32_t mask = 0;

		assert_int_equal(ring_features_parse(without[i], &mask), 0);
		world_open(&w, mask);
		test(&w);
		world_close(&w);
	}
}

static void many_connections(void **state)
{
	(void)state;
	run(test_many_connections);
}

static void large_bodies(void **state)
{
	(void)state;
	run(test_large_bodies);
}

static void refusal_survives_unread_body(void **state)
{
	(void)state;
	run(test_refusal_survives_unread_body);
}

static void client_resets_a_stream(void **state)
{
	(void)state;
	run(test_client_resets_a_stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_connections),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(refusal_survives_unread_body),
		cmocka_unit_test(client_resets_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
