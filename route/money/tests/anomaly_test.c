/* Anomalies: what is usual, and which hours go beyond three times that. */
#include "route/money/anomaly.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define USD INT64_C(1000000000)

static void test_what_is_usual(void **state)
{
	static const struct {
		int64_t days[ANOMALY_DAYS], usual;
	} rows[] = {
		{{0}, -1},                                        /* the first day */
		{{24 * USD}, USD},                                /* the second */
		{{0, 48 * USD}, USD},                             /* yesterday nothing was spent */
		{{24 * USD, 0, 48 * USD, 0, 0, 0, 0}, USD},       /* three days old */
		{{168 * USD, 0, 0, 0, 0, 0, 168 * USD}, 2 * USD}, /* a week, or more */
		{{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, INT64_MAX / 24},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(anomaly_usual_nusd(rows[i].days), rows[i].usual);
}

static void test_hours(void **state)
{
	struct anomaly anomaly = {.usual_nusd = 2 * USD};
	int64_t spent;

	(void)state;
	assert_false(anomaly_look(&anomaly, 100, 1000 * USD, &spent)); /* what was before is no part of it */
	assert_int_equal(spent, 0);
	assert_false(anomaly_look(&anomaly, 100, 1006 * USD, &spent));
	assert_true(anomaly_look(&anomaly, 100, 1006 * USD + 3, &spent));
	assert_int_equal(spent, 6 * USD + 3);
	assert_false(anomaly_look(&anomaly, 101, 1007 * USD, &spent)); /* the next hour begins at nothing */
	assert_true(anomaly_look(&anomaly, 101, 1020 * USD, &spent));
	assert_int_equal(spent, 13 * USD);
}

static void test_what_worries_nobody(void **state)
{
	struct anomaly idle = {.usual_nusd = 0}, young = {.usual_nusd = -1};
	int64_t spent;

	(void)state;
	assert_false(anomaly_look(&idle, 100, 0, &spent));
	assert_false(anomaly_look(&idle, 100, USD, &spent)); /* the floor */
	assert_true(anomaly_look(&idle, 100, USD + 3, &spent));
	assert_false(anomaly_look(&young, 100, 0, &spent));
	assert_false(anomaly_look(&young, 100, 1000 * USD, &spent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_usual),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_what_worries_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
