/* Edits of what passes between a client and a provider that speak the same dialect, but for some fields. */
#include "route/dialects/dialect.h"

#define CHATS (1u << API_CHAT_COMPLETIONS)

/* Between two names; the end is "..." when they do not fit. */
static void note(struct text *dropped, struct slice name)
{
	enum { REST_BYTES = 4 };

	if (dropped->capacity - dropped->size < name.size + 1 + REST_BYTES)
		return;
	if (dropped->size)
		text_char(dropped, ',');
	text_add(dropped, name);
}

/* What means nothing, or what a provider does unasked, is no loss. */
static bool is_said(const struct json_parser *p, json_ref value)
{
	return json_type(p, value) != JSON_NULL && json_type(p, value) != JSON_FALSE;
}

static void drop(
	const struct json_parser *p, json_ref object, json_ref value, struct json_edits *edits, struct text *dropped)
{
	if (is_said(p, value))
		note(dropped, json_key(p, value));
	json_remove(edits, p, object, value);
}

static void drop_in_messages(
	struct slice name, const struct json_parser *p, struct json_edits *edits, struct text *dropped)
{
	json_ref messages = json_member(p, 0, SLICE("messages"));
	bool said = false;

	for (json_ref m = chat_first(p, messages); m != JSON_NONE; m = json_next(p, m)) {
		json_ref value = json_type(p, m) == JSON_OBJECT ? json_member(p, m, name) : JSON_NONE;

		if (value == JSON_NONE)
			continue;
		said |= is_said(p, value);
		json_remove(edits, p, m, value);
	}
	if (said)
		note(dropped, name);
}

static int make_list(const struct json_parser *p, json_ref value, struct arena *arena, struct json_edits *edits)
{
	struct slice raw = json_raw(p, value);
	struct text list;

	if (json_type(p, value) != JSON_STRING)
		return 0;
	list = text_over(arena_alloc(arena, raw.size + 2), raw.size + 2);
	if (!list.data)
		return -ENOMEM;
	text_char(&list, '[');
	text_add(&list, raw);
	text_char(&list, ']');
	json_replace(edits, p, value, text_slice(&list));
	return 0;
}

static int rename(const struct dialect_field *field, const struct json_parser *p, json_ref value, struct arena *arena,
	struct json_edits *edits)
{
	struct text key;

	if (json_member(p, 0, field->to) != JSON_NONE) { /* said under both names: the provider's own stands */
		json_remove(edits, p, 0, value);
		return 0;
	}
	key = text_over(arena_alloc(arena, field->to.size + 2), field->to.size + 2);
	if (!key.data)
		return -ENOMEM;
	text_char(&key, '"');
	text_add(&key, field->to);
	text_char(&key, '"');
	json_rename(edits, p, value, text_slice(&key));
	return 0;
}

static int edit_field(const struct dialect_field *field, const struct json_parser *p, json_ref value,
	struct arena *arena, struct json_edits *edits, struct text *dropped)
{
	switch (field->rule) {
	case DIALECT_FIELD_DROPPED:
		drop(p, 0, value, edits, dropped);
		return 0;
	case DIALECT_FIELD_RENAMED:
		return rename(field, p, value, arena, edits);
	case DIALECT_FIELD_LISTED:
		return make_list(p, value, arena, edits);
	case DIALECT_FIELD_MESSAGE_DROPPED:
		break;
	}
	return 0;
}

int dialect_edit_fields(const struct dialect_field *fields, enum receipt_api api, const struct json_parser *p,
	struct arena *arena, struct json_edits *edits, struct text *dropped)
{
	int err = 0;

	for (; fields && fields->name.size && !err; fields++) {
		json_ref value;

		if (!(fields->apis & 1u << api))
			continue;
		if (fields->rule == DIALECT_FIELD_MESSAGE_DROPPED) {
			drop_in_messages(fields->name, p, edits, dropped);
			continue;
		}
		value = json_member(p, 0, fields->name);
		if (value != JSON_NONE)
			err = edit_field(fields, p, value, arena, edits, dropped);
	}
	return err;
}

/* Of every kind of client; chats alone have penalties. */
#define SAMPLED (CHATS | 1u << API_MESSAGES | 1u << API_RESPONSES)

#define UNSAMPLED                                                                                                      \
	{{"temperature", 11}, DIALECT_FIELD_DROPPED, {0}, SAMPLED},                                                    \
		{{"top_p", 5}, DIALECT_FIELD_DROPPED, {0}, SAMPLED},                                                   \
		{{"top_k", 5}, DIALECT_FIELD_DROPPED, {0}, SAMPLED},                                                   \
		{{"presence_penalty", 16}, DIALECT_FIELD_DROPPED, {0}, CHATS},                                         \
	{                                                                                                              \
		{"frequency_penalty", 17}, DIALECT_FIELD_DROPPED, {0}, CHATS                                           \
	}

const struct dialect_field *dialect_unsampled_fields(bool max_completion_tokens)
{
	static const struct dialect_field plain[] = {UNSAMPLED, {.name = {0}}};
	static const struct dialect_field renamed[] = {
		UNSAMPLED,
		{{"max_tokens", 10}, DIALECT_FIELD_RENAMED, {"max_completion_tokens", 21}, CHATS},
		{.name = {0}},
	};

	return max_completion_tokens ? renamed : plain;
}

/* ---- reasons ------------------------------------------------------------------------------------------------ */

struct slice dialect_finish(const struct dialect *dialect, struct slice theirs)
{
	for (const struct dialect_finish *f = dialect->finishes; f && f->theirs.size; f++)
		if (slice_equal(f->theirs, theirs))
			return f->ours;
	return theirs;
}

/* OpenAI's reasons, quoted as edits need them. */
static struct slice quoted(struct slice ours)
{
	static const struct slice words[] = {
		{"\"stop\"", 6}, {"\"length\"", 8}, {"\"tool_calls\"", 12}, {"\"content_filter\"", 16}};

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal(slice_of(words[i].data + 1, words[i].size - 2), ours))
			return words[i];
	return words[0];
}

void dialect_edit_finish(const struct dialect *dialect, const struct json_parser *p, struct json_edits *edits)
{
	json_ref choices = dialect->finishes ? json_member(p, 0, SLICE("choices")) : JSON_NONE;

	for (json_ref c = chat_first(p, choices); c != JSON_NONE; c = json_next(p, c)) {
		json_ref value = json_type(p, c) == JSON_OBJECT ? json_member(p, c, SLICE("finish_reason")) : JSON_NONE;
		struct slice theirs, ours;

		if (value == JSON_NONE || json_type(p, value) != JSON_STRING)
			continue;
		theirs = json_string(p, value);
		ours = dialect_finish(dialect, theirs);
		if (!slice_equal(theirs, ours))
			json_replace(edits, p, value, quoted(ours));
	}
}
