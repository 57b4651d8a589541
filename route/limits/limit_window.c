/* Sliding windows, days and paces: see limit_window.h. */
#include "route/limits/limit_window.h"

#include <assert.h>
#include <string.h>

static uint64_t width_ns(const struct limit_window *window)
{
	return window->length_ns / LIMIT_WINDOW_SLOTS;
}

static uint64_t *slot_of(struct limit_window *window, uint64_t number)
{
	return &window->slots[number % LIMIT_SLOTS];
}

/* When a slot counts no more. */
static uint64_t end_ns(const struct limit_window *window, uint64_t number)
{
	return (number + 1) * width_ns(window) + window->length_ns + LIMIT_LEASE_NS;
}

void limit_window_init(struct limit_window *window, uint64_t length_ns)
{
	memset(window, 0, sizeof(*window));
	window->length_ns = length_ns;
}

void limit_window_advance(struct limit_window *window, uint64_t now_ns)
{
	uint64_t now = now_ns / width_ns(window);

	if (now < window->last) /* another thread's clock made it: shards read theirs once a turn */
		now = window->last;
	if (window->used == 0 || now_ns >= end_ns(window, window->last)) {
		if (window->used)
			memset(window->slots, 0, sizeof(window->slots));
		window->used = 0;
		window->first = window->last = now;
		return;
	}
	while (window->first < window->last && now_ns >= end_ns(window, window->first)) {
		window->used -= *slot_of(window, window->first);
		*slot_of(window, window->first) = 0;
		window->first++;
	}
	window->last = now;
}

void limit_window_debit(struct limit_window *window, uint64_t at_ns, uint64_t amount)
{
	uint64_t number = at_ns / width_ns(window);

	assert(number <= window->last);
	if (number + LIMIT_SLOTS <= window->last)
		return;
	if (number < window->first)
		window->first = number;
	*slot_of(window, number) += amount;
	window->used += amount;
}

void limit_window_credit(struct limit_window *window, uint64_t debited_ns, uint64_t amount)
{
	uint64_t number = debited_ns / width_ns(window), *slot = slot_of(window, number);

	if (number < window->first || number > window->last)
		return;
	if (amount > *slot)
		amount = *slot;
	*slot -= amount;
	window->used -= amount;
}

uint64_t limit_window_fits_ns(const struct limit_window *window, uint64_t now_ns, uint64_t limit, uint64_t amount)
{
	uint64_t used = window->used;

	if (amount > limit)
		return LIMIT_NEVER_NS;
	if (used <= limit - amount)
		return now_ns;
	for (uint64_t number = window->first; number <= window->last; number++) {
		used -= window->slots[number % LIMIT_SLOTS];
		if (used <= limit - amount)
			return end_ns(window, number);
	}
	return end_ns(window, window->last);
}

uint64_t limit_window_free_ns(const struct limit_window *window, uint64_t now_ns)
{
	uint64_t number = window->last;

	if (window->used == 0)
		return now_ns;
	while (window->slots[number % LIMIT_SLOTS] == 0)
		number--; /* something is used, so there is one */
	return end_ns(window, number);
}

void limit_day_advance(struct limit_day *day, uint64_t wall_ns)
{
	uint64_t now = wall_ns / LIMIT_DAY_NS;

	if (now == day->day || now + 1 == day->day)
		return;
	*day = (struct limit_day){.day = now};
}

void limit_day_credit(struct limit_day *day, uint64_t debited_day, uint64_t amount)
{
	if (debited_day == day->day)
		day->used -= amount < day->used ? amount : day->used;
}

uint64_t limit_day_left_ns(uint64_t wall_ns)
{
	return LIMIT_DAY_NS - wall_ns % LIMIT_DAY_NS;
}

/* Rounded up, so that no rounding admits more. */
uint64_t limit_pace_cost_ns(uint64_t length_ns, uint64_t limit, uint64_t amount)
{
	unsigned __int128 cost = (unsigned __int128)length_ns * amount;

	assert(limit > 0);
	cost = (cost + limit - 1) / limit;
	return cost < LIMIT_DAY_NS ? (uint64_t)cost : LIMIT_DAY_NS;
}

static uint64_t ahead_ns(const struct limit_pace *pace, uint64_t now_ns)
{
	return pace->busy_until_ns > now_ns ? pace->busy_until_ns - now_ns : 0;
}

/* What is larger than what may come at once has to wait until nothing is ahead of it. */
uint64_t limit_pace_fits_ns(
	const struct limit_pace *pace, uint64_t now_ns, uint64_t length_ns, uint64_t limit, uint64_t amount)
{
	uint64_t cost_ns = limit_pace_cost_ns(length_ns, limit, amount), at_once_ns = length_ns / LIMIT_WINDOW_SLOTS;

	if (amount > limit)
		return LIMIT_NEVER_NS;
	if (at_once_ns < cost_ns)
		at_once_ns = cost_ns;
	if (ahead_ns(pace, now_ns) + cost_ns <= at_once_ns)
		return now_ns;
	return pace->busy_until_ns + cost_ns - at_once_ns;
}

void limit_pace_debit(struct limit_pace *pace, uint64_t now_ns, uint64_t cost_ns)
{
	if (pace->busy_until_ns < now_ns)
		pace->busy_until_ns = now_ns;
	pace->busy_until_ns += cost_ns;
}

void limit_pace_credit(struct limit_pace *pace, uint64_t cost_ns)
{
	pace->busy_until_ns -= cost_ns < pace->busy_until_ns ? cost_ns : pace->busy_until_ns;
}

uint64_t limit_pace_left(const struct limit_pace *pace, uint64_t now_ns, uint64_t length_ns, uint64_t limit)
{
	uint64_t unit_ns = limit_pace_cost_ns(length_ns, limit, 1), at_once_ns = length_ns / LIMIT_WINDOW_SLOTS;
	uint64_t ahead = ahead_ns(pace, now_ns);

	if (at_once_ns < unit_ns)
		at_once_ns = unit_ns;
	return ahead >= at_once_ns ? 0 : (at_once_ns - ahead) / unit_ns;
}
