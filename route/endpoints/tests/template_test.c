/* Templates by hand: what passes the check, and what comes of filling. */
#include "route/endpoints/template.h"

#include "core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void checks(void **state)
{
	static const char *const good[] = {"", "plain", "{{input}}", "a {{ input }} b", "{{input.a}}{{input.a.b}}",
		"{ {x} }", "}} alone", "{{input.with space}}", "\t{{\tinput.x\t}}"};
	static const char *const bad[] = {"{{", "{{}}", "{{input", "{{ input }", "{{inptu}}", "{{inputs}}",
		"{{input.}}", "{{input..a}}", "{{input.a.}}", "{{input.a}} {{b}}", "{{{input}}}"};

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!template_check(slice_of_string(good[i])))
			fail_msg("%s does not pass", good[i]);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (template_check(slice_of_string(bad[i])))
			fail_msg("%s passes", bad[i]);
}

struct filling {
	const char *text, *input;
	const char *result;  /* NULL: it is not filled */
	const char *missing; /* then */
};

static const struct filling fillings[] = {
	{"plain", "{}", "plain", NULL},
	{"say \"a\"\n\\", "{}", "say \\\"a\\\"\\n\\\\", NULL},
	{"<{{input}}>", "\"x\\\"y\\u00e9\"", "<x\\\"y\\u00e9>", NULL},
	{"<{{input}}>", "{\"a\": \"b\"}", "<{\\\"a\\\": \\\"b\\\"}>", NULL},
	{"{{input.a}} and {{input.b.c}}", "{\"a\":1.50,\"b\":{\"c\":[true,null]}}", "1.50 and [true,null]", NULL},
	{"{{input.a}}{{input.a}}", "{\"a\":\"\"}", "", NULL},
	{"{{input.a}}", "{\"a\":null}", "null", NULL},
	{"{{input.a}}", "{\"b\":1}", NULL, "a"},
	{"{{input.a.b}}", "{\"a\":[]}", NULL, "a.b"},
	{"{{input.a}}", "\"text\"", NULL, "a"},
};

/* A document has the parser's padding behind it. */
static struct json_parser *parse(char memory[static 256 + BUFFER_PADDING_BYTES], const char *document)
{
	struct json_parser *json = json_parser_open(1 << 20);
	struct json_error error;

	assert_non_null(json);
	memset(memory, 0, 256 + BUFFER_PADDING_BYTES);
	memcpy(memory, document, strlen(document));
	assert_int_equal(json_parse(json, slice_of_string(memory), &error), 0);
	return json;
}

static void fills(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++) {
		const struct filling *f = &fillings[i];
		char document[256 + BUFFER_PADDING_BYTES], result[512];
		struct json_parser *json = parse(document, f->input);
		struct text text = text_over(result, sizeof(result));
		struct config_memory memory;
		struct template template;
		struct slice missing;

		config_memory_init(&memory, 1 << 20);
		template_compile(&template, slice_of_string(f->text), &memory);
		assert_int_equal(template_fill(&template, json, 0, &text, &missing), f->result != NULL);
		if (f->result) {
			assert_true(slice_equal(text_slice(&text), slice_of_string(f->result)));
			assert_true(template_bytes(&template, json, 0) >= text.size);
		} else {
			assert_true(slice_equal(missing, slice_of_string(f->missing)));
		}
		config_memory_fini(&memory);
		json_parser_close(json);
	}
}

static void without_input(void **state)
{
	char document[256 + BUFFER_PADDING_BYTES], result[64];
	struct json_parser *json = parse(document, "{}");
	struct text text = text_over(result, sizeof(result));
	struct config_memory memory;
	struct template template;
	struct slice missing;

	(void)state;
	config_memory_init(&memory, 1 << 20);
	template_compile(&template, SLICE("{{input}}"), &memory);
	assert_false(template_fill(&template, json, JSON_NONE, &text, &missing));
	assert_int_equal(missing.size, 0);
	config_memory_fini(&memory);
	config_memory_init(&memory, 16);
	template_compile(&template, SLICE("more than fits"), &memory);
	assert_true(memory.failed);
	config_memory_fini(&memory);
	json_parser_close(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks), cmocka_unit_test(fills), cmocka_unit_test(without_input)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
