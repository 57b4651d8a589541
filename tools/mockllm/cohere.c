/*
 * Cohere's chat and embed, version 2, requests: what the real API refuses is refused here with its error. Written from
 * the description of that API, not from the gateway's translation, so that one cannot agree with the other's mistakes.
 */
#include "tools/mockllm/kinds.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>

enum { BYTES_PER_TOKEN = 4, TEXTS_MAX = 96, STOPS_MAX = 5, DIMENSIONS_DEFAULT = 64, DIMENSIONS_MAX = 4096 };

static void write_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "{\"id\":\"00000000-mock\",\"message\":");
	text_json(&t, message);
	text_char(&t, '}');
	assert(!t.full);
	mock_answer_whole(c, status, headers, text_slice(&t));
}

static bool refuse(struct mock_connection *c, const char *message)
{
	write_error(c, 400, slice_of(NULL, 0), slice_of_string(message));
	return false;
}

static bool refuse_invalid(struct mock_connection *c, const char *message)
{
	write_error(c, 422, slice_of(NULL, 0), slice_of_string(message));
	return false;
}

static bool check_names(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *const *known)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	for (json_ref m = json_first(p, object); m != JSON_NONE; m = json_next(p, m)) {
		if (mock_one_of(json_key(p, m), known))
			continue;
		text_literal(&t, "invalid request: unknown field: ");
		text_add(&t, json_key(p, m));
		write_error(c, 422, slice_of(NULL, 0), text_slice(&t));
		return false;
	}
	return true;
}

/* A number within a range; one that is absent is. */
static bool in_range(const struct json_parser *p, const char *name, double least, double most)
{
	json_ref value = json_member(p, 0, slice_of_string(name));
	double number = 0;

	return value == JSON_NONE || (json_number(p, value, &number) && number >= least && number <= most);
}

/* ---- chat --------------------------------------------------------------------------------------------------- */

static bool check_content(struct mock_connection *c, const struct json_parser *p, json_ref message, bool required)
{
	static const char *const parts[] = {"text", "image_url", "document", "thinking", NULL};
	json_ref content = json_member(p, message, SLICE("content"));

	if (content == JSON_NONE)
		return !required || refuse(c, "invalid request: message must have non-empty content or tool calls");
	if (json_type(p, content) == JSON_STRING)
		return true;
	if (json_type(p, content) != JSON_ARRAY)
		return refuse_invalid(c, "invalid type: content must be a string or an array");
	for (json_ref v = json_first(p, content); v != JSON_NONE; v = json_next(p, v))
		if (!mock_one_of(mock_string(p, v, "type"), parts))
			return refuse_invalid(c, "invalid content type");
	return true;
}

static bool check_message(struct mock_connection *c, const struct json_parser *p, json_ref message)
{
	static const char *const fields[] = {
		"role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations", NULL};
	static const char *const call[] = {"id", "type", "function", NULL};
	struct slice role = mock_string(p, message, "role");
	json_ref calls = json_member(p, message, SLICE("tool_calls"));

	if (!check_names(c, p, message, fields))
		return false;
	if (slice_equal(role, SLICE("tool")) && !mock_string(p, message, "tool_call_id").size)
		return refuse(c, "invalid request: a tool message needs a tool_call_id");
	for (json_ref v = mock_first(p, calls); v != JSON_NONE; v = json_next(p, v))
		if (!check_names(c, p, v, call) || !mock_string(p, json_member(p, v, SLICE("function")), "name").size)
			return refuse(c, "invalid request: a tool call needs a function");
	if (slice_equal(role, SLICE("assistant")))
		return check_content(c, p, message, calls == JSON_NONE);
	return (slice_equal(role, SLICE("user")) || slice_equal(role, SLICE("system")) ||
		       slice_equal(role, SLICE("tool")))
		       ? check_content(c, p, message, true)
		       : refuse(c, "invalid request: role must be one of user, assistant, system, tool");
}

static bool check_tools(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const choices[] = {"REQUIRED", "NONE", NULL};
	static const char *const function[] = {"name", "description", "parameters", NULL};
	json_ref choice = json_member(p, 0, SLICE("tool_choice")), tools = json_member(p, 0, SLICE("tools"));

	if (choice != JSON_NONE &&
		(json_type(p, choice) != JSON_STRING || !mock_one_of(json_string(p, choice), choices)))
		return refuse_invalid(c, "invalid tool_choice: must be one of REQUIRED, NONE");
	if (choice != JSON_NONE && tools == JSON_NONE)
		return refuse(c, "invalid request: tool_choice needs tools");
	for (json_ref v = mock_first(p, tools); v != JSON_NONE; v = json_next(p, v)) {
		json_ref f = json_member(p, v, SLICE("function"));

		if (f == JSON_NONE || !mock_string(p, f, "name").size ||
			json_member(p, f, SLICE("parameters")) == JSON_NONE)
			return refuse(c, "invalid request: a tool needs a function with name and parameters");
		if (!check_names(c, p, f, function))
			return false;
	}
	return true;
}

static bool check_format(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const types[] = {"text", "json_object", NULL};
	static const char *const known[] = {"type", "json_schema", NULL};
	json_ref format = json_member(p, 0, SLICE("response_format"));

	if (format == JSON_NONE)
		return true;
	if (!mock_one_of(mock_string(p, format, "type"), types))
		return refuse_invalid(c, "invalid response_format type: must be one of text, json_object");
	return check_names(c, p, format, known);
}

static bool check_chat(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"model", "messages", "stream", "tools", "strict_tools", "tool_choice",
		"documents", "citation_options", "response_format", "safety_mode", "max_tokens", "stop_sequences",
		"temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs", "thinking",
		"priority", NULL};
	struct mock_request *r = &c->request;
	json_ref messages = json_member(p, 0, SLICE("messages")), stream = json_member(p, 0, SLICE("stream"));
	json_ref stops = json_member(p, 0, SLICE("stop_sequences")), limit = json_member(p, 0, SLICE("max_tokens"));
	int64_t most = INT32_MAX;
	struct slice raw;

	if (!check_names(c, p, 0, known))
		return false;
	if (messages == JSON_NONE || json_type(p, messages) != JSON_ARRAY || json_count(p, messages) == 0)
		return refuse(c, "invalid request: messages must have at least one message");
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m))
		if (!check_message(c, p, m))
			return false;
	if (!in_range(p, "p", 0.01, 0.99) || !in_range(p, "temperature", 0, 100) ||
		!in_range(p, "frequency_penalty", 0, 1) || !in_range(p, "presence_penalty", 0, 1) ||
		!in_range(p, "k", 0, 500))
		return refuse(c, "invalid request: a sampling field is out of range");
	if (stops != JSON_NONE && json_count(p, stops) > STOPS_MAX)
		return refuse(c, "invalid request: too many stop_sequences");
	if (limit != JSON_NONE && (!json_integer(p, limit, &most) || most < 1 || most > INT32_MAX))
		return refuse(c, "invalid request: max_tokens must be positive");
	if (!check_tools(c, p) || !check_format(c, p))
		return false;
	raw = json_raw(p, messages);
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	r->max_words = (uint32_t)most;
	r->choices = 1;
	r->stream = stream != JSON_NONE && json_type(p, stream) == JSON_TRUE;
	return true;
}

const struct mock_format mock_cohere = {
	.check = check_chat,
	.error = write_error,
	.write = mock_cohere_write,
	.begin = mock_cohere_begin,
	.steps = &mock_cohere_steps,
};

/* ---- embed -------------------------------------------------------------------------------------------------- */

static bool check_embed(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"model", "texts", "inputs", "images", "input_type", "embedding_types",
		"output_dimension", "truncate", "max_tokens", "priority", NULL};
	static const char *const types[] = {
		"search_document", "search_query", "classification", "clustering", "image", NULL};
	struct mock_request *r = &c->request;
	json_ref texts = json_member(p, 0, SLICE("texts")), size = json_member(p, 0, SLICE("output_dimension"));
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct slice raw;

	if (!check_names(c, p, 0, known))
		return false;
	if (!mock_one_of(mock_string(p, 0, "input_type"), types))
		return refuse(c, "invalid request: valid input_type must be provided with the provided model");
	if (texts == JSON_NONE || json_type(p, texts) != JSON_ARRAY || json_count(p, texts) == 0 ||
		json_count(p, texts) > TEXTS_MAX)
		return refuse(c, "invalid request: texts must have 1 to 96 texts");
	for (json_ref v = json_first(p, texts); v != JSON_NONE; v = json_next(p, v))
		if (json_type(p, v) != JSON_STRING)
			return refuse_invalid(c, "invalid type: texts must be strings");
	if (size != JSON_NONE && (!json_integer(p, size, &dimensions) || dimensions < 1 || dimensions > DIMENSIONS_MAX))
		return refuse(c, "invalid request: output_dimension");
	raw = json_raw(p, texts);
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	r->input_count = json_count(p, texts);
	r->dimensions = (uint32_t)dimensions;
	return true;
}

static void write_embed(struct mock_connection *c)
{
	enum { FRAME_BYTES = 1024 };
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + mock_vectors_bytes(r));

	text_literal(&t, "{\"id\":\"mock\",\"embeddings\":{\"float\":[");
	for (uint32_t i = 0; i < r->input_count; i++) {
		if (i)
			text_char(&t, ',');
		mock_vector_floats(&t, r, i);
	}
	text_literal(&t, "]},\"texts\":[],\"meta\":{\"api_version\":{\"version\":\"2\"}");
	if (!r->plan.no_usage) {
		text_literal(&t, ",\"billed_units\":{\"input_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_char(&t, '}');
	}
	text_literal(&t, "},\"response_type\":\"embeddings_by_type\"}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

const struct mock_format mock_cohere_embed = {.check = check_embed, .error = write_error, .write = write_embed};
