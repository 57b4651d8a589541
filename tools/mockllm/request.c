/*
 * What a request asks for, as strict as the provider: 401 without a bearer, 404 and 405 for what is not there, and
 * 400 for a body that it would refuse. Everything read here is copied or counted, because the JSON view is the
 * shard's.
 */
#include "tools/mockllm/bedrock.h"
#include "tools/mockllm/kinds.h"
#include "tools/mockllm/media.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>

enum { CHOICES_MAX = 8, DIMENSIONS_DEFAULT = 64, DIMENSIONS_MAX = 4096, BYTES_PER_TOKEN = 4 };

static const struct {
	struct slice path;
	enum mock_path id;
} paths[] = {
	{SLICE("/v1/chat/completions"), MOCK_CHAT},
	{SLICE("/v1/completions"), MOCK_COMPLETIONS},
	{SLICE("/v1/embeddings"), MOCK_EMBEDDINGS},
	{SLICE("/v1/moderations"), MOCK_MODERATIONS},
	{SLICE("/v1/messages"), MOCK_MESSAGES},
	{SLICE("/v1/messages/count_tokens"), MOCK_COUNT},
	{SLICE("/v1/responses"), MOCK_RESPONSES},
	{SLICE("/v1/images/generations"), MOCK_IMAGES},
	{SLICE("/v1/audio/speech"), MOCK_SPEECH},
	{SLICE("/v1/audio/transcriptions"), MOCK_TRANSCRIPTIONS},
	{SLICE("/v1/models"), MOCK_MODELS},
	{SLICE("/mock/stats"), MOCK_STATS},
	{SLICE("/mock/last"), MOCK_LAST},
};

static enum mock_path find_path(struct slice path)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (slice_equal(path, paths[i].path))
			return paths[i].id;
	if (slice_starts_with(path, SLICE("/v1beta/models/")))
		return slice_ends_with(path, SLICE(":batchEmbedContents")) ? MOCK_GEMINI_EMBED : MOCK_GEMINI;
	if (slice_starts_with(path, SLICE("/model/")))
		return slice_ends_with(path, SLICE("/invoke")) ? MOCK_BEDROCK_EMBED : MOCK_BEDROCK;
	return slice_starts_with(path, SLICE("/v1/models/")) ? MOCK_MODELS : mock_kind_path(path);
}

const struct mock_format *mock_format_of(enum mock_path path)
{
	static const struct mock_format *const formats[MOCK_PATHS] = {
		[MOCK_MESSAGES] = &mock_messages,
		[MOCK_COUNT] = &mock_count,
		[MOCK_RESPONSES] = &mock_responses,
		[MOCK_AZURE_RESPONSES] = &mock_azure_responses,
		[MOCK_GEMINI] = &mock_gemini,
		[MOCK_GEMINI_EMBED] = &mock_gemini_embed,
		[MOCK_BEDROCK] = &mock_bedrock,
		[MOCK_BEDROCK_EMBED] = &mock_bedrock_embed,
		[MOCK_MISTRAL] = &mock_mistral,
		[MOCK_GROQ] = &mock_groq,
		[MOCK_TOGETHER] = &mock_together,
		[MOCK_AZURE] = &mock_azure,
		[MOCK_COHERE] = &mock_cohere,
		[MOCK_COHERE_EMBED] = &mock_cohere_embed,
		[MOCK_MISTRAL_EMBED] = &mock_mistral_embed,
		[MOCK_TOGETHER_EMBED] = &mock_together_embed,
		[MOCK_IMAGES] = &mock_images,
		[MOCK_TRANSCRIPTIONS] = &mock_transcriptions,
		[MOCK_SPEECH] = &mock_speech,
	};

	return formats[path];
}

static bool refuse(struct mock_connection *c, const char *message, const char *param)
{
	mock_answer_error(c, 400, slice_of_string(message), param, NULL);
	return false;
}

static bool authorized(const struct http_head *head, enum mock_path path)
{
	const struct mock_format *format = mock_format_of(path);
	struct slice value = http_header(head, SLICE("authorization"));

	if (format && format->key_header && http_header(head, slice_of_string(format->key_header)).size)
		return true;
	return value.size > 7 && slice_equal_nocase(slice_of(value.data, 7), SLICE("Bearer "));
}

static void answer_stats(struct mock_connection *c)
{
	char memory[1024];
	struct text t = text_over(memory, sizeof(memory));

	mock_record_stats(c->mock->record, &t);
	mock_answer_whole(c, 200, slice_of(NULL, 0), text_slice(&t));
}

/* "?path=/v1/embeddings" chooses; without it, the last of all. */
static void answer_last(struct mock_connection *c)
{
	struct slice query = c->head.query;
	enum mock_path path = MOCK_PATHS;
	struct slice last;

	if (slice_starts_with(query, SLICE("path=")))
		path = find_path(slice_after(query, 5));
	last = mock_record_last(c->mock->record, path);
	mock_answer_whole(c, last.data ? 200 : 404, slice_of(NULL, 0), last);
	free((void *)(uintptr_t)last.data);
}

static void answer_models(struct mock_connection *c)
{
	static const char *const ids[] = {"mock", "mock-events-100", "mock-tool"};
	struct slice id = slice_after(c->head.path, SLICE("/v1/models").size);
	char memory[1024];
	struct text t = text_over(memory, sizeof(memory));

	if (id.size > 1) {
		id = slice_after(id, 1);
		if (!memmem(id.data, id.size, "mock", 4) || id.size > MOCK_MODEL_MAX_BYTES) {
			mock_answer_error(c, 404, SLICE("The model does not exist"), "model", "model_not_found");
			return;
		}
		text_literal(&t, "{\"id\":");
		text_json(&t, id);
		text_literal(&t, ",\"object\":\"model\",\"created\":1790000000,\"owned_by\":\"mockllm\"}");
		mock_answer_whole(c, 200, slice_of(NULL, 0), text_slice(&t));
		return;
	}
	text_literal(&t, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		text_string(&t, i ? ",{\"id\":\"" : "{\"id\":\"");
		text_string(&t, ids[i]);
		text_literal(&t, "\",\"object\":\"model\",\"created\":1790000000,\"owned_by\":\"mockllm\"}");
	}
	text_literal(&t, "]}");
	mock_answer_whole(c, 200, slice_of(NULL, 0), text_slice(&t));
}

/* One that JSON would have to escape is refused. */
bool mock_take_model(struct mock_connection *c, struct slice model)
{
	struct mock_request *r = &c->request;

	if (model.size == 0 || model.size > sizeof(r->model_bytes))
		return refuse(c, "Invalid value for 'model': wrong length.", "model");
	for (size_t i = 0; i < model.size; i++)
		if ((unsigned char)model.data[i] < 0x20 || model.data[i] == '"' || model.data[i] == '\\')
			return refuse(c, "Invalid value for 'model': unexpected character.", "model");
	memcpy(r->model_bytes, model.data, model.size);
	r->model = slice_of(r->model_bytes, model.size);
	return true;
}

static bool read_model(struct mock_connection *c, const struct json_parser *p, bool required)
{
	json_ref value = json_member(p, 0, SLICE("model"));
	struct slice model = SLICE("mock-moderation");

	if (value == JSON_NONE && required)
		return refuse(c, "you must provide a model parameter", "model");
	if (value != JSON_NONE && json_type(p, value) != JSON_STRING)
		return refuse(c, "Invalid type for 'model': expected a string.", "model");
	if (value != JSON_NONE)
		model = json_string(p, value);
	return mock_take_model(c, model);
}

/* An optional member that must be true or false. */
static bool read_bool(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *name, bool *yes)
{
	json_ref value = json_member(p, object, slice_of_string(name));
	enum json_type type = value == JSON_NONE ? JSON_NULL : json_type(p, value);

	if (type != JSON_NULL && type != JSON_TRUE && type != JSON_FALSE)
		return refuse(c, "Invalid type: expected a boolean.", name);
	*yes = type == JSON_TRUE;
	return true;
}

/* An optional member that must be an integer in a range. */
static bool read_integer(struct mock_connection *c, const struct json_parser *p, const char *name, int64_t least,
	int64_t most, int64_t *integer)
{
	json_ref value = json_member(p, 0, slice_of_string(name));

	if (value == JSON_NONE || json_type(p, value) == JSON_NULL)
		return true;
	if (!json_integer(p, value, integer))
		return refuse(c, "Invalid type: expected an integer.", name);
	if (*integer < least || *integer > most)
		return refuse(c, "Invalid value: integer out of range.", name);
	return true;
}

static bool read_stream(struct mock_connection *c, const struct json_parser *p)
{
	struct mock_request *r = &c->request;
	json_ref options = json_member(p, 0, SLICE("stream_options"));

	if (!read_bool(c, p, 0, "stream", &r->stream))
		return false;
	if (options == JSON_NONE || json_type(p, options) == JSON_NULL)
		return true;
	if (!r->stream)
		return refuse(c, "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
			"stream_options");
	if (json_type(p, options) != JSON_OBJECT)
		return refuse(c, "Invalid type for 'stream_options': expected an object.", "stream_options");
	return read_bool(c, p, options, "include_usage", &r->include_usage);
}

/* What the answer depends on, and what it costs: about a token for every four bytes. */
static void weigh(struct mock_request *r, struct slice content)
{
	r->content_hash = XXH3_64bits(content.data, content.size);
	r->prompt_tokens = (uint32_t)(content.size / BYTES_PER_TOKEN) + 1;
}

static bool check_messages(struct mock_connection *c, const struct json_parser *p)
{
	json_ref messages = json_member(p, 0, SLICE("messages"));

	if (messages == JSON_NONE)
		return refuse(c, "Missing required parameter: 'messages'.", "messages");
	if (json_type(p, messages) != JSON_ARRAY || json_count(p, messages) == 0)
		return refuse(c, "Invalid 'messages': expected an array of at least one message.", "messages");
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m)) {
		json_ref role = json_member(p, m, SLICE("role"));

		if (json_type(p, m) != JSON_OBJECT || role == JSON_NONE || json_type(p, role) != JSON_STRING)
			return refuse(c, "Invalid 'messages': each needs a role.", "messages");
		if (slice_equal(json_string(p, role), SLICE("tool")) &&
			json_member(p, m, SLICE("tool_call_id")) == JSON_NONE)
			return refuse(c, "Invalid 'messages': a tool message needs a tool_call_id.", "messages");
	}
	weigh(&c->request, json_raw(p, messages));
	return true;
}

static bool check_generation(struct mock_connection *c, const struct json_parser *p)
{
	struct mock_request *r = &c->request;
	json_ref prompt = json_member(p, 0, SLICE("prompt")), stop = json_member(p, 0, SLICE("stop"));
	int64_t most = INT32_MAX, choices = 1;

	if (r->path == MOCK_CHAT && !check_messages(c, p))
		return false;
	if (r->path == MOCK_COMPLETIONS && prompt == JSON_NONE)
		return refuse(c, "Missing required parameter: 'prompt'.", "prompt");
	if (r->path == MOCK_COMPLETIONS)
		weigh(r, json_raw(p, prompt));
	if (stop != JSON_NONE && json_type(p, stop) == JSON_ARRAY && json_count(p, stop) > 4)
		return refuse(c, "Invalid 'stop': at most 4 sequences.", "stop");
	if (!read_stream(c, p) || !read_integer(c, p, "n", 1, CHOICES_MAX, &choices) ||
		!read_integer(c, p, "max_tokens", 1, INT32_MAX, &most) ||
		!read_integer(c, p, "max_completion_tokens", 1, INT32_MAX, &most))
		return false;
	if (json_member(p, 0, SLICE("top_logprobs")) != JSON_NONE && json_member(p, 0, SLICE("logprobs")) == JSON_NONE)
		return refuse(c, "'top_logprobs' needs 'logprobs' to be true.", "top_logprobs");
	r->choices = (unsigned)choices;
	r->max_words = (uint32_t)most;
	return true;
}

/* A string is one input, so is an array of tokens; an array of either is as many. */
static bool check_input(struct mock_connection *c, const struct json_parser *p)
{
	struct mock_request *r = &c->request;
	json_ref input = json_member(p, 0, SLICE("input")), format = json_member(p, 0, SLICE("encoding_format")), first;
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct slice raw;

	if (input == JSON_NONE)
		return refuse(c, "Missing required parameter: 'input'.", "input");
	r->input_count = 1;
	if (json_type(p, input) == JSON_ARRAY) {
		first = json_first(p, input);
		if (first == JSON_NONE)
			return refuse(c, "Invalid 'input': expected at least one.", "input");
		if (json_type(p, first) != JSON_INTEGER)
			r->input_count = json_count(p, input);
	} else if (json_type(p, input) != JSON_STRING) {
		return refuse(c, "Invalid type for 'input': expected a string or an array.", "input");
	}
	raw = json_raw(p, input);
	weigh(r, raw);
	r->flagged = memmem(raw.data, raw.size, "kill", 4) != NULL;
	if (format != JSON_NONE) {
		r->base64 = json_type(p, format) == JSON_STRING && slice_equal(json_string(p, format), SLICE("base64"));
		if (!r->base64 && !slice_equal(json_raw(p, format), SLICE("\"float\"")))
			return refuse(c, "Invalid 'encoding_format': expected float or base64.", "encoding_format");
	}
	if (!read_integer(c, p, "dimensions", 1, DIMENSIONS_MAX, &dimensions))
		return false;
	r->dimensions = (uint32_t)dimensions;
	return true;
}

static bool read_body(struct mock_connection *c, struct slice body)
{
	struct mock_request *r = &c->request;
	const struct mock_format *format = mock_format_of(r->path);
	struct json_parser *p = c->mock->json;
	struct json_error error;

	if (format && format->check_form) {
		if (!format->check_form(c))
			return false;
		mock_plan_make(&r->plan, c->mock->options, r->model);
		return true;
	}
	if (body.size == 0 || json_parse(p, body, &error) < 0)
		return refuse(c, "We could not parse the JSON body of your request.", NULL);
	if (json_type(p, 0) != JSON_OBJECT)
		return refuse(c, "The JSON body of your request is not an object.", NULL);
	if (format && format->read_model ? !format->read_model(c) : !read_model(c, p, r->path != MOCK_MODERATIONS))
		return false;
	if (format) {
		if (!format->check(c, p))
			return false;
	} else if (r->path == MOCK_CHAT || r->path == MOCK_COMPLETIONS) {
		if (!check_generation(c, p))
			return false;
	} else if (!check_input(c, p)) {
		return false;
	}
	mock_plan_make(&r->plan, c->mock->options, r->model);
	return true;
}

bool mock_request_read(struct mock_connection *c, struct slice body)
{
	struct mock_request *r = &c->request;
	bool bearer, get;

	r->path = find_path(c->head.path);
	bearer = authorized(&c->head, r->path);
	get = r->path == MOCK_MODELS || r->path == MOCK_STATS || r->path == MOCK_LAST;
	if (r->path != MOCK_STATS && r->path != MOCK_LAST)
		mock_record_request(c->mock->record, r, bearer);
	if (r->path == MOCK_UNKNOWN)
		mock_answer_error(c, 404, SLICE("Unknown request URL"), NULL, "unknown_url");
	else if (c->head.method != (get ? HTTP_GET : HTTP_POST))
		mock_answer_error(c, 405, SLICE("Not allowed with this method"), NULL, "method_not_supported");
	else if (r->path == MOCK_STATS)
		answer_stats(c);
	else if (r->path == MOCK_LAST)
		answer_last(c);
	else if (!bearer)
		mock_answer_error(c, 401, SLICE("You didn't provide an API key."), NULL, "invalid_api_key");
	else if (r->path == MOCK_MODELS)
		answer_models(c);
	else
		return read_body(c, body);
	return false;
}
