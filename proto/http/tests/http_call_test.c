/* A call over a fake stream and a virtual clock: addresses, every timer, holding back and breaking off. */
#include "proto/http/tests/client_bench.h"

/* ---- connecting --------------------------------------------------------------------------------------------- */

static void test_addresses_are_tried_in_order(void **state)
{
	struct reach r = {0}, next = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set_addresses(&b, 3);
	bench_start(&b, &r);
	fake_connected(0, -ECONNREFUSED);
	fake_turn(&b.shard, 0);
	assert_int_equal(fake_stream_port(1), 1001);
	fake_connected(1, 0);
	fake_sent(1, 0);
	fake_received(1, SLICE("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
	assert_int_equal(r.outcome, ENDED);
	/* The next one begins where the last one got through, and goes round. */
	bench_start(&b, &next);
	for (unsigned i = 2; i < 5; i++) {
		assert_int_equal(fake_stream_port(i), 1000 + (i - 1) % 3);
		assert_int_equal(next.outcome, RUNNING);
		fake_connected(i, -ECONNREFUSED);
		fake_turn(&b.shard, 0);
	}
	assert_int_equal(next.outcome, HTTP_FAILURE_CONNECT);
	assert_int_equal(next.error, -ECONNREFUSED);
	bench_close(&b);
}

static void test_calls_wait_for_addresses(void **state)
{
	struct reach served = {0}, cancelled = {0};
	struct bench b;

	(void)state;
	bench_open_without_addresses(&b);
	bench_start(&b, &served);
	bench_start(&b, &cancelled);
	assert_int_equal(fake_stream_count(), 0);
	http_call_cancel(&cancelled.call);
	bench_set_addresses(&b, 1);
	assert_int_equal(fake_stream_count(), 1);
	fake_connected(0, 0);
	fake_sent(0, 0);
	fake_received(0, SLICE(OK_ANSWER));
	assert_int_equal(served.outcome, ENDED);
	assert_int_equal(cancelled.ends, 0);
	bench_close(&b);
}

static void test_a_name_without_addresses(void **state)
{
	struct reach waited = {0}, late = {0}, served = {0};
	struct bench b;

	(void)state;
	bench_open_without_addresses(&b);
	bench_start(&b, &waited);
	assert_int_equal(waited.outcome, RUNNING);
	bench_set_addresses(&b, 0);
	assert_int_equal(waited.outcome, HTTP_FAILURE_RESOLVE);
	late.call.timeouts.connect_ns = 50 * NS_PER_MS;
	bench_start(&b, &late);
	assert_int_equal(late.outcome, RUNNING);
	fake_turn(&b.shard, 2 * NS_PER_MS); /* not after connect_ns: nothing is waited for */
	assert_int_equal(late.outcome, HTTP_FAILURE_RESOLVE);
	assert_int_equal(fake_stream_count(), 0);
	bench_set_addresses(&b, 1);
	bench_start(&b, &served);
	assert_int_equal(fake_stream_count(), 1);
	bench_set_addresses(&b, 0); /* what was known stays in use */
	fake_connected(0, 0);
	fake_sent(0, 0);
	fake_received(0, SLICE(OK_ANSWER));
	assert_int_equal(served.outcome, ENDED);
	bench_close(&b);
}

/* ---- time --------------------------------------------------------------------------------------------------- */

enum phase { RESOLVING, CONNECTING, AWAITING_HEAD, IN_BODY };

static const struct timeout_row {
	const char *name;
	enum phase phase;
	struct http_timeouts timeouts; /* in ms */
	uint64_t after_ms;             /* fails then, and not before */
	int outcome;
} timeout_rows[] = {
	{"no address", RESOLVING, {50, 0, 0, 0}, 50, HTTP_FAILURE_RESOLVE},
	{"connect", CONNECTING, {50, 10, 10, 0}, 50, HTTP_FAILURE_CONNECT_TIMEOUT},
	{"head", AWAITING_HEAD, {10, 60, 10, 0}, 60, HTTP_FAILURE_HEAD_TIMEOUT},
	{"idle", IN_BODY, {10, 10, 70, 0}, 70, HTTP_FAILURE_IDLE_TIMEOUT},
	{"total, connecting", CONNECTING, {500, 0, 0, 80}, 80, HTTP_FAILURE_TOTAL_TIMEOUT},
	{"total, head", AWAITING_HEAD, {0, 500, 0, 90}, 90, HTTP_FAILURE_TOTAL_TIMEOUT},
	{"total, body", IN_BODY, {0, 0, 500, 95}, 95, HTTP_FAILURE_TOTAL_TIMEOUT},
};

static void test_timeouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(timeout_rows); i++) {
		const struct timeout_row *row = &timeout_rows[i];
		struct reach r = {0};
		struct bench b;

		bench_open_without_addresses(&b);
		if (row->phase != RESOLVING)
			bench_set_addresses(&b, 1);
		r.call.timeouts = (struct http_timeouts){
			row->timeouts.connect_ns * NS_PER_MS,
			row->timeouts.head_ns * NS_PER_MS,
			row->timeouts.idle_ns * NS_PER_MS,
			row->timeouts.total_ns * NS_PER_MS,
		};
		bench_start(&b, &r);
		if (row->phase >= AWAITING_HEAD) {
			fake_connected(0, 0);
			fake_sent(0, 0);
		}
		if (row->phase == IN_BODY)
			fake_received(0, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
		for (uint64_t ms = 1; ms < row->after_ms; ms++)
			fake_turn(&b.shard, NS_PER_MS);
		assert_int_equal(r.outcome, RUNNING);
		fake_turn(&b.shard, 2 * NS_PER_MS); /* a timer may be a tick late */
		if (r.outcome != row->outcome)
			print_error("%s: %d\n", row->name, r.outcome);
		assert_int_equal(r.outcome, row->outcome);
		assert_int_equal(r.error, -ETIMEDOUT);
		bench_close(&b);
	}
}

static void test_reads_keep_a_body_alive(void **state)
{
	struct reach r = {.call = {.timeouts = {.idle_ns = 50 * NS_PER_MS}}};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_connect_and_send(&b, &r);
	fake_received(0, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"));
	for (unsigned i = 0; i < 10; i++) {
		fake_turn(&b.shard, 40 * NS_PER_MS);
		fake_received(0, SLICE("a"));
	}
	assert_int_equal(r.outcome, RUNNING);
	fake_turn(&b.shard, 45 * NS_PER_MS);
	assert_int_equal(r.outcome, RUNNING);
	fake_turn(&b.shard, 10 * NS_PER_MS);
	assert_int_equal(r.outcome, HTTP_FAILURE_IDLE_TIMEOUT);
	bench_close(&b);
}

static void test_a_silent_address_leaves_time_for_the_next(void **state)
{
	struct reach r = {.call = {.timeouts = {.connect_ns = 100 * NS_PER_MS}}};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set_addresses(&b, 2);
	bench_start(&b, &r);
	fake_turn(&b.shard, 45 * NS_PER_MS);
	assert_int_equal(fake_stream_count(), 1);
	fake_turn(&b.shard, 7 * NS_PER_MS);
	fake_turn(&b.shard, 0);
	assert_int_equal(fake_stream_count(), 2);
	assert_int_equal(r.outcome, RUNNING);
	fake_turn(&b.shard, 52 * NS_PER_MS);
	assert_int_equal(r.outcome, HTTP_FAILURE_CONNECT_TIMEOUT);
	bench_close(&b);
}

/* ---- holding back, breaking off ----------------------------------------------------------------------------- */

static void test_pause_holds_the_rest_back(void **state)
{
	struct reach r = {.pause_on_data = true, .call = {.timeouts = {.idle_ns = 50 * NS_PER_MS}}};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_connect_and_send(&b, &r);
	fake_received(0, SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n"
			       "0\r\n\r\n"));
	for (const char *so_far = "abc"; *so_far; so_far++) {
		assert_true(fake_stream_paused(0));
		fake_turn(&b.shard, NS_PER_S); /* idle_ns does not run */
		assert_int_equal(r.outcome, RUNNING);
		assert_int_equal(r.body_size, 4 - strlen(so_far));
		http_call_resume(&r.call);
		assert_int_equal(r.body_size, 4 - strlen(so_far)); /* no callback from inside */
		fake_turn(&b.shard, 0);
	}
	assert_int_equal(r.outcome, ENDED);
	assert_memory_equal(r.body, "abc", 3);
	assert_false(fake_stream_paused(0));
	assert_int_equal(http_client_counts(b.client).connections_idle, 1);
	bench_close(&b);
}

static void test_cancel(void **state)
{
	enum { IN_CONNECT, UNSENT, IN_HEAD, ON_HEAD, ON_DATA, IN_PAUSE, STAGES };

	(void)state;
	for (int stage = IN_CONNECT; stage < STAGES; stage++) {
		struct reach r = {.cancel_on_head = stage == ON_HEAD,
			.cancel_on_data = stage == ON_DATA,
			.pause_on_data = stage == IN_PAUSE};
		struct bench b;

		bench_open(&b);
		bench_start(&b, &r);
		if (stage > IN_CONNECT)
			fake_connected(0, 0);
		if (stage > UNSENT)
			fake_sent(0, 0);
		if (stage > IN_HEAD)
			fake_received(0, SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					       "1\r\na\r\n1\r\nb\r\n"));
		if (stage != ON_HEAD && stage != ON_DATA)
			http_call_cancel(&r.call);
		assert_false(fake_stream_open(0));
		assert_int_equal(fake_stream_reset(0), stage != IN_CONNECT);
		/* What the ring has not looked at yet must not leave: the memory is the owner's again. */
		assert_int_equal(fake_stream_sending(0).size, 0);
		fake_turn(&b.shard, NS_PER_S);
		assert_int_equal(r.ends, 0);
		assert_int_equal(r.body_size, stage >= ON_DATA);
		bench_close(&b);
	}
}

/* A peer that refuses a body resets after its answer: the answer counts, and without one the call fails soon. */
static void test_failed_send_waits_for_the_answer(void **state)
{
	struct reach answered = {0}, silent = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_start(&b, &answered);
	fake_connected(0, 0);
	fake_sent(0, -EPIPE);
	fake_received(0, SLICE("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"));
	assert_int_equal(answered.outcome, ENDED);
	assert_false(fake_stream_open(0));
	bench_start(&b, &silent);
	fake_connected(1, 0);
	fake_sent(1, -EPIPE);
	fake_turn(&b.shard, 2 * NS_PER_S);
	assert_int_equal(silent.outcome, HTTP_FAILURE_SEND);
	assert_int_equal(silent.error, -EPIPE);
	bench_close(&b);
}

/* ---- bodies that come while they are sent --------------------------------------------------------------------- */

struct upload {
	char memory[2][16];
	struct http_upload upload;
};

static void start_upload(struct bench *b, struct reach *r, struct upload *u, uint64_t left)
{
	u->upload = (struct http_upload){.filling = text_over(u->memory[0], sizeof(u->memory[0])),
		.sending = text_over(u->memory[1], sizeof(u->memory[1])),
		.left = left};
	r->call.upload = &u->upload;
	bench_start(b, r);
}

static void give(struct reach *r, const char *bytes)
{
	http_upload_add(r->call.upload, slice_of_string(bytes));
	http_call_push(&r->call);
}

static void assert_sending(unsigned number, const char *bytes)
{
	assert_true(slice_equal(fake_stream_sending(number), slice_of_string(bytes)));
}

static void test_upload(void **state)
{
	struct reach r = {0}, next = {0};
	struct upload u;
	struct bench b;

	(void)state;
	bench_open(&b);
	start_upload(&b, &r, &u, 9);
	give(&r, "abc"); /* before there is a connection */
	fake_connected(0, 0);
	fake_sent(0, 0);
	assert_sending(0, "abc");
	assert_int_equal(r.rooms, 1);
	give(&r, "de");
	give(&r, "f");
	assert_sending(0, "abc");
	fake_sent(0, 0);
	assert_sending(0, "def");
	fake_sent(0, 0);
	assert_int_equal(r.rooms, 2); /* nothing waited */
	give(&r, "ghi");
	assert_sending(0, "ghi");
	fake_sent(0, 0);
	fake_received(0, SLICE(OK_ANSWER));
	assert_int_equal(r.outcome, ENDED);
	/* All of it was sent, so the connection is good; another upload has its own, as it could not be sent twice. */
	start_upload(&b, &r, &u, 3);
	assert_int_equal(fake_stream_count(), 2);
	http_call_cancel(&r.call);
	bench_start(&b, &next);
	assert_int_equal(fake_stream_count(), 2);
	http_call_cancel(&next.call);
	bench_close(&b);
}

/* An answer before the end of the request: what is not sent would be taken for another one. */
static void test_upload_answered_early(void **state)
{
	struct reach r = {0};
	struct upload u;
	struct bench b;

	(void)state;
	bench_open(&b);
	start_upload(&b, &r, &u, 9);
	fake_connected(0, 0);
	fake_sent(0, 0);
	give(&r, "abc");
	fake_sent(0, 0);
	fake_received(0, SLICE(OK_ANSWER));
	assert_int_equal(r.outcome, ENDED);
	assert_false(fake_stream_open(0));
	bench_close(&b);
}

/* The head's time runs from the last byte on; until then a peer that does not take what there is has the idle time. */
static void test_upload_timeouts(void **state)
{
	struct reach r = {.call.timeouts = {.head_ns = 50 * NS_PER_MS, .idle_ns = 30 * NS_PER_MS}}, stuck = r;
	struct upload u, v;
	struct bench b;

	(void)state;
	bench_open(&b);
	start_upload(&b, &r, &u, 6);
	fake_connected(0, 0);
	fake_sent(0, 0);
	give(&r, "abc");
	fake_sent(0, 0);
	for (unsigned i = 0; i < 100; i++)
		fake_turn(&b.shard, NS_PER_MS); /* its giver is slow */
	assert_int_equal(r.outcome, RUNNING);
	give(&r, "def");
	fake_sent(0, 0);
	for (unsigned i = 0; i < 48; i++)
		fake_turn(&b.shard, NS_PER_MS);
	assert_int_equal(r.outcome, RUNNING);
	fake_turn(&b.shard, 4 * NS_PER_MS);
	assert_int_equal(r.outcome, HTTP_FAILURE_HEAD_TIMEOUT);
	start_upload(&b, &stuck, &v, 6);
	fake_connected(1, 0);
	fake_sent(1, 0);
	give(&stuck, "abc");
	for (unsigned i = 0; i < 28; i++)
		fake_turn(&b.shard, NS_PER_MS);
	assert_int_equal(stuck.outcome, RUNNING);
	fake_turn(&b.shard, 4 * NS_PER_MS);
	assert_int_equal(stuck.outcome, HTTP_FAILURE_HEAD_TIMEOUT);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_are_tried_in_order),
		cmocka_unit_test(test_calls_wait_for_addresses),
		cmocka_unit_test(test_a_name_without_addresses),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_reads_keep_a_body_alive),
		cmocka_unit_test(test_a_silent_address_leaves_time_for_the_next),
		cmocka_unit_test(test_pause_holds_the_rest_back),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_failed_send_waits_for_the_answer),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_answered_early),
		cmocka_unit_test(test_upload_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
