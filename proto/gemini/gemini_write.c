/* Writes a chat as a request in Gemini's dialect: tools and options; the conversation is gemini_contents.c's. */
#include "proto/gemini/gemini.h"

static void write_tools(struct chat *chat, struct text *t)
{
	bool first = true;

	if (!chat->tools)
		return;
	text_literal(t, ",\"tools\":[{\"functionDeclarations\":[");
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next) {
		if (tool->cache_control.data)
			chat_drop(chat, SLICE("cache_control"));
		if (tool->strict.data && tool->strict.data[0] == 't')
			chat_drop(chat, SLICE("strict"));
		text_string(t, first ? "{\"name\":" : ",{\"name\":");
		first = false;
		text_json(t, tool->name);
		chat_write_text(t, SLICE("description"), tool->description);
		if (tool->parameters.data) {
			text_literal(t, ",\"parametersJsonSchema\":");
			gemini_write_schema(chat, t, tool->parameters, tool->untyped);
		}
		text_char(t, '}');
	}
	text_literal(t, "]}]");
}

static void write_choice(struct chat *chat, struct text *t)
{
	static const char *const modes[] = {[CHAT_CHOICE_AUTO] = "AUTO",
		[CHAT_CHOICE_NONE] = "NONE",
		[CHAT_CHOICE_REQUIRED] = "ANY",
		[CHAT_CHOICE_TOOL] = "ANY"};

	if (chat->parallel_tools == 0)
		chat_drop(chat, SLICE("parallel_tool_calls"));
	if (chat->choice == CHAT_CHOICE_UNSAID || !chat->tools)
		return;
	text_literal(t, ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"");
	text_string(t, modes[chat->choice]);
	text_char(t, '"');
	if (chat->choice == CHAT_CHOICE_TOOL) {
		text_literal(t, ",\"allowedFunctionNames\":[");
		text_json(t, chat->choice_name);
		text_char(t, ']');
	}
	text_literal(t, "}}");
}

/* Members of generationConfig, of which the first opens it. */
static void open_option(struct text *t, bool *open, struct slice name)
{
	text_string(t, *open ? ",\"" : ",\"generationConfig\":{\"");
	*open = true;
	text_add(t, name);
	text_literal(t, "\":");
}

static void write_sampling(struct chat *chat, const struct chat_target *target, struct text *t, bool *open)
{
	static const char *const knobs[CHAT_KNOBS] = {[CHAT_SEED] = "seed",
		[CHAT_TOP_K] = "topK",
		[CHAT_FREQUENCY_PENALTY] = "frequencyPenalty",
		[CHAT_PRESENCE_PENALTY] = "presencePenalty"};

	if (chat->temperature.data && target->sampling) {
		open_option(t, open, SLICE("temperature"));
		text_add(t, chat->temperature);
	} else if (chat->temperature.data) {
		chat_drop(chat, SLICE("temperature"));
	}
	if (chat->top_p.data && target->sampling) {
		open_option(t, open, SLICE("topP"));
		text_add(t, chat->top_p);
	} else if (chat->top_p.data) {
		chat_drop(chat, SLICE("top_p"));
	}
	for (unsigned i = 0; i < CHAT_KNOBS; i++)
		if (chat->knobs[i].data) {
			open_option(t, open, slice_of_string(knobs[i]));
			text_add(t, chat->knobs[i]);
		}
}

static void write_stops(const struct chat *chat, struct text *t, bool *open)
{
	if (!chat->stop_count)
		return;
	open_option(t, open, SLICE("stopSequences"));
	for (unsigned i = 0; i < chat->stop_count; i++) {
		text_char(t, i ? ',' : '[');
		text_json(t, chat->stops[i]);
	}
	text_char(t, ']');
}

static void write_format(struct chat *chat, struct text *t, bool *open)
{
	if (chat->format == CHAT_FORMAT_TEXT)
		return;
	open_option(t, open, SLICE("responseMimeType"));
	text_literal(t, "\"application/json\"");
	if (chat->format != CHAT_FORMAT_JSON_SCHEMA)
		return;
	open_option(t, open, SLICE("responseJsonSchema"));
	gemini_write_schema(chat, t, chat->schema, false);
}

/* How far a model thinks: a level from the third generation on, tokens before. None at all is a budget of 0 there; a
 * newer model thinks at least a little. */
static const struct {
	const char *effort, *level;
	unsigned budget_tokens;
} efforts[] = {
	{"none", "MINIMAL", 0},
	{"minimal", "MINIMAL", 1024},
	{"low", "LOW", 1024},
	{"medium", "MEDIUM", 4096},
	{"high", "HIGH", 16384},
	{"xhigh", "HIGH", 16384},
	{"max", "HIGH", 16384},
};

static void write_thinking(struct chat *chat, const struct chat_target *target, struct text *t, bool *open)
{
	enum { HAS_LEVELS = 3 };
	bool none = slice_equal(chat->effort, SLICE("none"));
	size_t i = 0;

	while (i < sizeof(efforts) / sizeof(efforts[0]) &&
		!slice_equal(chat->effort, slice_of_string(efforts[i].effort)))
		i++;
	if (!target->reasoning || i == sizeof(efforts) / sizeof(efforts[0])) {
		if (chat->effort.data)
			chat_drop(chat, chat->thinking.data ? SLICE("thinking") : SLICE("reasoning_effort"));
		return;
	}
	open_option(t, open, SLICE("thinkingConfig"));
	if (gemini_generation(target->model) >= HAS_LEVELS) {
		text_literal(t, "{\"thinkingLevel\":");
		text_json(t, slice_of_string(efforts[i].level));
	} else {
		text_literal(t, "{\"thinkingBudget\":");
		text_u64(t, efforts[i].budget_tokens);
	}
	text_string(t, none ? "}" : ",\"includeThoughts\":true}");
}

static void write_options(struct chat *chat, const struct chat_target *target, struct text *t)
{
	bool open = false;

	if (chat->max_tokens) {
		open_option(t, &open, SLICE("maxOutputTokens"));
		text_i64(t, chat->max_tokens);
	}
	if (chat->n > 1) {
		open_option(t, &open, SLICE("candidateCount"));
		text_u64(t, chat->n);
	}
	write_sampling(chat, target, t, &open);
	write_stops(chat, t, &open);
	write_format(chat, t, &open);
	write_thinking(chat, target, t, &open);
	if (open)
		text_char(t, '}');
}

int gemini_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	enum { STOPS_MAX = 5 };
	int err;

	if (chat->stop_count > STOPS_MAX)
		return chat_refuse(problem, SLICE("unsupported_feature"),
			SLICE("This model stops at no more than 5 strings. Send fewer."), SLICE("stop"));
	if (chat_check_choices(chat, problem) < 0)
		return -EINVAL;
	text_char(body, '{');
	err = gemini_write_contents(chat, target, body, problem);
	if (err)
		return err;
	write_tools(chat, body);
	write_choice(chat, body);
	write_options(chat, target, body);
	if (chat->user.data)
		chat_drop(chat, SLICE("user"));
	chat_drop_verbosity(chat);
	text_char(body, '}');
	return 0;
}
