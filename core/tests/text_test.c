/* Formatting: tables of value and text, and that nothing is written past the end. */
#include "core/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_text(const struct text *t, const char *expected)
{
	assert_false(t->full);
	if (!slice_equal(text_slice(t), slice_of_string(expected)))
		fail_msg("got \"%.*s\", expected \"%s\"", (int)t->size, t->data, expected);
}

static void test_integers(void **state)
{
	static const uint64_t values[] = {
		0, 7, 9, 10, 42, 99, 100, 101, 999, 1000, 12345, 1000000, UINT32_MAX, UINT64_MAX / 10, UINT64_MAX};
	char memory[64], expected[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_u64(&t, values[i]);
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
		assert_text(&t, expected);
		t = text_over(memory, sizeof(memory));
		text_i64(&t, (int64_t)values[i]);
		text_char(&t, ' ');
		text_i64(&t, (int64_t)(0 - values[i]));
		snprintf(expected, sizeof(expected), "%lld %lld", (long long)values[i], (long long)(0 - values[i]));
		assert_text(&t, expected);
	}
	struct text t = text_over(memory, sizeof(memory));

	text_i64(&t, INT64_MIN);
	assert_text(&t, "-9223372036854775808");
}

static void test_money(void **state)
{
	static const struct {
		int64_t nusd;
		const char *text;
	} rows[] = {{0, "0"}, {1, "0.000000001"}, {99000, "0.000099"}, {500000000, "0.5"}, {1000000000, "1"},
		{12345678901, "12.345678901"}, {-1500000000, "-1.5"}, {-1, "-0.000000001"},
		{INT64_MAX, "9223372036.854775807"}, {INT64_MIN, "-9223372036.854775808"}};
	char memory[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_usd(&t, rows[i].nusd);
		assert_text(&t, rows[i].text);
	}
}

static void test_milli(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {{0, "0.000"}, {5, "0.005"}, {1234, "1.234"}, {UINT64_MAX, "18446744073709551.615"}};
	char memory[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_milli(&t, rows[i].value);
		assert_text(&t, rows[i].text);
	}
}

static void test_dates(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {{0, "1970-01-01T00:00:00.123456Z"}, {951782400, "2000-02-29T00:00:00.123456Z"},
		{951868799, "2000-02-29T23:59:59.123456Z"}, {1769860800, "2026-01-31T12:00:00.123456Z"},
		{4107542399, "2100-02-28T23:59:59.123456Z"}, {4107542400, "2100-03-01T00:00:00.123456Z"}};
	char memory[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_rfc3339(&t, rows[i].seconds * 1000000000u + 123456789u);
		assert_text(&t, rows[i].text);
	}
}

/* Every byte at every place of a long text is written as it is alone: eight are looked at at once. */
static void test_json_places(void **state)
{
	enum { LONG = 19 };
	char in[LONG], alone_memory[16], long_memory[64];

	(void)state;
	for (int byte = 0; byte < 0x100; byte++)
		for (int at = 0; at < LONG; at++) {
			struct text alone = text_over(alone_memory, sizeof(alone_memory));
			struct text whole = text_over(long_memory, sizeof(long_memory));
			size_t size;

			memset(in, '~', sizeof(in));
			in[at] = (char)byte;
			text_json(&alone, slice_of(&in[at], 1));
			text_json(&whole, slice_of(in, sizeof(in)));
			size = alone.size - 2;
			assert_int_equal(whole.size, LONG - 1 + size + 2);
			assert_memory_equal(whole.data + 1 + at, alone.data + 1, size);
			for (int i = 0; i < LONG - 1; i++)
				assert_int_equal(whole.data[1 + (i < at ? (size_t)i : (size_t)i + size)], '~');
		}
}

static void test_json(void **state)
{
	static const struct {
		struct slice in;
		const char *out;
	} rows[] = {
		{SLICE(""), "\"\""},
		{SLICE("plain"), "\"plain\""},
		{SLICE("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
		{SLICE("\n\r\t\b\0\x1f\x7f"), "\"\\n\\r\\t\\u0008\\u0000\\u001f\x7f\""},
		{SLICE("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
		{SLICE("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\""},
		/* Overlong, surrogate, above U+10FFFF, cut short, stray continuation: a replacement for each byte. */
		{SLICE("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xe0\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xffz"), "\"\xef\xbf\xbdz\""},
	};
	char memory[128];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_json(&t, rows[i].in);
		assert_text(&t, rows[i].out);
	}
	struct text t = text_over(memory, sizeof(memory));

	text_json_or_null(&t, slice_of(NULL, 0));
	text_json_or_null(&t, slice_of("", 0));
	text_hex(&t, "\x00\xa5\xff", 3);
	text_string(&t, "!");
	assert_text(&t, "null\"\"00a5ff!");
}

/* In memory one byte too small each form must say full; the byte behind stays as it was. */
static void test_full(void **state)
{
	char memory[64];

	(void)state;
	for (size_t capacity = 0; capacity < 40; capacity++) {
		struct text t = text_over(memory, capacity);

		memset(memory, '#', sizeof(memory));
		text_u64(&t, 1234567890);
		text_hex(&t, "abcd", 4);
		text_json(&t, SLICE("\"\xff"));
		text_usd(&t, -1);
		assert_int_equal(t.full, capacity < 10 + 8 + 7 + 12);
		assert_true(t.size <= capacity);
		assert_int_equal(memory[capacity], '#');
		if (t.full) {
			size_t size = t.size;

			text_literal(&t, "");
			text_char(&t, 'x');
			assert_int_equal(t.size, size);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_money),
		cmocka_unit_test(test_milli),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_places),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
