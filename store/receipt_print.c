/* A receipt as JSON, field by field in the order in which it is documented. */
#include "store/receipt.h"

#include <assert.h>

#define NAME(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

static const struct slice api_names[] = {
	[API_CHAT_COMPLETIONS] = NAME("chat.completions"),
	[API_COMPLETIONS] = NAME("completions"),
	[API_EMBEDDINGS] = NAME("embeddings"),
	[API_MODERATIONS] = NAME("moderations"),
	[API_RESPONSES] = NAME("responses"),
	[API_MESSAGES] = NAME("messages"),
	[API_IMAGES] = NAME("images.generations"),
	[API_TRANSCRIPTIONS] = NAME("audio.transcriptions"),
	[API_SPEECH] = NAME("audio.speech"),
	[API_COUNT_TOKENS] = NAME("messages.count_tokens"),
	[API_ENDPOINT] = NAME("endpoint"),
};

static const struct slice verdict_names[] = {
	[VERDICT_CHOSEN] = NAME("chosen"),
	[VERDICT_FAILED] = NAME("failed"),
	[VERDICT_DEARER] = NAME("dearer"),
	[VERDICT_SLOWER] = NAME("slower"),
	[VERDICT_BELOW_QUALITY] = NAME("below_quality"),
	[VERDICT_BREAKER_OPEN] = NAME("breaker_open"),
	[VERDICT_COOLING] = NAME("cooling"),
	[VERDICT_LIMITED] = NAME("limited"),
	[VERDICT_OVER_BUDGET] = NAME("over_budget"),
	[VERDICT_PRICE_UNKNOWN] = NAME("price_unknown"),
	[VERDICT_DISABLED] = NAME("disabled"),
	[VERDICT_EXCLUDED] = NAME("excluded"),
	[VERDICT_NOT_ALLOWED] = NAME("not_allowed"),
	[VERDICT_NO_CAPABILITY] = NAME("no_capability"),
	[VERDICT_TOO_SMALL_CONTEXT] = NAME("too_small_context"),
	[VERDICT_NO_CREDENTIAL] = NAME("no_credential"),
	[VERDICT_RESIDENCY] = NAME("residency"),
};

static_assert(sizeof(api_names) / sizeof(*api_names) == API_COUNT, "each api has a name");
static_assert(sizeof(verdict_names) / sizeof(*verdict_names) == VERDICT_COUNT, "each verdict has a name");

struct slice receipt_api_name(enum receipt_api api)
{
	assert(api < API_COUNT);
	return api_names[api];
}

struct slice receipt_verdict_name(enum receipt_verdict verdict)
{
	assert(verdict < VERDICT_COUNT);
	return verdict_names[verdict];
}

/* `name` is the key with everything before its value: `,"team":`. */
#define FIELD(json, name, value) (text_literal((json), name), text_json_or_null((json), (value)))

static void print_bool(struct text *json, bool value)
{
	text_add(json, value ? SLICE("true") : SLICE("false"));
}

static void print_head(const struct receipt *r, struct text *json)
{
	char id[ULID_TEXT_BYTES];

	ulid_print(&r->request_id, id);
	text_literal(json, "{\"request_id\":\"req_");
	text_add(json, slice_of(id, sizeof(id)));
	text_literal(json, "\",\"timestamp\":\"");
	text_rfc3339(json, r->wall_ns);
	text_literal(json, "\"");
	FIELD(json, ",\"node\":", r->node);
	FIELD(json, ",\"region\":", r->region);
	FIELD(json, ",\"workspace\":", r->workspace);
	FIELD(json, ",\"team\":", r->team);
	FIELD(json, ",\"key_id\":", r->key_id);
	FIELD(json, ",\"endpoint\":", r->endpoint);
	if (r->client_certificate.data)
		FIELD(json, ",\"client_certificate\":", r->client_certificate);
	text_literal(json, ",\"tags\":{");
	for (unsigned i = 0; i < r->tag_count; i++) {
		if (i)
			text_char(json, ',');
		text_json(json, r->tags[i].name);
		text_char(json, ':');
		text_json_or_null(json, r->tags[i].value);
	}
	FIELD(json, "},\"api\":", receipt_api_name(r->api));
	text_literal(json, ",\"stream\":");
	print_bool(json, r->stream);
	text_literal(json, ",\"status\":");
	text_u64(json, r->status);
	FIELD(json, ",\"finish_reason\":", r->finish_reason);
}

static void print_routing(const struct receipt *r, struct text *json)
{
	FIELD(json, ",\"routing\":{\"strategy\":", r->strategy);
	FIELD(json, ",\"requested_model\":", r->requested_model);
	text_literal(json, ",\"candidates_evaluated\":");
	text_u64(json, r->candidate_count);
	FIELD(json, ",\"winner\":", r->winner);
	FIELD(json, ",\"reason\":", r->reason);
	FIELD(json, ",\"bucket\":", r->bucket);
	text_literal(json, ",\"score\":");
	if (r->has_score)
		text_milli(json, r->score_milli);
	else
		text_literal(json, "null");
	text_literal(json, ",\"candidates\":[");
	for (unsigned i = 0; i < r->candidate_count; i++) {
		if (i)
			text_char(json, ',');
		FIELD(json, "{\"model\":", r->candidates[i].model);
		FIELD(json, ",\"verdict\":", receipt_verdict_name(r->candidates[i].verdict));
		text_char(json, '}');
	}
	text_literal(json, "]}");
}

static void print_execution(const struct receipt *r, struct text *json)
{
	FIELD(json, ",\"execution\":{\"provider\":", r->provider);
	FIELD(json, ",\"model\":", r->model);
	FIELD(json, ",\"credential\":", r->credential);
	text_literal(json, ",\"latency_ms\":");
	text_u64(json, r->latency_ns / 1000000);
	text_literal(json, ",\"ttft_ms\":");
	if (r->ttft_ns)
		text_u64(json, r->ttft_ns / 1000000);
	else
		text_literal(json, "null");
	text_literal(json, ",\"routing_overhead_ms\":");
	text_milli(json, r->overhead_ns / 1000);
	text_literal(json, ",\"tokens\":{\"prompt\":");
	text_u64(json, r->prompt_tokens);
	text_literal(json, ",\"completion\":");
	text_u64(json, r->completion_tokens);
	text_literal(json, ",\"total\":");
	text_u64(json, r->prompt_tokens + r->completion_tokens);
	text_literal(json, ",\"cached\":");
	text_u64(json, r->cached_tokens);
	text_literal(json, ",\"reasoning\":");
	text_u64(json, r->reasoning_tokens);
	text_literal(json, ",\"estimated\":");
	print_bool(json, r->tokens_estimated);
	text_literal(json, "}}");
}

static void print_cost(const struct receipt *r, struct text *json)
{
	text_literal(json, ",\"cost\":{\"provider_cost_usd\":");
	text_usd(json, r->provider_cost_nusd);
	text_literal(json, ",\"platform_fee_usd\":");
	text_usd(json, r->platform_fee_nusd);
	text_literal(json, ",\"total_usd\":");
	text_usd(json, receipt_total_nusd(r));
	text_literal(json, ",\"savings_vs_default_usd\":");
	text_usd(json, r->savings_nusd);
	text_literal(json, ",\"free_allowance_used_tokens\":");
	text_u64(json, r->free_tokens);
	FIELD(json, "},\"cache\":{\"status\":", r->cache_status);
	text_literal(json, ",\"similarity\":null},\"guardrails\":{\"redactions\":{}}");
}

static bool failed(const struct receipt_attempt *attempt)
{
	return attempt->error.data || attempt->status < 200 || attempt->status >= 400;
}

bool receipt_fallback_used(const struct receipt *r)
{
	return r->attempt_count > 0 && failed(&r->attempts[0]) && (r->attempt_count > 1 || r->status < 400);
}

static void print_fallback(const struct receipt *r, struct text *json)
{
	text_literal(json, ",\"fallback\":{\"used\":");
	print_bool(json, receipt_fallback_used(r));
	text_literal(json, ",\"attempts\":[");
	for (unsigned i = 0; i < r->attempt_count; i++) {
		const struct receipt_attempt *attempt = &r->attempts[i];

		if (i)
			text_char(json, ',');
		FIELD(json, "{\"provider\":", attempt->provider);
		FIELD(json, ",\"model\":", attempt->model);
		FIELD(json, ",\"credential\":", attempt->credential);
		text_literal(json, ",\"status\":");
		if (attempt->status)
			text_u64(json, attempt->status);
		else
			text_literal(json, "null");
		FIELD(json, ",\"error\":", attempt->error);
		text_literal(json, ",\"latency_ms\":");
		text_u64(json, attempt->latency_ns / 1000000);
		text_char(json, '}');
	}
	text_literal(json, "]}");
}

void receipt_print(const struct receipt *receipt, struct text *json)
{
	print_head(receipt, json);
	print_routing(receipt, json);
	print_execution(receipt, json);
	print_cost(receipt, json);
	print_fallback(receipt, json);
	text_char(json, '}');
}
