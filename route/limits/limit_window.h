/*
 * How much was used lately, against a limit: a sliding window, a UTC day, and a pace. Pure: time is an argument,
 * monotonic for windows and paces, wall for days, and never goes back between two calls on one of them.
 *
 * A window of length W is a ring of slots of W/60. What was debited at t counts until its whole slot is W +
 * LIMIT_LEASE_NS old, which gives two bounds. Never more than the limit is used in any interval of length W, exactly:
 * whatever was used in it was debited at most LIMIT_LEASE_NS earlier, and still counted when the last of it was
 * debited. And with demand waiting, every interval of W + W/60 + LIMIT_LEASE_NS admits the limit, less what the largest
 * cost leaves unfilled.
 */
#ifndef ROUTE_LIMIT_WINDOW_H
#define ROUTE_LIMIT_WINDOW_H

#include "core/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* 60 whole slots, the one that has begun, the one that a lease's time keeps: 62 at most count. */
enum { LIMIT_SLOTS = 64, LIMIT_WINDOW_SLOTS = 60 };

/* A unit that was lent by its meter's shard is used before so much time is over, or given back. */
#define LIMIT_LEASE_NS (20 * NS_PER_MS)
#define LIMIT_MINUTE_NS (60 * NS_PER_S)
#define LIMIT_HOUR_NS (3600 * NS_PER_S)
#define LIMIT_DAY_NS (86400 * NS_PER_S)
#define LIMIT_NEVER_NS UINT64_MAX

struct limit_window {
	uint64_t length_ns;
	uint64_t first, last; /* numbers of the oldest slot that may hold something, and of the newest */
	uint64_t used;        /* the sum of the slots */
	uint64_t slots[LIMIT_SLOTS];
};

void limit_window_init(struct limit_window *window, uint64_t length_ns);
void limit_window_advance(struct limit_window *window, uint64_t now_ns); /* before each of the following */
void limit_window_debit(struct limit_window *window, uint64_t at_ns, uint64_t amount); /* at_ns: now, or earlier */

/* Takes back what was debited at that time, if it still counts; never more than its slot holds. */
void limit_window_credit(struct limit_window *window, uint64_t debited_ns, uint64_t amount);

/* When `amount` more fits: now_ns when it does, LIMIT_NEVER_NS when it is more than the limit. */
uint64_t limit_window_fits_ns(const struct limit_window *window, uint64_t now_ns, uint64_t limit, uint64_t amount);

/* When nothing of it counts any more. */
uint64_t limit_window_free_ns(const struct limit_window *window, uint64_t now_ns);

struct limit_day {
	uint64_t day; /* since 1970, UTC */
	uint64_t used;
};

/* A new day begins at nothing. A clock set back over midnight does not bring a day again; one that was days wrong does.
 */
void limit_day_advance(struct limit_day *day, uint64_t wall_ns);
void limit_day_credit(struct limit_day *day, uint64_t debited_day, uint64_t amount);
uint64_t limit_day_left_ns(uint64_t wall_ns); /* until the next one */

/*
 * A pace instead of a window (GCRA): each unit takes its share of the length, and what comes faster is refused. A
 * second's worth of a minute, a minute's of an hour, may come at once. At most limit * 61/60 + 1 units in any interval
 * of the length.
 */
struct limit_pace {
	uint64_t busy_until_ns; /* what was admitted takes until then */
};

uint64_t limit_pace_cost_ns(uint64_t length_ns, uint64_t limit, uint64_t amount);
uint64_t limit_pace_fits_ns(
	const struct limit_pace *pace, uint64_t now_ns, uint64_t length_ns, uint64_t limit, uint64_t amount);
void limit_pace_debit(struct limit_pace *pace, uint64_t now_ns, uint64_t cost_ns);
void limit_pace_credit(struct limit_pace *pace, uint64_t cost_ns);
uint64_t limit_pace_left(const struct limit_pace *pace, uint64_t now_ns, uint64_t length_ns, uint64_t limit);

#endif
