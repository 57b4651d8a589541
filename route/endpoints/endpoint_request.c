/* From an endpoint's call to a chat request: see endpoint_request.h. */
#include "route/endpoints/endpoint_request.h"

#include "core/buffer.h"

#include <errno.h>

enum { FRAME_BYTES = 256 /* keys, roles, commas and quotes around what is filled in */ };

static int refuse(struct openai_problem *problem, struct slice code, struct slice message, struct slice param)
{
	*problem = (struct openai_problem){code, message, param};
	return -EINVAL;
}

static bool is_given(const struct json_parser *json, json_ref value)
{
	return value != JSON_NONE && json_type(json, value) != JSON_NULL;
}

/* What is read here may be there once only. */
static int refuse_twice(const struct json_parser *json, struct openai_problem *problem)
{
	static const struct slice keys[] = {{"messages", 8}, {"input", 5}, {"model", 5}, {"stream", 6}};
	struct slice twice = json_duplicate(json, 0, keys, sizeof(keys) / sizeof(keys[0]));

	if (!twice.data)
		return 0;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (slice_equal(keys[i], twice))
			twice = keys[i];
	return refuse(problem, SLICE("invalid_value"), SLICE("This field is there twice. Send it once."), twice);
}

static int read_stream(const struct endpoint *endpoint, const struct json_parser *json, struct endpoint_call *call,
	struct openai_problem *problem)
{
	json_ref stream = json_member(json, 0, SLICE("stream"));

	call->stream = stream != JSON_NONE && json_type(json, stream) == JSON_TRUE;
	if (call->stream && endpoint->output_schema)
		return refuse(problem, SLICE("streaming_disabled"),
			SLICE("This endpoint's answers are checked as a whole. Leave 'stream' out."), SLICE("stream"));
	if (call->stream && !endpoint->settings->streaming)
		return refuse(problem, SLICE("streaming_disabled"),
			SLICE("This endpoint does not stream. Leave 'stream' out."), SLICE("stream"));
	return 0;
}

static int read_content(const struct json_parser *json, struct endpoint_call *call, struct openai_problem *problem)
{
	bool messages = is_given(json, call->messages), input = is_given(json, call->input);

	if (messages && input)
		return refuse(problem, SLICE("invalid_value"),
			SLICE("There are 'messages' and 'input'. Send one of the two."), SLICE("input"));
	if (!messages && !input)
		return refuse(problem, SLICE("missing_required_parameter"),
			SLICE("Send 'input', a string or an object, or 'messages', an array."), SLICE("input"));
	if (messages && (json_type(json, call->messages) != JSON_ARRAY || !json_count(json, call->messages)))
		return refuse(problem, SLICE("invalid_type"),
			SLICE("'messages' has to be an array of at least one message."), SLICE("messages"));
	if (input && json_type(json, call->input) != JSON_STRING && json_type(json, call->input) != JSON_OBJECT)
		return refuse(problem, SLICE("invalid_type"), SLICE("'input' has to be a string or an object."),
			SLICE("input"));
	if (messages)
		call->input = JSON_NONE;
	else
		call->messages = JSON_NONE;
	return 0;
}

int endpoint_read_call(const struct endpoint *endpoint, const struct json_parser *json, struct endpoint_call *call,
	struct openai_problem *problem)
{
	int err;

	if (json_type(json, 0) != JSON_OBJECT)
		return refuse(
			problem, SLICE("invalid_type"), SLICE("The body has to be a JSON object."), slice_of(NULL, 0));
	err = refuse_twice(json, problem);
	if (err)
		return err;
	if (json_member(json, 0, SLICE("model")) != JSON_NONE)
		return refuse(problem, SLICE("invalid_value"),
			SLICE("This endpoint chooses its model. Leave 'model' out."), SLICE("model"));
	if (endpoint->output_schema && is_given(json, json_member(json, 0, SLICE("response_format"))))
		return refuse(problem, SLICE("invalid_value"),
			SLICE("This endpoint says what its answers are like. Leave 'response_format' out."),
			SLICE("response_format"));
	*call = (struct endpoint_call){
		.messages = json_member(json, 0, SLICE("messages")), .input = json_member(json, 0, SLICE("input"))};
	err = read_content(json, call, problem);
	if (!err && endpoint->input_schema && call->messages != JSON_NONE)
		return refuse(problem, SLICE("invalid_value"),
			SLICE("This endpoint takes 'input', which its schema describes. Send that."),
			SLICE("messages"));
	return err ? err : read_stream(endpoint, json, call, problem);
}

/* ---- the template's own complaint ---- */

static int refuse_missing(struct slice path, struct arena *arena, struct openai_problem *problem)
{
	size_t capacity = path.size + 128;
	struct text param = text_over(arena_alloc(arena, capacity), capacity);
	struct text message = text_over(arena_alloc(arena, capacity), capacity);

	if (!param.data || !message.data)
		return -ENOMEM;
	text_literal(&param, "input");
	if (path.size)
		text_char(&param, '.');
	text_add(&param, path);
	text_literal(&message, "This endpoint's template needs '");
	text_add(&message, text_slice(&param));
	text_literal(&message, "', which is not there. Send it.");
	return refuse(problem, SLICE("missing_required_parameter"), text_slice(&message), text_slice(&param));
}

/* ---- the request ---- */

static size_t request_bytes(
	const struct endpoint *endpoint, const struct json_parser *json, const struct endpoint_call *call)
{
	const char *schema = endpoint->settings->output_schema;

	return FRAME_BYTES + (schema ? strlen(schema) : 0) + call->history.size + json_document(json).size +
	       strlen(endpoint->settings->model) + template_bytes(&endpoint->system, json, call->input) +
	       template_bytes(&endpoint->user, json, call->input) +
	       (call->input != JSON_NONE ? 6 * json_raw(json, call->input).size : 0);
}

static bool add_system(const struct endpoint *endpoint, const struct json_parser *json,
	const struct endpoint_call *call, struct text *text, struct slice *missing)
{
	bool filled;

	if (!endpoint->system.part_count)
		return true;
	text_literal(text, "{\"role\":\"system\",\"content\":\"");
	filled = template_fill(&endpoint->system, json, call->input, text, missing);
	text_literal(text, "\"},");
	return filled;
}

static bool add_user(const struct endpoint *endpoint, const struct json_parser *json, const struct endpoint_call *call,
	struct text *text, struct slice *missing)
{
	bool filled = true;

	if (call->messages != JSON_NONE) {
		struct slice raw = json_raw(json, call->messages);

		text_add(text, slice_of(raw.data + 1, raw.size - 2));
		return true;
	}
	text_literal(text, "{\"role\":\"user\",\"content\":\"");
	if (endpoint->user.part_count)
		filled = template_fill(&endpoint->user, json, call->input, text, missing);
	else
		template_add_value(json, call->input, text);
	text_literal(text, "\"}");
	return filled;
}

/* Not strict: providers then want a schema of a certain build. What comes back is checked here. */
static void add_format(const struct endpoint *endpoint, struct text *text)
{
	text_literal(text,
		",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\",\"schema\":");
	text_string(text, endpoint->settings->output_schema);
	text_literal(text, "}}");
}

/* A stream has its options, so that what is added on the way to a provider finds its place. */
static void add_rest(const struct endpoint *endpoint, const struct json_parser *json, const struct endpoint_call *call,
	struct text *text)
{
	if (call->stream && json_member(json, 0, SLICE("stream_options")) == JSON_NONE)
		text_literal(text, ",\"stream_options\":null");
	for (json_ref m = json_first(json, 0); m != JSON_NONE; m = json_next(json, m)) {
		struct slice key = json_key(json, m);

		if (slice_equal(key, SLICE("messages")) || slice_equal(key, SLICE("input")) ||
			(endpoint->output_schema && slice_equal(key, SLICE("response_format"))))
			continue;
		text_char(text, ',');
		text_add(text, json_key_raw(json, m));
		text_char(text, ':');
		text_add(text, json_raw(json, m));
	}
}

int endpoint_write_request(const struct endpoint *endpoint, const struct json_parser *json, struct endpoint_call *call,
	struct arena *arena, size_t bytes_max, struct slice *request, struct openai_problem *problem)
{
	size_t said_at, capacity = request_bytes(endpoint, json, call);
	struct slice missing;
	struct text text;

	capacity = capacity < bytes_max ? capacity : bytes_max;
	text = text_over(arena_alloc(arena, capacity + BUFFER_PADDING_BYTES), capacity);
	if (!text.data)
		return -ENOMEM;
	text_literal(&text, "{\"model\":");
	text_json(&text, slice_of_string(endpoint->settings->model));
	text_literal(&text, ",\"messages\":[");
	if (!add_system(endpoint, json, call, &text, &missing))
		return refuse_missing(missing, arena, problem);
	text_add(&text, call->history);
	if (call->history.size)
		text_char(&text, ',');
	said_at = text.size;
	if (!add_user(endpoint, json, call, &text, &missing))
		return refuse_missing(missing, arena, problem);
	call->said = slice_of(text.data + said_at, text.size - said_at);
	text_char(&text, ']');
	if (call->format)
		add_format(endpoint, &text);
	add_rest(endpoint, json, call, &text);
	text_char(&text, '}');
	if (text.full)
		return -E2BIG;
	memset(text.data + text.size, 0, BUFFER_PADDING_BYTES);
	*request = text_slice(&text);
	return 0;
}
