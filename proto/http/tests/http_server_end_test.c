/* How the server's connections begin and end: admission, clients that go, timeouts, and the ways of winding down. */
#include "proto/http/tests/server_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_client_gone(void **state)
{
	(void)state;
	for (unsigned begun = 0; begun < 2; begun++) {
		for (unsigned reset = 0; reset < 2; reset++) {
			struct wire *wire = dial();
			unsigned gones = w.gones, dones = w.dones;

			say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
			if (begun) {
				wire->stalled = true; /* a send is in flight when the client goes */
				http_begin(w.held, 200, SLICE(""));
				settle();
			}
			if (reset)
				wire->stream->handler->on_failed(wire->stream, -ECONNRESET);
			else
				hang_up(wire);
			settle();
			assert_int_equal(w.gones, gones + 1);
			assert_true(wire->closed);
			assert_int_equal(w.dones, dones);
			assert_false(http_server_idle(w.server));
			if (begun)
				assert_true(http_write(w.held, SLICE("dropped")));
			http_end(w.held);
			assert_int_equal(w.dones, dones); /* not from inside the call */
			settle();
			assert_int_equal(w.dones, dones + 1);
		}
	}
	/* In mid-body the service knows the request as well. */
	say(dial(), "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
	hang_up(&w.wires[w.wire_count - 1]);
	assert_int_equal(w.gones, 5);
}

static void test_timeouts(void **state)
{
	struct wire *silent = dial(), *head = dial(), *body = dial(), *idle = dial(), *stalled = dial();

	(void)state;
	say(head, "GET / HTTP/1.1\r\n");
	say(body, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
	say(idle, POST_ABC);
	stalled->stalled = true;
	say(stalled, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	settle();
	pass(9);
	say(head, "Host: h\r\n"); /* a trickle gains nothing */
	assert_false(silent->closed || head->shut);
	pass(2);
	assert_true(silent->closed);
	assert_int_equal(silent->sent_bytes, 0);
	assert_non_null(strstr(head->sent, "408 Request Timeout"));
	assert_non_null(strstr(head->sent, "head_timeout"));
	pass(8);
	assert_false(stalled->closed);
	pass(2);
	assert_true(stalled->closed && stalled->reset);
	assert_int_equal(w.gones, 1);
	http_end(w.held);
	pass(8);
	assert_int_equal(body->sent_bytes, 0);
	pass(2);
	assert_non_null(strstr(body->sent, "body_timeout"));
	assert_false(idle->closed);
	pass(43);
	assert_false(idle->closed);
	pass(2);
	assert_true(idle->closed && !idle->reset);
}

static void test_admission(void **state)
{
	struct http_server_options options = options_of_test();
	struct wire *wire;

	(void)state;
	options.max_connections_per_ip = 2;
	options.max_connections = 5;
	http_server_configure(w.server, &options);
	dial();
	dial();
	wire = dial();
	assert_non_null(strstr(wire->sent, "HTTP/1.1 429 "));
	assert_non_null(strstr(wire->sent, "connections_per_ip"));
	hang_up(wire);
	w.next_ip = htonl(0x7f000002);
	dial();
	dial();
	w.next_ip = htonl(0x7f000003);
	dial();
	wire = dial();
	assert_non_null(strstr(wire->sent, "HTTP/1.1 503 "));
	assert_non_null(strstr(wire->sent, "Connection: close"));
	assert_int_equal(http_server_counts(w.server).refused_connections, 2);
	hang_up(&w.wires[0]);
	w.next_ip = htonl(0x7f000001);
	hang_up(wire);
	wire = dial();
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc"));
	while (w.wire_count < 5 + 64 + 5 && !w.reset_at_once) /* who is above both bounds is not even told */
		dial();
	assert_int_equal(w.reset_at_once, 1);
}

static void test_drain(void **state)
{
	struct wire *idle = dial(), *busy = dial();

	(void)state;
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_drain(w.server);
	settle();
	assert_true(idle->closed);
	assert_false(w.accepting->op.in_flight);
	assert_true(w.listener_closed);
	assert_false(http_server_idle(w.server));
	http_respond(w.held, 200, SLICE(""), SLICE("late"));
	settle();
	assert_sent(busy, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 4\r\nConnection: close\r\n\r\nlate");
	assert_true(busy->shut);
	hang_up(busy);
	assert_true(http_server_idle(w.server));
}

/* Who was there keeps its answer and goes; who comes is answered and goes too; then the drain finds nobody. */
static void test_wind_down(void **state)
{
	struct wire *idle = dial(), *fresh = dial(), *busy = dial(), *late;

	(void)state;
	say(idle, POST_ABC);
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_wind_down(w.server);
	settle();
	assert_true(idle->closed);
	assert_false(fresh->closed);
	say(fresh, POST_ABC); /* was on its way */
	assert_non_null(strstr(fresh->sent, "HTTP/1.1 200 OK\r\n"));
	assert_true(fresh->shut);
	hang_up(fresh);
	assert_true(w.accepting->op.in_flight);
	late = dial();
	say(late, POST_ABC);
	assert_non_null(strstr(late->sent, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(late->sent, "Connection: close\r\n"));
	assert_true(late->shut);
	hang_up(late);
	late = dial(); /* and says nothing */
	http_respond(w.held, 200, SLICE(""), SLICE("late"));
	settle();
	assert_true(busy->shut);
	hang_up(busy);
	http_server_drain(w.server);
	settle();
	assert_true(late->closed);
	assert_false(w.accepting->op.in_flight);
	assert_true(http_server_idle(w.server));
}

static void test_abort(void **state)
{
	struct wire *busy = dial();

	(void)state;
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_abort(w.server);
	settle();
	assert_int_equal(w.gones, 1);
	assert_true(busy->closed && busy->reset);
	http_end(w.held);
	settle();
	assert_int_equal(w.dones, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_client_gone),
		TEST(test_timeouts),
		TEST(test_admission),
		TEST(test_drain),
		TEST(test_wind_down),
		TEST(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
