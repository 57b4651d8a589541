/* Reads a request to the Responses API into the form of a chat: all but its input, which is responses_items.c's. */
#include "proto/responses/responses.h"

/* ---- tools -------------------------------------------------------------------------------------------------- */

/* A tool that OpenAI runs, or a kind of its own: refused by its name. */
static int refuse_tool(struct chat_reading *r, struct slice type)
{
	struct text message = text_over(arena_alloc(r->chat->arena, 256), 256);

	if (!message.data)
		return -ENOMEM;
	text_literal(&message, "This model's provider has no tool of type '");
	for (size_t i = 0; i < type.size && i < 64; i++)
		text_char(&message, type.data[i] > ' ' && type.data[i] <= '~' ? type.data[i] : '?');
	text_literal(
		&message, "'. Send tools of type function, or use a model of a provider that serves /v1/responses.");
	return chat_read_refuse(r, SLICE("unsupported_feature"), text_slice(&message), SLICE("tools"));
}

static int read_tool(struct chat_reading *r, json_ref value)
{
	struct slice type = chat_member_text(r->p, value, SLICE("type"));

	if (!type.data)
		return chat_read_refuse(r, CHAT_INVALID, SLICE("Each of 'tools' needs a type."), SLICE("tools"));
	return slice_equal(type, SLICE("function")) ? chat_read_tool(r, value, SLICE("parameters"))
						    : refuse_tool(r, type);
}

static int read_tools(struct chat_reading *r, json_ref value)
{
	return chat_read_tools(r, value, read_tool);
}

static int read_choice(struct chat_reading *r, json_ref value)
{
	if (!slice_equal(chat_member_text(r->p, value, SLICE("type")), SLICE("function")))
		return chat_openai_read_choice(r, value);
	r->chat->choice = CHAT_CHOICE_TOOL;
	r->chat->choice_name = chat_member_text(r->p, value, SLICE("name"));
	if (!r->chat->choice_name.size)
		return chat_read_refuse(
			r, CHAT_INVALID, SLICE("'tool_choice' names no function."), SLICE("tool_choice"));
	chat_need(r->chat, CHAT_FORCED_TOOLS, SLICE("tool_choice"));
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------ */

static int read_text(struct chat_reading *r, json_ref value)
{
	json_ref format = json_member(r->p, value, SLICE("format"));

	if (json_type(r->p, value) != JSON_OBJECT)
		return chat_read_refuse(r, CHAT_MISTYPED, SLICE("'text' has to be an object."), SLICE("text"));
	r->chat->verbosity = chat_member_text(r->p, value, SLICE("verbosity"));
	r->chat->verbosity_param = SLICE("text.verbosity");
	return chat_given(r->p, format) ? chat_openai_read_format(r, format, format, SLICE("text.format")) : 0;
}

static int read_reasoning(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_OBJECT)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("'reasoning' has to be an object."), SLICE("reasoning"));
	r->chat->effort = chat_member_text(r->p, value, SLICE("effort"));
	/* A provider's thinking is shown as it comes, whatever summary was asked for. */
	if (chat_given(r->p, json_member(r->p, value, SLICE("summary"))))
		chat_drop(r->chat, SLICE("reasoning.summary"));
	return 0;
}

/* Most of what can be included is told anyway or belongs to tools that are refused. */
static int read_include(struct chat_reading *r, json_ref value)
{
	for (json_ref v = chat_first(r->p, value); v != JSON_NONE; v = json_next(r->p, v))
		if (json_type(r->p, v) == JSON_STRING &&
			slice_equal(json_string(r->p, v), SLICE("message.output_text.logprobs")))
			chat_need(r->chat, CHAT_LOGPROBS, SLICE("include"));
	return 0;
}

static int read_truncation(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING || !slice_equal(json_string(r->p, value), SLICE("disabled")))
		chat_drop(r->chat, SLICE("truncation"));
	return 0;
}

/* What is not in this table is chat_openai_read_option()'s. */
static const struct chat_field fields[] = {
	{.name = "instructions"}, /* read first */
	{"input", responses_read_input, 0}, {"tools", read_tools, 0}, {"tool_choice", read_choice, 0},
	{"text", read_text, 0}, {"reasoning", read_reasoning, 0}, {"max_output_tokens", chat_read_limit, 0},
	{"include", read_include, 0}, {"truncation", read_truncation, 0}, {"conversation", NULL, CHAT_OWN_OPTIONS},
	{"prompt", NULL, CHAT_OWN_OPTIONS}, {.name = "store"},  /* the gateway keeps conversations itself */
	{.name = "previous_response_id"}, {.name = "metadata"}, /* the answer repeats it */
};

/* Before the input, wherever it stands in the document. */
static int read_instructions(struct chat_reading *r)
{
	json_ref instructions = json_member(r->p, 0, SLICE("instructions"));
	struct chat_message *message;
	struct chat_part *part;

	if (!chat_given(r->p, instructions))
		return 0;
	if (json_type(r->p, instructions) != JSON_STRING)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("'instructions' has to be a string."), SLICE("instructions"));
	message = chat_add_message(r->chat, CHAT_SYSTEM);
	part = message ? chat_add_part(r->chat, &message->parts, CHAT_TEXT) : NULL;
	if (!part)
		return r->chat->err;
	part->text = json_string(r->p, instructions);
	return 0;
}

/* What an answer repeats of its request, and what it says where the request did not: OpenAI's defaults. */
static const struct {
	struct slice name, unsaid;
} echoed[] = {
	{SLICE("instructions"), SLICE("null")},
	{SLICE("max_output_tokens"), SLICE("null")},
	{SLICE("metadata"), SLICE("{}")},
	{SLICE("parallel_tool_calls"), SLICE("true")},
	{SLICE("reasoning"), SLICE("{\"effort\":null,\"summary\":null}")},
	{SLICE("temperature"), SLICE("1")},
	{SLICE("text"), SLICE("{\"format\":{\"type\":\"text\"}}")},
	{SLICE("tool_choice"), SLICE("\"auto\"")},
	{SLICE("tools"), SLICE("[]")},
	{SLICE("top_p"), SLICE("1")},
	{SLICE("truncation"), SLICE("\"disabled\"")},
};

enum { ECHOED = sizeof(echoed) / sizeof(echoed[0]) };

static int keep_echo(struct chat_reading *r)
{
	struct slice values[ECHOED];
	size_t size = 0;
	struct text echo;

	for (size_t i = 0; i < ECHOED; i++) {
		values[i] = chat_member_json(r->p, 0, echoed[i].name);
		if (!values[i].data)
			values[i] = echoed[i].unsaid;
		size += echoed[i].name.size + values[i].size + 4;
	}
	echo = text_over(arena_alloc(r->chat->arena, size), size);
	if (!echo.data)
		return -ENOMEM;
	for (size_t i = 0; i < ECHOED; i++)
		chat_write_json(&echo, echoed[i].name, values[i]);
	for (size_t i = 0; i < echo.size; i++)
		if (echo.data[i] == '\n' || echo.data[i] == '\r')
			echo.data[i] = ' '; /* an event of a stream is one line; strings hold none of these */
	r->chat->echo = text_slice(&echo);
	return 0;
}

int responses_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem)
{
	struct chat_reading r = {.p = p, .chat = chat, .problem = problem};
	int err = read_instructions(&r);

	if (!err)
		err = chat_read_fields(&r, fields, sizeof(fields) / sizeof(fields[0]), chat_openai_read_option);
	if (!err)
		err = keep_echo(&r);
	return chat_read_end(&r, err, SLICE("input"));
}
