/* Whole answers in OpenAI's dialect (chat completions), read into the form of a chat and written from it. */
#include "proto/openai/chat_openai.h"

int chat_openai_each_text(const struct json_parser *p, json_ref content, chat_openai_tell *tell, void *context)
{
	int err = 0;

	if (content == JSON_NONE)
		return 0;
	if (json_type(p, content) == JSON_STRING)
		return tell(context, CHAT_TEXT, json_string(p, content));
	if (json_type(p, content) != JSON_ARRAY)
		return 0;
	for (json_ref v = json_first(p, content); v != JSON_NONE && !err; v = json_next(p, v)) {
		struct slice type = chat_member_text(p, v, SLICE("type"));
		json_ref thinking = json_member(p, v, SLICE("thinking"));

		if (slice_equal(type, SLICE("text")))
			err = tell(context, CHAT_TEXT, chat_member_text(p, v, SLICE("text")));
		if (!slice_equal(type, SLICE("thinking")) || thinking == JSON_NONE)
			continue;
		if (json_type(p, thinking) == JSON_STRING)
			err = tell(context, CHAT_THINKING, json_string(p, thinking));
		else if (json_type(p, thinking) == JSON_ARRAY)
			for (json_ref t = json_first(p, thinking); t != JSON_NONE && !err; t = json_next(p, t))
				err = tell(context, CHAT_THINKING, chat_member_text(p, t, SLICE("text")));
	}
	return err;
}

struct slice chat_openai_arguments(const struct json_parser *p, json_ref function)
{
	json_ref arguments = json_member(p, function, SLICE("arguments"));

	if (arguments != JSON_NONE && json_type(p, arguments) == JSON_OBJECT)
		return json_raw(p, arguments);
	return chat_member_text(p, function, SLICE("arguments"));
}

static int read_call(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref value)
{
	json_ref function = json_member(p, value, SLICE("function"));
	struct chat_part *part = chat_add_part(chat, &answer->parts, CHAT_TOOL_CALL);

	if (!part)
		return chat->err;
	part->id = chat_member_text(p, value, SLICE("id"));
	part->name = chat_member_text(p, function, SLICE("name"));
	part->arguments = chat_openai_arguments(p, function);
	if (!part->id.size || !part->name.size)
		return -EPROTO;
	if (!part->arguments.size)
		part->arguments = SLICE("{}");
	answer->output_bytes += part->name.size + part->arguments.size;
	return 0;
}

struct adding {
	struct chat *chat;
	struct chat_answer *answer;
};

static int add_piece(void *context, enum chat_part_kind kind, struct slice text)
{
	struct adding *adding = context;

	return chat_add_text(adding->chat, adding->answer, kind, text);
}

static int read_message(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref message)
{
	struct slice thinking = chat_member_text(p, message, SLICE("reasoning_content"));
	json_ref calls = json_member(p, message, SLICE("tool_calls"));
	int err;

	if (!thinking.data)
		thinking = chat_member_text(p, message, SLICE("reasoning")); /* as some servers call it */
	err = chat_add_text(chat, answer, CHAT_THINKING, thinking);
	if (!err)
		err = chat_openai_each_text(
			p, json_member(p, message, SLICE("content")), add_piece, &(struct adding){chat, answer});
	if (!err)
		err = chat_add_text(chat, answer, CHAT_REFUSAL, chat_member_text(p, message, SLICE("refusal")));
	if (calls == JSON_NONE || json_type(p, calls) != JSON_ARRAY)
		return err;
	for (json_ref v = json_first(p, calls); v != JSON_NONE && !err; v = json_next(p, v))
		err = read_call(p, chat, answer, v);
	return err;
}

static int read_choice(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref choice)
{
	json_ref message = json_member(p, choice, SLICE("message"));

	if (message == JSON_NONE || json_type(p, message) != JSON_OBJECT)
		return -EPROTO;
	if (slice_equal(chat_member_text(p, choice, SLICE("finish_reason")), SLICE("error")))
		return -EPROTO; /* the provider broke off */
	answer->finish = chat_finish_of(chat_member_text(p, choice, SLICE("finish_reason")));
	return read_message(p, chat, answer, message);
}

int chat_openai_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	struct openai_answer figures;

	*answer = (struct chat_answer){0};
	if (openai_read_answer(p, &figures) < 0)
		return -EPROTO;
	answer->id = chat_member_text(p, 0, SLICE("id"));
	answer->usage = figures.usage;
	return chat_read_choices(p, chat, answer, json_member(p, 0, SLICE("choices")), read_choice);
}

void chat_openai_write_usage(const struct openai_usage *usage, struct text *t)
{
	text_literal(t, "\"usage\":{\"prompt_tokens\":");
	text_u64(t, usage->prompt_tokens);
	text_literal(t, ",\"completion_tokens\":");
	text_u64(t, usage->completion_tokens);
	text_literal(t, ",\"total_tokens\":");
	text_u64(t, usage->prompt_tokens + usage->completion_tokens);
	text_literal(t, ",\"prompt_tokens_details\":{\"cached_tokens\":");
	text_u64(t, usage->cached_tokens);
	text_literal(t, ",\"cache_write_tokens\":");
	text_u64(t, usage->cache_write_tokens);
	text_literal(t, "},\"completion_tokens_details\":{\"reasoning_tokens\":");
	text_u64(t, usage->reasoning_tokens);
	text_literal(t, "}}");
}

/* All texts of a kind as one string; false when there is none. */
static bool write_joined(struct text *t, const struct chat_parts *parts, enum chat_part_kind kind, const char *key)
{
	bool any = false;
	size_t end;

	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (part->kind != kind)
			continue;
		if (!any)
			text_string(t, key);
		end = t->size;
		text_json(t, part->text);
		if (any && !t->full) {
			/* One string: the quote that opens this one and the quote that closed the last one go. */
			memmove(t->data + end - 1, t->data + end + 1, t->size - end - 1);
			t->size -= 2;
		}
		any = true;
	}
	return any;
}

/* Signatures and what was redacted, for a client to send back: OpenAI has no place for them, other gateways call it so.
 */
static void write_thinking_blocks(struct text *t, const struct chat_parts *parts)
{
	bool first = true;

	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (part->kind != CHAT_REDACTED_THINKING && !(part->kind == CHAT_THINKING && part->signature.size))
			continue;
		text_string(t, first ? ",\"thinking_blocks\":[" : ",");
		first = false;
		if (part->kind == CHAT_REDACTED_THINKING) {
			text_literal(t, "{\"type\":\"redacted_thinking\"");
			chat_write_text(t, SLICE("data"), part->text);
		} else {
			text_literal(t, "{\"type\":\"thinking\"");
			chat_write_text(t, SLICE("thinking"), part->text);
			chat_write_text(t, SLICE("signature"), part->signature);
		}
		text_char(t, '}');
	}
	if (!first)
		text_char(t, ']');
}

static void write_choice(struct text *body, const struct chat_answer *answer)
{
	enum chat_finish finish = answer->finish == CHAT_FINISH_NONE ? CHAT_FINISH_STOP : answer->finish;

	text_literal(body, "{\"index\":");
	text_u64(body, answer->choice);
	text_literal(body, ",\"message\":{\"role\":\"assistant\"");
	if (!write_joined(body, &answer->parts, CHAT_TEXT, ",\"content\":"))
		text_literal(body, ",\"content\":null");
	if (!write_joined(body, &answer->parts, CHAT_REFUSAL, ",\"refusal\":"))
		text_literal(body, ",\"refusal\":null");
	write_joined(body, &answer->parts, CHAT_THINKING, ",\"reasoning_content\":");
	write_thinking_blocks(body, &answer->parts);
	chat_openai_write_calls(body, &answer->parts);
	text_literal(body, "},\"logprobs\":null,\"finish_reason\":");
	text_json(body, chat_finish_name(finish));
	text_char(body, '}');
}

int chat_openai_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body)
{
	text_literal(body, "{\"id\":");
	text_json(body, answer->id);
	text_literal(body, ",\"object\":\"chat.completion\",\"created\":");
	text_u64(body, frame->created_s);
	text_literal(body, ",\"model\":");
	text_add(body, frame->model_json);
	text_literal(body, ",\"choices\":[");
	for (const struct chat_answer *choice = answer; choice; choice = choice->next) {
		if (choice != answer)
			text_char(body, ',');
		write_choice(body, choice);
	}
	text_literal(body, "],");
	chat_openai_write_usage(&frame->usage, body);
	if (frame->members.size) {
		text_char(body, ',');
		text_add(body, frame->members);
	}
	text_char(body, '}');
	return 0;
}
