/* Schemas by hand: what each keyword lets pass, what it says of the rest, and what is no schema here. */
#include "proto/json/json_schema.h"

#include "core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

struct sample {
	const char *schema, *value;
	const char *where; /* NULL: it passes */
	const char *what;
};

static const struct sample samples[] = {
	{"true", "1", NULL, NULL},
	{"{}", "{\"a\":[1]}", NULL, NULL},
	{"false", "1", "", "it may not be there"},
	{"{\"type\":\"string\"}", "\"a\"", NULL, NULL},
	{"{\"type\":\"string\"}", "1", "", "it has to be of type string"},
	{"{\"type\":[\"null\",\"array\"]}", "{}", "", "it has to be of type null or array"},
	{"{\"type\":[\"null\",\"array\"]}", "null", NULL, NULL},
	{"{\"type\":\"integer\"}", "3.0", NULL, NULL},
	{"{\"type\":\"integer\"}", "3.5", "", "it has to be of type integer"},
	{"{\"type\":\"number\"}", "3", NULL, NULL},
	{"{\"type\":\"boolean\"}", "false", NULL, NULL},
	{"{\"type\":\"boolean\"}", "0", "", "it has to be of type boolean"},
	{"{\"enum\":[\"a\",1,null,true]}", "1.0", NULL, NULL},
	{"{\"enum\":[\"a\",1,null,true]}", "\"a\"", NULL, NULL},
	{"{\"enum\":[\"a\",1,null,true]}", "null", NULL, NULL},
	{"{\"enum\":[\"a\",1,null,true]}", "false", "", "it is none of the values that may be here"},
	{"{\"enum\":[\"a\"]}", "[]", "", "it is none of the values that may be here"},
	{"{\"const\":\"x\"}", "\"y\"", "", "it is none of the values that may be here"},
	{"{\"properties\":{\"b\":{\"type\":\"string\"},\"a\":{\"properties\":{\"c\":{\"type\":\"null\"}}}}}",
		"{\"a\":{\"c\":1}}", ".a.c", "it has to be of type null"},
	{"{\"properties\":{\"a\":false}}", "{\"a\":1}", ".a", "it may not be there"},
	{"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "", "it lacks a member \"b\""},
	{"{\"required\":[\"a\"]}", "\"no object\"", NULL, NULL},
	{"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"z\":1}", "",
		"it may not have a member \"z\""},
	{"{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"null\"}}", "{\"a\":1,\"z\":1}", ".z",
		"it has to be of type null"},
	{"{\"minProperties\":1}", "{}", "", "its members are fewer than 1"},
	{"{\"maxProperties\":1}", "{\"a\":1,\"b\":1}", "", "its members are more than 1"},
	{"{\"items\":{\"items\":{\"type\":\"integer\"}}}", "[[1],[2,\"x\"]]", "[1][1]", "it has to be of type integer"},
	{"{\"minItems\":2}", "[1]", "", "its items are fewer than 2"},
	{"{\"maxItems\":0}", "[1]", "", "its items are more than 0"},
	{"{\"minimum\":3}", "2.5", "", "it is less than 3"},
	{"{\"minimum\":3}", "3", NULL, NULL},
	{"{\"maximum\":-1}", "0", "", "it is more than -1"},
	{"{\"exclusiveMinimum\":0}", "0", "", "it is not above 0"},
	{"{\"exclusiveMaximum\":1.5}", "1.5", "", "it is not below what the schema says"},
	{"{\"multipleOf\":0.1}", "0.3", NULL, NULL},
	{"{\"multipleOf\":2}", "3", "", "it is no multiple of 2"},
	{"{\"minLength\":2}", "\"\xc3\xa9\"", "", "its characters are fewer than 2"},
	{"{\"maxLength\":2}", "\"\xc3\xa9\\u00e9\"", NULL, NULL},
	{"{\"maxLength\":2}", "\"abc\"", "", "its characters are more than 2"},
	{"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", "", "it is more than 2"},
	{"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", NULL, NULL},
	{"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "3", "", "it matches none of anyOf"},
	{"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "3", NULL, NULL},
	{"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "7", "", "it does not match exactly one of oneOf"},
	{"{\"not\":{\"type\":\"string\"}}", "\"a\"", "", "it matches what it must not"},
	{"{\"not\":{\"type\":\"string\"}}", "1", NULL, NULL},
	{"{\"$defs\":{\"x\":{\"type\":\"string\"}},\"properties\":{\"a\":{\"$ref\":\"#/$defs/x\"}}}", "{\"a\":1}", ".a",
		"it has to be of type string"},
	{"{\"properties\":{\"next\":{\"$ref\":\"#\"},\"n\":{\"type\":\"integer\"}}}",
		"{\"next\":{\"next\":{\"n\":\"x\"}}}", ".next.next.n", "it has to be of type integer"},
	{"{\"title\":\"t\",\"format\":\"email\",\"x-more\":{},\"default\":1}", "\"no mail\"", NULL, NULL},
};

static void *padded(const char *text)
{
	char *copy = calloc(1, strlen(text) + BUFFER_PADDING_BYTES);

	assert_non_null(copy);
	memcpy(copy, text, strlen(text));
	return copy;
}

static struct json_schema *read_schema(const char *document)
{
	char why_memory[256];
	struct text why = text_over(why_memory, sizeof(why_memory));
	struct json_schema *schema = json_schema_make(slice_of_string(document), &why);

	if (!schema)
		fail_msg("%s: %.*s", document, (int)why.size, why.data);
	return schema;
}

static bool passes(const char *document, const char *value, struct text *where, struct text *what)
{
	struct json_schema *schema = read_schema(document);
	struct json_parser *json = json_parser_open(1 << 20);
	char *memory = padded(value);
	struct json_error error;
	bool good;

	assert_non_null(json);
	assert_int_equal(json_parse(json, slice_of(memory, strlen(value)), &error), 0);
	good = json_schema_check(schema, json, 0, where, what);
	json_parser_close(json);
	json_schema_free(schema);
	free(memory);
	return good;
}

static void checks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		char where_memory[64], what_memory[128];
		struct text where = text_over(where_memory, sizeof(where_memory));
		struct text what = text_over(what_memory, sizeof(what_memory));
		bool good = passes(s->schema, s->value, &where, &what);

		if (good != !s->where ||
			(s->where && (!slice_equal(text_slice(&where), slice_of_string(s->where)) ||
					     !slice_equal(text_slice(&what), slice_of_string(s->what)))))
			fail_msg("%s of %s: %d at \"%.*s\": %.*s", s->schema, s->value, good, (int)where.size,
				where.data, (int)what.size, what.data);
	}
}

static const struct {
	const char *schema, *why;
} refused[] = {
	{"", "an empty text is no schema"},
	{"{", "\"schema\" will not do (expected JSON)"},
	{"[]", "\"[]\" will not do (expected a schema)"},
	{"{\"type\":\"text\"}", "\"type\" will not do (expected null, boolean, integer, number, string, array or "
				"object, or a list of them)"},
	{"{\"type\":5}", "\"type\" will not do (expected null, boolean, integer, number, string, array or object, or a "
			 "list of them)"},
	{"{\"pattern\":\"^a\"}", "\"pattern\" will not do (expected a keyword that is checked here)"},
	{"{\"items\":[{}]}", "\"[{}]\" will not do (expected a schema)"},
	{"{\"required\":\"a\"}", "\"required\" will not do (expected a list of names)"},
	{"{\"required\":[1]}", "\"required\" will not do (expected a list of names)"},
	{"{\"enum\":[[1]]}", "\"enum\" will not do (expected a list of texts, numbers, booleans and nulls)"},
	{"{\"enum\":1}", "\"enum\" will not do (expected a list of texts, numbers, booleans and nulls)"},
	{"{\"const\":{}}", "\"const\" will not do (expected a text, a number, a boolean or null)"},
	{"{\"properties\":[]}", "\"properties\" will not do (expected an object of schemas)"},
	{"{\"minLength\":-1}", "\"minLength\" will not do (expected a count)"},
	{"{\"maxItems\":1.5}", "\"maxItems\" will not do (expected a count)"},
	{"{\"minimum\":\"1\"}", "\"minimum\" will not do (expected a number; of multipleOf above 0)"},
	{"{\"multipleOf\":0}", "\"multipleOf\" will not do (expected a number; of multipleOf above 0)"},
	{"{\"anyOf\":[]}", "\"anyOf\" will not do (expected a list of schemas)"},
	{"{\"allOf\":{}}", "\"allOf\" will not do (expected a list of schemas)"},
	{"{\"$ref\":\"http://x/y\"}", "\"$ref\" will not do (expected a place in this schema, as #/$defs/NAME)"},
	{"{\"$ref\":\"#/$defs/x\"}", "\"$ref\" will not do (expected a place in this schema, as #/$defs/NAME)"},
	{"{\"$ref\":\"#\"}", "\"$ref\" will not do (expected one that does not lead back to itself)"},
	{"{\"properties\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/x\"}]}},\"$defs\":{\"x\":{\"not\":{\"$ref\":\"#/"
	 "properties/a\"}}}}",
		"\"$ref\" will not do (expected one that does not lead back to itself)"},
};

static void refuses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char memory[256];
		struct text why = text_over(memory, sizeof(memory));

		if (json_schema_make(slice_of_string(refused[i].schema), &why))
			fail_msg("%s is taken", refused[i].schema);
		if (!slice_equal(text_slice(&why), slice_of_string(refused[i].why)))
			fail_msg("%s: %.*s", refused[i].schema, (int)why.size, why.data);
	}
	json_schema_free(NULL);
}

/* Ten alternatives at each of ten levels are more than anybody waits for. */
static void ends(void **state)
{
	static const char schema[] =
		"{\"$defs\":{\"x\":{\"anyOf\":[{\"items\":{\"$ref\":\"#/$defs/x\"},\"maxItems\":1,\"const\":0},"
		"{\"items\":{\"$ref\":\"#/$defs/x\"}},{\"items\":{\"$ref\":\"#/$defs/x\"}},{\"items\":{\"$ref\":\"#/"
		"$defs/x\"}},"
		"{\"items\":{\"$ref\":\"#/$defs/x\"}},{\"items\":{\"$ref\":\"#/$defs/x\"}}],\"type\":\"array\"}},"
		"\"$ref\":\"#/$defs/x\"}";
	char value[64], where_memory[64], what_memory[64];
	struct text where = text_over(where_memory, sizeof(where_memory));
	struct text what = text_over(what_memory, sizeof(what_memory));

	(void)state;
	memset(value, '[', 20);
	value[20] = '1';
	memset(value + 21, ']', 20);
	value[41] = '\0';
	assert_false(passes(schema, value, &where, &what));
	assert_true(slice_equal(text_slice(&what), SLICE("it is too much to be checked")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checks), cmocka_unit_test(refuses), cmocka_unit_test(ends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
