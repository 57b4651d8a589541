/*
 * Providers that speak OpenAI's chat completions with differences, answers: whole ones and streams. What each says in
 * its own way is a row of `manners`.
 *
 * A model's name asks for more than text: "thinking" for reasoning before the answer, "tool" for a call, "parallel" for
 * a second one, "empty-input" for a call without arguments, "error-first" for an error as the first event, "json" for a
 * text that is JSON.
 */
#include "tools/mockllm/kinds.h"

#include <assert.h>

enum { FRAME_BYTES = 4096 };

/* Where a stream says its usage. */
enum usage_place { USAGE_EXTRA, USAGE_LAST, USAGE_GROQ };

static const struct manner {
	const char *id, *call_id;
	const char *reasoning; /* the member that has it; NULL: a part of the content */
	const char *stop;
	const char *last_delta;
	enum usage_place usage;
	bool whole_calls;    /* a call comes in one piece */
	bool filters;        /* tells of filters: before all, and beside the text */
	bool role_each_time; /* in each delta */
} manners[MOCK_PATHS] = {
	[MOCK_MISTRAL] = {.id = "",
		.call_id = "D681Pev",
		.stop = "stop",
		.last_delta = "{\"content\":\"\"}",
		.usage = USAGE_LAST,
		.whole_calls = true},
	[MOCK_GROQ] = {.id = "chatcmpl-",
		.call_id = "call_g",
		.reasoning = "reasoning",
		.stop = "stop",
		.last_delta = "{}",
		.usage = USAGE_GROQ,
		.whole_calls = true},
	[MOCK_TOGETHER] = {.id = "o",
		.call_id = "call_t",
		.reasoning = "reasoning",
		.stop = "eos",
		.last_delta = "{\"role\":\"assistant\",\"content\":\"\"}",
		.usage = USAGE_EXTRA,
		.role_each_time = true},
	[MOCK_AZURE] = {.id = "chatcmpl-",
		.call_id = "call_a",
		.reasoning = "reasoning_content",
		.stop = "stop",
		.last_delta = "{}",
		.usage = USAGE_EXTRA,
		.filters = true},
};

static const struct manner *manner_of(const struct mock_request *r)
{
	return &manners[r->path];
}

static const char *finish_of(const struct mock_request *r)
{
	bool cut;

	mock_words(r, &cut);
	return r->plan.tool ? "tool_calls" : cut ? "length" : manner_of(r)->stop;
}

static uint32_t output_tokens(const struct mock_request *r)
{
	bool cut;

	return r->choices * (mock_words(r, &cut) + (r->plan.tool ? 9 : 0) + (r->plan.thinking ? 2 : 0));
}

static void open_answer(struct text *t, const struct mock_request *r, bool chunk)
{
	text_literal(t, "{\"id\":\"");
	text_string(t, manner_of(r)->id);
	text_hex(t, &r->hash, sizeof(r->hash));
	text_string(t, chunk ? "\",\"object\":\"chat.completion.chunk\"" : "\",\"object\":\"chat.completion\"");
	text_literal(t, ",\"created\":1790000000,\"model\":\"");
	text_add(t, r->model);
	text_literal(t, "\",\"choices\":[");
}

static void write_calls(struct text *t, const struct mock_request *r)
{
	text_literal(t, "\"tool_calls\":[");
	for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++) {
		text_string(t, i ? "," : "");
		text_literal(t, "{\"index\":");
		text_u64(t, i);
		text_literal(t, ",\"id\":\"");
		text_string(t, manner_of(r)->call_id);
		text_u64(t, 10 + i);
		text_literal(t, "\",\"type\":\"function\",\"function\":{\"name\":\"");
		text_string(t, i ? "get_time" : "get_weather");
		text_literal(t, "\",\"arguments\":");
		text_string(t, r->plan.empty_input ? "\"{}\"}}" : "\"{\\\"city\\\":\\\"Bern\\\"}\"}}");
	}
	text_char(t, ']');
}

/* Mistral's, in the only way that it says it: as parts of a content. */
#define THOUGHT_PART "{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"I have to name lanes.\"}]}"

static void write_message(struct text *t, const struct mock_request *r, unsigned index, uint32_t words)
{
	const struct manner *manner = manner_of(r);
	bool parts = r->plan.thinking && !manner->reasoning;

	text_literal(t, "\"message\":{\"role\":\"assistant\",");
	if (r->plan.thinking && manner->reasoning) {
		text_char(t, '"');
		text_string(t, manner->reasoning);
		text_literal(t, "\":\"I have to name lanes.\",");
	}
	if (r->plan.tool) {
		text_literal(t, "\"content\":\"\",");
		write_calls(t, r);
	} else {
		text_string(
			t, parts ? "\"content\":[" THOUGHT_PART ",{\"type\":\"text\",\"text\":\"" : "\"content\":\"");
		for (uint32_t i = 0; i < words; i++)
			text_add(t, mock_say(r, index, i));
		text_string(t, parts ? "\"}]" : "\"");
	}
	text_char(t, '}');
}

void mock_kind_write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;
	uint32_t words = mock_words(r, &cut);
	struct text t = mock_body_open(c, FRAME_BYTES + r->choices * (FRAME_BYTES + (size_t)words * MOCK_WORD_BYTES));

	open_answer(&t, r, false);
	for (unsigned i = 0; i < r->choices; i++) {
		text_string(&t, i ? ",{\"index\":" : "{\"index\":");
		text_u64(&t, i);
		text_char(&t, ',');
		write_message(&t, r, i, words);
		text_literal(&t, ",\"finish_reason\":\"");
		text_string(&t, finish_of(r));
		text_literal(&t, "\"}");
	}
	text_char(&t, ']');
	if (!r->plan.no_usage) {
		text_char(&t, ',');
		mock_usage(&t, r, output_tokens(r));
	}
	text_char(&t, '}');
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

/* `rest` goes behind the choices. */
static void add_event(
	struct mock_connection *c, unsigned choice, struct slice delta, const char *finish, struct slice rest)
{
	const struct mock_request *r = &c->request;
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "data: ");
	open_answer(&t, r, true);
	text_literal(&t, "{\"index\":");
	text_u64(&t, choice);
	text_literal(&t, ",\"delta\":");
	text_add(&t, delta);
	text_literal(&t, ",\"finish_reason\":");
	text_json_or_null(&t, slice_of_string(finish));
	text_literal(&t, "}]");
	text_add(&t, rest);
	text_literal(&t, "}\n\n");
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
}

static void add_delta(
	struct mock_connection *c, unsigned choice, const char *before, struct slice text, const char *after)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_string(&t, manner_of(&c->request)->role_each_time ? "{\"role\":\"assistant\"," : "{");
	text_string(&t, before);
	text_add(&t, text);
	text_string(&t, after);
	text_char(&t, '}');
	assert(!t.full);
	add_event(c, choice, text_slice(&t), NULL, slice_of(NULL, 0));
}

static void add_error(struct mock_connection *c)
{
	if (c->request.path == MOCK_GROQ)
		add_event(c, 0, SLICE("{}"), NULL,
			SLICE(",\"x_groq\":{\"id\":\"req_1\",\"error\":\"The server had an error\"}"));
	else
		mock_stream_chunk(c, SLICE("data: {\"error\":{\"message\":\"The server had an error\","
					   "\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"));
	mock_stream_close(c);
	c->close_after = true;
}

static void add_thinking(struct mock_connection *c, unsigned choice)
{
	const char *member = manner_of(&c->request)->reasoning;
	char memory[64];
	struct text t = text_over(memory, sizeof(memory) - 1);

	if (!member) {
		add_delta(c, choice, "\"content\":[" THOUGHT_PART "]", slice_of(NULL, 0), "");
		return;
	}
	text_char(&t, '"');
	text_string(&t, member);
	text_literal(&t, "\":\"");
	memory[t.size] = 0;
	add_delta(c, choice, memory, SLICE("I have to "), "\"");
	add_delta(c, choice, memory, SLICE("name lanes."), "\"");
}

static void add_calls(struct mock_connection *c, unsigned choice)
{
	const struct mock_request *r = &c->request;
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	if (manner_of(r)->whole_calls) {
		write_calls(&t, r);
		add_delta(c, choice, "", text_slice(&t), "");
		return;
	}
	for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++) {
		t.size = 0;
		text_literal(&t, "\"tool_calls\":[{\"index\":");
		text_u64(&t, i);
		text_literal(&t, ",\"id\":\"");
		text_string(&t, manner_of(r)->call_id);
		text_u64(&t, 10 + i);
		text_literal(&t, "\",\"type\":\"function\",\"function\":{\"name\":\"");
		text_string(&t, i ? "get_time" : "get_weather");
		text_literal(&t, "\",\"arguments\":\"\"}}]");
		add_delta(c, choice, "", text_slice(&t), "");
		t.size = 0;
		text_literal(&t, "\"tool_calls\":[{\"index\":");
		text_u64(&t, i);
		text_string(&t, r->plan.empty_input
					? ",\"function\":{\"arguments\":\"{}\"}}]"
					: ",\"function\":{\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\"}}]");
		add_delta(c, choice, "", text_slice(&t), "");
	}
}

/* What Azure's filters say of the prompt comes before all, with nothing in it. */
static void add_filters(struct mock_connection *c)
{
	mock_stream_chunk(
		c, SLICE("data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
			 "\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}\n\n"));
}

void mock_kind_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;

	mock_stream_open(c, mock_words(r, &cut));
	mock_stream_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	if (manner_of(r)->filters)
		add_filters(c);
	for (unsigned i = 0; i < r->choices; i++) {
		add_event(c, i, SLICE("{\"role\":\"assistant\",\"content\":\"\"}"), NULL,
			manner_of(r)->usage == USAGE_GROQ ? SLICE(",\"x_groq\":{\"id\":\"req_1\"}")
							  : slice_of(NULL, 0));
		if (r->plan.thinking)
			add_thinking(c, i);
		if (r->plan.tool)
			add_calls(c, i);
	}
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	for (unsigned i = 0; i < c->request.choices; i++)
		add_delta(c, i, "\"content\":\"", mock_say(&c->request, i, c->events.next), "\"");
	c->events.next++;
	if (!manner_of(&c->request)->filters || c->events.next != 1)
		return;
	/* A filter that works beside the text reports without a delta. */
	mock_stream_chunk(
		c, SLICE("data: {\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[{\"index\":0,"
			 "\"finish_reason\":null,\"content_filter_results\":{},\"content_filter_offsets\":"
			 "{\"check_offset\":0,\"start_offset\":0,\"end_offset\":6}}]}\n\n"));
}

static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	enum usage_place place = manner_of(r)->usage;
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	if (!r->plan.no_usage && place != USAGE_EXTRA) {
		text_string(&t, place == USAGE_GROQ ? ",\"x_groq\":{\"id\":\"req_1\"," : ",");
		mock_usage(&t, r, output_tokens(r));
		text_string(&t, place == USAGE_GROQ ? "}" : "");
	}
	assert(!t.full);
	for (unsigned i = 0; i < r->choices; i++)
		add_event(c, i, slice_of_string(manner_of(r)->last_delta), finish_of(r),
			i + 1 < r->choices ? slice_of(NULL, 0) : text_slice(&t));
	if (!r->plan.no_usage && place == USAGE_EXTRA && r->include_usage) {
		char extra[MOCK_EVENT_BYTES];
		struct text e = text_over(extra, sizeof(extra));

		text_literal(&e, "data: ");
		open_answer(&e, r, true);
		text_literal(&e, "],");
		mock_usage(&e, r, output_tokens(r));
		text_literal(&e, "}\n\n");
		assert(!e.full);
		mock_stream_chunk(c, text_slice(&e));
	}
	if (r->plan.fault != MOCK_NO_DONE)
		mock_stream_chunk(c, SLICE("data: [DONE]\n\n"));
	mock_stream_close(c);
}

const struct mock_steps mock_kind_steps = {.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 4};
