/* The actors' own look into JSON: what is a document, what is in it, and which numbers are amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fuzz/sim/look.h"

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
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_amounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
