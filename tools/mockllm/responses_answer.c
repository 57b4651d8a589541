/*
 * OpenAI's Responses API, answers: whole ones and streams. "thinking" asks for a reasoning item before the message,
 * "tool" for a call after it, "parallel" for a second one, "cached" for figures of a cache, "error-first" for an error
 * as the first event, "json" for a JSON text.
 */
#include "tools/mockllm/mock.h"

#include <assert.h>
#include <stdlib.h>

enum { FRAME_BYTES = 8192, CACHED_TOKENS = 100 };

#define REASONING                                                                                                      \
	"{\"id\":\"rs_mock\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"I name "        \
	"lanes.\"}],\"encrypted_content\":\"gAAAAmock\"}"

static unsigned calls_of(const struct mock_request *r)
{
	return !r->plan.tool ? 0 : r->plan.parallel ? 2 : 1;
}

/* ---- items -------------------------------------------------------------------------------------------------- */

static void write_words(struct text *t, const struct mock_request *r)
{
	bool cut;
	uint32_t words = mock_words(r, &cut);

	for (uint32_t i = 0; i < words; i++)
		text_add(t, mock_say(r, 0, i));
}

static void write_part(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"");
	write_words(t, r);
	text_literal(t, "\"}");
}

static void write_message(struct text *t, const struct mock_request *r)
{
	bool cut;

	mock_words(r, &cut);
	text_literal(t, "{\"id\":\"msg_mock\",\"type\":\"message\",\"status\":\"");
	text_string(t, cut ? "incomplete" : "completed");
	text_literal(t, "\",\"content\":[");
	write_part(t, r);
	text_literal(t, "],\"role\":\"assistant\"}");
}

static void write_call(struct text *t, unsigned call, bool begun)
{
	text_literal(t, "{\"id\":\"fc_");
	text_u64(t, call);
	text_string(t, begun ? "\",\"type\":\"function_call\",\"status\":\"in_progress\",\"arguments\":\"\""
			     : "\",\"type\":\"function_call\",\"status\":\"completed\",\"arguments\":"
			       "\"{\\\"city\\\":\\\"Bern\\\"}\"");
	text_literal(t, ",\"call_id\":\"call_");
	text_u64(t, call);
	text_string(t, call ? "\",\"name\":\"get_time\"}" : "\",\"name\":\"get_weather\"}");
}

static void write_output(struct text *t, const struct mock_request *r)
{
	unsigned calls = calls_of(r);

	if (r->plan.thinking)
		text_literal(t, REASONING ",");
	if (!calls)
		write_message(t, r);
	for (unsigned i = 0; i < calls; i++) {
		text_string(t, i ? "," : "");
		write_call(t, i, false);
	}
}

static void write_usage(struct text *t, const struct mock_request *r)
{
	bool cut;
	uint32_t output = mock_words(r, &cut) + 9 * calls_of(r) + (r->plan.thinking ? 2 : 0);
	uint32_t input = r->prompt_tokens + (r->plan.cached ? CACHED_TOKENS : 0);

	text_literal(t, "{\"input_tokens\":");
	text_u64(t, input);
	text_literal(t, ",\"input_tokens_details\":{\"cached_tokens\":");
	text_u64(t, r->plan.cached ? CACHED_TOKENS : 0);
	text_literal(t, "},\"output_tokens\":");
	text_u64(t, output);
	text_literal(t, ",\"output_tokens_details\":{\"reasoning_tokens\":");
	text_u64(t, r->plan.thinking ? 2 : 0);
	text_literal(t, "},\"total_tokens\":");
	text_u64(t, input + output);
	text_char(t, '}');
}

/* Of an answer that has only begun, or a whole one. */
static void write_object(struct text *t, const struct mock_request *r, bool begun)
{
	bool cut;

	mock_words(r, &cut);
	text_literal(t, "{\"id\":\"resp_");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_literal(t, "\",\"object\":\"response\",\"created_at\":1790000000,\"status\":\"");
	text_string(t, begun ? "in_progress" : cut ? "incomplete" : "completed");
	text_literal(t, "\",\"background\":false,\"error\":null,\"incomplete_details\":");
	text_string(t, cut && !begun ? "{\"reason\":\"max_output_tokens\"}" : "null");
	text_literal(t, ",\"instructions\":null,\"max_output_tokens\":null,\"model\":\"");
	text_add(t, r->model);
	text_literal(t, "\",\"output\":[");
	if (!begun)
		write_output(t, r);
	text_literal(t,
		"],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null,"
		"\"summary\":null},\"store\":true,\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"}},"
		"\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":");
	if (begun || r->plan.no_usage)
		text_literal(t, "null");
	else
		write_usage(t, r);
	text_literal(t, ",\"user\":null,\"metadata\":{}}");
}

static size_t bound(const struct mock_request *r)
{
	bool cut;

	return FRAME_BYTES + (size_t)mock_words(r, &cut) * MOCK_WORD_BYTES;
}

void mock_responses_write(struct mock_connection *c)
{
	struct text t = mock_body_open(c, bound(&c->request));

	write_object(&t, &c->request, false);
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

struct event {
	char *memory;
	struct text t;
};

static struct event open_event(struct mock_connection *c, const char *name)
{
	struct event e = {.memory = malloc(bound(&c->request))};

	if (!e.memory)
		abort();
	e.t = text_over(e.memory, bound(&c->request));
	text_literal(&e.t, "event: ");
	text_string(&e.t, name);
	text_literal(&e.t, "\ndata: {\"type\":\"");
	text_string(&e.t, name);
	text_literal(&e.t, "\",\"sequence_number\":");
	text_u64(&e.t, c->events.sequence++);
	return e;
}

static void send_event(struct mock_connection *c, struct event *e)
{
	text_literal(&e->t, "}\n\n");
	assert(!e->t.full);
	mock_stream_chunk(c, text_slice(&e->t));
	free(e->memory);
}

static void add(struct mock_connection *c, const char *name, unsigned item, struct slice rest)
{
	struct event e = open_event(c, name);

	text_literal(&e.t, ",\"output_index\":");
	text_u64(&e.t, item);
	text_add(&e.t, rest);
	send_event(c, &e);
}

static void add_object(struct mock_connection *c, const char *name, bool begun)
{
	struct event e = open_event(c, name);

	text_literal(&e.t, ",\"response\":");
	write_object(&e.t, &c->request, begun);
	send_event(c, &e);
}

static unsigned message_index(const struct mock_request *r)
{
	return r->plan.thinking ? 1 : 0;
}

#define IN_REASONING ",\"item_id\":\"rs_mock\",\"summary_index\":0"

static void add_reasoning(struct mock_connection *c)
{
	add(c, "response.output_item.added", 0,
		SLICE(",\"item\":{\"id\":\"rs_mock\",\"type\":\"reasoning\",\"summary\":[]}"));
	add(c, "response.reasoning_summary_part.added", 0,
		SLICE(IN_REASONING ",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}"));
	add(c, "response.reasoning_summary_text.delta", 0, SLICE(IN_REASONING ",\"delta\":\"I name lanes.\""));
	add(c, "response.reasoning_summary_text.done", 0, SLICE(IN_REASONING ",\"text\":\"I name lanes.\""));
	add(c, "response.reasoning_summary_part.done", 0,
		SLICE(IN_REASONING ",\"part\":{\"type\":\"summary_text\",\"text\":\"I name lanes.\"}"));
	add(c, "response.output_item.done", 0, SLICE(",\"item\":" REASONING));
}

static void add_call(struct mock_connection *c, unsigned item, unsigned call)
{
	char memory[512], id[64];
	struct text t = text_over(memory, sizeof(memory)), in = text_over(id, sizeof(id));

	text_literal(&t, ",\"item\":");
	write_call(&t, call, true);
	add(c, "response.output_item.added", item, text_slice(&t));
	text_literal(&in, ",\"item_id\":\"fc_");
	text_u64(&in, call);
	text_char(&in, '"');
	for (unsigned i = 0; i < 3; i++) {
		static const char *const rest[] = {",\"delta\":\"{\\\"city\\\":\"", ",\"delta\":\"\\\"Bern\\\"}\"",
			",\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\""};

		t.size = 0;
		text_add(&t, text_slice(&in));
		text_string(&t, rest[i]);
		add(c, i < 2 ? "response.function_call_arguments.delta" : "response.function_call_arguments.done", item,
			text_slice(&t));
	}
	t.size = 0;
	text_literal(&t, ",\"item\":");
	write_call(&t, call, false);
	add(c, "response.output_item.done", item, text_slice(&t));
}

static void add_error(struct mock_connection *c)
{
	struct event e = open_event(c, "error");

	text_literal(&e.t, ",\"code\":\"server_error\",\"message\":\"The server had an error.\",\"param\":null");
	send_event(c, &e);
	mock_stream_close(c);
	c->close_after = true;
}

#define IN_MESSAGE ",\"item_id\":\"msg_mock\",\"content_index\":0"

void mock_responses_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;

	mock_stream_open(c, mock_words(r, &cut));
	mock_stream_head(c);
	if (r->plan.error_first) {
		add_error(c);
		return;
	}
	add_object(c, "response.created", true);
	add_object(c, "response.in_progress", true);
	if (r->plan.thinking)
		add_reasoning(c);
	for (unsigned i = 0; i < calls_of(r); i++)
		add_call(c, message_index(r) + i, i);
	if (!calls_of(r)) {
		add(c, "response.output_item.added", message_index(r),
			SLICE(",\"item\":{\"id\":\"msg_mock\",\"type\":\"message\",\"status\":\"in_progress\","
			      "\"content\":[],\"role\":\"assistant\"}"));
		add(c, "response.content_part.added", message_index(r),
			SLICE(IN_MESSAGE ",\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],"
					 "\"text\":\"\"}"));
	}
	mock_stream_fill(c);
}

static void add_token(struct mock_connection *c)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, IN_MESSAGE ",\"logprobs\":[],\"obfuscation\":\"x7\",\"delta\":\"");
	text_add(&t, mock_say(&c->request, 0, c->events.next++));
	text_char(&t, '"');
	add(c, "response.output_text.delta", message_index(&c->request), text_slice(&t));
}

static void add_message_end(struct mock_connection *c)
{
	static const struct {
		const char *name, *before;
	} ends[] = {{"response.output_text.done", IN_MESSAGE ",\"logprobs\":[],\"text\":\""},
		{"response.content_part.done", IN_MESSAGE ",\"part\":"}, {"response.output_item.done", ",\"item\":"}};

	for (unsigned i = 0; i < 3; i++) {
		struct event e = open_event(c, ends[i].name);

		text_literal(&e.t, ",\"output_index\":");
		text_u64(&e.t, message_index(&c->request));
		text_string(&e.t, ends[i].before);
		if (i == 0)
			write_words(&e.t, &c->request);
		else if (i == 1)
			write_part(&e.t, &c->request);
		else
			write_message(&e.t, &c->request);
		text_string(&e.t, i == 0 ? "\"" : "");
		send_event(c, &e);
	}
}

static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool cut;

	mock_words(r, &cut);
	if (!calls_of(r))
		add_message_end(c);
	if (r->plan.fault != MOCK_NO_DONE)
		add_object(c, cut ? "response.incomplete" : "response.completed", false);
	mock_stream_close(c);
}

const struct mock_steps mock_responses_steps = {
	.token = add_token, .error = add_error, .end = add_tail, .behind_brace = 4};
