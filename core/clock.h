/*
 * The time. Everything that asks for time asks here, so that the simulation can link another implementation. On a shard
 * ask shard_now_ns() instead, which is read once a turn.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define NS_PER_DAY (86400 * NS_PER_S)

/* Monotonic, for intervals. */
uint64_t clock_monotonic_ns(void);

/* Unix time, for records only: it may step. */
uint64_t clock_wall_ns(void);

#endif
