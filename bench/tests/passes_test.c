/* The median of passes: by value, whatever their order, and between the two in the middle. */
#include "bench/micro/micro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_middle_is_found(void **state)
{
	static const struct {
		double values[5];
		unsigned count;
		double median;
	} rows[] = {
		{{0}, 0, 0},
		{{3.5}, 1, 3.5},
		{{4, 2}, 2, 3},
		{{9, 1, 5}, 3, 5},
		{{1e9, 1, 2, 3}, 4, 2.5},
		{{5, 4, 3, 2, 1e300}, 5, 4},
		{{7, 7, 7, 1, 7}, 5, 7},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double values[5];

		memcpy(values, rows[i].values, sizeof(values));
		if (passes_median(values, rows[i].count) != rows[i].median)
			fail_msg("row %u", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_middle_is_found)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
