/* Reads a request in OpenAI's dialect (chat completions) into the form of a chat. */
#include "proto/openai/chat_openai.h"

#include <limits.h>

#define INVALID SLICE("invalid_value")
#define MISTYPED SLICE("invalid_type")

static int refuse(struct chat_reading *r, struct slice code, struct slice message, struct slice param)
{
	return chat_refuse(r->problem, code, message, param);
}

/* ---- tools -------------------------------------------------------------------------------------------------- */

int chat_openai_add_function(struct chat_reading *r, json_ref function)
{
	json_ref schema = json_member(r->p, function, SLICE("parameters"));
	struct chat_tool *tool = chat_add_tool(r->chat);

	if (!tool)
		return r->chat->err;
	tool->name = chat_member_text(r->p, function, SLICE("name"));
	tool->description = chat_member_text(r->p, function, SLICE("description"));
	tool->parameters = chat_member_json(r->p, function, SLICE("parameters"));
	tool->strict = chat_member_json(r->p, function, SLICE("strict"));
	if (!tool->name.size)
		return refuse(r, INVALID, SLICE("Each of 'tools' needs a function with a name."), SLICE("tools"));
	if (tool->parameters.data && tool->parameters.data[0] != '{')
		return refuse(r, MISTYPED, SLICE("A function's parameters have to be a JSON Schema: an object."),
			SLICE("tools"));
	tool->untyped = tool->parameters.data && json_member(r->p, schema, SLICE("type")) == JSON_NONE;
	return 0;
}

static int read_tool(struct chat_reading *r, json_ref value)
{
	int err;

	if (!slice_equal(chat_member_text(r->p, value, SLICE("type")), SLICE("function"))) {
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("tools"));
		return 0;
	}
	err = chat_openai_add_function(r, json_member(r->p, value, SLICE("function")));
	if (!err)
		r->chat->last_tool->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return err;
}

int chat_openai_read_tools(
	struct chat_reading *r, json_ref value, int (*read)(struct chat_reading *r, json_ref value))
{
	int err = 0;

	if (json_type(r->p, value) != JSON_ARRAY)
		return refuse(r, MISTYPED, SLICE("'tools' has to be an array."), SLICE("tools"));
	if (json_first(r->p, value) != JSON_NONE)
		chat_need(r->chat, CHAT_TOOLS, SLICE("tools"));
	for (json_ref v = json_first(r->p, value); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read(r, v);
	return err;
}

static int read_tools(struct chat_reading *r, json_ref value)
{
	return chat_openai_read_tools(r, value, read_tool);
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
			return refuse(r, INVALID, SLICE("'tool_choice' names no function."), SLICE("tool_choice"));
	} else if (json_type(r->p, value) == JSON_OBJECT) {
		chat_need(chat, CHAT_OWN_TOOLS, SLICE("tool_choice"));
	} else {
		return refuse(r, INVALID,
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
		return refuse(r, INVALID, SLICE("A format of type json_schema needs a schema: an object."), param);
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
	return refuse(r, INVALID, SLICE("The type of this format has to be text, json_object or json_schema."), param);
}

static int read_format(struct chat_reading *r, json_ref value)
{
	json_ref schema = json_member(r->p, value, SLICE("json_schema"));

	return chat_openai_read_format(r, value, schema, SLICE("response_format"));
}

static int add_stop(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return refuse(r, MISTYPED, SLICE("'stop' has to be a string or an array of strings."), SLICE("stop"));
	if (r->chat->stop_count >= CHAT_STOPS_MAX)
		return refuse(r, INVALID, SLICE("'stop' has too many strings. Send at most 4."), SLICE("stop"));
	r->chat->stops[r->chat->stop_count++] = json_string(r->p, value);
	return 0;
}

static int read_stop(struct chat_reading *r, json_ref value)
{
	int err = 0;

	if (json_type(r->p, value) != JSON_ARRAY)
		return add_stop(r, value);
	for (json_ref v = json_first(r->p, value); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = add_stop(r, v);
	return err;
}

/* Both names of it; the newer one wins. */
static int read_limit(struct chat_reading *r, json_ref value)
{
	struct slice name = json_key(r->p, value);
	int64_t limit;

	if (!json_integer(r->p, value, &limit) || limit < 1)
		return refuse(r, INVALID, SLICE("The limit of tokens has to be a positive integer."),
			slice_equal(name, SLICE("max_tokens")) ? SLICE("max_tokens") : SLICE("max_completion_tokens"));
	if (!r->chat->max_tokens || !slice_equal(name, SLICE("max_tokens")))
		r->chat->max_tokens = limit;
	return 0;
}

static int read_number(struct chat_reading *r, json_ref value, struct slice *number, struct slice param)
{
	if (json_type(r->p, value) != JSON_INTEGER && json_type(r->p, value) != JSON_NUMBER)
		return refuse(r, MISTYPED, SLICE("This field has to be a number."), param);
	*number = json_raw(r->p, value);
	return 0;
}

static int read_temperature(struct chat_reading *r, json_ref value)
{
	json_number(r->p, value, &r->chat->temperature_number);
	return read_number(r, value, &r->chat->temperature, SLICE("temperature"));
}

static int read_top_p(struct chat_reading *r, json_ref value)
{
	return read_number(r, value, &r->chat->top_p, SLICE("top_p"));
}

/* Mistyped, it is a knob that is left out like any that is unknown. */
static int read_knob(struct chat_reading *r, json_ref value)
{
	struct slice name = json_key(r->p, value);
	enum json_type type = json_type(r->p, value);

	if (type == JSON_INTEGER || type == JSON_NUMBER)
		r->chat->knobs[chat_knob_of(name)] = json_raw(r->p, value);
	else
		chat_drop(r->chat, name);
	return 0;
}

static int read_effort(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return refuse(r, MISTYPED, SLICE("'reasoning_effort' has to be a string."), SLICE("reasoning_effort"));
	r->chat->effort = json_string(r->p, value);
	return 0;
}

static int read_verbosity(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return refuse(r, MISTYPED, SLICE("'verbosity' has to be a string."), SLICE("verbosity"));
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
		return refuse(r, INVALID, SLICE("'n' has to be a positive integer."), SLICE("n"));
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

static int need_web_search(struct chat_reading *r, json_ref value)
{
	(void)value;
	chat_need(r->chat, CHAT_OWN_OPTIONS, SLICE("web_search_options"));
	return 0;
}

static int need_moderation(struct chat_reading *r, json_ref value)
{
	(void)value;
	chat_need(r->chat, CHAT_OWN_OPTIONS, SLICE("moderation"));
	return 0;
}

static int need_functions(struct chat_reading *r, json_ref value)
{
	(void)value;
	chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("functions"));
	return 0;
}

static int read_stream(struct chat_reading *r, json_ref value)
{
	r->chat->stream = json_type(r->p, value) == JSON_TRUE;
	return 0;
}

/* Read by openai_read_request(), or without effect. */
static int pass_over(struct chat_reading *r, json_ref value)
{
	(void)r;
	(void)value;
	return 0;
}

struct field {
	const char *name;
	int (*read)(struct chat_reading *r, json_ref value);
};

static const struct field *find_field(const struct field *fields, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(key, slice_of_string(fields[i].name)))
			return &fields[i];
	return NULL;
}

/* Those of both APIs. What is in no table is a knob: its name is dropped, and said. */
static const struct field options[] = {
	{"model", pass_over},
	{"stream", read_stream},
	{"stream_options", pass_over},
	{"temperature", read_temperature},
	{"top_p", read_top_p},
	{"parallel_tool_calls", read_parallel},
	{"user", read_user},
	{"safety_identifier", read_user},
	{"moderation", need_moderation},
	{"x-routing-hints", pass_over},
	{"x-fallback-chain", pass_over},
};

static const struct field fields[] = {
	{"messages", chat_openai_read_messages},
	{"max_tokens", read_limit},
	{"max_completion_tokens", read_limit},
	{"stop", read_stop},
	{"seed", read_knob},
	{"frequency_penalty", read_knob},
	{"presence_penalty", read_knob},
	{"tools", read_tools},
	{"tool_choice", chat_openai_read_choice},
	{"response_format", read_format},
	{"reasoning_effort", read_effort},
	{"verbosity", read_verbosity},
	{"n", read_n},
	{"logprobs", read_logprobs},
	{"modalities", read_modalities},
	{"audio", pass_over}, /* nothing without the modality */
	{"functions", need_functions},
	{"function_call", need_functions},
	{"web_search_options", need_web_search},
};

int chat_openai_read_option(struct chat_reading *r, json_ref value)
{
	struct slice key = json_key(r->p, value);
	const struct field *field = find_field(options, sizeof(options) / sizeof(options[0]), key);

	if (field)
		return field->read(r, value);
	if (json_type(r->p, value) != JSON_FALSE) /* false is what all of them do unasked */
		chat_drop(r->chat, key);
	return 0;
}

static int read_field(struct chat_reading *r, json_ref value)
{
	const struct field *field = find_field(fields, sizeof(fields) / sizeof(fields[0]), json_key(r->p, value));

	if (json_type(r->p, value) == JSON_NULL)
		return 0;
	return field ? field->read(r, value) : chat_openai_read_option(r, value);
}

int chat_openai_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem)
{
	struct chat_reading r = {.p = p, .chat = chat, .problem = problem};
	int err = 0;

	for (json_ref m = json_first(p, 0); m != JSON_NONE && !err; m = json_next(p, m))
		err = read_field(&r, m);
	if (err == -E2BIG)
		return chat_refuse(problem, INVALID, SLICE("The conversation has too many parts to be translated."),
			SLICE("messages"));
	return err;
}
