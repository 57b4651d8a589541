/* Free allowances: what is left of a month, what is left to pay, and that many calls at once never draw more than there
 * is. */
#include "route/money/allowance.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DAY = 20454 /* 2026-01-01 */, CALLS = 64, SEEDS = 50 };

static void test_a_month(void **state)
{
	struct allowance_meter meter = {0};
	const struct allowance allowance = {"m", 1000, &meter};

	(void)state;
	assert_int_equal(allowance_left(&allowance, DAY), 1000);
	allowance_reserve(&allowance, DAY, 600);
	assert_int_equal(allowance_left(&allowance, DAY + 30), 400);
	assert_int_equal(allowance_left(&allowance, DAY + 31), 1000); /* February */
	allowance_settle(&allowance, DAY, 600, 100);
	assert_int_equal(allowance_left(&allowance, DAY + 30), 900);
	assert_int_equal(allowance_reserved(&meter), 0);
	allowance_bring_back(&meter, DAY, 2000); /* it was more, and is less now */
	assert_int_equal(allowance_left(&allowance, DAY), 0);
	allowance_reserve(&allowance, DAY + 31, 10);
	assert_int_equal(allowance_reserved(&meter), 10);
	assert_int_equal(allowance_left(&allowance, DAY + 59), 1000); /* March, in January's place */
	assert_int_equal(allowance_left(&allowance, DAY + 31), 990);
}

static void test_what_is_left_to_pay(void **state)
{
	static const struct {
		int64_t nusd;
		uint64_t tokens, free;
		int64_t rest;
	} rows[] = {
		{1000, 100, 0, 1000},
		{1000, 100, 100, 0},
		{1000, 100, 200, 0},
		{1000, 100, 50, 500},
		{1000, 3, 1, 667}, /* up */
		{1, 1000, 999, 1},
		{0, 10, 3, 0},
		{7, 0, 0, 7}, /* what is not counted in tokens is not free */
		{INT64_MAX, UINT64_MAX, 1, INT64_MAX},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(allowance_rest_nusd(rows[i].nusd, rows[i].tokens, rows[i].free), rows[i].rest);
}

static void race(struct rand *rand)
{
	struct allowance_meter meter = {0};
	const struct allowance allowance = {"m", 5000, &meter};
	uint64_t reserved[CALLS] = {0}, used = 0;

	for (unsigned step = 0; step < 20 * CALLS; step++) {
		unsigned i = (unsigned)rand_below(rand, CALLS);

		if (reserved[i]) {
			uint64_t own = rand_below(rand, reserved[i] + 1);

			allowance_settle(&allowance, DAY, reserved[i], own);
			used += own;
			reserved[i] = 0;
		} else {
			uint64_t left = allowance_left(&allowance, DAY), wanted = 1 + rand_below(rand, 300);

			reserved[i] = wanted < left ? wanted : left;
			allowance_reserve(&allowance, DAY, reserved[i]);
		}
		assert_true(used + allowance_reserved(&meter) <= 5000);
	}
	for (unsigned i = 0; i < CALLS; i++)
		allowance_settle(&allowance, DAY, reserved[i], 0);
	assert_int_equal(allowance_reserved(&meter), 0);
	assert_int_equal(allowance_left(&allowance, DAY), 5000 - used);
}

static void test_never_more_than_there_is(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rand rand;

		rand_seed(&rand, seed);
		race(&rand);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_month),
		cmocka_unit_test(test_what_is_left_to_pay),
		cmocka_unit_test(test_never_more_than_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
