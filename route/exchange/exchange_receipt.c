/* What an exchange came to: usage and cost, the receipt, and the same told to the client in headers and summaries. */
#include "route/exchange/exchange_content.h"
#include "route/exchange/exchange_session.h"

#include "proto/chat/estimate.h"
#include "route/tenancy/client_address.h"
#include "route/gateway/service.h"

#include "core/clock.h"

#include <assert.h>
#include <errno.h>

enum { REFUSALS_PER_SECOND = 10, ESTIMATE_BYTES_PER_TOKEN = 4 };

static uint64_t estimate(uint64_t bytes)
{
	return (bytes + ESTIMATE_BYTES_PER_TOKEN - 1) / ESTIMATE_BYTES_PER_TOKEN;
}

static int64_t nusd_sum(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static struct cost cost_sum(const struct cost *a, const struct cost *b)
{
	return (struct cost){.provider_nusd = nusd_sum(a->provider_nusd, b->provider_nusd),
		.fee_nusd = nusd_sum(a->fee_nusd, b->fee_nusd),
		.total_nusd = nusd_sum(a->total_nusd, b->total_nusd)};
}

static struct usage usage_sum(const struct usage *a, const struct usage *b)
{
	struct usage sum = *a;

	sum.prompt_tokens += b->prompt_tokens;
	sum.completion_tokens += b->completion_tokens;
	sum.cached_tokens += b->cached_tokens;
	sum.cache_write_tokens += b->cache_write_tokens;
	sum.reasoning_tokens += b->reasoning_tokens;
	sum.estimated |= b->estimated;
	return sum;
}

struct usage exchange_usage(const struct exchange *e)
{
	return usage_sum(&e->attempt->usage, &e->usage_besides);
}

void exchange_settle_besides(struct exchange *e)
{
	exchange_settle_usage(e);
	e->cost_besides = e->cost;
	e->usage_besides = exchange_usage(e);
}

/* Of the tokens as many as were reserved of the allowance are free, and so is their part of the price. */
static void draw_allowance(struct exchange *e)
{
	uint64_t tokens = e->attempt->usage.prompt_tokens + e->attempt->usage.completion_tokens, free_tokens;

	e->receipt.free_tokens = 0;
	if (!exchange_allowance(e) || tokens == 0)
		return;
	free_tokens = e->limit.ask.allowance_tokens < tokens ? e->limit.ask.allowance_tokens : tokens;
	e->receipt.free_tokens = free_tokens;
	e->cost.total_nusd = allowance_rest_nusd(e->cost.total_nusd, tokens, free_tokens);
	e->cost.provider_nusd = allowance_rest_nusd(e->cost.provider_nusd, tokens, free_tokens);
	e->cost.fee_nusd = e->cost.total_nusd - e->cost.provider_nusd;
}

void exchange_settle_usage(struct exchange *e)
{
	uint32_t fee_ppm = e->workspace ? e->workspace->platform_fee_ppm : 0;

	if (exchange_is_media(e)) {
		exchange_settle_media(e);
	} else if (!e->attempt->usage_known) {
		e->attempt->usage = (struct usage){.estimated = true};
		if (e->request && !e->prompt_estimate)
			e->prompt_estimate = estimate_request(e->request->body);
		e->attempt->usage.prompt_tokens = e->prompt_estimate;
		e->attempt->usage.completion_tokens = estimate(e->attempt->output_bytes);
	}
	/* A provider that counts nothing for what it sent is not believed. */
	if (e->attempt->output_bytes && !e->attempt->usage.completion_tokens) {
		e->attempt->usage.completion_tokens = estimate(e->attempt->output_bytes);
		e->attempt->usage.estimated = true;
	}
	e->cost = price_cost(&e->attempt->candidate->model->price, &e->attempt->usage, fee_ppm);
	draw_allowance(e);
	e->cost = cost_sum(&e->cost, &e->cost_besides);
}

static struct slice optional(const char *string)
{
	return slice_of_string(string && string[0] ? string : NULL);
}

static void note_attempt(struct exchange *e, unsigned status, struct slice error, enum receipt_verdict verdict)
{
	struct receipt *receipt = &e->receipt;
	const struct exchange_candidate *candidate = e->attempt->candidate;

	if (receipt->attempt_count >= RECEIPT_ATTEMPTS_MAX)
		return;
	receipt->attempts[receipt->attempt_count++] = (struct receipt_attempt){
		.provider = slice_of_string(candidate->provider->name),
		.model = slice_of_string(candidate->model->id),
		.credential = candidate->credential ? optional(candidate->credential->name) : slice_of(NULL, 0),
		.error = error,
		.status = (uint16_t)status,
		.latency_ns = exchange_now_ns(e) - e->attempt->call_started_ns,
	};
	if (receipt->candidate_count < RECEIPT_CANDIDATES_MAX)
		receipt->candidates[receipt->candidate_count++] =
			(struct receipt_candidate){slice_of_string(candidate->model->id), verdict};
}

void exchange_note_attempt(struct exchange *e, unsigned status, struct slice error)
{
	note_attempt(e, status, error, VERDICT_FAILED);
}

void exchange_note_outrun(struct exchange *e)
{
	note_attempt(e, 0, SLICE("outrun"), VERDICT_SLOWER);
}

static void add_tag(struct receipt_tag tags[RECEIPT_TAGS_MAX], unsigned *count, struct slice name, struct slice value)
{
	if (name.size && *count < RECEIPT_TAGS_MAX)
		tags[(*count)++] = (struct receipt_tag){name, value};
}

/* Splits at the first `separator`: what stands before it, *rest behind it. */
static struct slice cut(struct slice s, char separator, struct slice *rest)
{
	const char *at = s.size ? memchr(s.data, separator, s.size) : NULL;

	if (!at) {
		*rest = slice_of(NULL, 0);
		return s;
	}
	*rest = slice_after(s, (size_t)(at - s.data) + 1);
	return slice_of(s.data, (size_t)(at - s.data));
}

static struct slice trim(struct slice s)
{
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_after(s, 1);
	while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

/* The key's own tags first: a request adds to them. "k=v,k2=v2". */
unsigned exchange_tags(const struct exchange *e, struct receipt_tag tags[RECEIPT_TAGS_MAX])
{
	struct slice rest = slice_of(NULL, 0), pair, name, value;
	unsigned count = 0;

	if (e->request) /* else its client left while something else was awaited */
		rest = http_header(&e->request->head, SLICE("x-gateway-tags"));

	if (e->shadow)
		add_tag(tags, &count, SLICE("shadow"), SLICE("true"));
	for (unsigned i = 0; i < e->key->tag_count; i++)
		add_tag(tags, &count, slice_of_string(e->key->tags[i].name), slice_of_string(e->key->tags[i].value));
	while (rest.size) {
		pair = cut(rest, ',', &rest);
		name = trim(cut(pair, '=', &value));
		value = trim(value);
		add_tag(tags, &count, name, value.data ? value : SLICE(""));
	}
	return count;
}

static void fill_execution(struct exchange *e, struct receipt *receipt)
{
	bool served = e->status == 200;

	if (!e->attempt->candidate)
		return;
	receipt->provider = slice_of_string(e->attempt->candidate->provider->name);
	receipt->model = slice_of_string(e->attempt->candidate->model->id);
	receipt->credential = e->attempt->candidate->credential ? optional(e->attempt->candidate->credential->name)
								: slice_of(NULL, 0);
	if (!served)
		return;
	receipt->winner = receipt->model;
	if (receipt->candidate_count < RECEIPT_CANDIDATES_MAX)
		receipt->candidates[receipt->candidate_count++] =
			(struct receipt_candidate){receipt->model, VERDICT_CHOSEN};
}

/* What the baseline's model would have cost more for the same tokens; less than nothing when it would have been
 * cheaper. */
static int64_t savings_nusd(const struct exchange *e)
{
	const char *name = e->config->config->settings->routing.baseline_model;
	const struct model_settings *baseline;
	uint32_t fee_ppm = e->workspace ? e->workspace->platform_fee_ppm : 0;

	if (!name || !e->attempt->candidate || exchange_is_media(e) || e->status != 200 ||
		!e->attempt->candidate->model->price.known)
		return 0;
	baseline = catalog_find(e->config->config->catalog, slice_of_string(name));
	if (!baseline || !baseline->price.known)
		return 0;
	return price_cost(&baseline->price, &e->attempt->usage, fee_ppm).total_nusd - e->cost.total_nusd;
}

/* As people name it: a call of an endpoint goes the way of a chat. */
static enum receipt_api told_api(const struct exchange *e)
{
	return e->route && e->route->api == API_ENDPOINT ? API_ENDPOINT : e->api;
}

static void fill(struct exchange *e)
{
	struct receipt *receipt = &e->receipt;
	struct usage usage = exchange_usage(e);

	receipt->request_id = e->id;
	receipt->wall_ns = e->received_wall_ns;
	receipt->node = e->gateway_shard->gateway->node;
	receipt->region = optional(e->config->config->settings->region);
	receipt->workspace = slice_of_string(e->key->workspace);
	receipt->team = optional(e->key->team);
	receipt->key_id = slice_of_string(e->key->id);
	receipt->api = told_api(e);
	receipt->endpoint = e->endpoint ? e->endpoint->name : slice_of(NULL, 0);
	receipt->stream = e->stream;
	receipt->status = (uint16_t)e->status;
	receipt->finish_reason = slice_of(
		e->attempt->finish_reason_size ? e->attempt->finish_reason : NULL, e->attempt->finish_reason_size);
	receipt->requested_model = e->model_name;
	receipt->latency_ns = exchange_now_ns(e) - e->received_ns;
	receipt->ttft_ns = e->first_content_ns ? e->first_content_ns - e->received_ns : 0;
	receipt->overhead_ns = e->overhead_ns;
	receipt->prompt_tokens = usage.prompt_tokens;
	receipt->completion_tokens = usage.completion_tokens;
	receipt->cached_tokens = usage.cached_tokens;
	receipt->reasoning_tokens = usage.reasoning_tokens;
	receipt->tokens_estimated = usage.estimated;
	receipt->provider_cost_nusd = e->cost.provider_nusd;
	receipt->platform_fee_nusd = e->cost.fee_nusd;
	receipt->savings_nusd = savings_nusd(e);
	receipt->cache_status = SLICE("bypass");
	receipt->client_gone = e->gone && !e->shadow;
	receipt->hosted = e->attempt->candidate && e->attempt->candidate->model->hosted;
	receipt->client_certificate = e->client_certificate;
	fill_execution(e, receipt);
	if (e->attempt->candidate)
		exchange_tell_route(e);
	exchange_tell_decision(e);
	e->receipt.tag_count = exchange_tags(e, e->receipt.tags);
}

static void ticket_done(struct store_ticket *ticket, int result)
{
	struct exchange *e = container_of(ticket, struct exchange, ticket);
	void (*settled)(struct exchange * exchange, int settled_result) = e->settled;

	if (settled)
		settled(e, result);
	exchange_unhold(e, HOLD_TICKET);
}

int exchange_append_receipt(struct exchange *e, void (*settled)(struct exchange *exchange, int result))
{
	struct gateway_shard *gs = e->gateway_shard;
	int result;

	assert(!e->receipt_done);
	e->receipt_done = true;
	exchange_call_done(e);
	fill(e);
	content_keep(e);
	e->ticket.shard = gs->shard;
	e->ticket.done = ticket_done;
	e->settled = settled;
	e->holds |= HOLD_TICKET;
	result = store_append(gs->gateway->store, gs->shard, &e->receipt, &e->ticket);
	/* Then: a death in between leaves the receipt and the reservation, rather than neither. */
	exchange_limit_settle(e);
	if (result == 0)
		return 0;
	if (settled)
		settled(e, result < 0 ? result : 0);
	exchange_unhold(e, HOLD_TICKET);
	return result < 0 ? result : 0;
}

/* Ten a second of one key and kind, shared evenly by the shards; slots that collide share their count. */
static bool refusal_counts(struct exchange *e)
{
	struct gateway_shard *gs = e->gateway_shard;
	uint32_t most = (REFUSALS_PER_SECOND + gs->gateway->shard_count - 1) /
			(gs->gateway->shard_count ? gs->gateway->shard_count : 1);
	uint32_t second = (uint32_t)(exchange_now_ns(e) / NS_PER_S);
	uint64_t place = (uint64_t)(e->key - e->config->config->settings->keys);
	uint64_t hash = place * 0x9e3779b97f4a7c15ull + e->status * 0x517cc1b727220a95ull;
	struct refusal_slot *slot = &gs->refusals[(hash >> 48) % REFUSAL_SLOTS];

	if (slot->second != second || slot->key != e->key || slot->kind != e->status)
		*slot = (struct refusal_slot){.key = e->key, .kind = e->status, .second = second};
	return slot->count++ < most;
}

void exchange_receipt_quietly(struct exchange *e)
{
	bool called = e->attempt->candidate != NULL;

	if (e->receipt_done)
		return;
	if (!called && (!refusal_counts(e) || !store_writable(e->gateway_shard->gateway->store))) {
		metric_add(&e->gateway_shard->metrics.receipts_skipped, 1);
		e->receipt_done = true;
		return;
	}
	exchange_append_receipt(e, NULL);
}

static void add_line(struct text *headers, struct slice name, struct slice value)
{
	text_add(headers, name);
	text_add(headers, value);
	text_literal(headers, "\r\n");
}

/* A score goes with a bucket. */
static void print_route(struct exchange *e, struct text *headers)
{
	struct slice bucket = exchange_bucket(e);

	add_line(headers, SLICE("X-Gateway-Route-Bucket: "), bucket);
	if (slice_equal(bucket, SLICE("direct")))
		return;
	text_literal(headers, "X-Gateway-Route-Score: ");
	text_milli(headers, e->route_choice.score.permille);
	text_literal(headers, "\r\n");
}

void exchange_print_headers(struct exchange *e, struct text *headers, bool with_cost)
{
	add_line(headers, SLICE("x-request-id: "), slice_of(e->id_text, sizeof(e->id_text)));
	exchange_limit_print(e, headers);
	if (e->dialect->id_header.data)
		add_line(headers, e->dialect->id_header, slice_of(e->id_text, sizeof(e->id_text)));
	if (!e->attempt->candidate)
		return;
	if (e->attempt->dropped.size)
		add_line(headers, SLICE("X-Gateway-Dropped: "), e->attempt->dropped);
	add_line(headers, SLICE("X-Gateway-Decision: "), slice_of_string(e->attempt->candidate->model->id));
	print_route(e, headers);
	session_print_header(e, headers);
	text_literal(headers, "X-Gateway-Cache: bypass\r\nX-Gateway-Retries: ");
	/* Every attempt that failed was followed by another, but for the last one of a call that failed as a whole. */
	text_u64(headers, e->receipt.attempt_count - (e->status != 200 && e->receipt.attempt_count ? 1 : 0));
	text_literal(headers, "\r\nX-Gateway-Overhead-Us: ");
	text_u64(headers, e->overhead_ns / NS_PER_US);
	text_literal(headers, "\r\n");
	if (!with_cost)
		return;
	text_literal(headers, "X-Gateway-Cost-Usd: ");
	text_usd(headers, e->cost.total_nusd);
	text_literal(headers, "\r\nx-llm-gateway: ");
	exchange_print_summary(e, headers, false);
	text_literal(headers, "\r\n");
}

static void add_usage(struct exchange *e, struct text *json)
{
	struct usage usage = exchange_usage(e);

	text_literal(json, ",\"usage\":{\"prompt_tokens\":");
	text_u64(json, usage.prompt_tokens);
	text_literal(json, ",\"completion_tokens\":");
	text_u64(json, usage.completion_tokens);
	text_literal(json, ",\"total_tokens\":");
	text_u64(json, usage.prompt_tokens + usage.completion_tokens);
	text_literal(json, ",\"cached_tokens\":");
	text_u64(json, usage.cached_tokens);
	text_literal(json, ",\"reasoning_tokens\":");
	text_u64(json, usage.reasoning_tokens);
	if (usage.estimated)
		text_literal(json, ",\"estimated\":true}");
	else
		text_literal(json, ",\"estimated\":false}");
}

void exchange_print_summary(struct exchange *e, struct text *json, bool with_usage)
{
	text_literal(json, "{\"request_id\":\"");
	text_add(json, slice_of(e->id_text, sizeof(e->id_text)));
	text_literal(json, "\",\"routing_decision\":\"");
	text_add(json, exchange_strategy(e));
	text_literal(json, "\",\"cost_usd\":");
	text_usd(json, e->cost.total_nusd);
	text_literal(json, ",\"latency_ms\":");
	text_milli(json, (exchange_now_ns(e) - e->received_ns) / NS_PER_US);
	if (e->receipt.attempt_count)
		text_literal(json, ",\"fallback_used\":true");
	else
		text_literal(json, ",\"fallback_used\":false");
	if (with_usage) {
		text_literal(json, ",\"model\":");
		text_add(json, e->attempt->model_json);
		add_usage(e, json);
	}
	text_literal(json, "}");
}

void exchange_count_usage(struct exchange *e)
{
	struct gateway_metrics *m = &e->gateway_shard->metrics;
	struct usage usage = exchange_usage(e);

	metric_add(&m->tokens[TOKENS_PROMPT], usage.prompt_tokens);
	metric_add(&m->tokens[TOKENS_COMPLETION], usage.completion_tokens);
	metric_add(&m->tokens[TOKENS_CACHED], usage.cached_tokens);
	metric_add(&m->tokens[TOKENS_REASONING], usage.reasoning_tokens);
	metric_add(&m->cost_nusd, (uint64_t)e->cost.total_nusd);
}

static void count(struct exchange *e)
{
	struct gateway_metrics *m = &e->gateway_shard->metrics;
	unsigned class = e->status == 499 ? 0 : e->status / 100 % STATUS_CLASSES;
	uint64_t now_ns = exchange_now_ns(e);

	if (!e->is_api) {
		metric_add(&m->pages[class], 1);
		return;
	}
	metric_add(&m->requests[told_api(e)][class], 1);
	histogram_record(&m->latency_ns, now_ns - e->received_ns);
	if (!e->attempt->candidate)
		return;
	histogram_record(&m->overhead_ns, e->overhead_ns);
	if (e->first_content_ns)
		histogram_record(&m->first_token_ns, e->first_content_ns - e->received_ns);
	if (e->receipt.attempt_count > 1 || (e->status == 200 && e->receipt.attempt_count))
		metric_add(&m->retries, 1);
	exchange_count_usage(e);
}

void exchange_account(struct exchange *e)
{
	struct gateway_shard *gs = e->gateway_shard;
	char client_text[CLIENT_ADDRESS_TEXT_BYTES];
	struct text client = text_over(client_text, sizeof(client_text));
	struct log_field fields[11];
	unsigned n = 0;

	count(e);
	if (!gs->log || !e->config->config->settings->log_access)
		return;
	fields[n++] = LOG_TEXT("request_id", slice_of(e->id_text, sizeof(e->id_text)));
	client_address_print(e->client, &client);
	fields[n++] = LOG_TEXT("client", text_slice(&client));
	if (e->client_certificate.data)
		fields[n++] = LOG_TEXT("client_certificate", e->client_certificate);
	fields[n++] = LOG_TEXT("method", e->request->head.method_name);
	fields[n++] = LOG_TEXT("path", e->request->head.path);
	fields[n++] = LOG_INT("status", e->status);
	fields[n++] = LOG_INT("latency_us", (exchange_now_ns(e) - e->received_ns) / NS_PER_US);
	if (e->key)
		fields[n++] = LOG_TEXT("key_id", slice_of_string(e->key->id));
	if (e->attempt->candidate) {
		fields[n++] = LOG_TEXT("model", slice_of_string(e->attempt->candidate->model->id));
		fields[n++] = LOG_TEXT("provider", slice_of_string(e->attempt->candidate->provider->name));
		fields[n++] = LOG_INT("cost_nusd", e->cost.total_nusd);
	}
	log_say(gs->log, LOG_INFO, "request", fields, n);
}
