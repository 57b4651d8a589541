/*
 * Turns of a ring or shard until something holds, for tests on real sockets: no sleep, and no dependence on how fast
 * the machine is.
 *
 *   turn_until(shard_turn(&world->shard, turn_end_ns(turns)), world->accepted == 3);
 */
#ifndef CORE_TESTS_TURNS_H
#define CORE_TESTS_TURNS_H

#include "core/clock.h"

enum { TURNS_MAX = 30000, TURNS_AT_ONCE = 1000 };

/* Until when turn number `turns` may wait: the first not at all, others a little, since the kernel's own threads may
 * have their part still before them. */
static inline uint64_t turn_end_ns(unsigned turns)
{
	return turns < TURNS_AT_ONCE ? 0 : clock_monotonic_ns() + NS_PER_MS;
}

/* `turn` is an expression in which `turns` counts from 0. */
#define turn_until(turn, condition)                                                                                    \
	do {                                                                                                           \
		for (unsigned turns = 0; !(condition) && turns < TURNS_MAX; turns++)                                   \
			turn;                                                                                          \
		assert_true(condition);                                                                                \
	} while (0)

#endif
