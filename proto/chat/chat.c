/* The form of a chat: building it, what it needs, and what dialects share. */
#include "proto/chat/chat.h"

#include "proto/json/json_error.h"

#include <errno.h>

void chat_init(struct chat *chat, struct arena *arena)
{
	*chat = (struct chat){.arena = arena, .parallel_tools = -1};
}

static void *add(struct chat *chat, size_t size)
{
	void *memory = NULL;

	if (chat->part_count >= CHAT_PARTS_MAX) {
		chat->err = -E2BIG;
		return NULL;
	}
	chat->part_count++;
	memory = arena_zalloc(chat->arena, size);
	if (!memory)
		chat->err = -ENOMEM;
	return memory;
}

struct chat_message *chat_add_message(struct chat *chat, enum chat_role role)
{
	struct chat_message *message = add(chat, sizeof(*message));

	if (!message)
		return NULL;
	message->role = role;
	if (chat->last_message)
		chat->last_message->next = message;
	else
		chat->messages = message;
	chat->last_message = message;
	return message;
}

struct chat_part *chat_add_part(struct chat *chat, struct chat_parts *parts, enum chat_part_kind kind)
{
	struct chat_part *part = add(chat, sizeof(*part));

	if (!part)
		return NULL;
	part->kind = kind;
	if (parts->last)
		parts->last->next = part;
	else
		parts->first = part;
	parts->last = part;
	return part;
}

struct chat_message *chat_results_message(struct chat *chat)
{
	struct chat_message *last = chat->last_message;

	if (last && last->role == CHAT_USER && last->parts.last && last->parts.last->kind == CHAT_TOOL_RESULT)
		return last;
	return chat_add_message(chat, CHAT_USER);
}

struct chat_answer *chat_add_choice(struct chat *chat, struct chat_answer *last)
{
	last->next = add(chat, sizeof(*last));
	return last->next;
}

int chat_add_text(struct chat *chat, struct chat_answer *answer, enum chat_part_kind kind, struct slice text)
{
	struct chat_part *part;

	if (!text.size)
		return 0;
	part = chat_add_part(chat, &answer->parts, kind);
	if (!part)
		return chat->err;
	part->text = text;
	answer->output_bytes += text.size;
	return 0;
}

struct chat_tool *chat_add_tool(struct chat *chat)
{
	struct chat_tool *tool = add(chat, sizeof(*tool));

	if (!tool)
		return NULL;
	if (chat->last_tool)
		chat->last_tool->next = tool;
	else
		chat->tools = tool;
	chat->last_tool = tool;
	return tool;
}

static unsigned bit_of(uint32_t need)
{
	return (unsigned)__builtin_ctz(need);
}

void chat_need(struct chat *chat, enum chat_need need, struct slice param)
{
	if (!(chat->needs & need))
		chat->need_params[bit_of(need)] = param;
	chat->needs |= need;
}

void chat_drop(struct chat *chat, struct slice name)
{
	for (unsigned i = 0; i < chat->dropped_count; i++)
		if (slice_equal(chat->dropped[i], name))
			return;
	if (chat->dropped_count < CHAT_DROPPED_MAX)
		chat->dropped[chat->dropped_count++] = name;
}

void chat_drop_verbosity(struct chat *chat)
{
	if (chat->verbosity.data)
		chat_drop(chat, chat->verbosity_param);
}

#define STATIC_SLICE(literal)                                                                                          \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}

static const struct {
	struct slice capability, message;
} needs[CHAT_NEEDS] = {
	{STATIC_SLICE("tools"), STATIC_SLICE("This model takes no tools. Leave them out, or use another model.")},
	{STATIC_SLICE("forced_tools"),
		STATIC_SLICE(
			"This model cannot be forced to use a tool. Leave the choice to it, or use another model.")},
	{STATIC_SLICE("vision"), STATIC_SLICE("This model takes no images. Leave them out, or use another model.")},
	{STATIC_SLICE("audio_input"), STATIC_SLICE("This model takes no audio. Leave it out, or use another model.")},
	{STATIC_SLICE("files"), STATIC_SLICE("This model takes no files. Leave them out, or use another model.")},
	{STATIC_SLICE("json_object"),
		STATIC_SLICE("This model has no JSON mode. Ask with a schema ('json_schema'), or use another model.")},
	{STATIC_SLICE("json_schema"),
		STATIC_SLICE("This model does not keep to a schema. Leave it out, or use another model.")},
	{STATIC_SLICE("logprobs"), STATIC_SLICE("This model tells no log probabilities. Use another model for them.")},
	{STATIC_SLICE("n"), STATIC_SLICE("This model gives one answer a call. Set it to 1, or use another model.")},
	{STATIC_SLICE("prefill"),
		STATIC_SLICE("This model does not continue an answer: the last message has to be the user's.")},
	{{NULL, 0},
		STATIC_SLICE("This model's provider does not know this kind of tool. Send functions with a schema.")},
	{{NULL, 0}, STATIC_SLICE("This model's provider does not know a part of this message. Send text and images.")},
	{{NULL, 0}, STATIC_SLICE("This model does not answer with audio. Ask for text.")},
	{{NULL, 0}, STATIC_SLICE("This model's provider lacks this option. Leave it out, or use another model.")},
};

int chat_check(const struct chat *chat, uint32_t has, struct openai_problem *problem)
{
	uint32_t missing = chat->needs & ~has;

	if (!missing)
		return 0;
	return chat_refuse(problem, SLICE("unsupported_feature"), needs[bit_of(missing)].message,
		chat->need_params[bit_of(missing)]);
}

uint32_t chat_capability(struct slice name)
{
	for (unsigned i = 0; i < CHAT_NEEDS; i++)
		if (needs[i].capability.data && slice_equal(needs[i].capability, name))
			return 1u << i;
	return 0;
}

static void print_name(struct slice name, struct text *list)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			     c == '-' || c == '.';

		text_char(list, plain ? c : '?');
	}
}

void chat_print_dropped(const struct chat *chat, struct text *list)
{
	enum { REST_BYTES = 4 };

	for (unsigned i = 0; i < chat->dropped_count; i++) {
		if (list->capacity - list->size < chat->dropped[i].size + 1 + REST_BYTES) {
			text_literal(list, "...");
			return;
		}
		if (i)
			text_char(list, ',');
		print_name(chat->dropped[i], list);
	}
	if (chat->dropped_count == CHAT_DROPPED_MAX)
		text_literal(list, ",..");
}

static const struct slice finishes[] = {
	[CHAT_FINISH_NONE] = {NULL, 0},
	[CHAT_FINISH_STOP] = STATIC_SLICE("stop"),
	[CHAT_FINISH_LENGTH] = STATIC_SLICE("length"),
	[CHAT_FINISH_TOOLS] = STATIC_SLICE("tool_calls"),
	[CHAT_FINISH_FILTER] = STATIC_SLICE("content_filter"),
};

struct slice chat_finish_name(enum chat_finish finish)
{
	return finishes[finish];
}

enum chat_finish chat_finish_of(struct slice name)
{
	if (!name.data)
		return CHAT_FINISH_NONE;
	for (unsigned i = CHAT_FINISH_STOP; i <= CHAT_FINISH_FILTER; i++)
		if (slice_equal(name, finishes[i]))
			return (enum chat_finish)i;
	if (!name.size) /* as some servers say that it goes on */
		return CHAT_FINISH_NONE;
	if (slice_equal(name, SLICE("model_length"))) /* Mistral's, of the context window */
		return CHAT_FINISH_LENGTH;
	return slice_equal(name, SLICE("function_call")) ? CHAT_FINISH_TOOLS : CHAT_FINISH_STOP;
}

bool chat_given(const struct json_parser *p, json_ref value)
{
	return value != JSON_NONE && json_type(p, value) != JSON_NULL;
}

json_ref chat_first(const struct json_parser *p, json_ref container)
{
	return container == JSON_NONE ? JSON_NONE : json_first(p, container);
}

bool chat_is_true(const struct json_parser *p, json_ref value)
{
	return value != JSON_NONE && json_type(p, value) == JSON_TRUE;
}

struct slice chat_member_text(const struct json_parser *p, json_ref object, struct slice key)
{
	json_ref value = json_member(p, object, key);

	if (value == JSON_NONE || json_type(p, value) != JSON_STRING)
		return slice_of(NULL, 0);
	return json_string(p, value);
}

struct slice chat_member_json(const struct json_parser *p, json_ref object, struct slice key)
{
	json_ref value = json_member(p, object, key);

	return chat_given(p, value) ? json_raw(p, value) : slice_of(NULL, 0);
}

void chat_forget_signatures(struct chat *chat)
{
	for (struct chat_message *message = chat->messages; message; message = message->next)
		for (struct chat_part *part = message->parts.first; part; part = part->next)
			part->signature = slice_of(NULL, 0);
}

static const struct slice knob_names[CHAT_KNOBS] = {
	[CHAT_SEED] = STATIC_SLICE("seed"),
	[CHAT_TOP_K] = STATIC_SLICE("top_k"),
	[CHAT_FREQUENCY_PENALTY] = STATIC_SLICE("frequency_penalty"),
	[CHAT_PRESENCE_PENALTY] = STATIC_SLICE("presence_penalty"),
};

enum chat_knob chat_knob_of(struct slice name)
{
	unsigned knob = 0;

	while (knob < CHAT_KNOBS && !slice_equal(name, knob_names[knob]))
		knob++;
	return (enum chat_knob)knob;
}

void chat_write_knobs(struct chat *chat, const char *const *names, struct text *t)
{
	for (unsigned i = 0; i < CHAT_KNOBS; i++) {
		if (!chat->knobs[i].data)
			continue;
		if (names && names[i])
			chat_write_json(t, slice_of_string(names[i]), chat->knobs[i]);
		else
			chat_drop(chat, knob_names[i]);
	}
}

bool chat_is_object(struct slice json)
{
	struct json_error error;
	size_t at = 0;

	while (at < json.size &&
		(json.data[at] == ' ' || json.data[at] == '\n' || json.data[at] == '\t' || json.data[at] == '\r'))
		at++;
	return at < json.size && json.data[at] == '{' && json_explain(json, &error) == 0;
}

uint64_t chat_hash(struct slice text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

bool chat_data_url(struct slice url, struct slice *media_type, struct slice *data)
{
	const char *comma, *semicolon;

	if (url.size < 5 || !slice_equal_nocase(slice_of(url.data, 5), SLICE("data:")))
		return false;
	url = slice_after(url, 5);
	comma = url.size ? memchr(url.data, ',', url.size) : NULL;
	if (!comma)
		return false;
	*media_type = slice_of(url.data, (size_t)(comma - url.data));
	*data = slice_after(url, media_type->size + 1);
	if (media_type->size < 7 ||
		!slice_equal_nocase(slice_after(*media_type, media_type->size - 7), SLICE(";base64")))
		return false;
	semicolon = memchr(media_type->data, ';', media_type->size);
	media_type->size = (size_t)(semicolon - media_type->data);
	return media_type->size > 0 && data->size > 0;
}

/* A name with a line's end in it would be a line of its own. */
struct slice chat_event_name(const struct json_parser *p)
{
	struct slice name = chat_member_text(p, 0, SLICE("type"));

	for (size_t i = 0; i < name.size; i++)
		if ((name.data[i] < 'a' || name.data[i] > 'z') && name.data[i] != '_' && name.data[i] != '.')
			return slice_of(NULL, 0);
	return name;
}

static void write_key(struct text *t, struct slice key)
{
	text_literal(t, ",\"");
	text_add(t, key);
	text_literal(t, "\":");
}

void chat_write_json(struct text *t, struct slice key, struct slice json)
{
	if (!json.data)
		return;
	write_key(t, key);
	text_add(t, json);
}

void chat_write_text(struct text *t, struct slice key, struct slice text)
{
	if (!text.data)
		return;
	write_key(t, key);
	text_json(t, text);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool chat_is_blank(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_space(s.data[i]))
			return false;
	return true;
}

void chat_write_object_schema(const struct chat_tool *tool, struct text *t)
{
	struct slice rest;

	if (!tool->parameters.data) {
		text_literal(t, "{\"type\":\"object\",\"properties\":{}}");
		return;
	}
	if (!tool->untyped) {
		text_add(t, tool->parameters);
		return;
	}
	rest = slice_after(tool->parameters, 1);
	while (rest.size && is_space(rest.data[0]))
		rest = slice_after(rest, 1);
	if (rest.size && rest.data[0] == '}')
		text_literal(t, "{\"type\":\"object\",\"properties\":{}");
	else
		text_literal(t, "{\"type\":\"object\",");
	text_add(t, rest);
}
