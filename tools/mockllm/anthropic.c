/*
 * Anthropic's Messages, requests: what the real API refuses is refused here with its error. Written from the
 * description of that API, not from the gateway's translation, so that one cannot agree with the other's mistakes.
 */
#include "tools/mockllm/mock.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>

enum { BYTES_PER_TOKEN = 4 };

/* ---- errors ------------------------------------------------------------------------------------------------- */

static const char *error_type(unsigned status)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 402:
		return "billing_error";
	case 403:
		return "permission_error";
	case 404:
		return "not_found_error";
	case 413:
		return "request_too_large";
	case 429:
		return "rate_limit_error";
	case 504:
		return "timeout_error";
	case 529:
		return "overloaded_error";
	default:
		return status >= 500 ? "api_error" : "invalid_request_error";
	}
}

static void write_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	char memory[1024];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "{\"type\":\"error\",\"error\":{\"type\":\"");
	text_string(&t, error_type(status));
	text_literal(&t, "\",\"message\":");
	text_json(&t, message);
	text_literal(&t, ",\"details\":null},\"request_id\":\"req_mock\"}");
	assert(!t.full);
	mock_answer_whole(c, status, headers, text_slice(&t));
}

static bool refuse(struct mock_connection *c, const char *message)
{
	write_error(c, 400, slice_of(NULL, 0), slice_of_string(message));
	return false;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static bool check_fields(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"model", "max_tokens", "messages", "system", "stop_sequences", "stream",
		"tools", "tool_choice", "thinking", "output_config", "metadata", "service_tier", "speed",
		"cache_control", "container", "inference_geo", "temperature", "top_p", "top_k", NULL};
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m)) {
		if (mock_one_of(json_key(p, m), known))
			continue;
		text_add(&t, json_key(p, m));
		text_literal(&t, ": Extra inputs are not permitted");
		write_error(c, 400, slice_of(NULL, 0), text_slice(&t));
		return false;
	}
	return true;
}

static bool check_source(struct mock_connection *c, const struct json_parser *p, json_ref block)
{
	json_ref source = json_member(p, block, SLICE("source"));
	struct slice type = source == JSON_NONE ? slice_of(NULL, 0) : mock_string(p, source, "type");

	if (slice_equal(type, SLICE("base64")))
		return (mock_string(p, source, "media_type").size && mock_string(p, source, "data").size) ||
		       refuse(c, "source.base64: media_type and data are required");
	if (slice_equal(type, SLICE("url")))
		return mock_string(p, source, "url").size || refuse(c, "source.url: Field required");
	return refuse(c, "source: Input should be 'base64', 'url' or 'file'");
}

static bool check_block(struct mock_connection *c, const struct json_parser *p, json_ref block, bool user)
{
	static const char *const types[] = {
		"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", NULL};
	struct slice type = mock_string(p, block, "type");
	json_ref input = json_member(p, block, SLICE("input"));

	if (!mock_one_of(type, types))
		return refuse(
			c, "messages.content: Input tag found using 'type' does not match any of the expected tags");
	if (slice_equal(type, SLICE("text")) && !mock_string(p, block, "text").size)
		return refuse(c, "messages: text content blocks must be non-empty");
	if ((slice_equal(type, SLICE("image")) || slice_equal(type, SLICE("document"))) && !check_source(c, p, block))
		return false;
	if (slice_equal(type, SLICE("tool_use")) &&
		(user || !mock_string(p, block, "id").size || !mock_string(p, block, "name").size ||
			input == JSON_NONE || json_type(p, input) != JSON_OBJECT))
		return refuse(c, "messages.content.tool_use.input: Input should be a valid dictionary");
	if (slice_equal(type, SLICE("tool_result")) && (!user || !mock_string(p, block, "tool_use_id").size))
		return refuse(c, "messages.content.tool_result: unexpected or without tool_use_id");
	if (slice_equal(type, SLICE("thinking")) && !mock_string(p, block, "signature").size)
		return refuse(c, "messages.content.thinking.signature: Field required");
	return true;
}

/* Each call of the turn before is answered, and results stand before everything else. */
static bool check_results(struct mock_connection *c, const struct json_parser *p, json_ref before, json_ref content)
{
	bool other = false;

	for (json_ref b = json_first(p, content); b != JSON_NONE; b = json_next(p, b)) {
		bool result = slice_equal(mock_string(p, b, "type"), SLICE("tool_result"));

		if (result && other)
			return refuse(c, "messages: tool_result blocks must come first in content");
		other |= !result;
	}
	for (json_ref b = before == JSON_NONE ? JSON_NONE : json_first(p, before); b != JSON_NONE;
		b = json_next(p, b)) {
		bool answered = false;

		if (!slice_equal(mock_string(p, b, "type"), SLICE("tool_use")))
			continue;
		for (json_ref r = json_first(p, content); r != JSON_NONE; r = json_next(p, r))
			answered |= slice_equal(mock_string(p, r, "tool_use_id"), mock_string(p, b, "id"));
		if (!answered)
			return refuse(c,
				"messages: `tool_use` ids were found without `tool_result` blocks immediately after");
	}
	return true;
}

static bool check_messages(struct mock_connection *c, const struct json_parser *p)
{
	json_ref messages = json_member(p, 0, SLICE("messages")), before = JSON_NONE;

	if (messages == JSON_NONE || json_type(p, messages) != JSON_ARRAY || json_count(p, messages) == 0)
		return refuse(c, "messages: at least one message is required");
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m)) {
		bool user = slice_equal(mock_string(p, m, "role"), SLICE("user"));
		json_ref content = json_member(p, m, SLICE("content"));

		if (!user && !slice_equal(mock_string(p, m, "role"), SLICE("assistant")))
			return refuse(c, "messages: Unexpected role. Use the top-level system parameter");
		if (content == JSON_NONE ||
			(json_type(p, content) != JSON_STRING && json_type(p, content) != JSON_ARRAY))
			return refuse(c, "messages.content: Field required");
		if (json_type(p, content) == JSON_ARRAY) {
			if (json_first(p, content) == JSON_NONE)
				return refuse(c, "messages: all messages must have non-empty content");
			for (json_ref b = json_first(p, content); b != JSON_NONE; b = json_next(p, b))
				if (!check_block(c, p, b, user))
					return false;
		} else if (json_string(p, content).size == 0) {
			return refuse(c, "messages: all messages must have non-empty content");
		}
		if (user && json_type(p, content) == JSON_ARRAY && !check_results(c, p, before, content))
			return false;
		before = !user && json_type(p, content) == JSON_ARRAY ? content : JSON_NONE;
	}
	return true;
}

static bool check_tools(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const choices[] = {"auto", "any", "tool", "none", NULL};
	json_ref tools = json_member(p, 0, SLICE("tools")), choice = json_member(p, 0, SLICE("tool_choice")), schema;

	if (choice != JSON_NONE && !mock_one_of(mock_string(p, choice, "type"), choices))
		return refuse(c, "tool_choice: Input tag does not match any of the expected tags");
	if (choice != JSON_NONE && tools == JSON_NONE)
		return refuse(c, "tool_choice may only be specified while providing tools");
	for (json_ref v = tools == JSON_NONE ? JSON_NONE : json_first(p, tools); v != JSON_NONE; v = json_next(p, v)) {
		schema = json_member(p, v, SLICE("input_schema"));
		if (!mock_string(p, v, "name").size)
			return refuse(c, "tools.name: Field required");
		if (schema == JSON_NONE || !slice_equal(mock_string(p, schema, "type"), SLICE("object")))
			return refuse(c, "tools.custom.input_schema.type: Field required");
	}
	return true;
}

static bool check_options(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const efforts[] = {"low", "medium", "high", "xhigh", "max", NULL};
	json_ref limit = json_member(p, 0, SLICE("max_tokens")), heat = json_member(p, 0, SLICE("temperature"));
	json_ref output = json_member(p, 0, SLICE("output_config")), stream = json_member(p, 0, SLICE("stream"));
	double degrees = 0;
	int64_t tokens;

	if (limit == JSON_NONE)
		return refuse(c, "max_tokens: Field required");
	if (!json_integer(p, limit, &tokens) || tokens < 0 || tokens > INT32_MAX)
		return refuse(c, "max_tokens: Input should be greater than or equal to 0");
	if (heat != JSON_NONE && (!json_number(p, heat, &degrees) || degrees < 0 || degrees > 1))
		return refuse(c, "temperature: range: 0..1");
	if (output != JSON_NONE && json_member(p, output, SLICE("effort")) != JSON_NONE &&
		!mock_one_of(mock_string(p, output, "effort"), efforts))
		return refuse(c, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'");
	if (stream != JSON_NONE && json_type(p, stream) != JSON_TRUE && json_type(p, stream) != JSON_FALSE)
		return refuse(c, "stream: Input should be a valid boolean");
	c->request.stream = stream != JSON_NONE && json_type(p, stream) == JSON_TRUE;
	c->request.max_words = (uint32_t)tokens;
	return true;
}

/* What both calls want. */
static bool check_prompt(struct mock_connection *c, const struct json_parser *p)
{
	struct mock_request *r = &c->request;
	struct slice messages;

	if (!http_header(&c->head, SLICE("anthropic-version")).size)
		return refuse(c, "anthropic-version: header is required");
	if (!check_messages(c, p) || !check_tools(c, p))
		return false;
	messages = json_raw(p, json_member(p, 0, SLICE("messages")));
	r->content_hash = XXH3_64bits(messages.data, messages.size);
	r->prompt_tokens = (uint32_t)(messages.size / BYTES_PER_TOKEN) + 1;
	r->choices = 1;
	return true;
}

static bool check(struct mock_connection *c, const struct json_parser *p)
{
	return check_fields(c, p) && check_options(c, p) && check_prompt(c, p);
}

/* Counting takes no limit and none of what only an answer depends on. */
static bool check_count(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const refused[] = {"max_tokens", "stream", "stop_sequences", "metadata", NULL};

	for (const char *const *name = refused; *name; name++)
		if (json_member(p, 0, slice_of_string(*name)) != JSON_NONE)
			return refuse(c, "Extra inputs are not permitted");
	return check_fields(c, p) && check_prompt(c, p);
}

const struct mock_format mock_count = {
	.key_header = "x-api-key",
	.check = check_count,
	.error = write_error,
	.write = mock_count_write,
};

const struct mock_format mock_messages = {
	.key_header = "x-api-key",
	.check = check,
	.error = write_error,
	.write = mock_messages_write,
	.begin = mock_messages_begin,
	.steps = &mock_messages_steps,
};
