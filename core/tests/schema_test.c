/* The walk over tables: each type, defaults, what is required, what a build lacks. */
#include "core/schema.h"
#include "core/schema_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the above first. */
#include <cmocka.h>

struct item {
	char *name;
	uint16_t size;
};

struct target {
	char *text;
	bool on, idle, given;
	int8_t either;
	uint32_t small;
	uint64_t wait_ns;
	int64_t price;
	int colour;
	uint32_t flags;
	struct strings words;
	unsigned pair_count, item_count;
	struct named_value *pairs;
	struct item *items;
	uint32_t inner, lacking;
};

static const char *const colours[] = {"red", "green", NULL};

#define MEMBER(s, m) .offset = offsetof(s, m), .size = sizeof(((s *)NULL)->m)

static const struct schema_field item_fields[] = {
	{.name = "name", .type = SCHEMA_STRING, MEMBER(struct item, name), .required = true},
	{.name = "size", .type = SCHEMA_INTEGER, MEMBER(struct item, size), .max = 65535, .fallback = "7"},
};
static const struct schema item_schema = SCHEMA(item_fields);

static const struct schema_field part_fields[] = {
	{.name = "inner", .type = SCHEMA_INTEGER, MEMBER(struct target, inner), .max = 9, .required = true},
};
static const struct schema part_schema = SCHEMA(part_fields);

static const struct schema_field fields[] = {
	{.name = "text", .type = SCHEMA_STRING, MEMBER(struct target, text), .fallback = "standard"},
	{.name = "on", .type = SCHEMA_BOOL, MEMBER(struct target, on), .fallback = "true"},
	{.name = "either", .type = SCHEMA_BOOL, MEMBER(struct target, either), .absent = -1},
	{.name = "small", .type = SCHEMA_INTEGER, MEMBER(struct target, small), .min = 2, .max = 5, .fallback = "3"},
	{.name = "wait_ms", .type = SCHEMA_INTEGER, MEMBER(struct target, wait_ns), .max = 1000, .unit = 1000000},
	{.name = "price",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct target, price),
		.digits = 6,
		.max = 2000000,
		.absent = -1},
	{.name = "colour", .type = SCHEMA_ENUM, MEMBER(struct target, colour), .names = colours, .fallback = "green"},
	{.name = "flags",
		.type = SCHEMA_FLAGS,
		MEMBER(struct target, flags),
		.names = colours,
		.fallback = "red green"},
	{.name = "words", .type = SCHEMA_STRINGS, MEMBER(struct target, words), .fallback = "a b"},
	{.name = "pairs",
		.type = SCHEMA_PAIRS,
		MEMBER(struct target, pairs),
		.count_offset = offsetof(struct target, pair_count)},
	{.name = "items",
		.type = SCHEMA_LIST,
		MEMBER(struct target, items),
		.count_offset = offsetof(struct target, item_count),
		.item_size = sizeof(struct item),
		.object = &item_schema},
	{.name = "part",
		.type = SCHEMA_OBJECT,
		.object = &part_schema,
		.present_at = offsetof(struct target, given) + 1},
	{.name = "lacking", .type = SCHEMA_INTEGER, MEMBER(struct target, lacking), .max = 9, .build = SCHEMA_LACKS},
	{.name = "idle", .type = SCHEMA_BOOL, MEMBER(struct target, idle), .fallback = "true", .build = SCHEMA_IGNORES},
};
static const struct schema schema = SCHEMA(fields);

struct fixture {
	struct config_memory memory;
	struct config_report errors, warnings;
	struct target target;
	char told[2048];
};

static void tell(void *context, unsigned line, unsigned column, const char *message)
{
	struct fixture *fixture = context;
	size_t used = strlen(fixture->told);

	snprintf(fixture->told + used, sizeof(fixture->told) - used, "%u:%u: %s\n", line, column, message);
}

static void read_yaml(struct fixture *fixture, const char *yaml)
{
	const struct config_source source = {.yaml = slice_of_string(yaml)};
	struct schema_walk walk = {
		.memory = &fixture->memory, .errors = &fixture->errors, .warnings = &fixture->warnings};
	const struct config_node *root;

	memset(fixture, 0, sizeof(*fixture));
	config_memory_init(&fixture->memory, 1 << 20);
	config_report_init(&fixture->errors, &fixture->memory);
	config_report_init(&fixture->warnings, &fixture->memory);
	root = config_parse(&source, &fixture->memory, &fixture->errors);
	schema_read(&walk, &schema, root, root, &fixture->target);
	config_report_tell(&fixture->errors, tell, fixture);
	config_report_tell(&fixture->warnings, tell, fixture);
}

static void test_defaults(void **state)
{
	struct fixture fixture;
	const struct target *target = &fixture.target;

	(void)state;
	read_yaml(&fixture, "text: null\nitems: ~\npart:\n");
	assert_string_equal(fixture.told, "");
	assert_string_equal(target->text, "standard");
	assert_true(target->on);
	assert_false(target->given);
	assert_int_equal(target->either, -1);
	assert_int_equal(target->small, 3);
	assert_int_equal(target->wait_ns, 0);
	assert_int_equal(target->price, -1);
	assert_int_equal(target->colour, 1);
	assert_int_equal(target->flags, 3);
	assert_int_equal(target->words.count, 2);
	assert_string_equal(target->words.list[1], "b");
	assert_int_equal(target->item_count, 0);
	config_memory_fini(&fixture.memory);
}

static void test_given(void **state)
{
	struct fixture fixture;
	const struct target *target = &fixture.target;

	(void)state;
	read_yaml(&fixture, "{text: 12, on: false, either: true, small: 5, wait_ms: 3, price: 0.15, colour: red, "
			    "flags: [], words: [],\n"
			    " pairs: {x: y, z: 1}, items: [{name: i}, {name: j, size: 65535}], part: {inner: 4}}");
	assert_string_equal(fixture.told, "");
	assert_string_equal(target->text, "12");
	assert_false(target->on);
	assert_int_equal(target->either, 1);
	assert_int_equal(target->small, 5);
	assert_int_equal(target->wait_ns, 3000000);
	assert_int_equal(target->price, 150000);
	assert_int_equal(target->colour, 0);
	assert_int_equal(target->flags, 0);
	assert_int_equal(target->words.count, 0);
	assert_int_equal(target->pair_count, 2);
	assert_string_equal(target->pairs[1].value, "1");
	assert_int_equal(target->item_count, 2);
	assert_int_equal(target->items[0].size, 7);
	assert_int_equal(target->items[1].size, 65535);
	assert_true(target->given);
	assert_int_equal(target->inner, 4);
	config_memory_fini(&fixture.memory);
}

static void test_complaints(void **state)
{
	static const struct {
		const char *yaml, *told;
	} rows[] = {
		{"small: 6", "1:8: small: \"6\" will not do (expected a whole number 2..5)\n"},
		{"small: 1", "1:8: small: \"1\" will not do (expected a whole number 2..5)\n"},
		{"price: 2.000001",
			"1:8: price: \"2.000001\" will not do (expected a number 0..2 with at most 6 decimals)\n"},
		{"price: 0.1234567",
			"1:8: price: \"0.1234567\" will not do (expected a number 0..2 with at most 6 decimals)\n"},
		{"colour: gren",
			"1:9: colour: \"gren\" will not do (did you mean \"green\"? expected one of red green)\n"},
		{"flags: [red, gold]", "1:14: flags: \"gold\" will not do (expected a list of red green)\n"},
		{"words: [[]]", "1:9: words: a list will not do (expected a list of texts)\n"},
		{"items: [{}]", "1:9: \"name\" is missing (it is required)\n"},
		{"items: [3]", "1:9: a text will not do here (expected a map)\n"},
		{"part: {}", "1:7: \"inner\" is missing (it is required)\n"},
		{"tetx: 1", "1:1: unknown field \"tetx\" (did you mean \"text\"?)\n"},
		{"text: \"a\\nb\"\nsmall: \"\\e\"", "2:8: small: \"?\" will not do (expected a whole number 2..5)\n"},
		{"lacking: 1", "1:10: lacking is not in this build (expected its default)\n"},
		{"lacking: 0", ""},
		{"idle: false", "1:7: idle is accepted, but this build does not act on it\n"},
		{"idle: true", ""},
		{"small: x\ncolour: y", "1:8: small: \"x\" will not do (expected a whole number 2..5)\n"
					"2:9: colour: \"y\" will not do (expected one of red green)\n"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fixture;

		read_yaml(&fixture, rows[i].yaml);
		assert_string_equal(fixture.told, rows[i].told);
		assert_true(fixture.target.small == 3);
		config_memory_fini(&fixture.memory);
	}
}

static void test_decimals(void **state)
{
	static const struct {
		const char *text;
		unsigned digits;
		bool good;
		int64_t value;
	} rows[] = {
		{"0", 0, true, 0},
		{"0.15", 6, true, 150000},
		{"0.150000000", 6, true, 150000},
		{"0.1500001", 6, false, 0},
		{"3.50", 9, true, 3500000000},
		{"9223372036.854775807", 9, true, INT64_MAX},
		{"9223372036.854775808", 9, false, 0},
		{"9223372036854775807", 0, true, INT64_MAX},
		{"9223372036854775808", 0, false, 0},
		{"-2.5", 1, true, -25},
		{"", 0, false, 0},
		{"-", 0, false, 0},
		{".", 3, false, 0},
		{".5", 3, false, 0},
		{"5.", 3, false, 0},
		{"1.2.3", 3, false, 0},
		{"1e3", 3, false, 0},
		{"+1", 3, false, 0},
		{" 1", 3, false, 0},
		{"1_000", 3, false, 0},
		{"nan", 3, false, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t value = 0;

		assert_int_equal(schema_decimal(slice_of_string(rows[i].text), rows[i].digits, &value), rows[i].good);
		if (rows[i].good)
			assert_int_equal(value, rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
