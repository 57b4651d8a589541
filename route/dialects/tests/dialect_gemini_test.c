/* Gemini's row of the table of dialects: paths and heads, what errors mean, how long to wait. */
#include "core/buffer.h"
#include "route/dialects/dialect.h"
#include "route/fleet/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char host[] = "h", prefix[] = "/v1beta", key[] = "k-1";

static void heads(void **state)
{
	static const struct {
		struct slice model;
		bool stream;
		enum receipt_api api;
		const char *path;
	} table[] = {
		{{"gemini-2.5-pro", 14}, false, API_CHAT_COMPLETIONS, "/models/gemini-2.5-pro:generateContent"},
		{{"gemini-2.5-pro", 14}, true, API_MESSAGES, "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{{"models/g", 8}, false, API_CHAT_COMPLETIONS, "/models/g:generateContent"},
		{{"tunedModels/a b", 15}, false, API_CHAT_COMPLETIONS, "/tunedModels/a%20b:generateContent"},
	};
	struct provider_settings provider = {.host = host, .port = 80, .path_prefix = prefix};
	struct credential_settings credential = {.api_key = key};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct upstream_request request = {.provider = &provider,
			.credential = &credential,
			.dialect = dialect_of(PROVIDER_GEMINI),
			.api = table[i].api,
			.model = table[i].model,
			.stream = table[i].stream};
		char memory[UPSTREAM_HEAD_BYTES], expected_memory[256];
		struct text head = text_over(memory, sizeof(memory));
		struct text expected = text_over(expected_memory, sizeof(expected_memory));

		upstream_head(&request, &head);
		text_literal(&expected, "POST /v1beta");
		text_string(&expected, table[i].path);
		text_literal(&expected, " HTTP/1.1\r\nHost: h\r\nx-goog-api-key: k-1\r\nContent-Type:");
		if (head.full || !slice_starts_with(text_slice(&head), text_slice(&expected)))
			fail_msg("row %zu: %.*s", i, (int)head.size, head.data);
	}
}

#define ERROR(status, message, details)                                                                                \
	"{\"error\":{\"code\":" #status ",\"message\":\"" message "\",\"status\":\"X\",\"details\":[" details "]}}"
#define RETRY(delay) "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"" delay "\"}"

static void errors(void **state)
{
	static const struct {
		const char *body;
		unsigned status, means;
		uint32_t retry_after_s;
		const char *message, *code;
	} table[] = {
		{ERROR(429, "quota", "{\"@type\":\"x\"}," RETRY("34s")), 429, 429, 34, "quota", NULL},
		{ERROR(429, "quota", RETRY("0.5s")), 429, 429, 1, "quota", NULL},
		{ERROR(429, "quota", RETRY("99999999999s")), 429, 429, 120, "quota", NULL},
		{ERROR(429, "quota", RETRY("soon")), 429, 429, 0, "quota", NULL},
		{ERROR(400, "API key not valid. Please pass a valid API key.", ""), 400, 401, 0,
			"API key not valid. Please pass a valid API key.", NULL},
		{ERROR(400, "The input token count (9) exceeds the maximum number of tokens allowed (8).", ""), 400,
			400, 0, "The input token count (9) exceeds the maximum number of tokens allowed (8).",
			"context_length_exceeded"},
		{"[" ERROR(503, "busy", "") "]", 503, 503, 0, "busy", NULL},
		{"[]", 500, 500, 0, NULL, NULL},
		{"{\"error\":7}", 500, 500, 0, NULL, NULL},
	};
	struct json_parser *parser = json_parser_open(4096);
	char document[1024 + BUFFER_PADDING_BYTES] = {0};
	struct json_error json_error;
	struct openai_error error;
	uint32_t wait_s;

	(void)state;
	assert_non_null(parser);
	for (size_t i = 0; i < COUNT(table); i++) {
		size_t size = strlen(table[i].body);

		memcpy(document, table[i].body, size);
		assert_int_equal(json_parse(parser, slice_of(document, size), &json_error), 0);
		dialect_gemini.read_error(parser, &error);
		assert_true(slice_equal(error.message, slice_of_string(table[i].message)));
		assert_true(slice_equal(error.code, slice_of_string(table[i].code)));
		assert_int_equal(error.retry_after_s, table[i].retry_after_s);
		assert_int_equal(
			dialect_error_means(&dialect_gemini, table[i].status, &error, &wait_s), table[i].means);
	}
	json_parser_close(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(heads), cmocka_unit_test(errors)};

	return cmocka_run_group_tests_name("dialect_gemini", tests, NULL, NULL);
}
