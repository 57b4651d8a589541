/* The second question to a better model: see exchange_shadow.h. */
#include "route/exchange/exchange_shadow.h"

#include "route/auto/agreement.h"

#include <assert.h>
#include <stdlib.h>

#define NONE slice_of(NULL, 0)

struct exchange_shadow {
	struct exchange *exchange;
	struct timer timer; /* to its begin, then to its end: neither runs inside of something else */
	struct http_request request;
	const struct model_settings *model;
	struct slice answer; /* the small model's, in the exchange's arena */
	struct slice reason;
};

static struct gateway_metrics *metrics_of(const struct exchange *e)
{
	return &e->gateway_shard->metrics;
}

/* ---- what an answer says ---- */

/* Of a list of parts, their texts one after the other. */
static struct slice join_texts(struct exchange *e, json_ref parts, size_t bytes_max)
{
	const struct json_parser *json = e->gateway_shard->json;
	struct text joined = text_over(arena_alloc(&e->arena, bytes_max), bytes_max);

	if (!joined.data)
		return NONE;
	for (json_ref part = json_first(json, parts); part != JSON_NONE; part = json_next(json, part)) {
		json_ref text =
			json_type(json, part) == JSON_OBJECT ? json_member(json, part, SLICE("text")) : JSON_NONE;

		if (text != JSON_NONE && json_type(json, text) == JSON_STRING)
			text_add(&joined, json_string(json, text));
	}
	return text_slice(&joined);
}

/* A chat completion's first choice, or a message. */
static json_ref content_of(const struct json_parser *json, enum receipt_api api)
{
	json_ref at = 0;

	if (api == API_CHAT_COMPLETIONS) {
		at = json_member(json, at, SLICE("choices"));
		at = at != JSON_NONE && json_type(json, at) == JSON_ARRAY ? json_first(json, at) : JSON_NONE;
		at = at != JSON_NONE && json_type(json, at) == JSON_OBJECT ? json_member(json, at, SLICE("message"))
									   : JSON_NONE;
	}
	return at != JSON_NONE && json_type(json, at) == JSON_OBJECT ? json_member(json, at, SLICE("content"))
								     : JSON_NONE;
}

/* The answer as its client has it. Takes the shard's view. NULL data: it has no text, or memory is out. */
static struct slice text_of_answer(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	struct json_error error;
	struct text whole;
	size_t size = 0;
	json_ref content;

	for (unsigned i = 0; i < e->answer_iov_count; i++)
		size += e->answer_iov[i].iov_len;
	whole = text_over(arena_alloc(&e->arena, size + BUFFER_PADDING_BYTES), size);
	if (!whole.data)
		return NONE;
	for (unsigned i = 0; i < e->answer_iov_count; i++)
		text_add(&whole, slice_of(e->answer_iov[i].iov_base, e->answer_iov[i].iov_len));
	memset(whole.data + size, 0, BUFFER_PADDING_BYTES);
	if (json_parse(json, text_slice(&whole), &error) || json_type(json, 0) != JSON_OBJECT)
		return NONE;
	content = content_of(json, e->api);
	if (content == JSON_NONE)
		return NONE;
	if (json_type(json, content) == JSON_ARRAY)
		return join_texts(e, content, size);
	return json_type(json, content) == JSON_STRING ? json_string(json, content) : NONE;
}

/* ---- its end ---- */

static void end(struct timer *timer)
{
	struct exchange_shadow *shadow = container_of(timer, struct exchange_shadow, timer);
	struct exchange *e = shadow->exchange;

	exchange_limit_settle(e);
	exchange_count_usage(e); /* no client asked: it is in no count of requests */
	e->gateway_shard->shadow_count--;
	e->request = NULL;
	e->shadow = NULL;
	free(shadow);
	exchange_unhold(e, HOLD_REQUEST);
}

static void compare(struct exchange *e)
{
	struct gateway_metrics *metrics = metrics_of(e);
	struct slice text = text_of_answer(e);
	unsigned permille = agreement_permille(e->shadow->answer, text);

	metric_add(&metrics->shadows_compared, 1);
	metric_add(&metrics->shadow_agreement_permille, permille);
	metric_add(&metrics->shadows_agreed, permille >= AGREEMENT_MUCH_PERMILLE);
}

void exchange_shadow_done(struct exchange *e)
{
	struct exchange_shadow *shadow = e->shadow;

	assert(!timer_armed(&shadow->timer));
	if (e->status == 200)
		compare(e);
	else
		metric_add(&metrics_of(e)->shadows_failed, 1);
	timer_init(&shadow->timer, end);
	timer_arm(&e->gateway_shard->shard->timers, &shadow->timer, exchange_now_ns(e));
}

/* ---- its begin ---- */

static void begin(struct timer *timer)
{
	struct exchange_shadow *shadow = container_of(timer, struct exchange_shadow, timer);
	struct exchange *e = shadow->exchange;

	e->body_begun_ns = exchange_now_ns(e);
	if (!exchange_read_request(e))
		return; /* refused, and so it ends */
	e->model_name = slice_of_string(shadow->model->id);
	e->receipt.reason = shadow->reason;
	if (exchange_plan(e))
		exchange_limit(e);
}

static bool is_asked_for(const struct exchange *e)
{
	const struct route_choice *choice = &e->route_choice;
	uint32_t percent = e->config->config->settings->routing.more.shadow_percent;

	return percent && e->status == 200 && choice->automatic && choice->scored &&
	       choice->score.bucket == BUCKET_SIMPLE && !e->stream && !e->gone && !e->endpoint &&
	       (e->api == API_CHAT_COMPLETIONS || e->api == API_MESSAGES) &&
	       rand_below(&e->gateway_shard->shard->rand, 100) < percent;
}

/* Of those that might have served the request; NULL: none is better than the one that did. */
static const struct model_settings *better_model(const struct exchange *e)
{
	const struct model_settings *best = e->attempt->candidate->model;

	for (unsigned i = 0; i < e->plan.candidate_count; i++)
		if (e->plan.candidates[i].model->quality_milli > best->quality_milli)
			best = e->plan.candidates[i].model;
	return best == e->attempt->candidate->model ? NULL : best;
}

static struct slice reason_for(struct exchange *e, const struct exchange *original)
{
	enum { REASON_BYTES = 96 };
	struct text reason = text_over(arena_alloc(&e->arena, REASON_BYTES), REASON_BYTES);

	if (!reason.data)
		return NONE;
	text_literal(&reason, "the better model, for comparison with ");
	text_add(&reason, slice_of(original->id_text, sizeof(original->id_text)));
	return text_slice(&reason);
}

/* The request once more, with memory of its own: the client's is gone with its answer. */
static bool copy_request(struct exchange *e, const struct exchange *original, struct slice answer)
{
	struct exchange_shadow *shadow = e->shadow;
	struct slice body = original->request->body;
	char *copy = arena_alloc(&e->arena, body.size + BUFFER_PADDING_BYTES);

	if (!copy)
		return false;
	memcpy(copy, body.data, body.size);
	memset(copy + body.size, 0, BUFFER_PADDING_BYTES);
	shadow->request.body = slice_of(copy, body.size);
	shadow->answer = arena_copy(&e->arena, answer);
	shadow->reason = reason_for(e, original);
	return shadow->answer.data && shadow->reason.data;
}

static struct exchange *make(const struct exchange *original, struct exchange_shadow *shadow)
{
	struct exchange *e;

	*shadow = (struct exchange_shadow){.request.received_ns = exchange_now_ns(original)};
	memcpy(&shadow->request.peer, original->client, sizeof(shadow->request.peer));
	e = exchange_make(original->gateway_shard, &shadow->request, original->config);
	if (!e)
		return NULL;
	e->client = &shadow->request.peer;
	e->shadow = shadow;
	e->gone = true; /* nobody waits */
	e->is_api = true;
	e->api = original->api;
	e->dialect = original->dialect;
	e->key = original->key;
	e->workspace = original->workspace;
	shadow->exchange = e;
	timer_init(&shadow->timer, begin);
	return e;
}

static void start(struct exchange *original, const struct model_settings *model, struct slice answer)
{
	struct gateway_shard *gs = original->gateway_shard;
	struct exchange_shadow *shadow = malloc(sizeof(*shadow));
	struct exchange *e = shadow ? make(original, shadow) : NULL;

	if (!e) {
		free(shadow);
		metric_add(&gs->metrics.shadows_left_out, 1);
		return;
	}
	gs->shadow_count++;
	shadow->model = model;
	if (copy_request(e, original, answer))
		timer_arm(&gs->shard->timers, &shadow->timer, exchange_now_ns(e));
	else
		exchange_shadow_done(e);
}

void exchange_shadow_draw(struct exchange *e)
{
	const struct model_settings *model;
	struct slice answer;

	if (!is_asked_for(e) || !(model = better_model(e)))
		return;
	if (e->gateway_shard->shadow_count >= SHADOWS_AT_ONCE || e->gateway_shard->draining ||
		e->request->body.size > SHADOW_REQUEST_BYTES_MAX) {
		metric_add(&metrics_of(e)->shadows_left_out, 1);
		return;
	}
	answer = text_of_answer(e);
	if (answer.size)
		start(e, model, answer);
}
