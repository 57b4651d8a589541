/* The tree: shapes, positions, variables from a table instead of the environment, bounds. */
#include "core/config_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first. */
#include <cmocka.h>

struct fixture {
	struct config_memory memory;
	struct config_report report;
	char told[2048];
};

static void tell(void *context, unsigned line, unsigned column, const char *message)
{
	struct fixture *fixture = context;
	size_t used = strlen(fixture->told);

	snprintf(fixture->told + used, sizeof(fixture->told) - used, "%u:%u: %s\n", line, column, message);
}

static const char *look_up(void *context, const char *name)
{
	(void)context;
	if (strcmp(name, "A") == 0)
		return "one";
	if (strcmp(name, "N") == 0)
		return "17";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	return strcmp(name, "SHAPE") == 0 ? "{ x: ${A} }" : NULL;
}

static const struct config_node *parse(struct fixture *fixture, struct slice yaml, size_t memory_bytes)
{
	const struct config_source source = {.yaml = yaml, .lookup = look_up};
	const struct config_node *root;

	memset(fixture, 0, sizeof(*fixture));
	config_memory_init(&fixture->memory, memory_bytes);
	config_report_init(&fixture->report, &fixture->memory);
	root = config_parse(&source, &fixture->memory, &fixture->report);
	config_report_tell(&fixture->report, tell, fixture);
	return root;
}

static void test_shape(void **state)
{
	struct fixture fixture;
	const struct config_node *root =
		parse(&fixture, SLICE("a: 1\nb:\n  - x\n  - 'y'\nc: &c { d: ~ }\ne: *c\n"), 1 << 20);
	const struct config_node *list = config_member(root, "b"), *map = config_member(root, "c");

	(void)state;
	assert_int_equal(root->kind, CONFIG_MAP);
	assert_int_equal(root->count, 4);
	assert_string_equal(config_member(root, "a")->text.data, "1");
	assert_int_equal(list->kind, CONFIG_LIST);
	assert_int_equal(list->count, 2);
	assert_true(list->first->value->plain);
	assert_false(list->first->next->value->plain);
	assert_int_equal(list->first->next->value->line, 4);
	assert_int_equal(list->first->next->value->column, 5);
	assert_ptr_equal(map, config_member(root, "e"));
	assert_true(config_is_null(config_member(map, "d")));
	assert_null(config_member(map, "none"));
	assert_null(config_member(list, "a"));
	assert_null(config_member(NULL, "a"));
	assert_string_equal(fixture.told, "");
	config_memory_fini(&fixture.memory);
}

static void test_variables(void **state)
{
	static const struct {
		const char *yaml, *text; /* text NULL: refused */
		bool replaced;
	} rows[] = {
		{"v: ${A}", "one", true},
		{"v: x${A}y${N}z", "xoney17z", true},
		{"v: '${N}'", "17", true},
		{"v: ${NONE:-d}", "d", true},
		{"v: ${EMPTY:-d}", "d", true},
		{"v: ${NONE:-}", "", true},
		{"v: x${EMPTY}", "x", true},
		{"v: ${A:-d}", "one", true},
		{"v: $A", "$A", false},
		{"v: a$", "a$", false},
		{"v: $${A}", "${A}", false},
		{"v: $$${A}", "$${A}", false},
		{"v: ${SHAPE}", "{ x: ${A} }", true}, /* neither YAML nor searched again */
		{"v: ${NONE}", NULL, false},
		{"v: ${NONE", NULL, false},
		{"v: ${}", NULL, false},
		{"v: ${A-B}", NULL, false},
		{"v: ${ A}", NULL, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fixture;
		const struct config_node *root = parse(&fixture, slice_of_string(rows[i].yaml), 1 << 20);
		const struct config_node *node = config_member(root, "v");

		assert_non_null(node);
		assert_int_equal(fixture.report.count, rows[i].text ? 0 : 1);
		if (rows[i].text)
			assert_string_equal(node->text.data, rows[i].text);
		else
			assert_non_null(strstr(fixture.told, "1:4: "));
		assert_int_equal(node->replaced, rows[i].replaced);
		config_memory_fini(&fixture.memory);
	}
}

/* Names are left as they are. */
static void test_keys(void **state)
{
	struct fixture fixture;
	const struct config_node *root = parse(&fixture, SLICE("'${NONE}': 1"), 1 << 20);

	(void)state;
	assert_non_null(config_member(root, "${NONE}"));
	assert_int_equal(fixture.report.count, 0);
	config_memory_fini(&fixture.memory);
}

static void test_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_null(parse(&fixture, SLICE(""), 1 << 20));
	assert_int_equal(fixture.report.count, 0);
	config_memory_fini(&fixture.memory);
	assert_null(parse(&fixture, SLICE("# nothing\n"), 1 << 20));
	assert_int_equal(fixture.report.count, 0);
	config_memory_fini(&fixture.memory);
}

/* Whatever memory there is: a result, or the failure is known; nothing leaks. */
static void test_memory(void **state)
{
	size_t bytes;

	(void)state;
	for (bytes = 0; bytes < 4096; bytes += 16) {
		struct fixture fixture;
		const struct config_node *root = parse(&fixture, SLICE("a: ['${A}', &x {b: c}, *x]\na: 2\n"), bytes);

		if (bytes < 400)
			assert_true(fixture.memory.failed);
		if (!fixture.memory.failed) {
			assert_non_null(root);
			assert_int_equal(fixture.report.count, 1);
		}
		config_memory_fini(&fixture.memory);
	}
}

static void test_bounds(void **state)
{
	enum { ENTRIES = CONFIG_MAP_MAX + 1, ROOM = 2 * CONFIG_TEXT_MAX };
	struct fixture fixture;
	char *yaml = malloc(ROOM);
	size_t used = 0;
	unsigned i;

	(void)state;
	assert_non_null(yaml);
	for (i = 0; i < ENTRIES; i++)
		used += (size_t)snprintf(yaml + used, ROOM - used, "k%u: 1\n", i);
	assert_null(parse(&fixture, slice_of(yaml, used), 1 << 24));
	assert_string_equal(fixture.told, "4097:1: this map has too many entries (expected at most 4096)\n");
	config_memory_fini(&fixture.memory);
	memset(yaml, 'x', ROOM);
	assert_null(parse(&fixture, slice_of(yaml, CONFIG_TEXT_MAX + 1), 1 << 24));
	assert_string_equal(fixture.told, "1:1: the value is too long (expected at most 65536 bytes)\n");
	config_memory_fini(&fixture.memory);
	free(yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
