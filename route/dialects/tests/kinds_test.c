/* Providers that speak OpenAI with differences: paths and headers, what becomes of fields, reasons, what errors mean.
 */
#include "core/buffer.h"
#include "route/dialects/dialect.h"
#include "route/fleet/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DOCUMENT_BYTES = 2048 };

struct fixture {
	struct json_parser *json;
	struct arena_pool pool;
	struct arena arena;
	char document[DOCUMENT_BYTES + BUFFER_PADDING_BYTES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->json = json_parser_open(DOCUMENT_BYTES);
	arena_pool_init(&f->pool, 4);
	arena_init(&f->arena, &f->pool, 1 << 20);
	*state = f;
	return f->json ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	arena_pool_fini(&f->pool);
	json_parser_close(f->json);
	free(f);
	return 0;
}

static struct slice parse(struct fixture *f, const char *text)
{
	struct json_error error;
	struct slice document = slice_of(f->document, strlen(text));

	assert_true(document.size <= DOCUMENT_BYTES);
	memcpy(f->document, text, document.size);
	if (json_parse(f->json, document, &error))
		fail_msg("%s at %zu: %s", error.message, error.offset, text);
	return document;
}

static void expect(size_t row, const char *found, size_t size, const char *expected)
{
	if (!slice_equal(slice_of(found, size), slice_of_string(expected)))
		fail_msg("row %zu:\n%.*s\nexpected:\n%s", row, (int)size, found, expected);
}

static char host[] = "h", key[] = "k-1", dated[] = "2024-10-21", none[] = "", classic[] = "/openai",
	    v1[] = "/openai/v1";

static void heads(void **state)
{
	static const struct {
		const struct dialect *dialect;
		char *prefix, *version;
		const char *model;
		enum receipt_api api;
		const char *expected;
	} table[] = {
		{&dialect_azure, none, dated, "my gpt/4o", API_CHAT_COMPLETIONS,
			"POST /openai/deployments/my%20gpt%2F4o/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n"
			"Host: h\r\napi-key: k-1\r\n"},
		{&dialect_azure, classic, dated, "e", API_EMBEDDINGS,
			"POST /openai/deployments/e/embeddings?api-version=2024-10-21 HTTP/1.1\r\nHost: h\r\napi-key: "
			"k-1\r\n"},
		{&dialect_azure, v1, NULL, "gpt", API_MESSAGES,
			"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: h\r\napi-key: k-1\r\n"},
		{&dialect_azure_responses, v1, NULL, "gpt", API_RESPONSES,
			"POST /openai/v1/responses HTTP/1.1\r\nHost: h\r\napi-key: k-1\r\n"},
		{&dialect_azure_responses, none, dated, "gpt", API_RESPONSES,
			"POST /openai/responses?api-version=2024-10-21 HTTP/1.1\r\nHost: h\r\napi-key: k-1\r\n"},
		{&dialect_azure_responses, classic, dated, "gpt", API_RESPONSES,
			"POST /openai/responses?api-version=2024-10-21 HTTP/1.1\r\nHost: h\r\napi-key: k-1\r\n"},
		{&dialect_groq, v1, NULL, "llama", API_CHAT_COMPLETIONS,
			"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k-1\r\n"},
		{&dialect_together, none, NULL, "m", API_COMPLETIONS,
			"POST /completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k-1\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct provider_settings provider = {
			.host = host, .path_prefix = table[i].prefix, .port = 80, .api_version = table[i].version};
		struct credential_settings credential = {.api_key = key};
		struct upstream_request request = {.provider = &provider,
			.credential = &credential,
			.dialect = table[i].dialect,
			.api = table[i].api,
			.model = slice_of_string(table[i].model)};
		char memory[UPSTREAM_HEAD_BYTES];
		struct text head = text_over(memory, sizeof(memory));

		upstream_head(&request, &head);
		assert_false(head.full);
		expect(i, head.data, strlen(table[i].expected), table[i].expected);
	}
}

static void put_together(const struct iovec *iov, unsigned count, struct text *out)
{
	for (unsigned i = 0; i < count; i++)
		text_add(out, slice_of(iov[i].iov_base, iov[i].iov_len));
}

static void fields(void **state)
{
	static const struct {
		const struct dialect *dialect; /* NULL: a model without sampling */
		enum receipt_api api;
		const char *before, *after, *dropped;
	} table[] = {
		{&dialect_openai, API_CHAT_COMPLETIONS, "{\"logit_bias\":{}}", "{\"logit_bias\":{}}", ""},
		{&dialect_groq, API_CHAT_COMPLETIONS,
			"{\"model\":\"m\",\"logit_bias\":{\"1\":2},\"logprobs\":false,\"seed\":1,\"top_logprobs\":null,"
			"\"messages\":[{\"role\":\"user\",\"name\":\"bo\",\"content\":\"x\"},{\"name\":\"al\"}]}",
			"{\"model\":\"m\",\"seed\":1,\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{}]}",
			"logit_bias,name"},
		{&dialect_groq, API_COMPLETIONS, "{\"logprobs\":1}", "{\"logprobs\":1}", ""},
		{&dialect_together, API_CHAT_COMPLETIONS, "{\"stop\":\"\\u0041\",\"user\":\"u\"}",
			"{\"stop\":[\"\\u0041\"],\"user\":\"u\"}", ""},
		{&dialect_together, API_CHAT_COMPLETIONS, "{\"stop\":[\"a\"]}", "{\"stop\":[\"a\"]}", ""},
		{NULL, API_CHAT_COMPLETIONS, "{\"temperature\":0.5,\"max_tokens\":7,\"top_p\":1}",
			"{\"max_completion_tokens\":7}", "temperature,top_p"},
		{NULL, API_CHAT_COMPLETIONS, "{\"max_completion_tokens\":8,\"max_tokens\":7}",
			"{\"max_completion_tokens\":8}", ""},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct fixture *f = *state;
		struct slice document = parse(f, table[i].before);
		char memory[256], edited[DOCUMENT_BYTES];
		struct text dropped = text_over(memory, sizeof(memory)), out = text_over(edited, sizeof(edited));
		struct iovec iov[2 * JSON_EDITS_MAX + 1];
		struct json_edits edits;
		size_t size;

		json_edits_init(&edits);
		assert_int_equal(dialect_edit_fields(
					 table[i].dialect ? table[i].dialect->fields : dialect_unsampled_fields(true),
					 table[i].api, f->json, &f->arena, &edits, &dropped),
			0);
		put_together(iov, json_edited(&edits, document, iov, &size), &out);
		assert_int_equal(out.size, size);
		expect(i, out.data, out.size, table[i].after);
		expect(i, dropped.data, dropped.size, table[i].dropped);
	}
}

static void reasons(void **state)
{
	struct fixture *f = *state;
	struct slice document = parse(f, "{\"choices\":[{\"finish_reason\":\"eos\"},{\"finish_reason\":\"length\"},"
					 "{\"finish_reason\":null},{\"finish_reason\":\"eos\"}]}");
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	char edited[DOCUMENT_BYTES];
	struct text out = text_over(edited, sizeof(edited));
	struct json_edits edits;
	size_t size;

	json_edits_init(&edits);
	dialect_edit_finish(&dialect_openai, f->json, &edits);
	assert_int_equal(edits.count, 0);
	dialect_edit_finish(&dialect_together, f->json, &edits);
	put_together(iov, json_edited(&edits, document, iov, &size), &out);
	expect(0, out.data, out.size,
		"{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"length\"},{\"finish_reason\":null},"
		"{\"finish_reason\":\"stop\"}]}");
	assert_true(slice_equal(dialect_finish(&dialect_together, SLICE("eos")), SLICE("stop")));
	assert_true(slice_equal(dialect_finish(&dialect_openai, SLICE("eos")), SLICE("eos")));
}

static void errors(void **state)
{
	static const struct {
		enum provider_kind kind;
		unsigned status;
		const char *body;
		unsigned means;
		uint32_t retry_after_s;
	} table[] = {
		{PROVIDER_OPENAI, 429,
			"{\"error\":{\"message\":\"m\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}", 429,
			0},
		{PROVIDER_OPENAI, 429,
			"{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}"
			"}",
			402, 0},
		{PROVIDER_OPENAI, 400, "{\"error\":{\"message\":\"m\",\"code\":\"context_length_exceeded\"}}", 400, 0},
		{PROVIDER_OPENAI_COMPATIBLE, 503, "{\"error\":{\"message\":\"Loading model\",\"code\":503}}", 503, 2},
		{PROVIDER_OPENAI_COMPATIBLE, 503, "{}", 503, 0},
		{PROVIDER_AZURE, 404, "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"m\"}}", 404, 0},
		{PROVIDER_AZURE, 400, "{\"error\":{\"code\":\"content_filter\",\"message\":\"m\"}}", 400, 0},
		{PROVIDER_ANTHROPIC, 429,
			"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"details\":"
			"{\"error_code\":\"enforced_spend_limit_reached\"}}}",
			402, 0},
		{PROVIDER_ANTHROPIC, 429,
			"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"details\":"
			"null}}",
			429, 0},
		{PROVIDER_GROQ, 498, "{\"error\":{\"message\":\"m\",\"code\":\"capacity_exceeded\"}}", 503, 0},
		{PROVIDER_MISTRAL, 422,
			"{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"x\"],\"msg\":\"m\"}]}", 422, 0},
		{PROVIDER_MISTRAL, 401, "{\"detail\":\"Unauthorized\"}", 401, 0},
		{PROVIDER_BEDROCK, 400, "{\"__type\":\"com.amazon#ServiceQuotaExceededException\",\"message\":\"m\"}",
			429, 0},
		{PROVIDER_BEDROCK, 400, "{\"__type\":\"ExpiredTokenException\",\"Message\":\"m\"}", 401, 0},
		{PROVIDER_BEDROCK, 429, "{\"__type\":\"ModelNotReadyException\"}", 503, 0},
		{PROVIDER_BEDROCK, 400, "{\"message\":\"m\"}", 400, 0},
		{PROVIDER_BEDROCK, 500, "[]", 500, 0},
		{PROVIDER_COHERE, 498, "{\"message\":\"invalid token\"}", 401, 0},
		{PROVIDER_COHERE, 429, "{\"message\":\"slow\"}", 429, 0},
		{PROVIDER_COHERE, 499, "{\"message\":\"cancelled\"}", 500, 0},
		{PROVIDER_GROQ, 400, "{\"error\":{\"message\":\"m\",\"code\":\"tool_use_failed\"}}", 400, 0},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		const struct dialect *dialect = dialect_of(table[i].kind);
		struct fixture *f = *state;
		struct openai_error error;
		uint32_t retry_after_s;
		unsigned means;

		if (!dialect)
			continue; /* not in this build */
		parse(f, table[i].body);
		dialect->read_error(f->json, &error);
		means = dialect_error_means(dialect, table[i].status, &error, &retry_after_s);
		if (means != table[i].means || retry_after_s != table[i].retry_after_s)
			fail_msg("row %zu: %u, %u s", i, means, retry_after_s);
	}
}

static void codes(void **state)
{
	static const struct {
		const char *message, *code, *expected;
	} table[] = {
		{"This model's maximum context length is 8192 tokens.", "context_length_exceeded",
			"context_length_exceeded"},
		{"This model's maximum context length is 8192 tokens.", NULL, "context_length_exceeded"},
		{"Prompt contains 40000 tokens, too large for model with 32768 maximum context length", "3051",
			"context_length_exceeded"},
		{"prompt is too long: 9 tokens > 8 maximum", NULL, "context_length_exceeded"},
		{"too many tokens: the prompt cannot exceed 4081", NULL, "context_length_exceeded"},
		{"the request exceeds the available context size", NULL, "context_length_exceeded"},
		{"something else", "invalid_value", "invalid_value"},
		{"something else", NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_error error = {
			.message = slice_of_string(table[i].message), .code = slice_of_string(table[i].code)};
		struct slice code = dialect_error_code(&error);

		expect(i, code.data, code.size, table[i].expected);
	}
}

static void complaints_of_sampling(void **state)
{
	static const struct {
		struct openai_error error;
		bool of_sampling;
	} table[] = {
		{{.message = {"temperature: Extra inputs are not permitted", 43}}, true},
		{{.message = {"top_k: Extra inputs are not permitted", 37}}, true},
		{{.message = {"tools.0.temperature: Extra inputs are not permitted", 51}}, false},
		{{.message = {"temperature: range: 0..1", 24}}, false},
		{{.message = {"m", 1}, .code = {"unsupported_value", 17}, .param = {"temperature", 11}}, true},
		{{.message = {"m", 1}, .code = {"unsupported_parameter", 21}, .param = {"top_p", 5}}, true},
		{{.message = {"m", 1}, .code = {"unsupported_value", 17}, .param = {"model", 5}}, false},
		{{.message = {"m", 1}}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (dialect_refuses_sampling(&table[i].error) != table[i].of_sampling)
			fail_msg("row %zu", i);
}

/* What is wrong, and with which field, is told in three shapes. */
static void mistral_complaints(void **state)
{
	static const struct {
		const char *body, *message, *code, *param;
	} table[] = {
		{"{\"object\":\"error\",\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":\"p\",\"code\":"
		 "\"3000\"}",
			"m", "3000", "p"},
		{"{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"messages\",0,\"name\"],\"msg\":"
		 "\"Extra "
		 "inputs are not permitted\"}]}",
			"Extra inputs are not permitted", "extra_forbidden", "name"},
		{"{\"object\":\"error\",\"message\":{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":"
		 "\"Field "
		 "required\"}]},\"type\":\"invalid_request_error\",\"code\":null}",
			"Field required", "missing", "body"},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct fixture *f = *state;
		struct openai_error error;
		struct slice document = parse(f, table[i].body);

		dialect_mistral.read_error(f->json, &error);
		expect(i, error.message.data, error.message.size, table[i].message);
		expect(i, error.code.data, error.code.size, table[i].code);
		expect(i, error.param.data, error.param.size, table[i].param);
		assert_int_equal(error.raw.size, document.size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(heads), cmocka_unit_test(fields), cmocka_unit_test(reasons),
		cmocka_unit_test(errors), cmocka_unit_test(codes), cmocka_unit_test(complaints_of_sampling),
		cmocka_unit_test(mistral_complaints)};

	return cmocka_run_group_tests_name("kinds", tests, set_up, tear_down);
}
