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
	part->id = gemini_call_id(p, call, number, memory);
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
	json_ref candidate = gemini_candidate(p);

	*answer = (struct chat_answer){0};
	if (json_type(p, 0) != JSON_OBJECT || chat_given(p, json_member(p, 0, SLICE("error"))))
		return -EPROTO;
	answer->id = chat_member_text(p, 0, SLICE("responseId"));
	gemini_read_usage(p, &answer->usage);
	if (candidate != JSON_NONE)
		return read_candidate(p, chat, answer, candidate);
	answer->finish = CHAT_FINISH_FILTER;
	return gemini_is_blocked(p) ? 0 : -EPROTO;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void tell(struct chat_sink *sink, enum chat_event_kind kind, struct slice text)
{
	struct chat_event event = {.kind = kind, .text = text, .error = JSON_NONE};

	if (text.size)
		sink->event(sink, &event);
}

/* A call comes whole. */
static int tell_call(struct chat_reader *reader, const struct json_parser *p, json_ref value, struct chat_sink *sink)
{
	json_ref call = json_member(p, value, SLICE("functionCall"));
	char memory[CHAT_ID_BYTES];
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = gemini_call_id(p, call, reader->tool_count, memory),
		.name = chat_member_text(p, call, SLICE("name")),
		.signature = chat_member_text(p, value, SLICE("thoughtSignature")),
		.error = JSON_NONE};

	if (!event.name.size)
		return -EPROTO;
	reader->tool_count++;
	sink->event(sink, &event);
	tell(sink, CHAT_EVENT_ARGUMENTS, arguments_of(p, call));
	return 0;
}

static int tell_part(struct chat_reader *reader, const struct json_parser *p, json_ref value, struct chat_sink *sink)
{
	struct slice text = chat_member_text(p, value, SLICE("text"));

	if (chat_given(p, json_member(p, value, SLICE("functionCall")))) {
		reader->said = true;
		return tell_call(reader, p, value, sink);
	}
	reader->said |= text.size > 0;
	tell(sink, text_kind(p, value) == CHAT_THINKING ? CHAT_EVENT_THINKING : CHAT_EVENT_TEXT, text);
	return 0;
}

/* A stream has no end marker: the event with the reason is its last one. */
static void tell_end(struct chat_sink *sink, enum chat_finish finish)
{
	struct chat_event event = {.kind = CHAT_EVENT_FINISH, .finish = finish, .error = JSON_NONE};

	sink->event(sink, &event);
	event = (struct chat_event){.kind = CHAT_EVENT_END, .error = JSON_NONE};
	sink->event(sink, &event);
}

static int tell_candidate(
	struct chat_reader *reader, const struct json_parser *p, json_ref candidate, struct chat_sink *sink)
{
	enum chat_finish finish;
	enum gemini_end end;
	int err = 0;

	for (json_ref v = gemini_parts(p, candidate); v != JSON_NONE && !err; v = json_next(p, v))
		err = tell_part(reader, p, v, sink);
	if (err)
		return err;
	end = gemini_read_end(p, candidate, reader->tool_count > 0, &finish);
	if (end == GEMINI_FAILED && !reader->said)
		return -EPROTO;
	if (end != GEMINI_GOES_ON)
		tell_end(sink, finish);
	return 0;
}

int gemini_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref candidate = gemini_candidate(p), error = json_member(p, 0, SLICE("error"));
	struct chat_event event = {.kind = CHAT_EVENT_ERROR, .error = error};

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	if (chat_given(p, error)) {
		sink->event(sink, &event);
		return 0;
	}
	gemini_read_usage(p, &reader->usage); /* cumulative: the last one counts */
	if (!reader->started && (candidate != JSON_NONE || gemini_is_blocked(p))) {
		reader->started = true;
		event = (struct chat_event){.kind = CHAT_EVENT_START,
			.id = chat_member_text(p, 0, SLICE("responseId")),
			.error = JSON_NONE};
		sink->event(sink, &event);
	}
	if (candidate != JSON_NONE)
		return tell_candidate(reader, p, candidate, sink);
	if (gemini_is_blocked(p))
		tell_end(sink, CHAT_FINISH_FILTER);
	return 0;
}
