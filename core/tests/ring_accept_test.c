/* Accepting on a real ring and loopback sockets: who connected, how a listener's accepts end, and that they start
 * again. */
#include "core/kconfig.h"
#include "core/tests/turns.h"
#include "core/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS = 5 * RING_ACCEPTS + 3 };

struct world {
	struct ring *ring;
	struct accepting accepting;
	struct sockaddr_storage address;
	int listener;
	int clients[CLIENTS];
	in_port_t ports[CLIENTS]; /* of the clients, as they were told */
	unsigned accepted, known, ended, cancel_after;
	int result;
};

static void on_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct world *w = container_of(op, struct world, accepting.op);
	const struct sockaddr_in *peer = (const struct sockaddr_in *)w->accepting.peer;

	assert_null(buffer);
	if (!(flags & OP_MORE)) {
		assert_true(result < 0);
		assert_false(op->in_flight);
		w->ended++;
		w->result = result;
		return;
	}
	assert_true(result >= 0);
	assert_int_equal(peer->sin_family, AF_INET);
	assert_int_equal(peer->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (w->ports[i] == peer->sin_port) {
			w->ports[i] = 0; /* each is told of once */
			w->known++;
		}
	}
	ring_close_socket(w->ring, result, true);
	if (++w->accepted == w->cancel_after)
		ring_cancel(w->ring, op);
}

static int set_up(void **state)
{
	static struct world w;
	struct ring_options options = {.entry_count = 8, .buffer_count = 64, .buffer_bytes = 2048};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(w.address);
	char why[256] = "";

	memset(&w, 0, sizeof(w));
	for (unsigned i = 0; i < CLIENTS; i++)
		w.clients[i] = -1;
	assert_int_equal(ring_open(&w.ring, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(w.ring), 0);
	memcpy(&w.address, &any, sizeof(any));
	w.listener = ring_listen(w.ring, &w.address, CLIENTS, true);
	assert_true(w.listener >= 0);
	assert_int_equal(getsockname(w.listener, (struct sockaddr *)&w.address, &bytes), 0);
	w.accepting.op.done = on_accepted;
	*state = &w;
	return 0;
}

static void turn_once(struct world *w, unsigned turns)
{
	uint64_t now_ns;

	assert_true(ring_turn(w->ring, turn_end_ns(turns), &now_ns) >= 0);
}

#define turns_until(w, condition) turn_until(turn_once(w, turns), condition)

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->accepting.op.in_flight)
		ring_cancel(w->ring, &w->accepting.op);
	turns_until(w, !w->accepting.op.in_flight);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (w->clients[i] >= 0)
			close(w->clients[i]);
	turn_once(w, 0); /* submits what closes sockets */
	close(w->listener);
	ring_close(w->ring);
	return 0;
}

static void connect_clients(struct world *w, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		struct sockaddr_in own;
		socklen_t bytes = sizeof(own);

		w->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(w->clients[i] >= 0);
		assert_int_equal(connect(w->clients[i], (struct sockaddr *)&w->address, sizeof(own)), 0);
		assert_int_equal(getsockname(w->clients[i], (struct sockaddr *)&own, &bytes), 0);
		w->ports[i] = own.sin_port;
	}
}

static void test_each_peer_is_told_once(void **state)
{
	struct world *w = *state;

	connect_clients(w, 0, CLIENTS / 2); /* queued before anything accepts: more than there are slots */
	ring_accept(w->ring, &w->accepting, w->listener);
	turns_until(w, w->accepted == CLIENTS / 2);
	for (unsigned i = CLIENTS / 2; i < CLIENTS; i++) { /* one by one, so that waiting accepts are woken */
		turn_once(w, 0);
		connect_clients(w, i, i + 1);
		turns_until(w, w->accepted == i + 1);
	}
	assert_int_equal(w->known, CLIENTS);
	assert_int_equal(w->ended, 0);
}

static void test_cancel_ends_once(void **state)
{
	struct world *w = *state;

	ring_accept(w->ring, &w->accepting, w->listener);
	turn_once(w, 0);
	ring_cancel(w->ring, &w->accepting.op);
	ring_cancel(w->ring, &w->accepting.op);
	turns_until(w, w->ended);
	turn_once(w, 0);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->result, -ECANCELED);
}

static void test_cancel_from_its_callback(void **state)
{
	struct world *w = *state;

	connect_clients(w, 0, CLIENTS);
	w->cancel_after = 2;
	ring_accept(w->ring, &w->accepting, w->listener);
	turns_until(w, w->ended);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->result, -ECANCELED);
	assert_in_range(w->accepted, 2, 2 + RING_ACCEPTS); /* what waited may have become a connection by then */

	w->cancel_after = 0; /* the others are still queued */
	ring_accept(w->ring, &w->accepting, w->listener);
	turns_until(w, w->accepted == CLIENTS);
	assert_int_equal(w->known, CLIENTS);
}

static void test_out_of_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit limit, low;

	if (CONFIG(VALGRIND))
		skip(); /* it keeps the limit to itself, and the kernel does not see it */
	connect_clients(w, 0, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3; /* what is open stays open */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	ring_accept(w->ring, &w->accepting, w->listener);
	turns_until(w, w->ended);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->result, -EMFILE);
	assert_int_equal(w->accepted, 0);

	ring_accept(w->ring, &w->accepting, w->listener);
	turns_until(w, w->accepted == 1);
	assert_int_equal(w->known, 1);
}

/* A second listener would share the port; who asks first learns that it is taken. */
static void test_address_in_use(void **state)
{
	struct world *w = *state;

	assert_int_equal(ring_try_address(&w->address), -EADDRINUSE);
	close(w->listener);
	assert_int_equal(ring_try_address(&w->address), 0);
	w->listener = ring_listen(w->ring, &w->address, CLIENTS, true); /* nothing of the trial stays */
	assert_true(w->listener >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_peer_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_ends_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_from_its_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_out_of_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_address_in_use, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
