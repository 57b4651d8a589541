/*
 * TLS streams on real loopback sockets, both ends on one shard that the test turns by hand; a plain stream plays who
 * does not speak TLS, or hangs up without saying so.
 */
#include "tls/secure.h"

#include "core/tests/turns.h"
#include "tls/server.h"
#include "tls/session.h"
#include "tls/tests/authority.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

enum { RECEIVED_MAX = 1 << 20, CLIENTS_MAX = 40 };

static uint64_t stopped_ns; /* what the clock tells; 0: the time */

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The linker takes these for the real ones. */
uint64_t clock_monotonic_ns(void)
{
	return stopped_ns ? stopped_ns : read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct end {
	struct stream stream;
	bool open, connected, ended, closed, pause_after_each;
	int connect_result, failed, sent_count, sent_result;
	char *received;
	size_t received_bytes;
};

struct world {
	struct authority *authority;
	struct shard shard;
	struct accepting accepting;
	int listener;
	struct sockaddr_storage address;
	struct tls_worker *worker;
	struct tls_listener tls;
	struct tls_client *trust;
	struct tls_target target;
	struct end clients[CLIENTS_MAX], servers[CLIENTS_MAX];
	unsigned server_count;
	struct iovec greeting; /* sent by a server at once, when it is set */
};

static void on_connected(struct stream *s, int result)
{
	struct end *e = container_of(s, struct end, stream);

	assert_false(e->connected);
	e->connected = true;
	e->connect_result = result;
}

static void on_received(struct stream *s, struct slice data, struct buffer *buffer)
{
	struct end *e = container_of(s, struct end, stream);

	(void)buffer;
	assert_false(e->ended);
	e->ended = !data.size;
	if (!data.size)
		return;
	if (!e->received)
		e->received = malloc(RECEIVED_MAX);
	assert_true(e->received_bytes + data.size <= RECEIVED_MAX);
	memcpy(e->received + e->received_bytes, data.data, data.size);
	e->received_bytes += data.size;
	if (e->pause_after_each)
		stream_pause(s);
}

static void on_sent(struct stream *s, int result)
{
	struct end *e = container_of(s, struct end, stream);

	e->sent_count++;
	e->sent_result = result;
}

static void on_failed(struct stream *s, int error)
{
	struct end *e = container_of(s, struct end, stream);

	assert_int_equal(e->failed, 0);
	e->failed = error;
}

static void on_closed(struct stream *s)
{
	struct end *e = container_of(s, struct end, stream);

	assert_false(e->closed);
	e->closed = true;
}

static const struct stream_handler handler = {on_connected, on_received, on_sent, on_failed, on_closed};

static void on_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct world *w = container_of(op, struct world, accepting.op);
	struct end *e = &w->servers[w->server_count];

	(void)flags;
	(void)buffer;
	if (result < 0)
		return;
	w->server_count++;
	e->open = true;
	assert_int_equal(stream_accepted_secure(&e->stream, &w->shard, result, &handler, &w->tls), 0);
	if (w->greeting.iov_len)
		stream_send(&e->stream, &w->greeting, 1);
}

static void turn_once(struct world *w, unsigned turns)
{
	shard_turn(&w->shard, turn_end_ns(turns));
}

#define turns_until(w, condition) turn_until(turn_once(w, turns), condition)

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct shard_options options = {.name = "test",
		.cpu = -1,
		.seed = 1,
		.ring = {.entry_count = 64, .buffer_count = 8, .buffer_bytes = 2048},
		.arena_blocks_kept = 4};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct tls_key_pair pair;
	struct tls_server_options server = {.pairs = &pair, .pair_count = 1};
	struct tls_client_options client;
	socklen_t size = sizeof(w->address);
	char why[256] = "";

	w->authority = authority_open();
	authority_issue(w->authority, "a.example");
	pair = (struct tls_key_pair){
		authority_path(w->authority, "a.example", ".pem"), authority_path(w->authority, "a.example", ".key")};
	client = (struct tls_client_options){.ca = authority_path(w->authority, "issuer", ".pem")};
	assert_int_equal(shard_open(&w->shard, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(w->shard.ring), 0);
	assert_int_equal(tls_worker_open(&w->worker, &w->shard), 0);
	w->tls.worker = w->worker;
	assert_int_equal(tls_server_make(&w->tls.server, &server, why, sizeof(why)), 0);
	assert_int_equal(tls_client_make(&w->trust, &client, why, sizeof(why)), 0);
	assert_int_equal(tls_target_set(&w->target, w->trust, SLICE("a.example")), 0);
	memcpy(&w->address, &any, sizeof(any));
	w->listener = ring_listen(w->shard.ring, &w->address, 64, true);
	assert_true(w->listener >= 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&w->address, &size), 0);
	w->accepting.op.done = on_accepted;
	ring_accept(w->shard.ring, &w->accepting, w->listener);
	*state = w;
	return 0;
}

static void close_end(struct world *w, struct end *e)
{
	if (e->open && !e->closed)
		stream_close(&e->stream, false);
	turns_until(w, !e->open || e->closed);
	free(e->received);
}

static int world_close(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		close_end(w, &w->clients[i]);
		close_end(w, &w->servers[i]);
	}
	ring_cancel(w->shard.ring, &w->accepting.op);
	turns_until(w, !w->accepting.op.in_flight);
	ring_close_socket(w->shard.ring, w->listener, false);
	shard_turn(&w->shard, 0);
	assert_int_equal(ring_buffers_held(w->shard.ring), 0);
	tls_target_fini(&w->target);
	tls_client_give(&w->trust);
	tls_server_give(&w->tls.server);
	tls_worker_close(w->worker);
	shard_close(&w->shard);
	authority_close(w->authority);
	free(w);
	return 0;
}

static void start_client(struct world *w, unsigned i, bool plain)
{
	struct end *e = &w->clients[i];
	const struct sockaddr *address = (const struct sockaddr *)&w->address;

	if (plain)
		assert_int_equal(
			stream_connect(&e->stream, &w->shard, address, sizeof(struct sockaddr_in), &handler), 0);
	else
		assert_int_equal(stream_connect_secure(&e->stream, &w->shard, address, sizeof(struct sockaddr_in),
					 &handler, w->worker, &w->target),
			0);
	e->open = true;
}

static void connect_client(struct world *w, bool plain)
{
	start_client(w, 0, plain);
	turns_until(w, w->clients[0].connected && w->server_count == 1);
	assert_int_equal(w->clients[0].connect_result, 0);
}

static char *pattern(size_t size)
{
	char *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 + (i >> 8));
	return bytes;
}

static void test_a_megabyte_each_way_at_once(void **state)
{
	struct world *w = *state;
	struct end *client = &w->clients[0], *server = &w->servers[0];
	char *bytes = pattern(RECEIVED_MAX);
	struct iovec up[] = {{bytes, 1}, {bytes + 1, RECEIVED_MAX - 1}}, down[] = {{bytes, RECEIVED_MAX}};

	connect_client(w, false);
	turns_until(w, w->worker->counts.full[TLS_SERVER_SIDE] == 1);
	stream_send(&client->stream, up, 2);
	stream_send(&server->stream, down, 1);
	assert_true(stream_sending(&client->stream));
	turns_until(w, client->received_bytes == RECEIVED_MAX && server->received_bytes == RECEIVED_MAX);
	turns_until(w, client->sent_count == 1 && server->sent_count == 1);
	assert_memory_equal(client->received, bytes, RECEIVED_MAX);
	assert_memory_equal(server->received, bytes, RECEIVED_MAX);
	assert_false(stream_sending(&client->stream));
	free(bytes);
}

static void test_pausing_over_each_piece(void **state)
{
	struct world *w = *state;
	struct end *client = &w->clients[0], *server = &w->servers[0];
	char *bytes = pattern(200000);
	struct iovec all[] = {{bytes, 200000}};

	connect_client(w, false);
	server->pause_after_each = true;
	stream_send(&client->stream, all, 1);
	while (server->received_bytes < 200000) {
		size_t before = server->received_bytes;

		turns_until(w, server->received_bytes > before);
		before = server->received_bytes;
		for (int i = 0; i < 5; i++)
			shard_turn(&w->shard, 0);
		assert_int_equal(server->received_bytes, before);
		stream_resume(&server->stream);
	}
	assert_memory_equal(server->received, bytes, 200000);
	free(bytes);
}

static void test_what_is_sent_first_waits_for_the_handshake(void **state)
{
	struct world *w = *state;

	w->greeting = (struct iovec){"early", 5};
	connect_client(w, false);
	turns_until(w, w->clients[0].received_bytes == 5 && w->servers[0].sent_count == 1);
	assert_memory_equal(w->clients[0].received, "early", 5);
}

static void test_an_end_that_is_said(void **state)
{
	struct world *w = *state;
	struct iovec late[] = {{"late", 4}};

	connect_client(w, false);
	stream_shutdown(&w->clients[0].stream);
	turns_until(w, w->servers[0].ended);
	stream_send(&w->servers[0].stream, late, 1);
	turns_until(w, w->clients[0].received_bytes == 4);
	stream_close(&w->servers[0].stream, false);
	turns_until(w, w->clients[0].ended);
	assert_int_equal(w->clients[0].failed, 0);
}

/* The socket is ended below TLS: what came may have been cut short. */
static void test_an_end_that_is_not_said(void **state)
{
	struct world *w = *state;
	struct iovec some[] = {{"half an ans", 11}};

	connect_client(w, false);
	turns_until(w, w->worker->counts.full[TLS_SERVER_SIDE] == 1);
	stream_send(&w->servers[0].stream, some, 1);
	turns_until(w, w->clients[0].received_bytes == 11);
	ring_shutdown(w->shard.ring, w->servers[0].stream.socket, SHUT_WR);
	turns_until(w, w->clients[0].failed);
	assert_int_equal(w->clients[0].failed, -ECONNRESET);
	assert_false(w->clients[0].ended);
}

static void test_strangers(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *answer;
		size_t answer_bytes;
	} table[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18, "HTTP/1.1 400 Bad Request\r\n", 26},
		{"\x05\x01\x00", 3, "\x15\x03\x03\x00\x02\x02\x0a", 7},
		{"\x16\x03\x01\x40\x01\x01", 6, "\x15\x03\x03\x00\x02\x02\x0a", 7},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct end *client = &w->clients[i], *server = &w->servers[i];
		struct iovec bytes[] = {{(void *)(uintptr_t)table[i].bytes, table[i].size}};

		start_client(w, i, true);
		turns_until(w, client->connected && w->server_count == i + 1);
		stream_send(&client->stream, bytes, 1);
		turns_until(w, client->ended);
		assert_true(client->received_bytes >= table[i].answer_bytes);
		assert_memory_equal(client->received, table[i].answer, table[i].answer_bytes);
		/* Its owner sees a connection that ends, when the stranger has ended as well. */
		assert_false(server->ended);
		stream_shutdown(&client->stream);
		turns_until(w, server->ended);
		assert_int_equal(server->failed, 0);
	}
	assert_int_equal(w->worker->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_PLAIN_HTTP], 1);
	assert_int_equal(w->worker->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_NOT_TLS], 2);
}

static void test_a_wrong_host_is_told(void **state)
{
	struct world *w = *state;

	assert_int_equal(tls_target_set(&w->target, w->trust, SLICE("b.example")), 0);
	start_client(w, 0, false);
	turns_until(w, w->clients[0].connected);
	assert_int_equal(w->clients[0].connect_result, -EPROTO);
	assert_int_equal(stream_tls_cause(&w->clients[0].stream), TLS_CAUSE_WRONG_HOST);
	turns_until(w, w->worker->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_REFUSED] == 1);
}

/* More handshakes at once than a turn takes: some wait, all come through. */
static void test_handshakes_are_rationed(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		start_client(w, i, false);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		turns_until(w, w->clients[i].connected);
		assert_int_equal(w->clients[i].connect_result, 0);
	}
	turns_until(w, w->worker->counts.full[TLS_SERVER_SIDE] == CLIENTS_MAX);
	assert_true(w->worker->counts.delayed > 0);
}

static unsigned count_refused(struct world *w)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < w->server_count; i++) {
		struct end *e = &w->servers[i];

		if (e->failed && !e->closed)
			stream_close(&e->stream, true);
		refused += e->failed != 0;
	}
	return refused;
}

/* While the clock stands as many begin as may in a second, as many wait, and the others are refused; then one by one.
 */
static void test_more_than_may_wait_are_refused(void **state)
{
	enum { PER_SECOND = 5, REFUSED = CLIENTS_MAX - 2 * PER_SECOND };
	struct world *w = *state;
	const struct tls_counts *counts = &w->worker->counts;

	stopped_ns = clock_monotonic_ns();
	tls_worker_configure(w->worker, PER_SECOND, 0);
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		start_client(w, i, false);
	turns_until(w, count_refused(w) == REFUSED && counts->full[TLS_SERVER_SIDE] == PER_SECOND);
	assert_int_equal(counts->failed[TLS_SERVER_SIDE][TLS_CAUSE_RATE], REFUSED);
	for (unsigned more = 1; more <= PER_SECOND; more++) {
		stopped_ns += NS_PER_S / PER_SECOND + NS_PER_MS;
		turns_until(w, counts->full[TLS_SERVER_SIDE] == PER_SECOND + more);
	}
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		turns_until(w, w->clients[i].connected);
	assert_int_equal(count_refused(w), REFUSED);
	stopped_ns = 0;
}

static void test_closing_at_any_turn(void **state)
{
	struct world *w = *state;
	char *bytes = pattern(300000);

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct iovec all[] = {{bytes, 300000}};

		start_client(w, i, false);
		for (unsigned turns = 0; turns < i; turns++) {
			shard_turn(&w->shard, 0);
			if (w->clients[i].connected && !stream_sending(&w->clients[i].stream) &&
				!w->clients[i].sent_count)
				stream_send(&w->clients[i].stream, all, 1);
		}
		stream_close(&w->clients[i].stream, i % 2);
		turns_until(w, w->clients[i].closed);
	}
	free(bytes);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		CASE(test_a_megabyte_each_way_at_once),
		CASE(test_pausing_over_each_piece),
		CASE(test_what_is_sent_first_waits_for_the_handshake),
		CASE(test_an_end_that_is_said),
		CASE(test_an_end_that_is_not_said),
		CASE(test_strangers),
		CASE(test_a_wrong_host_is_told),
		CASE(test_handshakes_are_rationed),
		CASE(test_more_than_may_wait_are_refused),
		CASE(test_closing_at_any_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
