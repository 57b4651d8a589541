/*
 * The client on the real ring and real streams, against a server thread that plays a script on each connection:
 *   r  read a request   a  answer "ok"   b  answer with a megabyte   h  answer half   c  close   x  reset
 *   e  wait until the peer has gone
 */
#include "core/clock.h"
#include "proto/http/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG_BYTES = 1 << 20, SCRIPTS_MAX = 4, ENDED = -1, RUNNING = -2 };

struct server {
	int listener;
	struct sockaddr_storage address;
	pthread_t thread;
	const char *scripts[SCRIPTS_MAX]; /* of the connections in the order of accept */
	unsigned served;
};

struct bench {
	struct shard shard;
	struct http_client *client;
	struct http_origin *origin;
	struct server server;
};

struct reach {
	struct http_call call;
	struct http_head head;
	int outcome;
	size_t body_bytes;
	unsigned pauses;
	bool pause_often, cancel_on_data;
};

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		size -= (size_t)sent;
	}
}

static void read_request(int fd)
{
	char bytes[4] = "";

	/* The requests here have no body: they end with the first empty line. */
	while (memcmp(bytes, "\r\n\r\n", 4) != 0) {
		memmove(bytes, bytes + 1, 3);
		if (recv(fd, bytes + 3, 1, 0) <= 0)
			return;
	}
}

static void answer_big(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
	char *body = calloc(1, BIG_BYTES);

	if (!body)
		abort();
	write_all(fd, head, sizeof(head) - 1);
	write_all(fd, body, BIG_BYTES);
	free(body);
}

static void play(int fd, const char *script)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
	struct linger reset = {1, 0};
	char rest[4096];

	for (; *script; script++) {
		if (*script == 'r')
			read_request(fd);
		else if (*script == 'a')
			write_all(fd, ok, sizeof(ok) - 1);
		else if (*script == 'b')
			answer_big(fd);
		else if (*script == 'h')
			write_all(fd, half, sizeof(half) - 1);
		else if (*script == 'x')
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		else if (*script == 'e')
			while (recv(fd, rest, sizeof(rest), 0) > 0)
				;
	}
	close(fd);
}

static void *serve(void *argument)
{
	struct server *server = argument;

	while (server->served < SCRIPTS_MAX && server->scripts[server->served]) {
		int fd = accept(server->listener, NULL, NULL);

		if (fd < 0)
			break;
		play(fd, server->scripts[server->served]);
		server->served++;
	}
	return NULL;
}

static void server_open(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->listener >= 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->listener, SCRIPTS_MAX), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &bytes), 0);
	memcpy(&server->address, &address, sizeof(address));
}

static void bench_open(struct bench *b, const char *const *scripts, unsigned count)
{
	struct shard_options options = {
		.name = "client",
		.cpu = -1,
		.ring = {.entry_count = 64, .buffer_count = 32, .buffer_bytes = 4096},
	};
	char why[256] = "";

	memset(b, 0, sizeof(*b));
	memcpy(b->server.scripts, scripts, count * sizeof(*scripts));
	server_open(&b->server);
	assert_int_equal(pthread_create(&b->server.thread, NULL, serve, &b->server), 0);
	if (shard_open(&b->shard, &options, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(ring_enable(b->shard.ring), 0);
	assert_int_equal(http_client_open(&b->client, &b->shard, 4, 0), 0);
	b->origin = http_client_origin(b->client, SLICE("127.0.0.1"), 80, SLICE(""));
	http_origin_set_addresses(b->origin, &b->server.address, 1);
}

static void bench_close(struct bench *b)
{
	http_client_close(b->client);
	while (!http_client_idle(b->client))
		shard_turn(&b->shard, shard_sleep(&b->shard));
	shard_turn(&b->shard, 0); /* submits the close of the last socket, which the server's thread waits for */
	http_client_free(b->client);
	shutdown(b->server.listener, SHUT_RDWR);
	pthread_join(b->server.thread, NULL);
	close(b->server.listener);
	assert_int_equal(ring_buffers_held(b->shard.ring), 0);
	shard_close(&b->shard);
}

static struct reach *reach_of(struct http_call *call)
{
	return container_of(call, struct reach, call);
}

static void on_head(struct http_call *call)
{
	assert_int_equal(call->head->status, 200);
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	struct reach *r = reach_of(call);

	(void)buffer;
	assert_false(call->paused);
	r->body_bytes += data.size;
	if (r->pause_often)
		http_call_pause(call);
	if (r->cancel_on_data) {
		http_call_cancel(call);
		r->outcome = ENDED;
	}
}

static void on_end(struct http_call *call)
{
	reach_of(call)->outcome = ENDED;
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	(void)error;
	(void)detail;
	reach_of(call)->outcome = (int)failure;
}

/* Runs the shard until the call has ended; a paused call is resumed a turn later. */
static int run_call(struct bench *b, struct reach *r)
{
	static const struct http_call_handler handler = {
		.on_head = on_head, .on_data = on_data, .on_end = on_end, .on_failed = on_failed};

	r->outcome = RUNNING;
	r->body_bytes = 0;
	r->call.handler = &handler;
	r->call.origin = b->origin;
	r->call.request_head = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	r->call.limits = (struct http_limits){.max_head_bytes = 4096, .max_headers = 16, .max_body_bytes = BIG_BYTES};
	r->call.timeouts.total_ns = 20 * NS_PER_S;
	r->call.head = &r->head;
	http_call_start(b->client, &r->call);
	while (r->outcome == RUNNING) {
		shard_turn(&b->shard, shard_sleep(&b->shard));
		if (r->outcome == RUNNING && r->call.paused) {
			r->pauses++;
			http_call_resume(&r->call);
		}
	}
	return r->outcome;
}

static void test_one_connection_serves_many_calls(void **state)
{
	static const char *const scripts[] = {"rararae"};
	struct reach r = {0};
	struct bench b;

	(void)state;
	bench_open(&b, scripts, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_call(&b, &r), ENDED);
		assert_int_equal(r.body_bytes, 2);
		assert_int_equal(r.call.reused_connection, i > 0);
	}
	assert_int_equal(http_client_counts(b.client).connects, 1);
	bench_close(&b);
}

/* The server takes the second request and closes or resets without a word: the client asks again, on a new one. */
static void test_stale_connection(void **state)
{
	static const char *const ends[] = {"rarc", "rarx"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *scripts[] = {ends[i], "rae"};
		struct reach r = {0};
		struct bench b;

		bench_open(&b, scripts, 2);
		assert_int_equal(run_call(&b, &r), ENDED);
		assert_int_equal(run_call(&b, &r), ENDED);
		assert_true(r.call.retried);
		assert_int_equal(http_client_counts(b.client).connects, 2);
		bench_close(&b);
	}
}

static void test_idle_connection_that_closes_is_not_used(void **state)
{
	static const char *const scripts[] = {"rac", "rae"};
	struct reach r = {0};
	struct bench b;

	(void)state;
	bench_open(&b, scripts, 2);
	assert_int_equal(run_call(&b, &r), ENDED);
	while (!http_client_idle(b.client))
		shard_turn(&b.shard, shard_sleep(&b.shard));
	assert_int_equal(run_call(&b, &r), ENDED);
	assert_false(r.call.reused_connection || r.call.retried);
	bench_close(&b);
}

static void test_broken_answers(void **state)
{
	static const struct {
		const char *script;
		int outcome;
	} rows[] = {
		{"rhc", HTTP_FAILURE_TRUNCATED},
		{"rc", HTTP_FAILURE_SEND},
		{"rx", HTTP_FAILURE_SEND},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reach r = {0};
		struct bench b;

		bench_open(&b, &rows[i].script, 1);
		assert_int_equal(run_call(&b, &r), rows[i].outcome);
		bench_close(&b);
	}
}

static void test_refused_address_is_passed_over(void **state)
{
	static const char *const scripts[] = {"rae"};
	struct sockaddr_storage addresses[2];
	struct server nobody = {0};
	struct reach r = {0};
	struct bench b;

	(void)state;
	bench_open(&b, scripts, 1);
	/* A port that was free a moment ago. */
	server_open(&nobody);
	close(nobody.listener);
	addresses[0] = nobody.address;
	addresses[1] = b.server.address;
	http_origin_set_addresses(b.origin, addresses, 2);
	assert_int_equal(run_call(&b, &r), ENDED);
	assert_int_equal(http_client_counts(b.client).connects, 2);
	bench_close(&b);
}

/* A body of many times the ring's buffers, read in fits and starts: nothing is lost and no buffer stays out. */
static void test_pauses_lose_nothing(void **state)
{
	static const char *const scripts[] = {"rbrae"};
	struct reach big = {.pause_often = true}, next = {0};
	struct bench b;

	(void)state;
	bench_open(&b, scripts, 1);
	assert_int_equal(run_call(&b, &big), ENDED);
	assert_int_equal(big.body_bytes, BIG_BYTES);
	assert_true(big.pauses > 16);
	assert_int_equal(run_call(&b, &next), ENDED);
	assert_true(next.call.reused_connection);
	bench_close(&b);
}

/* The server's thread ends only when it sees the client leave: joining it is the check. */
static void test_cancel_is_seen_by_the_server(void **state)
{
	static const char *const scripts[] = {"rbe"};
	struct reach r = {.cancel_on_data = true};
	struct bench b;

	(void)state;
	bench_open(&b, scripts, 1);
	run_call(&b, &r);
	assert_true(r.body_bytes < BIG_BYTES);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_connection_serves_many_calls),
		cmocka_unit_test(test_stale_connection),
		cmocka_unit_test(test_idle_connection_that_closes_is_not_used),
		cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_refused_address_is_passed_over),
		cmocka_unit_test(test_pauses_lose_nothing),
		cmocka_unit_test(test_cancel_is_seen_by_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
