/* Writes a chat as a request in OpenAI's dialect (chat completions). */
#include "proto/chat_openai.h"

/* Between two elements; the first one opens nothing. */
static void separate(struct text *t, bool *first)
{
	if (!*first)
		text_char(t, ',');
	*first = false;
}

static void drop_cache_control(struct chat *chat, const struct chat_part *part)
{
	if (part->cache_control.data)
		chat_drop(chat, SLICE("cache_control"));
}

static void write_data_url(struct text *t, const struct chat_part *part)
{
	/* Base64 and a media type need no escapes; what needs some is not base64, and the provider's to refuse. */
	text_literal(t, "\"data:");
	for (size_t i = 0; i < part->media_type.size; i++)
		text_char(t, part->media_type.data[i] >= ' ' && part->media_type.data[i] != '"' &&
					     part->media_type.data[i] != '\\'
				     ? part->media_type.data[i]
				     : '?');
	text_literal(t, ";base64,");
	if (memchr(part->data.data, '"', part->data.size) || memchr(part->data.data, '\\', part->data.size))
		text_literal(t, "?");
	else
		text_add(t, part->data);
	text_char(t, '"');
}

static void write_part(struct text *t, const struct chat_part *part)
{
	switch (part->kind) {
	case CHAT_IMAGE:
		text_literal(t, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
		if (part->url.data)
			text_json(t, part->url);
		else
			write_data_url(t, part);
		text_literal(t, "}}");
		break;
	case CHAT_FILE:
		text_literal(t, "{\"type\":\"file\",\"file\":{\"file_data\":");
		write_data_url(t, part);
		chat_write_text(t, SLICE("filename"), part->name.data ? part->name : SLICE("file.pdf"));
		text_literal(t, "}}");
		break;
	default:
		text_literal(t, "{\"type\":\"text\",\"text\":");
		text_json(t, part->text);
		text_char(t, '}');
		break;
	}
}

/* An empty text says nothing: other dialects refuse it, so that it would not come back from them. */
static bool is_content(const struct chat_part *part)
{
	if (part->kind == CHAT_TEXT || part->kind == CHAT_REFUSAL)
		return part->text.size > 0;
	return part->kind == CHAT_IMAGE || part->kind == CHAT_FILE;
}

static bool has_content(const struct chat_parts *parts)
{
	for (const struct chat_part *part = parts->first; part; part = part->next)
		if (is_content(part))
			return true;
	return false;
}

/* A single text as a string, which every server takes; else parts. Returns how many there were. */
static unsigned write_content(struct chat *chat, struct text *t, const struct chat_parts *parts, bool texts_only)
{
	const struct chat_part *only = NULL;
	unsigned count = 0;
	bool first = true;

	for (const struct chat_part *part = parts->first; part; part = part->next) {
		drop_cache_control(chat, part);
		if (!is_content(part) || (texts_only && part->kind != CHAT_TEXT))
			continue;
		only = part;
		count++;
	}
	if (count == 0) {
		text_literal(t, "\"\"");
		return 0;
	}
	if (count == 1 && only->kind == CHAT_TEXT) {
		text_json(t, only->text);
		return 1;
	}
	text_char(t, '[');
	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (!is_content(part) || (texts_only && part->kind != CHAT_TEXT))
			continue;
		separate(t, &first);
		write_part(t, part);
	}
	text_char(t, ']');
	return count;
}

struct slice chat_openai_read_signature(const struct json_parser *p, json_ref call)
{
	json_ref google = json_member(p, json_member(p, call, SLICE("extra_content")), SLICE("google"));

	return chat_member_text(p, google, SLICE("thought_signature"));
}

void chat_openai_write_signature(struct text *t, struct slice signature)
{
	if (!signature.size)
		return;
	text_literal(t, ",\"extra_content\":{\"google\":{\"thought_signature\":");
	text_json(t, signature);
	text_literal(t, "}}");
}

void chat_openai_write_calls(struct text *t, const struct chat_parts *parts)
{
	bool first = true;

	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (part->kind != CHAT_TOOL_CALL)
			continue;
		text_string(t, first ? ",\"tool_calls\":[" : ",");
		first = false;
		text_literal(t, "{\"id\":");
		text_json(t, part->id);
		text_literal(t, ",\"type\":\"function\",\"function\":{\"name\":");
		text_json(t, part->name);
		text_literal(t, ",\"arguments\":");
		text_json(t, part->arguments);
		text_char(t, '}');
		chat_openai_write_signature(t, part->signature);
		text_char(t, '}');
	}
	if (!first)
		text_char(t, ']');
}

static bool has_kind(const struct chat_parts *parts, enum chat_part_kind kind)
{
	for (const struct chat_part *part = parts->first; part; part = part->next)
		if (part->kind == kind)
			return true;
	return false;
}

static void write_assistant(struct chat *chat, struct text *t, const struct chat_message *message, bool *first)
{
	bool content = has_content(&message->parts);

	if (has_kind(&message->parts, CHAT_THINKING) || has_kind(&message->parts, CHAT_REDACTED_THINKING))
		chat_drop(chat, SLICE("thinking"));
	if (!content && !has_kind(&message->parts, CHAT_TOOL_CALL))
		return;
	separate(t, first);
	text_literal(t, "{\"role\":\"assistant\",\"content\":");
	if (content)
		write_content(chat, t, &message->parts, false);
	else
		text_literal(t, "null");
	chat_openai_write_calls(t, &message->parts);
	text_char(t, '}');
}

/*
 * A message of results becomes one message for each, then one of the user's with what else it said. Tool messages hold
 * text alone: images of a result go with the user's.
 */
static void write_results(struct chat *chat, struct text *t, const struct chat_message *message, bool *first)
{
	for (const struct chat_part *part = message->parts.first; part; part = part->next) {
		if (part->kind != CHAT_TOOL_RESULT)
			continue;
		drop_cache_control(chat, part);
		if (part->is_error)
			chat_drop(chat, SLICE("is_error"));
		separate(t, first);
		text_literal(t, "{\"role\":\"tool\",\"tool_call_id\":");
		text_json(t, part->id);
		text_literal(t, ",\"content\":");
		write_content(chat, t, &part->content, true);
		text_char(t, '}');
	}
}

static void write_result_images(struct text *t, const struct chat_message *message, bool *first)
{
	for (const struct chat_part *part = message->parts.first; part; part = part->next)
		for (const struct chat_part *inner = part->content.first; inner; inner = inner->next) {
			if (inner->kind != CHAT_IMAGE && inner->kind != CHAT_FILE)
				continue;
			separate(t, first);
			write_part(t, inner);
		}
}

static bool has_result_images(const struct chat_message *message)
{
	for (const struct chat_part *part = message->parts.first; part; part = part->next)
		if (has_kind(&part->content, CHAT_IMAGE) || has_kind(&part->content, CHAT_FILE))
			return true;
	return false;
}

static void write_user(struct chat *chat, struct text *t, const struct chat_message *message, bool *first)
{
	bool first_part = true;

	write_results(chat, t, message, first);
	if (!has_content(&message->parts) && !has_result_images(message))
		return;
	separate(t, first);
	text_literal(t, "{\"role\":\"user\",\"content\":");
	if (!has_result_images(message)) {
		write_content(chat, t, &message->parts, false);
	} else {
		text_char(t, '[');
		write_result_images(t, message, &first_part);
		for (const struct chat_part *part = message->parts.first; part; part = part->next)
			if (is_content(part)) {
				separate(t, &first_part);
				write_part(t, part);
			}
		text_char(t, ']');
	}
	text_char(t, '}');
}

static void write_system(struct chat *chat, struct text *t, const struct chat_message *message, bool *first)
{
	if (!has_content(&message->parts))
		return;
	separate(t, first);
	text_literal(t, "{\"role\":\"system\",\"content\":");
	write_content(chat, t, &message->parts, true);
	text_char(t, '}');
}

/* False when there was nothing to say. A message that holds nothing is left out. */
static bool write_messages(struct chat *chat, struct text *t)
{
	bool first = true;

	text_literal(t, ",\"messages\":[");
	for (const struct chat_message *message = chat->messages; message; message = message->next) {
		switch (message->role) {
		case CHAT_SYSTEM:
			write_system(chat, t, message, &first);
			break;
		case CHAT_USER:
			write_user(chat, t, message, &first);
			break;
		case CHAT_ASSISTANT:
			write_assistant(chat, t, message, &first);
			break;
		}
	}
	text_char(t, ']');
	return !first;
}

static void write_tools(struct chat *chat, struct text *t)
{
	bool first = true;

	if (!chat->tools)
		return;
	text_literal(t, ",\"tools\":[");
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next) {
		if (tool->cache_control.data)
			chat_drop(chat, SLICE("cache_control"));
		separate(t, &first);
		text_literal(t, "{\"type\":\"function\",\"function\":{\"name\":");
		text_json(t, tool->name);
		chat_write_text(t, SLICE("description"), tool->description);
		chat_write_json(t, SLICE("parameters"), tool->parameters);
		chat_write_json(t, SLICE("strict"), tool->strict);
		text_literal(t, "}}");
	}
	text_char(t, ']');
	switch (chat->choice) {
	case CHAT_CHOICE_UNSAID:
		break;
	case CHAT_CHOICE_AUTO:
		text_literal(t, ",\"tool_choice\":\"auto\"");
		break;
	case CHAT_CHOICE_NONE:
		text_literal(t, ",\"tool_choice\":\"none\"");
		break;
	case CHAT_CHOICE_REQUIRED:
		text_literal(t, ",\"tool_choice\":\"required\"");
		break;
	case CHAT_CHOICE_TOOL:
		text_literal(t, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
		text_json(t, chat->choice_name);
		text_literal(t, "}}");
		break;
	}
	if (chat->parallel_tools >= 0)
		text_string(
			t, chat->parallel_tools ? ",\"parallel_tool_calls\":true" : ",\"parallel_tool_calls\":false");
}

static void write_format(const struct chat *chat, struct text *t)
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

static void write_options(struct chat *chat, const struct chat_target *target, struct text *t)
{
	if (chat->max_tokens) {
		text_string(t, target->max_completion_tokens ? ",\"max_completion_tokens\":" : ",\"max_tokens\":");
		text_i64(t, chat->max_tokens);
	}
	if (target->sampling) {
		chat_write_json(t, SLICE("temperature"), chat->temperature);
		chat_write_json(t, SLICE("top_p"), chat->top_p);
	} else {
		if (chat->temperature.data)
			chat_drop(chat, SLICE("temperature"));
		if (chat->top_p.data)
			chat_drop(chat, SLICE("top_p"));
	}
	for (unsigned i = 0; i < chat->stop_count; i++) {
		text_string(t, i ? "," : ",\"stop\":[");
		text_json(t, chat->stops[i]);
	}
	if (chat->stop_count)
		text_char(t, ']');
	if (target->reasoning)
		chat_write_text(t, SLICE("reasoning_effort"), chat->effort);
	else if (chat->effort.data)
		chat_drop(chat, chat->thinking.data ? SLICE("thinking") : SLICE("reasoning_effort"));
	chat_write_text(t, SLICE("user"), chat->user);
}

int chat_openai_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	text_literal(body, "{\"model\":");
	text_json(body, target->model);
	if (!write_messages(chat, body))
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("This model needs at least one message that is not empty."), SLICE("messages"));
	write_tools(chat, body);
	write_format(chat, body);
	write_options(chat, target, body);
	if (chat->stream)
		text_literal(body, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	text_char(body, '}');
	return 0;
}
