/* Budgets: which window a day lies in, what fits, and that what is reserved by many never exceeds what there is. */
#include "route/money/budget.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 20454 /* 2026-01-01, a Thursday */, CALLS = 64, SEEDS = 50 };

static void test_windows(void **state)
{
	static const struct {
		uint32_t day, monday, first, month;
	} rows[] = {
		{0, 0, 0, 0},                        /* 1970-01-01: its week began before time did */
		{3, 0, 0, 0},                        /* a Sunday */
		{4, 4, 0, 0},                        /* Monday */
		{30, 25, 0, 0}, {31, 25, 31, 1},     /* the last of January, the first of February */
		{DAY - 1, DAY - 3, DAY - 31, 671},   /* 2025-12-31 */
		{DAY, DAY - 3, DAY, 672},            /* 2026-01-01 */
		{DAY + 4, DAY + 4, DAY, 672},        /* a Monday */
		{DAY + 58, DAY + 53, DAY + 31, 673}, /* 2026-02-28 */
		{DAY + 59, DAY + 53, DAY + 59, 674}, /* 2026-03-01 */
		{19782, 19779, 19754, 649},          /* 2024-02-29 */
		{19783, 19779, 19783, 650},          /* 2024-03-01 */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(budget_period(BUDGET_DAILY, rows[i].day), rows[i].day);
		assert_int_equal(budget_first_day(BUDGET_DAILY, rows[i].day), rows[i].day);
		assert_int_equal(budget_first_day(BUDGET_WEEKLY, rows[i].day), rows[i].monday);
		assert_int_equal(budget_first_day(BUDGET_MONTHLY, rows[i].day), rows[i].first);
		assert_int_equal(budget_period(BUDGET_MONTHLY, rows[i].day), rows[i].month);
	}
	for (uint32_t day = 4; day < DAY; day++)
		for (enum budget_window window = 0; window < BUDGET_WINDOWS; window++) {
			uint32_t first = budget_first_day(window, day);

			assert_int_equal(budget_period(window, first), budget_period(window, day));
			assert_int_equal(budget_period(window, first - 1) + 1, budget_period(window, day));
		}
}

static struct budget_scope scope_of(struct budget_meter *meter, int64_t daily, int64_t weekly, int64_t monthly)
{
	return (struct budget_scope){.meter = meter, .limits_nusd = {daily, weekly, monthly}, .place = BUDGET_KEY};
}

/* The tightest of those that limit a month; what is reserved is not spent, and a new month begins at nothing. */
static void test_month_percent(void **state)
{
	struct budget_meter key = {0}, workspace = {0};
	struct budget_scope scopes[] = {scope_of(&key, 100, -1, 400), scope_of(&workspace, -1, -1, 1000)};
	struct budget_scope daily = scope_of(&key, 100, -1, -1), none = scope_of(&workspace, -1, -1, 0);

	(void)state;
	assert_int_equal(budget_month_percent(NULL, 0, DAY), -1);
	assert_int_equal(budget_month_percent(&daily, 1, DAY), -1);
	assert_int_equal(budget_month_percent(&none, 1, DAY), 0);
	assert_int_equal(budget_month_percent(scopes, 2, DAY), 0);
	budget_reserve(scopes, 2, DAY, 300);
	assert_int_equal(budget_month_percent(scopes, 2, DAY), 0);
	budget_settle(scopes, 2, DAY, 300, 199);
	assert_int_equal(budget_month_percent(scopes, 2, DAY), 49);
	budget_bring_back(&workspace, BUDGET_MONTHLY, DAY, 901);
	assert_int_equal(budget_month_percent(scopes, 2, DAY), 90);
	assert_int_equal(budget_month_percent(&none, 1, DAY), 100);
	assert_int_equal(budget_month_percent(scopes, 2, DAY + 31), 0);
	budget_settle(scopes, 2, DAY + 31, 0, 40);
	assert_int_equal(budget_month_percent(scopes, 2, DAY + 31), 10);
	budget_settle(scopes, 2, DAY, 0, 300); /* a call of the month before, in its own account */
	assert_int_equal(budget_month_percent(scopes, 2, DAY + 31), 10);
}

static void test_fits(void **state)
{
	struct budget_meter key = {0}, workspace = {0};
	struct budget_scope scopes[] = {scope_of(&key, 100, -1, -1), scope_of(&workspace, -1, -1, 150)};
	struct budget_refusal refusal;

	(void)state;
	scopes[1].place = BUDGET_WORKSPACE;
	assert_true(budget_left(scopes, 2, DAY) == 100);
	assert_true(budget_fits(scopes, 2, DAY, 100, &refusal));
	assert_false(budget_fits(scopes, 2, DAY, 101, &refusal));
	assert_true(refusal.place == BUDGET_KEY && refusal.window == BUDGET_DAILY && refusal.limit_nusd == 100);
	budget_reserve(scopes, 2, DAY, 60);
	assert_true(budget_left(scopes, 2, DAY) == 40);
	assert_false(budget_fits(scopes, 2, DAY, 41, &refusal));
	assert_true(refusal.used_nusd == 0 && refusal.reserved_nusd == 60);
	budget_settle(scopes, 2, DAY, 60, 90);
	assert_true(budget_left(scopes, 2, DAY) == 10);
	assert_true(budget_meter_reserved(&key) == 0);
	/* The day is another, the month is not. */
	assert_true(budget_left(scopes, 2, DAY + 1) == 60);
	assert_false(budget_fits(scopes, 2, DAY + 1, 61, &refusal));
	assert_true(refusal.place == BUDGET_WORKSPACE && refusal.window == BUDGET_MONTHLY && refusal.used_nusd == 90);
	/* Around midnight both days are open. */
	budget_reserve(scopes, 2, DAY, 5);
	budget_reserve(scopes, 2, DAY + 1, 7);
	budget_settle(scopes, 2, DAY, 5, 4);
	assert_true(budget_left(scopes, 1, DAY) == 6 && budget_left(scopes, 1, DAY + 1) == 93);
	assert_true(budget_left(&scopes[1], 1, DAY + 1) == 150 - 94 - 7);
}

/* What is spent beyond a reservation is booked, and blocks; so does nothing at all once a budget is overdrawn. */
static void test_overrun(void **state)
{
	struct budget_meter meter = {0};
	struct budget_scope scope = scope_of(&meter, 100, -1, -1);
	struct budget_refusal refusal;

	(void)state;
	budget_reserve(&scope, 1, DAY, 10);
	budget_settle(&scope, 1, DAY, 10, 130);
	assert_true(budget_left(&scope, 1, DAY) == 0);
	assert_false(budget_fits(&scope, 1, DAY, 1, &refusal));
	assert_true(refusal.used_nusd == 130);
	assert_false(budget_fits(&scope, 1, DAY, 0, &refusal));
	assert_true(budget_fits(&scope, 1, DAY + 1, 100, &refusal));
}

/* What is free costs nothing, also where there is nothing; where nothing is allowed all else is refused. */
static void test_nothing(void **state)
{
	struct budget_meter meter = {0};
	struct budget_scope none = scope_of(&meter, 0, -1, -1), unlimited = scope_of(&meter, -1, -1, -1);
	struct budget_refusal refusal;

	(void)state;
	assert_true(budget_fits(&none, 1, DAY, 0, &refusal));
	assert_false(budget_fits(&none, 1, DAY, 1, &refusal));
	assert_true(budget_fits(&unlimited, 1, DAY, INT64_MAX, &refusal));
	assert_true(budget_left(&unlimited, 1, DAY) == INT64_MAX);
}

static void test_bring_back(void **state)
{
	struct budget_meter meter = {0};
	struct budget_scope scope = scope_of(&meter, 100, -1, 1000);

	(void)state;
	budget_bring_back(&meter, BUDGET_DAILY, DAY, 30);
	budget_bring_back(&meter, BUDGET_MONTHLY, DAY, 950);
	assert_true(budget_left(&scope, 1, DAY) == 50);
	/* A clock that is set back by days does not open an old day again. */
	budget_reserve(&scope, 1, DAY + 2, 40);
	assert_true(budget_left(&scope, 1, DAY) == 10);
}

/* A balance has no windows, and only what is paid in makes it larger: each transaction once, in whatever order they
 * come. */
/* What is under way when a process dies counts as spent in the windows of its day, through further starts, and no
 * longer. */
static void test_lost(void **state)
{
	struct reservation kept = {.name = 1};
	struct budget_meter first = {0}, second = {0}, third = {0}, fourth = {0};
	struct budget_scope scope = scope_of(&first, 100, -1, 300);
	struct budget_refusal refusal;

	(void)state;
	assert_int_equal(budget_keep(&first, &kept, DAY), 0);
	budget_reserve(&scope, 1, DAY, 40);
	budget_reserve(&scope, 1, DAY, 20);
	budget_settle(&scope, 1, DAY, 20, 15);
	budget_reserve(&scope, 1, DAY + 1, 7); /* around midnight */

	scope = scope_of(&second, 100, -1, 300);
	assert_int_equal(budget_keep(&second, &kept, DAY + 1), 47);
	budget_bring_back(&second, BUDGET_MONTHLY, DAY + 1, 15);
	assert_true(budget_fits(&scope, 1, DAY + 1, 93, &refusal));
	assert_false(budget_fits(&scope, 1, DAY + 1, 94, &refusal));
	assert_int_equal(refusal.lost_nusd, 7);
	assert_int_equal(budget_left(&scope, 1, DAY + 1), 93);
	budget_settle(&scope, 1, DAY + 1, 0, 0);

	scope = scope_of(&third, 100, -1, 300);
	assert_int_equal(budget_keep(&third, &kept, DAY + 2), 47); /* counted once, and not forgotten */
	assert_int_equal(budget_left(&scope, 1, DAY + 2), 100);
	scope = scope_of(&fourth, -1, -1, 300);
	assert_int_equal(budget_keep(&fourth, &kept, DAY + 31), 0); /* another month */
	assert_int_equal(budget_left(&scope, 1, DAY + 31), 300);
}

static void test_balance(void **state)
{
	struct balance_meter balance = {0};
	struct budget_scope scope = {.place = BUDGET_BALANCE, .balance = &balance};
	struct budget_refusal refusal;

	(void)state;
	assert_false(budget_fits(&scope, 1, DAY, 1, &refusal));
	assert_true(refusal.place == BUDGET_BALANCE && refusal.limit_nusd == 0);
	balance_credit(&balance, 2, 150);
	balance_credit(&balance, 1, 100);
	balance_credit(&balance, 2, 150);
	assert_true(budget_left(&scope, 1, DAY) == 150);
	budget_reserve(&scope, 1, DAY, 100);
	assert_false(budget_fits(&scope, 1, DAY + 400, 51, &refusal));
	assert_true(refusal.reserved_nusd == 100);
	budget_settle(&scope, 1, DAY, 100, 30);
	assert_true(budget_left(&scope, 1, DAY + 1) == 120 && balance.reserved_nusd == 0);
	budget_settle(&scope, 1, DAY, 0, 500); /* more than there is: booked, and blocks */
	assert_true(budget_left(&scope, 1, DAY) == 0);
	assert_true(budget_fits(&scope, 1, DAY, 0, &refusal));
}

/* Calls that begin and end in any order, each within what it reserved. */
static void test_never_over(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct budget_meter meter = {0};
		struct budget_scope scope = scope_of(&meter, 1000, 3000, 5000);
		struct {
			uint32_t day;
			int64_t nusd;
		} calls[CALLS] = {0};
		int64_t spent[3] = {0};
		uint32_t day = DAY + 3;
		struct rand rand;

		rand_seed(&rand, seed);
		for (unsigned step = 0; step < 4000; step++) {
			unsigned i = (unsigned)rand_below(&rand, CALLS);
			struct budget_refusal refusal;
			int64_t nusd = 1 + (int64_t)rand_below(&rand, 60), used;

			if (rand_below(&rand, 1500) == 0)
				day++;
			if (!calls[i].nusd) {
				if (!budget_fits(&scope, 1, day, nusd, &refusal))
					continue;
				budget_reserve(&scope, 1, day, nusd);
				calls[i].day = day;
				calls[i].nusd = nusd;
				continue;
			}
			used = (int64_t)rand_below(&rand, (uint64_t)calls[i].nusd + 1);
			budget_settle(&scope, 1, calls[i].day, calls[i].nusd, used);
			calls[i].nusd = 0;
			if (calls[i].day == day)
				spent[0] = day == DAY + 3 ? spent[0] + used : spent[0];
			spent[2] += used;
			assert_true(spent[0] <= 1000 && spent[2] <= 5000);
		}
		for (unsigned i = 0; i < CALLS; i++)
			if (calls[i].nusd)
				budget_settle(&scope, 1, calls[i].day, calls[i].nusd, 0);
		assert_true(budget_meter_reserved(&meter) == 0);
		assert_true(meter.accounts[BUDGET_MONTHLY][672 & 1].used_nusd == spent[2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_month_percent),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bring_back),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_never_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
