/*
 * Streams of the Responses API, put together from a chat's events. Every item is opened, told in pieces and closed by
 * events that repeat it as a whole, and the last event repeats them all: so what was told is kept, as the JSON of the
 * output's items, in the exchange's arena, up to RESPONSES_KEPT_BYTES_MAX. All that an event repeats is a slice of it:
 *
 *   {"type":"message",...,"content":[{"type":"output_text","text":"...","annotations":[],"logprobs":[]}],"status":"..."}
 *   ^ item_at                        ^ part_at                    ^ text_at
 *
 * The order of events is that of OpenAI's own streams, their `sequence_number` rises by one from 0.
 */
#include "proto/responses/responses.h"

enum { KEPT_FIRST_BYTES = 2048, EVENT_BYTES = 512 };

/* ---- what is kept ------------------------------------------------------------------------------------------- */

static bool make_room(struct chat_kept *kept, size_t more)
{
	size_t wanted = kept->output.size + more, capacity = kept->output.capacity;
	char *memory;

	if (wanted <= capacity)
		return true;
	if (wanted > RESPONSES_KEPT_BYTES_MAX)
		return false;
	for (capacity = capacity ? capacity : KEPT_FIRST_BYTES; capacity < wanted;)
		capacity *= 2;
	memory = arena_alloc(kept->arena, capacity);
	if (!memory)
		return false;
	if (kept->output.size)
		memcpy(memory, kept->output.data, kept->output.size);
	kept->output.data = memory;
	kept->output.capacity = capacity;
	return true;
}

/* What does not fit spoils the stream, for good: the caller looks at out->full. */
static void keep(struct chat_writer *w, struct slice bytes, struct text *out)
{
	if (!w->finished && make_room(&w->kept, bytes.size)) {
		text_add(&w->kept.output, bytes);
		return;
	}
	w->finished = true;
	out->full = true;
}

static struct slice kept_from(const struct chat_writer *w, size_t begin)
{
	if (w->finished)
		return slice_of(NULL, 0);
	return slice_of(w->kept.output.data + begin, w->kept.output.size - begin);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

static void open_event(struct chat_writer *w, const char *type, struct text *out)
{
	text_literal(out, "event: ");
	text_string(out, type);
	text_literal(out, "\ndata: {\"type\":\"");
	text_string(out, type);
	text_literal(out, "\",\"sequence_number\":");
	text_u64(out, w->kept.sequence++);
}

static void close_event(struct text *out)
{
	text_literal(out, "}\n\n");
}

static const char *item_prefix(const struct chat_writer *w)
{
	return w->open == CHAT_THINKING ? "rs_" : w->open == CHAT_TOOL_CALL ? "fc_" : "msg_";
}

/* An event about the open item. */
static void open_item_event(struct chat_writer *w, const char *type, const struct chat_frame *frame, struct text *out)
{
	open_event(w, type, out);
	text_literal(out, ",\"item_id\":");
	responses_write_item_id(out, item_prefix(w), frame, w->block_count - 1);
	text_literal(out, ",\"output_index\":");
	text_u64(out, w->block_count - 1);
}

/* An event about the open part of it. */
static void open_part_event(struct chat_writer *w, const char *type, const struct chat_frame *frame, struct text *out)
{
	open_item_event(w, type, frame, out);
	text_string(out, w->open == CHAT_THINKING ? ",\"summary_index\":" : ",\"content_index\":");
	text_u64(out, w->kept.part_count - 1);
}

static void write_item_event(
	struct chat_writer *w, const char *type, struct slice item, const char *rest, struct text *out)
{
	open_event(w, type, out);
	text_literal(out, ",\"output_index\":");
	text_u64(out, w->block_count - 1);
	text_literal(out, ",\"item\":");
	text_add(out, item);
	text_string(out, rest);
	close_event(out);
}

/* ---- the kinds of parts ------------------------------------------------------------------------------------- */

struct part_kind {
	const char *added, *delta, *done, *part_done; /* types of events */
	const char *key;                              /* of the text in `done` */
	struct slice open, close;                     /* the part's JSON around its text's content */
	bool logprobs;
};

static const struct part_kind kinds[] = {
	[CHAT_TEXT] = {"response.content_part.added", "response.output_text.delta", "response.output_text.done",
		"response.content_part.done", "text", SLICE("{\"type\":\"output_text\",\"text\":\""),
		SLICE("\",\"annotations\":[],\"logprobs\":[]}"), true},
	[CHAT_REFUSAL] = {"response.content_part.added", "response.refusal.delta", "response.refusal.done",
		"response.content_part.done", "refusal", SLICE("{\"type\":\"refusal\",\"refusal\":\""), SLICE("\"}"),
		false},
	[CHAT_THINKING] = {"response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
		"response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "text",
		SLICE("{\"type\":\"summary_text\",\"text\":\""), SLICE("\"}"), false},
};

static bool is_said(int kind)
{
	return kind == CHAT_TEXT || kind == CHAT_REFUSAL;
}

/* ---- closing ------------------------------------------------------------------------------------------------ */

static void close_part(struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	const struct part_kind *kind = &kinds[w->open];
	struct slice text = kept_from(w, w->kept.text_at);

	open_part_event(w, kind->done, frame, out);
	text_literal(out, ",\"");
	text_string(out, kind->key);
	text_literal(out, "\":\"");
	text_add(out, text);
	text_string(out, kind->logprobs ? "\",\"logprobs\":[]" : "\"");
	close_event(out);
	keep(w, kind->close, out);
	open_part_event(w, kind->part_done, frame, out);
	text_literal(out, ",\"part\":");
	text_add(out, kept_from(w, w->kept.part_at));
	close_event(out);
}

static void close_arguments(struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	struct slice arguments;

	keep(w, SLICE("\""), out);
	if (out->full)
		return;
	arguments = kept_from(w, w->kept.text_at - 1); /* with its quotes */
	open_item_event(w, "response.function_call_arguments.done", frame, out);
	text_literal(out, ",\"name\":");
	text_add(out, slice_of(kept_from(w, w->kept.name_at).data, w->kept.name_bytes));
	text_literal(out, ",\"arguments\":");
	text_add(out, arguments);
	close_event(out);
}

/* The open item's end, as it stands there. */
static void close_item(struct chat_writer *w, const char *status, const struct chat_frame *frame, struct text *out)
{
	if (w->open < 0)
		return;
	if (w->open == CHAT_TOOL_CALL) {
		close_arguments(w, frame, out);
	} else if (w->kept.sealed) {
		keep(w, SLICE("\""), out);
	} else {
		close_part(w, frame, out);
		keep(w, SLICE("]"), out);
	}
	if (w->open != CHAT_THINKING) {
		keep(w, SLICE(",\"status\":\""), out);
		keep(w, slice_of_string(status), out);
		keep(w, SLICE("\""), out);
	}
	keep(w, SLICE("}"), out);
	write_item_event(w, "response.output_item.done", kept_from(w, w->kept.item_at), "", out);
	w->open = -1;
	w->kept.sealed = false;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

/* A new item behind those that are there: `begin` is its JSON into what it will hold. */
static void keep_item(struct chat_writer *w, struct slice begin, struct text *out)
{
	if (w->block_count)
		keep(w, SLICE(","), out);
	w->kept.item_at = w->kept.output.size;
	w->kept.part_count = 0;
	w->block_count++;
	keep(w, begin, out);
}

static void open_part(struct chat_writer *w, int kind, const struct chat_frame *frame, struct text *out)
{
	w->open = kind;
	if (w->kept.part_count++)
		keep(w, SLICE(","), out);
	w->kept.part_at = w->kept.output.size;
	keep(w, kinds[kind].open, out);
	w->kept.text_at = w->kept.output.size;
	open_part_event(w, kinds[kind].added, frame, out);
	text_literal(out, ",\"part\":");
	text_add(out, kinds[kind].open);
	text_add(out, kinds[kind].close);
	close_event(out);
}

/* So that a piece of that kind can follow. */
static void open_said(struct chat_writer *w, int kind, const struct chat_frame *frame, struct text *out)
{
	char memory[EVENT_BYTES];
	struct text item = text_over(memory, sizeof(memory));

	if (w->open == kind && !w->kept.sealed)
		return;
	if (is_said(w->open) && is_said(kind)) {
		close_part(w, frame, out);
		open_part(w, kind, frame, out);
		return;
	}
	close_item(w, "completed", frame, out);
	if (kind == CHAT_THINKING)
		responses_open_reasoning(&item, frame, w->block_count);
	else
		responses_open_message(&item, frame, w->block_count);
	keep_item(w, text_slice(&item), out);
	write_item_event(w, "response.output_item.added", text_slice(&item),
		kind == CHAT_THINKING ? "]}" : "],\"status\":\"in_progress\"}", out);
	open_part(w, kind, frame, out);
}

static void write_piece(
	struct chat_writer *w, int kind, struct slice piece, const struct chat_frame *frame, struct text *out)
{
	size_t begin;

	open_said(w, kind, frame, out);
	open_part_event(w, kinds[kind].delta, frame, out);
	text_literal(out, ",\"delta\":");
	begin = out->size;
	text_json(out, piece);
	if (!out->full)
		keep(w, slice_of(out->data + begin + 1, out->size - begin - 2), out);
	if (kinds[kind].logprobs)
		text_literal(out, ",\"logprobs\":[]");
	close_event(out);
}

/* ---- reasoning that goes back to its provider ----------------------------------------------------------------- */

/* From here on the item's encrypted_content grows. */
static void seal(struct chat_writer *w, struct slice mark, const struct chat_frame *frame, struct text *out)
{
	char memory[EVENT_BYTES];
	struct text item = text_over(memory, sizeof(memory));

	if (w->open == CHAT_THINKING && !w->kept.sealed) {
		close_part(w, frame, out);
	} else {
		close_item(w, "completed", frame, out);
		responses_open_reasoning(&item, frame, w->block_count);
		keep_item(w, text_slice(&item), out);
		write_item_event(w, "response.output_item.added", text_slice(&item), "]}", out);
		w->open = CHAT_THINKING;
	}
	keep(w, SLICE("],\"encrypted_content\":\""), out);
	keep(w, mark, out);
	w->kept.sealed = true;
}

/* The bytes as the inside of a JSON string, by way of `out`, which keeps nothing of them. */
static void keep_escaped(struct chat_writer *w, struct slice bytes, struct text *out)
{
	size_t begin = out->size;

	text_json(out, bytes);
	if (out->full)
		return;
	keep(w, slice_of(out->data + begin + 1, out->size - begin - 2), out);
	out->size = begin;
}

/* ---- calls -------------------------------------------------------------------------------------------------- */

static void write_tool(
	struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	size_t item, name;

	close_item(w, "completed", frame, out);
	open_event(w, "response.output_item.added", out);
	text_literal(out, ",\"output_index\":");
	text_u64(out, w->block_count);
	text_literal(out, ",\"item\":");
	item = out->size;
	responses_open_call(out, frame, w->block_count, event->id, event->name);
	if (out->full)
		return;
	keep_item(w, slice_of(out->data + item, out->size - item), out);
	keep(w, SLICE("\""), out);
	w->kept.text_at = w->kept.output.size;
	/* The quoted name lies between the call's id and its arguments: its place from the end. */
	name = out->size;
	text_json(out, event->name);
	if (out->full || w->finished)
		return;
	w->kept.name_bytes = out->size - name;
	w->kept.name_at = w->kept.text_at - (sizeof(",\"arguments\":\"") - 1) - w->kept.name_bytes;
	out->size = name;
	text_literal(out, "\"\",\"status\":\"in_progress\"}");
	close_event(out);
	w->open = CHAT_TOOL_CALL;
}

static void write_arguments(struct chat_writer *w, struct slice piece, const struct chat_frame *frame, struct text *out)
{
	size_t begin;

	if (w->open != CHAT_TOOL_CALL)
		return; /* of no call */
	open_item_event(w, "response.function_call_arguments.delta", frame, out);
	text_literal(out, ",\"delta\":");
	begin = out->size;
	text_json(out, piece);
	if (!out->full)
		keep(w, slice_of(out->data + begin + 1, out->size - begin - 2), out);
	close_event(out);
}

/* ---- begin and end ------------------------------------------------------------------------------------------ */

/* The gateway's summary is a comment of the stream's, no member of the object. */
static void write_object_event(struct chat_writer *w, const char *type, const struct chat_frame *frame,
	const struct responses_object *object, bool output, struct text *out)
{
	struct chat_frame bare = *frame;

	bare.members = slice_of(NULL, 0);
	open_event(w, type, out);
	text_literal(out, ",\"response\":");
	responses_open_object(out, &bare, object);
	if (output)
		text_add(out, text_slice(&w->kept.output));
	responses_close_object(out, &bare, object);
	close_event(out);
}

static void write_start(struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	struct responses_object object = {.status = "in_progress"};

	if (w->started)
		return;
	w->started = true;
	if (w->id_size)
		object.id = slice_of(w->id, w->id_size);
	write_object_event(w, "response.created", frame, &object, false, out);
	write_object_event(w, "response.in_progress", frame, &object, false, out);
}

static void write_end(struct chat_writer *w, const struct chat_frame *frame, struct text *out)
{
	const char *status = responses_status(w->finish);
	struct responses_object object = {.status = status, .finish = w->finish, .usage = &frame->usage};
	size_t begin;

	close_item(w, status, frame, out);
	begin = out->size;
	write_object_event(w, strcmp(status, "completed") == 0 ? "response.completed" : "response.incomplete", frame,
		&object, true, out);
	w->last_bytes = out->size - begin;
}

void responses_write_failure(
	struct chat_writer *w, const struct chat_frame *frame, struct slice error, struct text *out)
{
	struct responses_object object = {.status = "failed", .error = error};

	write_start(w, frame, out);
	if (w->id_size)
		object.id = slice_of(w->id, w->id_size);
	write_object_event(w, "response.failed", frame, &object, false, out);
}

size_t responses_event_room(const struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame)
{
	const struct chat_kept *kept = &w->kept;
	size_t open_bytes = w->open < 0 ? 0 : kept->output.size - kept->item_at;
	size_t object_bytes = frame->echo.size + frame->previous_id.size + frame->model_json.size;

	if (!w->started)
		return 2 * object_bytes;
	switch (event->kind) {
	case CHAT_EVENT_END:
		return 3 * open_bytes + kept->output.size + object_bytes;
	case CHAT_EVENT_TEXT:
		return w->open == CHAT_TEXT ? 0 : 3 * open_bytes;
	case CHAT_EVENT_THINKING:
	case CHAT_EVENT_SIGNATURE:
		return w->open == CHAT_THINKING && !kept->sealed && event->kind == CHAT_EVENT_THINKING ? 0
												       : 3 * open_bytes;
	case CHAT_EVENT_ARGUMENTS:
	case CHAT_EVENT_FINISH:
		return 0;
	default:
		return 3 * open_bytes;
	}
}

void responses_write_event(
	struct chat_writer *w, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	if (event->choice) /* this dialect has one, whatever a provider sends */
		return;
	out->full |= w->finished;
	if (out->full)
		return;
	write_start(w, frame, out);
	switch (event->kind) {
	case CHAT_EVENT_START:
	case CHAT_EVENT_ERROR: /* the exchange's to tell */
		break;
	case CHAT_EVENT_TEXT:
		write_piece(w, CHAT_TEXT, event->text, frame, out);
		break;
	case CHAT_EVENT_REFUSAL:
		write_piece(w, CHAT_REFUSAL, event->text, frame, out);
		break;
	case CHAT_EVENT_THINKING:
		write_piece(w, CHAT_THINKING, event->text, frame, out);
		break;
	case CHAT_EVENT_SIGNATURE:
		if (w->open != CHAT_THINKING || !w->kept.sealed)
			seal(w, RESPONSES_SIGNATURE_MARK, frame, out);
		keep_escaped(w, event->text, out);
		break;
	case CHAT_EVENT_REDACTED:
		close_item(w, "completed", frame, out);
		seal(w, RESPONSES_REDACTED_MARK, frame, out);
		keep_escaped(w, event->text, out);
		close_item(w, "completed", frame, out);
		break;
	case CHAT_EVENT_TOOL:
		write_tool(w, event, frame, out);
		break;
	case CHAT_EVENT_ARGUMENTS:
		write_arguments(w, event->text, frame, out);
		break;
	case CHAT_EVENT_FINISH:
		w->finish = event->finish;
		break;
	case CHAT_EVENT_END:
		write_end(w, frame, out);
		break;
	}
}
