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

enum { MATRIX_MAX = NEAREST_NAME_MAX + 1 };

/* By the definition: the whole matrix. */
static unsigned distance_by_matrix(const char *a, size_t a_size, const char *b, size_t b_size)
{
	static unsigned m[MATRIX_MAX][MATRIX_MAX];

	for (size_t i = 0; i <= a_size; i++) {
		for (size_t j = 0; j <= b_size; j++) {
			unsigned best = (unsigned)(i ? j ? m[i - 1][j - 1] + (a[i - 1] != b[j - 1]) : i : j);

			if (i && j && m[i - 1][j] + 1 < best)
				best = m[i - 1][j] + 1;
			if (i && j && m[i][j - 1] + 1 < best)
				best = m[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				m[i - 2][j - 2] + 1 < best)
				best = m[i - 2][j - 2] + 1;
			m[i][j] = best;
		}
	}
	return m[a_size][b_size];
}

static size_t make_word(char *word, uint64_t *seed)
{
	size_t size;

	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	size = (*seed >> 33) % MATRIX_MAX;
	for (size_t i = 0; i < size; i++) {
		*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
		word[i] = (char)('a' + (*seed >> 33) % 4);
	}
	return size;
}

static void test_against_the_definition(void **state)
{
	char a[MATRIX_MAX], b[MATRIX_MAX];
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		size_t a_size = make_word(a, &seed), b_size = make_word(b, &seed);

		assert_int_equal(edit_distance(slice_of(a, a_size), slice_of(b, b_size)),
			distance_by_matrix(a, a_size, b, b_size));
	}
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
		cmocka_unit_test(test_against_the_definition),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
