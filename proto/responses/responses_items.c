/* Reads the input of a request to the Responses API, a text or a list of items, into the messages of a chat. */
#include "proto/responses/responses.h"

#define INPUT SLICE("input")

static int refuse(struct chat_reading *r, struct slice message)
{
	return chat_refuse(r->problem, CHAT_INVALID, message, INPUT);
}

/* What follows an assistant's item is one turn of it: providers want a turn's text and calls as one message. */
static struct chat_message *assistant_message(struct chat *chat)
{
	struct chat_message *last = chat->last_message;

	return last && last->role == CHAT_ASSISTANT ? last : chat_add_message(chat, CHAT_ASSISTANT);
}

/* ---- parts -------------------------------------------------------------------------------------------------- */

static int add_text(struct chat_reading *r, struct chat_parts *parts, enum chat_part_kind kind, struct slice text)
{
	struct chat_part *part;

	if (!text.data)
		return refuse(
			r, SLICE("A part of type input_text, output_text or refusal needs its text as a string."));
	part = chat_add_part(r->chat, parts, kind);
	if (!part)
		return r->chat->err;
	part->text = text;
	return 0;
}

/* Files of the provider's own, by id, are told by its own dialect alone. */
static int need_own_part(struct chat_reading *r)
{
	chat_need(r->chat, CHAT_OWN_PARTS, INPUT);
	return 0;
}

static int read_image(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	struct slice url = chat_member_text(r->p, value, SLICE("image_url"));
	struct chat_part *part;

	if (!url.size)
		return need_own_part(r);
	part = chat_add_part(r->chat, parts, CHAT_IMAGE);
	if (!part)
		return r->chat->err;
	chat_openai_drop_detail(r, value);
	return chat_openai_set_image(r, part, url, INPUT);
}

static int read_file(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	struct slice data = chat_member_text(r->p, value, SLICE("file_data"));
	struct chat_part *part;

	if (!data.size)
		return need_own_part(r);
	part = chat_add_part(r->chat, parts, CHAT_FILE);
	if (!part)
		return r->chat->err;
	part->name = chat_member_text(r->p, value, SLICE("filename"));
	return chat_openai_set_file(r, part, data, INPUT);
}

static int read_part(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	struct slice type = chat_member_text(r->p, value, SLICE("type"));

	if (json_member(r->p, value, SLICE("prompt_cache_breakpoint")) != JSON_NONE)
		chat_drop(r->chat, SLICE("prompt_cache_breakpoint"));
	if (slice_equal(type, SLICE("input_text")) || slice_equal(type, SLICE("output_text")) ||
		slice_equal(type, SLICE("text")))
		return add_text(r, parts, CHAT_TEXT, chat_member_text(r->p, value, SLICE("text")));
	if (slice_equal(type, SLICE("refusal")))
		return add_text(r, parts, CHAT_REFUSAL, chat_member_text(r->p, value, SLICE("refusal")));
	if (slice_equal(type, SLICE("input_image")))
		return read_image(r, parts, value);
	if (slice_equal(type, SLICE("input_file")))
		return read_file(r, parts, value);
	if (slice_equal(type, SLICE("input_audio")))
		chat_need(r->chat, CHAT_AUDIO_INPUT, INPUT);
	else if (!type.data)
		return refuse(r, SLICE("Each part of an item's content needs a type, for instance input_text."));
	else
		return need_own_part(r);
	return 0;
}

/* A string, or parts. */
static int read_content(struct chat_reading *r, struct chat_parts *parts, json_ref content)
{
	int err = 0;

	if (!chat_given(r->p, content))
		return 0;
	if (json_type(r->p, content) == JSON_STRING)
		return add_text(r, parts, CHAT_TEXT, json_string(r->p, content));
	if (json_type(r->p, content) != JSON_ARRAY)
		return chat_refuse(r->problem, CHAT_MISTYPED,
			SLICE("An item's content has to be a string or an array of parts."), INPUT);
	for (json_ref v = json_first(r->p, content); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read_part(r, parts, v);
	return err;
}

/* ---- items -------------------------------------------------------------------------------------------------- */

static int read_message(struct chat_reading *r, json_ref item)
{
	struct slice role = chat_member_text(r->p, item, SLICE("role"));
	struct chat_message *message;

	if (slice_equal(role, SLICE("assistant")))
		message = assistant_message(r->chat);
	else if (slice_equal(role, SLICE("user")))
		message = chat_add_message(r->chat, CHAT_USER);
	else if (slice_equal(role, SLICE("system")) || slice_equal(role, SLICE("developer")))
		message = chat_add_message(r->chat, CHAT_SYSTEM);
	else
		return refuse(r, SLICE("A message's role has to be user, assistant, system or developer."));
	if (!message)
		return r->chat->err;
	return read_content(r, &message->parts, json_member(r->p, item, SLICE("content")));
}

static int read_call(struct chat_reading *r, json_ref item)
{
	struct chat_message *message = assistant_message(r->chat);
	struct chat_part *part = message ? chat_add_part(r->chat, &message->parts, CHAT_TOOL_CALL) : NULL;

	if (!part)
		return r->chat->err;
	part->id = chat_member_text(r->p, item, SLICE("call_id"));
	part->name = chat_member_text(r->p, item, SLICE("name"));
	part->arguments = chat_member_text(r->p, item, SLICE("arguments"));
	if (!part->id.size || !part->name.size)
		return refuse(r, SLICE("An item of type function_call needs a 'call_id' and a name."));
	if (!part->arguments.size)
		part->arguments = SLICE("{}");
	if (!chat_is_object(part->arguments))
		return refuse(r, SLICE("The arguments of a function_call have to be the JSON of an object."));
	return 0;
}

static int read_call_output(struct chat_reading *r, json_ref item)
{
	struct chat_message *message = chat_results_message(r->chat);
	struct chat_part *part = message ? chat_add_part(r->chat, &message->parts, CHAT_TOOL_RESULT) : NULL;

	if (!part)
		return r->chat->err;
	part->id = chat_member_text(r->p, item, SLICE("call_id"));
	if (!part->id.size)
		return refuse(r, SLICE("An item of type function_call_output needs the 'call_id' that it answers."));
	return read_content(r, &part->content, json_member(r->p, item, SLICE("output")));
}

/* The summary's texts as one; the usual single one is not copied. */
static int join_summary(struct chat_reading *r, json_ref summary, struct slice *text)
{
	struct text joined = {0};
	size_t size = 0;
	unsigned count = 0;

	*text = SLICE("");
	for (json_ref v = chat_first(r->p, summary); v != JSON_NONE; v = json_next(r->p, v), count++) {
		*text = chat_member_text(r->p, v, SLICE("text"));
		size += text->size;
	}
	if (count < 2)
		return 0;
	joined = text_over(arena_alloc(r->chat->arena, size), size);
	if (!joined.data)
		return -ENOMEM;
	for (json_ref v = json_first(r->p, summary); v != JSON_NONE; v = json_next(r->p, v))
		text_add(&joined, chat_member_text(r->p, v, SLICE("text")));
	*text = text_slice(&joined);
	return 0;
}

/* Only what this gateway marked goes back to the provider that made it; all else has no reader there. */
static int read_reasoning(struct chat_reading *r, json_ref item)
{
	struct slice sealed = chat_member_text(r->p, item, SLICE("encrypted_content"));
	bool redacted = slice_starts_with(sealed, RESPONSES_REDACTED_MARK);
	struct chat_message *message;
	struct chat_part *part;

	if (!redacted && !slice_starts_with(sealed, RESPONSES_SIGNATURE_MARK)) {
		chat_drop(r->chat, SLICE("reasoning_items"));
		return 0;
	}
	message = assistant_message(r->chat);
	part = message ? chat_add_part(r->chat, &message->parts, redacted ? CHAT_REDACTED_THINKING : CHAT_THINKING)
		       : NULL;
	if (!part)
		return r->chat->err;
	if (redacted) {
		part->text = slice_after(sealed, RESPONSES_REDACTED_MARK.size);
		return 0;
	}
	part->signature = slice_after(sealed, RESPONSES_SIGNATURE_MARK.size);
	return join_summary(r, json_member(r->p, item, SLICE("summary")), &part->text);
}

static const struct {
	const char *type;
	int (*read)(struct chat_reading *r, json_ref item);
} items[] = {
	{"message", read_message},
	{"function_call", read_call},
	{"function_call_output", read_call_output},
	{"reasoning", read_reasoning},
};

static int read_item(struct chat_reading *r, json_ref item)
{
	struct slice type = chat_member_text(r->p, item, SLICE("type"));

	if (json_type(r->p, item) != JSON_OBJECT)
		return chat_refuse(
			r->problem, CHAT_MISTYPED, SLICE("Each item of 'input' has to be an object."), INPUT);
	if (!type.data)
		return read_message(r, item);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (slice_equal(type, slice_of_string(items[i].type)))
			return items[i].read(r, item);
	return need_own_part(r);
}

int responses_read_input(struct chat_reading *r, json_ref value)
{
	struct chat_message *message;
	int err = 0;

	if (json_type(r->p, value) == JSON_STRING) {
		message = chat_add_message(r->chat, CHAT_USER);
		return message ? add_text(r, &message->parts, CHAT_TEXT, json_string(r->p, value)) : r->chat->err;
	}
	for (json_ref v = chat_first(r->p, value); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read_item(r, v);
	if (!err && r->chat->last_message && r->chat->last_message->role == CHAT_ASSISTANT)
		chat_need(r->chat, CHAT_PREFILL, INPUT);
	return err;
}
