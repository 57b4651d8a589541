/*
 * Timers of one shard: a hierarchical wheel of 1 ms ticks. Pure: time is an argument. A timer is embedded in its owner,
 * armed and disarmed in constant time, and fires once, never early, at most one tick late by the wheel itself.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/list.h"

#include <stdbool.h>
#include <stdint.h>

struct timer;
typedef void timer_expired(struct timer *timer);

struct timer {
	timer_expired *expired;
	uint64_t deadline_ns; /* 0: not armed */
	struct list link;
};

enum { TIMER_LEVELS = 5, TIMER_SLOTS = 64 };

struct timers {
	uint64_t now_tick; /* last tick that ran */
	uint32_t armed_count;
	uint64_t occupied[TIMER_LEVELS]; /* bit s: slot s of the level has members */
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timers_init(struct timers *timers, uint64_t now_ns);

static inline void timer_init(struct timer *timer, timer_expired *expired)
{
	timer->expired = expired;
	timer->deadline_ns = 0;
	list_init(&timer->link);
}

static inline bool timer_armed(const struct timer *timer)
{
	return timer->deadline_ns != 0;
}

/* Arms, or moves one that is armed. A deadline in the past fires on the next run. */
void timer_arm(struct timers *timers, struct timer *timer, uint64_t deadline_ns);
void timer_disarm(struct timers *timers, struct timer *timer);

/* Runs what expired by `now_ns`; a callback may arm and disarm any timer. */
void timers_run(struct timers *timers, uint64_t now_ns);

/* When to call timers_run() next; UINT64_MAX when nothing is armed. May be earlier than a deadline, never later. */
uint64_t timers_next_ns(const struct timers *timers);

#endif
