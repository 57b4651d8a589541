/* The table of dialects: whose row is whose, what a model can do in each, heads and errors of Anthropic's. */
#include "route/dialects/dialect.h"
#include "route/fleet/upstream.h"

#include "route/gateway/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void rows(void **state)
{
	(void)state;
	assert_ptr_equal(dialect_of(PROVIDER_OPENAI), &dialect_openai);
	assert_ptr_equal(dialect_of(PROVIDER_OPENAI_COMPATIBLE), &dialect_openai);
	assert_ptr_equal(dialect_of(PROVIDER_ANTHROPIC), &dialect_anthropic);
	assert_ptr_equal(dialect_of(PROVIDER_GEMINI), &dialect_gemini);
	assert_ptr_equal(dialect_of(PROVIDER_BEDROCK), &dialect_bedrock);
	assert_ptr_equal(dialect_of_api(API_MESSAGES), &dialect_anthropic);
	assert_ptr_equal(dialect_of_api(API_CHAT_COMPLETIONS), &dialect_openai);
	assert_ptr_equal(dialect_of_api(API_EMBEDDINGS), &dialect_openai);
	assert_null(dialect_anthropic.paths[API_EMBEDDINGS]);
}

static char chat[] = "chat", vision[] = "vision", sampling[] = "sampling", responses[] = "responses";

/* Some APIs are served in a dialect of their own by some providers, and by a bridge or an estimate for all others. */
static void rows_of_calls(void **state)
{
	char *with[] = {chat, responses}, *without[] = {chat, vision};
	const struct model_settings all = {0}, listed = {.capabilities = {.count = COUNT(with), .list = with}},
				    bridged = {.capabilities = {.count = COUNT(without), .list = without}};
	const struct {
		enum provider_kind kind;
		const struct model_settings *model;
		enum receipt_api api;
		const struct dialect *dialect;
		const char *path;
	} table[] = {
		{PROVIDER_OPENAI, &all, API_RESPONSES, &dialect_responses, "/responses"},
		{PROVIDER_OPENAI, &listed, API_RESPONSES, &dialect_responses, "/responses"},
		{PROVIDER_OPENAI, &bridged, API_RESPONSES, &dialect_openai, "/chat/completions"},
		{PROVIDER_OPENAI, &all, API_CHAT_COMPLETIONS, &dialect_openai, "/chat/completions"},
		{PROVIDER_OPENAI_COMPATIBLE, &all, API_RESPONSES, &dialect_openai, "/chat/completions"},
		{PROVIDER_ANTHROPIC, &all, API_RESPONSES, &dialect_anthropic, "/messages"},
		{PROVIDER_ANTHROPIC, &all, API_COUNT_TOKENS, &dialect_anthropic_count, "/messages/count_tokens"},
		{PROVIDER_OPENAI, &all, API_COUNT_TOKENS, &dialect_openai, NULL},
		{PROVIDER_OPENAI, &all, API_IMAGES, &dialect_openai, "/images/generations"},
		{PROVIDER_AZURE, &all, API_TRANSCRIPTIONS, &dialect_azure, "/audio/transcriptions"},
		{PROVIDER_TOGETHER, &all, API_IMAGES, &dialect_together, "/images/generations"},
		{PROVIDER_GROQ, &all, API_SPEECH, &dialect_groq, "/audio/speech"},
		{PROVIDER_GROQ, &all, API_IMAGES, &dialect_groq, NULL},
		{PROVIDER_ANTHROPIC, &all, API_SPEECH, &dialect_anthropic, NULL},
		{PROVIDER_GEMINI, &all, API_IMAGES, &dialect_gemini, NULL},
		{PROVIDER_MISTRAL, &all, API_TRANSCRIPTIONS, &dialect_mistral, NULL},
	};

	(void)state;
	assert_ptr_equal(dialect_of_api(API_RESPONSES), &dialect_responses);
	assert_ptr_equal(dialect_of_api(API_COUNT_TOKENS), &dialect_anthropic_count);
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct provider_settings provider = {.kind = table[i].kind};
		const struct dialect *dialect = dialect_of_call(&provider, table[i].model, table[i].api);
		const char *path = dialect_path(dialect, table[i].api);

		assert_ptr_equal(dialect, table[i].dialect);
		assert_true(path == table[i].path || (path && table[i].path && strcmp(path, table[i].path) == 0));
	}
}

/* Azure serves Responses on its newer surface, and on the other one since a version. */
static void azure_by_its_surface(void **state)
{
	static char older[] = "2024-10-21", newer[] = "2025-04-01-preview", none[] = "", classic[] = "/openai",
		    v1[] = "/openai/v1";
	static const struct {
		char *prefix, *version;
		enum receipt_api api;
		const struct dialect *dialect;
	} table[] = {
		{none, older, API_RESPONSES, &dialect_azure},
		{none, newer, API_RESPONSES, &dialect_azure_responses},
		{classic, newer, API_RESPONSES, &dialect_azure_responses},
		{v1, NULL, API_RESPONSES, &dialect_azure_responses},
		{v1, older, API_RESPONSES, &dialect_azure_responses},
		{v1, newer, API_CHAT_COMPLETIONS, &dialect_azure},
	};
	char *without[] = {chat, vision};
	const struct model_settings all = {0}, bridged = {.capabilities = {.count = COUNT(without), .list = without}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct provider_settings provider = {
			.kind = PROVIDER_AZURE, .path_prefix = table[i].prefix, .api_version = table[i].version};

		assert_ptr_equal(dialect_of_call(&provider, &all, table[i].api), table[i].dialect);
		assert_ptr_equal(dialect_of_call(&provider, &bridged, table[i].api), &dialect_azure);
	}
}

static void what_a_model_can_do(void **state)
{
	char *list[] = {chat, vision};
	struct model_settings all = {0}, listed = {.capabilities = {.count = COUNT(list), .list = list}};

	(void)state;
	assert_int_equal(dialect_has(&dialect_anthropic, &all, true), chat_anthropic.has);
	assert_int_equal(dialect_has(&dialect_anthropic, &listed, true), CHAT_VISION);
	assert_int_equal(dialect_has(&dialect_openai, &all, false), UINT32_MAX);
	/* Between two sides of one dialect a list says what capabilities there are, and nothing of what has no name in
	 * it. */
	assert_int_equal(dialect_has(&dialect_openai, &listed, false),
		(UINT32_MAX & ~(uint32_t)CHAT_CAPABILITIES) | CHAT_VISION | CHAT_PREFILL);
}

static char name[] = "up", old_version[] = "2023-06-01", new_version[] = "2026-10-21", key[] = "sk-1", host[] = "h";

static void what_a_request_is_written_for(void **state)
{
	char *list[] = {chat, sampling};
	struct model_settings model = {0},
			      listed = {.capabilities = {.count = COUNT(list), .list = list}, .max_output_tokens = 64};
	struct deployment_settings deployment = {.upstream_model = name};
	struct provider_settings provider = {.kind = PROVIDER_ANTHROPIC};
	struct chat_target target = dialect_target(&model, &deployment, &provider);

	(void)state;
	assert_true(target.sampling && target.reasoning && !target.max_completion_tokens);
	assert_int_equal(target.max_tokens_default, 4096);
	target = dialect_target(&listed, &deployment, &provider);
	assert_true(target.sampling && !target.reasoning);
	assert_int_equal(target.max_tokens_default, 64);
	provider.api_version = old_version;
	assert_true(dialect_target(&model, &deployment, &provider).sampling);
	provider.api_version = new_version;
	assert_false(dialect_target(&model, &deployment, &provider).sampling);
	provider.kind = PROVIDER_OPENAI;
	target = dialect_target(&model, &deployment, &provider);
	assert_true(target.sampling && target.max_completion_tokens);
}

static void heads(void **state)
{
	static const struct {
		char *key, *api_version;
		const char *version, *beta, *expected;
	} table[] = {
		{key, NULL, NULL, NULL, "x-api-key: sk-1\r\nanthropic-version: 2023-06-01\r\n"},
		{NULL, new_version, NULL, NULL, "anthropic-version: 2026-10-21\r\n"},
		{key, old_version, "2026-10-21", "a,b",
			"x-api-key: sk-1\r\nanthropic-version: 2026-10-21\r\nanthropic-beta: a,b\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct provider_settings provider = {.host = host, .port = 80, .api_version = table[i].api_version};
		struct credential_settings credential = {.api_key = table[i].key};
		struct upstream_request request = {.provider = &provider,
			.credential = &credential,
			.dialect = &dialect_anthropic,
			.api = API_MESSAGES,
			.anthropic_version = slice_of_string(table[i].version),
			.anthropic_beta = slice_of_string(table[i].beta)};
		char memory[UPSTREAM_HEAD_BYTES];
		struct text head = text_over(memory, sizeof(memory));
		struct slice start = SLICE("POST /messages HTTP/1.1\r\nHost: h\r\n"),
			     expected = slice_of_string(table[i].expected);

		upstream_head(&request, &head);
		assert_false(head.full);
		assert_true(slice_starts_with(text_slice(&head), start));
		assert_true(slice_starts_with(slice_after(text_slice(&head), start.size), expected));
		assert_true(slice_starts_with(slice_after(text_slice(&head), start.size + expected.size),
			SLICE("Content-Type: application/json\r\n")));
	}
}

static void errors(void **state)
{
	static const struct {
		struct api_error error;
		const char *id, *expected;
	} table[] = {
		{{.status = 429,
			 .type = {"rate_limit_exceeded", 19},
			 .code = {"c", 1},
			 .message = {"m", 1},
			 .retry_after_s = 7},
			"req_1",
			"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"code\":\"c\","
			"\"param\":null,"
			"\"retry_after_seconds\":7},\"request_id\":\"req_1\"}"},
		{{.status = 400, .message = {"m", 1}, .param = {"p", 1}}, NULL,
			"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\",\"code\":"
			"null,\"param\":"
			"\"p\"}}"},
	};
	static const struct {
		unsigned status;
		const char *type;
	} types[] = {{401, "authentication_error"}, {402, "billing_error"}, {403, "permission_error"},
		{404, "not_found_error"}, {413, "request_too_large"}, {422, "invalid_request_error"},
		{502, "api_error"}, {503, "overloaded_error"}, {504, "timeout_error"}};
	char memory[512];
	struct text json;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		json = text_over(memory, sizeof(memory));
		dialect_anthropic.print_error(&table[i].error, slice_of_string(table[i].id), &json);
		assert_true(slice_equal(text_slice(&json), slice_of_string(table[i].expected)));
	}
	for (size_t i = 0; i < COUNT(types); i++) {
		struct api_error error = {.status = types[i].status, .message = SLICE("m")};
		char expected[128];
		struct text want = text_over(expected, sizeof(expected));

		json = text_over(memory, sizeof(memory));
		dialect_anthropic.print_error(&error, slice_of(NULL, 0), &json);
		text_literal(&want, "{\"type\":\"error\",\"error\":{\"type\":\"");
		text_string(&want, types[i].type);
		text_char(&want, '"');
		assert_true(slice_starts_with(text_slice(&json), text_slice(&want)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(rows_of_calls),
		cmocka_unit_test(azure_by_its_surface), cmocka_unit_test(what_a_model_can_do),
		cmocka_unit_test(what_a_request_is_written_for), cmocka_unit_test(heads), cmocka_unit_test(errors)};

	return cmocka_run_group_tests_name("dialect", tests, NULL, NULL);
}
