/* Histograms: the buckets' borders, percentiles within the promised error, merging. */
#include "core/metrics.h"
#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_each_bucket_holds_its_floor(void **state)
{
	struct histogram *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		histogram_record(h, histogram_bucket_floor(i));
		assert_int_equal(metric_get(&h->buckets[i]), 1);
		if (i + 1 < HISTOGRAM_BUCKETS)
			assert_true(histogram_bucket_floor(i + 1) > histogram_bucket_floor(i));
		if (i > 0) {
			histogram_record(h, histogram_bucket_floor(i) - 1);
			assert_int_equal(metric_get(&h->buckets[i - 1]), 2);
		}
	}
	histogram_record(h, UINT64_MAX);
	assert_int_equal(metric_get(&h->buckets[HISTOGRAM_BUCKETS - 1]), 2);
	assert_int_equal(metric_get(&h->count), 2 * HISTOGRAM_BUCKETS);
	free(h);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_percentiles_against_sorted(void **state)
{
	static const uint32_t percents[] = {1, 500000, 900000, 990000, 999000, 1000000};
	enum { COUNT = 10000 };
	uint64_t *values = calloc(COUNT, sizeof(*values)), sum = 0;
	struct histogram *h = calloc(1, sizeof(*h));
	struct rand rand;

	(void)state;
	assert_non_null(values);
	assert_non_null(h);
	rand_seed(&rand, 3);
	for (unsigned i = 0; i < COUNT; i++) {
		values[i] = rand_below(&rand, 1ull << (1 + rand_below(&rand, 40)));
		sum += values[i];
		histogram_record(h, values[i]);
	}
	qsort(values, COUNT, sizeof(*values), compare);
	assert_true(metric_get(&h->sum) == sum);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		uint64_t rank = ((uint64_t)COUNT * percents[i] + 999999) / 1000000, exact = values[rank ? rank - 1 : 0];
		uint64_t told = histogram_percentile(h, percents[i]);

		assert_true(told >= exact && told - exact <= exact / 16);
	}
	free(values);
	free(h);
}

static void test_empty_and_merge(void **state)
{
	struct histogram *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(histogram_percentile(a, 500000), 0);
	for (unsigned i = 0; i < 10; i++) {
		histogram_record(a, 3);
		histogram_record(b, 7);
	}
	histogram_merge(a, b);
	assert_int_equal(metric_get(&a->count), 20);
	assert_int_equal(metric_get(&a->sum), 100);
	assert_int_equal(histogram_percentile(a, 500000), 3);
	assert_int_equal(histogram_percentile(a, 500001), 7);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bucket_holds_its_floor),
		cmocka_unit_test(test_percentiles_against_sorted),
		cmocka_unit_test(test_empty_and_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
