/* Answers in Cohere's dialect, whole and event by event, read into the form of a chat. */
#include "proto/cohere/cohere.h"

bool cohere_finish(struct slice finish_reason, enum chat_finish *finish)
{
	static const struct {
		struct slice reason;
		enum chat_finish finish;
	} table[] = {
		{{"COMPLETE", 8}, CHAT_FINISH_STOP},
		{{"STOP_SEQUENCE", 13}, CHAT_FINISH_STOP},
		{{"MAX_TOKENS", 10}, CHAT_FINISH_LENGTH},
		{{"TOOL_CALL", 9}, CHAT_FINISH_TOOLS},
	};

	*finish = finish_reason.data ? CHAT_FINISH_STOP : CHAT_FINISH_NONE;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (slice_equal(finish_reason, table[i].reason))
			*finish = table[i].finish;
	return !slice_equal(finish_reason, SLICE("ERROR")) && !slice_equal(finish_reason, SLICE("TIMEOUT"));
}

bool cohere_read_billed(const struct json_parser *p, json_ref billed, struct openai_usage *usage)
{
	struct openai_usage found = {.present = true};

	if (!openai_read_figure(p, billed, SLICE("input_tokens"), &found.prompt_tokens) || !found.prompt_tokens)
		return false;
	*usage = found;
	return true;
}

/* What is billed is less than what was read, since the provider's own preamble is free; where it is not said, all is.
 */
struct openai_usage cohere_usage(const struct json_parser *p, json_ref usage)
{
	static const struct slice kinds[] = {{"billed_units", 12}, {"tokens", 6}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		json_ref figures = json_member(p, usage, kinds[i]);
		struct openai_usage found = {.present = true};

		if (openai_read_figure(p, figures, SLICE("input_tokens"), &found.prompt_tokens) &&
			openai_read_figure(p, figures, SLICE("output_tokens"), &found.completion_tokens) &&
			found.prompt_tokens > 0 && chat_given(p, json_member(p, figures, SLICE("output_tokens"))))
			return found;
	}
	return (struct openai_usage){0};
}

/* ---- whole answers ------------------------------------------------------------------------------------------ */

struct adding {
	struct chat *chat;
	struct chat_answer *answer;
};

static int add_text(void *context, enum chat_part_kind kind, struct slice text)
{
	const struct adding *adding = context;

	return chat_add_text(adding->chat, adding->answer, kind, text);
}

static int add_call(const struct json_parser *p, const struct adding *adding, json_ref value)
{
	json_ref function = json_member(p, value, SLICE("function"));
	struct chat_part *part = chat_add_part(adding->chat, &adding->answer->parts, CHAT_TOOL_CALL);

	if (!part)
		return adding->chat->err;
	part->id = chat_member_text(p, value, SLICE("id"));
	part->name = chat_member_text(p, function, SLICE("name"));
	part->arguments = chat_openai_arguments(p, function);
	if (!part->arguments.size)
		part->arguments = SLICE("{}");
	adding->answer->output_bytes += part->name.size + part->arguments.size;
	return part->id.size && part->name.size ? 0 : -EPROTO;
}

/* The plan for its calls is the model's thinking, not its answer. */
int cohere_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	json_ref message = json_member(p, 0, SLICE("message")), calls;
	struct adding adding = {chat, answer};
	int err;

	*answer = (struct chat_answer){
		.id = chat_member_text(p, 0, SLICE("id")), .usage = cohere_usage(p, json_member(p, 0, SLICE("usage")))};
	if (message == JSON_NONE || json_type(p, message) != JSON_OBJECT ||
		!cohere_finish(chat_member_text(p, 0, SLICE("finish_reason")), &answer->finish))
		return -EPROTO;
	err = add_text(&adding, CHAT_THINKING, chat_member_text(p, message, SLICE("tool_plan")));
	if (!err)
		err = chat_openai_each_text(p, json_member(p, message, SLICE("content")), add_text, &adding);
	calls = json_member(p, message, SLICE("tool_calls"));
	for (json_ref c = chat_first(p, calls); c != JSON_NONE && !err; c = json_next(p, c))
		err = add_call(p, &adding, c);
	return err;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void tell(struct chat_sink *sink, enum chat_event_kind kind, struct slice text)
{
	struct chat_event event = {.kind = kind, .text = text, .error = JSON_NONE};

	if (text.size)
		sink->event(sink, &event);
}

static int read_start(struct chat_reader *reader, const struct json_parser *p, json_ref delta, struct chat_sink *sink)
{
	struct chat_event event = {
		.kind = CHAT_EVENT_START, .id = chat_member_text(p, 0, SLICE("id")), .error = JSON_NONE};

	(void)delta;
	if (reader->started)
		return 0; /* never two beginnings */
	reader->started = true;
	sink->event(sink, &event);
	return 0;
}

static int read_content(
	struct chat_reader *reader, const struct json_parser *p, json_ref message, struct chat_sink *sink)
{
	json_ref content = json_member(p, message, SLICE("content"));

	(void)reader;
	tell(sink, CHAT_EVENT_THINKING, chat_member_text(p, content, SLICE("thinking")));
	tell(sink, CHAT_EVENT_TEXT, chat_member_text(p, content, SLICE("text")));
	return 0;
}

static int read_plan(struct chat_reader *reader, const struct json_parser *p, json_ref message, struct chat_sink *sink)
{
	(void)reader;
	tell(sink, CHAT_EVENT_THINKING, chat_member_text(p, message, SLICE("tool_plan")));
	return 0;
}

static void read_arguments(
	struct chat_reader *reader, const struct json_parser *p, json_ref call, struct chat_sink *sink)
{
	struct slice piece = chat_openai_arguments(p, json_member(p, call, SLICE("function")));

	reader->arguments_seen |= piece.size > 0;
	tell(sink, CHAT_EVENT_ARGUMENTS, piece);
}

/* One call is an object here, and no list. */
static int read_call(struct chat_reader *reader, const struct json_parser *p, json_ref message, struct chat_sink *sink)
{
	json_ref call = json_member(p, message, SLICE("tool_calls"));
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = chat_member_text(p, call, SLICE("id")),
		.name = chat_member_text(p, json_member(p, call, SLICE("function")), SLICE("name")),
		.error = JSON_NONE};

	if (!event.id.size || !event.name.size)
		return -EPROTO;
	reader->in_tool = true;
	reader->arguments_seen = false;
	reader->tool_count++;
	sink->event(sink, &event);
	read_arguments(reader, p, call, sink);
	return 0;
}

static int read_call_piece(
	struct chat_reader *reader, const struct json_parser *p, json_ref message, struct chat_sink *sink)
{
	if (!reader->in_tool)
		return -EPROTO;
	read_arguments(reader, p, json_member(p, message, SLICE("tool_calls")), sink);
	return 0;
}

static int read_call_end(
	struct chat_reader *reader, const struct json_parser *p, json_ref message, struct chat_sink *sink)
{
	(void)p;
	(void)message;
	if (reader->in_tool && !reader->arguments_seen)
		tell(sink, CHAT_EVENT_ARGUMENTS, SLICE("{}"));
	reader->in_tool = false;
	return 0;
}

static int read_end(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref delta = json_member(p, 0, SLICE("delta")), usage = json_member(p, delta, SLICE("usage"));
	struct chat_event event = {.kind = CHAT_EVENT_FINISH, .error = JSON_NONE};

	if (usage != JSON_NONE)
		reader->usage = cohere_usage(p, usage);
	if (!cohere_finish(chat_member_text(p, delta, SLICE("finish_reason")), &event.finish) ||
		chat_given(p, json_member(p, delta, SLICE("error")))) {
		event = (struct chat_event){.kind = CHAT_EVENT_ERROR, .error = delta};
		sink->event(sink, &event);
		return 0;
	}
	sink->event(sink, &event);
	event = (struct chat_event){.kind = CHAT_EVENT_END, .error = JSON_NONE};
	sink->event(sink, &event);
	return 0;
}

int cohere_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	static const struct {
		struct slice type;
		int (*read)(struct chat_reader *reader, const struct json_parser *p, json_ref message,
			struct chat_sink *sink);
	} types[] = {
		{{"content-delta", 13}, read_content},
		{{"content-start", 13}, read_content},
		{{"message-start", 13}, read_start},
		{{"tool-plan-delta", 15}, read_plan},
		{{"tool-call-start", 15}, read_call},
		{{"tool-call-delta", 15}, read_call_piece},
		{{"tool-call-end", 13}, read_call_end},
	};
	struct slice type = chat_member_text(p, 0, SLICE("type"));
	json_ref delta = json_member(p, 0, SLICE("delta"));
	struct chat_event event = {.kind = CHAT_EVENT_ERROR, .error = 0};

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	if (slice_equal(type, SLICE("message-end")))
		return read_end(reader, p, sink);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (slice_equal(type, types[i].type))
			return types[i].read(reader, p, json_member(p, delta, SLICE("message")), sink);
	if (!type.data && chat_given(p, json_member(p, 0, SLICE("message"))))
		sink->event(sink, &event); /* an error's body in the midst of a stream */
	return 0;
}

const struct chat_dialect chat_cohere = {
	.name = "cohere",
	.has = CHAT_TOOLS | CHAT_FORCED_TOOLS | CHAT_VISION | CHAT_JSON_OBJECT | CHAT_JSON_SCHEMA,
	.read_request = chat_openai_read_request, /* no client speaks it */
	.write_request = cohere_write_request,
	.read_answer = cohere_read_answer,
	.write_answer = chat_openai_write_answer,
	.read_event = cohere_read_event,
	.write_event = chat_openai_write_event,
};
