/* Estimates of tokens: the cost of each kind of run, and what of a request is said to the model. */
#include "proto/chat/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void texts(void **state)
{
	static const struct {
		const char *text;
		uint64_t tokens;
	} table[] = {
		{"", 0}, {"word", 1}, {"internationalization", 4}, /* 20 letters, 3.33 */
		{"two words", 2}, {"oneTwo", 2},
		{"HTTPServer", 2}, /* capitals behind capitals are one run: 10 letters, 1.67 */
		{"1234567", 3}, {"a\n\n\n\nb", 3}, {"a\n\n\n\n\nb", 4},
		{"                  x", 3}, /* 17 more than the one that goes with the word */
		{"!!!!!!!!!", 5},
		{"Gr\xc3\xbc\xc3\x9f"
		 "e",
			1},
		{"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", 2}, /* six letters of Cyrillic, 1.33 */
		{"\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c", 3}, /* four ideographs */
		{"\xe2\x86\x92\xe2\x86\x92", 2},                         /* two arrows */
		{"\xf0\x9f\x99\x82", 2},                                 /* an emoji */
		{"\xff\xfe\x80", 2},                                     /* no UTF-8: punctuation */
		{"\xf0\x9f", 2},                                         /* cut off */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t tokens = estimate_text(slice_of_string(table[i].text));

		if (tokens != table[i].tokens)
			fail_msg("row %zu: %llu", i, (unsigned long long)tokens);
	}
}

#define MEDIA "\"data:image/png;base64,iVBORw0KGgo=\""

static void requests(void **state)
{
	static const struct {
		const char *json;
		uint64_t tokens;
	} table[] = {
		{"{}", 3},
		{"{\"model\":\"some-model-of-a-long-name\",\"stream\":true,\"user\":\"x\"}", 3},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}]}", 3 + 3 + 2},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"two\"}],"
		 "\"stop\":\"x\"}",
			3 + 6 + 2},
		/* Escapes are what they stand for. */
		{"{\"input\":\"one\\n\\n\\\"two\\\" \\u4f60\\u597d\"}", 3 + 6},
		/* Media are a flat figure, wherever a dialect has them; their bytes are no text. */
		{"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":"
		 "\"image_url\","
		 "\"image_url\":{\"url\":" MEDIA ",\"detail\":\"low\"}}]}]}",
			3 + 3 + 1 + 765},
		{"{\"system\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{"
		 "\"type\":\"url\","
		 "\"url\":\"https://example.com/cat.jpg\"}}]}]}",
			3 + 1 + 3 + 765},
		{"{\"prompt\":\"see https://example.com/cat.jpg\"}", 3 + 10},
		/* Of tools the names count as well: 14 of them and of what they are. */
		{"{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
		 "\"properties\":"
		 "{\"city\":{\"type\":\"string\"},\"days\":{\"maximum\":100}}}}}]}",
			3 + 19},
		/* What is no JSON is not read beyond its end. */
		{"{\"messages\":\"one", 3 + 1},
		{"{\"messages\":\"one\\", 3 + 2},
		{"\"", 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t tokens = estimate_request(slice_of_string(table[i].json));

		if (tokens != table[i].tokens)
			fail_msg("row %zu: %llu", i, (unsigned long long)tokens);
	}
}

/* What is beyond a megabyte of text is taken for four bytes a token, so that a large request costs little to estimate.
 */
static void large_texts(void **state)
{
	enum { TEXT_BYTES = 1 << 20, MORE_BYTES = 4000 };
	char *json = malloc(TEXT_BYTES + MORE_BYTES + 64);
	size_t size;

	(void)state;
	assert_non_null(json);
	size = (size_t)snprintf(json, 64, "{\"messages\":[\"");
	memset(json + size, ' ', TEXT_BYTES + MORE_BYTES);
	memcpy(json + size + TEXT_BYTES, "\",\"", 3);
	size += TEXT_BYTES + MORE_BYTES;
	memcpy(json + size, "\"]}", 3);
	assert_int_equal(estimate_request(slice_of(json, size + 3)), 3 + TEXT_BYTES / 16 + (MORE_BYTES - 3 + 3) / 4);
	free(json);
}

/* A megabyte of base64 is one medium, whatever its member is called. */
static void large_media(void **state)
{
	enum { BYTES = 1 << 20 };
	char *json = malloc(BYTES + 64);
	size_t size;

	(void)state;
	assert_non_null(json);
	size = (size_t)snprintf(json, 64, "{\"messages\":[{\"data\":\"");
	memset(json + size, 'A', BYTES);
	memcpy(json + size + BYTES, "\"}]}", 4);
	assert_int_equal(estimate_request(slice_of(json, size + BYTES + 4)), 3 + 765);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(requests),
		cmocka_unit_test(large_media), cmocka_unit_test(large_texts)};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
