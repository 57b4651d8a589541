/* Shards in the simulated world: a lost wake-up leaves its letter unopened; names and the wall clock are the world's.
 */
#include "core/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/resolve.h"
#include "core/shard.h"

#include <cmocka.h>

enum { SEEDS = 60 };

static void start_shard(struct shard *shard, void (*on_start)(struct shard *), unsigned index)
{
	const struct shard_options options = {.name = "shard",
		.index = index,
		.cpu = -1,
		.seed = index,
		.on_start = on_start,
		.ring = {.entry_count = 8, .buffer_count = 16, .buffer_bytes = 1024}};
	char why[256] = "";

	assert_int_equal(shard_open(shard, &options, why, sizeof(why)), 0);
	assert_int_equal(shard_start(shard), 0);
}

/* ---- Shards that post to each other ---- */

struct partner {
	struct shard shard;
	struct partner *other;
	struct letter letter;
	uint64_t posted_ns, late_ns;
	unsigned opened;
	bool forgets; /* to wake: the planted fault */
};

enum { LETTERS = 50 };

static void open_letter(struct letter *letter);

static void post(struct partner *from)
{
	struct partner *to = from->other;

	from->letter.open = open_letter;
	from->posted_ns = clock_monotonic_ns();
	if (from->forgets)
		mailbox_post(&to->shard.mailbox, &from->letter);
	else
		shard_post(&to->shard, &from->letter, &from->shard);
}

static void open_letter(struct letter *letter)
{
	struct partner *from = container_of(letter, struct partner, letter), *to = from->other;
	uint64_t late_ns = clock_monotonic_ns() - from->posted_ns;

	if (late_ns > to->late_ns)
		to->late_ns = late_ns;
	if (++to->opened < LETTERS)
		post(to);
}

static void on_partner_start(struct shard *shard)
{
	struct partner *p = container_of(shard, struct partner, shard);

	if (shard->index == 0)
		post(p);
}

/* Whether all letters were opened while anything still happened. */
static bool letters_pass(uint64_t seed, bool forgets)
{
	struct sim *sim = sim_open(seed, NULL);
	struct sim_process *process = sim_process_start(sim_host_add(sim, "node", "10.0.0.1"));
	struct partner *partners = calloc(2, sizeof(*partners));
	bool passed;

	assert_non_null(partners);
	partners[0].other = &partners[1];
	partners[1].other = &partners[0];
	partners[0].forgets = forgets;
	sim_process_enter(process);
	for (unsigned i = 0; i < 2; i++)
		start_shard(&partners[i].shard, on_partner_start, i);
	sim_process_leave();
	while (sim_step(sim))
		;
	passed = partners[0].opened + partners[1].opened >= 2 * LETTERS - 1;
	if (passed)
		assert_true(partners[0].late_ns < NS_PER_MS && partners[1].late_ns < NS_PER_MS);
	sim_process_enter(process);
	for (unsigned i = 0; i < 2; i++)
		shard_stop(&partners[i].shard);
	for (unsigned i = 0; i < 2; i++) {
		shard_join(&partners[i].shard);
		shard_close(&partners[i].shard);
	}
	sim_process_leave();
	sim_close(sim);
	free(partners);
	return passed;
}

static void lost_wake_up_is_found(void **state)
{
	unsigned found = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_true(letters_pass(seed, false));
		found += !letters_pass(seed, true);
	}
	assert_true(found > SEEDS / 2);
}

/* ---- Names and time ---- */

struct asker {
	struct shard shard;
	struct resolve_query query;
	bool answered;
};

static void on_resolved(struct resolve_query *query)
{
	container_of(query, struct asker, query)->answered = true;
}

static bool is_answered(void *user)
{
	return ((struct asker *)user)->answered;
}

static int ask(struct asker *a, struct sim *sim, struct resolver *resolver, const char *name)
{
	a->answered = false;
	a->query.shard = &a->shard;
	a->query.done = on_resolved;
	a->query.port = 443;
	snprintf(a->query.name, sizeof(a->query.name), "%s", name);
	resolve_start(resolver, &a->query);
	assert_true(sim_run(sim, sim_now_ns(sim) + NS_PER_S, is_answered, a));
	return a->query.result;
}

static void names_are_the_worlds(void **state)
{
	struct sim *sim = sim_open(7, NULL);
	struct sim_process *process = sim_process_start(sim_host_add(sim, "node", "10.0.0.1"));
	static struct asker a;
	struct resolver *resolver;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a.query.addresses[1];
	char why[64];

	(void)state;
	sim_process_enter(process);
	assert_int_equal(resolver_open(&resolver, why, sizeof(why)), 0);
	start_shard(&a.shard, NULL, 0);
	assert_int_equal(sim_name_set(sim, "api.example", 0, "fd00::1 10.0.0.9", 30), 0);
	assert_int_equal(ask(&a, sim, resolver, "api.example"), 0);
	assert_int_equal(a.query.count, 2);
	assert_int_equal(a.query.ttl_s, 30);
	assert_int_equal(a.query.addresses[0].ss_family, AF_INET6);
	assert_int_equal(v4->sin_addr.s_addr, inet_addr("10.0.0.9"));
	assert_int_equal(ntohs(v4->sin_port), 443);
	assert_int_equal(sim_name_set(sim, "api.example", -ETIMEDOUT, NULL, 0), 0);
	assert_int_equal(ask(&a, sim, resolver, "api.example"), -ETIMEDOUT);
	assert_int_equal(ask(&a, sim, resolver, "other.example"), -ENOENT);
	assert_int_equal(ask(&a, sim, resolver, "localhost"), 0);
	a.answered = false;
	resolve_start(resolver, &a.query);
	resolver_close(resolver);
	shard_stop(&a.shard);
	shard_join(&a.shard);
	shard_close(&a.shard);
	sim_process_leave();
	sim_close(sim);
}

static void wall_steps_and_monotonic_does_not(void **state)
{
	struct sim *sim = sim_open(1, &(struct sim_options){.wall_ns = 5000 * NS_PER_S});
	struct sim_host *host = sim_host_add(sim, "node", "10.0.0.1");
	struct sim_process *process = sim_process_start(host);
	uint64_t now_ns = sim_now_ns(sim);

	(void)state;
	sim_process_enter(process);
	assert_int_equal(clock_wall_ns(), 5000 * NS_PER_S);
	sim_step_wall(host, -(int64_t)NS_PER_S);
	sim_run_until(sim, now_ns + 3 * NS_PER_S);
	assert_int_equal(clock_wall_ns(), 5002 * NS_PER_S);
	assert_int_equal(clock_monotonic_ns(), now_ns + 3 * NS_PER_S);
	sim_process_leave();
	sim_close(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_wake_up_is_found),
		cmocka_unit_test(names_are_the_worlds),
		cmocka_unit_test(wall_steps_and_monotonic_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
