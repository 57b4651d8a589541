/* Reads the messages of a request in OpenAI's dialect (chat completions) into the form of a chat. */
#include "proto/openai/chat_openai.h"

static int refuse_message(struct chat_reading *r, struct slice message)
{
	return chat_read_refuse(r, CHAT_INVALID, message, SLICE("messages"));
}

/* ---- parts -------------------------------------------------------------------------------------------------- */

static int read_text_part(
	struct chat_reading *r, struct chat_parts *parts, json_ref value, enum chat_part_kind kind, struct slice key)
{
	struct slice text = chat_member_text(r->p, value, key);
	struct chat_part *part;

	if (!text.data)
		return refuse_message(r, SLICE("A part of type text or refusal needs its text as a string."));
	part = chat_add_part(r->chat, parts, kind);
	if (!part)
		return r->chat->err;
	part->text = text;
	part->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return 0;
}

int chat_openai_set_image(struct chat_reading *r, struct chat_part *part, struct slice url, struct slice param)
{
	chat_need(r->chat, CHAT_VISION, param);
	if (chat_data_url(url, &part->media_type, &part->data))
		return 0;
	if (slice_starts_with(url, SLICE("data:")))
		return chat_read_refuse(r, CHAT_INVALID,
			SLICE("An image's data URL has to be base64: data:image/png;base64,..."), param);
	part->url = url;
	return 0;
}

int chat_openai_set_file(struct chat_reading *r, struct chat_part *part, struct slice data, struct slice param)
{
	chat_need(r->chat, CHAT_FILES, param);
	if (chat_data_url(data, &part->media_type, &part->data))
		return 0;
	if (slice_starts_with(data, SLICE("data:")))
		return chat_read_refuse(r, CHAT_INVALID,
			SLICE("A file's data URL has to be base64: data:application/pdf;base64,..."), param);
	part->media_type = SLICE("application/pdf");
	part->data = data;
	return 0;
}

void chat_openai_drop_detail(struct chat_reading *r, json_ref image)
{
	struct slice detail = chat_member_text(r->p, image, SLICE("detail"));

	if (detail.data && !slice_equal(detail, SLICE("auto")))
		chat_drop(r->chat, SLICE("detail"));
}

static int read_image(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	json_ref image = json_member(r->p, value, SLICE("image_url"));
	struct slice url = chat_member_text(r->p, image, SLICE("url"));
	struct chat_part *part = chat_add_part(r->chat, parts, CHAT_IMAGE);

	if (!part)
		return r->chat->err;
	if (!url.size)
		return refuse_message(r, SLICE("A part of type image_url needs 'image_url.url'."));
	chat_openai_drop_detail(r, image);
	part->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return chat_openai_set_image(r, part, url, SLICE("messages"));
}

static int read_file(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	json_ref file = json_member(r->p, value, SLICE("file"));
	struct slice data = chat_member_text(r->p, file, SLICE("file_data"));
	struct chat_part *part;

	if (!data.size) {
		chat_need(r->chat, CHAT_OWN_PARTS, SLICE("messages"));
		return 0;
	}
	part = chat_add_part(r->chat, parts, CHAT_FILE);
	if (!part)
		return r->chat->err;
	part->name = chat_member_text(r->p, file, SLICE("filename"));
	part->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return chat_openai_set_file(r, part, data, SLICE("messages"));
}

/* Sound is a file of its type, that a model needs to hear. */
static int read_audio(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	json_ref audio = json_member(r->p, value, SLICE("input_audio"));
	struct slice format = chat_member_text(r->p, audio, SLICE("format"));
	struct chat_part *part = chat_add_part(r->chat, parts, CHAT_FILE);
	bool wav = slice_equal(format, SLICE("wav"));

	if (!part)
		return r->chat->err;
	chat_need(r->chat, CHAT_AUDIO_INPUT, SLICE("messages"));
	part->data = chat_member_text(r->p, audio, SLICE("data"));
	part->media_type = wav ? SLICE("audio/wav") : SLICE("audio/mp3");
	if (part->data.size && (wav || slice_equal(format, SLICE("mp3"))))
		return 0;
	return refuse_message(r, SLICE("A part of type input_audio needs its data, and a format: wav or mp3."));
}

static int read_part(struct chat_reading *r, struct chat_parts *parts, json_ref value)
{
	struct slice type = chat_member_text(r->p, value, SLICE("type"));

	if (json_member(r->p, value, SLICE("prompt_cache_breakpoint")) != JSON_NONE)
		chat_drop(r->chat, SLICE("prompt_cache_breakpoint"));
	if (slice_equal(type, SLICE("text")))
		return read_text_part(r, parts, value, CHAT_TEXT, SLICE("text"));
	if (slice_equal(type, SLICE("refusal")))
		return read_text_part(r, parts, value, CHAT_REFUSAL, SLICE("refusal"));
	if (slice_equal(type, SLICE("image_url")))
		return read_image(r, parts, value);
	if (slice_equal(type, SLICE("file")))
		return read_file(r, parts, value);
	if (slice_equal(type, SLICE("input_audio")))
		return read_audio(r, parts, value);
	if (!type.data)
		return refuse_message(r, SLICE("Each part of a message's content needs a type."));
	chat_need(r->chat, CHAT_OWN_PARTS, SLICE("messages"));
	return 0;
}

/* A string, or parts. */
static int read_content(struct chat_reading *r, struct chat_parts *parts, json_ref message)
{
	json_ref content = json_member(r->p, message, SLICE("content"));
	struct chat_part *part;
	int err = 0;

	if (!chat_given(r->p, content))
		return 0;
	if (json_type(r->p, content) == JSON_STRING) {
		part = chat_add_part(r->chat, parts, CHAT_TEXT);
		if (!part)
			return r->chat->err;
		part->text = json_string(r->p, content);
		part->cache_control = chat_member_json(r->p, message, SLICE("cache_control"));
		return 0;
	}
	if (json_type(r->p, content) != JSON_ARRAY)
		return chat_read_refuse(r, CHAT_MISTYPED,
			SLICE("A message's content has to be a string or an array of parts."), SLICE("messages"));
	for (json_ref v = json_first(r->p, content); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read_part(r, parts, v);
	return err;
}

/* ---- messages ----------------------------------------------------------------------------------------------- */

static int read_tool_result(struct chat_reading *r, json_ref value)
{
	struct slice id = chat_member_text(r->p, value, SLICE("tool_call_id"));
	struct chat_message *message = chat_results_message(r->chat);
	struct chat_part *part = message ? chat_add_part(r->chat, &message->parts, CHAT_TOOL_RESULT) : NULL;

	if (!part)
		return r->chat->err;
	if (!id.size)
		return refuse_message(r, SLICE("A message of role tool needs the 'tool_call_id' that it answers."));
	part->id = id;
	part->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	return read_content(r, &part->content, value);
}

static int read_tool_call(struct chat_reading *r, struct chat_message *message, json_ref value)
{
	json_ref function = json_member(r->p, value, SLICE("function"));
	struct slice type = chat_member_text(r->p, value, SLICE("type"));
	struct chat_part *part;

	if (type.data && !slice_equal(type, SLICE("function"))) {
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("messages"));
		return 0;
	}
	part = chat_add_part(r->chat, &message->parts, CHAT_TOOL_CALL);
	if (!part)
		return r->chat->err;
	part->id = chat_member_text(r->p, value, SLICE("id"));
	part->name = chat_member_text(r->p, function, SLICE("name"));
	part->arguments = chat_member_text(r->p, function, SLICE("arguments"));
	part->signature = chat_openai_read_signature(r->p, value);
	if (!part->id.size || !part->name.size)
		return refuse_message(r, SLICE("Each of 'tool_calls' needs an id and a function with a name."));
	if (!part->arguments.size)
		part->arguments = SLICE("{}");
	if (!chat_is_object(part->arguments))
		return refuse_message(r, SLICE("The arguments of a tool call have to be the JSON of an object."));
	return 0;
}

/* Thinking that an earlier answer carried: told by its signature; without one no provider takes it back. */
static int read_thinking(struct chat_reading *r, struct chat_message *message, json_ref value)
{
	json_ref blocks = json_member(r->p, value, SLICE("thinking_blocks"));
	struct slice whole = chat_member_text(r->p, value, SLICE("reasoning_content"));
	struct slice signature, type;
	struct chat_part *part;
	bool kept = false;

	for (json_ref b = chat_first(r->p, blocks); b != JSON_NONE; b = json_next(r->p, b)) {
		type = chat_member_text(r->p, b, SLICE("type"));
		signature = chat_member_text(r->p, b, SLICE("signature"));
		if (slice_equal(type, SLICE("redacted_thinking"))) {
			part = chat_add_part(r->chat, &message->parts, CHAT_REDACTED_THINKING);
			if (!part)
				return r->chat->err;
			part->text = chat_member_text(r->p, b, SLICE("data"));
		} else if (signature.size) {
			part = chat_add_part(r->chat, &message->parts, CHAT_THINKING);
			if (!part)
				return r->chat->err;
			part->text = chat_member_text(r->p, b, SLICE("thinking"));
			if (!part->text.size)
				part->text = whole; /* as streams carry it */
			part->signature = signature;
			kept = true;
		}
	}
	if (whole.size && !kept)
		chat_drop(r->chat, SLICE("reasoning_content"));
	return 0;
}

static int read_assistant(struct chat_reading *r, json_ref value)
{
	struct chat_message *message = chat_add_message(r->chat, CHAT_ASSISTANT);
	json_ref calls = json_member(r->p, value, SLICE("tool_calls"));
	struct slice refusal = chat_member_text(r->p, value, SLICE("refusal"));
	struct chat_part *part;
	int err = message ? read_thinking(r, message, value) : r->chat->err;

	if (!err)
		err = read_content(r, &message->parts, value);
	if (!err && refusal.size) {
		part = chat_add_part(r->chat, &message->parts, CHAT_REFUSAL);
		if (!part)
			return r->chat->err;
		part->text = refusal;
	}
	if (!err && chat_given(r->p, json_member(r->p, value, SLICE("function_call"))))
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("messages"));
	if (!err && chat_given(r->p, json_member(r->p, value, SLICE("audio"))))
		chat_need(r->chat, CHAT_AUDIO_OUTPUT, SLICE("messages"));
	if (err || !chat_given(r->p, calls))
		return err;
	for (json_ref v = json_first(r->p, calls); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read_tool_call(r, message, v);
	return err;
}

static int read_message(struct chat_reading *r, json_ref value)
{
	struct slice role = chat_member_text(r->p, value, SLICE("role"));
	struct chat_message *message;

	if (chat_given(r->p, json_member(r->p, value, SLICE("name"))))
		chat_drop(r->chat, SLICE("name"));
	if (slice_equal(role, SLICE("assistant")))
		return read_assistant(r, value);
	if (slice_equal(role, SLICE("tool")))
		return read_tool_result(r, value);
	if (slice_equal(role, SLICE("function"))) {
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("messages"));
		return 0;
	}
	if (slice_equal(role, SLICE("user")))
		message = chat_add_message(r->chat, CHAT_USER);
	else if (slice_equal(role, SLICE("system")) || slice_equal(role, SLICE("developer")))
		message = chat_add_message(r->chat, CHAT_SYSTEM);
	else
		return refuse_message(
			r, SLICE("A message's role has to be developer, system, user, assistant or tool."));
	return message ? read_content(r, &message->parts, value) : r->chat->err;
}

int chat_openai_read_messages(struct chat_reading *r, json_ref value)
{
	int err = 0;

	if (json_type(r->p, value) != JSON_ARRAY)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("'messages' has to be an array of messages."), SLICE("messages"));
	for (json_ref m = json_first(r->p, value); m != JSON_NONE && !err; m = json_next(r->p, m))
		err = read_message(r, m);
	if (!err && r->chat->last_message && r->chat->last_message->role == CHAT_ASSISTANT)
		chat_need(r->chat, CHAT_PREFILL, SLICE("messages"));
	return err;
}
