/*
 * Anthropic's Messages, answers: whole ones and streams.
 *
 * A model's name asks for more than text: "thinking" for a block of it before the answer, "tool" for a call, "parallel"
 * for a second one, "empty-input" for a call without arguments, "cached" for figures of a cache, "error-first" for an
 * error as the first event, "json" for a JSON text.
 */
#include "tools/mockllm/mock.h"

#include <assert.h>

enum { FRAME_BYTES = 4096, CACHE_READ_TOKENS = 100, CACHE_WRITE_TOKENS = 20 };

#define THOUGHT "I have to name lanes."
#define SIGNATURE "c2lnbmF0dXJl"

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void write_usage(struct text *t, const struct mock_request *r, uint32_t output)
{
	text_literal(t, "\"usage\":{\"input_tokens\":");
	text_u64(t, r->prompt_tokens);
	text_literal(t, ",\"cache_creation_input_tokens\":");
	text_u64(t, r->plan.cached ? CACHE_WRITE_TOKENS : 0);
	text_literal(t, ",\"cache_read_input_tokens\":");
	text_u64(t, r->plan.cached ? CACHE_READ_TOKENS : 0);
	text_literal(t, ",\"output_tokens\":");
	text_u64(t, output);
	text_literal(t, ",\"output_tokens_details\":{\"thinking_tokens\":");
	text_u64(t, r->plan.thinking && output > 1 ? 2 : 0);
	text_literal(t, "},\"service_tier\":\"standard\"}");
}

static uint32_t output_tokens(const struct mock_request *r)
{
	bool cut;

	return mock_words(r, &cut) + (r->plan.tool ? 9 : 0) + (r->plan.thinking ? 2 : 0);
}

static const char *stop_reason(const struct mock_request *r)
{
	bool cut;

	mock_words(r, &cut);
	return r->plan.tool ? "tool_use" : cut ? "max_tokens" : "end_turn";
}

static void write_tool_head(struct text *t, const struct mock_request *r, unsigned call)
{
	uint64_t id = r->hash + call;

	text_literal(t, "{\"type\":\"tool_use\",\"id\":\"toolu_");
	text_hex(t, &id, sizeof(id));
	text_string(t, call ? "\",\"name\":\"get_time\",\"input\":" : "\",\"name\":\"get_weather\",\"input\":");
}

static void open_message(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"id\":\"msg_");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_literal(t, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
	text_add(t, r->model);
	text_literal(t, "\",\"content\":[");
}

static void write_content(struct text *t, const struct mock_request *r)
{
	uint32_t words;
	bool cut;

	if (r->plan.thinking)
		text_literal(
			t, "{\"type\":\"thinking\",\"thinking\":\"" THOUGHT "\",\"signature\":\"" SIGNATURE "\"},");
	if (r->plan.tool) {
		text_literal(t, "{\"type\":\"text\",\"text\":\"Let me look.\",\"citations\":null},");
		for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++) {
			text_string(t, i ? "," : "");
			write_tool_head(t, r, i);
			text_string(t, r->plan.empty_input ? "{}}" : "{\"city\":\"Bern\"}}");
		}
		return;
	}
	text_literal(t, "{\"type\":\"text\",\"text\":\"");
	words = mock_words(r, &cut);
	for (uint32_t i = 0; i < words; i++)
		text_add(t, mock_say(r, 0, i));
	text_literal(t, "\",\"citations\":null}");
}

void mock_messages_write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;
	struct text t = mock_body_open(c, FRAME_BYTES + (size_t)mock_words(r, &cut) * MOCK_WORD_BYTES);

	open_message(&t, r);
	write_content(&t, r);
	text_literal(&t, "],\"stop_reason\":\"");
	text_string(&t, stop_reason(r));
	text_literal(&t, "\",\"stop_sequence\":null,\"stop_details\":null,\"container\":null");
	if (!r->plan.no_usage) {
		text_char(&t, ',');
		write_usage(&t, r, output_tokens(r));
	}
	text_char(&t, '}');
	mock_body_finish(c, 200, SLICE("request-id: req_mock\r\n"), &t);
}

void mock_count_write(struct mock_connection *c)
{
	struct text t = mock_body_open(c, FRAME_BYTES);

	text_literal(&t, "{\"input_tokens\":");
	text_u64(&t, c->request.prompt_tokens);
	text_char(&t, '}');
	mock_body_finish(c, 200, SLICE("request-id: req_mock\r\n"), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static struct text open_event(char *memory, const char *name)
{
	struct text t = text_over(memory, MOCK_EVENT_BYTES);

	text_literal(&t, "event: ");
	text_string(&t, name);
	text_literal(&t, "\ndata: {\"type\":\"");
	text_string(&t, name);
	text_char(&t, '"');
	return t;
}

static void send_event(struct mock_connection *c, struct text *t)
{
	text_literal(t, "}\n\n");
	assert(!t->full);
	mock_stream_chunk(c, text_slice(t));
}

static void add_block_event(struct mock_connection *c, const char *name, unsigned index, struct slice rest)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = open_event(memory, name);

	text_literal(&t, ",\"index\":");
	text_u64(&t, index);
	text_add(&t, rest);
	send_event(c, &t);
}

static void add_start(struct mock_connection *c)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = open_event(memory, "message_start");

	text_literal(&t, ",\"message\":");
	open_message(&t, &c->request);
	text_literal(&t, "],\"stop_reason\":null,\"stop_sequence\":null");
	if (!c->request.plan.no_usage) {
		text_char(&t, ',');
		write_usage(&t, &c->request, 1);
	}
	text_char(&t, '}');
	send_event(c, &t);
	t = open_event(memory, "ping");
	send_event(c, &t);
}

static void add_thinking(struct mock_connection *c)
{
	add_block_event(c, "content_block_start", 0,
		SLICE(",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"));
	add_block_event(c, "content_block_delta", 0,
		SLICE(",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"I have to \"}"));
	add_block_event(c, "content_block_delta", 0,
		SLICE(",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"name lanes.\"}"));
	add_block_event(c, "content_block_delta", 0,
		SLICE(",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"" SIGNATURE "\"}"));
	add_block_event(c, "content_block_stop", 0, SLICE(""));
}

static void add_tool(struct mock_connection *c, unsigned index, unsigned call)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, ",\"content_block\":");
	write_tool_head(&t, &c->request, call);
	text_literal(&t, "{}}");
	add_block_event(c, "content_block_start", index, text_slice(&t));
	add_block_event(c, "content_block_delta", index,
		SLICE(",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}"));
	if (!c->request.plan.empty_input) {
		add_block_event(c, "content_block_delta", index,
			SLICE(",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\":\"}"));
		add_block_event(c, "content_block_delta", index,
			SLICE(",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"Bern\\\"}\"}"));
	}
	add_block_event(c, "content_block_stop", index, SLICE(""));
}

static unsigned text_index(const struct mock_request *r)
{
	return r->plan.thinking ? 1 : 0;
}

static void add_error(struct mock_connection *c)
{
	mock_stream_chunk(c, SLICE("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				   "\"message\":\"Overloaded\"},\"request_id\":\"req_mock\"}\n\n"));
	mock_stream_close(c);
	c->close_after = true;
}

void mock_messages_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	unsigned index = text_index(r);
	bool cut;

	mock_stream_open(c, mock_words(r, &cut));
	mock_stream_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	add_start(c);
	if (r->plan.thinking)
		add_thinking(c);
	add_block_event(c, "content_block_start", index, SLICE(",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"));
	if (r->plan.tool) {
		add_block_event(c, "content_block_delta", index,
			SLICE(",\"delta\":{\"type\":\"text_delta\",\"text\":\"Let me look.\"}"));
		add_block_event(c, "content_block_stop", index, SLICE(""));
		for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++)
			add_tool(c, index + 1 + i, i);
	}
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	char memory[128];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, ",\"delta\":{\"type\":\"text_delta\",\"text\":\"");
	text_add(&t, mock_say(&c->request, 0, c->events.next++));
	text_literal(&t, "\"}");
	add_block_event(c, "content_block_delta", text_index(&c->request), text_slice(&t));
}

static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[MOCK_EVENT_BYTES];
	struct text t;

	if (!r->plan.tool)
		add_block_event(c, "content_block_stop", text_index(r), SLICE(""));
	t = open_event(memory, "message_delta");
	text_literal(&t, ",\"delta\":{\"stop_reason\":\"");
	text_string(&t, stop_reason(r));
	text_literal(&t, "\",\"stop_sequence\":null}");
	if (!r->plan.no_usage) {
		text_literal(&t, ",\"usage\":{\"output_tokens\":");
		text_u64(&t, output_tokens(r));
		text_char(&t, '}');
	}
	send_event(c, &t);
	if (r->plan.fault != MOCK_NO_DONE)
		mock_stream_chunk(c, SLICE("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
	mock_stream_close(c);
}

const struct mock_steps mock_messages_steps = {
	.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 4};
