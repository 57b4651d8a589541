/* Agreement of answers: the same, none, in between, and that it is the same from both sides. */
#include "route/auto/agreement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void by_hand(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned permille;
	} table[] = {
		{"", "", 1000},
		{"?!", " ", 1000},
		{"Paris", "", 0},
		{"Paris.", "paris", 1000},
		{"The capital is Paris.", "the capital\nis: PARIS", 1000},
		{"Paris", "Berlin", 0},
		/* 2 of 2 words and no pair, of 3 each: 2 * 2 / 6. */
		{"one two", "two one", 666},
		/* 3 words and 2 pairs in common, of 5 and 7: 10 / 12. */
		{"it is red", "it is red today", 833},
		{"a a a", "a", 333}, /* 3 words and 2 pairs; as often as both have it */
		{"\xc3\xbc"
		 "ber",
			"uber", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct slice a = slice_of_string(table[i].a), b = slice_of_string(table[i].b);

		if (agreement_permille(a, b) != table[i].permille)
			fail_msg("\"%s\" and \"%s\": %u", table[i].a, table[i].b, agreement_permille(a, b));
		assert_int_equal(agreement_permille(a, b), agreement_permille(b, a));
	}
}

/* More words than a place can count would wrap; what lies behind the bound is not looked at. */
static void long_answers(void **state)
{
	enum { BYTES = 4 * AGREEMENT_BYTES_MAX };
	char *a = malloc(BYTES), *b = malloc(BYTES);

	(void)state;
	assert_true(a && b);
	for (size_t i = 0; i < BYTES; i++)
		a[i] = b[i] = i % 2 ? ' ' : 'x';
	memset(b + AGREEMENT_BYTES_MAX, 'y', BYTES - AGREEMENT_BYTES_MAX);
	assert_int_equal(agreement_permille(slice_of(a, BYTES), slice_of(b, BYTES)), 1000);
	memset(b, 'y', AGREEMENT_BYTES_MAX / 2);
	assert_in_range(agreement_permille(slice_of(a, BYTES), slice_of(b, BYTES)), 660, 670);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(long_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
