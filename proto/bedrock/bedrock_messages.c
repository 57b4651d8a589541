/*
 * The conversation of a request in Bedrock's dialect: turns alternate, so that neighbours of one role become one; no
 * text is blank, since the provider refuses those; bytes go with the request, never by address.
 */
#include "proto/bedrock/bedrock.h"
#include "proto/chat/turns.h"

struct writing {
	struct text *t;
	struct openai_problem *problem;
	unsigned file_count;
};

void bedrock_write_cache_point(struct slice cache_control, struct text *t)
{
	static const struct slice hour = {"\"1h\"", 4};

	if (!cache_control.data)
		return;
	text_literal(t, ",{\"cachePoint\":{\"type\":\"default\"");
	if (cache_control.size && memmem(cache_control.data, cache_control.size, hour.data, hour.size))
		text_literal(t, ",\"ttl\":\"1h\"");
	text_literal(t, "}}");
}

/* ---- bytes -------------------------------------------------------------------------------------------------- */

/* NULL: a type that the provider does not read. */
static const char *format_of(const struct chat_part *part)
{
	static const struct {
		enum chat_part_kind kind;
		struct slice type;
		const char *format;
	} table[] = {
		{CHAT_IMAGE, {"image/png", 9}, "png"},
		{CHAT_IMAGE, {"image/jpeg", 10}, "jpeg"},
		{CHAT_IMAGE, {"image/jpg", 9}, "jpeg"},
		{CHAT_IMAGE, {"image/gif", 9}, "gif"},
		{CHAT_IMAGE, {"image/webp", 10}, "webp"},
		{CHAT_FILE, {"application/pdf", 15}, "pdf"},
		{CHAT_FILE, {"text/plain", 10}, "txt"},
		{CHAT_FILE, {"text/markdown", 13}, "md"},
		{CHAT_FILE, {"text/html", 9}, "html"},
		{CHAT_FILE, {"text/csv", 8}, "csv"},
		{CHAT_FILE, {"application/msword", 18}, "doc"},
		{CHAT_FILE, {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", 71}, "docx"},
		{CHAT_FILE, {"application/vnd.ms-excel", 24}, "xls"},
		{CHAT_FILE, {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 65}, "xlsx"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (part->kind == table[i].kind && slice_equal_nocase(part->media_type, table[i].type))
			return table[i].format;
	return NULL;
}

static int refuse(struct writing *w, struct slice message)
{
	return chat_refuse(w->problem, SLICE("unsupported_feature"), message, SLICE("messages"));
}

/* A file's own name may hold what the provider refuses, and could tell the model what to do: it is called by number. */
static int write_media(struct writing *w, const struct chat_part *part)
{
	const char *format = format_of(part);

	if (!part->data.data)
		return refuse(
			w, SLICE("This model reads images and files that are sent as data alone, not by address."));
	if (!format)
		return refuse(
			w, SLICE("This model reads images of type png, jpeg, gif and webp alone, and files of type "
				 "pdf, txt, md, html, csv, doc, docx, xls and xlsx."));
	text_string(w->t, part->kind == CHAT_IMAGE ? "{\"image\":{\"format\":\"" : "{\"document\":{\"format\":\"");
	text_string(w->t, format);
	text_char(w->t, '"');
	if (part->kind == CHAT_FILE) {
		text_literal(w->t, ",\"name\":\"Document ");
		text_u64(w->t, ++w->file_count);
		text_char(w->t, '"');
	}
	text_literal(w->t, ",\"source\":{\"bytes\":");
	text_json(w->t, part->data);
	text_literal(w->t, "}}}");
	return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------------------- */

static void write_text(struct writing *w, struct slice text)
{
	text_literal(w->t, "{\"text\":");
	text_json(w->t, text);
	text_char(w->t, '}');
}

static void write_call(struct writing *w, const struct chat_part *part)
{
	text_literal(w->t, "{\"toolUse\":{\"toolUseId\":");
	text_json(w->t, part->id);
	text_literal(w->t, ",\"name\":");
	text_json(w->t, part->name);
	chat_write_json(w->t, SLICE("input"), part->arguments.size ? part->arguments : SLICE("{}"));
	text_literal(w->t, "}}");
}

/* A result says something: one that is empty says that. */
static int write_result(struct writing *w, const struct chat_part *result)
{
	bool first = true;
	int err = 0;

	text_literal(w->t, "{\"toolResult\":{\"toolUseId\":");
	text_json(w->t, result->id);
	text_literal(w->t, ",\"content\":[");
	for (const struct chat_part *part = result->content.first; part && !err; part = part->next) {
		bool is_text = part->kind == CHAT_TEXT;

		if (is_text && chat_is_blank(part->text))
			continue;
		text_string(w->t, first ? "" : ",");
		first = false;
		if (is_text)
			write_text(w, part->text);
		else
			err = write_media(w, part);
	}
	if (first)
		write_text(w, SLICE("(empty)"));
	text_string(w->t, result->is_error ? "],\"status\":\"error\"}}" : "]}}");
	return err;
}

static void write_thinking(struct writing *w, const struct chat_part *part)
{
	if (part->kind == CHAT_REDACTED_THINKING) {
		text_literal(w->t, "{\"reasoningContent\":{\"redactedContent\":");
		text_json(w->t, part->text);
		text_literal(w->t, "}}");
		return;
	}
	text_literal(w->t, "{\"reasoningContent\":{\"reasoningText\":{\"text\":");
	text_json(w->t, part->text);
	chat_write_text(w->t, SLICE("signature"), part->signature);
	text_literal(w->t, "}}}");
}

/* Thinking that nobody signed is not taken back. */
static bool is_told(struct chat *chat, const struct chat_part *part)
{
	if (part->kind == CHAT_TEXT || part->kind == CHAT_REFUSAL)
		return !chat_is_blank(part->text);
	if (part->kind != CHAT_THINKING || part->signature.size)
		return true;
	chat_drop(chat, SLICE("thinking"));
	return false;
}

static int write_block(void *context, const struct chat_part *part)
{
	struct writing *w = context;
	int err = 0;

	switch (part->kind) {
	case CHAT_TEXT:
	case CHAT_REFUSAL:
		write_text(w, part->text);
		break;
	case CHAT_IMAGE:
	case CHAT_FILE:
		err = write_media(w, part);
		break;
	case CHAT_TOOL_CALL:
		write_call(w, part);
		break;
	case CHAT_TOOL_RESULT:
		err = write_result(w, part);
		break;
	case CHAT_THINKING:
	case CHAT_REDACTED_THINKING:
		write_thinking(w, part);
		break;
	}
	bedrock_write_cache_point(part->cache_control, w->t);
	return err;
}

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
		text_string(t, first ? ",\"system\":[{\"text\":" : ",{\"text\":");
		first = false;
		text_json(t, part->text);
		text_char(t, '}');
		bedrock_write_cache_point(part->cache_control, t);
	}
	text_string(t, first ? "" : "]");
}

int bedrock_write_messages(struct chat *chat, struct text *t, struct openai_problem *problem)
{
	struct writing w = {.t = t, .problem = problem};
	int count;

	text_literal(t, "\"messages\":");
	count = chat_write_turns(chat, is_told, t, write_block, &w);
	if (count < 0)
		return count;
	if (!count)
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("This model needs at least one message of the user's that is not empty."),
			SLICE("messages"));
	write_system(chat, t);
	return 0;
}
