/*
 * Providers that speak OpenAI's chat completions with differences, requests: what each of them refuses is refused here
 * with its own error. Written from the descriptions of their APIs, not from the gateway's tables, so that one cannot
 * agree with the other's mistakes.
 *
 * POST /mistral/v1/chat/completions, /groq/openai/v1/chat/completions, /together/v1/chat/completions, and Azure's
 * /openai/deployments/NAME/chat/completions?api-version=DATE and /openai/v1/chat/completions.
 */
#include "tools/mockllm/kinds.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>

enum { BYTES_PER_TOKEN = 4, CALL_ID_BYTES = 9, CHOICES_MAX = 8 };

#define AZURE_DEPLOYMENTS SLICE("/openai/deployments/")

static bool has(const struct json_parser *p, json_ref object, const char *name)
{
	json_ref value = json_member(p, object, slice_of_string(name));

	return value != JSON_NONE && json_type(p, value) != JSON_NULL;
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

/* The envelope of OpenAI; Azure's has a code for each status, and its limits say the wait in milliseconds as well. */
static void write_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message,
	const char *code, const char *more)
{
	char memory[1024], more_headers[256];
	struct text t = text_over(memory, sizeof(memory)), h = text_over(more_headers, sizeof(more_headers));

	text_add(&h, headers);
	if (c->request.path == MOCK_AZURE && c->request.plan.retry_after_s) {
		text_literal(&h, "retry-after-ms: ");
		text_u64(&h, c->request.plan.retry_after_s * 1000);
		text_literal(&h, "\r\n");
	}
	text_literal(&t, "{\"error\":{\"message\":");
	text_json(&t, message);
	text_literal(&t, ",\"type\":\"");
	text_string(&t, status >= 500 ? "server_error" : "invalid_request_error");
	text_literal(&t, "\",\"param\":null,\"code\":");
	text_json_or_null(&t, slice_of_string(code));
	text_string(&t, more);
	text_literal(&t, "}}");
	assert(!t.full && !h.full);
	mock_answer_whole(c, status, text_slice(&h), text_slice(&t));
}

static void write_openai_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	write_error(c, status, headers, message, status == 429 ? "rate_limit_exceeded" : NULL, "");
}

static void write_azure_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	char code[8];
	struct text t = text_over(code, sizeof(code) - 1);

	text_u64(&t, status);
	code[t.size] = 0;
	write_error(c, status, headers, message, code, "");
}

static void write_mistral_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	if (status == 401) {
		text_literal(&t, "{\"detail\":\"Unauthorized\"}");
	} else {
		text_literal(&t, "{\"object\":\"error\",\"message\":");
		text_json(&t, message);
		text_literal(&t, ",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"3000\"}");
	}
	assert(!t.full);
	mock_answer_whole(c, status, headers, text_slice(&t));
}

static bool refuse(struct mock_connection *c, const char *message)
{
	write_openai_error(c, 400, slice_of(NULL, 0), slice_of_string(message));
	return false;
}

/* What the validation in front of Mistral's models says of a field. */
static bool refuse_field(struct mock_connection *c, const char *type, struct slice field, const char *message)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "{\"detail\":[{\"type\":\"");
	text_string(&t, type);
	text_literal(&t, "\",\"loc\":[\"body\",");
	text_json(&t, field);
	text_literal(&t, "],\"msg\":\"");
	text_string(&t, message);
	text_literal(&t, "\"}]}");
	assert(!t.full);
	mock_answer_whole(c, 422, slice_of(NULL, 0), text_slice(&t));
	return false;
}

/* ---- what all of them have in common -------------------------------------------------------------------------- */

static bool read_common(struct mock_connection *c, const struct json_parser *p)
{
	struct mock_request *r = &c->request;
	json_ref messages = json_member(p, 0, SLICE("messages"));
	json_ref options = json_member(p, 0, SLICE("stream_options")), usage;
	json_ref limit = json_member(p, 0, SLICE("max_tokens")), stream = json_member(p, 0, SLICE("stream"));
	json_ref n = json_member(p, 0, SLICE("n"));
	int64_t most = INT32_MAX, choices = 1;
	struct slice raw;

	if (messages == JSON_NONE || json_type(p, messages) != JSON_ARRAY || json_count(p, messages) == 0)
		return refuse(c, "messages: at least one is required");
	if (limit == JSON_NONE)
		limit = json_member(p, 0, SLICE("max_completion_tokens"));
	if (limit != JSON_NONE && (!json_integer(p, limit, &most) || most < 1 || most > INT32_MAX))
		return refuse(c, "max_tokens: expected a positive integer");
	if (n != JSON_NONE && (!json_integer(p, n, &choices) || choices < 1 || choices > CHOICES_MAX))
		return refuse(c, "n: expected an integer from 1 to 8");
	raw = json_raw(p, messages);
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	r->max_words = (uint32_t)most;
	r->choices = (unsigned)choices;
	r->stream = stream != JSON_NONE && json_type(p, stream) == JSON_TRUE;
	usage = options == JSON_NONE ? JSON_NONE : json_member(p, options, SLICE("include_usage"));
	r->include_usage = usage != JSON_NONE && json_type(p, usage) == JSON_TRUE;
	return options == JSON_NONE || r->stream || refuse(c, "stream_options is only allowed with stream");
}

/* ---- Mistral ------------------------------------------------------------------------------------------------ */

static bool check_names(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *const *known)
{
	for (json_ref m = json_first(p, object); m != JSON_NONE; m = json_next(p, m))
		if (!mock_one_of(json_key(p, m), known))
			return refuse_field(c, "extra_forbidden", json_key(p, m), "Extra inputs are not permitted");
	return true;
}

static bool is_call_id(struct slice id)
{
	for (size_t i = 0; i < id.size; i++)
		if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'z') ||
			    (id.data[i] >= 'A' && id.data[i] <= 'Z')))
			return false;
	return id.size == CALL_ID_BYTES;
}

static bool check_call_id(struct mock_connection *c, struct slice id)
{
	if (is_call_id(id))
		return true;
	write_mistral_error(
		c, 400, slice_of(NULL, 0), SLICE("Tool call id has to be made of a-z, A-Z, 0-9, with a length of 9."));
	return false;
}

static bool check_mistral_message(struct mock_connection *c, const struct json_parser *p, json_ref message)
{
	static const char *const user[] = {"role", "content", NULL};
	static const char *const assistant[] = {"role", "content", "tool_calls", "prefix", NULL};
	static const char *const tool[] = {"role", "content", "tool_call_id", "name", NULL};
	static const char *const call[] = {"id", "type", "function", "index", NULL};
	struct slice role = mock_string(p, message, "role");

	if (slice_equal(role, SLICE("tool")))
		return check_names(c, p, message, tool) && check_call_id(c, mock_string(p, message, "tool_call_id"));
	if (!slice_equal(role, SLICE("assistant")))
		return (slice_equal(role, SLICE("user")) || slice_equal(role, SLICE("system")))
			       ? check_names(c, p, message, user)
			       : refuse_field(c, "literal_error", SLICE("role"), "Input should be a known role");
	if (!check_names(c, p, message, assistant))
		return false;
	for (json_ref v = mock_first(p, json_member(p, message, SLICE("tool_calls"))); v != JSON_NONE;
		v = json_next(p, v))
		if (!check_names(c, p, v, call) || !check_call_id(c, mock_string(p, v, "id")))
			return false;
	return true;
}

static bool check_mistral(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop",
		"random_seed", "metadata", "response_format", "tools", "tool_choice", "presence_penalty",
		"frequency_penalty", "n", "prediction", "parallel_tool_calls", "reasoning_effort", "prompt_mode",
		"prompt_cache_key", "service_tier", "safe_prompt", "guardrails", NULL};
	static const char *const choices[] = {"auto", "none", "any", "required", NULL};
	json_ref choice = json_member(p, 0, SLICE("tool_choice"));

	if (!check_names(c, p, 0, known) || !read_common(c, p))
		return false;
	if (choice != JSON_NONE && json_type(p, choice) == JSON_STRING && !mock_one_of(json_string(p, choice), choices))
		return refuse_field(
			c, "enum", SLICE("tool_choice"), "Input should be 'auto', 'none', 'any' or 'required'");
	for (json_ref m = mock_first(p, json_member(p, 0, SLICE("messages"))); m != JSON_NONE; m = json_next(p, m))
		if (!check_mistral_message(c, p, m))
			return false;
	return true;
}

/* ---- Groq and Together ---------------------------------------------------------------------------------------- */

static bool check_groq(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const refused[] = {"logprobs", "top_logprobs", "logit_bias", NULL};
	json_ref n = json_member(p, 0, SLICE("n"));
	int64_t count = 1;

	for (unsigned i = 0; refused[i]; i++)
		if (json_member(p, 0, slice_of_string(refused[i])) != JSON_NONE)
			return refuse(c, "property is not supported by this model");
	if (n != JSON_NONE && (!json_integer(p, n, &count) || count != 1))
		return refuse(c, "'n' : number must be at most 1");
	for (json_ref m = mock_first(p, json_member(p, 0, SLICE("messages"))); m != JSON_NONE; m = json_next(p, m))
		if (json_member(p, m, SLICE("name")) != JSON_NONE)
			return refuse(c, "'messages' : property 'name' is unsupported");
	return read_common(c, p);
}

static bool check_together(struct mock_connection *c, const struct json_parser *p)
{
	json_ref stop = json_member(p, 0, SLICE("stop")), logprobs = json_member(p, 0, SLICE("logprobs"));

	if (stop != JSON_NONE && json_type(p, stop) != JSON_ARRAY)
		return refuse(c, "stop: Input should be a valid list");
	if (logprobs != JSON_NONE && json_type(p, logprobs) != JSON_INTEGER)
		return refuse(c, "logprobs: Input should be a valid integer");
	return read_common(c, p);
}

/* ---- Azure -------------------------------------------------------------------------------------------------- */

/* The deployment is in the path, under a dated version; on the other surface it is the body's model. */
static bool read_azure_model(struct mock_connection *c)
{
	struct slice rest = slice_after(c->head.path, AZURE_DEPLOYMENTS.size);
	struct json_parser *p = c->mock->json;
	const char *end;

	if (!slice_starts_with(c->head.path, AZURE_DEPLOYMENTS))
		return mock_take_model(c, mock_string(p, 0, "model"));
	end = rest.size ? memchr(rest.data, '/', rest.size) : NULL;
	if (!c->head.query.size || !memmem(c->head.query.data, c->head.query.size, "api-version=20", 14)) {
		write_error(c, 404, slice_of(NULL, 0), SLICE("Resource not found"), "404", "");
		return false;
	}
	if (!end || !memmem(rest.data, (size_t)(end - rest.data), "mock", 4)) {
		write_error(c, 404, slice_of(NULL, 0), SLICE("The API deployment for this resource does not exist."),
			"DeploymentNotFound", "");
		return false;
	}
	return mock_take_model(c, slice_of(rest.data, (size_t)(end - rest.data)));
}

static bool check_azure(struct mock_connection *c, const struct json_parser *p)
{
	json_ref messages = json_member(p, 0, SLICE("messages"));
	struct slice raw = messages == JSON_NONE ? slice_of(NULL, 0) : json_raw(p, messages);

	if (raw.size && memmem(raw.data, raw.size, "kill", 4)) {
		write_error(c, 400, slice_of(NULL, 0),
			SLICE("The response was filtered due to the prompt triggering the content management policy."),
			"content_filter",
			",\"status\":400,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\","
			"\"content_filter_result\":{\"violence\":{\"filtered\":true,\"severity\":\"high\"}}}");
		return false;
	}
	if (has(p, 0, "functions"))
		return refuse(c, "functions are deprecated");
	return read_common(c, p);
}

/* ---- embeddings --------------------------------------------------------------------------------------------- */

static bool read_inputs(struct mock_connection *c, const struct json_parser *p, const char *size)
{
	enum { DIMENSIONS_DEFAULT = 64, DIMENSIONS_MAX = 4096 };
	struct mock_request *r = &c->request;
	json_ref input = json_member(p, 0, SLICE("input")), wanted = json_member(p, 0, slice_of_string(size));
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct slice raw;

	if (input == JSON_NONE || (json_type(p, input) != JSON_STRING && json_type(p, input) != JSON_ARRAY))
		return refuse(c, "input: expected a string or an array of strings");
	if (wanted != JSON_NONE &&
		(!json_integer(p, wanted, &dimensions) || dimensions < 1 || dimensions > DIMENSIONS_MAX))
		return refuse(c, "the number of dimensions is out of range");
	raw = json_raw(p, input);
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	r->input_count = json_type(p, input) == JSON_ARRAY ? json_count(p, input) : 1;
	r->dimensions = (uint32_t)dimensions;
	return true;
}

static bool check_mistral_embeddings(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {
		"model", "input", "encoding_format", "output_dimension", "output_dtype", "metadata", NULL};

	if (!check_names(c, p, 0, known) || !read_inputs(c, p, "output_dimension"))
		return false;
	c->request.base64 = slice_equal(mock_string(p, 0, "encoding_format"), SLICE("base64"));
	return true;
}

/* Knows floats alone, and tells no usage. */
static bool check_together_embeddings(struct mock_connection *c, const struct json_parser *p)
{
	return read_inputs(c, p, "dimensions");
}

static void write_embeddings(struct mock_connection *c)
{
	enum { FRAME_BYTES = 1024 };
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + mock_vectors_bytes(r));

	text_literal(&t, "{\"object\":\"list\",\"data\":[");
	mock_vectors(&t, r);
	text_literal(&t, "],\"model\":\"");
	text_add(&t, r->model);
	text_char(&t, '"');
	if (!r->plan.no_usage && r->path == MOCK_MISTRAL_EMBED) {
		text_literal(&t, ",\"usage\":{\"prompt_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_literal(&t, ",\"completion_tokens\":0,\"total_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_char(&t, '}');
	}
	text_char(&t, '}');
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

#define ANSWERS .write = mock_kind_write, .begin = mock_kind_begin, .steps = &mock_kind_steps

const struct mock_format mock_mistral = {.check = check_mistral, .error = write_mistral_error, ANSWERS};
const struct mock_format mock_groq = {.check = check_groq, .error = write_openai_error, ANSWERS};
const struct mock_format mock_together = {.check = check_together, .error = write_openai_error, ANSWERS};
const struct mock_format mock_azure = {.key_header = "api-key",
	.read_model = read_azure_model,
	.check = check_azure,
	.error = write_azure_error,
	ANSWERS};

const struct mock_format mock_mistral_embed = {
	.check = check_mistral_embeddings, .error = write_mistral_error, .write = write_embeddings};
const struct mock_format mock_together_embed = {
	.check = check_together_embeddings, .error = write_openai_error, .write = write_embeddings};

enum mock_path mock_kind_path(struct slice path)
{
	static const struct {
		struct slice begin, end;
		enum mock_path id;
	} paths[] = {
		{SLICE("/mistral/v1/"), SLICE("/chat/completions"), MOCK_MISTRAL},
		{SLICE("/mistral/v1/"), SLICE("/embeddings"), MOCK_MISTRAL_EMBED},
		{SLICE("/groq/openai/v1/"), SLICE("/chat/completions"), MOCK_GROQ},
		{SLICE("/together/v1/"), SLICE("/chat/completions"), MOCK_TOGETHER},
		{SLICE("/together/v1/"), SLICE("/embeddings"), MOCK_TOGETHER_EMBED},
		{SLICE("/openai/"), SLICE("/chat/completions"), MOCK_AZURE},
		{SLICE("/openai/"), SLICE("/responses"), MOCK_AZURE_RESPONSES},
		{SLICE("/v2/"), SLICE("/chat"), MOCK_COHERE},
		{SLICE("/v2/"), SLICE("/embed"), MOCK_COHERE_EMBED},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (slice_starts_with(path, paths[i].begin) && slice_ends_with(path, paths[i].end))
			return paths[i].id;
	return MOCK_UNKNOWN;
}
