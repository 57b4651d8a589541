/* Whole answers in Gemini's dialect, and the events of its streams, which are answers in pieces. */
#include "proto/gemini/gemini.h"

/* ---- whole answers ------------------------------------------------------------------------------------------ */

static struct slice arguments_of(const struct json_parser *p, json_ref call)
{
	json_ref args = json_member(p, call, SLICE("args"));

	return args != JSON_NONE && json_type(p, args) == JSON_OBJECT ? json_raw(p, args) : SLICE("{}");
}

static int add_call(
	const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref value, uint32_t number)
{
	json_ref call = json_member(p, value, SLICE("functionCall"));
	struct chat_part *part = chat_add_part(chat, &answer->parts, CHAT_TOOL_CALL);
	char *memory = arena_alloc(chat->arena, CHAT_ID_BYTES);

	if (!part || !memory)
		return part ? -ENOMEM : chat->err;
	part->id = gemini_call_id(p, call, answer->choice, number, memory);
	part->name = chat_member_text(p, call, SLICE("name"));
	part->arguments = arguments_of(p, call);
	part->signature = chat_member_text(p, value, SLICE("thoughtSignature"));
	answer->output_bytes += part->name.size + part->arguments.size;
	return part->name.size ? 0 : -EPROTO;
}

static enum chat_part_kind text_kind(const struct json_parser *p, json_ref part)
{
	return chat_is_true(p, json_member(p, part, SLICE("thought"))) ? CHAT_THINKING : CHAT_TEXT;
}

/* An empty answer whose reason is a failure is none: another deployment may do better. */
static int read_candidate(
	const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref candidate)
{
	uint32_t call_count = 0;
	int err = 0;

	for (json_ref v = gemini_parts(p, candidate); v != JSON_NONE && !err; v = json_next(p, v)) {
		if (chat_given(p, json_member(p, v, SLICE("functionCall"))))
			err = add_call(p, chat, answer, v, call_count++);
		else
			err = chat_add_text(chat, answer, text_kind(p, v), chat_member_text(p, v, SLICE("text")));
	}
	if (!err && gemini_read_end(p, candidate, call_count > 0, &answer->finish) == GEMINI_FAILED &&
		!answer->parts.first)
		return -EPROTO;
	return err;
}

int gemini_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	json_ref candidates = json_member(p, 0, SLICE("candidates"));

	*answer = (struct chat_answer){0};
	if (json_type(p, 0) != JSON_OBJECT || chat_given(p, json_member(p, 0, SLICE("error"))))
		return -EPROTO;
	answer->id = chat_member_text(p, 0, SLICE("responseId"));
	gemini_read_usage(p, &answer->usage);
	if (chat_first(p, candidates) != JSON_NONE)
		return chat_read_choices(p, chat, answer, candidates, read_candidate);
	answer->finish = CHAT_FINISH_FILTER;
	return gemini_is_blocked(p) ? 0 : -EPROTO;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

/* A call comes whole. */
static int tell_call(const struct chat_telling *t, json_ref value)
{
	json_ref call = json_member(t->p, value, SLICE("functionCall"));
	char memory[CHAT_ID_BYTES];
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = gemini_call_id(t->p, call, t->choice, t->reader->choices[t->choice].tool_count, memory),
		.name = chat_member_text(t->p, call, SLICE("name")),
		.signature = chat_member_text(t->p, value, SLICE("thoughtSignature")),
		.error = JSON_NONE};

	if (!event.name.size)
		return -EPROTO;
	t->reader->choices[t->choice].tool_count++;
	chat_tell(t, event);
	chat_tell_text(t, CHAT_EVENT_ARGUMENTS, arguments_of(t->p, call));
	return 0;
}

static int tell_part(const struct chat_telling *t, json_ref value)
{
	struct slice text = chat_member_text(t->p, value, SLICE("text"));

	if (chat_given(t->p, json_member(t->p, value, SLICE("functionCall")))) {
		t->reader->choices[t->choice].said = true;
		return tell_call(t, value);
	}
	t->reader->choices[t->choice].said |= text.size > 0;
	chat_tell_text(t, text_kind(t->p, value) == CHAT_THINKING ? CHAT_EVENT_THINKING : CHAT_EVENT_TEXT, text);
	return 0;
}

static int tell_candidate(const struct chat_telling *t, json_ref candidate)
{
	enum chat_finish finish;
	enum gemini_end end;
	int err = 0;

	chat_tell_start(t, SLICE("responseId"));
	for (json_ref v = gemini_parts(t->p, candidate); v != JSON_NONE && !err; v = json_next(t->p, v))
		err = tell_part(t, v);
	if (err)
		return err;
	end = gemini_read_end(t->p, candidate, t->reader->choices[t->choice].tool_count > 0, &finish);
	if (end == GEMINI_FAILED && !t->reader->choices[t->choice].said)
		return -EPROTO;
	if (end != GEMINI_GOES_ON)
		chat_tell_finish(t, finish);
	return 0;
}

static int tell_candidates(
	struct chat_reader *reader, const struct json_parser *p, struct chat_choices *choices, struct chat_sink *sink)
{
	int err = 0;

	for (json_ref c = chat_next_choice(p, choices); c != JSON_NONE && !err; c = chat_next_choice(p, choices)) {
		const struct chat_telling t = {p, sink, reader, choices->number};

		err = tell_candidate(&t, c);
	}
	return err;
}

/* A stream has no end marker: the event with the last reason of as many choices as were asked for is its last one. */
static void tell_end(const struct chat_reader *reader, struct chat_sink *sink)
{
	struct chat_event event = {.kind = CHAT_EVENT_END, .error = JSON_NONE};

	if (chat_all_ended(reader, reader->asked ? reader->asked : 1))
		sink->event(sink, &event);
}

int gemini_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref error = json_member(p, 0, SLICE("error"));
	struct chat_choices choices = chat_choices_of(p, json_member(p, 0, SLICE("candidates")), reader->asked > 1);
	const struct chat_telling first = {p, sink, reader, 0};
	struct chat_event event = {.kind = CHAT_EVENT_ERROR, .error = error};
	int err = 0;

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	if (chat_given(p, error)) {
		sink->event(sink, &event);
		return 0;
	}
	gemini_read_usage(p, &reader->usage); /* cumulative: the last one counts */
	if (choices.at != JSON_NONE) {
		err = tell_candidates(reader, p, &choices, sink);
	} else if (gemini_is_blocked(p)) { /* whatever was asked for: there is one answer, which is none */
		chat_tell_start(&first, SLICE("responseId"));
		chat_tell_finish(&first, CHAT_FINISH_FILTER);
		reader->asked = 1;
	}
	if (!err)
		tell_end(reader, sink);
	return err;
}
