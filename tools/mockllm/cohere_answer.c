/*
 * Cohere's chat, version 2, answers: whole ones and streams.
 *
 * A model's name asks for more than text: "thinking" for a block of it before the answer, "tool" for a plan and a call,
 * "parallel" for a second one, "empty-input" for a call without arguments, "error-first" for an error as the first
 * event.
 */
#include "tools/mockllm/kinds.h"

#include <assert.h>

enum { FRAME_BYTES = 4096, PREAMBLE_TOKENS = 60 };

static const char *finish_of(const struct mock_request *r)
{
	bool cut;

	mock_words(r, &cut);
	return r->plan.tool ? "TOOL_CALL" : cut ? "MAX_TOKENS" : "COMPLETE";
}

/* What is billed is less than what was read: a preamble of the provider's own is free. */
static void write_usage(struct text *t, const struct mock_request *r)
{
	bool cut;
	uint32_t output = mock_words(r, &cut) + (r->plan.tool ? 9 : 0) + (r->plan.thinking ? 2 : 0);

	text_literal(t, "\"usage\":{\"billed_units\":{\"input_tokens\":");
	text_u64(t, r->prompt_tokens);
	text_literal(t, ",\"output_tokens\":");
	text_u64(t, output);
	text_literal(t, "},\"tokens\":{\"input_tokens\":");
	text_u64(t, r->prompt_tokens + PREAMBLE_TOKENS);
	text_literal(t, ",\"output_tokens\":");
	text_u64(t, output + 2);
	text_literal(t, "}}");
}

static void write_call(struct text *t, unsigned call, const char *arguments)
{
	text_string(
		t, call ? "{\"id\":\"get_time_kv1\",\"type\":\"function\",\"function\":{\"name\":\"get_time\""
			: "{\"id\":\"get_weather_kv0\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\"");
	text_literal(t, ",\"arguments\":");
	text_json(t, slice_of_string(arguments));
	text_literal(t, "}}");
}

static const char *arguments_of(const struct mock_request *r)
{
	return r->plan.empty_input ? "{}" : "{\"city\":\"Bern\"}";
}

static void write_message(struct text *t, const struct mock_request *r, uint32_t words)
{
	text_literal(t, "\"message\":{\"role\":\"assistant\"");
	if (r->plan.tool) {
		text_literal(t, ",\"tool_plan\":\"I will look.\",\"tool_calls\":[");
		for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++) {
			text_string(t, i ? "," : "");
			write_call(t, i, arguments_of(r));
		}
		text_literal(t, "]}");
		return;
	}
	text_literal(t, ",\"content\":[");
	if (r->plan.thinking)
		text_literal(t, "{\"type\":\"thinking\",\"thinking\":\"I have to name lanes.\"},");
	text_literal(t, "{\"type\":\"text\",\"text\":\"");
	for (uint32_t i = 0; i < words; i++)
		text_add(t, mock_say(r, 0, i));
	text_literal(t, "\"}]}");
}

static void write_id(struct text *t, const struct mock_request *r)
{
	text_literal(t, "\"id\":\"");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_literal(t, "-4519-9460\"");
}

void mock_cohere_write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;
	uint32_t words = mock_words(r, &cut);
	struct text t = mock_body_open(c, FRAME_BYTES + (size_t)words * MOCK_WORD_BYTES);

	text_char(&t, '{');
	write_id(&t, r);
	text_literal(&t, ",\"finish_reason\":\"");
	text_string(&t, finish_of(r));
	text_literal(&t, "\",");
	write_message(&t, r, words);
	if (!r->plan.no_usage) {
		text_char(&t, ',');
		write_usage(&t, r);
	}
	text_char(&t, '}');
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

/* `rest` has the event's other members, each behind a comma. */
static void add_event(struct mock_connection *c, const char *type, struct slice rest)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "event: ");
	text_string(&t, type);
	text_literal(&t, "\ndata: {\"type\":\"");
	text_string(&t, type);
	text_char(&t, '"');
	text_add(&t, rest);
	text_literal(&t, "}\n\n");
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
}

static unsigned text_index(const struct mock_request *r)
{
	return r->plan.thinking ? 1 : 0;
}

static void add_content(struct mock_connection *c, const char *type, unsigned index, const char *content)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, ",\"index\":");
	text_u64(&t, index);
	if (content) {
		text_literal(&t, ",\"delta\":{\"message\":{\"content\":{");
		text_string(&t, content);
		text_literal(&t, "}}}");
	}
	assert(!t.full);
	add_event(c, type, text_slice(&t));
}

static void add_call(struct mock_connection *c, unsigned call)
{
	const struct mock_request *r = &c->request;
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, ",\"index\":");
	text_u64(&t, call);
	text_literal(&t, ",\"delta\":{\"message\":{\"tool_calls\":");
	write_call(&t, call, "");
	text_literal(&t, "}}");
	add_event(c, "tool-call-start", text_slice(&t));
	if (!r->plan.empty_input) {
		add_event(c, "tool-call-delta",
			SLICE(",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":"
			      "\"{\\\"city\\\":\"}}}}"));
		add_event(c, "tool-call-delta",
			SLICE(",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":"
			      "\"\\\"Bern\\\"}\"}}}}"));
	}
	add_content(c, "tool-call-end", call, NULL);
}

/* How a stream fails: its end says so. */
static void add_error(struct mock_connection *c)
{
	add_event(c, "message-end",
		SLICE(",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"internal server error\"}"));
	mock_stream_close(c);
	c->close_after = true;
}

void mock_cohere_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));
	bool cut;

	mock_stream_open(c, mock_words(r, &cut));
	mock_stream_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	text_char(&t, ',');
	write_id(&t, r);
	text_literal(&t,
		",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],"
		"\"citations\":[]}}");
	assert(!t.full);
	add_event(c, "message-start", text_slice(&t));
	if (r->plan.tool) {
		add_event(c, "tool-plan-delta", SLICE(",\"delta\":{\"message\":{\"tool_plan\":\"I will\"}}"));
		add_event(c, "tool-plan-delta", SLICE(",\"delta\":{\"message\":{\"tool_plan\":\" look.\"}}"));
		for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++)
			add_call(c, i);
	} else {
		if (r->plan.thinking) {
			add_content(c, "content-start", 0, "\"type\":\"thinking\",\"thinking\":\"\"");
			add_content(c, "content-delta", 0, "\"thinking\":\"I have to name lanes.\"");
			add_content(c, "content-end", 0, NULL);
		}
		add_content(c, "content-start", text_index(r), "\"type\":\"text\",\"text\":\"\"");
	}
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	char memory[64];
	struct text t = text_over(memory, sizeof(memory) - 1);

	text_literal(&t, "\"text\":\"");
	text_add(&t, mock_say(&c->request, 0, c->events.next++));
	text_char(&t, '"');
	memory[t.size] = 0;
	add_content(c, "content-delta", text_index(&c->request), memory);
}

static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	if (!r->plan.tool)
		add_content(c, "content-end", text_index(r), NULL);
	if (r->plan.fault != MOCK_NO_DONE) {
		text_char(&t, ',');
		write_id(&t, r);
		text_literal(&t, ",\"delta\":{\"finish_reason\":\"");
		text_string(&t, finish_of(r));
		text_char(&t, '"');
		if (!r->plan.no_usage) {
			text_char(&t, ',');
			write_usage(&t, r);
		}
		text_char(&t, '}');
		assert(!t.full);
		add_event(c, "message-end", text_slice(&t));
		mock_stream_chunk(c, SLICE("data: [DONE]\n\n"));
	}
	mock_stream_close(c);
}

const struct mock_steps mock_cohere_steps = {
	.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 4};
