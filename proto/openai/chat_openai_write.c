/* Writes a chat's messages as a request in OpenAI's dialect (chat completions) has them. */
#include "proto/openai/chat_openai.h"

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

static void write_assistant(const struct chat_openai_flavour *flavour, struct chat *chat, struct text *t,
	const struct chat_message *message, bool *first)
{
	bool content = has_content(&message->parts);

	if (has_kind(&message->parts, CHAT_THINKING) || has_kind(&message->parts, CHAT_REDACTED_THINKING))
		chat_drop(chat, SLICE("thinking"));
	if (!content && !has_kind(&message->parts, CHAT_TOOL_CALL))
		return;
	separate(t, first);
	text_literal(t, "{\"role\":\"assistant\"");
	if (content) {
		text_literal(t, ",\"content\":");
		write_content(chat, t, &message->parts, false);
	} else if (!flavour->omits_content) {
		text_literal(t, ",\"content\":null");
	}
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

bool chat_openai_write_messages(const struct chat_openai_flavour *flavour, struct chat *chat, struct text *t)
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
			write_assistant(flavour, chat, t, message, &first);
			break;
		}
	}
	text_char(t, ']');
	return !first;
}
