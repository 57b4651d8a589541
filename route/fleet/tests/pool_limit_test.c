/* The limit of one's own server: steps, bounds, and a server that is asked for more than it can do. */
#include "route/fleet/pool_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct pool_seen seen(uint32_t count, uint64_t took_ms)
{
	return (struct pool_seen){.took_ns[BALANCE_STREAM] = count * took_ms * MS, .count[BALANCE_STREAM] = count};
}

static void grows_only_when_it_is_used(void **state)
{
	struct pool_limit limit = {.calls_milli = 4000};
	struct pool_seen quick = seen(10, 100);

	(void)state;
	assert_int_equal(pool_limit_step(&limit, &quick, 2, 32), 4);
	assert_int_equal(limit.calls_milli, 4000);
	pool_limit_step(&limit, &quick, 3, 32);
	assert_int_equal(limit.calls_milli, 4400); /* + 0.2 * sqrt(4) */
}

static void stays_in_its_bounds(void **state)
{
	struct pool_limit limit = {0};
	struct pool_seen quick = seen(10, 100), slow = seen(10, 100000), nothing = {0};

	(void)state;
	assert_int_equal(pool_limit_step(&limit, &nothing, 0, 8), 8);
	assert_int_equal(pool_limit_step(&limit, &quick, 8, 8), 8);
	for (unsigned second = 0; second < 60; second++)
		assert_in_range(pool_limit_step(&limit, &slow, 8, 8), 1, 8);
	assert_int_equal(limit.calls_milli / 1000, 4);              /* where half of it is its root */
	assert_int_equal(pool_limit_step(&limit, &quick, 0, 1), 1); /* the bound itself was lowered */
	limit.calls_milli = 9000;
	assert_in_range(pool_limit_step(&limit, &quick, 9, 4), 1, 4);
}

static void kinds_have_times_of_their_own(void **state)
{
	struct pool_limit limit = {.calls_milli = 10000};
	struct pool_seen both = {.took_ns = {[BALANCE_UNARY] = 90 * 1000 * MS, [BALANCE_STREAM] = 10 * 50 * MS},
		.count = {[BALANCE_UNARY] = 90, [BALANCE_STREAM] = 10}};
	struct pool_seen other = {.took_ns = {[BALANCE_UNARY] = 10 * 1000 * MS, [BALANCE_STREAM] = 90 * 50 * MS},
		.count = {[BALANCE_UNARY] = 10, [BALANCE_STREAM] = 90}};

	(void)state;
	for (unsigned second = 0; second < 100; second++) { /* another mixture is no slower server */
		uint64_t before = limit.calls_milli;

		pool_limit_step(&limit, second % 2 ? &both : &other, 32, 32);
		assert_true(limit.calls_milli >= before);
	}
	assert_int_equal(limit.calls_milli, 32000);
}

/* 64 callers that call again at once; the server does 8 calls at a time in 100 ms, and lets others wait in turn. */
static void a_server_that_is_asked_for_too_much(void **state)
{
	enum { CALLERS = 64, CAPACITY = 8, MOST = 32, SECONDS = 120 };
	struct pool_limit limit = {0};
	struct pool_seen calm = seen(20, 100);
	uint32_t calls = MOST;
	uint64_t longest_ms = 0;

	(void)state;
	for (unsigned second = 0; second < 10; second++) /* what is usual, before the crowd comes */
		calls = pool_limit_step(&limit, &calm, 2, MOST);
	assert_int_equal(calls, MOST);
	for (unsigned second = 0; second < SECONDS; second++) {
		uint32_t in_hand = calls < CALLERS ? calls : CALLERS;
		uint64_t took_ms = in_hand <= CAPACITY ? 100 : 100 * in_hand / CAPACITY;
		struct pool_seen crowd = seen(CAPACITY * 10, took_ms);

		calls = pool_limit_step(&limit, &crowd, in_hand, MOST);
		if (second >= 30) {
			longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
			assert_true(calls >= CAPACITY);
		}
	}
	print_message(
		"at the bound a call takes 400 ms, with the limit at most %llu ms\n", (unsigned long long)longest_ms);
	assert_true(longest_ms <= 300);
	for (unsigned second = 0; second < 60; second++) { /* twice the hardware: the limit follows */
		uint32_t in_hand = calls < CALLERS ? calls : CALLERS;
		uint64_t took_ms = in_hand <= 2 * CAPACITY ? 100 : 100 * in_hand / (2 * CAPACITY);
		struct pool_seen crowd = seen(CAPACITY * 20, took_ms);

		calls = pool_limit_step(&limit, &crowd, in_hand, MOST);
	}
	assert_true(calls >= 2 * CAPACITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_only_when_it_is_used),
		cmocka_unit_test(stays_in_its_bounds),
		cmocka_unit_test(kinds_have_times_of_their_own),
		cmocka_unit_test(a_server_that_is_asked_for_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
