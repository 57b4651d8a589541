/* Answers from one dialect to the other: whole ones compared, streams event by event, whatever the pieces in which they
 * come. */
#include "proto/http/sse.h"
#include "proto/chat/tests/chat_fixture.h"

static struct chat_frame make_frame(const struct openai_usage *usage, bool include_usage)
{
	return (struct chat_frame){.model_json = SLICE("\"id/m\""),
		.members = SLICE("\"x-llm-gateway\":{}"),
		.created_s = 5,
		.prompt_tokens_estimate = 3,
		.include_usage = include_usage,
		.usage = *usage};
}

/* ---- whole answers ------------------------------------------------------------------------------------------ */

struct row {
	const char *in, *out;
	enum chat_finish finish;
	uint64_t output_bytes;
};

static void translate(struct fixture *f, const struct chat_dialect *from, const struct chat_dialect *to,
	const struct row *row, size_t number)
{
	struct chat_answer answer;
	struct chat_frame frame;
	struct chat chat;

	parse(f, slice_of_string(row->in));
	clear_out(f);
	chat_init(&chat, &f->arena);
	if (from->read_answer(f->parser, &chat, &answer))
		fail_msg("row %zu is no answer", number);
	frame = make_frame(&answer.usage, false);
	if (to->write_answer(&answer, &frame, &f->out))
		fail_msg("row %zu cannot be written", number);
	expect_text(number, text_slice(&f->out), row->out);
	assert_int_equal(answer.finish, row->finish);
	assert_int_equal(answer.output_bytes, row->output_bytes);
	parse(f, text_slice(&f->out));
}

#define CHAT(message, finish, usage)                                                                                   \
	"{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"id/"                                   \
	"m\",\"choices\":[{\"index\":0,\"message\":"                                                                   \
	"{\"role\":\"assistant\"," message "},\"logprobs\":null,\"finish_reason\":\"" finish "\"}],\"usage\":" usage   \
	",\"x-llm-gateway\":{}}"
#define USAGE(prompt, completion, total, cached, written, reasoning)                                                   \
	"{\"prompt_tokens\":" prompt ",\"completion_tokens\":" completion ",\"total_tokens\":" total                   \
	",\"prompt_tokens_details\":{\"cached_tokens\":" cached ",\"cache_write_tokens\":" written                     \
	"},\"completion_tokens_details\":{\"reasoning_tokens\":" reasoning "}}"
#define NO_USAGE USAGE("0", "0", "0", "0", "0", "0")
#define MESSAGE(content, reason, usage)                                                                                \
	"{\"id\":\"1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"id/m\",\"content\":[" content           \
	"],\"stop_reason\":\"" reason "\",\"stop_sequence\":null,\"usage\":" usage ",\"x-llm-gateway\":{}}"
#define TOKENS(input, written, read, output)                                                                           \
	"{\"input_tokens\":" input ",\"cache_creation_input_tokens\":" written ",\"cache_read_input_tokens\":" read    \
	",\"output_tokens\":" output "}"

static void from_anthropic(void **state)
{
	static const struct row table[] = {
		/* What was cached counts once, in the prompt; texts are one string. */
		{"{\"id\":\"1\",\"type\":\"message\",\"model\":\"x\",\"content\":[{\"type\":\"text\",\"text\":\"Hi "
		 "\"},{\"type\":\"text\","
		 "\"text\":\"\\\"you\\\"\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":9,"
		 "\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3,\"output_tokens\":5,\"output_tokens_"
		 "details\":"
		 "{\"thinking_tokens\":1}}}",
			CHAT("\"content\":\"Hi \\\"you\\\"\",\"refusal\":null", "stop",
				USAGE("14", "5", "19", "3", "2", "1")),
			CHAT_FINISH_STOP, 8},
		{"{\"id\":\"1\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":"
		 "\"redacted_thinking\",\"data\":\"d\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{"
		 "\"x\":1}},{\"type\":"
		 "\"from_the_future\"},{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{}}],\"stop_"
		 "reason\":\"tool_use\"}",
			CHAT("\"content\":null,\"refusal\":null,\"reasoning_content\":\"hm\",\"thinking_blocks\":[{"
			     "\"type\":\"thinking\","
			     "\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"d\"}]"
			     ",\"tool_calls\":["
			     "{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
			     "\\\"x\\\":1}\"}},{\"id\":\"u\","
			     "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]",
				"tool_calls", NO_USAGE),
			CHAT_FINISH_TOOLS, 14},
		{"{\"id\":\"1\",\"content\":[],\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":-1,\"output_"
		 "tokens\":1}}",
			CHAT("\"content\":null,\"refusal\":null", "length", NO_USAGE), CHAT_FINISH_LENGTH, 0},
		{"{\"id\":\"1\",\"content\":[],\"stop_reason\":\"model_context_window_exceeded\"}",
			CHAT("\"content\":null,\"refusal\":null", "length", NO_USAGE), CHAT_FINISH_LENGTH, 0},
		{"{\"id\":\"1\",\"content\":[],\"stop_reason\":\"refusal\"}",
			CHAT("\"content\":null,\"refusal\":null", "content_filter", NO_USAGE), CHAT_FINISH_FILTER, 0},
		{"{\"id\":\"1\",\"content\":[],\"stop_reason\":\"pause_turn\"}",
			CHAT("\"content\":null,\"refusal\":null", "stop", NO_USAGE), CHAT_FINISH_STOP, 0},
		{"{\"id\":\"1\",\"content\":[],\"stop_reason\":\"from_the_future\"}",
			CHAT("\"content\":null,\"refusal\":null", "stop", NO_USAGE), CHAT_FINISH_STOP, 0},
	};

	for (size_t i = 0; i < COUNT(table); i++)
		translate(*state, &chat_anthropic, &chat_openai, &table[i], i);
}

static void from_openai(void **state)
{
	static const struct row table[] = {
		{"{\"id\":\"1\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning_"
		 "content\":\"hm\"},"
		 "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":5,\"prompt_tokens_"
		 "details\":"
		 "{\"cached_tokens\":3,\"cache_write_tokens\":2}}}",
			MESSAGE("{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},{\"type\":\"text\","
				"\"text\":\"Hi\","
				"\"citations\":null}",
				"end_turn", TOKENS("9", "2", "3", "5")),
			CHAT_FINISH_STOP, 4},
		{"{\"id\":\"1\",\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":"
		 "\"function\","
		 "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": "
		 "[1]}\"}},{\"id\":\"u\",\"function\":{\"name\":\"g\","
		 "\"arguments\":\"\"}}]},\"finish_reason\":\"tool_calls\"}]}",
			MESSAGE("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"x\": "
				"[1]}},{\"type\":\"tool_use\",\"id\":"
				"\"u\",\"name\":\"g\",\"input\":{}}",
				"tool_use", TOKENS("0", "0", "0", "0")),
			CHAT_FINISH_TOOLS, 14},
		{"{\"id\":\"1\",\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"No.\"},\"finish_reason\":"
		 "\"stop\"}]}",
			MESSAGE("{\"type\":\"text\",\"text\":\"No.\",\"citations\":null}", "refusal",
				TOKENS("0", "0", "0", "0")),
			CHAT_FINISH_STOP, 3},
		{"{\"id\":\"1\",\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"length\"}]}",
			MESSAGE("", "max_tokens", TOKENS("0", "0", "0", "0")), CHAT_FINISH_LENGTH, 0},
		{"{\"id\":\"1\",\"choices\":[{\"message\":{},\"finish_reason\":\"content_filter\"}]}",
			MESSAGE("", "refusal", TOKENS("0", "0", "0", "0")), CHAT_FINISH_FILTER, 0},
		{"{\"id\":\"1\",\"choices\":[{\"message\":{},\"finish_reason\":null}]}",
			MESSAGE("", "end_turn", TOKENS("0", "0", "0", "0")), CHAT_FINISH_NONE, 0},
	};

	for (size_t i = 0; i < COUNT(table); i++)
		translate(*state, &chat_openai, &chat_anthropic, &table[i], i);
}

static void no_answers(void **state)
{
	static const struct {
		const struct chat_dialect *from;
		const char *in;
	} table[] = {
		{&chat_openai, "[]"},
		{&chat_openai, "{\"choices\":[]}"},
		{&chat_openai, "{\"choices\":[{\"message\":7}]}"},
		{&chat_openai, "{\"choices\":[{\"message\":{}}],\"error\":{\"message\":\"x\"}}"},
		{&chat_openai, "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"1\"}]}}]}"},
		{&chat_anthropic, "7"},
		{&chat_anthropic, "{}"},
		{&chat_anthropic, "{\"content\":\"x\"}"},
		{&chat_anthropic, "{\"type\":\"error\",\"content\":[]}"},
		{&chat_anthropic, "{\"content\":[{\"type\":\"tool_use\",\"name\":\"f\"}]}"},
	};
	struct fixture *f = *state;
	struct chat_answer answer;
	struct chat chat;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].in));
		chat_init(&chat, &f->arena);
		assert_int_equal(table[i].from->read_answer(f->parser, &chat, &answer), -EPROTO);
	}
}

/* Numbers that are left out, twice there, nonsense or beyond what can be asked for. */
static void numbers_of_choices(void **state)
{
	static const struct {
		const char *list, *numbers;
		bool several; /* were asked for */
	} table[] = {
		{"[{\"index\":1}]", "1 ", true},
		{"[{\"index\":1}]", "0 ", false},
		{"[{\"index\":16}]", "", true},
		{"[{}]", "0 ", true},
		{"[{}]", "0 ", false},
		{"[{},{},{}]", "0 1 2 ", false},
		{"[{\"index\":1},{}]", "1 0 ", false},
		{"[{},{\"index\":0},{\"index\":null},{\"index\":1}]", "2 0 3 1 ", false},
		{"[{\"index\":2},{\"index\":2}]", "2 2 ", false},
		{"[{\"index\":-1},{\"index\":\"7\"},7]", "0 1 2 ", false},
		{"[{\"index\":16},{\"index\":15},{\"index\":9000000000},{}]", "15 0 ", false},
		{"[]", "", false},
		{"7", "", false},
	};
	struct fixture *f = *state;
	struct chat_choices choices;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].list));
		clear_out(f);
		choices = chat_choices_of(f->parser, 0, table[i].several);
		while (chat_next_choice(f->parser, &choices) != JSON_NONE) {
			text_u64(&f->out, choices.number);
			text_char(&f->out, ' ');
		}
		expect_text(i, text_slice(&f->out), table[i].numbers);
	}
}

/* A model may write what is no JSON; Anthropic's dialect has no way to pass that on. */
static void arguments_that_are_no_object(void **state)
{
	struct fixture *f = *state;
	struct chat_answer answer;
	struct chat_frame frame;
	struct chat chat;

	parse(f, SLICE("{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\","
		       "\"arguments\":"
		       "\"{\\\"x\\\":\"}}]}}]}"));
	clear_out(f);
	chat_init(&chat, &f->arena);
	assert_int_equal(chat_openai.read_answer(f->parser, &chat, &answer), 0);
	frame = make_frame(&answer.usage, false);
	assert_int_equal(chat_anthropic.write_answer(&answer, &frame, &f->out), -EPROTO);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

struct relay {
	struct chat_sink sink;
	const struct chat_dialect *to;
	struct chat_writer writer;
	struct chat_frame frame;
	struct text *out;
	bool failed, ended;
};

static void relay_event(struct chat_sink *sink, const struct chat_event *event)
{
	struct relay *relay = (struct relay *)sink;

	relay->failed |= event->kind == CHAT_EVENT_ERROR;
	relay->ended |= event->kind == CHAT_EVENT_END;
	if (event->kind != CHAT_EVENT_END)
		relay->to->write_event(&relay->writer, event, &relay->frame, relay->out);
}

/* 0, or what a reader said. */
static int relay_stream(struct fixture *f, const struct chat_dialect *from, struct relay *relay,
	struct chat_reader *reader, const char *stream, size_t piece)
{
	static char memory[2 * FIXTURE_DOCUMENT_BYTES];
	struct sse_parser sse;
	struct sse_event event;
	size_t size = strlen(stream);
	int err = 0;

	sse_init(&sse, memory, FIXTURE_DOCUMENT_BYTES);
	for (size_t at = 0; at < size && !err; at += piece) {
		struct slice bytes = slice_of(stream + at, size - at < piece ? size - at : piece);

		while (!err && sse_next(&sse, &bytes, &event) == SSE_EVENT) {
			if (event.comment || !event.data.size || slice_equal(event.data, SLICE("[DONE]")))
				continue;
			parse(f, event.data);
			err = from->read_event(reader, f->parser, &relay->sink);
		}
	}
	return err;
}

static void relay_whole(struct fixture *f, const struct chat_dialect *from, const struct chat_dialect *to,
	const char *stream, bool include_usage, size_t piece)
{
	const struct chat_event end = {.kind = CHAT_EVENT_END};
	struct chat_reader reader = {0};
	struct relay relay = {.sink.event = relay_event,
		.to = to,
		.writer.open = -1,
		.frame = make_frame(&reader.usage, include_usage),
		.out = &f->out};

	clear_out(f);
	assert_int_equal(relay_stream(f, from, &relay, &reader, stream, piece), 0);
	assert_false(relay.failed);
	assert_int_equal(relay.ended, from == &chat_anthropic);
	relay.frame.usage = reader.usage;
	to->write_event(&relay.writer, &end, &relay.frame, &f->out);
	assert_false(f->out.full);
}

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define DELTA(index, delta) EVENT("content_block_delta", ",\"index\":" index ",\"delta\":{" delta "}")
#define START(index, block) EVENT("content_block_start", ",\"index\":" index ",\"content_block\":{" block "}")
#define STOP(index) EVENT("content_block_stop", ",\"index\":" index)
#define CHUNK(choice, rest)                                                                                            \
	"data: "                                                                                                       \
	"{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"id/m\",\"choices\":[" choice     \
	"]" rest "}\n\n"
#define PIECE(delta) CHUNK("{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,\"finish_reason\":null}", "")
#define FINISH(reason) CHUNK("{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"" reason "\"}", "")

struct stream_row {
	const struct chat_dialect *from, *to;
	bool include_usage;
	const char *in, *out;
};

static const struct stream_row streams[] = {
	/* Thinking with its signature, text with pieces of UTF-8, calls in parallel: counted from 0, whatever blocks
	   stand before; a call without arguments is one of {}; what the last event counts replaces what the first one
	   did. */
	{&chat_anthropic, &chat_openai, true,
		EVENT("message_start", ",\"message\":{\"id\":\"1\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}")
			EVENT("ping", "") ": a comment\n\n" EVENT("from_the_future", ",\"x\":1") START(
				"0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"") DELTA("0",
				"\"type\":\"thinking_delta\",\"thinking\":\"hm\"") DELTA("0",
				"\"type\":\"signature_delta\",\"signature\":\"s\"") STOP("0") START("1",
				"\"type\":\"text\",\"text\":\"\"") DELTA("1",
				"\"type\":\"text_delta\",\"text\":\"\xc3\xa9\xe2\x82\xac\"") DELTA("1",
				"\"type\":\"text_delta\",\"text\":\"\"") DELTA("1",
				"\"type\":\"citations_delta\",\"citation\":{}") STOP("1") START("2",
				"\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}") DELTA("2",
				"\"type\":\"input_json_delta\",\"partial_json\":\"\"") DELTA("2",
				"\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":1}\"") STOP("2") START("3",
				"\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{}") DELTA("3",
				"\"type\":\"input_json_delta\",\"partial_json\":\"\"") STOP("3") EVENT("message_delta",
				",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":7,"
				"\"cache_read_input_tokens\":4,\"input_tokens\":null}") EVENT("message_stop", ""),
		CHUNK("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":"
		      "null,"
		      "\"finish_reason\":null}",
			",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"},\"logprobs\":"
						 "null,\"finish_reason\":null}",
			",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"thinking_blocks\":[{\"type\":\"thinking\","
						 "\"thinking\":\"\",\"signature\":\"s\"}]},"
						 "\"logprobs\":null,\"finish_reason\":null}",
			",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"content\":\"\xc3\xa9\xe2\x82\xac\"},"
						 "\"logprobs\":null,\"finish_reason\":null}",
			",\"usage\":null")
			CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\","
			      "\"function\":{\"name\":"
			      "\"f\",\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_reason\":null}",
				",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
							 "\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}]},"
							 "\"logprobs\":null,\"finish_reason\":null}",
				",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":"
							 "\"u\",\"type\":\"function\",\"function\":{\"name\":"
							 "\"g\",\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_"
							 "reason\":null}",
				",\"usage\":null") CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,"
							 "\"function\":{\"arguments\":\"{}\"}}]},\"logprobs\":null,"
							 "\"finish_reason\":null}",
				",\"usage\":null")
				CHUNK("{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}",
					",\"usage\":null") CHUNK("",
					",\"usage\":" USAGE("13", "7", "20", "4", "0", "0") ",\"x-llm-gateway\":{}")},
	/* Redacted thinking; no usage for who did not ask. */
	{&chat_anthropic, &chat_openai, false,
		EVENT("message_start", ",\"message\":{\"id\":\"1\"}") START(
			"0", "\"type\":\"redacted_thinking\",\"data\":\"d\"") STOP("0")
			EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"max_tokens\"}") EVENT("message_stop", ""),
		PIECE("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null") PIECE(
			"\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":\"d\"}]") FINISH("length")},
	/* A server that sends a call's input whole, in its first event. */
	{&chat_anthropic, &chat_openai, false,
		EVENT("message_start", ",\"message\":{\"id\":\"1\"}")
			START("0", "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"x\":1}") STOP("0")
				EVENT("message_stop", ""),
		PIECE("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null")
			PIECE("\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":"
			      "\"f\",\"arguments\":\"\"}}]")
				PIECE("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}]")},
	/* Blocks open and close as the kind of the content changes, one at a time; usage comes at the end. */
	{&chat_openai, &chat_anthropic, false,
		PIECE("\"role\":\"assistant\",\"content\":\"\"") ": OPENROUTER PROCESSING\n\n" PIECE(
			"\"reasoning_content\":\"hm\"") PIECE("\"content\":\"a\"") PIECE("\"content\":\"b\"")
			PIECE("\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":"
			      "\"f\",\"arguments\":\"\"}}]")
				PIECE("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]") PIECE(
					"\"tool_calls\":[{\"index\":1,\"id\":\"u\",\"function\":{\"name\":\"g\","
					"\"arguments\":\"{\\\"x\\\"\"}}]")
					PIECE("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\":1}\"}}]")
						FINISH("tool_calls") CHUNK("",
							",\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":7,"
							"\"prompt_"
							"tokens_details\":{\"cached_tokens\":4}}") "data: [DONE]\n\n",
		EVENT("message_start",
			",\"message\":{\"id\":\"1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"id/m\","
			"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":" TOKENS(
				"3", "0", "0", "0") "}") START("0",
			"\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"") DELTA("0",
			"\"type\":\"thinking_delta\",\"thinking\":\"hm\"") STOP("0") START("1",
			"\"type\":\"text\",\"text\":\"\"") DELTA("1",
			"\"type\":\"text_delta\",\"text\":\"a\"") DELTA("1",
			"\"type\":\"text_delta\",\"text\":\"b\"") STOP("1") START("2",
			"\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}") DELTA("2",
			"\"type\":\"input_json_delta\",\"partial_json\":\"{}\"") STOP("2") START("3",
			"\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{}") DELTA("3",
			"\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\"\"") DELTA("3",
			"\"type\":\"input_json_delta\",\"partial_json\":\":1}\"") STOP("3") EVENT("message_delta",
			",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":" TOKENS(
				"9", "0", "4", "7"))},
	/* A refusal; a stream of a server that says next to nothing. */
	{&chat_openai, &chat_anthropic, false, PIECE("\"refusal\":\"No.\"") FINISH("stop"),
		EVENT("message_start",
			",\"message\":{\"id\":\"1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"id/m\","
			"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":" TOKENS(
				"3", "0", "0", "0") "}") START("0", "\"type\":\"text\",\"text\":\"\"")
			DELTA("0", "\"type\":\"text_delta\",\"text\":\"No.\"") STOP("0") EVENT("message_delta",
				",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null},\"usage\":" TOKENS(
					"0", "0", "0", "0"))},
	{&chat_openai, &chat_anthropic, false, "data: {\"choices\":[{\"delta\":{}}]}\n\ndata: {\"choices\":[]}\n\n",
		EVENT("message_start",
			",\"message\":{\"id\":\"\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"id/m\","
			"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":" TOKENS(
				"3", "0", "0", "0") "}") EVENT("message_delta",
			",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":" TOKENS(
				"0", "0", "0", "0"))},
};

static void streams_in_any_pieces(void **state)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 7, 64};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(streams); i++)
		for (size_t p = 0; p < COUNT(pieces); p++) {
			size_t piece = pieces[p] == SIZE_MAX ? strlen(streams[i].in) : pieces[p];

			relay_whole(f, streams[i].from, streams[i].to, streams[i].in, streams[i].include_usage, piece);
			expect_text(i, text_slice(&f->out), streams[i].out);
		}
}

static void broken_streams(void **state)
{
	static const struct {
		const struct chat_dialect *from;
		const char *in;
		bool failed; /* by the provider's own word; else the event is none of its dialect */
	} table[] = {
		{&chat_openai, "data: []\n\n", false},
		{&chat_openai, "data: {\"error\":{\"message\":\"x\"}}\n\n", true},
		{&chat_openai, "data: {\"choices\":[],\"error\":\"x\"}\n\n", true},
		/* Pieces of a call that has ended for the reader; a call without a name. */
		{&chat_openai,
			PIECE("\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\"}}]")
				PIECE("\"tool_calls\":[{\"index\":1,\"id\":\"u\",\"function\":{\"name\":\"g\"}}]")
					PIECE("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]"),
			false},
		{&chat_openai, PIECE("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]"), false},
		{&chat_anthropic, "data: 7\n\n", false},
		{&chat_anthropic, EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}"), true},
		{&chat_anthropic, START("0", "\"type\":\"tool_use\",\"name\":\"f\""), false},
		{&chat_anthropic,
			START("0", "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\"")
				DELTA("1", "\"type\":\"input_json_delta\",\"partial_json\":\"{}\""),
			false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct chat_reader reader = {0};
		struct relay relay = {.sink.event = relay_event,
			.to = &chat_openai,
			.writer.open = -1,
			.frame = make_frame(&reader.usage, false),
			.out = &f->out};

		clear_out(f);
		assert_int_equal(relay_stream(f, table[i].from, &relay, &reader, table[i].in, 16),
			table[i].failed ? 0 : -EPROTO);
		assert_int_equal(relay.failed, table[i].failed);
	}
}

/* A stream that breaks has told its prompt; of its output it is known only what came. */
static void figures_of_a_stream_that_breaks(void **state)
{
	struct chat_reader reader = {0};
	struct fixture *f = *state;
	struct relay relay = {.sink.event = relay_event,
		.to = &chat_openai,
		.writer.open = -1,
		.frame = make_frame(&reader.usage, false),
		.out = &f->out};

	clear_out(f);
	assert_int_equal(relay_stream(f, &chat_anthropic, &relay, &reader,
				 EVENT("message_start", ",\"message\":{\"id\":\"1\",\"usage\":{\"input_tokens\":9,"
							"\"output_tokens\":1}}"),
				 64),
		0);
	assert_true(reader.usage.present);
	assert_int_equal(reader.usage.prompt_tokens, 9);
	assert_int_equal(reader.usage.completion_tokens, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_anthropic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(from_openai, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_of_choices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(arguments_that_are_no_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(streams_in_any_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(broken_streams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(figures_of_a_stream_that_breaks, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("chat_answer", tests, NULL, NULL);
}
