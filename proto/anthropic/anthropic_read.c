/* Reads a request in Anthropic's dialect (Messages) into the form of a chat. */
#include "proto/anthropic/anthropic.h"
#include "proto/chat/reading.h"

static int refuse_message(struct chat_reading *r, struct slice message)
{
	return chat_read_refuse(r, CHAT_INVALID, message, SLICE("messages"));
}

/* ---- blocks ------------------------------------------------------------------------------------------------- */

static int read_text(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	part->text = chat_member_text(r->p, block, SLICE("text"));
	if (!part->text.data)
		return refuse_message(r, SLICE("A block of type text needs its text as a string."));
	if (chat_first(r->p, json_member(r->p, block, SLICE("citations"))) != JSON_NONE)
		chat_drop(r->chat, SLICE("citations"));
	return 0;
}

/* An image's or a document's. Files of the provider's own are told by its own dialect alone. */
static int read_source(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	json_ref source = json_member(r->p, block, SLICE("source"));
	struct slice type = chat_member_text(r->p, source, SLICE("type"));

	if (slice_equal(type, SLICE("base64"))) {
		part->media_type = chat_member_text(r->p, source, SLICE("media_type"));
		part->data = chat_member_text(r->p, source, SLICE("data"));
		if (!part->media_type.size || !part->data.size)
			return refuse_message(r, SLICE("A source of type base64 needs 'media_type' and 'data'."));
		return 0;
	}
	part->url = chat_member_text(r->p, source, SLICE("url"));
	if (!slice_equal(type, SLICE("url")) || !part->url.size || part->kind == CHAT_FILE)
		chat_need(r->chat, CHAT_OWN_PARTS, SLICE("messages"));
	return 0;
}

static int read_image(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	chat_need(r->chat, CHAT_VISION, SLICE("messages"));
	return read_source(r, part, block);
}

/* A document that is plain text is text; one in base64 is a file. */
static int read_document(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	json_ref source = json_member(r->p, block, SLICE("source"));

	part->name = chat_member_text(r->p, block, SLICE("title"));
	if (slice_equal(chat_member_text(r->p, source, SLICE("type")), SLICE("text"))) {
		part->kind = CHAT_TEXT;
		part->text = chat_member_text(r->p, source, SLICE("data"));
		return part->text.data ? 0 : refuse_message(r, SLICE("A source of type text needs 'data'."));
	}
	chat_need(r->chat, CHAT_FILES, SLICE("messages"));
	return read_source(r, part, block);
}

static int read_tool_use(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	part->id = chat_member_text(r->p, block, SLICE("id"));
	part->name = chat_member_text(r->p, block, SLICE("name"));
	part->arguments = chat_member_json(r->p, block, SLICE("input"));
	if (!part->id.size || !part->name.size)
		return refuse_message(r, SLICE("A block of type tool_use needs an id and a name."));
	if (!part->arguments.data)
		part->arguments = SLICE("{}");
	if (part->arguments.data[0] != '{')
		return refuse_message(r, SLICE("The input of a tool_use has to be an object."));
	return 0;
}

static int read_content(struct chat_reading *r, struct chat_parts *parts, json_ref content, bool nested);

static int read_tool_result(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	part->id = chat_member_text(r->p, block, SLICE("tool_use_id"));
	part->is_error = chat_is_true(r->p, json_member(r->p, block, SLICE("is_error")));
	if (!part->id.size)
		return refuse_message(r, SLICE("A block of type tool_result needs the 'tool_use_id' that it answers."));
	return read_content(r, &part->content, json_member(r->p, block, SLICE("content")), true);
}

static int read_thinking(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	part->text = chat_member_text(r->p, block, SLICE("thinking"));
	part->signature = chat_member_text(r->p, block, SLICE("signature"));
	return 0;
}

static int read_redacted(struct chat_reading *r, struct chat_part *part, json_ref block)
{
	part->text = chat_member_text(r->p, block, SLICE("data"));
	return 0;
}

static const struct {
	const char *type;
	enum chat_part_kind kind;
	int (*read)(struct chat_reading *r, struct chat_part *part, json_ref block);
	bool in_result;
} blocks[] = {
	{"text", CHAT_TEXT, read_text, true},
	{"tool_use", CHAT_TOOL_CALL, read_tool_use, false},
	{"tool_result", CHAT_TOOL_RESULT, read_tool_result, false},
	{"image", CHAT_IMAGE, read_image, true},
	{"document", CHAT_FILE, read_document, true},
	{"thinking", CHAT_THINKING, read_thinking, false},
	{"redacted_thinking", CHAT_REDACTED_THINKING, read_redacted, false},
};

static int read_block(struct chat_reading *r, struct chat_parts *parts, json_ref block, bool nested)
{
	struct slice type = chat_member_text(r->p, block, SLICE("type"));
	struct chat_part *part;

	if (!type.data)
		return refuse_message(r, SLICE("Each block of a message's content needs a type."));
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (!slice_equal(type, slice_of_string(blocks[i].type)) || (nested && !blocks[i].in_result))
			continue;
		part = chat_add_part(r->chat, parts, blocks[i].kind);
		if (!part)
			return r->chat->err;
		part->cache_control = chat_member_json(r->p, block, SLICE("cache_control"));
		return blocks[i].read(r, part, block);
	}
	chat_need(r->chat, CHAT_OWN_PARTS, SLICE("messages"));
	return 0;
}

/* A string or blocks. Results hold blocks of their own, but no results, so this nests once. */
static int read_content(struct chat_reading *r, struct chat_parts *parts, json_ref content, bool nested)
{
	struct chat_part *part;
	int err = 0;

	if (!chat_given(r->p, content))
		return 0;
	if (json_type(r->p, content) == JSON_STRING) {
		part = chat_add_part(r->chat, parts, CHAT_TEXT);
		if (!part)
			return r->chat->err;
		part->text = json_string(r->p, content);
		return 0;
	}
	if (json_type(r->p, content) != JSON_ARRAY)
		return chat_read_refuse(r, CHAT_MISTYPED,
			SLICE("A message's content has to be a string or an array of blocks."), SLICE("messages"));
	for (json_ref b = json_first(r->p, content); b != JSON_NONE && !err; b = json_next(r->p, b))
		err = read_block(r, parts, b, nested);
	return err;
}

static int read_message(struct chat_reading *r, json_ref value)
{
	struct slice role = chat_member_text(r->p, value, SLICE("role"));
	struct chat_message *message;

	if (slice_equal(role, SLICE("user")))
		message = chat_add_message(r->chat, CHAT_USER);
	else if (slice_equal(role, SLICE("assistant")))
		message = chat_add_message(r->chat, CHAT_ASSISTANT);
	else if (slice_equal(role, SLICE("system")))
		message = chat_add_message(r->chat, CHAT_SYSTEM);
	else
		return refuse_message(r, SLICE("A message's role has to be user or assistant."));
	if (!message)
		return r->chat->err;
	return read_content(r, &message->parts, json_member(r->p, value, SLICE("content")), false);
}

static int read_messages(struct chat_reading *r, json_ref value)
{
	int err = 0;

	for (json_ref m = json_first(r->p, value); m != JSON_NONE && !err; m = json_next(r->p, m))
		err = read_message(r, m);
	if (!err && r->chat->last_message && r->chat->last_message->role == CHAT_ASSISTANT)
		chat_need(r->chat, CHAT_PREFILL, SLICE("messages"));
	return err;
}

/* Before the messages, wherever it stands in the document. */
static int read_system(struct chat_reading *r)
{
	json_ref system = json_member(r->p, 0, SLICE("system"));
	struct chat_message *message;

	if (!chat_given(r->p, system))
		return 0;
	message = chat_add_message(r->chat, CHAT_SYSTEM);
	return message ? read_content(r, &message->parts, system, true) : r->chat->err;
}

/* ---- tools -------------------------------------------------------------------------------------------------- */

static int read_tool(struct chat_reading *r, json_ref value)
{
	struct slice type = chat_member_text(r->p, value, SLICE("type"));
	int err;

	if (type.data && !slice_equal(type, SLICE("custom"))) {
		chat_need(r->chat, CHAT_OWN_TOOLS, SLICE("tools"));
		return 0;
	}
	err = chat_read_tool(r, value, SLICE("input_schema"));
	if (err)
		return err;
	r->chat->last_tool->cache_control = chat_member_json(r->p, value, SLICE("cache_control"));
	if (!r->chat->last_tool->parameters.data)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("Each of 'tools' needs an 'input_schema': an object."), SLICE("tools"));
	return 0;
}

static int read_tools(struct chat_reading *r, json_ref value)
{
	return chat_read_tools(r, value, read_tool);
}

static int read_choice(struct chat_reading *r, json_ref value)
{
	struct slice type = chat_member_text(r->p, value, SLICE("type"));
	json_ref serial = json_member(r->p, value, SLICE("disable_parallel_tool_use"));
	struct chat *chat = r->chat;

	if (slice_equal(type, SLICE("auto")))
		chat->choice = CHAT_CHOICE_AUTO;
	else if (slice_equal(type, SLICE("none")))
		chat->choice = CHAT_CHOICE_NONE;
	else if (slice_equal(type, SLICE("any")))
		chat->choice = CHAT_CHOICE_REQUIRED;
	else if (slice_equal(type, SLICE("tool")))
		chat->choice = CHAT_CHOICE_TOOL;
	else
		return chat_read_refuse(r, CHAT_INVALID, SLICE("'tool_choice.type' has to be auto, any, tool or none."),
			SLICE("tool_choice"));
	chat->choice_name = chat_member_text(r->p, value, SLICE("name"));
	if (chat->choice == CHAT_CHOICE_TOOL && !chat->choice_name.size)
		return chat_read_refuse(r, CHAT_INVALID, SLICE("'tool_choice' names no tool."), SLICE("tool_choice"));
	if (chat->choice == CHAT_CHOICE_REQUIRED || chat->choice == CHAT_CHOICE_TOOL)
		chat_need(chat, CHAT_FORCED_TOOLS, SLICE("tool_choice"));
	if (chat_given(r->p, serial))
		chat->parallel_tools = !chat_is_true(r->p, serial);
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------ */

static int read_top_k(struct chat_reading *r, json_ref value)
{
	return chat_read_number(r, value, &r->chat->knobs[CHAT_TOP_K]);
}

/* A budget of thinking as the effort that OpenAI would make of it; an effort that is said itself wins. */
static int read_thinking_option(struct chat_reading *r, json_ref value)
{
	enum { LOW_TOKENS = 2048, MEDIUM_TOKENS = 8192 };
	json_ref budget = json_member(r->p, value, SLICE("budget_tokens"));
	int64_t tokens;

	r->chat->thinking = json_raw(r->p, value);
	if (slice_equal(chat_member_text(r->p, value, SLICE("type")), SLICE("disabled")))
		return 0;
	if (budget == JSON_NONE || !json_integer(r->p, budget, &tokens)) {
		if (!r->chat->effort.data)
			chat_drop(r->chat, SLICE("thinking"));
	} else if (!r->chat->effort.data) {
		r->chat->effort = tokens <= LOW_TOKENS      ? SLICE("low")
				  : tokens <= MEDIUM_TOKENS ? SLICE("medium")
							    : SLICE("high");
	}
	return 0;
}

static int read_output_config(struct chat_reading *r, json_ref value)
{
	struct slice effort = chat_member_text(r->p, value, SLICE("effort"));
	json_ref format = json_member(r->p, value, SLICE("format"));
	struct chat *chat = r->chat;

	if (effort.data)
		chat->effort = effort;
	if (!chat_given(r->p, format))
		return 0;
	chat->schema = chat_member_json(r->p, format, SLICE("schema"));
	if (!slice_equal(chat_member_text(r->p, format, SLICE("type")), SLICE("json_schema")) || !chat->schema.data ||
		chat->schema.data[0] != '{')
		return chat_read_refuse(r, CHAT_INVALID,
			SLICE("'output_config.format' has to be of type json_schema, with a schema."),
			SLICE("output_config"));
	chat->format = CHAT_FORMAT_JSON_SCHEMA;
	chat->schema_strict = SLICE("true"); /* which it always is here */
	chat_need(chat, CHAT_JSON_SCHEMA, SLICE("output_config"));
	return 0;
}

static int read_metadata(struct chat_reading *r, json_ref value)
{
	r->chat->user = chat_member_text(r->p, value, SLICE("user_id"));
	return 0;
}

static int need_servers(struct chat_reading *r, json_ref value)
{
	if (json_first(r->p, value) != JSON_NONE)
		chat_need(r->chat, CHAT_OWN_OPTIONS, SLICE("mcp_servers"));
	return 0;
}

/* What is not in this table is a knob: its name is dropped, and said. */
static const struct chat_field fields[] = {
	{.name = "model"},
	{.name = "system"}, /* read first */
	{"messages", read_messages, 0},
	{"max_tokens", chat_read_limit, 0},
	{"stream", chat_read_stream, 0},
	{"temperature", chat_read_temperature, 0},
	{"top_p", chat_read_top_p, 0},
	{"top_k", read_top_k, 0},
	{"stop_sequences", chat_read_stop, 0},
	{"tools", read_tools, 0},
	{"tool_choice", read_choice, 0},
	{"thinking", read_thinking_option, 0},
	{.name = "output_config"}, /* read first */
	{"metadata", read_metadata, 0},
	{"container", NULL, CHAT_OWN_OPTIONS},
	{"mcp_servers", need_servers, 0},
	{.name = "x-routing-hints"},
	{.name = "x-fallback-chain"},
};

static int drop_field(struct chat_reading *r, json_ref value)
{
	chat_drop(r->chat, json_key(r->p, value));
	return 0;
}

int anthropic_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem)
{
	struct chat_reading r = {.p = p, .chat = chat, .problem = problem};
	json_ref output = json_member(p, 0, SLICE("output_config"));
	int err = read_system(&r);

	if (!err && chat_given(p, output))
		err = read_output_config(&r, output);
	if (!err)
		err = chat_read_fields(&r, fields, sizeof(fields) / sizeof(fields[0]), drop_field);
	return chat_read_end(&r, err, SLICE("messages"));
}
