/* Bounds of prompts: text by its bytes, images and files by the table, and what has no bound by its field's name. */
#include "route/money/budget_bound.h"

#include "core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DOCUMENT_BYTES = 4096, IMAGE = 2833 + 8 * 5667 };

static struct prompt_bound read_bound(const char *document)
{
	static char memory[DOCUMENT_BYTES + BUFFER_PADDING_BYTES];
	struct json_parser *json = json_parser_open(DOCUMENT_BYTES);
	size_t size = strlen(document);
	struct prompt_bound bound;
	struct json_error error;

	assert_true(json && size < DOCUMENT_BYTES);
	memcpy(memory, document, size);
	assert_int_equal(json_parse(json, slice_of(memory, size), &error), 0);
	prompt_bound_read(json, size, &bound);
	json_parser_close(json);
	return bound;
}

static void test_bounded(void **state)
{
	static const struct {
		const char *document;
		enum provider_kind kind;
		uint32_t window;
		uint64_t beside_bytes; /* tokens beside those of the body's bytes */
		const char *left_out;
	} rows[] = {
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}", PROVIDER_OPENAI, 0, 2 * 16, ""},
		{"{\"input\":\"hello\"}", PROVIDER_OPENAI, 0, 16, ""},
		{"{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"content\":\"b\"}]}",
			PROVIDER_OPENAI, 0, 3 * 16, ""},
		{"{\"tools\":[{\"type\":\"function\"},{\"type\":\"bash_20250124\"},{\"name\":\"x\"}],\"messages\":[]}",
			PROVIDER_ANTHROPIC, 0, 16 + 1024, ""},
		{"{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]}",
			PROVIDER_OPENAI, 0, 2 * 16 + IMAGE, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}"},
		{"{\"messages\":[{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\"}]}]}]}",
			PROVIDER_ANTHROPIC, 0, 2 * 16 + 4784, "{\"type\":\"image\"}"},
		{"{\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"text\"}}]}]}",
			PROVIDER_ANTHROPIC, 0, 2 * 16, ""},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prompt_bound bound = read_bound(rows[i].document);
		uint64_t tokens, bytes = strlen(rows[i].document) - strlen(rows[i].left_out);

		assert_true(prompt_bound_tokens(&bound, rows[i].kind, rows[i].window, &tokens));
		if (tokens != bytes + rows[i].beside_bytes)
			fail_msg("%s: %llu", rows[i].document, (unsigned long long)tokens);
	}
}

/* A model reads no more than its window; that bounds what nothing else does, but for what is kept elsewhere. */
static void test_window(void **state)
{
	static const char file[] =
		"{\"messages\":[{\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":\"data:x;base64,QQ==\"}}]}]}";
	struct prompt_bound bound = read_bound("{\"messages\":[{\"content\":[{\"type\":\"image_url\"}]}]}");
	uint64_t tokens;

	(void)state;
	assert_true(prompt_bound_tokens(&bound, PROVIDER_OPENAI, 8192, &tokens) && tokens == 8192);
	bound = read_bound(file);
	assert_false(prompt_bound_tokens(&bound, PROVIDER_OPENAI, 0, &tokens));
	assert_true(prompt_bound_tokens(&bound, PROVIDER_OPENAI, 8192, &tokens) && tokens == 8192);
}

static void test_unbounded(void **state)
{
	static const struct {
		const char *document, *field;
	} rows[] = {
		{"{\"messages\":[{\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}]}", "file_id"},
		{"{\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"file\"}}]}]}", "file_id"},
		{"{\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"url\"}}]}]}", "file_url"},
		{"{\"input\":[{\"content\":[{\"type\":\"input_file\",\"file_id\":\"file-1\"}]}]}", "file_id"},
		{"{\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]}", "input"},
		{"{\"tools\":[{\"type\":\"web_search_20250305\"}],\"messages\":[]}", "tools"},
		{"{\"tools\":[{\"type\":\"function\"},{\"type\":\"file_search\"}],\"messages\":[]}", "tools"},
		{"{\"web_search_options\":{},\"messages\":[]}", "web_search_options"},
		{"{\"previous_response_id\":\"resp_1\",\"input\":\"x\"}", "previous_response_id"},
		{"{\"conversation\":\"conv_1\",\"input\":\"x\"}", "conversation"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prompt_bound bound = read_bound(rows[i].document);
		uint64_t tokens;

		assert_false(prompt_bound_tokens(&bound, PROVIDER_OPENAI, 128000, &tokens));
		if (!slice_equal(bound.unbounded, slice_of_string(rows[i].field)))
			fail_msg("%s: %.*s", rows[i].document, (int)bound.unbounded.size, bound.unbounded.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_unbounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
