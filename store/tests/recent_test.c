/* Calls of the current day and hour: in order and out of it, over midnight, with a wrong clock, packed and found again.
 */
#include "store/recent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE_NS 60000000000ull
#define DAY_MINUTES 1440u
#define NOON (20000u * DAY_MINUTES + 720)

static void add(struct recent *recent, uint32_t minute)
{
	recent_add(recent, minute * MINUTE_NS + 5);
}

static uint64_t sum(const struct recent *recent)
{
	uint64_t calls = 0;

	for (unsigned i = 0; i < RECENT_MINUTES; i++)
		calls += recent->minutes[i];
	return calls;
}

static void counts_the_hour(void **state)
{
	struct recent recent = {0};

	(void)state;
	for (uint32_t m = 0; m < 200; m++)
		add(&recent, NOON + m);
	assert_int_equal(recent.day_calls, 200);
	assert_int_equal(sum(&recent), RECENT_MINUTES);
	add(&recent, NOON + 150); /* one that took long */
	assert_int_equal(recent_of_minute(&recent, NOON + 150), 2);
	add(&recent, NOON + 100); /* longer than an hour: of the day alone */
	assert_int_equal(sum(&recent), RECENT_MINUTES + 1);
	assert_int_equal(recent.day_calls, 202);
	assert_int_equal(recent_of_minute(&recent, NOON + 138), 0);
	assert_int_equal(recent_of_minute(&recent, NOON + 139), 1);
	assert_int_equal(recent_of_minute(&recent, NOON + 200), 0);
	add(&recent, NOON + 600);
	assert_int_equal(sum(&recent), 1);
}

static void counts_the_day(void **state)
{
	struct recent recent = {0};

	(void)state;
	add(&recent, NOON + 719);
	add(&recent, NOON + 720);
	add(&recent, NOON + 719); /* began before midnight, ended after it */
	assert_int_equal(recent.day, 20001);
	assert_int_equal(recent.day_calls, 1);
	assert_int_equal(sum(&recent), 3);
	add(&recent, NOON + 500 * DAY_MINUTES); /* a clock far ahead, put right */
	add(&recent, NOON + 800);
	assert_int_equal(recent.day, 20001);
	assert_int_equal(recent.day_calls, 1);
	assert_int_equal(recent_of_minute(&recent, NOON + 800), 1);
}

static void packs(void **state)
{
	struct recent recent = {0}, again;
	char bytes[RECENT_BYTES_MAX];
	struct packer p = {bytes, bytes + sizeof(bytes), false};
	struct unpacker u;

	(void)state;
	for (uint32_t m = 0; m < RECENT_MINUTES; m++)
		for (uint32_t n = 0; n <= m; n++)
			add(&recent, NOON + m);
	recent_pack(&recent, &p);
	assert_false(p.full);
	assert_true(p.at == p.end); /* the longest there is */
	u = (struct unpacker){bytes, p.at, false};
	recent_unpack(&again, &u);
	assert_false(u.bad);
	assert_true(u.at == u.end);
	assert_memory_equal(&recent, &again, sizeof(recent));
	u = (struct unpacker){bytes, p.at - 1, false};
	recent_unpack(&again, &u);
	assert_true(u.bad);
	bytes[17] = RECENT_MINUTES;
	u = (struct unpacker){bytes, p.at, false};
	recent_unpack(&again, &u);
	assert_true(u.bad);
}

static void finds(void **state)
{
	static const char *const names[] = {"b", "abc", "a", "ab", "c"};
	struct recents *recents = recents_open();
	struct recent recent = {0};

	(void)state;
	assert_null(recents_find(recents, SLICE("a")));
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		recent.day_calls = i;
		assert_int_equal(recents_add(recents, slice_of_string(names[i]), &recent), 0);
	}
	recents_sort(recents);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(recents_find(recents, slice_of_string(names[i]))->day_calls, i);
	assert_null(recents_find(recents, SLICE("aa")));
	assert_null(recents_find(recents, SLICE("abcd")));
	recents_close(recents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_the_hour),
		cmocka_unit_test(counts_the_day),
		cmocka_unit_test(packs),
		cmocka_unit_test(finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
