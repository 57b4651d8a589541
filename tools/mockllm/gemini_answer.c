/*
 * Google's Gemini, answers: whole ones and streams, whose events are answers in pieces, framed with CRLF and without an
 * end marker.
 *
 * A model's name asks for more than text: "thinking" for thoughts before the answer, "tool" for a call, "parallel" for
 * a second one, "empty-input" for a call without arguments, "cached" for tokens of a cache, "safety" for an answer that
 * is withheld, "blocked" for a prompt that is, "error-first" for an error as the first event, "json" for a JSON text.
 */
#include "tools/mockllm/mock.h"

#include <assert.h>

enum { FRAME_BYTES = 4096, CACHED_TOKENS = 100, THOUGHT_TOKENS = 2, CALL_TOKENS = 9 };

#define OVERLOADED "{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}"

static uint32_t words_of(const struct mock_request *r, bool *cut)
{
	uint32_t words = mock_words(r, cut);

	return r->plan.safety || r->plan.blocked ? 0 : words;
}

static const char *finish_reason(const struct mock_request *r)
{
	bool cut;

	words_of(r, &cut);
	return r->plan.safety ? "SAFETY" : cut ? "MAX_TOKENS" : "STOP";
}

/* Cumulative, on every event. Figures that are 0 are not there. */
static void write_tail(struct text *t, const struct mock_request *r, uint32_t words)
{
	uint32_t thoughts = r->plan.thinking ? THOUGHT_TOKENS : 0, calls = r->plan.tool ? CALL_TOKENS : 0;
	uint32_t prompt = r->prompt_tokens + (r->plan.cached ? CACHED_TOKENS : 0);

	if (!r->plan.no_usage) {
		text_literal(t, ",\"usageMetadata\":{\"promptTokenCount\":");
		text_u64(t, prompt);
		if (r->plan.cached) {
			text_literal(t, ",\"cachedContentTokenCount\":");
			text_u64(t, CACHED_TOKENS);
		}
		if (words + calls) {
			text_literal(t, ",\"candidatesTokenCount\":");
			text_u64(t, words + calls);
		}
		if (thoughts) {
			text_literal(t, ",\"thoughtsTokenCount\":");
			text_u64(t, thoughts);
		}
		text_literal(t, ",\"totalTokenCount\":");
		text_u64(t, (uint64_t)prompt + words + calls + thoughts);
		text_char(t, '}');
	}
	text_literal(t, ",\"modelVersion\":\"");
	text_add(t, r->model);
	text_literal(t, "\",\"responseId\":\"r");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_literal(t, "\"}");
}

static void write_call(struct text *t, const struct mock_request *r, unsigned call)
{
	text_string(
		t, call ? "{\"functionCall\":{\"name\":\"get_time\"" : "{\"functionCall\":{\"name\":\"get_weather\"");
	if (!r->plan.empty_input)
		text_literal(t, ",\"args\":{\"city\":\"Bern\"}");
	text_char(t, '}');
	if (call == 0 && mock_gemini_signs(r))
		text_literal(t, ",\"thoughtSignature\":\"" MOCK_GEMINI_SIGNATURE "\"");
	text_char(t, '}');
}

static void write_calls(struct text *t, const struct mock_request *r)
{
	for (unsigned i = 0; i < (r->plan.parallel ? 2u : 1u); i++) {
		text_string(t, i ? "," : "");
		write_call(t, r, i);
	}
}

static void open_candidate(struct text *t)
{
	text_literal(t, "{\"content\":{\"parts\":[");
}

/* `finish`: NULL for none. */
static void close_candidate(struct text *t, unsigned index, const char *finish)
{
	text_literal(t, "],\"role\":\"model\"}");
	if (finish) {
		text_literal(t, ",\"finishReason\":\"");
		text_string(t, finish);
		text_char(t, '"');
	}
	text_literal(t, ",\"index\":");
	text_u64(t, index);
	text_literal(t, ",\"safetyRatings\":[]}");
}

static void write_blocked(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}");
	write_tail(t, r, 0);
}

static void write_withheld(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]");
	write_tail(t, r, 0);
}

/* ---- whole answers ------------------------------------------------------------------------------------------ */

static void write_parts(struct text *t, const struct mock_request *r, unsigned index, uint32_t words)
{
	if (r->plan.thinking)
		text_literal(t, "{\"text\":\"I have to name lanes.\",\"thought\":true},");
	if (r->plan.tool) {
		text_literal(t, "{\"text\":\"Let me look.\"},");
		write_calls(t, r);
		return;
	}
	text_literal(t, "{\"text\":\"");
	for (uint32_t i = 0; i < words; i++)
		text_add(t, mock_say(r, index, i));
	text_literal(t, "\"}");
}

void mock_gemini_write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;
	uint32_t words = words_of(r, &cut);
	struct text t = mock_body_open(c, FRAME_BYTES + r->choices * (FRAME_BYTES + (size_t)words * MOCK_WORD_BYTES));

	if (r->plan.blocked) {
		write_blocked(&t, r);
	} else if (r->plan.safety) {
		write_withheld(&t, r);
	} else {
		text_literal(&t, "{\"candidates\":[");
		for (unsigned i = 0; i < r->choices; i++) {
			text_string(&t, i ? "," : "");
			open_candidate(&t);
			write_parts(&t, r, i, words);
			close_candidate(&t, i, finish_reason(r));
		}
		text_char(&t, ']');
		write_tail(&t, r, words * r->choices);
	}
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* No figures: this method tells none. */
void mock_gemini_write_vectors(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + mock_vectors_bytes(r));

	text_literal(&t, "{\"embeddings\":[");
	for (uint32_t i = 0; i < r->input_count; i++) {
		text_string(&t, i ? ",{\"values\":" : "{\"values\":");
		mock_vector_floats(&t, r, i);
		text_char(&t, '}');
	}
	text_literal(&t, "]}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static struct text open_event(char *memory)
{
	struct text t = text_over(memory, MOCK_EVENT_BYTES);

	text_literal(&t, "data: ");
	return t;
}

static void send_event(struct mock_connection *c, struct text *t)
{
	text_literal(t, "\r\n\r\n");
	assert(!t->full);
	mock_stream_chunk(c, text_slice(t));
}

static void add_parts(struct mock_connection *c, unsigned index, struct slice parts)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = open_event(memory);

	text_literal(&t, "{\"candidates\":[");
	open_candidate(&t);
	text_add(&t, parts);
	close_candidate(&t, index, NULL);
	text_char(&t, ']');
	write_tail(&t, &c->request, c->events.next * c->request.choices);
	send_event(c, &t);
}

static void add_error(struct mock_connection *c)
{
	mock_stream_chunk(c, SLICE("data: " OVERLOADED "\r\n\r\n"));
	mock_stream_close(c);
	c->close_after = true;
}

/* A stream that consists of this event. */
static void add_only(struct mock_connection *c, void (*write)(struct text *t, const struct mock_request *r))
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = open_event(memory);

	write(&t, &c->request);
	send_event(c, &t);
	mock_stream_close(c);
}

static void add_calls(struct mock_connection *c)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	write_calls(&t, &c->request);
	assert(!t.full);
	for (unsigned i = 0; i < c->request.choices; i++) {
		add_parts(c, i, SLICE("{\"text\":\"Let me look.\"}"));
		add_parts(c, i, text_slice(&t));
	}
}

void mock_gemini_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;

	mock_stream_open(c, words_of(r, &cut));
	mock_stream_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	if (r->plan.blocked || r->plan.safety) {
		add_only(c, r->plan.blocked ? write_blocked : write_withheld);
		return;
	}
	for (unsigned i = 0; r->plan.thinking && i < r->choices; i++) {
		add_parts(c, i, SLICE("{\"text\":\"I have to \",\"thought\":true}"));
		add_parts(c, i, SLICE("{\"text\":\"name lanes.\",\"thought\":true}"));
	}
	if (r->plan.tool)
		add_calls(c);
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	uint32_t word = c->events.next++;
	char memory[64];

	for (unsigned i = 0; i < c->request.choices; i++) {
		struct text t = text_over(memory, sizeof(memory));

		text_literal(&t, "{\"text\":\"");
		text_add(&t, mock_say(&c->request, i, word));
		text_literal(&t, "\"}");
		add_parts(c, i, text_slice(&t));
	}
}

/* The reasons of all come in one event. */
static void add_reasons(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[2 * MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "data: {\"candidates\":[");
	for (unsigned i = 0; i < r->choices; i++) {
		text_string(&t, i ? "," : "");
		open_candidate(&t);
		text_literal(&t, "{\"text\":\"\"}");
		close_candidate(&t, i, finish_reason(r));
	}
	text_char(&t, ']');
	write_tail(&t, r, c->events.next * r->choices);
	send_event(c, &t);
}

static void add_tail(struct mock_connection *c)
{
	if (c->request.plan.fault != MOCK_NO_DONE)
		add_reasons(c);
	mock_stream_close(c);
}

const struct mock_steps mock_gemini_steps = {
	.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 6};
