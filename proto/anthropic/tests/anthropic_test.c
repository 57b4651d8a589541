/* Anthropic's dialect where both sides speak it: what is refused, what is edited, figures of answers. */
#include "proto/anthropic/anthropic.h"
#include "proto/chat/tests/chat_fixture.h"

static const char *edited(struct fixture *f, struct json_edits *edits)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size, at = 0;
	unsigned count = json_edited(edits, json_document(f->parser), iov, &size);

	assert_true(size < sizeof(f->out_memory));
	for (unsigned i = 0; i < count; at += iov[i++].iov_len)
		memcpy(f->out_memory + at, iov[i].iov_base, iov[i].iov_len);
	f->out_memory[at] = '\0';
	return f->out_memory;
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void requests_refused(void **state)
{
	static const struct {
		const char *in, *code, *param;
	} table[] = {
		{"[]", "invalid_type", ""},
		{"{\"max_tokens\":1," MESSAGES "}", "missing_required_parameter", "model"},
		{"{\"model\":\"\",\"max_tokens\":1," MESSAGES "}", "missing_required_parameter", "model"},
		{"{\"model\":7,\"max_tokens\":1," MESSAGES "}", "invalid_type", "model"},
		{"{\"model\":\"m\"," MESSAGES "}", "missing_required_parameter", "max_tokens"},
		{"{\"model\":\"m\",\"max_tokens\":-1," MESSAGES "}", "invalid_value", "max_tokens"},
		{"{\"model\":\"m\",\"max_tokens\":1.5," MESSAGES "}", "invalid_value", "max_tokens"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"stream\":1," MESSAGES "}", "invalid_type", "stream"},
		{"{\"model\":\"m\",\"max_tokens\":1}", "missing_required_parameter", "messages"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"messages\":[]}", "invalid_type", "messages"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"messages\":[7]}", "invalid_type", "messages"},
		{"{\"model\":\"m\",\"model\":\"n\",\"max_tokens\":1," MESSAGES "}", "duplicate_field", "model"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"max_tokens\":2," MESSAGES "}", "duplicate_field", "max_tokens"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"x-routing-hints\":[]," MESSAGES "}", "invalid_type",
			"x-routing-hints"},
		{"{\"model\":\"m\",\"max_tokens\":1,\"x-fallback-chain\":[1]," MESSAGES "}", "invalid_type",
			"x-fallback-chain"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_problem problem = {0};
		struct openai_request request;

		parse(f, slice_of_string(table[i].in));
		assert_int_equal(anthropic_read_common(f->parser, &request, &problem), -EINVAL);
		expect_text(i, problem.code, table[i].code);
		expect_text(i, problem.param, table[i].param);
	}
}

static void requests_edited(void **state)
{
	static const struct {
		const char *in, *out;
		bool stream;
	} table[] = {
		{"{\"model\" : \"m\", \"max_tokens\":1," MESSAGES "}",
			"{\"model\" : \"up\", \"max_tokens\":1," MESSAGES "}", false},
		{"{\"stream\":true,\"x-routing-hints\":{},\"model\":\"m\",\"max_tokens\":0," MESSAGES
		 ",\"x-fallback-chain\":[\"a\"]}",
			"{\"stream\":true,\"model\":\"up\",\"max_tokens\":0," MESSAGES "}", true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_problem problem;
		struct openai_request request;
		struct json_edits edits;

		parse(f, slice_of_string(table[i].in));
		assert_int_equal(anthropic_read_common(f->parser, &request, &problem), 0);
		assert_int_equal(request.stream, table[i].stream);
		assert_false(request.include_usage);
		json_edits_init(&edits);
		anthropic_edit_request(f->parser, &request, SLICE("\"up\""), NULL, &edits);
		assert_string_equal(edited(f, &edits), table[i].out);
	}
}

static void events_edited(void **state)
{
	static const struct {
		const char *in, *out, *name;
	} table[] = {
		{"{\"type\":\"message_start\",\"message\":{\"model\":\"x\",\"id\":\"1\"}}",
			"{\"type\":\"message_start\",\"message\":{\"model\":\"id\",\"id\":\"1\"}}", "message_start"},
		{"{\"type\":\"ping\",\"model\":\"x\"}", "{\"type\":\"ping\",\"model\":\"x\"}", "ping"},
		{"{\"type\":\"a\\nb\"}", "{\"type\":\"a\\nb\"}", ""},
		{"{}", "{}", ""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct json_edits edits;

		parse(f, slice_of_string(table[i].in));
		json_edits_init(&edits);
		anthropic_edit_event(f->parser, SLICE("\"id\""), &edits);
		expect_text(i, chat_event_name(f->parser), table[i].name);
		assert_string_equal(edited(f, &edits), table[i].out);
	}
}

static void usage(void **state)
{
	static const struct {
		const char *in;
		struct openai_usage out;
	} table[] = {
		{"{\"input_tokens\":9,\"output_tokens\":5}",
			{.present = true, .prompt_tokens = 9, .completion_tokens = 5}},
		{"{\"input_tokens\":9,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3,\"output_"
		 "tokens\":5,"
		 "\"output_tokens_details\":{\"thinking_tokens\":4}}",
			{.present = true,
				.prompt_tokens = 14,
				.completion_tokens = 5,
				.cached_tokens = 3,
				.cache_write_tokens = 2,
				.reasoning_tokens = 4}},
		/* What is absurd is not believed. */
		{"{\"input_tokens\":-9,\"output_tokens\":5}", {0}},
		{"{\"input_tokens\":1e15,\"output_tokens\":5}", {0}},
		{"{\"input_tokens\":\"9\"}", {0}},
		{"{\"input_tokens\":9,\"output_tokens\":5,\"output_tokens_details\":{\"thinking_tokens\":6}}",
			{.present = true, .prompt_tokens = 9, .completion_tokens = 5, .reasoning_tokens = 5}},
		{"[]", {0}},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t raw[5] = {0};
		struct openai_usage found;

		parse(f, slice_of_string(table[i].in));
		anthropic_read_usage(f->parser, 0, raw);
		found = anthropic_usage(raw);
		assert_int_equal(found.present, table[i].out.present);
		assert_int_equal(found.prompt_tokens, table[i].out.prompt_tokens);
		assert_int_equal(found.completion_tokens, table[i].out.completion_tokens);
		assert_int_equal(found.cached_tokens, table[i].out.cached_tokens);
		assert_int_equal(found.cache_write_tokens, table[i].out.cache_write_tokens);
		assert_int_equal(found.reasoning_tokens, table[i].out.reasoning_tokens);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_edited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(events_edited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(usage, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("anthropic", tests, NULL, NULL);
}
