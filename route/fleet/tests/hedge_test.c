/* Percentiles of times that are known, held against the sorted samples; how many second attempts there are. */
#include "route/fleet/hedge.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)

static void classes(void **state)
{
	static const struct {
		uint64_t tokens;
		unsigned class;
	} table[] = {{0, 0}, {1000, 0}, {1001, 1}, {8000, 1}, {8001, 2}, {32000, 2}, {32001, 3}, {UINT64_MAX, 3}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(hedge_class(table[i].tokens), table[i].class);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Never below what the samples say, and at most a quarter above. */
static void percentiles(void **state)
{
	static const uint32_t percents[] = {1, 50, 90, 95, 99};
	struct rand rand;

	(void)state;
	rand_seed(&rand, 7);
	for (unsigned round = 0; round < 200; round++) {
		struct hedge_times times = {0};
		uint64_t samples[500], most_ns = MS << rand_below(&rand, 16);
		unsigned count = HEDGE_SAMPLES_MIN + (unsigned)rand_below(&rand, COUNT(samples) - HEDGE_SAMPLES_MIN);

		for (unsigned i = 0; i < count; i++) {
			samples[i] = MS + rand_below(&rand, most_ns);
			hedge_times_add(&times, samples[i]);
		}
		qsort(samples, count, sizeof(samples[0]), compare);
		for (size_t p = 0; p < COUNT(percents); p++) {
			uint64_t exact = samples[(count * percents[p] + 99) / 100 - 1];

			assert_in_range(hedge_after_ns(&times, percents[p]), exact, exact + exact / 4 + MS);
		}
	}
}

static void little_is_known(void **state)
{
	struct hedge_times times = {0};

	(void)state;
	for (unsigned i = 0; i < HEDGE_SAMPLES_MIN; i++) {
		assert_int_equal(hedge_after_ns(&times, 95), 0);
		hedge_times_add(&times, 10 * MS);
	}
	assert_in_range(hedge_after_ns(&times, 95), 10 * MS, 13 * MS);
}

/* What became slower is known after some hundred samples, and nothing overflows. */
static void old_times_fade(void **state)
{
	struct hedge_times times = {0};

	(void)state;
	for (unsigned i = 0; i < 200000; i++)
		hedge_times_add(&times, 0);
	for (unsigned i = 0; i < 100; i++)
		hedge_times_add(&times, UINT64_MAX);
	assert_in_range(hedge_after_ns(&times, 95), 60000 * MS, 150000 * MS);
	for (unsigned i = 0; i < 3000; i++)
		hedge_times_add(&times, 10 * MS);
	assert_in_range(hedge_after_ns(&times, 95), 10 * MS, 13 * MS);
}

static void shares(void **state)
{
	struct hedge_share share = {0};
	unsigned taken = 0;

	(void)state;
	assert_false(hedge_share_take(&share));
	for (unsigned i = 1; i <= 10000; i++) {
		hedge_share_request(&share);
		taken += hedge_share_take(&share);
		assert_true(taken * 100 <= i * HEDGE_PERCENT_MAX);
	}
	assert_int_equal(taken, 10000 * HEDGE_PERCENT_MAX / 100);
	/* What was not used is kept, though not much of it. */
	for (unsigned i = 0; i < 10000; i++)
		hedge_share_request(&share);
	for (taken = 0; hedge_share_take(&share);)
		taken++;
	assert_int_equal(taken, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(little_is_known),
		cmocka_unit_test(old_times_fade),
		cmocka_unit_test(shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
