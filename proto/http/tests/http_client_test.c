/* The client over a fake stream: every end of an answer, and the pool of connections. */
#include "proto/http/tests/client_bench.h"

/* ---- answers ------------------------------------------------------------------------------------------------ */

enum closing { STAYS, FIN, RST };

static const struct answer_row {
	const char *name, *bytes;
	enum closing then;
	int outcome;
	unsigned status;
	const char *body;
	bool pooled;
} answers[] = {
	{"length", OK_ANSWER, STAYS, ENDED, 200, "ok", true},
	{"no body", "HTTP/1.1 204 No Content\r\n\r\n", STAYS, ENDED, 204, "", true},
	{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", STAYS,
		ENDED, 200, "abcde", true},
	{"100 first", "HTTP/1.1 100 Continue\r\n\r\n" OK_ANSWER, STAYS, ENDED, 200, "ok", true},
	{"103 twice", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" OK_ANSWER, STAYS,
		ENDED, 200, "ok", true},
	{"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", STAYS, HTTP_FAILURE_PROTOCOL, 0, "", false},
	{"asked to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", STAYS, ENDED, 200,
		"ok", false},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", STAYS, ENDED, 200, "ok", false},
	{"HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", STAYS,
		ENDED, 200, "ok", false},
	{"until the end", "HTTP/1.1 200 OK\r\n\r\nabc", FIN, ENDED, 200, "abc", false},
	{"until the reset", "HTTP/1.1 200 OK\r\n\r\nabc", RST, HTTP_FAILURE_TRUNCATED, 200, "abc", false},
	{"truncated", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", FIN, HTTP_FAILURE_TRUNCATED, 200, "abc",
		false},
	{"reset in body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", RST, HTTP_FAILURE_TRUNCATED, 200, "abc",
		false},
	{"chunk cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", FIN, HTTP_FAILURE_TRUNCATED, 200,
		"ab", false},
	{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", FIN,
		HTTP_FAILURE_TRUNCATED, 200, "ab", false},
	{"nothing", "", FIN, HTTP_FAILURE_SEND, 0, "", false},
	{"reset", "", RST, HTTP_FAILURE_SEND, 0, "", false},
	{"half a head", "HTTP/1.1 200 OK\r\nConte", FIN, HTTP_FAILURE_SEND, 0, "", false},
	{"garbage", "SSH-2.0-OpenSSH_9.2\r\n", STAYS, HTTP_FAILURE_PROTOCOL, 0, "", false},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", STAYS,
		HTTP_FAILURE_PROTOCOL, 0, "", false},
	{"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		STAYS, HTTP_FAILURE_PROTOCOL, 0, "", false},
};

static void play_answer(const struct answer_row *row, size_t step)
{
	struct reach r = {0};
	struct bench b;
	unsigned number;

	bench_open(&b);
	number = bench_connect_and_send(&b, &r);
	bench_receive(number, row->bytes, step);
	if (row->then == FIN)
		fake_ended(number);
	else if (row->then == RST)
		fake_failed(number, -ECONNRESET);
	if (r.outcome != row->outcome || r.body_size != strlen(row->body))
		print_error("%s, %zu bytes a read: outcome %d\n", row->name, step, r.outcome);
	assert_int_equal(r.outcome, row->outcome);
	assert_int_equal(r.heads, row->status != 0);
	if (row->status)
		assert_int_equal(r.head.status, row->status);
	assert_int_equal(r.body_size, strlen(row->body));
	assert_memory_equal(r.body, row->body, r.body_size);
	assert_int_equal(http_client_counts(b.client).connections_idle, row->pooled);
	assert_int_equal(fake_stream_open(number), row->pooled);
	bench_close(&b);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++)
		for (size_t step = 0; step < 4; step++)
			play_answer(&answers[i], step);
}

static void test_surplus_ends_the_call_well_but_not_the_pool(void **state)
{
	struct reach r = {0};
	struct bench b;
	unsigned number;

	(void)state;
	bench_open(&b);
	number = bench_connect_and_send(&b, &r);
	fake_received(number, SLICE(OK_ANSWER "HTTP/1.1 200 OK\r\n"));
	assert_int_equal(r.outcome, ENDED);
	assert_false(fake_stream_open(number));
	bench_close(&b);
}

static void test_limits(void **state)
{
	char long_head[400] = "HTTP/1.1 200 OK\r\nA: ";
	struct reach head = {0}, body = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	memset(long_head + strlen(long_head), 'a', sizeof(long_head) - strlen(long_head) - 1);
	bench_receive(bench_connect_and_send(&b, &head), long_head, 0);
	assert_int_equal(head.outcome, HTTP_FAILURE_PROTOCOL);
	bench_receive(bench_connect_and_send(&b, &body), "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", 0);
	assert_int_equal(body.outcome, HTTP_FAILURE_PROTOCOL);
	bench_close(&b);
}

static void test_endless_interim_answers_end(void **state)
{
	struct reach r = {0};
	struct bench b;
	unsigned number, sent = 0;

	(void)state;
	bench_open(&b);
	number = bench_connect_and_send(&b, &r);
	while (fake_stream_open(number) && ++sent < 100)
		fake_received(number, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
	assert_int_equal(r.outcome, HTTP_FAILURE_PROTOCOL);
	assert_true(sent < 100);
	bench_close(&b);
}

/* The head's memory outlives its reads: it is looked at when the call ends. */
static void test_head_is_valid_until_the_end(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nServer: upstream\r\nContent-Length: 2\r\n\r\n";
	struct bench b;

	(void)state;
	for (size_t step = 0; step < 30; step += 7) {
		struct reach r = {0};
		unsigned number;

		bench_open(&b);
		number = bench_connect_and_send(&b, &r);
		bench_receive(number, answer, step);
		fake_received(number, SLICE("o"));
		fake_received(number, SLICE("k"));
		assert_int_equal(r.outcome, ENDED);
		assert_string_equal(r.server, "upstream");
		bench_close(&b);
	}
}

static void test_head_request_has_no_body(void **state)
{
	struct reach r = {.call = {.head_request = true}};
	struct bench b;
	unsigned number;

	(void)state;
	bench_open(&b);
	number = bench_connect_and_send(&b, &r);
	fake_received(number, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
	assert_int_equal(r.outcome, ENDED);
	assert_true(fake_stream_open(number));
	bench_close(&b);
}

/* ---- the pool ----------------------------------------------------------------------------------------------- */

static void test_reuse(void **state)
{
	struct reach r = {.again_on_end = true};
	struct bench b;

	(void)state;
	bench_open(&b);
	fake_received(bench_connect_and_send(&b, &r), SLICE(OK_ANSWER));
	assert_int_equal(r.ends, 1);
	assert_int_equal(r.outcome, RUNNING); /* started again, from on_end, on the same connection */
	assert_int_equal(fake_stream_count(), 1);
	assert_true(r.call.reused_connection);
	assert_true(slice_equal(fake_stream_sending(0), SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
	fake_sent(0, 0);
	fake_received(0, SLICE(OK_ANSWER));
	assert_int_equal(r.outcome, ENDED);
	assert_int_equal(http_client_counts(b.client).calls, 2);
	assert_int_equal(http_client_counts(b.client).reused, 1);
	assert_int_equal(http_client_counts(b.client).connects, 1);
	bench_close(&b);
}

static void test_pool_is_bounded_and_last_in_first_out(void **state)
{
	struct reach r[3] = {0}, next = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (unsigned i = 0; i < 3; i++)
		bench_connect_and_send(&b, &r[i]);
	for (unsigned i = 0; i < 3; i++)
		fake_received(i, SLICE(OK_ANSWER));
	assert_false(fake_stream_open(0));
	assert_int_equal(http_client_counts(b.client).connections_idle, IDLE_MAX);
	bench_start(&b, &next);
	assert_true(slice_equal(fake_stream_sending(2), next.call.request_head));
	fake_sent(2, 0);
	fake_received(2, SLICE(OK_ANSWER));
	bench_close(&b);
}

static void test_idle_connection_closes(void **state)
{
	enum { BY_FIN, BY_RESET, BY_BYTES, BY_TIME };
	struct bench b;

	(void)state;
	for (int how = BY_FIN; how <= BY_TIME; how++) {
		struct reach r = {0};

		bench_open(&b);
		fake_received(bench_connect_and_send(&b, &r), SLICE(OK_ANSWER));
		fake_turn(&b.shard, 9 * NS_PER_S);
		assert_true(fake_stream_open(0));
		if (how == BY_FIN)
			fake_ended(0);
		else if (how == BY_RESET)
			fake_failed(0, -ECONNRESET);
		else if (how == BY_BYTES)
			fake_received(0, SLICE("HTTP/1.1 408 Request Timeout\r\n\r\n"));
		fake_turn(&b.shard, 2 * NS_PER_S);
		assert_false(fake_stream_open(0));
		assert_int_equal(http_client_counts(b.client).connections, 0);
		bench_close(&b);
	}
}

static const struct stale_row {
	const char *name, *bytes;
	bool reused;
	enum closing then;
	bool retried;
} stale_rows[] = {
	{"pooled and closed", "", true, FIN, true},
	{"pooled and reset", "", true, RST, true},
	{"pooled, but it answered", "H", true, FIN, false},
	{"fresh", "", false, FIN, false},
};

static void test_stale_connection_is_retried_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stale_rows); i++) {
		const struct stale_row *row = &stale_rows[i];
		struct reach r = {0};
		struct bench b;

		bench_open(&b);
		bench_connect_and_send(&b, &r);
		if (row->reused) {
			fake_received(0, SLICE(OK_ANSWER));
			bench_start(&b, &r);
			fake_sent(0, 0);
		}
		bench_receive(0, row->bytes, 0);
		if (row->then == FIN)
			fake_ended(0);
		else
			fake_failed(0, -ECONNRESET);
		assert_int_equal(r.outcome, row->retried ? RUNNING : HTTP_FAILURE_SEND);
		assert_int_equal(fake_stream_count(), row->retried ? 2 : 1);
		assert_int_equal(http_client_counts(b.client).retried, row->retried);
		if (row->retried) {
			fake_connected(1, 0);
			assert_true(slice_equal(fake_stream_sending(1), r.call.request_head));
			fake_sent(1, 0);
			fake_ended(1); /* the second loss is told */
			assert_int_equal(r.outcome, HTTP_FAILURE_SEND);
		}
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_surplus_ends_the_call_well_but_not_the_pool),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_endless_interim_answers_end),
		cmocka_unit_test(test_head_is_valid_until_the_end),
		cmocka_unit_test(test_head_request_has_no_body),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_pool_is_bounded_and_last_in_first_out),
		cmocka_unit_test(test_idle_connection_closes),
		cmocka_unit_test(test_stale_connection_is_retried_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
