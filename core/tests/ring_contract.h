/*
 * What ring.h promises, as checks over a pair of connected sockets of one ring. The same table runs on io_uring
 * (ring_uring_test.c) and in the simulated world (ring_sim_test.c); each brings what opens a ring and an address to
 * listen on.
 */
#ifndef CORE_TESTS_RING_CONTRACT_H
#define CORE_TESTS_RING_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/ring.h"

#include <cmocka.h>

enum { CONTRACT_BUFFERS = 8, CONTRACT_BUFFER_BYTES = 512, CONTRACT_TURNS_MAX = 30000 };

/* Told of by an operation's callbacks. */
struct heard {
	struct op op;
	unsigned calls, ends;
	int result;
	size_t bytes;
	uint64_t position; /* of the next byte of the pattern that is expected */
	struct buffer *kept[CONTRACT_BUFFERS];
	unsigned kept_count;
	bool keep;
};

struct pair {
	struct ring *ring;
	struct sockaddr_storage address;
	struct sockaddr_storage peer;
	struct accepting accepting;
	int listener, accepted, connected;
	int accept_result;
	bool accept_ended;
	struct heard connect, receive, send;
};

/* The implementation's own: how often each check runs, and in which world. */
unsigned contract_rounds(void);
void contract_begin(unsigned round);

/* `pair` with an enabled ring and an address that nothing listens on. */
void contract_open(struct pair *pair);
void contract_close(struct pair *pair);
int contract_listen(struct pair *pair); /* ring_listen() on it; afterwards `address` is where to connect */

static inline char pattern(uint64_t position)
{
	return (char)(position * 31 + position / 251);
}

static inline void turn(struct pair *p, uint64_t until_ns)
{
	uint64_t now_ns = 0;

	assert_true(ring_turn(p->ring, until_ns, &now_ns) >= 0);
	assert_true(now_ns > 0);
}

/* A turn ends after a millisecond at the latest, so that a check that fails does not wait for ever. */
#define turn_until(p, condition)                                                                                       \
	do {                                                                                                           \
		unsigned turns_ = 0;                                                                                   \
		while (!(condition)) {                                                                                 \
			turn(p, clock_monotonic_ns() + NS_PER_MS);                                                     \
			assert_true(++turns_ < CONTRACT_TURNS_MAX);                                                    \
		}                                                                                                      \
	} while (0)

static inline void on_heard(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct heard *h = container_of(op, struct heard, op);

	h->calls++;
	h->result = result;
	assert_int_equal(op->in_flight, (flags & OP_MORE) != 0);
	assert_int_equal(buffer != NULL, op->kind == h->op.kind && buffer && result > 0);
	if (!(flags & OP_MORE))
		h->ends++;
	if (!buffer)
		return;
	assert_int_equal(buffer->used_bytes, result);
	for (uint32_t i = 0; i < buffer->used_bytes; i++)
		assert_int_equal(buffer->data[i], pattern(h->position + i));
	h->position += buffer->used_bytes;
	h->bytes += buffer->used_bytes;
	if (h->keep)
		h->kept[h->kept_count++] = buffer;
	else
		buffer_give(&buffer);
}

static inline void on_pair_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct pair *p = container_of(op, struct pair, accepting.op);

	assert_null(buffer);
	if (flags & OP_MORE) {
		assert_true(result >= 0);
		p->peer = *p->accepting.peer;
		p->accepted = result;
		return;
	}
	p->accept_ended = true;
	p->accept_result = result;
}

static inline void open_pair(struct pair *p)
{
	*p = (struct pair){.accepted = -1, .connected = -1};
	contract_open(p);
	p->listener = contract_listen(p);
	assert_true(p->listener >= 0);
	p->accepting.op.done = on_pair_accepted;
	p->connect.op.done = p->receive.op.done = p->send.op.done = on_heard;
	ring_accept(p->ring, &p->accepting, p->listener);
	ring_connect(p->ring, &p->connect.op, (const struct sockaddr *)&p->address, sizeof(struct sockaddr_in));
	assert_int_equal(p->connect.calls, 0); /* never from inside a starting call */
	turn_until(p, p->connect.ends && p->accepted >= 0);
	assert_int_equal(p->connect.result, 0);
	p->connected = p->connect.op.socket;
}

static inline void close_pair(struct pair *p)
{
	if (p->accepting.op.in_flight)
		ring_cancel(p->ring, &p->accepting.op);
	turn_until(p, p->accept_ended);
	if (p->connected >= 0)
		ring_close_socket(p->ring, p->connected, true);
	if (p->accepted >= 0)
		ring_close_socket(p->ring, p->accepted, true);
	ring_close_socket(p->ring, p->listener, false);
	turn(p, 0);
	assert_int_equal(ring_buffers_held(p->ring), 0);
	contract_close(p);
}

static inline char *make_bytes(size_t size)
{
	char *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i);
	return bytes;
}

/* ---- The checks ---- */

static void accept_tells_who_connected(void **state)
{
	struct pair p;
	const struct sockaddr_in *peer = (const struct sockaddr_in *)&p.peer;

	(void)state;
	open_pair(&p);
	assert_int_equal(peer->sin_family, AF_INET);
	assert_int_equal(peer->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_true(peer->sin_port != 0);
	assert_true(p.accepting.op.in_flight);
	ring_cancel(p.ring, &p.accepting.op);
	turn_until(&p, p.accept_ended);
	assert_int_equal(p.accept_result, -ECANCELED);
	close_pair(&p);
}

static void connect_to_nobody_is_refused(void **state)
{
	struct pair p = {.accepted = -1};

	(void)state;
	contract_open(&p);
	p.listener = contract_listen(&p);
	ring_close_socket(p.ring, p.listener, false);
	turn(&p, 0);
	p.connect.op.done = on_heard;
	ring_connect(p.ring, &p.connect.op, (const struct sockaddr *)&p.address, sizeof(struct sockaddr_in));
	turn_until(&p, p.connect.ends);
	assert_int_equal(p.connect.result, -ECONNREFUSED);
	turn(&p, 0);
	contract_close(&p);
}

/* More than the socket's room and the pool, in an iovec of odd parts: all of it, in order, once. */
static void bytes_arrive_once_and_in_order(void **state)
{
	enum { SIZE = 3 << 20, PARTS = 7 };
	struct pair p;
	char *bytes = make_bytes(SIZE);
	struct iovec iov[PARTS];
	size_t used = 0;

	(void)state;
	open_pair(&p);
	for (unsigned i = 0; i < PARTS; i++) {
		size_t size = i == PARTS - 1 ? SIZE - used : i * 100003 + 1;

		iov[i] = (struct iovec){.iov_base = bytes + used, .iov_len = size};
		used += size;
	}
	ring_receive(p.ring, &p.receive.op, p.accepted);
	ring_send(p.ring, &p.send.op, p.connected, iov, PARTS);
	turn_until(&p, p.send.ends && p.receive.bytes == SIZE);
	assert_int_equal(p.send.result, SIZE);
	assert_int_equal(p.send.calls, 1);
	assert_true(p.receive.op.in_flight);
	ring_shutdown(p.ring, p.connected, SHUT_WR);
	turn_until(&p, p.receive.ends);
	assert_int_equal(p.receive.result, 0);
	assert_int_equal(p.receive.bytes, SIZE);
	close_pair(&p);
	free(bytes);
}

/* The owner keeps every buffer: receiving stands, unseen, and goes on when they come home. */
static void empty_pool_is_the_rings_own_matter(void **state)
{
	enum { SIZE = CONTRACT_BUFFERS * CONTRACT_BUFFER_BYTES * 3 };
	struct pair p;
	char *bytes = make_bytes(SIZE);
	struct iovec iov = {.iov_base = bytes, .iov_len = SIZE};

	(void)state;
	open_pair(&p);
	p.receive.keep = true;
	ring_receive(p.ring, &p.receive.op, p.accepted);
	ring_send(p.ring, &p.send.op, p.connected, &iov, 1);
	turn_until(&p, p.receive.kept_count == CONTRACT_BUFFERS);
	assert_int_equal(ring_buffers_held(p.ring), CONTRACT_BUFFERS);
	turn_until(&p, ring_counts(p.ring).starved > 0);
	turn(&p, 0);
	assert_int_equal(p.receive.calls, CONTRACT_BUFFERS);
	assert_int_equal(p.receive.ends, 0);
	p.receive.keep = false;
	for (unsigned i = 0; i < CONTRACT_BUFFERS; i++)
		buffer_give(&p.receive.kept[i]);
	turn_until(&p, p.receive.bytes == SIZE);
	ring_cancel(p.ring, &p.receive.op);
	turn_until(&p, p.receive.ends && p.send.ends);
	close_pair(&p);
	free(bytes);
}

/* A receive that waits for buffers can be cancelled as any other. */
static void starved_receive_is_cancelled(void **state)
{
	enum { SIZE = CONTRACT_BUFFERS * CONTRACT_BUFFER_BYTES * 2 };
	struct pair p;
	char *bytes = make_bytes(SIZE);
	struct iovec iov = {.iov_base = bytes, .iov_len = SIZE};

	(void)state;
	open_pair(&p);
	p.receive.keep = true;
	ring_receive(p.ring, &p.receive.op, p.accepted);
	ring_send(p.ring, &p.send.op, p.connected, &iov, 1);
	turn_until(&p, p.receive.kept_count == CONTRACT_BUFFERS && ring_counts(p.ring).starved > 0);
	ring_cancel(p.ring, &p.receive.op);
	ring_cancel(p.ring, &p.receive.op); /* twice is once */
	if (p.send.op.in_flight)
		ring_cancel(p.ring, &p.send.op);
	turn_until(&p, p.receive.ends && p.send.ends);
	assert_int_equal(p.receive.result, -ECANCELED);
	assert_int_equal(p.receive.ends, 1);
	for (unsigned i = 0; i < CONTRACT_BUFFERS; i++)
		buffer_give(&p.receive.kept[i]);
	turn(&p, 0);
	close_pair(&p);
	free(bytes);
}

/* Nobody reads: a send that found no room ends when it is cancelled, with what it had handed over by then. */
static void send_without_room_is_cancelled(void **state)
{
	enum { SIZE = 16 << 20 };
	struct pair p;
	char *bytes = malloc(SIZE);
	struct iovec iov = {.iov_base = bytes, .iov_len = SIZE};

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', SIZE);
	open_pair(&p);
	ring_send(p.ring, &p.send.op, p.connected, &iov, 1);
	turn(&p, clock_monotonic_ns() + NS_PER_MS);
	assert_int_equal(p.send.calls, 0);
	ring_cancel(p.ring, &p.send.op);
	turn_until(&p, p.send.ends);
	assert_true(p.send.result == -ECANCELED || (p.send.result > 0 && p.send.result < SIZE));
	close_pair(&p);
	free(bytes);
}

static void reset_ends_receive_and_send(void **state)
{
	struct pair p;
	char byte = pattern(0);
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};

	(void)state;
	open_pair(&p);
	ring_receive(p.ring, &p.receive.op, p.accepted);
	turn(&p, 0);
	ring_close_socket(p.ring, p.connected, true);
	p.connected = -1;
	turn_until(&p, p.receive.ends);
	assert_int_equal(p.receive.result, -ECONNRESET);
	ring_send(p.ring, &p.send.op, p.accepted, &iov, 1);
	turn_until(&p, p.send.ends);
	assert_int_equal(p.send.result, -EPIPE);
	close_pair(&p);
}

/* Closing while bytes are unread tells the other side so. */
static void close_with_unread_bytes_resets(void **state)
{
	struct pair p;
	char byte = pattern(0);
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};

	(void)state;
	open_pair(&p);
	p.receive.keep = true;
	ring_receive(p.ring, &p.receive.op, p.connected);
	ring_send(p.ring, &p.send.op, p.connected, &iov, 1);
	turn_until(&p, p.send.ends);
	turn(&p, clock_monotonic_ns() + NS_PER_MS); /* the byte has arrived by then */
	ring_close_socket(p.ring, p.accepted, false);
	p.accepted = -1;
	turn_until(&p, p.receive.ends);
	assert_int_equal(p.receive.result, -ECONNRESET);
	close_pair(&p);
}

static void half_closed_still_receives(void **state)
{
	struct pair p;
	char *bytes = make_bytes(3000);
	struct iovec iov = {.iov_base = bytes, .iov_len = 3000};
	struct heard other = {.op.done = on_heard};

	(void)state;
	open_pair(&p);
	ring_receive(p.ring, &p.receive.op, p.accepted);
	ring_receive(p.ring, &other.op, p.connected);
	ring_shutdown(p.ring, p.connected, SHUT_WR);
	turn_until(&p, p.receive.ends);
	assert_int_equal(p.receive.result, 0);
	ring_send(p.ring, &p.send.op, p.accepted, &iov, 1);
	turn_until(&p, other.bytes == 3000 && p.send.ends);
	ring_close_socket(p.ring, p.accepted, false);
	p.accepted = -1;
	turn_until(&p, other.ends);
	assert_int_equal(other.result, 0);
	close_pair(&p);
	free(bytes);
}

static void connect_is_cancelled_or_made(void **state)
{
	struct pair p = {.accepted = -1, .connected = -1};

	(void)state;
	contract_open(&p);
	p.listener = contract_listen(&p);
	p.connect.op.done = on_heard;
	ring_connect(p.ring, &p.connect.op, (const struct sockaddr *)&p.address, sizeof(struct sockaddr_in));
	ring_cancel(p.ring, &p.connect.op);
	turn_until(&p, p.connect.ends);
	assert_true(p.connect.result == -ECANCELED || p.connect.result == 0);
	assert_int_equal(p.connect.op.socket >= 0, p.connect.result == 0);
	if (p.connect.result == 0)
		ring_close_socket(p.ring, p.connect.op.socket, true);
	ring_close_socket(p.ring, p.listener, false);
	turn(&p, 0);
	contract_close(&p);
}

static void turn_ends_at_its_time_or_when_woken(void **state)
{
	struct pair p = {0};
	uint64_t begun_ns, now_ns = 0;

	(void)state;
	contract_open(&p);
	begun_ns = clock_monotonic_ns();
	while (now_ns < begun_ns + NS_PER_MS)
		assert_int_equal(ring_turn(p.ring, begun_ns + NS_PER_MS, &now_ns), 0);
	ring_wake(p.ring, NULL);
	assert_true(ring_turn(p.ring, UINT64_MAX, &now_ns) >= 0); /* does not wait for ever */
	contract_close(&p);
}

/* ---- Running them ---- */

struct contract_check {
	void (*run)(void **state);
};

static inline void run_rounds(void **state)
{
	const struct contract_check *check = *state;

	for (unsigned round = 0; round < contract_rounds(); round++) {
		contract_begin(round);
		check->run(state);
	}
}

#define CONTRACT(check)                                                                                                \
	{                                                                                                              \
		.name = #check, .test_func = run_rounds, .initial_state = &(struct contract_check)                     \
		{                                                                                                      \
			check                                                                                          \
		}                                                                                                      \
	}

static inline int run_contract(const char *name)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(accept_tells_who_connected),
		CONTRACT(connect_to_nobody_is_refused),
		CONTRACT(bytes_arrive_once_and_in_order),
		CONTRACT(empty_pool_is_the_rings_own_matter),
		CONTRACT(starved_receive_is_cancelled),
		CONTRACT(send_without_room_is_cancelled),
		CONTRACT(reset_ends_receive_and_send),
		CONTRACT(close_with_unread_bytes_resets),
		CONTRACT(half_closed_still_receives),
		CONTRACT(connect_is_cancelled_or_made),
		CONTRACT(turn_ends_at_its_time_or_when_woken),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

#endif
