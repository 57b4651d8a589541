/*
 * The JSON view: values and their bytes, keys, duplicates, faults with their offsets, and random documents and
 * mutations (whose seed is printed: SEED=n repeats a run).
 */
#include "core/buffer.h"
#include "proto/json/json.h"
#include "proto/json/json_error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy with exactly the padding that the parser is promised, so that the sanitizer sees a byte too many. */
static struct slice padded(struct slice text)
{
	char *copy = malloc(text.size + BUFFER_PADDING_BYTES);

	assert_non_null(copy);
	memcpy(copy, text.data, text.size);
	memset(copy + text.size, ':', BUFFER_PADDING_BYTES); /* misleading: it must mean nothing */
	return slice_of(copy, text.size);
}

static struct json_parser *open_parser(void)
{
	struct json_parser *p = json_parser_open(1 << 22);

	assert_non_null(p);
	return p;
}

static void assert_slice(struct slice got, const char *expected)
{
	assert_int_equal(got.size, strlen(expected));
	assert_memory_equal(got.data, expected, got.size);
}

/* Every value's bytes, parsed alone, are the same value. */
static void check_value(const struct json_parser *p, struct json_parser *other, json_ref value)
{
	struct slice raw = json_raw(p, value), alone = padded(raw), a, b;
	struct json_error error;
	double x = 0, y = 0;

	assert_int_equal(json_parse(other, alone, &error), 0);
	assert_int_equal(json_type(other, 0), json_type(p, value));
	assert_int_equal(json_raw(other, 0).size, raw.size);
	assert_int_equal(json_count(other, 0), json_count(p, value));
	a = json_string(p, value);
	b = json_string(other, 0);
	assert_true(slice_equal(a, b));
	assert_int_equal(json_number(p, value, &x), json_number(other, 0, &y));
	assert_memory_equal(&x, &y, sizeof(x));
	free((void *)(uintptr_t)alone.data);
}

/* Checks the subtree and returns the number of its values. */
static unsigned check_tree(const struct json_parser *p, struct json_parser *other, json_ref value)
{
	unsigned values = 1, children = 0;

	check_value(p, other, value);
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v)) {
		struct slice key = json_key(p, v);

		assert_int_equal(key.data != NULL, json_type(p, value) == JSON_OBJECT);
		assert_int_equal(json_key_raw(p, v).data != NULL, json_type(p, value) == JSON_OBJECT);
		if (key.data)
			assert_int_equal(json_key_raw(p, v).data[0], '"');
		values += check_tree(p, other, v);
		children++;
	}
	assert_int_equal(json_count(p, value), children);
	return values;
}

static void values_know_their_bytes(void **state)
{
	static const struct {
		const char *text;
		unsigned values;
	} table[] = {
		{"{}", 1},
		{"[]", 1},
		{" 1 ", 1},
		{"\"a\"", 1},
		{"null", 1},
		{"true\n", 1},
		{"-0.5e3", 1},
		{"{\"a\":1}", 2},
		{"{ \"a\" : [ ] , \"b\" : { } }", 3},
		{"[[],[[]],{}]", 5},
		{"[1,2 ,3\t,\r\n4]", 5},
		{"{\"a\":{\"b\":{\"c\":[1,{\"d\":null}]}},\"e\":\"f\"}", 8},
		{"[\"a,b\",\"]\",\"{:}\",\"\\\"\\\\\",\"\\u00e9\\ud83d\\ude00\"]", 6},
		{"[18446744073709551615,-9223372036854775808,1e308,0,-0,0.0]", 7},
		{"  {\"model\" :\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}  ", 7},
	};
	struct json_parser *p = open_parser(), *other = open_parser();

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice document = padded(slice_of_string(table[i].text));
		struct json_error error;

		assert_int_equal(json_parse(p, document, &error), 0);
		assert_int_equal(check_tree(p, other, 0), table[i].values);
		free((void *)(uintptr_t)document.data);
	}
	json_parser_close(p);
	json_parser_close(other);
}

static void members_are_found_by_unescaped_key(void **state)
{
	struct slice document = padded(SLICE("{\"mod\\u0065l\": \"a\\nb\", \"n\":[1], \"z\\u0000\":2,\"\":3}"));
	struct json_parser *p = open_parser();
	struct json_error error;
	json_ref v;
	int64_t integer;

	(void)state;
	assert_int_equal(json_parse(p, document, &error), 0);
	v = json_member(p, 0, SLICE("model"));
	assert_slice(json_string(p, v), "a\nb");
	assert_slice(json_raw(p, v), "\"a\\nb\"");
	assert_slice(json_key(p, v), "model");
	assert_slice(json_key_raw(p, v), "\"mod\\u0065l\"");
	assert_int_equal(json_member(p, 0, SLICE("mode")), JSON_NONE);
	assert_int_equal(json_member(p, v, SLICE("model")), JSON_NONE);
	assert_int_equal(json_member(p, JSON_NONE, SLICE("model")), JSON_NONE);
	v = json_member(p, 0, SLICE("n"));
	assert_int_equal(json_count(p, v), 1);
	assert_null(json_key(p, json_first(p, v)).data);
	assert_null(json_string(p, v).data);
	assert_true(json_integer(p, json_member(p, 0, SLICE("z\0")), &integer));
	assert_int_equal(integer, 2);
	assert_true(json_integer(p, json_member(p, 0, SLICE("")), &integer));
	assert_int_equal(integer, 3);
	free((void *)(uintptr_t)document.data);
	json_parser_close(p);
}

/* A text is written when it is asked for, wherever that is, and leaves its neighbours alone. */
static void escaped_texts_lie_apart(void **state)
{
	static const char *const texts[] = {
		"\n", "a\"b", "\xf0\x9f\x98\x80", "plain", "\xc3\xa9/", "\xe2\x82\xac\\", "\t\b\f\r"};
	static const unsigned orders[][COUNT(texts)] = {
		{0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}, {3, 0, 6, 1, 5, 2, 4}};
	struct slice document =
		padded(SLICE("[\"\\n\",\"a\\\"b\",\"\\ud83d\\uDE00\",\"plain\",\"\\u00e9\\/\",\"\\u20AC\\\\\","
			     "\"\\t\\b\\f\\r\",{\"\\u006b\":\"\\u006b\"}]"));
	struct json_parser *p = open_parser();
	struct json_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		assert_int_equal(json_parse(p, document, &error), 0);
		for (unsigned round = 0; round < 2; round++)
			for (size_t at = 0; at < COUNT(texts); at++)
				assert_slice(json_string(p, orders[i][at] + 1), texts[orders[i][at]]);
		for (unsigned at = 0; at < COUNT(texts); at++)
			assert_slice(json_string(p, at + 1), texts[at]);
		assert_slice(json_string(p, json_member(p, COUNT(texts) + 1, SLICE("k"))), "k");
	}
	free((void *)(uintptr_t)document.data);
	json_parser_close(p);
}

static void integers_are_whole_and_fit(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		int64_t value;
	} table[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"3.0", true, 3},
		{"1e3", true, 1000},
		{"-2.5e1", true, -25},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"18446744073709551615", false, 0},
		{"9223372036854775808.0", false, 0},
		{"-9223372036854775808.0", true, INT64_MIN},
		{"0.5", false, 0},
		{"1e300", false, 0},
		{"\"1\"", false, 0},
		{"true", false, 0},
		{"null", false, 0},
		{"[1]", false, 0},
	};
	struct json_parser *p = open_parser();

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice document = padded(slice_of_string(table[i].text));
		struct json_error error;
		int64_t value = 0;

		assert_int_equal(json_parse(p, document, &error), 0);
		assert_int_equal(json_integer(p, 0, &value), table[i].whole);
		assert_int_equal(value, table[i].value);
		free((void *)(uintptr_t)document.data);
	}
	json_parser_close(p);
}

static void duplicates_are_seen(void **state)
{
	static const struct slice keys[] = {{"model", 5}, {"stream", 6}, {"n", 1}};
	static const struct {
		const char *text;
		const char *duplicate;
	} table[] = {
		{"{\"model\":1,\"stream\":2}", NULL},
		{"{\"model\":1,\"n\":2,\"m\\u006fdel\":3}", "model"},
		{"{\"x\":1,\"x\":2}", NULL},
		{"{\"n\":{\"model\":1},\"model\":2}", NULL},
		{"{\"n\":1,\"stream\":1,\"stream\":1,\"n\":1}", "stream"},
		{"[\"model\",\"model\"]", NULL},
		{"{}", NULL},
		{"1", NULL},
	};
	struct json_parser *p = open_parser();

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice document = padded(slice_of_string(table[i].text)), got;
		struct json_error error;

		assert_int_equal(json_parse(p, document, &error), 0);
		got = json_duplicate(p, 0, keys, COUNT(keys));
		if (table[i].duplicate)
			assert_slice(got, table[i].duplicate);
		else
			assert_null(got.data);
		free((void *)(uintptr_t)document.data);
	}
	json_parser_close(p);
}

static void faults_are_located(void **state)
{
	static const struct {
		struct slice text;
		size_t offset;
		const char *message;
	} table[] = {
#define FAULT(text, offset, message) {{text, sizeof(text) - 1}, offset, message}
		FAULT("", 0, "document is empty"),
		FAULT(" \n\t", 0, "document is empty"),
		FAULT("\xef\xbb\xbf{}", 0, "byte order mark before the document"),
		FAULT("{\"a\":1", 6, "document ends inside an object or array"),
		FAULT("[1,2", 4, "document ends inside an object or array"),
		FAULT("[1,2}", 4, "expected ',' or ']'"),
		FAULT("{\"a\":1]", 6, "expected ',' or '}'"),
		FAULT("[1 2]", 3, "expected ',' or ']'"),
		FAULT("{\"a\" 1}", 5, "expected ':' after a key"),
		FAULT("{a:1}", 1, "expected a key in quotes"),
		FAULT("{\"a\":1,}", 7, "expected a key in quotes"),
		FAULT("{\"a\":1,", 7, "document ends inside an object"),
		FAULT("[1,]", 3, "expected a value"),
		FAULT("[,1]", 1, "expected a value"),
		FAULT("{\"a\":}", 5, "expected a value"),
		FAULT("{\"a\":", 5, "document ends where a value is expected"),
		FAULT("{} {}", 3, "something follows the document"),
		FAULT("1 1", 2, "something follows the document"),
		FAULT("[tru]", 1, "unknown word: expected true, false or null"),
		FAULT("{\"a\":nul}", 5, "unknown word: expected true, false or null"),
		FAULT("[falsey]", 6, "expected ',' or ']'"),
		FAULT("[NaN]", 1, "expected a value"),
		FAULT("['a']", 1, "expected a value"),
		FAULT("[01]", 1, "number with a leading zero"),
		FAULT("[-]", 2, "number wants a digit after its sign"),
		FAULT("[1.]", 3, "number wants a digit after its point"),
		FAULT("[1.e5]", 3, "number wants a digit after its point"),
		FAULT("[1e]", 3, "exponent wants a digit"),
		FAULT("[1e+]", 4, "exponent wants a digit"),
		FAULT("[+1]", 1, "expected a value"),
		FAULT("[0, 18446744073709551616]", 4, "integer does not fit in 64 bits"),
		FAULT("[-9223372036854775809]", 1, "integer does not fit in 64 bits"),
		FAULT("[100000000000000000000000000]", 1, "integer does not fit in 64 bits"),
		FAULT("{\"a\": 1e999}", 6, "number is too large"),
		FAULT("[-1.8e308]", 1, "number is too large"),
		FAULT("[0.00018e312]", 1, "number is too large"),
		FAULT("[\"a]", 1, "string is not closed"),
		FAULT("[\"a\\\"]", 1, "string is not closed"),
		FAULT("[\"a\nb\"]", 3, "control character in a string: it must be escaped"),
		FAULT("[\"a\0b\"]", 3, "control character in a string: it must be escaped"),
		FAULT("[\"a\\x\"]", 3, "invalid escape in a string"),
		FAULT("[\"\\u12g4\"]", 2, "\\u wants four hexadecimal digits"),
		FAULT("[\"\\ud800\"]", 2, "\\u escape of a high surrogate without its low surrogate"),
		FAULT("[\"\\ud800\\u0041\"]", 2, "\\u escape of a high surrogate without its low surrogate"),
		FAULT("[\"\\udc00\"]", 2, "\\u escape of a low surrogate without its high surrogate"),
		FAULT("[\"ab\xff\"]", 4, "invalid UTF-8"),
		FAULT("[\"\xc0\xaf\"]", 2, "invalid UTF-8"),
		FAULT("[\"\xed\xa0\x80\"]", 2, "invalid UTF-8"),
		FAULT("[\"\xf4\x90\x80\x80\"]", 2, "invalid UTF-8"),
		FAULT("[\"\xe2\x82\"]", 2, "invalid UTF-8"),
		FAULT("{\"a\xff\":1}", 3, "invalid UTF-8"),
#undef FAULT
	};
	struct json_parser *p = open_parser();

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice document = padded(table[i].text);
		struct json_error error = {.offset = SIZE_MAX};

		assert_int_equal(json_parse(p, document, &error), -EINVAL);
		if (error.offset != table[i].offset || strcmp(error.message, table[i].message) != 0)
			fail_msg("row %zu: offset %zu: %s", i, error.offset, error.message);
		free((void *)(uintptr_t)document.data);
	}
	json_parser_close(p);
}

static void depth_and_size_are_bounded(void **state)
{
	char text[2 * (JSON_DEPTH_MAX + 1)];
	struct json_parser *p = json_parser_open(sizeof(text));
	struct json_error error;
	struct slice document;

	(void)state;
	assert_non_null(p);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	document = padded(slice_of(text + 1, 2 * JSON_DEPTH_MAX));
	assert_int_equal(json_parse(p, document, &error), 0);
	free((void *)(uintptr_t)document.data);
	document = padded(slice_of(text, sizeof(text)));
	assert_int_equal(json_parse(p, document, &error), -EINVAL);
	assert_int_equal(error.offset, JSON_DEPTH_MAX);
	assert_string_equal(error.message, "nested too deeply");
	document.size++;
	assert_int_equal(json_parse(p, document, &error), -E2BIG);
	free((void *)(uintptr_t)document.data);
	json_parser_close(p);
}

/* Memory grows for a large document, shrinks for the next small one, and both views are right. */
static void large_and_small_alternate(void **state)
{
	enum { ELEMENTS = 600000 };
	struct json_parser *p = open_parser();
	char *text = malloc(2 * ELEMENTS + 1);
	struct slice large, small = padded(SLICE("[1,2,3]"));
	struct json_error error;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ELEMENTS; i++)
		memcpy(text + 2 * i, i ? ",7" : "[7", 2);
	text[2 * ELEMENTS] = ']';
	large = padded(slice_of(text, 2 * ELEMENTS + 1));
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(json_parse(p, large, &error), 0);
		assert_int_equal(json_count(p, 0), ELEMENTS);
		assert_slice(json_raw(p, ELEMENTS), "7");
		assert_int_equal(json_parse(p, small, &error), 0);
		assert_int_equal(json_count(p, 0), 3);
	}
	free(text);
	free((void *)(uintptr_t)large.data);
	free((void *)(uintptr_t)small.data);
	json_parser_close(p);
}

static unsigned below(unsigned bound)
{
	return (unsigned)random() % bound;
}

struct writer {
	char text[4096];
	size_t size;
};

static void put(struct writer *w, const char *string)
{
	size_t size = strlen(string);

	assert_true(w->size + size <= sizeof(w->text));
	memcpy(w->text + w->size, string, size);
	w->size += size;
}

static void put_random(struct writer *w, unsigned depth)
{
	static const char *const scalars[] = {
		"null",
		"true",
		"false",
		"0",
		"-1",
		"12.5e-3",
		"\"\"",
		"\"a\\n\\u0041\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\",\"",
		"\"\\\\\"",
		"18446744073709551615",
		"\"long enough to leave a vector register of thirty-two bytes behind\"",
	};
	static const char *const spaces[] = {"", "", "", " ", "\n\t", "\r\n  "};
	bool object = below(2);
	unsigned children = below(5);

	put(w, spaces[below(COUNT(spaces))]);
	if (depth == 0 || w->size > 2500 || below(3) == 0) {
		put(w, scalars[below(COUNT(scalars))]);
	} else {
		put(w, object ? "{" : "[");
		for (unsigned i = 0; i < children; i++) {
			put(w, i ? "," : "");
			put(w, spaces[below(COUNT(spaces))]);
			if (object) {
				put(w, below(2) ? "\"k\"" : "\"\\u006b:,\"");
				put(w, spaces[below(COUNT(spaces))]);
				put(w, ":");
			}
			put_random(w, depth - 1);
		}
		put(w, object ? "}" : "]");
	}
	put(w, spaces[below(COUNT(spaces))]);
}

/* Random documents re-parse value by value; mutated ones are refused by the parser and by the locator alike. */
static void random_documents(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 1;
	struct json_parser *p = open_parser(), *other = open_parser();
	unsigned refused = 0;

	(void)state;
	print_message("SEED=%u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 2000; round++) {
		struct writer w = {.size = 0};
		struct json_error error = {.offset = SIZE_MAX}, again = error;
		struct slice document;
		int result;

		put_random(&w, 5);
		document = padded(slice_of(w.text, w.size));
		assert_int_equal(json_parse(p, document, &error), 0);
		assert_int_equal(json_explain(document, &error), 0);
		if (round % 10 == 0)
			check_tree(p, other, 0);
		for (unsigned i = 0; i < 5; i++) {
			((char *)(uintptr_t)document.data)[below((unsigned)w.size)] = (char)below(256);
			result = json_parse(p, document, &error);
			assert_int_equal(json_explain(document, &again), result);
			if (result == 0)
				continue;
			refused++;
			assert_int_equal(error.offset, again.offset);
			assert_true(error.offset <= w.size);
		}
		free((void *)(uintptr_t)document.data);
	}
	assert_true(refused > 1000);
	json_parser_close(p);
	json_parser_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_know_their_bytes),
		cmocka_unit_test(members_are_found_by_unescaped_key),
		cmocka_unit_test(escaped_texts_lie_apart),
		cmocka_unit_test(integers_are_whole_and_fit),
		cmocka_unit_test(duplicates_are_seen),
		cmocka_unit_test(faults_are_located),
		cmocka_unit_test(depth_and_size_are_bounded),
		cmocka_unit_test(large_and_small_alternate),
		cmocka_unit_test(random_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
