/*
 * Streams on real loopback sockets, both ends on one shard that the test turns by hand. Every case runs with all kernel
 * features and with all masked.
 */
#include "tls/stream.h"

#include "core/tests/turns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { RECEIVED_MAX = 1 << 20 };

struct end {
	struct stream stream;
	bool open, connected, sent, ended, closed;
	int connect_result, sent_result, failed;
	char *received;
	size_t received_bytes;
	bool pause_after_each;
	struct buffer *kept; /* borrowed, when keep is set */
	bool keep;
};

struct world {
	struct shard shard;
	struct accepting accepting;
	int listener;
	struct sockaddr_storage address;
	struct end client, server;
};

static void on_connected(struct stream *s, int result)
{
	struct end *e = container_of(s, struct end, stream);

	e->connected = true;
	e->connect_result = result;
}

static void on_received(struct stream *s, struct slice data, struct buffer *buffer)
{
	struct end *e = container_of(s, struct end, stream);

	if (!data.size) {
		assert_false(e->ended);
		e->ended = true;
		return;
	}
	assert_true(e->received_bytes + data.size <= RECEIVED_MAX);
	memcpy(e->received + e->received_bytes, data.data, data.size);
	e->received_bytes += data.size;
	if (e->keep && !e->kept)
		e->kept = buffer_borrow(buffer);
	if (e->pause_after_each)
		stream_pause(s);
}

static void on_sent(struct stream *s, int result)
{
	struct end *e = container_of(s, struct end, stream);

	e->sent = true;
	e->sent_result = result;
}

static void on_failed(struct stream *s, int error)
{
	container_of(s, struct end, stream)->failed = error;
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

	(void)flags;
	(void)buffer;
	if (result < 0)
		return;
	assert_false(w->server.open);
	w->server.open = true;
	stream_accepted(&w->server.stream, &w->shard, result, &handler);
}

static void turn_once(struct world *w, unsigned turns)
{
	shard_turn(&w->shard, turn_end_ns(turns));
}

#define turns_until(w, condition) turn_until(turn_once(w, turns), condition)

static void world_open(struct world *w, uint32_t without, uint32_t buffers)
{
	struct shard_options options = {.name = "test",
		.cpu = -1,
		.seed = 1,
		.ring = {.entry_count = 64, .buffer_count = buffers, .buffer_bytes = 1024, .without = without},
		.arena_blocks_kept = 4};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(w->address);
	char why[256] = "";

	memset(w, 0, sizeof(*w));
	w->client.received = malloc(RECEIVED_MAX);
	w->server.received = malloc(RECEIVED_MAX);
	assert_int_equal(shard_open(&w->shard, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(w->shard.ring), 0);
	memcpy(&w->address, &any, sizeof(any));
	w->listener = ring_listen(w->shard.ring, &w->address, 16, true);
	assert_true(w->listener >= 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&w->address, &size), 0);
	w->accepting.op.done = on_accepted;
	ring_accept(w->shard.ring, &w->accepting, w->listener);
}

static void world_connect(struct world *w)
{
	assert_int_equal(stream_connect(&w->client.stream, &w->shard, (struct sockaddr *)&w->address,
				 sizeof(struct sockaddr_in), &handler),
		0);
	w->client.open = true;
	turns_until(w, w->client.connected && w->server.open);
	assert_int_equal(w->client.connect_result, 0);
}

static void world_close(struct world *w)
{
	struct end *ends[] = {&w->client, &w->server};

	for (int i = 0; i < 2; i++) {
		buffer_give(&ends[i]->kept);
		if (ends[i]->open)
			stream_close(&ends[i]->stream, false);
		turns_until(w, !ends[i]->open || ends[i]->closed);
	}
	ring_cancel(w->shard.ring, &w->accepting.op);
	turns_until(w, !w->accepting.op.in_flight);
	ring_close_socket(w->shard.ring, w->listener, false);
	shard_turn(&w->shard, 0);
	assert_int_equal(ring_buffers_held(w->shard.ring), 0);
	shard_close(&w->shard);
	free(w->client.received);
	free(w->server.received);
}

static void fill(char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 + (i >> 8));
}

static void test_bytes_go_both_ways(struct world *w)
{
	struct iovec question[] = {{"hel", 3}, {"lo", 2}}, answer[] = {{"world", 5}};

	world_connect(w);
	stream_send(&w->client.stream, question, 2);
	assert_true(stream_sending(&w->client.stream));
	turns_until(w, w->server.received_bytes == 5 && w->client.sent);
	assert_memory_equal(w->server.received, "hello", 5);
	assert_int_equal(w->client.sent_result, 0);
	stream_send(&w->server.stream, answer, 1);
	turns_until(w, w->client.received_bytes == 5);
	assert_memory_equal(w->client.received, "world", 5);
}

static void test_orderly_end_is_told_once(struct world *w)
{
	world_connect(w);
	stream_shutdown(&w->client.stream);
	turns_until(w, w->server.ended);
	struct iovec late[] = {{"late", 4}};

	stream_send(&w->server.stream, late, 1);
	turns_until(w, w->client.received_bytes == 4);
}

static void test_reset_is_told(struct world *w)
{
	world_connect(w);
	stream_close(&w->client.stream, true);
	turns_until(w, w->client.closed);
	w->client.open = false;
	turns_until(w, w->server.failed != 0);
	assert_int_equal(w->server.failed, -ECONNRESET);
}

/* A megabyte through a pool of a few kilobytes: starved receives start again, and order is kept. */
static void test_large_transfer_through_small_pool(struct world *w)
{
	size_t size = RECEIVED_MAX;
	char *bytes = malloc(size);
	struct iovec all[] = {{bytes, size}};

	fill(bytes, size);
	world_connect(w);
	stream_send(&w->client.stream, all, 1);
	turns_until(w, w->server.received_bytes == size && w->client.sent);
	assert_memory_equal(w->server.received, bytes, size);
	free(bytes);
}

static void test_starved_receive_waits_for_buffers(struct world *w)
{
	char bytes[16384];
	struct iovec all[] = {{bytes, sizeof(bytes)}};

	fill(bytes, sizeof(bytes));
	world_connect(w);
	w->server.pause_after_each = false;
	w->server.keep = true;
	stream_send(&w->client.stream, all, 1);
	turns_until(w, w->server.received_bytes == sizeof(bytes));
	assert_int_equal(ring_buffers_held(w->shard.ring), 1);
	assert_memory_equal(w->server.received, bytes, sizeof(bytes));
}

/* Pausing inside every delivery: nothing comes while paused, nothing is lost, order is kept. */
static void test_pause_holds_and_resume_delivers(struct world *w)
{
	char bytes[20000];
	struct iovec all[] = {{bytes, sizeof(bytes)}};

	fill(bytes, sizeof(bytes));
	world_connect(w);
	w->server.pause_after_each = true;
	stream_send(&w->client.stream, all, 1);
	while (w->server.received_bytes < sizeof(bytes)) {
		size_t before = w->server.received_bytes;

		turns_until(w, w->server.received_bytes > before);
		before = w->server.received_bytes;
		for (int i = 0; i < 5; i++)
			shard_turn(&w->shard, 0);
		assert_int_equal(w->server.received_bytes, before);
		stream_resume(&w->server.stream);
	}
	assert_memory_equal(w->server.received, bytes, sizeof(bytes));
	stream_pause(&w->server.stream);
	turns_until(w, w->client.sent);
	stream_close(&w->client.stream, false);
	turns_until(w, w->client.closed);
	w->client.open = false;
	for (int i = 0; i < 20; i++)
		shard_turn(&w->shard, 0);
	assert_false(w->server.ended);
	stream_resume(&w->server.stream);
	turns_until(w, w->server.ended);
}

/* Who pauses over each piece of a megabyte holds none of the few buffers that all the shard's streams share. */
static void test_pause_leaves_the_pool_to_others(struct world *w)
{
	size_t size = RECEIVED_MAX;
	char *bytes = malloc(size);
	struct iovec all[] = {{bytes, size}};

	fill(bytes, size);
	world_connect(w);
	w->server.pause_after_each = true;
	stream_send(&w->client.stream, all, 1);
	while (w->server.received_bytes < size) {
		size_t before = w->server.received_bytes;

		turns_until(w, w->server.received_bytes > before);
		for (int i = 0; i < 3; i++)
			shard_turn(&w->shard, 0);
		assert_int_equal(ring_buffers_held(w->shard.ring), 0);
		stream_resume(&w->server.stream);
	}
	assert_memory_equal(w->server.received, bytes, size);
	free(bytes);
}

static void test_close_in_mid_send_frees_all(struct world *w)
{
	size_t size = 8 << 20;
	char *bytes = calloc(1, size);
	struct iovec all[] = {{bytes, size}};

	world_connect(w);
	stream_pause(&w->server.stream);
	stream_send(&w->client.stream, all, 1);
	for (int i = 0; i < 50; i++)
		shard_turn(&w->shard, 0);
	assert_false(w->client.sent);
	stream_close(&w->client.stream, true);
	turns_until(w, w->client.closed);
	assert_false(w->client.sent);
	w->client.open = false;
	free(bytes);
}

/* What the kernel took before the connection broke was not sent. */
static void test_broken_send_is_told(struct world *w)
{
	size_t size = 8 << 20;
	char *bytes = calloc(1, size);
	struct iovec all[] = {{bytes, size}};

	world_connect(w);
	stream_pause(&w->server.stream);
	stream_send(&w->client.stream, all, 1);
	for (int i = 0; i < 50; i++)
		shard_turn(&w->shard, 0);
	assert_false(w->client.sent);
	stream_close(&w->server.stream, true);
	turns_until(w, w->server.closed && w->client.sent);
	assert_true(w->client.sent_result < 0);
	w->server.open = false;
	free(bytes);
}

static void test_refused_connection_is_told(struct world *w)
{
	struct sockaddr_in nobody = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};

	assert_int_equal(
		stream_connect(&w->client.stream, &w->shard, (struct sockaddr *)&nobody, sizeof(nobody), &handler), 0);
	w->client.open = true;
	turns_until(w, w->client.connected);
	assert_int_equal(w->client.connect_result, -ECONNREFUSED);
}

static void test_close_while_connecting(struct world *w)
{
	assert_int_equal(stream_connect(&w->client.stream, &w->shard, (struct sockaddr *)&w->address,
				 sizeof(struct sockaddr_in), &handler),
		0);
	stream_close(&w->client.stream, false);
	turns_until(w, w->client.closed);
	assert_false(w->client.connected);
}

static void (*const cases[])(struct world *) = {
	test_bytes_go_both_ways,
	test_orderly_end_is_told_once,
	test_reset_is_told,
	test_large_transfer_through_small_pool,
	test_starved_receive_waits_for_buffers,
	test_pause_holds_and_resume_delivers,
	test_pause_leaves_the_pool_to_others,
	test_close_in_mid_send_frees_all,
	test_broken_send_is_told,
	test_refused_connection_is_told,
	test_close_while_connecting,
};

static void run_cases(uint32_t without)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_open(&w, without, 4);
		cases[i](&w);
		world_close(&w);
	}
}

static void with_all_features(void **state)
{
	(void)state;
	run_cases(0);
}

static void with_features_masked(void **state)
{
	(void)state;
	run_cases(UINT32_MAX);
}

static void feature_names_are_read(void **state)
{
	uint32_t mask;
	char text[64];

	(void)state;
	assert_int_equal(ring_features_parse("all", &mask), 0);
	assert_int_equal(mask, UINT32_MAX);
	assert_int_equal(ring_features_parse("socket_options,no_sqarray", &mask), 0);
	assert_int_equal(mask, RING_SOCKET_OPTIONS | RING_NO_SQARRAY);
	assert_int_equal(ring_features_parse("no_such", &mask), -EINVAL);
	ring_features_name(RING_SOCKET_OPTIONS | RING_NO_SQARRAY, text, sizeof(text));
	assert_string_equal(text, "no_sqarray,socket_options");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_all_features),
		cmocka_unit_test(with_features_masked),
		cmocka_unit_test(feature_names_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
