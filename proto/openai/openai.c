/* The OpenAI dialect, what is the same for requests and for errors: reading and editing requests, reading a provider's
 * complaint. */
#include "proto/openai/openai.h"

#include "core/text.h"

#include <errno.h>

static bool is_given(const struct json_parser *p, json_ref value)
{
	return value != JSON_NONE && json_type(p, value) != JSON_NULL;
}

static int refuse(struct openai_problem *problem, struct slice code, struct slice message, struct slice param)
{
	*problem = (struct openai_problem){code, message, param};
	return -EINVAL;
}

#define MISSING SLICE("missing_required_parameter")
#define MISTYPED SLICE("invalid_type")

#define STATIC_SLICE(literal)                                                                                          \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}
#define TWICE(key)                                                                                                     \
	{                                                                                                              \
		STATIC_SLICE(key), STATIC_SLICE("The field '" key "' is there twice. Send it once.")                   \
	}

/* What the gateway acts on may be there once only: a second one could tell the provider another thing than the gateway.
 */
static int refuse_duplicates(const struct json_parser *p, struct openai_problem *problem)
{
	static const struct {
		struct slice key, message;
	} acted_on[] = {
		TWICE("model"),
		TWICE("stream"),
		TWICE("stream_options"),
		TWICE("messages"),
		TWICE("prompt"),
		TWICE("input"),
		TWICE("n"),
		TWICE("response_format"),
		TWICE("store"),
		TWICE("previous_response_id"),
		TWICE("background"),
		TWICE("x-routing-hints"),
		TWICE("x-fallback-chain"),
	};
	enum { COUNT = sizeof(acted_on) / sizeof(acted_on[0]) };
	struct slice keys[COUNT], twice;

	for (unsigned i = 0; i < COUNT; i++)
		keys[i] = acted_on[i].key;
	twice = json_duplicate(p, 0, keys, COUNT);
	if (!twice.data)
		return 0;
	for (unsigned i = 0; i < COUNT; i++)
		if (slice_equal(twice, keys[i]))
			return refuse(problem, SLICE("duplicate_field"), acted_on[i].message, keys[i]);
	return 0;
}

static int read_model(const struct json_parser *p, enum openai_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	request->model_value = json_member(p, 0, SLICE("model"));
	if (!is_given(p, request->model_value) && api == OPENAI_MODERATIONS) {
		request->model = SLICE("omni-moderation-latest");
		return 0;
	}
	if (!is_given(p, request->model_value))
		return refuse(
			problem, MISSING, SLICE("Name a model in 'model'; GET /v1/models lists them."), SLICE("model"));
	if (json_type(p, request->model_value) != JSON_STRING)
		return refuse(problem, MISTYPED, SLICE("'model' has to be a string."), SLICE("model"));
	request->model = json_string(p, request->model_value);
	if (request->model.size == 0)
		return refuse(
			problem, MISSING, SLICE("'model' is empty; GET /v1/models lists the names."), SLICE("model"));
	return 0;
}

static int read_stream(const struct json_parser *p, enum openai_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	enum json_type type;

	request->stream_value = json_member(p, 0, SLICE("stream"));
	request->stream_options = json_member(p, 0, SLICE("stream_options"));
	if (is_given(p, request->stream_value)) {
		type = json_type(p, request->stream_value);
		if (type != JSON_TRUE && type != JSON_FALSE)
			return refuse(problem, MISTYPED, SLICE("'stream' has to be true or false."), SLICE("stream"));
		request->stream = type == JSON_TRUE;
	}
	if (request->stream && api != OPENAI_CHAT && api != OPENAI_COMPLETIONS && api != OPENAI_RESPONSES &&
		api != OPENAI_TRANSCRIPTIONS)
		return refuse(problem, SLICE("unsupported_feature"),
			SLICE("This API does not stream. Leave 'stream' out."), SLICE("stream"));
	if (!is_given(p, request->stream_options))
		return 0;
	if (json_type(p, request->stream_options) != JSON_OBJECT)
		return refuse(
			problem, MISTYPED, SLICE("'stream_options' has to be an object."), SLICE("stream_options"));
	if (!request->stream)
		return refuse(problem, SLICE("invalid_value"),
			SLICE("'stream_options' is only allowed with \"stream\": true."), SLICE("stream_options"));
	request->include_usage_value = json_member(p, request->stream_options, SLICE("include_usage"));
	if (!is_given(p, request->include_usage_value))
		return 0;
	type = json_type(p, request->include_usage_value);
	if (type != JSON_TRUE && type != JSON_FALSE)
		return refuse(problem, MISTYPED, SLICE("'stream_options.include_usage' has to be true or false."),
			SLICE("stream_options.include_usage"));
	request->include_usage = type == JSON_TRUE;
	return 0;
}

static int read_messages(const struct json_parser *p, struct openai_problem *problem)
{
	json_ref messages = json_member(p, 0, SLICE("messages"));

	if (!is_given(p, messages))
		return refuse(problem, MISSING, SLICE("Send the conversation in 'messages'."), SLICE("messages"));
	if (json_type(p, messages) != JSON_ARRAY)
		return refuse(
			problem, MISTYPED, SLICE("'messages' has to be an array of messages."), SLICE("messages"));
	if (json_first(p, messages) == JSON_NONE)
		return refuse(problem, SLICE("invalid_value"), SLICE("'messages' is empty. Send at least one message."),
			SLICE("messages"));
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m))
		if (json_type(p, m) != JSON_OBJECT)
			return refuse(problem, MISTYPED,
				SLICE("Each of 'messages' has to be an object with role and content."),
				SLICE("messages"));
	return 0;
}

/* `prompt` and `input` alike: a string or an array. */
static int read_input(const struct json_parser *p, struct slice key, struct slice missing, struct slice mistyped,
	struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, key);
	enum json_type type;

	if (!is_given(p, value))
		return refuse(problem, MISSING, missing, key);
	type = json_type(p, value);
	if (type != JSON_STRING && type != JSON_ARRAY)
		return refuse(problem, MISTYPED, mistyped, key);
	return 0;
}

/* Only a string will do. */
static int read_text(const struct json_parser *p, struct slice key, struct slice missing, struct slice mistyped,
	struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, key);

	if (!is_given(p, value))
		return refuse(problem, MISSING, missing, key);
	if (json_type(p, value) != JSON_STRING)
		return refuse(problem, MISTYPED, mistyped, key);
	if (json_string(p, value).size == 0)
		return refuse(problem, MISSING, missing, key);
	return 0;
}

static int read_speech(const struct json_parser *p, struct openai_problem *problem)
{
	int err = read_text(p, SLICE("input"), SLICE("Send the text to speak in 'input'."),
		SLICE("'input' has to be a string."), problem);

	if (!err && !is_given(p, json_member(p, 0, SLICE("voice"))))
		err = refuse(problem, MISSING, SLICE("Name a voice in 'voice'."), SLICE("voice"));
	return err;
}

static int read_subject(const struct json_parser *p, enum openai_api api, struct openai_problem *problem)
{
	if (api == OPENAI_CHAT)
		return read_messages(p, problem);
	if (api == OPENAI_IMAGES)
		return read_text(p, SLICE("prompt"), SLICE("Describe the image in 'prompt'."),
			SLICE("'prompt' has to be a string."), problem);
	if (api == OPENAI_SPEECH)
		return read_speech(p, problem);
	if (api == OPENAI_TRANSCRIPTIONS)
		return 0; /* what is transcribed is no field */
	/* A template of the provider's may need no input; a conversation that goes on does. */
	if (api == OPENAI_RESPONSES && !is_given(p, json_member(p, 0, SLICE("input"))) &&
		is_given(p, json_member(p, 0, SLICE("prompt"))) &&
		!is_given(p, json_member(p, 0, SLICE("previous_response_id"))))
		return 0;
	if (api == OPENAI_COMPLETIONS)
		return read_input(p, SLICE("prompt"), SLICE("Send the text to complete in 'prompt'."),
			SLICE("'prompt' has to be a string or an array."), problem);
	return read_input(p, SLICE("input"), SLICE("Send the text in 'input'."),
		SLICE("'input' has to be a string or an array."), problem);
}

static int read_extensions(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	request->hints = json_member(p, 0, SLICE("x-routing-hints"));
	request->chain = json_member(p, 0, SLICE("x-fallback-chain"));
	if (is_given(p, request->hints) && json_type(p, request->hints) != JSON_OBJECT)
		return refuse(
			problem, MISTYPED, SLICE("'x-routing-hints' has to be an object."), SLICE("x-routing-hints"));
	if (!is_given(p, request->chain))
		return 0;
	if (json_type(p, request->chain) != JSON_ARRAY)
		return refuse(problem, MISTYPED, SLICE("'x-fallback-chain' has to be an array of model names."),
			SLICE("x-fallback-chain"));
	for (json_ref m = json_first(p, request->chain); m != JSON_NONE; m = json_next(p, m))
		if (json_type(p, m) != JSON_STRING)
			return refuse(problem, MISTYPED, SLICE("Each of 'x-fallback-chain' has to be a model name."),
				SLICE("x-fallback-chain"));
	return 0;
}

int openai_read_request(const struct json_parser *p, enum openai_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	int err;

	*request = (struct openai_request){.model_value = JSON_NONE,
		.stream_value = JSON_NONE,
		.stream_options = JSON_NONE,
		.include_usage_value = JSON_NONE,
		.hints = JSON_NONE,
		.chain = JSON_NONE};
	if (json_type(p, 0) != JSON_OBJECT)
		return refuse(problem, MISTYPED, SLICE("The body has to be a JSON object."), slice_of(NULL, 0));
	err = refuse_duplicates(p, problem);
	if (!err)
		err = read_model(p, api, request, problem);
	if (!err)
		err = read_stream(p, api, request, problem);
	if (!err)
		err = read_subject(p, api, problem);
	if (!err)
		err = read_extensions(p, request, problem);
	return err;
}

static void ask_for_usage(const struct json_parser *p, const struct openai_request *request, struct json_edits *edits)
{
	if (request->stream_options == JSON_NONE)
		json_insert(edits, p, 0, SLICE("\"stream_options\":{\"include_usage\":true}"));
	else if (json_type(p, request->stream_options) == JSON_NULL)
		json_replace(edits, p, request->stream_options, SLICE("{\"include_usage\":true}"));
	else if (request->include_usage_value == JSON_NONE)
		json_insert(edits, p, request->stream_options, SLICE("\"include_usage\":true"));
	else if (!request->include_usage)
		json_replace(edits, p, request->include_usage_value, SLICE("true"));
}

/* Only where the request names a model, and nothing else is inserted: a stream has its options, be they null. */
static void cap_output(
	const struct json_parser *p, const struct openai_request *request, char *added, struct json_edits *edits)
{
	json_ref there = json_member(p, 0, request->output_cap_name);
	struct text text = text_over(added, OPENAI_ADDED_BYTES);

	if (there == JSON_NONE) {
		text_char(&text, '"');
		text_add(&text, request->output_cap_name);
		text_literal(&text, "\":");
	}
	text_u64(&text, request->output_cap);
	if (there == JSON_NONE)
		json_insert(edits, p, 0, text_slice(&text));
	else
		json_replace(edits, p, there, text_slice(&text));
}

void openai_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *added, struct json_edits *edits)
{
	if (request->model_value != JSON_NONE) {
		json_replace(edits, p, request->model_value, model_json);
	} else {
		memcpy(added, "\"model\":", 8);
		memcpy(added + 8, model_json.data, model_json.size);
		json_insert(edits, p, 0, slice_of(added, 8 + model_json.size));
	}
	if (request->hints != JSON_NONE)
		json_remove(edits, p, 0, request->hints);
	if (request->chain != JSON_NONE)
		json_remove(edits, p, 0, request->chain);
	if (request->stream)
		ask_for_usage(p, request, edits);
	if (request->output_cap && request->model_value != JSON_NONE &&
		(!request->stream || request->stream_options != JSON_NONE))
		cap_output(p, request, added, edits);
}

static struct slice string_or_null(const struct json_parser *p, json_ref value)
{
	if (value == JSON_NONE || json_type(p, value) != JSON_STRING)
		return slice_of(NULL, 0);
	return json_string(p, value);
}

void openai_read_error(const struct json_parser *p, struct openai_error *error)
{
	json_ref value = json_member(p, 0, SLICE("error"));
	json_ref code;

	memset(error, 0, sizeof(*error));
	if (json_type(p, 0) != JSON_OBJECT)
		return;
	if (value == JSON_NONE)
		value = 0;
	error->raw = json_raw(p, value);
	if (json_type(p, value) == JSON_STRING) {
		error->message = json_string(p, value);
		return;
	}
	error->message = string_or_null(p, json_member(p, value, SLICE("message")));
	error->type = string_or_null(p, json_member(p, value, SLICE("type")));
	error->param = string_or_null(p, json_member(p, value, SLICE("param")));
	code = json_member(p, value, SLICE("code"));
	error->code = string_or_null(p, code);
}
