/*
 * AWS Bedrock, answers: whole ones, and streams of binary messages. Their payloads are padded by a member of varying
 * length, which means nothing.
 *
 * A model's name asks for more than text: "thinking" for reasoning before the answer, "tool" for a call, "parallel" for
 * a second one, "empty-input" for a call without arguments, "cached" for tokens of a cache, "json" for a JSON text,
 * "safety" for an answer that a guardrail stops, "error-first" for an exception as the first message.
 */
#include "proto/bedrock/event_stream.h"
#include "tools/mockllm/bedrock.h"

#include <assert.h>

enum { FRAME_BYTES = 4096, CACHED_TOKENS = 100, WRITTEN_TOKENS = 20 };

#define EVENT SLICE("event")

static uint32_t words_of(const struct mock_request *r, bool *cut)
{
	*cut = !r->plan.words_fixed && r->plan.words > r->max_words && !r->plan.tool && !r->plan.json;
	if (r->plan.tool || r->plan.json || r->plan.safety)
		return 0;
	return *cut ? r->max_words : r->plan.words;
}

static const char *stop_reason(const struct mock_request *r)
{
	bool cut;

	words_of(r, &cut);
	return r->plan.safety ? "guardrail_intervened" : r->plan.tool ? "tool_use" : cut ? "max_tokens" : "end_turn";
}

/* What the cache gave and took is not in the input. */
static void write_usage(struct text *t, const struct mock_request *r, uint32_t words)
{
	uint32_t apart = r->plan.cached ? CACHED_TOKENS + WRITTEN_TOKENS : 0;

	text_literal(t, "\"usage\":{\"inputTokens\":");
	text_u64(t, r->prompt_tokens);
	text_literal(t, ",\"outputTokens\":");
	text_u64(t, words);
	text_literal(t, ",\"totalTokens\":");
	text_u64(t, (uint64_t)r->prompt_tokens + words + apart);
	if (r->plan.cached) {
		text_literal(t, ",\"cacheReadInputTokens\":");
		text_u64(t, CACHED_TOKENS);
		text_literal(t, ",\"cacheWriteInputTokens\":");
		text_u64(t, WRITTEN_TOKENS);
	}
	text_literal(t, "},");
}

static unsigned call_count(const struct mock_request *r)
{
	return !r->plan.tool ? 0 : r->plan.parallel ? 2 : 1;
}

/* `"toolUseId":...,"name":...` */
static void write_call_names(struct text *t, const struct mock_request *r, unsigned call)
{
	text_literal(t, "\"toolUseId\":\"tooluse_");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_u64(t, call);
	text_string(t, call ? "\",\"name\":\"get_time\"" : "\",\"name\":\"get_weather\"");
}

/* ---- whole answers ------------------------------------------------------------------------------------------ */

static void write_calls(struct text *t, const struct mock_request *r)
{
	for (unsigned i = 0; i < call_count(r); i++) {
		text_literal(t, ",{\"toolUse\":{");
		write_call_names(t, r, i);
		text_string(t, r->plan.empty_input ? ",\"input\":{}}}" : ",\"input\":{\"city\":\"Bern\"}}}");
	}
}

static void write_content(struct text *t, const struct mock_request *r, uint32_t words)
{
	if (r->plan.thinking)
		text_literal(t, "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"I have to name lanes.\","
				"\"signature\":\"c2ln\"}}},");
	text_literal(t, "{\"text\":\"");
	if (r->plan.tool || r->plan.safety)
		text_string(t, r->plan.tool ? "Let me look." : "Blocked.");
	if (r->plan.json)
		text_literal(t, MOCK_JSON);
	for (uint32_t i = 0; i < words; i++)
		text_add(t, mock_word(r->content_hash, i));
	text_literal(t, "\"}");
	write_calls(t, r);
}

void mock_bedrock_write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;
	uint32_t words = words_of(r, &cut);
	struct text t = mock_body_open(c, FRAME_BYTES + (size_t)words * MOCK_WORD_BYTES);

	text_literal(&t, "{\"metrics\":{\"latencyMs\":1},");
	if (!r->plan.no_usage)
		write_usage(&t, r, words);
	text_literal(&t, "\"output\":{\"message\":{\"content\":[");
	write_content(&t, r, words);
	text_literal(&t, "],\"role\":\"assistant\"}},\"stopReason\":\"");
	text_string(&t, stop_reason(r));
	text_literal(&t, "\"}");
	mock_body_finish(c, 200, SLICE("x-amzn-requestid: 11111111-mock\r\n"), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void send_head(struct mock_connection *c)
{
	mock_out_add(c, SLICE("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
			      "Transfer-Encoding: chunked\r\nx-amzn-requestid: 11111111-mock\r\n\r\n"));
}

static void send_message(struct mock_connection *c, struct slice type, const char *name, struct slice payload)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	event_stream_write(type, slice_of_string(name), payload, &t);
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
}

/* `members` of the payload, which the padding goes before. */
static void send_event(struct mock_connection *c, const char *name, struct slice members)
{
	static const char padding[] = "abcdefghijklmnopqrstuvwxyzABCDEFGH";
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "{\"p\":\"");
	text_add(&t, slice_of(padding, (c->out_size + members.size) % (sizeof(padding) - 1)));
	text_literal(&t, "\",");
	text_add(&t, members);
	text_char(&t, '}');
	assert(!t.full);
	send_message(c, EVENT, name, text_slice(&t));
}

static void send_delta(struct mock_connection *c, unsigned index, struct slice delta)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "\"contentBlockIndex\":");
	text_u64(&t, index);
	text_literal(&t, ",\"delta\":{");
	text_add(&t, delta);
	text_char(&t, '}');
	assert(!t.full);
	send_event(c, "contentBlockDelta", text_slice(&t));
}

static void send_stop(struct mock_connection *c, unsigned index)
{
	char memory[64];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "\"contentBlockIndex\":");
	text_u64(&t, index);
	send_event(c, "contentBlockStop", text_slice(&t));
}

static unsigned text_index(const struct mock_request *r)
{
	return r->plan.thinking ? 1 : 0;
}

static void send_thinking(struct mock_connection *c)
{
	send_delta(c, 0, SLICE("\"reasoningContent\":{\"text\":\"I have to \"}"));
	send_delta(c, 0, SLICE("\"reasoningContent\":{\"text\":\"name lanes.\"}"));
	send_delta(c, 0, SLICE("\"reasoningContent\":{\"signature\":\"c2ln\"}"));
	send_stop(c, 0);
}

static void send_calls(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;

	for (unsigned i = 0; i < call_count(r); i++) {
		unsigned index = text_index(r) + 1 + i;
		char memory[256];
		struct text t = text_over(memory, sizeof(memory));

		text_literal(&t, "\"contentBlockIndex\":");
		text_u64(&t, index);
		text_literal(&t, ",\"start\":{\"toolUse\":{");
		write_call_names(&t, r, i);
		text_literal(&t, "}}");
		assert(!t.full);
		send_event(c, "contentBlockStart", text_slice(&t));
		if (!r->plan.empty_input) {
			send_delta(c, index, SLICE("\"toolUse\":{\"input\":\"{\\\"city\\\":\"}"));
			send_delta(c, index, SLICE("\"toolUse\":{\"input\":\"\\\"Bern\\\"}\"}"));
		}
		send_stop(c, index);
	}
}

static void end_chunks(struct mock_connection *c)
{
	mock_stream_close(c);
}

static void add_error(struct mock_connection *c)
{
	send_message(
		c, SLICE("exception"), "serviceUnavailableException", SLICE("{\"message\":\"Too many connections.\"}"));
	end_chunks(c);
	c->close_after = true;
}

void mock_bedrock_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;

	mock_stream_open(c, words_of(r, &cut));
	send_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	send_event(c, "messageStart", SLICE("\"role\":\"assistant\""));
	if (r->plan.thinking)
		send_thinking(c);
	if (r->plan.json)
		send_delta(c, text_index(r), SLICE("\"text\":\"" MOCK_JSON "\""));
	if (r->plan.tool || r->plan.safety)
		send_delta(c, text_index(r),
			r->plan.tool ? SLICE("\"text\":\"Let me look.\"") : SLICE("\"text\":\"Blocked.\""));
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	char memory[64];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "\"text\":\"");
	text_add(&t, mock_word(c->request.content_hash, c->events.next++));
	text_char(&t, '"');
	send_delta(c, text_index(&c->request), text_slice(&t));
}

/* The figures come last, behind the reason. */
static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	send_stop(c, text_index(r));
	send_calls(c);
	text_literal(&t, "\"stopReason\":\"");
	text_string(&t, stop_reason(r));
	text_char(&t, '"');
	if (r->plan.fault != MOCK_NO_DONE)
		send_event(c, "messageStop", text_slice(&t));
	t.size = 0;
	if (!r->plan.no_usage)
		write_usage(&t, r, c->events.total);
	text_literal(&t, "\"metrics\":{\"latencyMs\":1}");
	assert(!t.full);
	if (r->plan.fault != MOCK_NO_DONE)
		send_event(c, "metadata", text_slice(&t));
	end_chunks(c);
}

/* Behind the brace are a checksum and the chunk's end: changing it makes the checksum wrong. */
const struct mock_steps mock_bedrock_steps = {
	.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 6};
