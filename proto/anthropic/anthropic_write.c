/* Writes a chat as a request in Anthropic's dialect (Messages). */
#include "proto/anthropic/anthropic.h"
#include "proto/chat/turns.h"

static void separate(struct text *t, bool *first)
{
	if (!*first)
		text_char(t, ',');
	*first = false;
}

static void close_block(struct text *t, const struct chat_part *part)
{
	chat_write_json(t, SLICE("cache_control"), part->cache_control);
	text_char(t, '}');
}

static void write_source(struct text *t, const struct chat_part *part)
{
	if (part->url.data) {
		text_literal(t, "{\"type\":\"url\",\"url\":");
		text_json(t, part->url);
	} else {
		text_literal(t, "{\"type\":\"base64\",\"media_type\":");
		text_json(t, part->media_type);
		text_literal(t, ",\"data\":");
		text_json(t, part->data);
	}
	text_char(t, '}');
}

/* An empty text is no block: the provider refuses it. */
static bool is_block(const struct chat_part *part)
{
	return (part->kind != CHAT_TEXT && part->kind != CHAT_REFUSAL) || part->text.size > 0;
}

static void write_result(struct text *t, const struct chat_part *part);

static void write_block(struct text *t, const struct chat_part *part)
{
	switch (part->kind) {
	case CHAT_TEXT:
	case CHAT_REFUSAL:
		text_literal(t, "{\"type\":\"text\",\"text\":");
		text_json(t, part->text);
		break;
	case CHAT_IMAGE:
		text_literal(t, "{\"type\":\"image\",\"source\":");
		write_source(t, part);
		break;
	case CHAT_FILE:
		text_literal(t, "{\"type\":\"document\",\"source\":");
		write_source(t, part);
		chat_write_text(t, SLICE("title"), part->name);
		break;
	case CHAT_TOOL_CALL:
		text_literal(t, "{\"type\":\"tool_use\",\"id\":");
		text_json(t, part->id);
		text_literal(t, ",\"name\":");
		text_json(t, part->name);
		chat_write_json(t, SLICE("input"), part->arguments);
		break;
	case CHAT_TOOL_RESULT:
		write_result(t, part);
		break;
	case CHAT_THINKING:
		text_literal(t, "{\"type\":\"thinking\",\"thinking\":");
		text_json(t, part->text);
		chat_write_text(t, SLICE("signature"), part->signature);
		break;
	case CHAT_REDACTED_THINKING:
		text_literal(t, "{\"type\":\"redacted_thinking\",\"data\":");
		text_json(t, part->text);
		break;
	}
	close_block(t, part);
}

static void write_result(struct text *t, const struct chat_part *part)
{
	bool first = true;

	text_literal(t, "{\"type\":\"tool_result\",\"tool_use_id\":");
	text_json(t, part->id);
	for (const struct chat_part *inner = part->content.first; inner; inner = inner->next) {
		if (!is_block(inner))
			continue;
		text_string(t, first ? ",\"content\":[" : ",");
		first = false;
		write_block(t, inner);
	}
	if (!first)
		text_char(t, ']');
	if (part->is_error)
		text_literal(t, ",\"is_error\":true");
}

static bool is_told(struct chat *chat, const struct chat_part *part)
{
	(void)chat;
	return is_block(part);
}

/* What the system says anywhere is said first: few models take it in the midst of a conversation. */
static void write_system(struct chat *chat, struct text *t)
{
	struct chat_turn_part at = {0};
	struct chat_turns turns;
	bool first = true;

	chat_turns_open(&turns, chat, true, is_told);
	if (!chat_next_turn(&turns))
		return;
	for (const struct chat_part *part; (part = chat_next_part(&turns, &at));) {
		if (part->kind != CHAT_TEXT)
			continue;
		text_string(t, first ? ",\"system\":[" : ",");
		first = false;
		write_block(t, part);
	}
	text_string(t, first ? "" : "]");
}

static int write_part(void *context, const struct chat_part *part)
{
	write_block(context, part);
	return 0;
}

static void write_choice(const struct chat *chat, struct text *t)
{
	static const char *const types[] = {
		[CHAT_CHOICE_UNSAID] = "auto",
		[CHAT_CHOICE_AUTO] = "auto",
		[CHAT_CHOICE_NONE] = "none",
		[CHAT_CHOICE_REQUIRED] = "any",
		[CHAT_CHOICE_TOOL] = "tool",
	};
	bool serial = chat->parallel_tools == 0 && chat->choice != CHAT_CHOICE_NONE;

	if (chat->choice == CHAT_CHOICE_UNSAID && !serial)
		return;
	text_literal(t, ",\"tool_choice\":{\"type\":\"");
	text_string(t, types[chat->choice]);
	text_char(t, '"');
	if (chat->choice == CHAT_CHOICE_TOOL)
		chat_write_text(t, SLICE("name"), chat->choice_name);
	text_string(t, serial ? ",\"disable_parallel_tool_use\":true}" : "}");
}

static void write_tools(const struct chat *chat, struct text *t)
{
	bool first = true;

	if (!chat->tools)
		return;
	text_literal(t, ",\"tools\":[");
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next) {
		separate(t, &first);
		text_literal(t, "{\"name\":");
		text_json(t, tool->name);
		chat_write_text(t, SLICE("description"), tool->description);
		text_literal(t, ",\"input_schema\":");
		chat_write_object_schema(tool, t);
		chat_write_json(t, SLICE("strict"), tool->strict);
		chat_write_json(t, SLICE("cache_control"), tool->cache_control);
		text_char(t, '}');
	}
	text_char(t, ']');
	write_choice(chat, t);
}

/* From 0 to 1 here; of two samplings at once some models take neither. */
static void write_sampling(struct chat *chat, const struct chat_target *target, struct text *t)
{
	if (chat->temperature.data && target->sampling && chat->temperature_number <= 1) {
		chat_write_json(t, SLICE("temperature"), chat->temperature);
	} else if (chat->temperature.data) {
		chat_drop(chat, SLICE("temperature"));
		if (target->sampling)
			text_literal(t, ",\"temperature\":1");
	}
	if (chat->top_p.data && target->sampling && !chat->temperature.data)
		chat_write_json(t, SLICE("top_p"), chat->top_p);
	else if (chat->top_p.data)
		chat_drop(chat, SLICE("top_p"));
	chat_write_knobs(chat, NULL, t);
}

static void write_stops(struct chat *chat, struct text *t)
{
	bool first = true;

	for (unsigned i = 0; i < chat->stop_count; i++) {
		if (chat_is_blank(chat->stops[i])) {
			chat_drop(chat, SLICE("stop"));
			continue;
		}
		text_string(t, first ? ",\"stop_sequences\":[" : ",");
		first = false;
		text_json(t, chat->stops[i]);
	}
	if (!first)
		text_char(t, ']');
}

static void write_output(struct chat *chat, const struct chat_target *target, struct text *t)
{
	struct slice effort = chat->effort;
	bool schema = chat->format == CHAT_FORMAT_JSON_SCHEMA;

	if (effort.data && !target->reasoning) {
		chat_drop(chat, SLICE("reasoning_effort"));
		effort = slice_of(NULL, 0);
	}
	if (slice_equal(effort, SLICE("none"))) {
		text_literal(t, ",\"thinking\":{\"type\":\"disabled\"}");
		effort = slice_of(NULL, 0);
	}
	if (slice_equal(effort, SLICE("minimal")))
		effort = SLICE("low");
	if (!effort.data && !schema)
		return;
	text_literal(t, ",\"output_config\":{");
	if (effort.data) {
		text_literal(t, "\"effort\":");
		text_json(t, effort);
	}
	if (schema) {
		text_string(t,
			effort.data ? ",\"format\":{\"type\":\"json_schema\"" : "\"format\":{\"type\":\"json_schema\"");
		chat_write_json(t, SLICE("schema"), chat->schema);
		text_char(t, '}');
	}
	text_char(t, '}');
}

static bool all_files_are_pdf(const struct chat_parts *parts)
{
	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (part->kind == CHAT_FILE && !part->url.data &&
			!slice_equal_nocase(part->media_type, SLICE("application/pdf")))
			return false;
		if (!all_files_are_pdf(&part->content)) /* a result's parts have none of their own */
			return false;
	}
	return true;
}

int anthropic_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	for (const struct chat_message *message = chat->messages; message; message = message->next)
		if (!all_files_are_pdf(&message->parts))
			return chat_refuse(problem, SLICE("unsupported_feature"),
				SLICE("This model reads files of type application/pdf alone."), SLICE("messages"));
	text_literal(body, "{\"model\":");
	text_json(body, target->model);
	text_literal(body, ",\"max_tokens\":");
	text_i64(body, chat->max_tokens ? chat->max_tokens : target->max_tokens_default);
	write_system(chat, body);
	text_literal(body, ",\"messages\":");
	if (chat_write_turns(chat, is_told, body, write_part, body) == 0)
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("This model needs at least one message of the user's that is not empty."),
			SLICE("messages"));
	write_tools(chat, body);
	write_stops(chat, body);
	write_sampling(chat, target, body);
	write_output(chat, target, body);
	if (chat->user.size) {
		text_literal(body, ",\"metadata\":{\"user_id\":");
		text_json(body, chat->user);
		text_char(body, '}');
	}
	chat_drop_verbosity(chat);
	text_string(body, chat->stream ? ",\"stream\":true}" : "}");
	return 0;
}
