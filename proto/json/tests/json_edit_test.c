/*
 * Edits: each row names members to remove, a member whose value is replaced, and members to insert; the edited text is
 * compared and parsed again. Then every subset of removals of every small object, with and without an insertion.
 */
#include "core/buffer.h"
#include "proto/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
	struct json_parser *parser;
	char document[512 + BUFFER_PADDING_BYTES];
	size_t size;
	struct json_edits edits;
	char edited[1024];
};

static void begin(struct fixture *f, const char *text)
{
	struct json_error error;

	f->size = strlen(text);
	assert_true(f->size <= 512);
	memcpy(f->document, text, f->size);
	assert_int_equal(json_parse(f->parser, slice_of(f->document, f->size), &error), 0);
	json_edits_init(&f->edits);
}

static const char *edited(struct fixture *f)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size, at = 0;
	unsigned count = json_edited(&f->edits, slice_of(f->document, f->size), iov, &size);

	assert_true(count <= COUNT(iov) && size < sizeof(f->edited));
	for (unsigned i = 0; i < count; i++) {
		assert_true(iov[i].iov_len > 0);
		memcpy(f->edited + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, size);
	f->edited[at] = '\0';
	return f->edited;
}

static void remove_named(struct fixture *f, const char *keys)
{
	for (; *keys; keys++)
		json_remove(&f->edits, f->parser, 0, json_member(f->parser, 0, slice_of(keys, 1)));
}

static void edits_of_the_root(void **state)
{
	static const struct {
		const char *text, *remove, *replace, *insert, *expected;
	} table[] = {
		{"{\"a\":1,\"b\":2,\"c\":3}", "", "", NULL, "{\"a\":1,\"b\":2,\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "a", "", NULL, "{\"b\":2,\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "b", "", NULL, "{\"a\":1,\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "c", "", NULL, "{\"a\":1,\"b\":2}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "ab", "", NULL, "{\"c\":3}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "cb", "", NULL, "{\"a\":1}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "ac", "", NULL, "{\"b\":2}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "bca", "", NULL, "{}"},
		{"{ \"a\" : 1 , \"b\" : 2 }", "a", "", NULL, "{ \"b\" : 2 }"},
		{"{ \"a\" : 1 , \"b\" : 2 }", "b", "", NULL, "{ \"a\" : 1  }"},
		{"{ \"a\" : 1 , \"b\" : 2 }", "ab", "", "\"n\":0", "{  \"n\":0}"},
		{"{}", "", "", "\"n\":0", "{\"n\":0}"},
		{"{ \n}", "", "", "\"n\":0,\"m\":1", "{ \n\"n\":0,\"m\":1}"},
		{"{\"a\":1}", "", "", "\"n\":0", "{\"a\":1,\"n\":0}"},
		{"{\"a\":1}", "a", "", "\"n\":0", "{\"n\":0}"},
		{"{\"a\":1,\"b\":2 }", "b", "", "\"n\":0", "{\"a\":1 ,\"n\":0}"},
		{"{\"a\":1,\"b\":2}", "", "a", NULL, "{\"a\":\"new\",\"b\":2}"},
		{"{\"a\":{},\"b\":[ ]}", "", "b", "\"n\":0", "{\"a\":{},\"b\":\"new\",\"n\":0}"},
		{"{\"a\":1,\"b\":2,\"c\":3}", "ac", "b", "\"n\":0", "{\"b\":\"new\",\"n\":0}"},
		{" {\"a\" : \"x\" , \"b\":2} ", "b", "a", NULL, " {\"a\" : \"new\" } "},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		begin(f, table[i].text);
		if (table[i].insert)
			json_insert(&f->edits, f->parser, 0, slice_of_string(table[i].insert));
		remove_named(f, table[i].remove);
		if (*table[i].replace)
			json_replace(&f->edits, f->parser, json_member(f->parser, 0, slice_of(table[i].replace, 1)),
				SLICE("\"new\""));
		assert_false(f->edits.full);
		assert_string_equal(edited(f), table[i].expected);
	}
}

static void edits_of_inner_objects(void **state)
{
	struct fixture *f = *state;
	json_ref inner;

	begin(f, "{\"a\":{},\"b\":{\"c\":1,\"d\":[{}]}}");
	inner = json_member(f->parser, 0, SLICE("b"));
	json_insert(&f->edits, f->parser, 0, SLICE("\"z\":0"));
	json_insert(&f->edits, f->parser, json_member(f->parser, 0, SLICE("a")), SLICE("\"y\":1"));
	json_insert(&f->edits, f->parser, json_first(f->parser, json_member(f->parser, inner, SLICE("d"))),
		SLICE("\"x\":2"));
	json_remove(&f->edits, f->parser, inner, json_member(f->parser, inner, SLICE("c")));
	assert_string_equal(edited(f), "{\"a\":{\"y\":1},\"b\":{\"d\":[{\"x\":2}]},\"z\":0}");

	/* The emptied inner object is no reason to leave out the outer comma. */
	begin(f, "{\"a\":{\"b\":1}}");
	inner = json_member(f->parser, 0, SLICE("a"));
	json_remove(&f->edits, f->parser, inner, json_first(f->parser, inner));
	json_insert(&f->edits, f->parser, 0, SLICE("\"z\":0"));
	assert_string_equal(edited(f), "{\"a\":{},\"z\":0}");
}

/* Objects of 0 to 6 members a..f, plain and spaced; every set of removals; the result holds exactly the rest. */
static void every_set_of_removals(void **state)
{
	struct fixture *f = *state, *again = f + 1;

	for (unsigned members = 0; members <= 6; members++) {
		for (unsigned bits = 0; bits < 4u << members; bits++) {
			bool spaced = bits >> members & 1, insert = bits >> members & 2;
			char text[128] = "";
			size_t at = 0;
			unsigned left = insert;

			text[at++] = '{';
			for (unsigned m = 0; m < members; m++)
				at += (size_t)snprintf(text + at, sizeof(text) - at,
					spaced ? "%s \"%c\" :\t%u " : "%s\"%c\":%u", m ? "," : "", (char)('a' + m), m);
			text[at] = '}';
			begin(f, text);
			if (insert)
				json_insert(&f->edits, f->parser, 0, SLICE("\"n\":0"));
			for (unsigned m = members; m-- > 0;) {
				if (bits >> m & 1)
					json_remove(&f->edits, f->parser, 0,
						json_member(f->parser, 0, slice_of(&"abcdef"[m], 1)));
				else
					left++;
			}
			begin(again, edited(f));
			assert_int_equal(json_count(again->parser, 0), left);
			for (unsigned m = 0; m < members; m++) {
				json_ref value = json_member(again->parser, 0, slice_of(&"abcdef"[m], 1));
				int64_t number = -1;

				assert_int_equal(value == JSON_NONE, bits >> m & 1);
				if (value == JSON_NONE)
					continue;
				assert_true(json_integer(again->parser, value, &number));
				assert_int_equal(number, m);
			}
			assert_int_equal(json_member(again->parser, 0, SLICE("n")) != JSON_NONE, insert);
		}
	}
}

static void too_many_patches_are_told(void **state)
{
	struct fixture *f = *state;

	begin(f, "{\"a\":1}");
	for (unsigned i = 0; i < JSON_EDITS_MAX; i++)
		json_insert(&f->edits, f->parser, 0, SLICE("\"n\":0"));
	assert_true(f->edits.full);
	assert_int_equal(f->edits.count, JSON_EDITS_MAX / 2);
}

static int set_up(void **state)
{
	static struct fixture fixtures[2];

	for (unsigned i = 0; i < 2; i++) {
		fixtures[i].parser = json_parser_open(1 << 20);
		assert_non_null(fixtures[i].parser);
	}
	*state = fixtures;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixtures = *state;

	json_parser_close(fixtures[0].parser);
	json_parser_close(fixtures[1].parser);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_of_the_root),
		cmocka_unit_test(edits_of_inner_objects),
		cmocka_unit_test(every_set_of_removals),
		cmocka_unit_test(too_many_patches_are_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
