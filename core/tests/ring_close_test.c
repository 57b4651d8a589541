/*
 * Shutting and closing on a real ring: a descriptor's number is the next socket's as soon as it is closed, and whatever
 * was asked of the old one must not meet the new one.
 */
#include "core/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 4000, TURNS_MAX = 1000000 };

static int set_up(void **state)
{
	struct ring_options options = {.entry_count = 64, .buffer_count = 8, .buffer_bytes = 2048};
	struct ring *ring;
	char why[256] = "";

	assert_int_equal(ring_open(&ring, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(ring), 0);
	*state = ring;
	return 0;
}

static int tear_down(void **state)
{
	ring_close(*state);
	return 0;
}

static void turn_once(struct ring *ring)
{
	uint64_t now_ns;

	assert_true(ring_turn(ring, 0, &now_ns) >= 0);
}

/* Turns until the other end is told that nothing more comes, and tells which way: 0 for an end, -errno. */
static int await_end(struct ring *ring, int peer)
{
	for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
		char byte;
		ssize_t got = recv(peer, &byte, 1, MSG_DONTWAIT);

		if (got == 0)
			return 0;
		if (got < 0 && errno != EAGAIN)
			return -errno;
		turn_once(ring);
	}
	fail_msg("the end never came");
	return -1;
}

static void make_pair(int ends[static 2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* Each round's socket is shut and closed at once; the next round's, often of the same number, has to be whole. */
static void test_a_new_socket_is_not_shut_by_an_old_shutdown(void **state)
{
	struct ring *ring = *state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int old[2], new[2];
		char byte = 0;

		make_pair(old);
		ring_shutdown(ring, old[0], SHUT_WR);
		ring_close_socket(ring, old[0], false);
		turn_once(ring);
		make_pair(new);
		assert_int_equal(await_end(ring, old[1]), 0);
		assert_int_equal(send(new[0], "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(new[1], &byte, 1, 0), 1);
		assert_int_equal(send(new[1], "y", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(new[0], &byte, 1, 0), 1);
		close(old[1]);
		close(new[0]);
		close(new[1]);
	}
}

/* Without a close the socket lives on, for what its peer still sends. */
static void test_a_shut_socket_still_receives(void **state)
{
	struct ring *ring = *state;
	char byte = 0;
	int ends[2];

	make_pair(ends);
	ring_shutdown(ring, ends[0], SHUT_WR);
	ring_shutdown(ring, ends[0], SHUT_WR); /* once is enough */
	assert_int_equal(await_end(ring, ends[1]), 0);
	assert_int_equal(send(ends[1], "z", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(ends[0], &byte, 1, 0), 1);
	assert_int_equal(byte, 'z');
	ring_close_socket(ring, ends[0], false);
	for (unsigned turns = 0; turns < TURNS_MAX && send(ends[1], "z", 1, MSG_NOSIGNAL) == 1; turns++)
		turn_once(ring);
	assert_int_equal(send(ends[1], "z", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_new_socket_is_not_shut_by_an_old_shutdown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_shut_socket_still_receives, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
