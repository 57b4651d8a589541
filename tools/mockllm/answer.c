/*
 * Whole answers. A body is written behind room for its head, and the head then right before it, so nothing is moved
 * and both leave in one send.
 */
#include "tools/mockllm/mock.h"

#include "proto/http/http.h"

#include <assert.h>

enum { HEAD_ROOM = 1024, FRAME_BYTES = 2048 /* bound of a body without its words and vectors */ };

#define IDENTITY "\"created\":1790000000,\"model\":\""

struct slice mock_word(uint64_t hash, uint32_t index)
{
	static const char words[] = "tolls gates route paths lanes fares ticks bytes "
				    "token event shard queue slice cache model proxy ";

	_Static_assert(sizeof(words) - 1 == 16 * MOCK_WORD_BYTES, "every word has the same size");
	return slice_of(words + ((hash + index * 7u) & 15) * MOCK_WORD_BYTES, MOCK_WORD_BYTES);
}

struct slice mock_say(const struct mock_request *r, unsigned choice, uint32_t index)
{
	return r->plan.json ? SLICE(MOCK_JSON) : mock_word(r->content_hash + choice, index);
}

uint32_t mock_words(const struct mock_request *r, bool *cut)
{
	*cut = !r->plan.words_fixed && r->plan.words > r->max_words && !r->plan.tool && !r->plan.json;
	return r->plan.tool ? 0 : r->plan.json ? 1 : *cut ? r->max_words : r->plan.words;
}

struct text mock_body_open(struct mock_connection *c, size_t bound)
{
	assert(c->out_size == 0 && c->out_sent == 0);
	return text_over(mock_out_reserve(c, HEAD_ROOM + bound) + HEAD_ROOM, bound);
}

void mock_body_finish(struct mock_connection *c, unsigned status, struct slice headers, const struct text *body)
{
	char memory[HEAD_ROOM];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "HTTP/1.1 ");
	text_u64(&t, status);
	text_literal(&t, " ");
	text_add(&t, http_reason(status));
	text_literal(&t, "\r\nContent-Type: application/json\r\nContent-Length: ");
	text_u64(&t, body->size);
	text_literal(&t, "\r\nx-request-id: req_");
	text_hex(&t, &c->request.hash, sizeof(c->request.hash));
	text_literal(&t, "\r\nopenai-processing-ms: 1\r\n");
	text_add(&t, headers);
	if (c->close_after)
		text_literal(&t, "Connection: close\r\n");
	text_literal(&t, "\r\n");
	assert(!t.full && !body->full);
	memcpy(c->out + HEAD_ROOM - t.size, t.data, t.size);
	c->out_sent = HEAD_ROOM - t.size;
	c->out_size = HEAD_ROOM + body->size;
}

void mock_answer_whole(struct mock_connection *c, unsigned status, struct slice headers, struct slice body)
{
	struct text t = mock_body_open(c, body.size);

	text_add(&t, body);
	mock_body_finish(c, status, headers, &t);
}

static const char *error_type(unsigned status)
{
	if (status == 429)
		return "requests";
	return status >= 500 ? "server_error" : "invalid_request_error";
}

static void write_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message,
	const char *param, const char *code)
{
	const struct mock_format *format = mock_format_of(c->request.path);
	struct text t;

	if (format && format->error) {
		format->error(c, status, headers, message);
		return;
	}
	t = mock_body_open(c, FRAME_BYTES);
	text_literal(&t, "{\"error\":{\"message\":");
	text_json(&t, message);
	text_literal(&t, ",\"type\":");
	text_json(&t, slice_of_string(error_type(status)));
	text_literal(&t, ",\"param\":");
	text_json_or_null(&t, slice_of_string(param));
	text_literal(&t, ",\"code\":");
	text_json_or_null(&t, slice_of_string(code));
	text_literal(&t, "}}");
	mock_body_finish(c, status, headers, &t);
}

void mock_answer_error(
	struct mock_connection *c, unsigned status, struct slice message, const char *param, const char *code)
{
	write_error(c, status, slice_of(NULL, 0), message, param, code);
}

/* The error that the model's name asked for. */
void mock_answer_planned_error(struct mock_connection *c)
{
	const struct mock_plan *plan = &c->request.plan;
	char memory[64];
	struct text t = text_over(memory, sizeof(memory));
	const char *code = NULL;

	if (plan->retry_after_s) {
		text_literal(&t, "Retry-After: ");
		text_u64(&t, plan->retry_after_s);
		text_literal(&t, "\r\n");
	}
	if (plan->status == 429)
		code = "rate_limit_exceeded";
	else if (plan->status == 401)
		code = "invalid_api_key";
	else if (plan->status == 404)
		code = "model_not_found";
	write_error(c, plan->status, text_slice(&t), SLICE("The simulator was asked for this error."), NULL, code);
}

void mock_usage(struct text *t, const struct mock_request *r, uint32_t completion_tokens)
{
	text_literal(t, "\"usage\":{\"prompt_tokens\":");
	text_u64(t, r->prompt_tokens);
	text_literal(t, ",\"completion_tokens\":");
	text_u64(t, completion_tokens);
	text_literal(t, ",\"total_tokens\":");
	text_u64(t, (uint64_t)r->prompt_tokens + completion_tokens);
	text_literal(t, ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
			"\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
			"\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}");
}

static void write_words(struct text *t, uint64_t hash, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		text_add(t, mock_word(hash, i));
}

static void write_choice(
	struct text *t, const struct mock_request *r, unsigned index, uint32_t words, const char *finish)
{
	if (r->path == MOCK_COMPLETIONS) {
		text_literal(t, "{\"text\":\"");
		write_words(t, r->content_hash + index, words);
		text_literal(t, "\",\"index\":");
		text_u64(t, index);
	} else {
		text_literal(t, "{\"index\":");
		text_u64(t, index);
		if (r->plan.tool) {
			text_literal(t, ",\"message\":{\"role\":\"assistant\",\"content\":null,"
					"\"tool_calls\":[{\"id\":\"call_");
			text_hex(t, &r->hash, sizeof(r->hash));
			text_literal(t, "\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":"
					"\"{\\\"city\\\":\\\"Bern\\\"}\"}}");
			if (r->plan.parallel)
				text_literal(t, ",{\"id\":\"call_second\",\"type\":\"function\",\"function\":"
						"{\"name\":\"get_time\",\"arguments\":\"\"}}");
			text_literal(t, "],\"refusal\":null,\"annotations\":[]}");
		} else {
			text_literal(t, ",\"message\":{\"role\":\"assistant\",\"content\":\"");
			if (r->plan.json)
				text_literal(t, MOCK_JSON);
			else
				write_words(t, r->content_hash + index, words);
			text_literal(t, "\",\"refusal\":null,\"annotations\":[]}");
		}
	}
	text_literal(t, ",\"logprobs\":null,\"finish_reason\":\"");
	text_string(t, finish);
	text_literal(t, "\"}");
}

static void write_generation(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	bool chat = r->path == MOCK_CHAT, cut = !r->plan.words_fixed && r->plan.words > r->max_words;
	uint32_t words = cut ? r->max_words : r->plan.words;
	const char *finish = r->plan.tool && chat ? "tool_calls" : cut ? "length" : "stop";
	struct text t = mock_body_open(c, FRAME_BYTES + r->choices * ((size_t)words * MOCK_WORD_BYTES + FRAME_BYTES));

	text_string(&t, chat ? "{\"id\":\"chatcmpl-" : "{\"id\":\"cmpl-");
	text_hex(&t, &r->hash, sizeof(r->hash));
	text_string(&t, chat ? "\",\"object\":\"chat.completion\"," : "\",\"object\":\"text_completion\",");
	text_literal(&t, IDENTITY);
	text_add(&t, r->model);
	text_literal(&t, "\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\",\"choices\":[");
	for (unsigned i = 0; i < r->choices; i++) {
		if (i)
			text_literal(&t, ",");
		write_choice(&t, r, i, words, finish);
	}
	text_literal(&t, "]");
	if (!r->plan.no_usage) {
		text_literal(&t, ",");
		mock_usage(&t, r, words * r->choices);
	}
	text_literal(&t, "}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

static void write_embeddings(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + mock_vectors_bytes(r));

	text_literal(&t, "{\"object\":\"list\",\"data\":[");
	mock_vectors(&t, r);
	text_literal(&t, "],\"model\":\"");
	text_add(&t, r->model);
	text_literal(&t, "\"");
	if (!r->plan.no_usage) {
		text_literal(&t, ",\"usage\":{\"prompt_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_literal(&t, ",\"total_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_literal(&t, "}");
	}
	text_literal(&t, "}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

static const char *const categories[] = {
	"harassment",
	"harassment/threatening",
	"hate",
	"hate/threatening",
	"illicit",
	"illicit/violent",
	"self-harm",
	"self-harm/intent",
	"self-harm/instructions",
	"sexual",
	"sexual/minors",
	"violence",
	"violence/graphic",
};

enum { CATEGORY_COUNT = sizeof(categories) / sizeof(categories[0]), CATEGORY_VIOLENCE = 11 };

static void write_categories(struct text *t, const char *others, const char *violence)
{
	for (int i = 0; i < CATEGORY_COUNT; i++) {
		text_string(t, i ? ",\"" : "\"");
		text_string(t, categories[i]);
		text_literal(t, "\":");
		text_string(t, i == CATEGORY_VIOLENCE ? violence : others);
	}
}

static void write_moderation(struct text *t, bool flagged)
{
	text_string(t, flagged ? "{\"flagged\":true,\"categories\":{" : "{\"flagged\":false,\"categories\":{");
	write_categories(t, "false", flagged ? "true" : "false");
	text_literal(t, "},\"category_scores\":{");
	write_categories(t, "0.0001", flagged ? "0.97" : "0.0001");
	text_literal(t, "},\"category_applied_input_types\":{");
	write_categories(t, "[\"text\"]", "[\"text\"]");
	text_literal(t, "}}");
}

static void write_moderations(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + (size_t)r->input_count * FRAME_BYTES);

	text_literal(&t, "{\"id\":\"modr-");
	text_hex(&t, &r->hash, sizeof(r->hash));
	text_literal(&t, "\",\"model\":\"");
	text_add(&t, r->model);
	text_literal(&t, "\",\"results\":[");
	for (uint32_t i = 0; i < r->input_count; i++) {
		if (i)
			text_literal(&t, ",");
		write_moderation(&t, r->flagged);
	}
	text_literal(&t, "]}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* Faults of a body are made on the finished bytes. */
static void spoil(struct mock_connection *c)
{
	size_t half = (c->out_size - HEAD_ROOM) / 2;

	switch (c->request.plan.fault) {
	case MOCK_STALL_BODY:
		c->out_size -= half;
		c->stall_after = true;
		break;
	case MOCK_TRUNCATED:
	case MOCK_CUT:
		c->out_size -= half;
		c->close_after = true;
		break;
	case MOCK_INVALID_JSON:
		c->out[c->out_size - 1] = ',';
		break;
	default:
		break;
	}
}

void mock_answer(struct mock_connection *c)
{
	const struct mock_format *format = mock_format_of(c->request.path);

	if (format)
		format->write(c);
	else if (c->request.path == MOCK_EMBEDDINGS)
		write_embeddings(c);
	else if (c->request.path == MOCK_MODERATIONS)
		write_moderations(c);
	else
		write_generation(c);
	spoil(c);
}
