/* Streams in Anthropic's dialect (Messages), event by event: taken apart, and put together. */
#include "proto/anthropic/anthropic.h"

/* ---- reading ------------------------------------------------------------------------------------------------ */

static void tell(struct chat_sink *sink, enum chat_event_kind kind, struct slice text)
{
	struct chat_event event = {.kind = kind, .text = text, .error = JSON_NONE};

	if (text.size)
		sink->event(sink, &event);
}

/*
 * What is known when the stream opens counts the prompt alone: the figure of output there is a beginning, not a count,
 * so a stream that breaks is estimated by what came.
 */
static void read_start(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref message = json_member(p, 0, SLICE("message"));
	struct chat_event event = {
		.kind = CHAT_EVENT_START, .id = chat_member_text(p, message, SLICE("id")), .error = JSON_NONE};

	anthropic_read_usage(p, json_member(p, message, SLICE("usage")), reader->raw);
	reader->raw[ANTHROPIC_OUTPUT] = reader->raw[ANTHROPIC_THINKING] = 0;
	reader->usage = anthropic_usage(reader->raw);
	if (reader->started)
		return; /* never two beginnings */
	reader->started = true;
	sink->event(sink, &event);
}

static int read_index(const struct json_parser *p, uint32_t *index)
{
	json_ref value = json_member(p, 0, SLICE("index"));
	int64_t number = 0;

	if (value != JSON_NONE && (!json_integer(p, value, &number) || number < 0 || number > UINT32_MAX))
		return -EPROTO;
	*index = (uint32_t)number;
	return 0;
}

static int read_block_start(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref block = json_member(p, 0, SLICE("content_block"));
	struct slice type = chat_member_text(p, block, SLICE("type"));
	json_ref input = json_member(p, block, SLICE("input"));
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = chat_member_text(p, block, SLICE("id")),
		.name = chat_member_text(p, block, SLICE("name")),
		.error = JSON_NONE};

	reader->in_tool = slice_equal(type, SLICE("tool_use"));
	reader->arguments_seen = false;
	tell(sink, CHAT_EVENT_THINKING, chat_member_text(p, block, SLICE("thinking")));
	if (slice_equal(type, SLICE("text")))
		tell(sink, CHAT_EVENT_TEXT, chat_member_text(p, block, SLICE("text")));
	if (slice_equal(type, SLICE("redacted_thinking")))
		tell(sink, CHAT_EVENT_REDACTED, chat_member_text(p, block, SLICE("data")));
	if (!reader->in_tool)
		return 0;
	if (!event.id.size || !event.name.size || read_index(p, &reader->tool_index) < 0)
		return -EPROTO;
	reader->tool_count++;
	sink->event(sink, &event);
	/* An empty input stands for one that will come in pieces; few servers send it whole. */
	if (chat_first(p, input) != JSON_NONE) {
		reader->arguments_seen = true;
		tell(sink, CHAT_EVENT_ARGUMENTS, json_raw(p, input));
	}
	return 0;
}

static int read_block_delta(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref delta = json_member(p, 0, SLICE("delta"));
	struct slice type = chat_member_text(p, delta, SLICE("type"));
	struct slice piece;
	uint32_t index;

	if (slice_equal(type, SLICE("text_delta")))
		tell(sink, CHAT_EVENT_TEXT, chat_member_text(p, delta, SLICE("text")));
	else if (slice_equal(type, SLICE("thinking_delta")))
		tell(sink, CHAT_EVENT_THINKING, chat_member_text(p, delta, SLICE("thinking")));
	else if (slice_equal(type, SLICE("signature_delta")))
		tell(sink, CHAT_EVENT_SIGNATURE, chat_member_text(p, delta, SLICE("signature")));
	if (!slice_equal(type, SLICE("input_json_delta")) || !reader->in_tool)
		return 0;
	if (read_index(p, &index) < 0 || index != reader->tool_index)
		return -EPROTO;
	piece = chat_member_text(p, delta, SLICE("partial_json"));
	if (piece.size)
		reader->arguments_seen = true;
	tell(sink, CHAT_EVENT_ARGUMENTS, piece);
	return 0;
}

/* A call without arguments is one of an empty object. */
static void read_block_stop(struct chat_reader *reader, struct chat_sink *sink)
{
	if (reader->in_tool && !reader->arguments_seen)
		tell(sink, CHAT_EVENT_ARGUMENTS, SLICE("{}"));
	reader->in_tool = false;
}

static void read_message_delta(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref delta = json_member(p, 0, SLICE("delta"));
	struct chat_event event = {.kind = CHAT_EVENT_FINISH,
		.finish = anthropic_finish(chat_member_text(p, delta, SLICE("stop_reason"))),
		.error = JSON_NONE};

	anthropic_read_usage(p, json_member(p, 0, SLICE("usage")), reader->raw);
	reader->usage = anthropic_usage(reader->raw);
	if (event.finish != CHAT_FINISH_NONE)
		sink->event(sink, &event);
}

int anthropic_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	struct slice type = chat_member_text(p, 0, SLICE("type"));
	struct chat_event event = {.kind = CHAT_EVENT_END, .error = JSON_NONE};

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	if (slice_equal(type, SLICE("content_block_delta")))
		return read_block_delta(reader, p, sink);
	if (slice_equal(type, SLICE("content_block_start")))
		return read_block_start(reader, p, sink);
	if (slice_equal(type, SLICE("content_block_stop"))) {
		read_block_stop(reader, sink);
	} else if (slice_equal(type, SLICE("message_start"))) {
		read_start(reader, p, sink);
	} else if (slice_equal(type, SLICE("message_delta"))) {
		read_message_delta(reader, p, sink);
	} else if (slice_equal(type, SLICE("message_stop"))) {
		sink->event(sink, &event);
	} else if (slice_equal(type, SLICE("error")) || chat_given(p, json_member(p, 0, SLICE("error")))) {
		event.kind = CHAT_EVENT_ERROR;
		event.error = json_member(p, 0, SLICE("error"));
		if (event.error == JSON_NONE)
			event.error = 0;
		sink->event(sink, &event);
	}
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void open_event(struct text *out, const char *name)
{
	text_literal(out, "event: ");
	text_string(out, name);
	text_literal(out, "\ndata: {\"type\":\"");
	text_string(out, name);
	text_char(out, '"');
}

static void close_event(struct text *out)
{
	text_literal(out, "}\n\n");
}

static void write_index(const struct chat_writer *w, struct text *out)
{
	text_literal(out, ",\"index\":");
	text_u64(out, w->block_count - 1);
}

static void close_block(struct chat_writer *w, struct text *out)
{
	if (w->open < 0)
		return;
	open_event(out, "content_block_stop");
	write_index(w, out);
	close_event(out);
	w->open = -1;
}

static void open_block(struct chat_writer *w, int kind, struct text *out)
{
	close_block(w, out);
	w->open = kind;
	w->block_count++;
	open_event(out, "content_block_start");
	write_index(w, out);
	text_literal(out, ",\"content_block\":{\"type\":");
}

static void write_delta(struct chat_writer *w, const char *type, const char *key, struct slice text, struct text *out)
{
	open_event(out, "content_block_delta");
	write_index(w, out);
	text_literal(out, ",\"delta\":{\"type\":\"");
	text_string(out, type);
	text_literal(out, "\",\"");
	text_string(out, key);
	text_literal(out, "\":");
	text_json(out, text);
	text_char(out, '}');
	close_event(out);
}

static void write_text(struct chat_writer *w, struct slice text, struct text *out)
{
	if (w->open != CHAT_TEXT) {
		open_block(w, CHAT_TEXT, out);
		text_literal(out, "\"text\",\"text\":\"\"}");
		close_event(out);
	}
	write_delta(w, "text_delta", "text", text, out);
}

static void open_thinking(struct chat_writer *w, struct text *out)
{
	if (w->open == CHAT_THINKING)
		return;
	open_block(w, CHAT_THINKING, out);
	text_literal(out, "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
	close_event(out);
}

static void write_tool(struct chat_writer *w, const struct chat_event *event, struct text *out)
{
	open_block(w, CHAT_TOOL_CALL, out);
	text_literal(out, "\"tool_use\",\"id\":");
	text_json(out, event->id);
	text_literal(out, ",\"name\":");
	text_json(out, event->name);
	text_literal(out, ",\"input\":{}}");
	close_event(out);
}

static void write_start(
	struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	struct openai_usage usage = {.prompt_tokens = frame->prompt_tokens_estimate};

	w->open = -1;
	w->started = true;
	open_event(out, "message_start");
	text_literal(out, ",\"message\":{\"id\":");
	text_json(out, event->id);
	text_literal(out, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
	text_add(out, frame->model_json);
	text_literal(out, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,");
	anthropic_write_usage(&usage, out);
	text_char(out, '}');
	close_event(out);
}

static void write_end(struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	close_block(w, out);
	open_event(out, "message_delta");
	text_literal(out, ",\"delta\":{\"stop_reason\":");
	text_json(out, anthropic_stop_reason(w->finish));
	text_literal(out, ",\"stop_sequence\":null},");
	anthropic_write_usage(&frame->usage, out);
	close_event(out);
}

void anthropic_write_event(
	struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	const struct chat_event start = {.kind = CHAT_EVENT_START};

	if (event->choice) /* this dialect has one, whatever a provider sends */
		return;
	if (!w->started && event->kind != CHAT_EVENT_START)
		write_start(w, &start, frame, out);
	switch (event->kind) {
	case CHAT_EVENT_START:
		write_start(w, event, frame, out);
		break;
	case CHAT_EVENT_REFUSAL:
		w->finish = CHAT_FINISH_FILTER;
		write_text(w, event->text, out);
		break;
	case CHAT_EVENT_TEXT:
		write_text(w, event->text, out);
		break;
	case CHAT_EVENT_THINKING:
		open_thinking(w, out);
		write_delta(w, "thinking_delta", "thinking", event->text, out);
		break;
	case CHAT_EVENT_SIGNATURE:
		open_thinking(w, out);
		write_delta(w, "signature_delta", "signature", event->text, out);
		break;
	case CHAT_EVENT_REDACTED:
		open_block(w, CHAT_REDACTED_THINKING, out);
		text_literal(out, "\"redacted_thinking\",\"data\":");
		text_json(out, event->text);
		text_char(out, '}');
		close_event(out);
		break;
	case CHAT_EVENT_TOOL:
		write_tool(w, event, out);
		break;
	case CHAT_EVENT_ARGUMENTS:
		write_delta(w, "input_json_delta", "partial_json", event->text, out);
		break;
	case CHAT_EVENT_FINISH:
		if (w->finish != CHAT_FINISH_FILTER)
			w->finish = event->finish;
		break;
	case CHAT_EVENT_END:
		write_end(w, frame, out);
		break;
	case CHAT_EVENT_ERROR:
		break; /* the exchange's to tell */
	}
}
