/* Streams in OpenAI's dialect (chat completions), event by event: chunks taken apart, and put together. */
#include "proto/openai/chat_openai.h"

#include <assert.h>

/* ---- reading ------------------------------------------------------------------------------------------------ */

/*
 * Whether this piece begins a call. Calls are told apart by their index; servers that leave it out, or always say 0,
 * tell them by a new id, which others repeat in every piece.
 */
static bool is_new_call(const struct chat_reader_choice *state, int64_t index, const struct chat_event *event)
{
	if (state->tool_count == 0 || index > (int64_t)state->tool_index)
		return true;
	return index == (int64_t)state->tool_index && event->id.size && event->name.size &&
	       chat_hash(event->id) != state->tool_hash;
}

/* A call that has no id gets one: of the answer's, its choice and its number, so that no two of a conversation are
 * alike. */
static struct slice make_id(const struct chat_telling *t, struct text *memory)
{
	uint64_t hash = chat_hash(chat_member_text(t->p, 0, SLICE("id")));

	text_literal(memory, "call_");
	text_hex(memory, &hash, sizeof(hash));
	if (t->choice) {
		text_u64(memory, t->choice);
		text_char(memory, '_');
	}
	text_u64(memory, t->reader->choices[t->choice].tool_count);
	return text_slice(memory);
}

/*
 * A call's id and name come with its first piece. Pieces of a call behind the beginning of the next one would have to
 * be held back to the end, so that a stream which mixes them is not translated.
 */
static int read_call(const struct chat_telling *t, json_ref value)
{
	const struct json_parser *p = t->p;
	struct chat_reader_choice *state = &t->reader->choices[t->choice];
	json_ref function = json_member(p, value, SLICE("function")), number = json_member(p, value, SLICE("index"));
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = chat_member_text(p, value, SLICE("id")),
		.name = chat_member_text(p, function, SLICE("name"))};
	int64_t index = state->tool_count ? (int64_t)state->tool_index : 0;
	char made[48];
	struct text memory = text_over(made, sizeof(made));

	if (chat_given(p, number) && !json_integer(p, number, &index))
		return -EPROTO;
	if (is_new_call(state, index, &event)) {
		if (!event.name.size || index < 0 || index > UINT32_MAX)
			return -EPROTO;
		if (!event.id.size)
			event.id = make_id(t, &memory);
		state->tool_index = (uint32_t)index;
		state->tool_hash = chat_hash(event.id);
		state->tool_count++;
		chat_tell(t, event);
	} else if (index < (int64_t)state->tool_index) {
		return -EPROTO;
	}
	chat_tell_text(t, CHAT_EVENT_ARGUMENTS, chat_openai_arguments(p, function));
	return 0;
}

static int tell_piece(void *context, enum chat_part_kind kind, struct slice text)
{
	chat_tell_text(context, kind == CHAT_THINKING ? CHAT_EVENT_THINKING : CHAT_EVENT_TEXT, text);
	return 0;
}

static int read_delta(struct chat_telling *t, json_ref delta)
{
	const struct json_parser *p = t->p;
	struct slice thinking = chat_member_text(p, delta, SLICE("reasoning_content"));
	json_ref calls = json_member(p, delta, SLICE("tool_calls"));
	int err = 0;

	chat_tell_text(
		t, CHAT_EVENT_THINKING, thinking.data ? thinking : chat_member_text(p, delta, SLICE("reasoning")));
	chat_openai_each_text(p, json_member(p, delta, SLICE("content")), tell_piece, t);
	chat_tell_text(t, CHAT_EVENT_REFUSAL, chat_member_text(p, delta, SLICE("refusal")));
	if (calls == JSON_NONE || json_type(p, calls) != JSON_ARRAY)
		return 0;
	for (json_ref v = json_first(p, calls); v != JSON_NONE && !err; v = json_next(p, v))
		err = read_call(t, v);
	return err;
}

static int read_choice(struct chat_telling *t, json_ref choice)
{
	const struct json_parser *p = t->p;
	json_ref delta = json_member(p, choice, SLICE("delta"));
	enum chat_finish finish;

	chat_tell_start(t, SLICE("id"));
	if (slice_equal(chat_member_text(p, choice, SLICE("finish_reason")), SLICE("error"))) {
		chat_tell(t, (struct chat_event){.kind = CHAT_EVENT_ERROR, .error = choice});
		return 0;
	}
	if (delta != JSON_NONE && json_type(p, delta) == JSON_OBJECT && read_delta(t, delta) < 0)
		return -EPROTO;
	finish = chat_finish_of(chat_member_text(p, choice, SLICE("finish_reason")));
	if (finish != CHAT_FINISH_NONE)
		chat_tell_finish(t, finish);
	return 0;
}

int chat_openai_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	struct chat_choices choices = chat_choices_of(p, json_member(p, 0, SLICE("choices")), reader->asked > 1);
	struct chat_event event = {.kind = CHAT_EVENT_ERROR};
	struct openai_chunk chunk;
	int err = 0;

	if (openai_read_chunk(p, &chunk) < 0)
		return -EPROTO;
	if (chunk.error != JSON_NONE) {
		event.error = chunk.error;
		sink->event(sink, &event);
		return 0;
	}
	if (chunk.usage.present)
		reader->usage = chunk.usage;
	for (json_ref c = chat_next_choice(p, &choices); c != JSON_NONE && !err; c = chat_next_choice(p, &choices)) {
		struct chat_telling t = {p, sink, reader, choices.number};

		err = read_choice(&t, c);
	}
	return err;
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void open_chunk(const struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	text_literal(out, "data: {\"id\":");
	text_json(out, slice_of(w->id, w->id_size));
	text_literal(out, ",\"object\":\"chat.completion.chunk\",\"created\":");
	text_u64(out, frame->created_s);
	text_literal(out, ",\"model\":");
	text_add(out, frame->model_json);
	text_literal(out, ",\"choices\":[");
}

static void open_delta(
	const struct chat_writer *w, const struct chat_frame *frame, const struct chat_event *event, struct text *out)
{
	open_chunk(w, frame, out);
	text_literal(out, "{\"index\":");
	text_u64(out, event->choice);
	text_literal(out, ",\"delta\":{");
}

static void close_delta(const struct chat_frame *frame, enum chat_finish finish, struct text *out)
{
	text_literal(out, "},\"logprobs\":null,\"finish_reason\":");
	text_json_or_null(out, chat_finish_name(finish));
	text_string(out, frame->include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void write_text(const struct chat_writer *w, const struct chat_frame *frame, struct slice key,
	const struct chat_event *event, struct text *out)
{
	open_delta(w, frame, event, out);
	text_char(out, '"');
	text_add(out, key);
	text_literal(out, "\":");
	text_json(out, event->text);
	close_delta(frame, CHAT_FINISH_NONE, out);
}

/* The signature closes the thinking that came as reasoning_content; see chat_openai_answer.c. */
static void write_thinking_block(
	const struct chat_writer *w, const struct chat_frame *frame, const struct chat_event *event, struct text *out)
{
	open_delta(w, frame, event, out);
	if (event->kind == CHAT_EVENT_REDACTED)
		text_literal(out, "\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":");
	else
		text_literal(out, "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":");
	text_json(out, event->text);
	text_literal(out, "}]");
	close_delta(frame, CHAT_FINISH_NONE, out);
}

static void write_call(
	struct chat_writer *w, const struct chat_frame *frame, const struct chat_event *event, struct text *out)
{
	uint32_t *count = &w->tool_counts[event->choice];

	open_delta(w, frame, event, out);
	text_literal(out, "\"tool_calls\":[{\"index\":");
	if (event->kind == CHAT_EVENT_TOOL) {
		text_u64(out, (*count)++);
		text_literal(out, ",\"id\":");
		text_json(out, event->id);
		text_literal(out, ",\"type\":\"function\",\"function\":{\"name\":");
		text_json(out, event->name);
		text_literal(out, ",\"arguments\":\"\"}");
		chat_openai_write_signature(out, event->signature);
		text_literal(out, "}]");
	} else {
		text_u64(out, *count ? *count - 1 : 0);
		text_literal(out, ",\"function\":{\"arguments\":");
		text_json(out, event->text);
		text_literal(out, "}}]");
	}
	close_delta(frame, CHAT_FINISH_NONE, out);
}

static void write_end(const struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	if (!frame->include_usage)
		return;
	open_chunk(w, frame, out);
	text_literal(out, "],");
	chat_openai_write_usage(&frame->usage, out);
	if (frame->members.size) {
		text_char(out, ',');
		text_add(out, frame->members);
	}
	text_literal(out, "}\n\n");
}

void chat_openai_take_id(struct chat_writer *w, struct slice id)
{
	w->id_size = id.size < sizeof(w->id) ? (unsigned)id.size : sizeof(w->id);
	if (w->id_size)
		memcpy(w->id, id.data, w->id_size);
}

void chat_openai_write_event(
	struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	assert(event->choice < CHAT_CHOICES_MAX);
	switch (event->kind) {
	case CHAT_EVENT_START:
		chat_openai_take_id(w, event->id);
		open_delta(w, frame, event, out);
		text_literal(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
		close_delta(frame, CHAT_FINISH_NONE, out);
		break;
	case CHAT_EVENT_TEXT:
		write_text(w, frame, SLICE("content"), event, out);
		break;
	case CHAT_EVENT_REFUSAL:
		write_text(w, frame, SLICE("refusal"), event, out);
		break;
	case CHAT_EVENT_THINKING:
		write_text(w, frame, SLICE("reasoning_content"), event, out);
		break;
	case CHAT_EVENT_SIGNATURE:
	case CHAT_EVENT_REDACTED:
		write_thinking_block(w, frame, event, out);
		break;
	case CHAT_EVENT_TOOL:
	case CHAT_EVENT_ARGUMENTS:
		write_call(w, frame, event, out);
		break;
	case CHAT_EVENT_FINISH:
		w->ended |= 1u << event->choice;
		open_delta(w, frame, event, out);
		close_delta(frame, event->finish, out);
		break;
	case CHAT_EVENT_END:
		write_end(w, frame, out);
		break;
	case CHAT_EVENT_ERROR:
		break; /* the exchange's to tell */
	}
}

const struct chat_dialect chat_openai = {
	.name = "openai",
	.has = ((1 << CHAT_NEEDS) - 1) & ~(CHAT_PREFILL | CHAT_OWN_TOOLS | CHAT_OWN_PARTS | CHAT_OWN_OPTIONS |
						 CHAT_AUDIO_OUTPUT | CHAT_AUDIO_INPUT),
	.read_request = chat_openai_read_request,
	.write_request = chat_openai_write_request,
	.read_answer = chat_openai_read_answer,
	.write_answer = chat_openai_write_answer,
	.read_event = chat_openai_read_event,
	.write_event = chat_openai_write_event,
};
