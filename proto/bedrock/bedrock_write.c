/* Writes a chat as a request in Bedrock's dialect: tools and options; the conversation is bedrock_messages.c's. */
#include "proto/bedrock/bedrock.h"

/* Members that only models of one vendor have go apart from the others; those of Anthropic's are known here. */
static bool is_claude(const struct chat_target *target)
{
	static const struct slice vendor = {"anthropic.", 10};

	return target->model.size >= vendor.size &&
	       memmem(target->model.data, target->model.size, vendor.data, vendor.size);
}

/* ---- tools -------------------------------------------------------------------------------------------------- */

static void write_tool(struct text *t, const struct chat_tool *tool)
{
	text_literal(t, "{\"toolSpec\":{\"name\":");
	text_json(t, tool->name);
	if (!chat_is_blank(tool->description))
		chat_write_text(t, SLICE("description"), tool->description);
	text_literal(t, ",\"inputSchema\":{\"json\":");
	chat_write_object_schema(tool, t);
	text_char(t, '}');
	chat_write_json(t, SLICE("strict"), tool->strict);
	text_literal(t, "}}");
	bedrock_write_cache_point(tool->cache_control, t);
}

static bool is_among(const struct slice *names, unsigned count, struct slice name)
{
	for (unsigned i = 0; i < count; i++)
		if (slice_equal(names[i], name))
			return true;
	return false;
}

/* The distinct names of the calls in the conversation, as far as there is room. */
static unsigned names_of_calls(const struct chat *chat, struct slice *names, unsigned max)
{
	unsigned count = 0;

	for (const struct chat_message *message = chat->messages; message; message = message->next)
		for (const struct chat_part *part = message->parts.first; part && count < max; part = part->next)
			if (part->kind == CHAT_TOOL_CALL && !is_among(names, count, part->name))
				names[count++] = part->name;
	return count;
}

static void write_choice(const struct chat *chat, struct text *t)
{
	static const char *const choices[] = {
		[CHAT_CHOICE_AUTO] = "{\"auto\":{}}", [CHAT_CHOICE_REQUIRED] = "{\"any\":{}}"};

	if (chat->choice == CHAT_CHOICE_AUTO || chat->choice == CHAT_CHOICE_REQUIRED)
		chat_write_json(t, SLICE("toolChoice"), slice_of_string(choices[chat->choice]));
	if (chat->choice != CHAT_CHOICE_TOOL)
		return;
	text_literal(t, ",\"toolChoice\":{\"tool\":{\"name\":");
	text_json(t, chat->choice_name);
	text_literal(t, "}}");
}

/*
 * A conversation with calls wants tools, also where the client sends none any more: then they are named as the calls
 * are. "none" is not among the choices: without calls so far it is to have no tools.
 */
static void write_tools(struct chat *chat, struct text *t)
{
	enum { NAMES_MAX = 64 };
	struct slice names[NAMES_MAX];
	unsigned count = names_of_calls(chat, names, NAMES_MAX);
	bool none = chat->choice == CHAT_CHOICE_NONE, first = true;

	if (chat->parallel_tools == 0)
		chat_drop(chat, SLICE("parallel_tool_calls"));
	if (none && count && chat->tools)
		chat_drop(chat, SLICE("tool_choice"));
	if (count == 0 && (none || !chat->tools))
		return;
	text_literal(t, ",\"toolConfig\":{\"tools\":[");
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next) {
		text_string(t, first ? "" : ",");
		first = false;
		write_tool(t, tool);
	}
	for (unsigned i = 0; i < count && !chat->tools; i++) {
		text_string(t, i ? "," : "");
		write_tool(t, &(struct chat_tool){.name = names[i]});
	}
	text_char(t, ']');
	if (chat->tools)
		write_choice(chat, t);
	text_char(t, '}');
}

/* ---- options ------------------------------------------------------------------------------------------------ */

/* Members of an object, of which the first opens it. */
struct members {
	struct text *t;
	const char *object; /* `,"name":{` */
	bool open;
};

static void add_member(struct members *m, const char *name, struct slice json)
{
	text_string(m->t, m->open ? "," : m->object);
	m->open = true;
	text_char(m->t, '"');
	text_string(m->t, name);
	text_literal(m->t, "\":");
	text_add(m->t, json);
}

static void close_members(struct members *m)
{
	if (m->open)
		text_char(m->t, '}');
}

/* From 0 to 1 here; of two samplings at once Claude's newer versions take neither. */
static void write_sampling(struct chat *chat, const struct chat_target *target, struct members *m)
{
	bool both = chat->temperature.data && is_claude(target);

	if (chat->temperature.data && target->sampling)
		add_member(m, "temperature", chat->temperature_number <= 1 ? chat->temperature : SLICE("1"));
	if (chat->temperature.data && (!target->sampling || chat->temperature_number > 1))
		chat_drop(chat, SLICE("temperature"));
	if (chat->top_p.data && target->sampling && !both)
		add_member(m, "topP", chat->top_p);
	else if (chat->top_p.data)
		chat_drop(chat, SLICE("top_p"));
}

static void write_stops(struct chat *chat, struct members *m)
{
	bool first = true;

	for (unsigned i = 0; i < chat->stop_count; i++) {
		if (chat_is_blank(chat->stops[i])) {
			chat_drop(chat, SLICE("stop"));
			continue;
		}
		if (first)
			add_member(m, "stopSequences", SLICE("["));
		else
			text_char(m->t, ',');
		first = false;
		text_json(m->t, chat->stops[i]);
	}
	if (!first)
		text_char(m->t, ']');
}

static void write_inference(struct chat *chat, const struct chat_target *target, struct text *t)
{
	struct members m = {.t = t, .object = ",\"inferenceConfig\":{"};
	char memory[24];
	struct text number = text_over(memory, sizeof(memory));

	if (chat->max_tokens) {
		text_i64(&number, chat->max_tokens);
		add_member(&m, "maxTokens", text_slice(&number));
	}
	write_sampling(chat, target, &m);
	write_stops(chat, &m);
	close_members(&m);
}

/* What Claude alone is told: in Anthropic's own words. */
static void write_additional(struct chat *chat, const struct chat_target *target, struct text *t)
{
	struct members m = {.t = t, .object = ",\"additionalModelRequestFields\":{"};

	if (chat->knobs[CHAT_TOP_K].data && is_claude(target) && target->sampling) {
		add_member(&m, "top_k", chat->knobs[CHAT_TOP_K]);
		chat->knobs[CHAT_TOP_K] = slice_of(NULL, 0);
	}
	if (chat->thinking.data && is_claude(target) && target->reasoning) {
		add_member(&m, "thinking", chat->thinking);
		chat->effort = slice_of(NULL, 0);
	}
	close_members(&m);
	chat_write_knobs(chat, NULL, t);
}

/* The schema goes as a text. */
static void write_format(const struct chat *chat, struct members *m)
{
	if (chat->format != CHAT_FORMAT_JSON_SCHEMA)
		return;
	add_member(m, "textFormat", SLICE("{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"schema\":"));
	text_json(m->t, chat->schema);
	if (chat->schema_name.size)
		chat_write_text(m->t, SLICE("name"), chat->schema_name);
	text_literal(m->t, "}}}");
}

static void write_output(struct chat *chat, const struct chat_target *target, struct text *t)
{
	struct members m = {.t = t, .object = ",\"outputConfig\":{"};
	char memory[24];
	struct text effort = text_over(memory, sizeof(memory));

	write_format(chat, &m);
	if (chat->effort.data && !target->reasoning)
		chat_drop(chat, chat->thinking.data ? SLICE("thinking") : SLICE("reasoning_effort"));
	else if (chat->effort.data && !slice_equal(chat->effort, SLICE("none"))) {
		text_json(&effort, slice_equal(chat->effort, SLICE("minimal")) ? SLICE("low") : chat->effort);
		if (!effort.full)
			add_member(&m, "effort", text_slice(&effort));
	}
	close_members(&m);
}

int bedrock_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	int err;

	text_char(body, '{');
	err = bedrock_write_messages(chat, body, problem);
	if (err)
		return err;
	write_tools(chat, body);
	write_inference(chat, target, body);
	write_additional(chat, target, body);
	write_output(chat, target, body);
	if (chat->user.data)
		chat_drop(chat, SLICE("user"));
	chat_drop_verbosity(chat);
	text_char(body, '}');
	return 0;
}
