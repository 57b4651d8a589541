/* The OpenAI dialect: what is refused, and how requests, answers and events look after their edits. */
#include "core/buffer.h"
#include "proto/openai/openai.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
	struct json_parser *parser;
	char document[1024 + BUFFER_PADDING_BYTES];
	size_t size;
	char edited[2048];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->parser = json_parser_open(4096);
	*state = f;
	return f->parser ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	json_parser_close(f->parser);
	free(f);
	return 0;
}

static void parse(struct fixture *f, const char *text)
{
	struct json_error error;

	f->size = strlen(text);
	assert_true(f->size <= 1024);
	memcpy(f->document, text, f->size);
	assert_int_equal(json_parse(f->parser, slice_of(f->document, f->size), &error), 0);
}

static const char *edited(struct fixture *f, struct json_edits *edits)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size, at = 0;
	unsigned count = json_edited(edits, slice_of(f->document, f->size), iov, &size);

	assert_true(size < sizeof(f->edited));
	for (unsigned i = 0; i < count; i++) {
		memcpy(f->edited + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	f->edited[at] = '\0';
	return f->edited;
}

static void requests_refused(void **state)
{
	static const struct {
		enum openai_api api;
		const char *text, *code, *param;
	} table[] = {
		{OPENAI_CHAT, "[]", "invalid_type", NULL},
		{OPENAI_CHAT, "{}", "missing_required_parameter", "model"},
		{OPENAI_CHAT, "{\"model\":null,\"messages\":[{}]}", "missing_required_parameter", "model"},
		{OPENAI_CHAT, "{\"model\":7,\"messages\":[{}]}", "invalid_type", "model"},
		{OPENAI_CHAT, "{\"model\":\"\",\"messages\":[{}]}", "missing_required_parameter", "model"},
		{OPENAI_CHAT, "{\"model\":\"m\"}", "missing_required_parameter", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":null}", "missing_required_parameter", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":{}}", "invalid_type", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[]}", "invalid_value", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[\"hi\"]}", "invalid_type", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"model\":\"n\",\"messages\":[{}]}", "duplicate_field", "model"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"mod\\u0065l\":\"n\"}", "duplicate_field", "model"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"messages\":[{}]}", "duplicate_field", "messages"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":1}", "invalid_type", "stream"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":\"true\"}", "invalid_type", "stream"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream_options\":{}}", "invalid_value",
			"stream_options"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":[]}",
			"invalid_type", "stream_options"},
		{OPENAI_CHAT,
			"{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":1}}",
			"invalid_type", "stream_options.include_usage"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"x-routing-hints\":[]}", "invalid_type",
			"x-routing-hints"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"x-fallback-chain\":\"a\"}", "invalid_type",
			"x-fallback-chain"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"x-fallback-chain\":[1]}", "invalid_type",
			"x-fallback-chain"},
		{OPENAI_COMPLETIONS, "{\"model\":\"m\"}", "missing_required_parameter", "prompt"},
		{OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":{}}", "invalid_type", "prompt"},
		{OPENAI_EMBEDDINGS, "{\"model\":\"m\"}", "missing_required_parameter", "input"},
		{OPENAI_EMBEDDINGS, "{\"model\":\"m\",\"input\":true}", "invalid_type", "input"},
		{OPENAI_EMBEDDINGS, "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}", "unsupported_feature",
			"stream"},
		{OPENAI_MODERATIONS, "{\"model\":[],\"input\":\"x\"}", "invalid_type", "model"},
	};
	struct fixture *f = *state;
	struct openai_request request;
	struct openai_problem problem;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		if (openai_read_request(f->parser, table[i].api, &request, &problem) != -EINVAL)
			fail_msg("row %zu was taken: %s", i, table[i].text);
		if (!slice_equal(problem.code, slice_of_string(table[i].code)))
			fail_msg("row %zu: code %.*s", i, (int)problem.code.size, problem.code.data);
		assert_true(slice_equal(problem.param, slice_of_string(table[i].param)));
		assert_true(problem.message.size > 10);
	}
}

static void requests_edited(void **state)
{
	static const struct {
		enum openai_api api;
		const char *text, *expected;
	} table[] = {
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}]}", "{\"model\":\"up\",\"messages\":[{}]}"},
		{OPENAI_CHAT, "{ \"messages\" : [{}] , \"model\" : \"m\" , \"seed\": 7 }",
			"{ \"messages\" : [{}] , \"model\" : \"up\" , \"seed\": 7 }"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":true}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"true}}"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":null}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"true}}"},
		{OPENAI_CHAT, "{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":{}}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"true}}"},
		{OPENAI_CHAT,
			"{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_"
			"obfuscation\":false}}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":true,"
			"\"stream_options\":{\"include_obfuscation\":false,\"include_usage\":true}}"},
		{OPENAI_CHAT,
			"{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"false}}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"true}}"},
		{OPENAI_CHAT,
			"{\"model\":\"m\",\"messages\":[{}],\"stream\":false,\"x-routing-hints\":{\"priority\":"
			"\"cost\"}}",
			"{\"model\":\"up\",\"messages\":[{}],\"stream\":false}"},
		{OPENAI_CHAT, "{\"x-fallback-chain\":[\"a\"],\"x-routing-hints\":{},\"model\":\"m\",\"messages\":[{}]}",
			"{\"model\":\"up\",\"messages\":[{}]}"},
		{OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"x\"}", "{\"model\":\"up\",\"prompt\":\"x\"}"},
		{OPENAI_EMBEDDINGS, "{\"input\":[1,2],\"model\":\"m\"}", "{\"input\":[1,2],\"model\":\"up\"}"},
		{OPENAI_MODERATIONS, "{\"input\":\"x\"}", "{\"input\":\"x\",\"model\":\"up\"}"},
	};
	struct fixture *f = *state;
	struct openai_request request;
	struct openai_problem problem;
	struct json_edits edits;
	char added[4 + OPENAI_ADDED_BYTES];

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		assert_int_equal(openai_read_request(f->parser, table[i].api, &request, &problem), 0);
		json_edits_init(&edits);
		openai_edit_request(f->parser, &request, SLICE("\"up\""), added, &edits);
		assert_string_equal(edited(f, &edits), table[i].expected);
	}
}

static void usage_is_data(void **state)
{
	static const struct {
		const char *usage;
		bool present;
		uint64_t prompt, completion, cached, reasoning;
	} table[] = {
		{"{\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}", true, 9, 5, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4},"
		 "\"completion_tokens_details\":{\"reasoning_tokens\":3}}",
			true, 9, 5, 4, 3},
		{"{\"prompt_tokens\":9,\"total_tokens\":9}", true, 9, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":5,\"prompt_tokens_details\":null}", true, 9, 5, 0, 0},
		{"null", false, 0, 0, 0, 0},
		{"{}", false, 0, 0, 0, 0},
		{"[]", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":-9,\"completion_tokens\":5}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":-5}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":\"9\",\"completion_tokens\":5}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":0,\"completion_tokens\":0}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":9000000000000}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":1.5}", false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":10}}",
			false, 0, 0, 0, 0},
		{"{\"prompt_tokens\":9,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":6}}",
			false, 0, 0, 0, 0},
	};
	struct fixture *f = *state;
	struct openai_answer answer;
	char text[512];

	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(text, sizeof(text),
			"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},"
			"\"finish_reason\":\"stop\"}],\"usage\":%s}",
			table[i].usage);
		parse(f, text);
		assert_int_equal(openai_read_answer(f->parser, &answer), 0);
		assert_int_equal(answer.usage.present, table[i].present);
		assert_int_equal(answer.usage.prompt_tokens, table[i].prompt);
		assert_int_equal(answer.usage.completion_tokens, table[i].completion);
		assert_int_equal(answer.usage.cached_tokens, table[i].cached);
		assert_int_equal(answer.usage.reasoning_tokens, table[i].reasoning);
		assert_int_equal(answer.output_bytes, 5);
		assert_true(slice_equal(answer.finish_reason, SLICE("stop")));
	}
}

static void answers_edited(void **state)
{
	static const struct {
		const char *text, *expected;
	} table[] = {
		{"{\"model\":\"up\"}", "{\"model\":\"id\",\"x-llm-gateway\":{}}"},
		{"{\"object\":\"list\"}", "{\"object\":\"list\",\"model\":\"id\",\"x-llm-gateway\":{}}"},
		{"{}", "{\"model\":\"id\",\"x-llm-gateway\":{}}"},
		{"{\"x-llm-gateway\":{\"a\":1},\"model\":\"up\"}", "{\"x-llm-gateway\":{},\"model\":\"id\"}"},
	};
	struct fixture *f = *state;
	struct openai_answer answer;
	struct json_edits edits;
	char added[64];

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		assert_int_equal(openai_read_answer(f->parser, &answer), 0);
		json_edits_init(&edits);
		openai_edit_answer(
			f->parser, &answer, SLICE("\"id\""), SLICE("\"x-llm-gateway\":{}"), 16, added, &edits);
		assert_string_equal(edited(f, &edits), table[i].expected);
	}
	parse(f, "[]");
	assert_int_equal(openai_read_answer(f->parser, &answer), -EPROTO);
	parse(f, "{\"error\":{\"message\":\"no\"}}");
	assert_int_equal(openai_read_answer(f->parser, &answer), -EPROTO);
	parse(f, "{\"error\":null,\"model\":\"up\"}");
	assert_int_equal(openai_read_answer(f->parser, &answer), 0);
}

static void chunks(void **state)
{
	static const struct {
		const char *text;
		bool content, usage_only, error, keep;
		const char *finish, *expected;
	} table[] = {
		{"{\"model\":\"up\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_"
		 "reason\":null}],"
		 "\"usage\":null}",
			false, false, false, false, NULL,
			"{\"model\":\"id\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_"
			"reason\":null}]}"},
		{"{\"model\":\"up\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}", true, false, false,
			true, NULL, "{\"model\":\"id\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}"},
		{"{\"model\":\"up\",\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}", true, false, false,
			false, NULL, "{\"model\":\"id\",\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}"},
		{"{\"model\":\"up\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", true, false, false,
			false, NULL, "{\"model\":\"id\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}"},
		{"{\"model\":\"up\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}", false, false, false,
			false, "length",
			"{\"model\":\"id\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}"},
		{"{\"model\":\"up\",\"choices\":[{\"text\":\"Hi\",\"index\":0}]}", true, false, false, false, NULL,
			"{\"model\":\"id\",\"choices\":[{\"text\":\"Hi\",\"index\":0}]}"},
		{"{\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}", false,
			true, false, true, NULL,
			"{\"model\":\"id\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}"},
		{"{\"error\":{\"message\":\"no\"}}", false, false, true, false, NULL,
			"{\"error\":{\"message\":\"no\"}}"},
		{"{\"error\":null,\"choices\":[]}", false, false, false, false, NULL,
			"{\"error\":null,\"choices\":[]}"},
	};
	struct fixture *f = *state;
	struct openai_chunk chunk;
	struct json_edits edits;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		assert_int_equal(openai_read_chunk(f->parser, &chunk), 0);
		assert_int_equal(chunk.content, table[i].content);
		assert_int_equal(chunk.usage_only, table[i].usage_only);
		assert_int_equal(chunk.error != JSON_NONE, table[i].error);
		assert_true(slice_equal(chunk.finish_reason, slice_of_string(table[i].finish)));
		json_edits_init(&edits);
		openai_edit_chunk(f->parser, &chunk, SLICE("\"id\""), table[i].keep, slice_of(NULL, 0), &edits);
		assert_string_equal(edited(f, &edits), table[i].expected);
	}
	parse(f, "\"text\"");
	assert_int_equal(openai_read_chunk(f->parser, &chunk), -EPROTO);
}

/* What the gateway adds or takes away wins over what the provider sent, which may be a gateway itself. */
static void chunks_of_a_gateway(void **state)
{
	static const struct {
		const char *text, *members, *expected;
	} table[] = {
		{"{\"choices\":[],\"x-llm-gateway\":{\"a\":1}}", "\"x-llm-gateway\":{}",
			"{\"choices\":[],\"x-llm-gateway\":{}}"},
		{"{\"x-llm-gateway\":{\"a\":1}}", "\"x-llm-gateway\":{}", "{\"x-llm-gateway\":{}}"},
		{"{\"x-llm-gateway\":1,\"choices\":[],\"x-llm-gateway\":2}", "", "{\"choices\":[]}"},
		{"{\"usage\":{},\"choices\":[],\"usage\":null}", "", "{\"choices\":[]}"},
	};
	struct fixture *f = *state;
	struct openai_chunk chunk;
	struct json_edits edits;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		assert_int_equal(openai_read_chunk(f->parser, &chunk), 0);
		json_edits_init(&edits);
		openai_edit_chunk(f->parser, &chunk, SLICE("\"id\""), false, slice_of_string(table[i].members), &edits);
		assert_string_equal(edited(f, &edits), table[i].expected);
	}
}

/* Usage and errors where other servers tell them, and chunks that say nothing to a client. */
static void chunks_of_others(void **state)
{
	static const struct {
		const char *text;
		bool empty, error;
		uint64_t prompt, completion, cached; /* prompt 0: no usage */
	} table[] = {
		{"{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":9,"
		 "\"completion_tokens\":5}}}",
			false, false, 9, 5, 0},
		{"{\"choices\":[{\"delta\":{\"content\":\"\"}}],\"x_groq\":{\"id\":\"r\"}}", false, false, 0, 0, 0},
		{"{\"choices\":[],\"x_groq\":{\"error\":\"no\"}}", false, true, 0, 0, 0},
		{"{\"choices\":[{\"delta\":{}}],\"timings\":{\"prompt_n\":3,\"cache_n\":6,\"predicted_n\":5}}", false,
			false, 9, 5, 6},
		{"{\"choices\":[{\"delta\":{}}],\"timings\":{\"prompt_n\":-3,\"predicted_n\":5}}", false, false, 0, 0,
			0},
		{"{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5},\"timings\":{\"prompt_n\":1}"
		 "}",
			false, false, 9, 5, 0},
		{"{\"choices\":[],\"prompt_filter_results\":[]}", true, false, 0, 0, 0},
		{"{\"choices\":[{\"index\":0,\"finish_reason\":null,\"content_filter_results\":{}}]}", true, false, 0,
			0, 0},
		{"{\"choices\":[{\"index\":0,\"delta\":null},{\"index\":1,\"delta\":{}}]}", false, false, 0, 0, 0},
		{"{\"choices\":[],\"usage\":{\"prompt_tokens\":-9}}", false, false, 0, 0,
			0}, /* asked for all the same */
		{"{\"object\":\"x\"}", false, false, 0, 0, 0},
	};
	struct fixture *f = *state;
	struct openai_chunk chunk;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		assert_int_equal(openai_read_chunk(f->parser, &chunk), 0);
		if (chunk.empty != table[i].empty || (chunk.error != JSON_NONE) != table[i].error)
			fail_msg("row %zu: empty %d, error %d", i, chunk.empty, chunk.error != JSON_NONE);
		assert_int_equal(chunk.usage.present, table[i].prompt > 0);
		assert_int_equal(chunk.usage.prompt_tokens, table[i].prompt);
		assert_int_equal(chunk.usage.completion_tokens, table[i].completion);
		assert_int_equal(chunk.usage.cached_tokens, table[i].cached);
	}
}

static void complaints(void **state)
{
	static const struct {
		const char *text, *message, *code, *raw;
	} table[] = {
		{"{\"error\":{\"message\":\"no\",\"code\":\"bad\"}}", "no", "bad",
			"{\"message\":\"no\",\"code\":\"bad\"}"},
		{"{\"error\":{\"message\":\"no\",\"code\":7}}", "no", NULL, "{\"message\":\"no\",\"code\":7}"},
		{"{\"error\":\"no\"}", "no", NULL, "\"no\""},
		{"{\"message\":\"no\"}", "no", NULL, "{\"message\":\"no\"}"},
		{"[1]", NULL, NULL, NULL},
	};
	struct fixture *f = *state;
	struct openai_error error;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, table[i].text);
		openai_read_error(f->parser, &error);
		assert_true(slice_equal(error.message, slice_of_string(table[i].message)));
		assert_true(slice_equal(error.code, slice_of_string(table[i].code)));
		assert_true(slice_equal(error.raw, slice_of_string(table[i].raw)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_refused),
		cmocka_unit_test(requests_edited),
		cmocka_unit_test(usage_is_data),
		cmocka_unit_test(answers_edited),
		cmocka_unit_test(chunks),
		cmocka_unit_test(chunks_of_a_gateway),
		cmocka_unit_test(chunks_of_others),
		cmocka_unit_test(complaints),
	};

	return cmocka_run_group_tests_name("openai", tests, set_up, tear_down);
}
