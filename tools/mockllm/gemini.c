/*
 * Google's Gemini, requests: what the real API refuses is refused here with its error. Written from the description of
 * that API, not from the gateway's translation, so that one cannot agree with the other's mistakes.
 */
#include "tools/mockllm/mock.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>

enum { BYTES_PER_TOKEN = 4, CANDIDATES_MAX = 8, STOPS_MAX = 5 };
enum { EMBEDS_MAX = 100, DIMENSIONS_DEFAULT = 64, DIMENSIONS_MAX = 4096 };

/* ---- errors ------------------------------------------------------------------------------------------------- */

static const char *error_status(unsigned status)
{
	switch (status) {
	case 400:
		return "INVALID_ARGUMENT";
	case 401:
		return "UNAUTHENTICATED";
	case 403:
		return "PERMISSION_DENIED";
	case 404:
		return "NOT_FOUND";
	case 429:
		return "RESOURCE_EXHAUSTED";
	case 503:
		return "UNAVAILABLE";
	case 504:
		return "DEADLINE_EXCEEDED";
	default:
		return "INTERNAL";
	}
}

/* When to come again stands in the body, and in no header. */
static void write_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	char memory[1024];
	struct text t = text_over(memory, sizeof(memory));

	(void)headers;
	text_literal(&t, "{\"error\":{\"code\":");
	text_u64(&t, status);
	text_literal(&t, ",\"message\":");
	text_json(&t, message);
	text_literal(&t, ",\"status\":\"");
	text_string(&t, error_status(status));
	text_char(&t, '"');
	if (c->request.plan.retry_after_s) {
		text_literal(
			&t, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"");
		text_u64(&t, c->request.plan.retry_after_s);
		text_literal(&t, "s\"}]");
	}
	text_literal(&t, "}}");
	assert(!t.full);
	mock_answer_whole(c, status, slice_of(NULL, 0), text_slice(&t));
}

static bool refuse(struct mock_connection *c, const char *message)
{
	write_error(c, 400, slice_of(NULL, 0), slice_of_string(message));
	return false;
}

/* ---- names -------------------------------------------------------------------------------------------------- */

/* Names may be said with underscores as well: function_call is functionCall. */
static bool is_name(struct slice key, const char *name)
{
	size_t at = 0;

	for (; *name; name++) {
		if (*name >= 'A' && *name <= 'Z' && at < key.size && key.data[at] == '_') {
			at++;
			if (at >= key.size || key.data[at] != *name - 'A' + 'a')
				return false;
		} else if (at >= key.size || key.data[at] != *name) {
			return false;
		}
		at++;
	}
	return at == key.size;
}

static json_ref member(const struct json_parser *p, json_ref object, const char *name)
{
	if (object == JSON_NONE || json_type(p, object) != JSON_OBJECT)
		return JSON_NONE;
	for (json_ref m = json_first(p, object); m != JSON_NONE; m = json_next(p, m))
		if (is_name(json_key(p, m), name))
			return m;
	return JSON_NONE;
}

/* Names that are not in the protocol's schema are an error. */
static bool check_names(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *const *known)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	if (object == JSON_NONE)
		return true;
	if (json_type(p, object) != JSON_OBJECT)
		return refuse(c, "Invalid JSON payload received. Proto field is not an object.");
	for (json_ref m = json_first(p, object); m != JSON_NONE; m = json_next(p, m)) {
		bool found = false;

		for (const char *const *name = known; *name && !found; name++)
			found = is_name(json_key(p, m), *name);
		if (found)
			continue;
		text_literal(&t, "Invalid JSON payload received. Unknown name \"");
		text_add(&t, json_key(p, m));
		text_literal(&t, "\": Cannot find field.");
		write_error(c, 400, slice_of(NULL, 0), text_slice(&t));
		return false;
	}
	return true;
}

/* ---- contents ----------------------------------------------------------------------------------------------- */

struct turn {
	unsigned calls, results;
};

static bool check_call(struct mock_connection *c, const struct json_parser *p, json_ref part, bool user, bool first)
{
	static const char *const known[] = {"id", "name", "args", NULL};
	json_ref call = member(p, part, "functionCall"), args = member(p, call, "args");
	struct slice signature = mock_string(p, part, "thoughtSignature");

	if (!check_names(c, p, call, known))
		return false;
	if (user || !mock_string(p, call, "name").size)
		return refuse(c, "function_call: a name is required, and the role model.");
	if (args != JSON_NONE && json_type(p, args) != JSON_OBJECT)
		return refuse(c, "Invalid value at 'contents.parts.function_call.args' "
				 "(type.googleapis.com/google.protobuf.Struct)");
	if (signature.size && !slice_equal(signature, SLICE(MOCK_GEMINI_SIGNATURE)) &&
		!slice_equal(signature, SLICE("skip_thought_signature_validator")))
		return refuse(c, "Thought signature is not valid.");
	if (first && !signature.size && mock_gemini_signs(&c->request))
		return refuse(c, "Function call is missing a thought_signature in functionCall parts.");
	return true;
}

static bool check_result(struct mock_connection *c, const struct json_parser *p, json_ref part, bool user)
{
	static const char *const known[] = {"id", "name", "response", NULL};
	json_ref result = member(p, part, "functionResponse"), response = member(p, result, "response");

	if (!check_names(c, p, result, known))
		return false;
	if (!user || !mock_string(p, result, "name").size)
		return refuse(c, "function_response: a name is required, and the role user.");
	if (response == JSON_NONE || json_type(p, response) != JSON_OBJECT)
		return refuse(c, "Invalid value at 'contents.parts.function_response.response' "
				 "(type.googleapis.com/google.protobuf.Struct)");
	return true;
}

static bool check_part(
	struct mock_connection *c, const struct json_parser *p, json_ref part, bool user, struct turn *turn)
{
	static const char *const known[] = {"text", "inlineData", "fileData", "functionCall", "functionResponse",
		"thought", "thoughtSignature", NULL};
	static const char *const inline_names[] = {"mimeType", "data", NULL}, *const file_names[] = {
										      "mimeType", "fileUri", NULL};
	static const char *const data_names[] = {
		"text", "inlineData", "fileData", "functionCall", "functionResponse", NULL};
	json_ref data = member(p, part, "inlineData"), file = member(p, part, "fileData");
	unsigned count = 0;

	if (!check_names(c, p, part, known) || !check_names(c, p, data, inline_names) ||
		!check_names(c, p, file, file_names))
		return false;
	for (const char *const *name = data_names; *name; name++)
		count += member(p, part, *name) != JSON_NONE;
	if (count != 1)
		return refuse(c, "contents.parts.data: required oneof field 'data' must have one initialized field");
	if (data != JSON_NONE && (!mock_string(p, data, "mimeType").size || !mock_string(p, data, "data").size))
		return refuse(c, "inline_data: mime_type and data are required");
	if (file != JSON_NONE && !mock_string(p, file, "fileUri").size)
		return refuse(c, "file_data: file_uri is required");
	if (member(p, part, "functionCall") != JSON_NONE)
		return check_call(c, p, part, user, turn->calls++ == 0);
	if (member(p, part, "functionResponse") == JSON_NONE)
		return true;
	turn->results++;
	return check_result(c, p, part, user);
}

static bool check_content(struct mock_connection *c, const struct json_parser *p, json_ref content, struct turn *turn)
{
	static const char *const known[] = {"role", "parts", NULL};
	json_ref parts = member(p, content, "parts"), role = member(p, content, "role");
	bool user = role == JSON_NONE || slice_equal(json_string(p, role), SLICE("user"));

	if (!check_names(c, p, content, known))
		return false;
	if (!user && !slice_equal(json_string(p, role), SLICE("model")))
		return refuse(c, "Please use a valid role: user, model.");
	if (parts == JSON_NONE || json_type(p, parts) != JSON_ARRAY || json_count(p, parts) == 0)
		return refuse(c, "contents.parts must not be empty.");
	for (json_ref part = json_first(p, parts); part != JSON_NONE; part = json_next(p, part))
		if (!check_part(c, p, part, user, turn))
			return false;
	return true;
}

/* All results of a turn are in the content right behind it, as many as there were calls. */
static bool check_contents(struct mock_connection *c, const struct json_parser *p)
{
	json_ref contents = member(p, 0, "contents");
	unsigned owed = 0;

	if (contents == JSON_NONE || json_type(p, contents) != JSON_ARRAY || json_count(p, contents) == 0)
		return refuse(c, "* GenerateContentRequest.contents: contents is not specified");
	for (json_ref content = json_first(p, contents); content != JSON_NONE; content = json_next(p, content)) {
		struct turn turn = {0};

		if (!check_content(c, p, content, &turn))
			return false;
		if (turn.results != owed)
			return refuse(c,
				"Please ensure that the number of function response parts is equal to the number of "
				"function call parts of the function call turn.");
		owed = turn.calls;
	}
	return true;
}

/* ---- tools and options -------------------------------------------------------------------------------------- */

/* Keywords of JSON Schema that are taken; members of these are schemas again. */
static bool check_schema(struct mock_connection *c, const struct json_parser *p, json_ref schema)
{
	static const char *const known[] = {"$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description",
		"enum", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf",
		"properties", "additionalProperties", "required", "propertyOrdering", NULL};
	static const char *const named[] = {"properties", "$defs"}, *const lists[] = {"anyOf", "oneOf", "prefixItems"};

	if (schema == JSON_NONE || json_type(p, schema) != JSON_OBJECT)
		return true;
	if (!check_names(c, p, schema, known) || !check_schema(c, p, member(p, schema, "items")) ||
		!check_schema(c, p, member(p, schema, "additionalProperties")))
		return false;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		for (json_ref v = mock_first(p, member(p, schema, named[i])); v != JSON_NONE; v = json_next(p, v))
			if (!check_schema(c, p, v))
				return false;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (json_ref v = mock_first(p, member(p, schema, lists[i])); v != JSON_NONE; v = json_next(p, v))
			if (!check_schema(c, p, v))
				return false;
	return true;
}

static bool check_tools(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const tool_names[] = {"functionDeclarations", NULL};
	static const char *const known[] = {"name", "description", "parameters", "parametersJsonSchema", NULL};
	json_ref tools = member(p, 0, "tools");

	for (json_ref tool = mock_first(p, tools); tool != JSON_NONE; tool = json_next(p, tool)) {
		if (!check_names(c, p, tool, tool_names))
			return false;
		for (json_ref f = mock_first(p, member(p, tool, "functionDeclarations")); f != JSON_NONE;
			f = json_next(p, f)) {
			if (!check_names(c, p, f, known) || !check_schema(c, p, member(p, f, "parametersJsonSchema")) ||
				!check_schema(c, p, member(p, f, "parameters")))
				return false;
			if (!mock_string(p, f, "name").size)
				return refuse(c, "function_declarations.name: Invalid function name.");
			if (member(p, f, "parameters") != JSON_NONE &&
				member(p, f, "parametersJsonSchema") != JSON_NONE)
				return refuse(c, "parameters and parameters_json_schema are alternatives.");
		}
	}
	return true;
}

static bool check_choice(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const config_names[] = {"functionCallingConfig", NULL};
	static const char *const known[] = {"mode", "allowedFunctionNames", NULL};
	static const char *const modes[] = {"AUTO", "ANY", "NONE", "VALIDATED"};
	json_ref config = member(p, 0, "toolConfig"), calling = member(p, config, "functionCallingConfig");
	struct slice mode = mock_string(p, calling, "mode");
	bool found = mode.size == 0;

	if (!check_names(c, p, config, config_names) || !check_names(c, p, calling, known))
		return false;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		found |= slice_equal(mode, slice_of_string(modes[i]));
	if (!found)
		return refuse(c, "Invalid value at 'tool_config.function_calling_config.mode'");
	if (member(p, calling, "allowedFunctionNames") != JSON_NONE && !slice_equal(mode, SLICE("ANY")) &&
		!slice_equal(mode, SLICE("VALIDATED")))
		return refuse(c, "allowed_function_names should only be set when the mode is ANY.");
	return true;
}

static bool check_thinking(struct mock_connection *c, const struct json_parser *p, json_ref config)
{
	static const char *const known[] = {"includeThoughts", "thinkingBudget", "thinkingLevel", NULL};
	static const char *const levels[] = {"MINIMAL", "LOW", "MEDIUM", "HIGH"};
	struct slice level = mock_string(p, config, "thinkingLevel");
	bool found = level.size == 0;

	if (!check_names(c, p, config, known))
		return false;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		found |= slice_equal(level, slice_of_string(levels[i]));
	if (!found)
		return refuse(c, "Invalid value at 'generation_config.thinking_config.thinking_level'");
	if (level.size && !mock_gemini_signs(&c->request))
		return refuse(c, "Thinking level is not supported for this model.");
	return true;
}

static bool check_options(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"maxOutputTokens", "temperature", "topP", "topK", "stopSequences",
		"candidateCount", "seed", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs",
		"responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig", NULL};
	json_ref config = member(p, 0, "generationConfig"), limit = member(p, config, "maxOutputTokens");
	json_ref heat = member(p, config, "temperature"), stops = member(p, config, "stopSequences");
	json_ref count = member(p, config, "candidateCount");
	int64_t tokens = INT32_MAX, candidates = 1;
	double degrees = 0;

	if (!check_names(c, p, config, known) || !check_thinking(c, p, member(p, config, "thinkingConfig")) ||
		!check_schema(c, p, member(p, config, "responseJsonSchema")))
		return false;
	if (limit != JSON_NONE && (!json_integer(p, limit, &tokens) || tokens < 1 || tokens > INT32_MAX))
		return refuse(c, "max_output_tokens must be positive.");
	if (count != JSON_NONE &&
		(!json_integer(p, count, &candidates) || candidates < 1 || candidates > CANDIDATES_MAX))
		return refuse(c, "candidate_count must be in the range [1, 8].");
	if (heat != JSON_NONE && (!json_number(p, heat, &degrees) || degrees < 0 || degrees > 2))
		return refuse(c, "temperature must be in the range [0.0, 2.0].");
	if (stops != JSON_NONE && json_count(p, stops) > STOPS_MAX)
		return refuse(c, "The number of stop sequences must not exceed 5.");
	if (member(p, config, "responseJsonSchema") != JSON_NONE &&
		!slice_equal(mock_string(p, config, "responseMimeType"), SLICE("application/json")))
		return refuse(c, "response_json_schema needs the response_mime_type application/json.");
	c->request.max_words = (uint32_t)tokens;
	c->request.choices = (unsigned)candidates;
	return true;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

/* /v1beta/models/NAME:METHOD */
static bool read_model(struct mock_connection *c)
{
	struct slice rest = slice_after(c->head.path, SLICE("/v1beta/models/").size), method;
	const char *colon = rest.size ? memrchr(rest.data, ':', rest.size) : NULL;

	if (!colon || !mock_take_model(c, slice_of(rest.data, (size_t)(colon - rest.data))))
		return colon ? false : refuse(c, "Request contains an invalid argument.");
	method = slice_after(rest, (size_t)(colon - rest.data) + 1);
	c->request.stream = slice_equal(method, SLICE("streamGenerateContent"));
	if (c->request.path == MOCK_GEMINI && !c->request.stream && !slice_equal(method, SLICE("generateContent"))) {
		write_error(c, 404, slice_of(NULL, 0), SLICE("The method is not found for this API version."));
		return false;
	}
	if (c->request.stream && !slice_equal(c->head.query, SLICE("alt=sse")))
		return refuse(c, "The simulator streams with alt=sse alone.");
	return true;
}

bool mock_gemini_signs(const struct mock_request *r)
{
	return slice_starts_with(r->model, SLICE("gemini-3"));
}

static bool check_key(struct mock_connection *c)
{
	return !slice_equal(http_header(&c->head, SLICE("x-goog-api-key")), SLICE("invalid")) ||
	       refuse(c, "API key not valid. Please pass a valid API key.");
}

static bool check(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings",
		"generationConfig", "cachedContent", "labels", NULL};
	static const char *const system_names[] = {"role", "parts", NULL};
	struct mock_request *r = &c->request;
	struct slice contents;

	if (!check_key(c) || !check_names(c, p, 0, known) ||
		!check_names(c, p, member(p, 0, "systemInstruction"), system_names) || !check_contents(c, p) ||
		!check_tools(c, p) || !check_choice(c, p) || !check_options(c, p))
		return false;
	contents = json_raw(p, member(p, 0, "contents"));
	r->content_hash = XXH3_64bits(contents.data, contents.size);
	r->prompt_tokens = (uint32_t)(contents.size / BYTES_PER_TOKEN) + 1;
	return true;
}

const struct mock_format mock_gemini = {
	.key_header = "x-goog-api-key",
	.read_model = read_model,
	.check = check,
	.error = write_error,
	.write = mock_gemini_write,
	.begin = mock_gemini_begin,
	.steps = &mock_gemini_steps,
};

/* ---- embeddings --------------------------------------------------------------------------------------------- */

static bool check_embed(struct mock_connection *c, const struct json_parser *p, json_ref value, int64_t *dimensions)
{
	static const char *const known[] = {"model", "content", "taskType", "title", "outputDimensionality", NULL};
	json_ref content = member(p, value, "content"), count = member(p, value, "outputDimensionality");
	struct slice model = mock_string(p, value, "model"), prefix = SLICE("models/");
	struct turn turn = {0};

	if (!check_names(c, p, value, known))
		return false;
	if (!slice_starts_with(model, prefix) || !slice_equal(slice_after(model, prefix.size), c->request.model))
		return refuse(c, "The model of each request has to be that of the path.");
	if (content == JSON_NONE)
		return refuse(c, "EmbedContentRequest.content: content is not specified");
	if (count != JSON_NONE &&
		(!json_integer(p, count, dimensions) || *dimensions < 1 || *dimensions > DIMENSIONS_MAX))
		return refuse(c, "output_dimensionality is out of range.");
	return check_content(c, p, content, &turn);
}

static bool check_embeds(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"requests", NULL};
	json_ref requests = member(p, 0, "requests");
	struct mock_request *r = &c->request;
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct slice raw;

	if (!check_key(c) || !check_names(c, p, 0, known))
		return false;
	if (requests == JSON_NONE || json_type(p, requests) != JSON_ARRAY || json_count(p, requests) == 0 ||
		json_count(p, requests) > EMBEDS_MAX)
		return refuse(c, "BatchEmbedContentsRequest.requests: at least 1 and at most 100 requests.");
	for (json_ref v = json_first(p, requests); v != JSON_NONE; v = json_next(p, v))
		if (!check_embed(c, p, v, &dimensions))
			return false;
	raw = json_raw(p, requests);
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->input_count = json_count(p, requests);
	r->dimensions = (uint32_t)dimensions;
	return true;
}

const struct mock_format mock_gemini_embed = {
	.key_header = "x-goog-api-key",
	.read_model = read_model,
	.check = check_embeds,
	.error = write_error,
	.write = mock_gemini_write_vectors,
};
