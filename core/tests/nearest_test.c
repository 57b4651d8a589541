/* Edit distance, and which of some names is near. */
#include "core/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"ABC", "abc", 0},
		{"abc", "abd", 1},
		{"abc", "ab", 1},
		{"abc", "xabc", 1},
		{"rmp", "rpm", 1},
		{"ca", "abc", 3},
		{"kitten", "sitting", 3},
		{"max_header", "max_headers", 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			edit_distance(slice_of_string(rows[i].a), slice_of_string(rows[i].b)), rows[i].distance);
}

static void test_long_names(void **state)
{
	char a[300], b[300];

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_int_equal(edit_distance(slice_of(a, sizeof(a)), slice_of(a, 200)), 0);
	assert_int_equal(edit_distance(slice_of(a, sizeof(a)), slice_of(b, sizeof(b))), NEAREST_NAME_MAX);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"region", "retries", "rpm", "rpd", "keepalive_ms"};
	static const struct {
		const char *wanted, *best;
	} rows[] = {
		{"regoin", "region"},
		{"rmp", "rpm"},
		{"rpx", "rpm"},
		{"keepalive", "keepalive_ms"},
		{"xyz", NULL},
		{"q", NULL},
		{"", NULL},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nearest nearest;

		nearest_begin(&nearest, slice_of_string(rows[i].wanted));
		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			nearest_offer(&nearest, names[j]);
		if (rows[i].best)
			assert_string_equal(nearest.best, rows[i].best);
		else
			assert_null(nearest.best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
