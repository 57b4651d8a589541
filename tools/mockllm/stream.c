/*
 * Event streams. The event of a token is rendered once, with its chunk frame; each one sent is a copy of it with six
 * bytes of word and a digit of choice patched in, because every word has the same size.
 */
#include "tools/mockllm/mock.h"

#include <assert.h>

enum {
	FILL_BYTES = 16384, /* of one send when nothing paces the stream */
	FAULT_EVENTS = 3,   /* events before a fault */
};

void mock_stream_chunk(struct mock_connection *c, struct slice payload)
{
	char memory[32];
	struct text t = text_over(memory, sizeof(memory));
	bool begun = false;

	for (int shift = 28; shift >= 0; shift -= 4) {
		unsigned digit = (unsigned)(payload.size >> shift) & 15;

		begun |= digit != 0;
		if (begun)
			text_char(&t, "0123456789abcdef"[digit]);
	}
	text_literal(&t, "\r\n");
	mock_out_add(c, text_slice(&t));
	mock_out_add(c, payload);
	mock_out_add(c, SLICE("\r\n"));
}

static void write_prefix(struct text *t, const struct mock_request *r)
{
	bool chat = r->path == MOCK_CHAT;

	text_string(t, chat ? "data: {\"id\":\"chatcmpl-" : "data: {\"id\":\"cmpl-");
	text_hex(t, &r->hash, sizeof(r->hash));
	text_string(t, chat ? "\",\"object\":\"chat.completion.chunk\"" : "\",\"object\":\"text_completion\"");
	text_literal(t, ",\"created\":1790000000,\"model\":\"");
	text_add(t, r->model);
	text_literal(t, "\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\",\"choices\":[");
}

/* Up to the choice's index, whose place it returns, and from there to the delta or text. */
static size_t write_choice_head(struct text *t, unsigned choice)
{
	size_t index_at;

	text_literal(t, "{\"index\":");
	index_at = t->size;
	text_u64(t, choice);
	return index_at;
}

static void write_suffix(struct text *t, const struct mock_request *r, const char *finish)
{
	text_literal(t, ",\"logprobs\":null,\"finish_reason\":");
	text_json_or_null(t, slice_of_string(finish));
	text_literal(t, "}]");
	if (r->include_usage)
		text_literal(t, ",\"usage\":null");
	text_literal(t, "}\n\n");
}

/* An event that is not a token's. `middle` is what stands between the choice's index and its logprobs. */
static void add_event(struct mock_connection *c, unsigned choice, struct slice middle, const char *finish)
{
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	write_prefix(&t, &c->request);
	write_choice_head(&t, choice);
	text_add(&t, middle);
	write_suffix(&t, &c->request, finish);
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
}

static void make_template(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	struct mock_stream *s = &c->events;
	char memory[MOCK_EVENT_BYTES - 16];
	struct text t = text_over(memory, sizeof(memory));
	size_t index_at, word_at, out_before = c->out_size, frame;

	write_prefix(&t, r);
	index_at = write_choice_head(&t, 0);
	text_string(&t, r->path == MOCK_CHAT ? ",\"delta\":{\"content\":\"" : ",\"text\":\"");
	word_at = t.size;
	text_add(&t, mock_word(0, 0));
	text_string(&t, r->path == MOCK_CHAT ? "\"}" : "\"");
	write_suffix(&t, r, NULL);
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
	s->event_bytes = (uint32_t)(c->out_size - out_before);
	assert(s->event_bytes <= sizeof(s->event));
	memcpy(s->event, c->out + out_before, s->event_bytes);
	c->out_size = out_before;
	frame = s->event_bytes - t.size - 2; /* the size line; behind the payload is its CRLF */
	s->index_at = (uint32_t)(frame + index_at);
	s->word_at = (uint32_t)(frame + word_at);
}

static void add_token(struct mock_connection *c, unsigned choice)
{
	struct mock_stream *s = &c->events;
	char *at = mock_out_reserve(c, s->event_bytes);

	memcpy(at, s->event, s->event_bytes);
	at[s->index_at] = (char)('0' + choice);
	memcpy(at + s->word_at, mock_word(c->request.content_hash + choice, s->next).data, MOCK_WORD_BYTES);
	c->out_size += s->event_bytes;
}

static void add_tool_call(struct mock_connection *c, unsigned choice)
{
	char memory[256];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, ",\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_");
	text_hex(&t, &c->request.hash, sizeof(c->request.hash));
	text_literal(&t, "\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]}");
	add_event(c, choice, text_slice(&t), NULL);
	add_event(c, choice,
		SLICE(",\"delta\":{\"tool_calls\":[{\"index\":0,"
		      "\"function\":{\"arguments\":\"{\\\"city\\\":\"}}]}"),
		NULL);
	add_event(c, choice,
		SLICE(",\"delta\":{\"tool_calls\":[{\"index\":0,"
		      "\"function\":{\"arguments\":\"\\\"Bern\\\"}\"}}]}"),
		NULL);
	if (c->request.plan.parallel)
		add_event(c, choice,
			SLICE(",\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_second\",\"type\":"
			      "\"function\",\"function\":{\"name\":\"get_time\",\"arguments\":\"\"}}]}"),
			NULL);
}

void mock_stream_open(struct mock_connection *c, uint32_t total)
{
	c->streaming = true;
	c->events.next = c->events.sequence = 0;
	c->events.total = total;
	c->events.started_ns = shard_now_ns(&c->mock->shard);
}

void mock_stream_close(struct mock_connection *c)
{
	mock_out_add(c, SLICE("0\r\n\r\n"));
	c->streaming = false;
}

void mock_stream_head(struct mock_connection *c)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
			 "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nx-request-id: req_");
	text_hex(&t, &c->request.hash, sizeof(c->request.hash));
	text_string(&t, c->close_after ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n");
	mock_out_add(c, text_slice(&t));
}

static uint32_t words_wanted(const struct mock_request *r, bool *cut)
{
	*cut = !r->plan.words_fixed && r->plan.words > r->max_words;
	return *cut ? r->max_words : r->plan.words;
}

void mock_stream_begin(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	const struct mock_format *format = mock_format_of(r->path);
	bool chat = r->path == MOCK_CHAT, cut;

	if (format) {
		format->begin(c);
		return;
	}
	mock_stream_open(c, (r->plan.tool || r->plan.json) && chat ? 0 : words_wanted(r, &cut));
	make_template(c);
	mock_stream_head(c);
	for (unsigned i = 0; chat && i < r->choices; i++)
		add_event(c, i, SLICE(",\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"), NULL);
	for (unsigned i = 0; chat && r->plan.json && i < r->choices; i++)
		add_event(c, i, SLICE(",\"delta\":{\"content\":\"" MOCK_JSON "\"}"), NULL);
	for (unsigned i = 0; chat && r->plan.tool && i < r->choices; i++)
		add_tool_call(c, i);
	mock_stream_fill(c);
}

static void add_usage(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	char memory[MOCK_EVENT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	write_prefix(&t, r);
	text_literal(&t, "],");
	mock_usage(&t, r, c->events.total * r->choices);
	text_literal(&t, "}\n\n");
	assert(!t.full);
	mock_stream_chunk(c, text_slice(&t));
}

static void add_tail(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool chat = r->path == MOCK_CHAT, cut;
	const char *finish;

	words_wanted(r, &cut);
	finish = r->plan.tool && chat ? "tool_calls" : cut ? "length" : "stop";
	for (unsigned i = 0; i < r->choices; i++)
		add_event(c, i, chat ? SLICE(",\"delta\":{}") : SLICE(",\"text\":\"\""), finish);
	if (r->include_usage && !r->plan.no_usage)
		add_usage(c);
	if (r->plan.fault != MOCK_NO_DONE)
		mock_stream_chunk(c, SLICE("data: [DONE]\n\n"));
	mock_stream_close(c);
}

static void add_error(struct mock_connection *c)
{
	mock_stream_chunk(c, SLICE("data: {\"error\":{\"message\":\"The server had an error while processing "
				   "your request\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"));
	mock_stream_close(c);
	c->close_after = true;
}

static void add_tokens(struct mock_connection *c)
{
	for (unsigned i = 0; i < c->request.choices; i++)
		add_token(c, i);
	c->events.next++;
}

static const struct mock_steps own_steps = {
	.token = add_tokens, .error = add_error, .end = add_tail, .behind_brace = 4};

/* True when the stream ends here, in the way that the plan asks for. */
static bool add_fault(struct mock_connection *c, const struct mock_steps *steps)
{
	size_t before = c->out_size;

	switch (c->request.plan.fault) {
	case MOCK_STALL_BODY:
		c->stall_after = true;
		break;
	case MOCK_TRUNCATED:
		c->close_after = true;
		break;
	case MOCK_CUT:
		steps->token(c);
		c->out_size -= (c->out_size - before) / 2;
		c->close_after = true;
		break;
	case MOCK_ERROR_EVENT:
		steps->error(c);
		break;
	case MOCK_INVALID_JSON:
		c->out[c->out_size - 1 - steps->behind_brace] = ',';
		return false;
	default:
		return false;
	}
	c->streaming = false;
	return true;
}

uint32_t mock_stream_events_due(const struct mock_connection *c)
{
	const struct mock_stream *s = &c->events;
	uint64_t interval_ns = c->request.plan.interval_ns, due;

	if (!interval_ns)
		return s->total;
	due = (shard_now_ns(&c->mock->shard) - s->started_ns) / interval_ns + 1;
	return due < s->total ? (uint32_t)due : s->total;
}

void mock_stream_fill(struct mock_connection *c)
{
	const struct mock_format *format = mock_format_of(c->request.path);
	const struct mock_steps *steps = format ? format->steps : &own_steps;
	struct mock_stream *s = &c->events;
	uint32_t due = mock_stream_events_due(c);

	while (s->next < due && c->out_size < FILL_BYTES) {
		steps->token(c);
		if (s->next == FAULT_EVENTS && add_fault(c, steps))
			return;
	}
	if (s->next < s->total || (s->total < FAULT_EVENTS && add_fault(c, steps)))
		return;
	steps->end(c);
}

uint64_t mock_stream_due_ns(const struct mock_connection *c)
{
	return c->request.plan.interval_ns ? c->events.started_ns + c->events.next * c->request.plan.interval_ns : 0;
}
