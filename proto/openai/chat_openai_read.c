/* Reads a request in OpenAI's dialect (chat completions) into the form of a chat. */
#include "proto/openai/chat_openai.h"

#include <limits.h>

/* ---- tools -------------------------------------------------------------------------------------------------- */

static int read_tool(struct chat_reading *r, json_ref value)
{
	int err;

	if (!slice_equal(chat_member_text(r->p, value, SLICE("type")), SLICE("function"))) {
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("tools"));
		return 0;
	}
	err = chat_read_tool(r, json_member(r->p, value, SLICE("function")), SLICE("parameters"));
	if (!err)
		r->chat->last_tool->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return err;
}

static int read_tools(struct chat_reading *r, json_ref value)
{
	return chat_read_tools(r, value, read_tool);
}

int chat_openai_read_choice(struct chat_reading *r, json_ref value)
{
	struct slice word = json_type(r->p, value) == JSON_STRING ? json_string(r->p, value) : slice_of(NULL, 0);
	struct chat *chat = r->chat;

	if (slice_equal(word, SLICE("auto"))) {
		chat->choice = CHAT_CHOICE_AUTO;
	} else if (slice_equal(word, SLICE("none"))) {
		chat->choice = CHAT_CHOICE_NONE;
	} else if (slice_equal(word, SLICE("required"))) {
		chat->choice = CHAT_CHOICE_REQUIRED;
	} else if (slice_equal(chat_member_text(r->p, value, SLICE("type")), SLICE("function"))) {
		chat->choice = CHAT_CHOICE_TOOL;
		chat->choice_name = chat_member_text(r->p, json_member(r->p, value, SLICE("function")), SLICE("name"));
		if (!chat->choice_name.size)
			return chat_read_refuse(
				r, CHAT_INVALID, SLICE("'tool_choice' names no function."), SLICE("tool_choice"));
	} else if (json_type(r->p, value) == JSON_OBJECT) {
		chat_need(chat, CHAT_OWN_TOOLS, SLICE("tool_choice"));
	} else {
		return chat_read_refuse(r, CHAT_INVALID,
			SLICE("'tool_choice' has to be auto, none, required, or an object that names a function."),
			SLICE("tool_choice"));
	}
	if (chat->choice == CHAT_CHOICE_REQUIRED || chat->choice == CHAT_CHOICE_TOOL)
		chat_need(chat, CHAT_FORCED_TOOLS, SLICE("tool_choice"));
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------ */

static int read_parallel(struct chat_reading *r, json_ref value)
{
	r->chat->parallel_tools = json_type(r->p, value) == JSON_TRUE;
	return 0;
}

static int read_schema(struct chat_reading *r, json_ref schema, struct slice param)
{
	struct chat *chat = r->chat;

	chat->format = CHAT_FORMAT_JSON_SCHEMA;
	chat->schema_name = chat_member_text(r->p, schema, SLICE("name"));
	chat->schema_description = chat_member_text(r->p, schema, SLICE("description"));
	chat->schema = chat_member_json(r->p, schema, SLICE("schema"));
	chat->schema_strict = chat_member_json(r->p, schema, SLICE("strict"));
	chat_need(chat, CHAT_JSON_SCHEMA, param);
	if (!chat->schema.data || chat->schema.data[0] != '{')
		return chat_read_refuse(
			r, CHAT_INVALID, SLICE("A format of type json_schema needs a schema: an object."), param);
	return 0;
}

int chat_openai_read_format(struct chat_reading *r, json_ref format, json_ref schema, struct slice param)
{
	struct slice type = chat_member_text(r->p, format, SLICE("type"));

	if (slice_equal(type, SLICE("text")))
		return 0;
	if (slice_equal(type, SLICE("json_object"))) {
		r->chat->format = CHAT_FORMAT_JSON_OBJECT;
		chat_need(r->chat, CHAT_JSON_OBJECT, param);
		return 0;
	}
	if (slice_equal(type, SLICE("json_schema")))
		return read_schema(r, schema, param);
	return chat_read_refuse(
		r, CHAT_INVALID, SLICE("The type of this format has to be text, json_object or json_schema."), param);
}

static int read_format(struct chat_reading *r, json_ref value)
{
	json_ref schema = json_member(r->p, value, SLICE("json_schema"));

	return chat_openai_read_format(r, value, schema, SLICE("response_format"));
}

static int read_effort(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("'reasoning_effort' has to be a string."), SLICE("reasoning_effort"));
	r->chat->effort = json_string(r->p, value);
	return 0;
}

static int read_verbosity(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return chat_read_refuse(r, CHAT_MISTYPED, SLICE("'verbosity' has to be a string."), SLICE("verbosity"));
	r->chat->verbosity = json_string(r->p, value);
	r->chat->verbosity_param = SLICE("verbosity");
	return 0;
}

static int read_user(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) == JSON_STRING)
		r->chat->user = json_string(r->p, value);
	return 0;
}

static int read_n(struct chat_reading *r, json_ref value)
{
	int64_t n;

	if (!json_integer(r->p, value, &n) || n < 1)
		return chat_read_refuse(r, CHAT_INVALID, SLICE("'n' has to be a positive integer."), SLICE("n"));
	r->chat->n = n < UINT_MAX ? (unsigned)n : UINT_MAX;
	if (n > 1)
		chat_need(r->chat, CHAT_N, SLICE("n"));
	return 0;
}

static int read_logprobs(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) == JSON_TRUE)
		chat_need(r->chat, CHAT_LOGPROBS, SLICE("logprobs"));
	return 0;
}

static int read_modalities(struct chat_reading *r, json_ref value)
{
	for (json_ref v = json_first(r->p, value); v != JSON_NONE; v = json_next(r->p, v))
		if (json_type(r->p, v) != JSON_STRING || !slice_equal(json_string(r->p, v), SLICE("text")))
			chat_need(r->chat, CHAT_AUDIO_OUTPUT, SLICE("modalities"));
	return 0;
}

/* Those of both APIs. What is in no table is a knob: its name is dropped, and said. */
static const struct chat_field options[] = {
	{.name = "model"},
	{"stream", chat_read_stream, 0},
	{.name = "stream_options"},
	{"temperature", chat_read_temperature, 0},
	{"top_p", chat_read_top_p, 0},
	{"parallel_tool_calls", read_parallel, 0},
	{"user", read_user, 0},
	{"safety_identifier", read_user, 0},
	{"moderation", NULL, CHAT_OWN_OPTIONS},
	{.name = "x-routing-hints"},
	{.name = "x-fallback-chain"},
};

static const struct chat_field fields[] = {
	{"messages", chat_openai_read_messages, 0},
	{"max_tokens", chat_read_limit, 0},
	{"max_completion_tokens", chat_read_limit, 0},
	{"stop", chat_read_stop, 0},
	{"seed", chat_read_knob, 0},
	{"frequency_penalty", chat_read_knob, 0},
	{"presence_penalty", chat_read_knob, 0},
	{"tools", read_tools, 0},
	{"tool_choice", chat_openai_read_choice, 0},
	{"response_format", read_format, 0},
	{"reasoning_effort", read_effort, 0},
	{"verbosity", read_verbosity, 0},
	{"n", read_n, 0},
	{"logprobs", read_logprobs, 0},
	{"modalities", read_modalities, 0},
	{.name = "audio"}, /* nothing without the modality */
	{"functions", NULL, CHAT_OWN_TOOLS},
	{"function_call", NULL, CHAT_OWN_TOOLS},
	{"web_search_options", NULL, CHAT_OWN_OPTIONS},
};

int chat_openai_read_option(struct chat_reading *r, json_ref value)
{
	struct slice key = json_key(r->p, value);
	const struct chat_field *field = chat_find_field(options, sizeof(options) / sizeof(options[0]), key);

	if (field)
		return chat_read_field(r, field, value);
	if (json_type(r->p, value) != JSON_FALSE) /* false is what all of them do unasked */
		chat_drop(r->chat, key);
	return 0;
}

int chat_openai_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem)
{
	struct chat_reading r = {.p = p, .chat = chat, .problem = problem};
	int err = chat_read_fields(&r, fields, sizeof(fields) / sizeof(fields[0]), chat_openai_read_option);

	return chat_read_end(&r, err, SLICE("messages"));
}
