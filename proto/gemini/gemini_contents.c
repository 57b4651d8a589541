/*
 * The conversation of a request in Gemini's dialect. A turn is one content; the results of a turn's calls are a content
 * of their own, since the provider counts them. A result names its call's function, which only the call tells, so calls
 * are kept by id.
 */
#include "proto/gemini/gemini.h"
#include "proto/chat/turns.h"

#include <assert.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct calls {
	size_t slot_mask;
	const struct chat_part **slots; /* open addressing, at most half full */
};

struct writing {
	struct chat *chat;
	struct text *t;
	struct calls calls;
	bool wants_signatures; /* the model refuses calls of its own that carry none */
	bool first_content, in_content, first_part, call_signed;
};

/* ---- calls by id -------------------------------------------------------------------------------------------- */

static int open_calls(struct calls *calls, struct chat *chat)
{
	size_t count = 16;

	while (count < 2 * (size_t)chat->part_count)
		count *= 2;
	calls->slot_mask = count - 1;
	calls->slots = arena_zalloc(chat->arena, count * sizeof(*calls->slots));
	return calls->slots ? 0 : -ENOMEM;
}

static const struct chat_part **slot_of(struct calls *calls, struct slice id)
{
	size_t slot = XXH3_64bits(id.data, id.size) & calls->slot_mask;

	while (calls->slots[slot] && !slice_equal(calls->slots[slot]->id, id))
		slot = (slot + 1) & calls->slot_mask;
	return &calls->slots[slot];
}

/* ---- parts -------------------------------------------------------------------------------------------------- */

static void open_part(struct writing *w)
{
	if (!w->first_part)
		text_char(w->t, ',');
	w->first_part = false;
}

static void write_inline(struct writing *w, const struct chat_part *part)
{
	text_literal(w->t, "{\"inlineData\":{\"mimeType\":");
	text_json(w->t, part->media_type);
	text_literal(w->t, ",\"data\":");
	text_json(w->t, part->data);
	text_literal(w->t, "}}");
}

/* By the end of its name; NULL data: it does not tell. */
static struct slice type_of_url(struct slice url)
{
	static const struct {
		struct slice ending, type;
	} types[] = {
		{{".png", 4}, {"image/png", 9}},
		{{".jpg", 4}, {"image/jpeg", 10}},
		{{".jpeg", 5}, {"image/jpeg", 10}},
		{{".webp", 5}, {"image/webp", 10}},
		{{".gif", 4}, {"image/gif", 9}},
		{{".pdf", 4}, {"application/pdf", 15}},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (slice_ends_with(url, types[i].ending))
			return types[i].type;
	return slice_of(NULL, 0);
}

static void write_media(struct writing *w, const struct chat_part *part)
{
	open_part(w);
	if (part->data.data) {
		write_inline(w, part);
		return;
	}
	text_literal(w->t, "{\"fileData\":{\"fileUri\":");
	text_json(w->t, part->url);
	chat_write_text(w->t, SLICE("mimeType"), type_of_url(part->url));
	text_literal(w->t, "}}");
}

static void write_text(struct writing *w, struct slice text)
{
	if (!text.size)
		return;
	open_part(w);
	text_literal(w->t, "{\"text\":");
	text_json(w->t, text);
	text_char(w->t, '}');
}

/*
 * The first call of a turn carries the signature of the thought that led to it. What comes from elsewhere has none; for
 * that the provider documents a word that it takes instead.
 */
static void write_signature(struct writing *w, const struct chat_part *part)
{
	if (part->signature.size)
		chat_write_text(w->t, SLICE("thoughtSignature"), part->signature);
	else if (w->wants_signatures && !w->call_signed)
		text_literal(w->t, ",\"thoughtSignature\":\"skip_thought_signature_validator\"");
	w->call_signed = true;
}

static void write_call(struct writing *w, const struct chat_part *part)
{
	*slot_of(&w->calls, part->id) = part;
	open_part(w);
	text_literal(w->t, "{\"functionCall\":{\"id\":");
	text_json(w->t, part->id);
	chat_write_text(w->t, SLICE("name"), part->name);
	chat_write_json(w->t, SLICE("args"), part->arguments);
	text_char(w->t, '}');
	write_signature(w, part);
	text_char(w->t, '}');
}

/* All texts as one. */
static void write_joined(struct text *t, const struct chat_parts *parts)
{
	size_t end;

	text_literal(t, "\"\"");
	for (const struct chat_part *part = parts->first; part; part = part->next) {
		if (part->kind != CHAT_TEXT || !part->text.size || t->full)
			continue;
		t->size--; /* the closing quote; the opening one of what follows goes as well */
		end = t->size;
		text_json(t, part->text);
		if (t->full)
			return;
		memmove(t->data + end, t->data + end + 1, t->size - end - 1);
		t->size--;
	}
}

/* The response is an object: the result itself where it is one. */
static void write_response(struct text *t, const struct chat_part *part)
{
	const struct chat_part *only = part->content.first;

	if (only && !only->next && only->kind == CHAT_TEXT && !part->is_error && chat_is_object(only->text)) {
		text_add(t, only->text);
		return;
	}
	text_string(t, part->is_error ? "{\"error\":" : "{\"result\":");
	write_joined(t, &part->content);
	text_char(t, '}');
}

static int write_result(struct writing *w, const struct chat_part *part)
{
	const struct chat_part *call = *slot_of(&w->calls, part->id);

	if (!call)
		return -EINVAL;
	open_part(w);
	text_literal(w->t, "{\"functionResponse\":{\"id\":");
	text_json(w->t, part->id);
	chat_write_text(w->t, SLICE("name"), call->name);
	text_literal(w->t, ",\"response\":");
	write_response(w->t, part);
	text_literal(w->t, "}}");
	return 0;
}

/* ---- turns -------------------------------------------------------------------------------------------------- */

/* The provider takes back the thoughts that led to calls, by their signatures alone. */
static bool is_told(struct chat *chat, const struct chat_part *part)
{
	if (part->kind == CHAT_THINKING || part->kind == CHAT_REDACTED_THINKING) {
		chat_drop(chat, SLICE("thinking"));
		return false;
	}
	return (part->kind != CHAT_TEXT && part->kind != CHAT_REFUSAL) || part->text.size > 0;
}

static int write_part(struct writing *w, const struct chat_part *part)
{
	if (part->cache_control.data)
		chat_drop(w->chat, SLICE("cache_control"));
	switch (part->kind) {
	case CHAT_TOOL_RESULT:
		return write_result(w, part);
	case CHAT_TOOL_CALL:
		write_call(w, part);
		return 0;
	case CHAT_IMAGE:
	case CHAT_FILE:
		write_media(w, part);
		return 0;
	default:
		write_text(w, part->text);
		return 0;
	}
}

/* Opens a content of the turn, or another one: results are in one of their own. */
static void open_content(struct writing *w, const struct chat_turns *turns)
{
	if (w->in_content)
		text_literal(w->t, "]}");
	text_string(w->t, w->first_content ? "" : ",");
	text_string(
		w->t, turns->role == CHAT_USER ? "{\"role\":\"user\",\"parts\":[" : "{\"role\":\"model\",\"parts\":[");
	w->in_content = true;
	w->first_content = false;
	w->first_part = true;
	w->call_signed = false;
}

/* A response holds no images: those of results go with what else the user says. */
static void write_results_media(struct writing *w, const struct chat_turns *turns, bool *opened)
{
	struct chat_turn_part at = {0};

	for (const struct chat_part *result; (result = chat_next_part(turns, &at)) && !at.rest;)
		for (const struct chat_part *part = result->content.first; part; part = part->next) {
			if (part->kind != CHAT_IMAGE && part->kind != CHAT_FILE)
				continue;
			if (!*opened)
				open_content(w, turns);
			*opened = true;
			write_media(w, part);
		}
}

static int write_turn(struct writing *w, const struct chat_turns *turns)
{
	struct chat_turn_part at = {0};
	const struct chat_part *part = chat_next_part(turns, &at);
	bool opened = false;
	int err = 0;

	w->in_content = false;
	if (part && !at.rest)
		open_content(w, turns);
	for (; part && !at.rest && !err; part = chat_next_part(turns, &at))
		err = write_part(w, part);
	if (w->in_content)
		write_results_media(w, turns, &opened);
	if (part && !opened)
		open_content(w, turns);
	for (; part && !err; part = chat_next_part(turns, &at))
		err = write_part(w, part);
	text_literal(w->t, "]}");
	return err;
}

static int write_turns(struct writing *w)
{
	struct chat_turns turns;
	int err = 0;

	text_literal(w->t, "\"contents\":[");
	for (chat_turns_open(&turns, w->chat, false, is_told); !err && chat_next_turn(&turns);)
		err = write_turn(w, &turns);
	text_char(w->t, ']');
	return err;
}

static void write_system(struct writing *w)
{
	struct chat_turn_part at = {0};
	struct chat_turns turns;

	w->first_part = true;
	chat_turns_open(&turns, w->chat, true, is_told);
	if (!chat_next_turn(&turns))
		return;
	for (const struct chat_part *part; (part = chat_next_part(&turns, &at));) {
		if (part->kind != CHAT_TEXT)
			continue;
		text_string(w->t, w->first_part ? ",\"systemInstruction\":{\"parts\":[" : "");
		write_part(w, part);
	}
	text_string(w->t, w->first_part ? "" : "]}");
}

int gemini_write_contents(
	struct chat *chat, const struct chat_target *target, struct text *t, struct openai_problem *problem)
{
	enum { SIGNS_CALLS = 3 }; /* the generation that began to want signatures back */
	struct writing w = {.chat = chat,
		.t = t,
		.wants_signatures = gemini_generation(target->model) >= SIGNS_CALLS,
		.first_content = true};

	if (open_calls(&w.calls, chat) < 0)
		return -ENOMEM;
	if (write_turns(&w) < 0)
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("A tool's result answers a call that no message before it made."), SLICE("messages"));
	if (w.first_content)
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("This model needs at least one message of the user's that is not empty."),
			SLICE("messages"));
	write_system(&w);
	return 0;
}
