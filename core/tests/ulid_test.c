/* ULIDs: round trips, order by time, refusals. */
#include "core/ulid.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_known(void **state)
{
	static const struct {
		uint8_t bytes[16];
		const char *text;
	} rows[] = {
		{{0}, "00000000000000000000000000"},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			"7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
		/* The specification's example, 01ARZ3NDEKTSV4RRFFQ69G5FAV. */
		{{0x01, 0x56, 0x3e, 0x3a, 0xb5, 0xd3, 0xd6, 0x76, 0x4c, 0x61, 0xef, 0xb9, 0x93, 0x02, 0xbd, 0x5b},
			"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ULID_TEXT_BYTES];
		struct ulid ulid, parsed;

		memcpy(ulid.bytes, rows[i].bytes, sizeof(ulid.bytes));
		ulid_print(&ulid, text);
		assert_memory_equal(text, rows[i].text, ULID_TEXT_BYTES);
		assert_true(ulid_parse(slice_of_string(rows[i].text), &parsed));
		assert_memory_equal(parsed.bytes, ulid.bytes, sizeof(ulid.bytes));
	}
}

static void test_sorts_by_time(void **state)
{
	char before[ULID_TEXT_BYTES], after[ULID_TEXT_BYTES];
	struct rand rand;
	uint64_t wall_ns = 1769860800ull * 1000000000;

	(void)state;
	rand_seed(&rand, 1);
	ulid_print(&(struct ulid){{0}}, before);
	for (unsigned i = 0; i < 1000; i++, wall_ns += 1000000 * (1 + rand_below(&rand, 1000000))) {
		struct ulid ulid = ulid_make(&rand, wall_ns), parsed;

		ulid_print(&ulid, after);
		assert_true(memcmp(before, after, ULID_TEXT_BYTES) < 0);
		assert_true(ulid_parse(slice_of(after, ULID_TEXT_BYTES), &parsed));
		assert_memory_equal(&parsed, &ulid, sizeof(ulid));
		memcpy(before, after, ULID_TEXT_BYTES);
	}
}

static void test_parse(void **state)
{
	static const struct {
		struct slice text;
		bool good;
	} rows[] = {
		{SLICE("01arz3ndektsv4rrffq69g5fav"), true},
		{SLICE(""), false},
		{SLICE("01ARZ3NDEKTSV4RRFFQ69G5FA"), false},
		{SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAVX"), false},
		{SLICE("81ARZ3NDEKTSV4RRFFQ69G5FAV"), false},
		{SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAU"), false},
		{SLICE("01ARZ3NDEKTSV4RRFFQ69G5FA\0"), false},
		{SLICE("01ARZ3NDEKTSV4RRFFQ69G5FA-"), false},
		{SLICE("~1ARZ3NDEKTSV4RRFFQ69G5FAV"), false},
		{SLICE("\xff"
		       "1ARZ3NDEKTSV4RRFFQ69G5FAV"),
			false},
		{SLICE(" 1ARZ3NDEKTSV4RRFFQ69G5FAV"), false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ulid ulid;

		if (ulid_parse(rows[i].text, &ulid) != rows[i].good)
			fail_msg("row %u", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_sorts_by_time),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
