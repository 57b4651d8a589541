/* The server's requests and answers: framing, order, refusals, streaming. */
#include "proto/http/tests/http_malformed.h"
#include "proto/http/tests/server_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_one_request_in_place(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc"));
	assert_true(w.in_place);
	assert_int_equal(wire->sends, 1);
	assert_int_equal(w.dones, 1);
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc") ECHO("3", "abc"));
	assert_int_equal(http_server_counts(w.server).requests, 2);
	assert_int_equal(http_server_counts(w.server).connections_idle, 1);
	hang_up(wire);
	assert_true(wire->closed && !wire->reset);
}

static void test_cuts_change_nothing(void **state)
{
	static const char *const requests[] = {
		POST_ABC,
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nT: "
		"u\r\n\r\n",
	};
	struct wire *wire = dial();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t size = strlen(requests[i]);

		for (size_t at = 1; at < size; at++) {
			wire->sent_bytes = 0;
			give(wire, slice_of(requests[i], at));
			give(wire, slice_of(requests[i] + at, size - at));
			assert_sent(wire, ECHO("3", "abc"));
		}
		wire->sent_bytes = 0;
		for (size_t at = 0; at < size; at++)
			give(wire, slice_of(requests[i] + at, 1));
		assert_sent(wire, ECHO("3", "abc"));
	}
}

static void test_pipelined(void **state)
{
	struct wire *wire = dial();
	static const char five[] = POST_ABC POST_ABC POST_ABC POST_ABC POST_ABC;

	(void)state;
	say(wire, five);
	assert_sent(wire, ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n" POST_ABC);
	assert_int_equal(wire->sent_bytes, 0);
	for (unsigned i = 0; i < 3; i++)
		say(wire, POST_ABC);
	assert_true(wire->stream->paused); /* four buffers are held */
	http_respond(w.held, 200, SLICE("X: y\r\n"), SLICE("first"));
	settle();
	assert_sent(wire, ECHO("5", "first") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc"));
	assert_false(wire->stream->paused);
	assert_int_equal(w.dones, 10);
}

static void test_malformed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MALFORMED_COUNT; i++) {
		const struct malformed *m = &malformed[i];
		struct wire *wire = &w.wires[0];
		char start[32], end[64];
		size_t end_bytes;

		w.wire_count = 0; /* one slot does for all: each is closed before the next */
		free(wire->sent);
		*wire = (struct wire){0};
		wire = dial();
		give(wire, m->bytes);
		snprintf(start, sizeof(start), "HTTP/1.1 %u ", m->status);
		snprintf(end, sizeof(end), "\r\n\r\n%s", m->code);
		end_bytes = strlen(end);
		if (strncmp(wire->sent, start, strlen(start)) != 0 || wire->sent_bytes < end_bytes ||
			strcmp(wire->sent + wire->sent_bytes - end_bytes, end) != 0 ||
			!strstr(wire->sent, "Connection: close\r\n"))
			fail_msg("%s: answered %s", m->name, wire->sent);
		assert_null(strstr(wire->sent + 1, "HTTP/1.1 ")); /* one answer */
		assert_true(wire->shut && !wire->closed);
		say(wire, POST_ABC); /* dropped */
		assert_null(strstr(wire->sent, "abc"));
		hang_up(wire);
		assert_true(wire->closed && !wire->reset);
		assert_int_equal(w.requests, i);

		free(wire->sent);
		*wire = (struct wire){0};
		w.wire_count = 0;
		wire = dial();
		say(wire, POST_ABC);
		assert_sent(wire, ECHO("3", "abc"));
		hang_up(wire);
	}
	assert_int_equal(http_server_counts(w.server).bad_requests, MALFORMED_COUNT);
}

static void test_expect(void **state)
{
	static const char head[] = "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
	struct wire *wire = dial();

	(void)state;
	say(wire, head);
	assert_sent(wire, "HTTP/1.1 100 Continue\r\n\r\n");
	say(wire, "abc");
	assert_sent(wire, "HTTP/1.1 100 Continue\r\n\r\n" ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	assert_sent(wire, ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 2\r\nConnection: close\r\nX: y\r\n\r\nno");
	assert_true(wire->shut);
	hang_up(wire);
	wire = dial();
	say(wire, "POST /small HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_sent(wire, CLOSING("413 Content Too Large", "14", "body_too_large"));
}

static void test_refusals_at_the_head(void **state)
{
	struct wire *wire = dial();

	(void)state;
	/* The body is in hand: kept alive. */
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" POST_ABC);
	assert_sent(wire, "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 2\r\nX: y\r\n\r\nno" ECHO("3", "abc"));
	assert_int_equal(w.requests, 1);
	wire->sent_bytes = 0;
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc");
	assert_non_null(strstr(wire->sent, "Connection: close"));
	assert_true(wire->shut && !wire->closed);
	for (unsigned i = 0; i < 3; i++) { /* up to 1 MiB is dropped; then no more is received, until lingering ends */
		give(wire, slice_of(w.big, 256 * 1024));
		assert_false(wire->stream->paused);
	}
	give(wire, slice_of(w.big, 256 * 1024));
	assert_true(wire->stream->paused && !wire->closed);
	pass(3);
	assert_true(wire->closed && wire->reset);
	wire = dial();
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc");
	pass(3);
	assert_true(wire->closed);
}

static void test_framing_of_answers(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "HEAD /pieces HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\n\r\n");
	wire->sent_bytes = 0;
	say(wire, "GET /pieces HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\n\r\none two");
	wire->sent_bytes = 0;
	say(wire, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	wire->sent_bytes = 0;
	say(wire, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\nConnection: keep-alive\r\n\r\none two");
	wire->sent_bytes = 0;
	wire->sends = 0;
	say(wire, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(wire->sends, 2); /* 300 KiB in flights of 256 */
	assert_memory_equal(wire->sent + wire->sent_bytes - sizeof(w.big), w.big, sizeof(w.big));
	wire->sent_bytes = 0;
	say(wire, "GET /later HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	http_write(w.held, SLICE("to the end"));
	http_end(w.held);
	settle();
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nto the end");
	assert_true(wire->shut);
}

static void test_streaming_and_back_pressure(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(http_answered(w.held));
	http_begin(w.held, 200, SLICE("A: b\r\n"));
	assert_true(http_answered(w.held));
	assert_true(http_write(w.held, SLICE("hello ")));
	assert_true(http_write(w.held, SLICE("")));
	assert_true(http_write(w.held, SLICE("0123456789abcdef")));
	settle();
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\nA: b\r\n\r\n6\r\nhello \r\n"
			  "10\r\n0123456789abcdef\r\n");
	assert_int_equal(wire->sends, 1);
	wire->stalled = true;
	assert_true(http_write(w.held, slice_of(w.big, 40000)));
	settle();
	assert_false(http_write(w.held, slice_of(w.big, 40000)));
	assert_int_equal(w.drains, 0);
	wire->stalled = false;
	settle();
	assert_int_equal(w.drains, 1);
	wire->sent_bytes = 0;
	http_end(w.held);
	settle();
	assert_sent(wire, "0\r\n\r\n");
	assert_int_equal(w.dones, 1);
	assert_false(wire->shut);
	say(wire, POST_ABC);
	assert_non_null(strstr(wire->sent, "abc"));
}

/* The memory of some requests is kept for the next ones, that of the others goes back as each ends. */
static void test_more_at_once_than_are_kept(void **state)
{
	struct http_server_options options = options_of_test();

	(void)state;
	options.max_connections = WIRES_MAX;
	http_server_configure(w.server, &options);
	for (unsigned i = 0; i < 256 + 32; i++) {
		struct wire *wire = dial();

		wire->stalled = true;
		say(wire, POST_ABC);
	}
	for (unsigned i = 0; i < w.wire_count; i++)
		w.wires[i].stalled = false;
	settle();
	for (unsigned i = 0; i < w.wire_count; i++)
		assert_non_null(strstr(w.wires[i].sent, "abc"));
	assert_int_equal(w.dones, w.wire_count);
}

#define POST_WATCH "POST /watch HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n"

static void test_watched_body(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, POST_WATCH "ab");
	say(wire, "c");
	assert_string_equal(w.watched, "[ab][abc]");
	say(wire, "d");
	say(wire, "ef");
	assert_int_equal(w.requests, 0);
	say(wire, "gh");
	assert_string_equal(w.watched, "[ab][abc][abcd]ef.gh.");
	assert_int_equal(w.requests, 1);
	assert_sent(wire, ECHO("0", ""));
	/* What comes with its head is nothing to watch. */
	w.watched[0] = '\0';
	wire = dial();
	say(wire, POST_WATCH "abcdefgh");
	assert_string_equal(w.watched, "");
	assert_sent(wire, ECHO("8", "abcdefgh"));
}

static void test_watched_body_is_refused(void **state)
{
	struct wire *early = dial(), *late = dial();

	(void)state;
	say(early, POST_WATCH "ax");
	assert_non_null(strstr(early->sent, "403 Forbidden"));
	say(early, "cd");
	say(late, POST_WATCH "abcd");
	say(late, "x");
	assert_non_null(strstr(late->sent, "403 Forbidden"));
	assert_string_equal(w.watched, "[ax][abcd]x.");
	assert_int_equal(w.requests, 0);
	assert_true(early->shut && late->shut);
}

/* Whoever passes it on holds it back: its time does not run meanwhile, and begins anew. */
static void test_passing_body_waits(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, POST_WATCH "abcd");
	http_pause_body(w.held);
	assert_true(wire->stream->paused);
	pass(100);
	http_resume_body(w.held);
	assert_false(wire->stream->paused);
	pass(29);
	assert_int_equal(wire->sent_bytes, 0);
	pass(2);
	assert_non_null(strstr(wire->sent, "408 Request Timeout"));
}

static void test_break(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	http_write(w.held, SLICE("half"));
	http_break(w.held);
	settle();
	assert_true(wire->closed && !wire->shut);
	assert_string_equal(wire->sent + wire->sent_bytes - 9, "4\r\nhalf\r\n");
	assert_int_equal(w.dones, 1);
	assert_int_equal(w.gones, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_request_in_place),
		TEST(test_cuts_change_nothing),
		TEST(test_pipelined),
		TEST(test_malformed),
		TEST(test_expect),
		TEST(test_refusals_at_the_head),
		TEST(test_framing_of_answers),
		TEST(test_streaming_and_back_pressure),
		TEST(test_more_at_once_than_are_kept),
		TEST(test_break),
		TEST(test_watched_body),
		TEST(test_watched_body_is_refused),
		TEST(test_passing_body_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
