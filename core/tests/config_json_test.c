/* Parts of a configuration as JSON: what YAML means by its scalars, and nothing lost. */
#include "core/config_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const struct {
	const char *yaml, *json;
} cases[] = {
	{"a: 1", "{\"a\":1}"},
	{"{ a: '1', b: true, c: \"true\", d: null, e: ~, f: , g: 'null' }",
		"{\"a\":\"1\",\"b\":true,\"c\":\"true\",\"d\":null,\"e\":null,\"f\":null,\"g\":\"null\"}"},
	{"[-0.5e+3, 1e5, 0, 10, -7, 1.25]", "[-0.5e+3,1e5,0,10,-7,1.25]"},
	{"[01, .5, 1., +1, 1e, 0x1, -, yes, 1_000]",
		"[\"01\",\".5\",\"1.\",\"+1\",\"1e\",\"0x1\",\"-\",\"yes\",\"1_000\"]"},
	{"{ type: object, properties: { 'a b': { type: string, pattern: '^\"\\d+$' } }, required: [a b] }",
		"{\"type\":\"object\",\"properties\":{\"a b\":{\"type\":\"string\",\"pattern\":\"^\\\"\\\\d+$\"}},"
		"\"required\":[\"a b\"]}"},
	{"x: []\ny: {}\nz: |\n  line\n", "{\"x\":[],\"y\":{},\"z\":\"line\\n\"}"},
	{"[&a { b: 1 }, *a]", "[{\"b\":1},{\"b\":1}]"},
};

static const char *no_variable(void *context, const char *name)
{
	(void)context;
	(void)name;
	return NULL;
}

static void prints(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config_source source = {.yaml = slice_of_string(cases[i].yaml), .lookup = no_variable};
		struct config_memory memory;
		struct config_report errors;
		struct config_node *node;

		config_memory_init(&memory, 1 << 20);
		config_report_init(&errors, &memory);
		node = config_parse(&source, &memory, &errors);
		assert_non_null(node);
		assert_string_equal(config_print_json(node, &memory), cases[i].json);
		memory.max_bytes = memory.used_bytes;
		assert_null(config_print_json(node, &memory));
		assert_true(memory.failed);
		config_memory_fini(&memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(prints)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
