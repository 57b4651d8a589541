/* Prompts keep their replica, loads stay bounded, and a simulation of servers that keep the beginnings of prompts. */
#include "route/fleet/affinity.h"
#include "route/fleet/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { REPLICAS = 4, PROMPTS = 2000 };

static const uint64_t replicas[REPLICAS] = {
	0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000};

static uint64_t prompt_of(unsigned number)
{
	return (number + 1) * 0x9e3779b97f4a7c15;
}

static void prompts_keep_their_replica(void **state)
{
	static const uint32_t idle[REPLICAS];
	unsigned counts[REPLICAS] = {0};

	(void)state;
	for (unsigned i = 0; i < PROMPTS; i++) {
		unsigned all = affinity_choose(replicas, idle, REPLICAS, prompt_of(i));
		unsigned fewer = affinity_choose(replicas, idle, REPLICAS - 1, prompt_of(i));

		counts[all]++;
		assert_true(all == fewer || all == REPLICAS - 1);
	}
	for (unsigned i = 0; i < REPLICAS; i++)
		assert_in_range(counts[i], PROMPTS / REPLICAS * 8 / 10, PROMPTS / REPLICAS * 12 / 10);
}

static void loads_are_bounded(void **state)
{
	uint32_t in_flight[REPLICAS] = {0};

	(void)state;
	for (unsigned i = 1; i <= 1000; i++) { /* all ask the same */
		in_flight[affinity_choose(replicas, in_flight, REPLICAS, prompt_of(0))]++;
		for (unsigned r = 0; r < REPLICAS; r++)
			assert_true(in_flight[r] <= (i * 5 + 4 * REPLICAS - 1) / (4 * REPLICAS));
	}
	assert_int_equal(affinity_choose(replicas, in_flight, 1, prompt_of(0)), 0);
}

/* ---- servers that each keep the last KEPT beginnings, and conversations that take turns ---- */

enum { CONVERSATIONS = 160, KEPT = 60, TURNS = 20000 };

struct cache {
	unsigned conversations[KEPT], count;
};

/* Moves it to the front; false when it had gone. */
static int touch(struct cache *cache, unsigned conversation)
{
	unsigned at = 0;

	while (at < cache->count && cache->conversations[at] != conversation)
		at++;
	if (at == cache->count && cache->count < KEPT)
		cache->count++;
	memmove(cache->conversations + 1, cache->conversations,
		(at < cache->count ? at : cache->count - 1) * sizeof(cache->conversations[0]));
	cache->conversations[0] = conversation;
	return at < cache->count && at != cache->count - 1;
}

static unsigned hits_percent(int affinity)
{
	struct balance_option options[REPLICAS];
	struct cache caches[REPLICAS] = {0};
	uint32_t idle[REPLICAS] = {0};
	struct rand rand;
	unsigned hits = 0;

	rand_seed(&rand, 7);
	for (unsigned i = 0; i < REPLICAS; i++)
		options[i] = (struct balance_option){.weight = 1, .warm_percent = 100};
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned conversation = (unsigned)rand_below(&rand, CONVERSATIONS);
		unsigned replica = affinity ? affinity_choose(replicas, idle, REPLICAS, prompt_of(conversation))
					    : balance_choose(options, REPLICAS, &rand, 1);

		hits += touch(&caches[replica], conversation) != 0;
	}
	return hits * 100 / TURNS;
}

static void kept_prompts_are_found(void **state)
{
	unsigned with = hits_percent(1), without = hits_percent(0);

	(void)state;
	print_message("prompts found where they were kept: %u %% with affinity, %u %% without\n", with, without);
	assert_true(with >= 90);
	assert_true(without <= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prompts_keep_their_replica),
		cmocka_unit_test(loads_are_bounded),
		cmocka_unit_test(kept_prompts_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
