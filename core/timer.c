/*
 * The timer wheel. A timer's tick is its deadline in milliseconds, rounded up. It lies in the level of the highest
 * 6-bit digit in which its tick differs from now_tick, in the slot of that digit. So a level's members are all later
 * than every member of the levels below, and (but for the top level) lie in slots above the level's current one: the
 * next event is the lowest bit of the first level that has any. When time reaches a slot of level n > 0, its members
 * move to lower levels.
 *
 * The top level alone is a circle, and holds what is beyond it (more than 12 days ahead) in its last slot, to be placed
 * anew.
 *
 * A run first gathers what expired, then calls back: so a callback that arms for the past is called by the next run.
 */
#include "core/timer.h"

#include "core/clock.h"

#include <assert.h>

enum { DIGIT_BITS = 6, DIGIT_MASK = TIMER_SLOTS - 1, TOP = TIMER_LEVELS - 1 };

_Static_assert(TIMER_SLOTS == 1 << DIGIT_BITS, "a slot for each value of a digit");

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

static uint64_t tick_of_deadline(uint64_t deadline_ns)
{
	return deadline_ns / NS_PER_MS + (deadline_ns % NS_PER_MS != 0);
}

static void place(struct timers *timers, struct timer *timer)
{
	uint64_t tick = tick_of_deadline(timer->deadline_ns), ahead;
	unsigned level = 0, slot;

	if (tick < timers->now_tick)
		tick = timers->now_tick;
	if (tick != timers->now_tick)
		level = (63u - (unsigned)__builtin_clzll(tick ^ timers->now_tick)) / DIGIT_BITS;
	if (level < TOP) {
		slot = digit_of(tick, level);
	} else {
		level = TOP;
		ahead = (tick >> (TOP * DIGIT_BITS)) - (timers->now_tick >> (TOP * DIGIT_BITS));
		if (ahead > DIGIT_MASK)
			ahead = DIGIT_MASK;
		slot = (digit_of(timers->now_tick, TOP) + (unsigned)ahead) & DIGIT_MASK;
	}
	list_append(&timers->slots[level][slot], &timer->link);
	timers->occupied[level] |= 1ull << slot;
}

/*
 * Unlinks; when the timer was alone in a slot of the wheel (its one neighbour is then the slot's head), clears the
 * slot's bit.
 */
static void unlink_timer(struct timers *timers, struct timer *timer)
{
	struct list *neighbour = timer->link.next;
	uintptr_t offset = (uintptr_t)neighbour - (uintptr_t)timers->slots;
	bool alone = neighbour == timer->link.prev && neighbour != &timer->link;

	list_remove(&timer->link);
	if (alone && offset < sizeof(timers->slots)) {
		size_t slot = offset / sizeof(struct list);

		timers->occupied[slot / TIMER_SLOTS] &= ~(1ull << slot % TIMER_SLOTS);
	}
}

/* The tick of the next event, which may be one that only moves timers down a level; UINT64_MAX for none. */
static uint64_t next_tick(const struct timers *timers, unsigned *level)
{
	for (unsigned l = 0; l < TIMER_LEVELS; l++) {
		unsigned shift = l * DIGIT_BITS, current = digit_of(timers->now_tick, l);
		uint64_t occupied = timers->occupied[l], from_current;

		if (!occupied)
			continue;
		*level = l;
		/* Bit 0 is the current slot; below the top nothing lies before it, so nothing wraps. */
		from_current = current ? occupied >> current | occupied << (TIMER_SLOTS - current) : occupied;
		return ((timers->now_tick >> shift) + (unsigned)__builtin_ctzll(from_current)) << shift;
	}
	return UINT64_MAX;
}

void timers_init(struct timers *timers, uint64_t now_ns)
{
	timers->now_tick = now_ns / NS_PER_MS;
	timers->armed_count = 0;
	for (unsigned l = 0; l < TIMER_LEVELS; l++) {
		timers->occupied[l] = 0;
		for (unsigned s = 0; s < TIMER_SLOTS; s++)
			list_init(&timers->slots[l][s]);
	}
}

void timer_arm(struct timers *timers, struct timer *timer, uint64_t deadline_ns)
{
	timer_disarm(timers, timer);
	timer->deadline_ns = deadline_ns ? deadline_ns : 1;
	place(timers, timer);
	timers->armed_count++;
}

void timer_disarm(struct timers *timers, struct timer *timer)
{
	if (!timer_armed(timer))
		return;
	unlink_timer(timers, timer);
	timer->deadline_ns = 0;
	assert(timers->armed_count > 0);
	timers->armed_count--;
}

/* Moves time to `target`; what expires on the way is linked into `due` in order of ticks. */
static void gather(struct timers *timers, uint64_t target, struct list *due)
{
	unsigned level = 0;
	uint64_t tick;

	while ((tick = next_tick(timers, &level)) <= target) {
		struct list *slot = &timers->slots[level][digit_of(tick, level)], moved, *member;

		timers->now_tick = tick;
		timers->occupied[level] &= ~(1ull << digit_of(tick, level));
		list_init(&moved);
		while ((member = list_take_first(slot)))
			list_append(level ? &moved : due, member);
		while ((member = list_take_first(&moved)))
			place(timers, container_of(member, struct timer, link));
	}
	timers->now_tick = target;
}

void timers_run(struct timers *timers, uint64_t now_ns)
{
	uint64_t target = now_ns / NS_PER_MS;
	struct list due, *member;

	if (target < timers->now_tick)
		target = timers->now_tick;
	list_init(&due);
	gather(timers, target, &due);
	while ((member = list_take_first(&due))) {
		struct timer *timer = container_of(member, struct timer, link);

		timer->deadline_ns = 0;
		timers->armed_count--;
		timer->expired(timer);
	}
}

uint64_t timers_next_ns(const struct timers *timers)
{
	unsigned level;
	uint64_t tick = next_tick(timers, &level);

	return tick > UINT64_MAX / NS_PER_MS ? UINT64_MAX : tick * NS_PER_MS;
}
