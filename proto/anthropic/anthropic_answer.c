/* Whole answers in Anthropic's dialect (Messages), read into the form of a chat and written from it. */
#include "proto/anthropic/anthropic.h"

static int read_block(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref block)
{
	struct slice type = chat_member_text(p, block, SLICE("type"));
	struct slice text = chat_member_text(p, block, SLICE("text"));
	enum chat_part_kind kind = CHAT_TEXT;
	struct chat_part *part;

	if (slice_equal(type, SLICE("text"))) {
		if (!text.size)
			return 0;
	} else if (slice_equal(type, SLICE("thinking"))) {
		kind = CHAT_THINKING;
		text = chat_member_text(p, block, SLICE("thinking"));
	} else if (slice_equal(type, SLICE("redacted_thinking"))) {
		kind = CHAT_REDACTED_THINKING;
		text = chat_member_text(p, block, SLICE("data"));
	} else if (slice_equal(type, SLICE("tool_use"))) {
		kind = CHAT_TOOL_CALL;
	} else {
		return 0; /* what the gateway asks for has no other block */
	}
	part = chat_add_part(chat, &answer->parts, kind);
	if (!part)
		return chat->err;
	part->text = text.data ? text : SLICE("");
	part->signature = chat_member_text(p, block, SLICE("signature"));
	answer->output_bytes += text.size;
	if (kind != CHAT_TOOL_CALL)
		return 0;
	part->id = chat_member_text(p, block, SLICE("id"));
	part->name = chat_member_text(p, block, SLICE("name"));
	part->arguments = chat_member_json(p, block, SLICE("input"));
	if (!part->arguments.data)
		part->arguments = SLICE("{}");
	answer->output_bytes += part->name.size + part->arguments.size;
	return part->id.size && part->name.size ? 0 : -EPROTO;
}

int anthropic_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	json_ref content = json_member(p, 0, SLICE("content"));
	struct openai_answer figures;
	int err = anthropic_read_figures(p, &figures);

	*answer = (struct chat_answer){0};
	if (err)
		return err;
	answer->id = chat_member_text(p, 0, SLICE("id"));
	answer->usage = figures.usage;
	answer->finish = anthropic_finish(chat_member_text(p, 0, SLICE("stop_reason")));
	for (json_ref b = json_first(p, content); b != JSON_NONE && !err; b = json_next(p, b))
		err = read_block(p, chat, answer, b);
	return err;
}

void anthropic_write_usage(const struct openai_usage *usage, struct text *t)
{
	uint64_t cached = usage->cached_tokens + usage->cache_write_tokens;

	text_literal(t, "\"usage\":{\"input_tokens\":");
	text_u64(t, usage->prompt_tokens > cached ? usage->prompt_tokens - cached : 0);
	text_literal(t, ",\"cache_creation_input_tokens\":");
	text_u64(t, usage->cache_write_tokens);
	text_literal(t, ",\"cache_read_input_tokens\":");
	text_u64(t, usage->cached_tokens);
	text_literal(t, ",\"output_tokens\":");
	text_u64(t, usage->completion_tokens);
	text_char(t, '}');
}

/* -EPROTO for a call whose arguments are no object: this dialect cannot say it. */
static int write_block(struct text *t, const struct chat_part *part)
{
	switch (part->kind) {
	case CHAT_TOOL_CALL:
		if (!chat_is_object(part->arguments))
			return -EPROTO;
		text_literal(t, "{\"type\":\"tool_use\",\"id\":");
		text_json(t, part->id);
		text_literal(t, ",\"name\":");
		text_json(t, part->name);
		chat_write_json(t, SLICE("input"), part->arguments);
		break;
	case CHAT_THINKING:
		text_literal(t, "{\"type\":\"thinking\",\"thinking\":");
		text_json(t, part->text);
		chat_write_text(t, SLICE("signature"), part->signature.data ? part->signature : SLICE(""));
		break;
	case CHAT_REDACTED_THINKING:
		text_literal(t, "{\"type\":\"redacted_thinking\",\"data\":");
		text_json(t, part->text);
		break;
	default:
		text_literal(t, "{\"type\":\"text\",\"text\":");
		text_json(t, part->text);
		text_literal(t, ",\"citations\":null");
		break;
	}
	text_char(t, '}');
	return 0;
}

static bool refuses(const struct chat_answer *answer)
{
	for (const struct chat_part *part = answer->parts.first; part; part = part->next)
		if (part->kind == CHAT_REFUSAL)
			return true;
	return false;
}

int anthropic_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body)
{
	int err = 0;

	text_literal(body, "{\"id\":");
	text_json(body, answer->id);
	text_literal(body, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
	text_add(body, frame->model_json);
	text_literal(body, ",\"content\":[");
	for (const struct chat_part *part = answer->parts.first; part && !err; part = part->next) {
		if (part != answer->parts.first)
			text_char(body, ',');
		err = write_block(body, part);
	}
	text_literal(body, "],\"stop_reason\":");
	text_json(body, refuses(answer) ? SLICE("refusal") : anthropic_stop_reason(answer->finish));
	text_literal(body, ",\"stop_sequence\":null,");
	anthropic_write_usage(&frame->usage, body);
	if (frame->members.size) {
		text_char(body, ',');
		text_add(body, frame->members);
	}
	text_char(body, '}');
	return err;
}
