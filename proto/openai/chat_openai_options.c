/*
 * Writes what a request in OpenAI's dialect (chat completions) says besides its messages, for OpenAI and for those that
 * speak as it does but for names and words: a flavour is a row of data.
 */
#include "proto/openai/chat_openai.h"

static void write_tool(const struct chat_openai_flavour *flavour, const struct chat_tool *tool, struct text *t)
{
	text_literal(t, "{\"type\":\"function\",\"function\":{\"name\":");
	text_json(t, tool->name);
	chat_write_text(t, SLICE("description"), tool->description);
	if (!tool->parameters.data && flavour->needs_parameters)
		text_literal(t, ",\"parameters\":{\"type\":\"object\",\"properties\":{}}");
	chat_write_json(t, SLICE("parameters"), tool->parameters);
	if (!flavour->strict_tools)
		chat_write_json(t, SLICE("strict"), tool->strict);
	text_literal(t, "}}");
}

static void write_choice(const struct chat_openai_flavour *flavour, const struct chat *chat, struct text *t)
{
	const char *word = flavour->choices[chat->choice];

	if (chat->choice == CHAT_CHOICE_TOOL && !word) {
		text_literal(t, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
		text_json(t, chat->choice_name);
		text_literal(t, "}}");
	} else if (word) {
		chat_write_text(t, SLICE("tool_choice"), slice_of_string(word));
	}
}

/* Where a choice cannot name the tool, the others are left out. */
static bool is_offered(const struct chat_openai_flavour *flavour, const struct chat *chat, const struct chat_tool *tool)
{
	return chat->choice != CHAT_CHOICE_TOOL || !flavour->choices[CHAT_CHOICE_TOOL] ||
	       slice_equal(tool->name, chat->choice_name);
}

/* Whether any of them is strict. */
static bool write_tool_list(const struct chat_openai_flavour *flavour, struct chat *chat, struct text *t)
{
	bool first = true, strict = false;

	text_literal(t, ",\"tools\":[");
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next) {
		if (!is_offered(flavour, chat, tool))
			continue;
		if (tool->cache_control.data)
			chat_drop(chat, SLICE("cache_control"));
		if (!first)
			text_char(t, ',');
		first = false;
		strict |= slice_equal(tool->strict, SLICE("true"));
		write_tool(flavour, tool, t);
	}
	text_char(t, ']');
	return strict;
}

static void write_tools(const struct chat_openai_flavour *flavour, struct chat *chat, struct text *t)
{
	if (!chat->tools)
		return;
	if (write_tool_list(flavour, chat, t) && flavour->strict_tools)
		text_literal(t, ",\"strict_tools\":true");
	write_choice(flavour, chat, t);
	if (chat->parallel_tools >= 0 && flavour->parallel_tools)
		text_string(
			t, chat->parallel_tools ? ",\"parallel_tool_calls\":true" : ",\"parallel_tool_calls\":false");
	else if (chat->parallel_tools == 0)
		chat_drop(chat, SLICE("parallel_tool_calls"));
}

void chat_openai_write_format(const struct chat *chat, struct text *t)
{
	if (chat->format == CHAT_FORMAT_JSON_OBJECT)
		text_literal(t, ",\"response_format\":{\"type\":\"json_object\"}");
	if (chat->format != CHAT_FORMAT_JSON_SCHEMA)
		return;
	text_literal(t, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
	text_json(t, chat->schema_name.size ? chat->schema_name : SLICE("answer"));
	chat_write_text(t, SLICE("description"), chat->schema_description);
	chat_write_json(t, SLICE("schema"), chat->schema);
	chat_write_json(t, SLICE("strict"), chat->schema_strict);
	text_literal(t, "}}");
}

void chat_openai_write_effort(struct chat *chat, struct text *t)
{
	chat_write_text(t, SLICE("reasoning_effort"), chat->effort);
}

static void write_sampling(
	const struct chat_openai_flavour *flavour, struct chat *chat, const struct chat_target *target, struct text *t)
{
	if (target->sampling) {
		chat_write_json(t, SLICE("temperature"), chat->temperature);
		chat_write_json(t, slice_of_string(flavour->top_p), chat->top_p);
	} else {
		if (chat->temperature.data)
			chat_drop(chat, SLICE("temperature"));
		if (chat->top_p.data)
			chat_drop(chat, SLICE("top_p"));
	}
	chat_write_knobs(chat, flavour->knobs, t);
}

static void write_limit(const struct chat_openai_flavour *flavour, const struct chat *chat,
	const struct chat_target *target, struct text *t)
{
	if (!chat->max_tokens)
		return;
	text_string(t, target->max_completion_tokens && !flavour->max_tokens ? ",\"max_completion_tokens\":"
									     : ",\"max_tokens\":");
	text_i64(t, chat->max_tokens);
}

static void write_stops(const struct chat_openai_flavour *flavour, const struct chat *chat, struct text *t)
{
	if (!chat->stop_count)
		return;
	text_literal(t, ",\"");
	text_string(t, flavour->stop);
	text_literal(t, "\":");
	for (unsigned i = 0; i < chat->stop_count; i++) {
		text_char(t, i ? ',' : '[');
		text_json(t, chat->stops[i]);
	}
	text_char(t, ']');
}

static void write_options(
	const struct chat_openai_flavour *flavour, struct chat *chat, const struct chat_target *target, struct text *t)
{
	write_limit(flavour, chat, target, t);
	write_sampling(flavour, chat, target, t);
	write_stops(flavour, chat, t);
	if (target->reasoning && chat->effort.data)
		flavour->write_effort(chat, t);
	else if (chat->effort.data)
		chat_drop(chat, chat->thinking.data ? SLICE("thinking") : SLICE("reasoning_effort"));
	if (flavour->user)
		chat_write_text(t, SLICE("user"), chat->user);
	else if (chat->user.data)
		chat_drop(chat, SLICE("user"));
	if (flavour->verbosity)
		chat_write_text(t, SLICE("verbosity"), chat->verbosity);
	else
		chat_drop_verbosity(chat);
	if (chat->n > 1) {
		text_literal(t, ",\"n\":");
		text_u64(t, chat->n);
	}
}

int chat_openai_write_as(const struct chat_openai_flavour *flavour, struct chat *chat, const struct chat_target *target,
	struct text *body, struct openai_problem *problem)
{
	if (chat_check_choices(chat, problem) < 0)
		return -EINVAL;
	text_literal(body, "{\"model\":");
	text_json(body, target->model);
	if (!chat_openai_write_messages(flavour, chat, body))
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("This model needs at least one message that is not empty."), SLICE("messages"));
	write_tools(flavour, chat, body);
	flavour->write_format(chat, body);
	write_options(flavour, chat, target, body);
	if (chat->stream)
		text_literal(body, ",\"stream\":true");
	if (chat->stream && flavour->asks_usage)
		text_literal(body, ",\"stream_options\":{\"include_usage\":true}");
	text_char(body, '}');
	return 0;
}

int chat_openai_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	static const struct chat_openai_flavour plain = {
		.top_p = "top_p",
		.stop = "stop",
		.knobs = {[CHAT_SEED] = "seed",
			[CHAT_FREQUENCY_PENALTY] = "frequency_penalty",
			[CHAT_PRESENCE_PENALTY] = "presence_penalty"},
		.choices =
			{[CHAT_CHOICE_AUTO] = "auto", [CHAT_CHOICE_NONE] = "none", [CHAT_CHOICE_REQUIRED] = "required"},
		.parallel_tools = true,
		.user = true,
		.verbosity = true,
		.asks_usage = true,
		.write_format = chat_openai_write_format,
		.write_effort = chat_openai_write_effort,
	};

	return chat_openai_write_as(&plain, chat, target, body, problem);
}
