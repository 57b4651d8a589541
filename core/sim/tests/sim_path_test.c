/* Outages in the simulated world: what cannot pass waits and then comes, once and in order; a wedged machine is late.
 */
#include "core/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "core/shard.h"

#include <cmocka.h>

enum { PORT = 80, SEEDS = 40, NOTHING_YET = 1 };

#define OUTAGE_NS (5 * NS_PER_S)
#define LATEST_NS (OUTAGE_NS / 2 + NS_PER_S / 100) /* behind its end */

struct end {
	struct sim_peer peer;
	char text[64];
	size_t size;
	uint64_t at_ns; /* of the last that came */
	int connected, closed;
};

struct pair {
	struct sim *sim;
	struct sim_host *a, *b;
	struct sim_listener listener;
	struct end caller, called;
	uint64_t begun_ns;
};

static void on_received(struct sim_peer *peer, const char *bytes, size_t size)
{
	struct end *end = peer->user;
	struct pair *pair = container_of(end, struct pair, called);

	assert_true(end->size + size < sizeof(end->text));
	memcpy(end->text + end->size, bytes, size);
	end->size += size;
	end->at_ns = sim_now_ns(pair->sim);
}

static void on_received_back(struct sim_peer *peer, const char *bytes, size_t size)
{
	struct end *end = peer->user;

	(void)bytes;
	end->size += size;
	end->at_ns = sim_now_ns(container_of(end, struct pair, caller)->sim);
}

static void on_connected(struct sim_peer *peer, int result)
{
	struct end *end = peer->user;

	end->connected = result;
	end->at_ns = sim_now_ns(container_of(end, struct pair, caller)->sim);
}

static void on_closed(struct sim_peer *peer, int result)
{
	struct end *end = peer->user;

	end->closed = result;
}

static struct sim_peer *on_accept(struct sim_listener *listener, const struct sockaddr_storage *from)
{
	struct pair *pair = listener->user;

	(void)from;
	pair->called.peer = (struct sim_peer){.received = on_received, .closed = on_closed, .user = &pair->called};
	return &pair->called.peer;
}

static void call(struct pair *pair)
{
	struct sockaddr_storage address;

	sim_host_address(pair->b, PORT, &address);
	pair->caller.connected = NOTHING_YET;
	pair->caller.peer = (struct sim_peer){
		.connected = on_connected, .received = on_received_back, .closed = on_closed, .user = &pair->caller};
	pair->begun_ns = sim_now_ns(pair->sim);
	sim_peer_connect(&pair->caller.peer, pair->a, &address);
}

static void wait_for(const struct pair *pair, uint64_t ns)
{
	sim_run_until(pair->sim, sim_now_ns(pair->sim) + ns);
}

static void open_pair(struct pair *pair, uint64_t seed)
{
	const struct sim_options options = {.network = {.split = SIM_ALWAYS / 2, .connect_timeout_ns = 20 * NS_PER_S}};

	*pair = (struct pair){.sim = sim_open(seed, &options)};
	assert_non_null(pair->sim);
	pair->a = sim_host_add(pair->sim, "a", "10.0.0.1");
	pair->b = sim_host_add(pair->sim, "b", "10.0.0.2");
	pair->listener = (struct sim_listener){.accept = on_accept, .user = pair};
	assert_int_equal(sim_listen(&pair->listener, pair->b, PORT), 0);
}

static void close_pair(struct pair *pair)
{
	sim_peer_reset(&pair->caller.peer);
	sim_peer_reset(&pair->called.peer);
	sim_close(pair->sim);
}

static void one_direction_waits_and_the_other_does_not(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct pair pair;
		uint64_t cut_ns;

		open_pair(&pair, seed);
		call(&pair);
		wait_for(&pair, NS_PER_S);
		assert_int_equal(pair.caller.connected, 0);
		sim_peer_send(&pair.caller.peer, "under way, ", 11);
		cut_ns = sim_now_ns(pair.sim);
		sim_path_cut(pair.a, pair.b, OUTAGE_NS);
		sim_peer_send(&pair.caller.peer, "and behind", 10);
		sim_peer_send(&pair.called.peer, "back", 4);
		sim_peer_shutdown(&pair.caller.peer);
		wait_for(&pair, NS_PER_S);
		assert_int_equal(pair.caller.size, 4);
		assert_int_equal(pair.called.size, 0);
		wait_for(&pair, 20 * NS_PER_S);
		assert_int_equal(pair.called.size, 21);
		assert_memory_equal(pair.called.text, "under way, and behind", 21);
		assert_in_range(pair.called.at_ns, cut_ns + OUTAGE_NS, cut_ns + OUTAGE_NS + LATEST_NS);
		assert_int_equal(pair.called.closed, 0);
		close_pair(&pair);
	}
}

static void who_connects_waits_or_gives_up(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		bool back = seed % 2, for_long = seed % 4 < 2;
		struct pair pair;
		uint64_t took_ns;

		open_pair(&pair, seed);
		sim_path_cut(back ? pair.b : pair.a, back ? pair.a : pair.b, for_long ? 60 * NS_PER_S : OUTAGE_NS);
		call(&pair);
		wait_for(&pair, 100 * NS_PER_S);
		took_ns = pair.caller.at_ns - pair.begun_ns;
		assert_int_equal(pair.caller.connected, for_long ? -ETIMEDOUT : 0);
		if (for_long)
			assert_in_range(took_ns, 20 * NS_PER_S, 21 * NS_PER_S);
		else
			assert_in_range(took_ns, OUTAGE_NS, OUTAGE_NS + LATEST_NS);
		close_pair(&pair);
	}
}

static void calm_heals(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, 1);
	call(&pair);
	wait_for(&pair, NS_PER_S);
	sim_path_cut(pair.a, pair.b, 1000 * NS_PER_S);
	sim_peer_send(&pair.caller.peer, "now", 3);
	wait_for(&pair, NS_PER_S);
	assert_int_equal(pair.called.size, 0);
	sim_calm(pair.sim);
	wait_for(&pair, NS_PER_S);
	assert_int_equal(pair.called.size, 3);
	close_pair(&pair);
}

/* ---- A machine that stands still ---- */

struct sleeper {
	struct shard shard;
	struct timer timer;
	uint64_t started_ns, woken_ns;
};

static void on_timer(struct timer *timer)
{
	container_of(timer, struct sleeper, timer)->woken_ns = clock_monotonic_ns();
}

static void on_start(struct shard *shard)
{
	struct sleeper *sleeper = container_of(shard, struct sleeper, shard);

	sleeper->started_ns = clock_monotonic_ns();
	timer_init(&sleeper->timer, on_timer);
	timer_arm(&shard->timers, &sleeper->timer, sleeper->started_ns + NS_PER_S);
}

static void wedged_machine_is_late(void **state)
{
	const struct shard_options options = {.name = "shard",
		.cpu = -1,
		.on_start = on_start,
		.ring = {.entry_count = 8, .buffer_count = 16, .buffer_bytes = 1024}};
	struct sim *sim = sim_open(1, NULL);
	struct sim_host *host = sim_host_add(sim, "a", "10.0.0.1");
	struct sim_process *process = sim_process_start(host);
	struct sleeper sleeper = {0};
	char why[256];

	(void)state;
	sim_process_enter(process);
	assert_int_equal(shard_open(&sleeper.shard, &options, why, sizeof(why)), 0);
	assert_int_equal(shard_start(&sleeper.shard), 0);
	sim_process_leave();
	sim_run_until(sim, sim_now_ns(sim) + NS_PER_S / 2);
	assert_int_not_equal(sleeper.started_ns, 0);
	sim_host_wedge(host, 3 * NS_PER_S);
	sim_run_until(sim, sim_now_ns(sim) + 2 * NS_PER_S);
	assert_int_equal(sleeper.woken_ns, 0);
	sim_run_until(sim, sim_now_ns(sim) + 2 * NS_PER_S);
	assert_in_range(sleeper.woken_ns, sleeper.started_ns + 3 * NS_PER_S, sleeper.started_ns + 4 * NS_PER_S);
	sim_process_kill(process);
	sim_close(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_direction_waits_and_the_other_does_not),
		cmocka_unit_test(who_connects_waits_or_gives_up),
		cmocka_unit_test(calm_heals),
		cmocka_unit_test(wedged_machine_is_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
