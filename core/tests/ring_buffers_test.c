/*
 * Receive buffers on a real ring: all of them can be out at once, receives wait for the rest, and calm turns reuse a
 * few; and how many of them one socket takes in a turn.
 */
#include "core/tests/turns.h"
#include "core/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	BUFFERS = 256,
	BUFFER_BYTES = 2048,
	PAIRS = BUFFERS + 20,
	CALM_RECEIVES = 2000,
	FLOOD_BUFFERS = RING_RECEIVE_BYTES / BUFFER_BYTES + 16,
};

struct receiver {
	struct op op;
	struct world *world;
	int ours, theirs;
	unsigned received;
	struct buffer *buffer; /* the last one, kept when the world keeps */
	bool ended;
};

struct world {
	struct ring *ring;
	struct receiver receivers[PAIRS];
	unsigned receiver_count, received, ended, distinct;
	bool keeps;
	bool seen[BUFFERS];
};

static void on_received(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct receiver *r = container_of(op, struct receiver, op);
	struct world *w = r->world;

	if (!(flags & OP_MORE)) {
		r->ended = true;
		w->ended++;
		return;
	}
	assert_true(result == 1 || result == BUFFER_BYTES);
	assert_int_equal(buffer->data[0], 'x');
	assert_true(buffer->index < BUFFERS);
	w->distinct += !w->seen[buffer->index];
	w->seen[buffer->index] = true;
	r->received++;
	w->received++;
	if (w->keeps)
		r->buffer = buffer;
	else
		buffer_give(&buffer);
}

static void open_receivers(
	struct world *w, unsigned count, void (*receive)(struct ring *ring, struct op *op, int socket))
{
	w->receiver_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct receiver *r = &w->receivers[i];
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		*r = (struct receiver){.op.done = on_received, .world = w, .ours = pair[0], .theirs = pair[1]};
		receive(w->ring, &r->op, r->ours);
	}
}

static void say(struct receiver *r)
{
	assert_int_equal(write(r->theirs, "x", 1), 1);
}

static void turn_until_heard(struct world *w, const unsigned *count, unsigned wanted)
{
	uint64_t now_ns;

	turn_until(assert_true(ring_turn(w->ring, turn_end_ns(turns), &now_ns) >= 0), *count >= wanted);
	assert_int_equal(*count, wanted);
}

static int set_up(void **state)
{
	static struct world w;
	struct ring_options options = {.entry_count = 512, .buffer_count = BUFFERS, .buffer_bytes = BUFFER_BYTES};
	struct rlimit files = {4096, 4096};
	char why[256] = "";

	memset(&w, 0, sizeof(w));
	setrlimit(RLIMIT_NOFILE, &files);
	assert_int_equal(ring_open(&w.ring, &options, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(w.ring), 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < w->receiver_count; i++)
		buffer_give(&w->receivers[i].buffer);
	for (unsigned i = 0; i < w->receiver_count; i++)
		close(w->receivers[i].theirs);
	turn_until_heard(w, &w->ended, w->receiver_count);
	for (unsigned i = 0; i < w->receiver_count; i++)
		close(w->receivers[i].ours);
	assert_int_equal(ring_buffers_held(w->ring), 0);
	ring_close(w->ring);
	return 0;
}

/* More receives at once than the kernel is given buffers at first: none is lost, and no more wait than there are
 * buffers. */
static void test_a_burst_takes_every_buffer(void **state)
{
	struct world *w = *state;
	uint64_t now_ns;
	unsigned before;

	w->keeps = true;
	open_receivers(w, PAIRS, ring_receive);
	for (unsigned i = 0; i < PAIRS; i++)
		say(&w->receivers[i]);
	turn_until_heard(w, &w->received, BUFFERS);
	assert_int_equal(w->distinct, BUFFERS);
	assert_int_equal(ring_buffers_held(w->ring), BUFFERS);
	assert_int_equal(ring_counts(w->ring).starved, 0);
	assert_true(ring_turn(w->ring, 0, &now_ns) >= 0);
	assert_int_equal(w->received, BUFFERS);
	assert_int_equal(ring_counts(w->ring).starved, 1);
	for (unsigned i = 0; i < PAIRS; i++)
		assert_true(w->receivers[i].received <= 1);
	/* Each buffer that comes back serves one of those that wait. */
	for (before = w->received; w->received < PAIRS; before = w->received) {
		for (unsigned i = 0; i < PAIRS; i++) {
			if (w->receivers[i].buffer) {
				buffer_give(&w->receivers[i].buffer);
				break;
			}
		}
		turn_until_heard(w, &w->received, before + 1);
	}
}

/* What is given back is used again soon: a calm ring works on few of its buffers, so that they stay in the cache. */
static void test_calm_receives_use_few_buffers(void **state)
{
	struct world *w = *state;

	open_receivers(w, 1, ring_receive);
	for (unsigned i = 0; i < CALM_RECEIVES; i++) {
		say(&w->receivers[0]);
		turn_until_heard(w, &w->received, i + 1);
	}
	assert_true(w->distinct <= BUFFERS / 2);
	assert_int_equal(ring_counts(w->ring).starved, 0);
}

static void flood(struct world *w)
{
	static char bytes[FLOOD_BUFFERS * BUFFER_BYTES];

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(write(w->receivers[0].theirs, bytes, sizeof(bytes)), sizeof(bytes));
}

/* All of a flood arrives, but its owner is asked in between. */
static void test_a_turn_takes_so_much_of_a_socket(void **state)
{
	struct world *w = *state;
	uint64_t now_ns;

	if (!(ring_features(w->ring) & RING_RECEIVE_LIMIT))
		skip();
	open_receivers(w, 1, ring_receive);
	flood(w);
	assert_true(ring_turn(w->ring, 0, &now_ns) >= 0);
	assert_true(w->received > 0);
	assert_true(w->received <= RING_RECEIVE_BYTES / BUFFER_BYTES);
	turn_until_heard(w, &w->received, FLOOD_BUFFERS);
}

static void test_gently_one_buffer_a_turn(void **state)
{
	struct world *w = *state;
	uint64_t now_ns;

	open_receivers(w, 1, ring_receive_gently);
	flood(w);
	for (unsigned i = 0; i < FLOOD_BUFFERS; i++) {
		assert_int_equal(w->received, i);
		assert_true(ring_turn(w->ring, 0, &now_ns) >= 0);
	}
	assert_true(w->receivers[0].op.gentle);
	say(&w->receivers[0]);
	turn_until_heard(w, &w->received, FLOOD_BUFFERS + 1);
	assert_false(w->receivers[0].op.gentle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_burst_takes_every_buffer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_calm_receives_use_few_buffers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_turn_takes_so_much_of_a_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gently_one_buffer_a_turn, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
