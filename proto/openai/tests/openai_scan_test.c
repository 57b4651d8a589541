/*
 * The scan of usual events: what it takes, what it leaves to the JSON view, and that both say the same of whatever it
 * takes, for random mutations too (their seed is printed: SEED=n repeats a run).
 */
#include "core/buffer.h"
#include "core/rand.h"
#include "proto/openai/tests/openai_scan_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DOCUMENT_MAX_BYTES = 4096 };

/* A document of exactly its size, with padding that must mean nothing. */
static char *padded(struct slice s)
{
	char *copy = malloc(s.size + BUFFER_PADDING_BYTES);

	assert_non_null(copy);
	if (s.size)
		memcpy(copy, s.data, s.size);
	memset(copy + s.size, '"', BUFFER_PADDING_BYTES);
	return copy;
}

static bool check(struct json_parser *p, struct slice s)
{
	char *document = padded(s);
	bool taken = scan_check(p, slice_of(document, s.size));

	free(document);
	return taken;
}

#define HEAD "{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"up\","
#define DELTA(text)                                                                                                    \
	"\"choices\":[{\"index\":0,\"delta\":{\"content\":" text "},\"logprobs\":null,\"finish_reason\":null}]"

static const char *const usual[] = {
	HEAD DELTA("\"Hi\"") "}",
	HEAD DELTA("\"Hi\"") ",\"usage\":null}",
	HEAD DELTA("\"Hi\"") ",\"usage\":null,\"obfuscation\":\"x1\"}",
	HEAD "\"service_tier\":\"default\",\"system_fingerprint\":\"fp\"," DELTA("\"\"") ",\"usage\":null}",
	HEAD "\"service_tier\":null,\"system_fingerprint\":null," DELTA("null") "}",
	HEAD DELTA("\"a\\n\\\"\\\\\\/\\b\\f\\r\\t\\u00e9\\uD7ff\\ue000\\u0000\"") "}",
	HEAD DELTA("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf \xf4\x8f\xbf\xbf \x7f\"") "}",
	HEAD DELTA("\"long enough for several words, a quote \\\" and more behind it\"") "}",
	"{\"usage\":null,\"model\":\"up\"," DELTA("\"Hi\"") "}",
	"{" DELTA("\"Hi\"") ",\"usage\":null,\"model\":\"up\"}",
	"{\"model\":\"up\",\"usage\":null}",
	"{\"model\":\"up\"}",
	"{\"created\":0,\"model\":\"\",\"choices\":[{}]}",
	"{\"created\":999999999999999999,\"model\":\"up\",\"choices\":[{\"delta\":{}}]}",
	"{\"model\":\"up\",\"choices\":[{\"text\":\"Hi\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}",
	"{\"model\":\"up\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":"
	"\"hm\","
	"\"refusal\":null},\"index\":3,\"stop_reason\":null}]}",
};

static void usual_is_taken(void **state)
{
	struct json_parser *p = *state;

	for (size_t i = 0; i < COUNT(usual); i++)
		if (!check(p, slice_of_string(usual[i])))
			fail_msg("row %zu was left to the view: %s", i, usual[i]);
}

static void unusual_is_left(void **state)
{
	static const char *const table[] = {
		/* Valid, but for the view to read. */
		HEAD DELTA("\"Hi\"") ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}",
		HEAD "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
		HEAD "\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0}]},\"finish_reason\":null}]}",
		HEAD "\"choices\":[]}",
		HEAD "\"choices\":[{},{}]}",
		HEAD "\"choices\":null}",
		HEAD DELTA("\"Hi\"") ",\"error\":null}",
		HEAD DELTA("\"Hi\"") ",\"x-llm-gateway\":{}}",
		HEAD DELTA("\"Hi\"") ",\"model\":\"other\"}",
		HEAD DELTA("\"Hi\"") "," DELTA("\"Hi\"") "}",
		HEAD DELTA("\"a\",\"content\":\"b\"") "}",
		HEAD DELTA("\"Hi\"") ", \"usage\":null}",
		HEAD DELTA("\"Hi\"") "} ",
		" " HEAD DELTA("\"Hi\"") "}",
		HEAD DELTA("\"\\ud83d\\ude00\"") "}",
		HEAD DELTA("\"Hi\"") ",\"us\\u0061ge\":null}",
		"{\"model\":null}",
		"{\"created\":1000000000000000000,\"model\":\"up\"}",
		"{\"created\":-1,\"model\":\"up\"}",
		"{\"created\":1.5,\"model\":\"up\"}",
		"{\"created\":1e3,\"model\":\"up\"}",
		"{" DELTA("\"Hi\"") "}",
		"{}",
		"[]",
		/* Broken. */
		"",
		"{",
		"{\"model\":\"up\"",
		"{\"model\":\"up\",}",
		"{\"model\":\"up\"}}",
		"{\"model\":\"up",
		"{\"model\":\"up\\",
		"{\"model\":\"up\\\"}",
		"{\"model\":\"u\\p\"}",
		"{\"model\":\"\\u12g4\"}",
		"{\"model\":\"\\u12",
		"{\"model\":\"\\udc00\"}",
		"{\"model\":\"\\uDBff\"}",
		"{\"model\":\"a\tb\"}",
		"{\"model\":\"a\x01\"}",
		"{\"model\":\"12345678\x1f\"}",
		"{\"model\":\"\x80\"}",
		"{\"model\":\"\xc0\xaf\"}",
		"{\"model\":\"\xe0\x9f\x80\"}",
		"{\"model\":\"\xed\xa0\x80\"}",
		"{\"model\":\"\xf0\x8f\x80\x80\"}",
		"{\"model\":\"\xf4\x90\x80\x80\"}",
		"{\"model\":\"\xf5\x80\x80\x80\"}",
		"{\"model\":\"\xe2\x82\"}",
		"{\"model\":\"\xe2\x82",
		"{\"model\":\"up\",\"usage\":nul}",
		"{\"model\":\"up\",\"usage\":null",
		"{\"model\":\"up\",\"created\":01}",
		"{\"model\":\"up\",\"created\":}",
		"{\"model\":\"up\",\"created\":12",
	};
	struct json_parser *p = *state;

	for (size_t i = 0; i < COUNT(table); i++)
		if (check(p, slice_of_string(table[i])))
			fail_msg("row %zu was taken: %s", i, table[i]);
}

/* A document that ends anywhere, or holds a NUL, is not taken. */
static void cut_is_left(void **state)
{
	struct json_parser *p = *state;
	struct slice whole = slice_of_string(usual[3]);

	for (size_t size = 0; size < whole.size; size++)
		assert_false(check(p, slice_of(whole.data, size)));
	assert_false(check(p, SLICE("{\"model\":\"a\0b\"}")));
	assert_false(check(p, SLICE("{\"model\":\"a\\\0\"}")));
}

/* Every byte at every place of a word, in a string. */
static void every_byte_everywhere(void **state)
{
	struct json_parser *p = *state;
	unsigned taken = 0;

	for (unsigned at = 0; at < 17; at++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			char text[] = "{\"model\":\"................q\"}";

			text[10 + at] = (char)byte;
			taken += check(p, slice_of(text, sizeof(text) - 1));
		}
	}
	/* All of ASCII but controls, quote and backslash; `\q` is no escape, and `\.` neither. */
	assert_int_equal(taken, 17 * (128 - 32 - 2));
}

static size_t insert(char *text, size_t size, size_t at, const char *token)
{
	memmove(text + at + strlen(token), text + at, size - at);
	memcpy(text + at, token, strlen(token));
	return size + strlen(token);
}

static size_t mutate(struct rand *rand, char *text, size_t size)
{
	static const char *const tokens[] = {"\"", "\\", "\\n", "\\u00e9", "\\ud83d", "\xe2\x82\xac", "\xed", "{", "}",
		"[", "]", ",", ":", "null", "0", "12", " "};
	static const char *const members[] = {"\"usage\":null,", "\"model\":\"m\",", "\"role\":\"r\",",
		"\"content\":\"c\",", "\"reasoning_content\":\"c\",", "\"refusal\":\"no\",", "\"error\":1,",
		"\"text\":\"t\",", "\"created\":7,", "\"obfuscation\":\"o\",", "\"service_tier\":null,"};
	size_t at = rand_below(rand, size), most = size - at < 24 ? size - at : 24, count = 1 + rand_below(rand, most);

	switch (rand_below(rand, 6)) {
	case 0:
		text[at] = (char)rand_below(rand, 256);
		return size;
	case 1:
		text[at] = (char)('a' + rand_below(rand, 26));
		return size;
	case 2:
		memmove(text + at, text + at + count, size - at - count);
		return size - count > 0 ? size - count : size;
	case 3: /* a piece of the document once more */
		memmove(text + at + count, text + at, size - at);
		return size + count;
	case 4:
		return insert(text, size, at, tokens[rand_below(rand, COUNT(tokens))]);
	default: /* where members begin */
		while (at > 0 && text[at - 1] != ',' && text[at - 1] != '{')
			at--;
		return insert(text, size, at, members[rand_below(rand, COUNT(members))]);
	}
}

static void mutations_are_read_alike(void **state)
{
	enum { ROUNDS = 40000, MUTATIONS_MAX = 2, GROWTH_MAX = 32 };
	const char *given = getenv("SEED");
	unsigned long seed = given ? strtoul(given, NULL, 10) : 1;
	struct json_parser *p = *state;
	char text[DOCUMENT_MAX_BYTES];
	unsigned taken = 0, left = 0;
	struct rand rand;

	print_message("SEED=%lu\n", seed);
	rand_seed(&rand, seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct slice from = slice_of_string(usual[rand_below(&rand, COUNT(usual))]);
		unsigned times = 1 + (unsigned)rand_below(&rand, MUTATIONS_MAX);
		size_t size = from.size;

		assert_true(size + MUTATIONS_MAX * GROWTH_MAX < sizeof(text));
		memcpy(text, from.data, size);
		while (times--)
			size = mutate(&rand, text, size);
		if (check(p, slice_of(text, size)))
			taken++;
		else
			left++;
	}
	/* Both happen, or the mutations show nothing. */
	assert_true(taken > ROUNDS / 100 && left > ROUNDS / 100);
}

static int set_up(void **state)
{
	*state = json_parser_open(DOCUMENT_MAX_BYTES);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	json_parser_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_is_taken),
		cmocka_unit_test(unusual_is_left),
		cmocka_unit_test(cut_is_left),
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(mutations_are_read_alike),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
