/* Latency histogram: percentiles are within 1.6 % of the sorted numbers', over the whole range. */
#include "bench/loadgen/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void one_value_is_all_percentiles(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 42; shift++) {
		for (int64_t off = -1; off <= 1; off++) {
			uint64_t ns = (1ull << shift) + (uint64_t)off;
			struct latency *l = calloc(1, sizeof(*l));

			assert_non_null(l);
			latency_record(l, ns);
			assert_int_equal(latency_percentile(l, 0.5), ns);
			assert_int_equal(latency_percentile(l, 0.999), ns);
			assert_int_equal(latency_mean(l), ns);
			free(l);
		}
	}
}

static void percentiles_are_near(void **state)
{
	enum { COUNT = 100000, STEP = 37 };
	static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
	struct latency *l = calloc(1, sizeof(*l));

	(void)state;
	assert_non_null(l);
	assert_int_equal(latency_percentile(l, 0.5), 0);
	assert_int_equal(latency_mean(l), 0);
	for (uint64_t i = 1; i <= COUNT; i++)
		latency_record(l, i * STEP);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double exact = shares[i] * COUNT * STEP, got = (double)latency_percentile(l, shares[i]);

		if (got < exact * 0.999 || got > exact * 1.017)
			fail_msg("%g: %g instead of %g", shares[i], got, exact);
	}
	assert_int_equal(l->max_ns, COUNT * STEP);
	assert_int_equal(latency_percentile(l, 1), COUNT * STEP);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value_is_all_percentiles),
		cmocka_unit_test(percentiles_are_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
