/* Answers in Bedrock's dialect, whole and event by event, read into the form of a chat; and the dialect's row. */
#include "proto/bedrock/bedrock.h"

/* What a cache gave or took is told beside the input; OpenAI's clients count it within the prompt. */
static struct openai_usage read_usage(const struct json_parser *p, json_ref usage)
{
	uint64_t input = 0, output = 0, cached = 0, written = 0;

	if (usage == JSON_NONE || json_type(p, usage) != JSON_OBJECT)
		return (struct openai_usage){0};
	if (!openai_read_figure(p, usage, SLICE("inputTokens"), &input) ||
		!openai_read_figure(p, usage, SLICE("outputTokens"), &output) ||
		!openai_read_figure(p, usage, SLICE("cacheReadInputTokens"), &cached) ||
		!openai_read_figure(p, usage, SLICE("cacheWriteInputTokens"), &written) ||
		input + cached + written == 0)
		return (struct openai_usage){0};
	return (struct openai_usage){.present = true,
		.prompt_tokens = input + cached + written,
		.completion_tokens = output,
		.cached_tokens = cached,
		.cache_write_tokens = written};
}

/* False for what is no end of an answer but a failure. */
static bool read_finish(struct slice reason, enum chat_finish *finish)
{
	static const struct {
		struct slice reason;
		enum chat_finish finish;
	} table[] = {
		{{"end_turn", 8}, CHAT_FINISH_STOP},
		{{"stop_sequence", 13}, CHAT_FINISH_STOP},
		{{"max_tokens", 10}, CHAT_FINISH_LENGTH},
		{{"model_context_window_exceeded", 29}, CHAT_FINISH_LENGTH},
		{{"tool_use", 8}, CHAT_FINISH_TOOLS},
		{{"content_filtered", 16}, CHAT_FINISH_FILTER},
		{{"guardrail_intervened", 20}, CHAT_FINISH_FILTER},
	};

	*finish = CHAT_FINISH_STOP;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (slice_equal(reason, table[i].reason))
			*finish = table[i].finish;
	return !slice_starts_with(reason, SLICE("malformed_"));
}

/* ---- whole answers ------------------------------------------------------------------------------------------ */

static int add_call(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref call)
{
	struct chat_part *part = chat_add_part(chat, &answer->parts, CHAT_TOOL_CALL);
	json_ref input = json_member(p, call, SLICE("input"));

	if (!part)
		return chat->err;
	part->id = chat_member_text(p, call, SLICE("toolUseId"));
	part->name = chat_member_text(p, call, SLICE("name"));
	part->arguments = input != JSON_NONE && json_type(p, input) == JSON_OBJECT ? json_raw(p, input) : SLICE("{}");
	answer->output_bytes += part->name.size + part->arguments.size;
	return part->id.size && part->name.size ? 0 : -EPROTO;
}

static int add_reasoning(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref reasoning)
{
	json_ref said = json_member(p, reasoning, SLICE("reasoningText"));
	struct slice text = chat_member_text(p, said, SLICE("text"));
	int err = chat_add_text(chat, answer, CHAT_THINKING, text);

	if (!err && text.size)
		answer->parts.last->signature = chat_member_text(p, said, SLICE("signature"));
	if (!err)
		err = chat_add_text(
			chat, answer, CHAT_REDACTED_THINKING, chat_member_text(p, reasoning, SLICE("redactedContent")));
	return err;
}

static int add_block(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref block)
{
	json_ref call = json_member(p, block, SLICE("toolUse"));
	json_ref reasoning = json_member(p, block, SLICE("reasoningContent"));

	if (chat_given(p, call))
		return add_call(p, chat, answer, call);
	if (chat_given(p, reasoning))
		return add_reasoning(p, chat, answer, reasoning);
	return chat_add_text(chat, answer, CHAT_TEXT, chat_member_text(p, block, SLICE("text")));
}

int bedrock_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	json_ref message = json_member(p, json_member(p, 0, SLICE("output")), SLICE("message"));
	json_ref content = json_member(p, message, SLICE("content"));
	int err = 0;

	*answer = (struct chat_answer){.usage = read_usage(p, json_member(p, 0, SLICE("usage")))};
	if (content == JSON_NONE || json_type(p, content) != JSON_ARRAY ||
		!read_finish(chat_member_text(p, 0, SLICE("stopReason")), &answer->finish))
		return -EPROTO;
	for (json_ref b = json_first(p, content); b != JSON_NONE && !err; b = json_next(p, b))
		err = add_block(p, chat, answer, b);
	return err;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void tell(struct chat_sink *sink, enum chat_event_kind kind, struct slice text)
{
	struct chat_event event = {.kind = kind, .text = text, .error = JSON_NONE};

	if (text.size)
		sink->event(sink, &event);
}

static int read_start(struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	struct chat_event event = {.kind = CHAT_EVENT_START, .error = JSON_NONE};

	(void)p;
	(void)body;
	if (reader->started)
		return 0; /* never two beginnings */
	reader->started = true;
	sink->event(sink, &event);
	return 0;
}

static int read_index(const struct json_parser *p, json_ref body, uint32_t *index)
{
	json_ref value = json_member(p, body, SLICE("contentBlockIndex"));
	int64_t number = 0;

	if (value != JSON_NONE && (!json_integer(p, value, &number) || number < 0 || number > UINT32_MAX))
		return -EPROTO;
	*index = (uint32_t)number;
	return 0;
}

/* Blocks of text do not begin. */
static int read_block_start(
	struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	json_ref call = json_member(p, json_member(p, body, SLICE("start")), SLICE("toolUse"));
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = chat_member_text(p, call, SLICE("toolUseId")),
		.name = chat_member_text(p, call, SLICE("name")),
		.error = JSON_NONE};

	reader->in_tool = chat_given(p, call);
	reader->arguments_seen = false;
	if (!reader->in_tool)
		return 0;
	if (!event.id.size || !event.name.size || read_index(p, body, &reader->tool_index) < 0)
		return -EPROTO;
	reader->tool_count++;
	sink->event(sink, &event);
	return 0;
}

static int read_arguments(
	struct chat_reader *reader, const struct json_parser *p, json_ref body, json_ref call, struct chat_sink *sink)
{
	struct slice piece = chat_member_text(p, call, SLICE("input"));
	uint32_t index;

	if (!reader->in_tool || read_index(p, body, &index) < 0 || index != reader->tool_index)
		return -EPROTO;
	reader->arguments_seen |= piece.size > 0;
	tell(sink, CHAT_EVENT_ARGUMENTS, piece);
	return 0;
}

static int read_block_delta(
	struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	json_ref delta = json_member(p, body, SLICE("delta")), call = json_member(p, delta, SLICE("toolUse"));
	json_ref reasoning = json_member(p, delta, SLICE("reasoningContent"));

	if (chat_given(p, call))
		return read_arguments(reader, p, body, call, sink);
	tell(sink, CHAT_EVENT_TEXT, chat_member_text(p, delta, SLICE("text")));
	tell(sink, CHAT_EVENT_THINKING, chat_member_text(p, reasoning, SLICE("text")));
	tell(sink, CHAT_EVENT_SIGNATURE, chat_member_text(p, reasoning, SLICE("signature")));
	tell(sink, CHAT_EVENT_REDACTED, chat_member_text(p, reasoning, SLICE("redactedContent")));
	return 0;
}

/* A call without arguments is one of an empty object. */
static int read_block_stop(
	struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	(void)p;
	(void)body;
	if (reader->in_tool && !reader->arguments_seen)
		tell(sink, CHAT_EVENT_ARGUMENTS, SLICE("{}"));
	reader->in_tool = false;
	return 0;
}

static int read_message_stop(
	struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	struct chat_event event = {.kind = CHAT_EVENT_FINISH, .error = JSON_NONE};

	(void)reader;
	if (!read_finish(chat_member_text(p, body, SLICE("stopReason")), &event.finish))
		return -EPROTO;
	sink->event(sink, &event);
	return 0;
}

/* The figures come behind the reason, and are the last event. */
static int read_metadata(struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	struct chat_event event = {.kind = CHAT_EVENT_END, .error = JSON_NONE};

	reader->usage = read_usage(p, json_member(p, body, SLICE("usage")));
	sink->event(sink, &event);
	return 0;
}

static int read_error(struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink)
{
	struct chat_event event = {.kind = CHAT_EVENT_ERROR, .error = body};

	(void)reader;
	(void)p;
	sink->event(sink, &event);
	return 0;
}

int bedrock_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	static const struct {
		struct slice name;
		int (*read)(
			struct chat_reader *reader, const struct json_parser *p, json_ref body, struct chat_sink *sink);
	} events[] = {
		{{"contentBlockDelta", 17}, read_block_delta},
		{{"contentBlockStart", 17}, read_block_start},
		{{"contentBlockStop", 16}, read_block_stop},
		{{"messageStart", 12}, read_start},
		{{"messageStop", 11}, read_message_stop},
		{{"metadata", 8}, read_metadata},
		{{"error", 5}, read_error},
	};
	json_ref first;

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	first = json_first(p, 0);
	for (size_t i = 0; first != JSON_NONE && i < sizeof(events) / sizeof(events[0]); i++)
		if (slice_equal(json_key(p, first), events[i].name))
			return json_type(p, first) == JSON_OBJECT ? events[i].read(reader, p, first, sink) : -EPROTO;
	return 0;
}

const struct chat_dialect chat_bedrock = {
	.name = "bedrock",
	.has = CHAT_TOOLS | CHAT_FORCED_TOOLS | CHAT_VISION | CHAT_FILES | CHAT_JSON_SCHEMA | CHAT_PREFILL,
	.write_request = bedrock_write_request,
	.read_answer = bedrock_read_answer,
	.read_event = bedrock_read_event,
};
