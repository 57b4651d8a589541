/* The actors' own look into JSON: what is a document, what is in it, and which numbers are amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fuzz/sim/look.h"
#include "fuzz/sim/words.h"

static void test_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"{}", true},
		{" [1, -0.5e+3, true, false, null, \"a\\u00e9\\n\"] ", true},
		{"{\"a\":{\"b\":[{}]},\"c\":\"\"}", true},
		{"", false},
		{"{} x", false},
		{"{\"a\":1,}", false},
		{"[1,]", false},
		{"{\"a\" 1}", false},
		{"{a:1}", false},
		{"\"a\nb\"", false},
		{"\"\\x\"", false},
		{"\"\\u12g4\"", false},
		{"\"open", false},
		{"01", false},
		{"1.", false},
		{"+1", false},
		{"nul", false},
		{"[1}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (look_valid(slice_of_string(rows[i].text)) != rows[i].valid)
			fail_msg("%s", rows[i].text);
}

/* Strings are passed over in steps of eight: what matters may stand at any place of a step. */
static void test_long_strings(void **state)
{
	static const struct {
		const char *put;
		bool valid;
	} rows[] = {{"\xc3\xa9", true}, {"\x7f", true}, {" ", true}, {"\\n", true}, {"\\\"", true}, {"\\u00e9", true},
		{"\n", false}, {"\x1f", false}, {"\"", false}, {"\\x", false}, {"\\u00g9", false}};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned before = 0; before < 24; before++) {
			snprintf(text, sizeof(text), "\"%.*s%s%.*s\"", (int)before, "aaaaaaaaaaaaaaaaaaaaaaaa",
				rows[i].put, (int)(24 - before), "zzzzzzzzzzzzzzzzzzzzzzzz");
			if (look_valid(slice_of_string(text)) != rows[i].valid)
				fail_msg("%s", text);
		}
}

/* However JSON writes them, the words are the same; and a text is written anew by its size. */
static void test_words(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 60; number++)
		for (unsigned style = 0; style < WORDS_STYLES; style++) {
			struct bytes text = {0}, json = {0}, back = {0}, again = {0};
			struct slice string;

			words_add(&text, 0, number, 1 + number * 7);
			bytes_add(&json, SLICE("\""));
			words_escape(&json, bytes_slice(&text), style);
			bytes_add(&json, SLICE("\""));
			assert_true(look_valid(bytes_slice(&json)));
			string = look_string(bytes_slice(&json));
			look_text(string, &back);
			assert_true(slice_equal(bytes_slice(&text), bytes_slice(&back)));
			words_add(&again, 0, number, back.size);
			assert_true(slice_equal(bytes_slice(&text), bytes_slice(&again)));
			bytes_free(&text);
			bytes_free(&json);
			bytes_free(&back);
			bytes_free(&again);
		}
}

static void test_members(void **state)
{
	struct slice root = SLICE("{ \"a\" : [ 1 , {\"b\":\"x,]}\"} , 3 ] , \"c\\\"\":-7, \"a\":2 }");
	int64_t number = 0;

	(void)state;
	assert_true(look_valid(root));
	assert_true(slice_equal(look_string(look_member(look_item(look_member(root, "a"), 1), "b")), SLICE("x,]}")));
	assert_true(look_integer(look_item(look_member(root, "a"), 2), &number));
	assert_int_equal(number, 3);
	assert_true(look_integer(look_member(root, "c\\\""), &number));
	assert_int_equal(number, -7);
	assert_null(look_item(look_member(root, "a"), 3).data);
	assert_null(look_member(root, "b").data);
	assert_null(look_member(look_member(root, "a"), "b").data);
	assert_null(look_string(look_item(look_member(root, "a"), 0)).data);
}

static void test_amounts(void **state)
{
	static const struct {
		const char *text;
		bool amount;
		int64_t nusd;
	} rows[] = {
		{"0", true, 0},
		{"0.000099", true, 99000},
		{"12.5", true, 12500000000},
		{"0.000000001", true, 1},
		{"0.0000000001", false, 0},
		{"1e-5", false, 0},
		{"", false, 0},
		{"\"1\"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t nusd = 0;

		if (look_nusd(slice_of_string(rows[i].text), &nusd) != rows[i].amount ||
			(rows[i].amount && nusd != rows[i].nusd))
			fail_msg("%s", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_amounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
