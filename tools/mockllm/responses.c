/*
 * OpenAI's Responses API, requests: what the real one refuses is refused here with its error. Written from the
 * description of that API, not from the gateway's translation, so that one cannot agree with the other's mistakes.
 */
#include "tools/mockllm/mock.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BYTES_PER_TOKEN = 4, OUTPUT_TOKENS_MIN = 16 };

static bool refuse(struct mock_connection *c, const char *message, const char *param, const char *code)
{
	mock_answer_error(c, 400, slice_of_string(message), param, code);
	return false;
}

static bool check_fields(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"model", "input", "instructions", "max_output_tokens", "max_tool_calls",
		"temperature", "top_p", "top_logprobs", "stream", "stream_options", "store", "previous_response_id",
		"conversation", "parallel_tool_calls", "tools", "tool_choice", "text", "reasoning", "include",
		"truncation", "background", "metadata", "service_tier", "user", "safety_identifier", "prompt_cache_key",
		"prompt_cache_options", "prompt_cache_retention", "prompt", "context_management", "moderation", NULL};
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m)) {
		if (mock_one_of(json_key(p, m), known))
			continue;
		text_literal(&t, "Unsupported parameter: '");
		text_add(&t, json_key(p, m));
		text_literal(&t, "'.");
		mock_answer_error(c, 400, text_slice(&t), NULL, "unsupported_parameter");
		return false;
	}
	return true;
}

/* ---- input -------------------------------------------------------------------------------------------------- */

static bool check_part(struct mock_connection *c, const struct json_parser *p, json_ref part, bool assistant)
{
	static const char *const given[] = {"input_text", "input_image", "input_file", NULL};
	static const char *const answered[] = {"output_text", "refusal", NULL};
	struct slice type = mock_string(p, part, "type");

	if (!mock_one_of(type, assistant ? answered : given))
		return refuse(c, "Invalid value: this role's content has other types of parts.",
			"input[].content[].type", "invalid_value");
	if (slice_equal(type, SLICE("input_image")) && !mock_string(p, part, "image_url").size &&
		!mock_string(p, part, "file_id").size)
		return refuse(c, "Missing required parameter: 'input[].content[].image_url'.", "input", NULL);
	if ((slice_equal(type, SLICE("input_text")) || slice_equal(type, SLICE("output_text"))) &&
		!mock_string(p, part, "text").data)
		return refuse(c, "Missing required parameter: 'input[].content[].text'.", "input",
			"missing_required_parameter");
	return true;
}

static bool check_message(struct mock_connection *c, const struct json_parser *p, json_ref item)
{
	static const char *const roles[] = {"user", "assistant", "system", "developer", NULL};
	json_ref content = json_member(p, item, SLICE("content"));
	struct slice role = mock_string(p, item, "role");

	if (!mock_one_of(role, roles))
		return refuse(c, "Invalid value for 'input[].role'.", "input[].role", "invalid_value");
	if (content == JSON_NONE)
		return refuse(
			c, "Missing required parameter: 'input[].content'.", "input", "missing_required_parameter");
	if (json_type(p, content) == JSON_STRING)
		return true;
	for (json_ref part = json_first(p, content); part != JSON_NONE; part = json_next(p, part))
		if (!check_part(c, p, part, slice_equal(role, SLICE("assistant"))))
			return false;
	return true;
}

/* Calls of this simulator are known by their places: "fc_0" is what "call_0" calls. */
static bool refers_to(const struct json_parser *p, json_ref item, struct slice call_id)
{
	struct slice id = mock_string(p, item, "id"), item_lead = SLICE("fc_"), call_lead = SLICE("call_");

	return slice_equal(mock_string(p, item, "type"), SLICE("item_reference")) && slice_starts_with(id, item_lead) &&
	       slice_starts_with(call_id, call_lead) &&
	       slice_equal(slice_after(id, item_lead.size), slice_after(call_id, call_lead.size));
}

/* A result answers a call that stands before it. */
static bool check_output(struct mock_connection *c, const struct json_parser *p, json_ref input, json_ref item)
{
	struct slice id = mock_string(p, item, "call_id");

	for (json_ref v = json_first(p, input); v != JSON_NONE && v != item; v = json_next(p, v))
		if (refers_to(p, v, id) || (slice_equal(mock_string(p, v, "type"), SLICE("function_call")) &&
						   slice_equal(mock_string(p, v, "call_id"), id)))
			return true;
	return refuse(c, "No tool call found for function call output with this call_id.", "input", NULL);
}

static bool check_item(struct mock_connection *c, const struct json_parser *p, json_ref input, json_ref item)
{
	struct slice type = mock_string(p, item, "type"), arguments = mock_string(p, item, "arguments");
	json_ref summary = json_member(p, item, SLICE("summary"));

	if (!type.data || slice_equal(type, SLICE("message")))
		return check_message(c, p, item);
	if (slice_equal(type, SLICE("function_call")))
		return (mock_string(p, item, "call_id").size && mock_string(p, item, "name").size && arguments.data) ||
		       refuse(c, "Missing required parameter of a function_call.", "input",
			       "missing_required_parameter");
	if (slice_equal(type, SLICE("function_call_output")))
		return check_output(c, p, input, item);
	if (slice_equal(type, SLICE("item_reference")))
		return mock_string(p, item, "id").size || refuse(c, "Missing required parameter: 'input[].id'.",
								  "input[].id", "missing_required_parameter");
	if (slice_equal(type, SLICE("reasoning"))) {
		if (!slice_starts_with(mock_string(p, item, "id"), SLICE("rs_")) || summary == JSON_NONE)
			return refuse(c, "Missing required parameter of a reasoning item.", "input", NULL);
		return slice_starts_with(mock_string(p, item, "encrypted_content"), SLICE("gAAAA")) ||
		       refuse(c, "The encrypted content could not be verified.", "input", "invalid_encrypted_content");
	}
	return refuse(c, "Invalid value for 'input[].type'.", "input[].type", "invalid_value");
}

static bool check_input(struct mock_connection *c, const struct json_parser *p)
{
	json_ref input = json_member(p, 0, SLICE("input"));
	struct slice raw;

	if (input == JSON_NONE)
		return refuse(c, "Missing required parameter: 'input'.", "input", "missing_required_parameter");
	if (json_type(p, input) != JSON_STRING && json_type(p, input) != JSON_ARRAY)
		return refuse(c, "Invalid type for 'input'.", "input", "invalid_type");
	for (json_ref v = json_type(p, input) == JSON_ARRAY ? json_first(p, input) : JSON_NONE; v != JSON_NONE;
		v = json_next(p, v))
		if (!check_item(c, p, input, v))
			return false;
	raw = json_raw(p, input);
	c->request.content_hash = XXH3_64bits(raw.data, raw.size);
	c->request.prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	return true;
}

/* ---- options ------------------------------------------------------------------------------------------------ */

static bool check_tools(struct mock_connection *c, const struct json_parser *p)
{
	json_ref tools = json_member(p, 0, SLICE("tools"));

	for (json_ref v = tools == JSON_NONE ? JSON_NONE : json_first(p, tools); v != JSON_NONE; v = json_next(p, v)) {
		struct slice type = mock_string(p, v, "type");

		if (!type.size)
			return refuse(c, "Missing required parameter: 'tools[].type'.", "tools", NULL);
		if (slice_equal(type, SLICE("function")) && !mock_string(p, v, "name").size)
			return refuse(c, "Missing required parameter: 'tools[].name'.", "tools[].name",
				"missing_required_parameter");
	}
	return true;
}

static bool check_format(struct mock_connection *c, const struct json_parser *p)
{
	json_ref text = json_member(p, 0, SLICE("text"));
	json_ref format = text == JSON_NONE ? JSON_NONE : json_member(p, text, SLICE("format"));

	if (format == JSON_NONE || !slice_equal(mock_string(p, format, "type"), SLICE("json_schema")))
		return true;
	return (mock_string(p, format, "name").size && json_member(p, format, SLICE("schema")) != JSON_NONE) ||
	       refuse(c, "Missing required parameter: 'text.format.name'.", "text.format.name",
		       "missing_required_parameter");
}

static bool check_options(struct mock_connection *c, const struct json_parser *p)
{
	json_ref limit = json_member(p, 0, SLICE("max_output_tokens")), stream = json_member(p, 0, SLICE("stream"));
	int64_t tokens = INT32_MAX;

	if (limit != JSON_NONE && json_type(p, limit) != JSON_NULL &&
		(!json_integer(p, limit, &tokens) || tokens < OUTPUT_TOKENS_MIN || tokens > INT32_MAX))
		return refuse(c, "Invalid 'max_output_tokens': integer below minimum value.", "max_output_tokens",
			"integer_below_min_value");
	if (stream != JSON_NONE && json_type(p, stream) != JSON_TRUE && json_type(p, stream) != JSON_FALSE &&
		json_type(p, stream) != JSON_NULL)
		return refuse(c, "Invalid type for 'stream'.", "stream", "invalid_type");
	if (mock_string(p, 0, "previous_response_id").size)
		return refuse(c, "Previous response with this id not found.", "previous_response_id",
			"previous_response_not_found");
	c->request.stream = stream != JSON_NONE && json_type(p, stream) == JSON_TRUE;
	c->request.max_words = (uint32_t)tokens;
	c->request.choices = 1;
	return true;
}

static bool check(struct mock_connection *c, const struct json_parser *p)
{
	return check_fields(c, p) && check_options(c, p) && check_input(c, p) && check_tools(c, p) &&
	       check_format(c, p);
}

/* The deployment is the body's model on both surfaces, and the one without /v1 wants a version that has this API. */
static bool read_azure_model(struct mock_connection *c)
{
	static const struct slice version = {"api-version=", 12};
	struct slice query = c->head.query;
	const char *at = query.size ? memmem(query.data, query.size, version.data, version.size) : NULL;

	if (slice_equal(c->head.path, SLICE("/openai/v1/responses")))
		return mock_take_model(c, mock_string(c->mock->json, 0, "model"));
	query = at ? slice_after(query, (size_t)(at - query.data) + version.size) : slice_of(NULL, 0);
	if (slice_equal(c->head.path, SLICE("/openai/responses")) && query.size >= 10 &&
		memcmp(query.data, "2025-03-01", 10) >= 0)
		return mock_take_model(c, mock_string(c->mock->json, 0, "model"));
	mock_answer_error(c, 404, SLICE("Resource not found"), NULL, "404");
	return false;
}

const struct mock_format mock_azure_responses = {
	.key_header = "api-key",
	.read_model = read_azure_model,
	.check = check,
	.write = mock_responses_write,
	.begin = mock_responses_begin,
	.steps = &mock_responses_steps,
};

const struct mock_format mock_responses = {
	.check = check,
	.write = mock_responses_write,
	.begin = mock_responses_begin,
	.steps = &mock_responses_steps,
};
