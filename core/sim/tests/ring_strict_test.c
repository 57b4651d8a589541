/*
 * What the simulated ring does not let pass: each fault is planted in a child, which must end in an assertion. A check
 * that the real kernel cannot make is worth nothing if it cannot fail.
 */
#include "core/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/ring.h"

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#define UNDER_ASAN __has_feature(address_sanitizer)
#else
#define UNDER_ASAN 0
#endif

enum { PORT = 80, BUFFERS = 4, BUFFER_BYTES = 256, SIZE = 1 << 20 };

struct world {
	struct sim *sim;
	struct ring *ring;
	struct accepting accepting;
	struct op connect, receive, send, other;
	struct buffer *received;
	struct iovec iov;
	int listener, accepted;
};

static void on_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	(void)flags;
	(void)buffer;
	container_of(op, struct world, accepting.op)->accepted = result;
}

static void on_received(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	(void)result;
	(void)flags;
	container_of(op, struct world, receive)->received = buffer;
}

static void on_let_go(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	(void)op;
	(void)result;
	(void)flags;
	buffer_give(&buffer);
}

static void on_done(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	(void)op;
	(void)result;
	(void)flags;
	(void)buffer;
}

static void turn_for(struct world *w, uint64_t ns)
{
	uint64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + ns;

	while (now_ns < until_ns)
		ring_turn(w->ring, until_ns, &now_ns);
}

/* Two ends of one connection, both on this ring, and a megabyte that does not fit into it. */
static void open_world(struct world *w)
{
	const struct ring_options options = {.entry_count = 8, .buffer_count = BUFFERS, .buffer_bytes = BUFFER_BYTES};
	const struct sim_options small = {.window_min_bytes = 4096, .window_max_bytes = 4096};
	struct sockaddr_storage address;
	struct sim_host *host;
	char why[64];

	memset(w, 0, sizeof(*w));
	w->sim = sim_open(1, &small);
	host = sim_host_add(w->sim, "node", "10.0.0.1");
	sim_process_enter(sim_process_start(host));
	ring_open(&w->ring, &options, why, sizeof(why));
	ring_enable(w->ring);
	sim_host_address(host, PORT, &address);
	w->accepting.op.done = on_accepted;
	w->receive.done = on_received;
	w->connect.done = w->send.done = w->other.done = on_done;
	w->iov = (struct iovec){.iov_base = calloc(1, SIZE), .iov_len = SIZE};
	w->listener = ring_listen(w->ring, &address, 4, true);
	ring_accept(w->ring, &w->accepting, w->listener);
	ring_connect(w->ring, &w->connect, (const struct sockaddr *)&address, sizeof(struct sockaddr_in));
	turn_for(w, NS_PER_S);
}

static void no_fault(struct world *w)
{
	ring_receive(w->ring, &w->receive, w->accepted);
	ring_close_socket(w->ring, w->connect.socket, false);
	turn_for(w, NS_PER_S);
	ring_close_socket(w->ring, w->accepted, false);
	turn_for(w, NS_PER_S);
}

static void close_under_an_operation(struct world *w)
{
	ring_receive(w->ring, &w->receive, w->accepted);
	ring_close_socket(w->ring, w->accepted, false);
}

static void use_after_close(struct world *w)
{
	ring_close_socket(w->ring, w->accepted, false);
	ring_receive(w->ring, &w->receive, w->accepted);
}

static void close_twice(struct world *w)
{
	ring_close_socket(w->ring, w->accepted, false);
	turn_for(w, NS_PER_S);
	ring_close_socket(w->ring, w->accepted, false);
}

static void start_twice(struct world *w)
{
	ring_receive(w->ring, &w->receive, w->accepted);
	ring_receive(w->ring, &w->receive, w->accepted);
}

static void two_sends_at_once(struct world *w)
{
	ring_send(w->ring, &w->send, w->connect.socket, &w->iov, 1);
	ring_send(w->ring, &w->other, w->connect.socket, &w->iov, 1);
	turn_for(w, NS_PER_S);
}

static void change_bytes_under_a_send(struct world *w)
{
	ring_send(w->ring, &w->send, w->connect.socket, &w->iov, 1);
	turn_for(w, NS_PER_S);
	((char *)w->iov.iov_base)[SIZE / 2] = 1;
	w->receive.done = on_let_go; /* makes room for the rest */
	ring_receive(w->ring, &w->receive, w->accepted);
	turn_for(w, NS_PER_S);
}

static void give_a_buffer_twice(struct world *w)
{
	struct buffer *again;

	w->iov.iov_len = 1;
	ring_receive(w->ring, &w->receive, w->accepted);
	ring_send(w->ring, &w->send, w->connect.socket, &w->iov, 1);
	turn_for(w, NS_PER_S);
	again = w->received;
	buffer_give(&w->received);
	buffer_give(&again);
}

static void close_ring_under_an_operation(struct world *w)
{
	ring_receive(w->ring, &w->receive, w->accepted);
	ring_close(w->ring);
}

static void cancel_what_has_ended(struct world *w)
{
	ring_cancel(w->ring, &w->connect);
}

static int end_of_child(void (*fault)(struct world *w))
{
	static struct world w;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit no_core = {0};

		setrlimit(RLIMIT_CORE, &no_core);
		fclose(stderr); /* the assertion's words are not of interest */
		open_world(&w);
		fault(&w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void faults_end_in_assertions(void **state)
{
	static void (*const faults[])(struct world * w) = {close_under_an_operation, use_after_close, close_twice,
		start_twice, two_sends_at_once, change_bytes_under_a_send, give_a_buffer_twice,
		close_ring_under_an_operation, cancel_what_has_ended};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		int status = end_of_child(faults[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("fault %zu was not found: status %d", i, status);
	}
}

static void right_use_ends_well(void **state)
{
	(void)state;
	assert_int_equal(end_of_child(no_fault), 0);
}

/* What a buffer held is gone once it was given. (Under AddressSanitizer looking would itself be the error.) */
static void given_buffers_are_poisoned(void **state)
{
#if !UNDER_ASAN
	struct world w;
	const char *bytes;

	open_world(&w);
	w.iov.iov_len = 4;
	ring_receive(w.ring, &w.receive, w.accepted);
	ring_send(w.ring, &w.send, w.connect.socket, &w.iov, 1);
	turn_for(&w, NS_PER_S);
	bytes = w.received->data;
	assert_memory_equal(bytes, "\0\0\0\0", 4);
	buffer_give(&w.received);
	assert_memory_equal(bytes, "\xdb\xdb\xdb\xdb", 4);
	sim_process_leave();
	sim_close(w.sim);
	free(w.iov.iov_base);
#endif
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_end_in_assertions),
		cmocka_unit_test(right_use_ends_well),
		cmocka_unit_test(given_buffers_are_poisoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
