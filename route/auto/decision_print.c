/* A receipt's decision as JSON: see decision.h. */
#include "route/auto/decision.h"

#include "core/clock.h"

static const char *const reasons[] = {
	[VERDICT_CHOSEN] = "it served the request",
	[VERDICT_FAILED] = "it was tried and failed",
	[VERDICT_DEARER] = "it fits, and would have been tried next: another one costs less",
	[VERDICT_SLOWER] = "its first token takes longer",
	[VERDICT_BELOW_QUALITY] = "its quality is lower",
	[VERDICT_BREAKER_OPEN] = "it failed too often just before: its breaker is open",
	[VERDICT_COOLING] = "its provider told this credential to wait",
	[VERDICT_LIMITED] = "its provider's or its credential's limit has no room",
	[VERDICT_OVER_BUDGET] = "a budget has no room for what it may cost",
	[VERDICT_PRICE_UNKNOWN] = "it has no price, and the request is held to a budget",
	[VERDICT_DISABLED] = "an operator took it out of use",
	[VERDICT_EXCLUDED] = "the request's hints or the routing exclude its provider",
	[VERDICT_NOT_ALLOWED] = "the key or the routing does not allow it",
	[VERDICT_NO_CAPABILITY] = "it cannot do what the request asks for",
	[VERDICT_TOO_SMALL_CONTEXT] = "its context does not hold the prompt and the answer",
	[VERDICT_NO_CREDENTIAL] = "its provider did not accept the credential",
	[VERDICT_RESIDENCY] = "its provider is not in the workspace's region",
};

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == VERDICT_COUNT, "each verdict has a reason");

static void add_text(struct text *t, struct slice name, struct slice value)
{
	text_add(t, name);
	text_json_or_null(t, value);
}

static void add_bool(struct text *t, struct slice name, bool value)
{
	text_add(t, name);
	text_string(t, value ? "true" : "false");
}

static void add_milli(struct text *t, struct slice name, bool known, uint64_t value)
{
	text_add(t, name);
	if (known)
		text_milli(t, value);
	else
		text_literal(t, "null");
}

static void add_number(struct text *t, struct slice name, bool known, uint64_t value)
{
	text_add(t, name);
	if (known)
		text_u64(t, value);
	else
		text_literal(t, "null");
}

static void print_figures(const struct receipt_figures *f, struct text *t)
{
	add_number(t, SLICE(",\"place\":"), f->place, f->place);
	add_milli(t, SLICE(",\"quality\":"), true, f->quality_milli);
	text_literal(t, ",\"cost_usd\":");
	if (f->priced)
		text_usd(t, f->cost_nusd);
	else
		text_literal(t, "null");
	add_milli(t, SLICE(",\"latency_ms\":"), f->latency_ns, f->latency_ns / NS_PER_US);
	add_number(t, SLICE(",\"context_window\":"), f->context_tokens, f->context_tokens);
}

static void print_candidates(const struct receipt *r, struct text *t)
{
	text_literal(t, ",\"candidates\":[");
	for (unsigned i = 0; i < r->candidate_count; i++) {
		if (i)
			text_char(t, ',');
		add_text(t, SLICE("{\"model\":"), r->candidates[i].model);
		add_text(t, SLICE(",\"verdict\":"), receipt_verdict_name(r->candidates[i].verdict));
		add_text(t, SLICE(",\"why\":"), slice_of_string(reasons[r->candidates[i].verdict]));
		if (r->decision.made && r->figures[i].known)
			print_figures(&r->figures[i], t);
		text_char(t, '}');
	}
	text_char(t, ']');
}

static void print_request(const struct receipt *r, struct text *t)
{
	static const struct slice priorities[] = {{"cost", 4}, {"latency", 7}, {"quality", 7}};
	const struct receipt_decision *d = &r->decision;
	bool ranked = d->made && d->automatic;

	add_number(t, SLICE(",\"rule\":"), d->made && d->rule, d->rule);
	add_text(t, SLICE(",\"priority\":"), ranked ? priorities[d->priority] : slice_of(NULL, 0));
	add_text(t, SLICE(",\"bucket\":"), r->bucket);
	add_milli(t, SLICE(",\"score\":"), r->has_score, r->score_milli);
	add_bool(t, SLICE(",\"unsure\":"), ranked && d->unsure);
	add_text(t, SLICE(",\"reason\":"), r->reason);
	add_milli(t, SLICE(",\"quality_needed\":"), ranked, d->quality_milli);
	add_bool(t, SLICE(",\"quality_asked\":"), ranked && d->quality_asked);
	add_number(t, SLICE(",\"max_latency_ms\":"), ranked && d->latency_ns, d->latency_ns / NS_PER_MS);
	add_number(t, SLICE(",\"tokens\":"), ranked, d->tokens);
}

static void print_replay(const struct receipt *r, struct text *t)
{
	struct decision_replay replay;

	if (!decision_replay(r, &replay)) {
		text_literal(t, ",\"replay\":null");
		return;
	}
	text_literal(t, ",\"replay\":{\"order\":[");
	for (unsigned i = 0; i < replay.count; i++) {
		if (i)
			text_char(t, ',');
		text_json(t, r->candidates[replay.order[i]].model);
	}
	add_bool(t, SLICE("],\"agrees\":"), replay.agrees);
	text_char(t, '}');
}

void decision_print(const struct receipt *r, struct text *t)
{
	char id[ULID_TEXT_BYTES];

	ulid_print(&r->request_id, id);
	text_literal(t, "{\"request_id\":\"req_");
	text_add(t, slice_of(id, sizeof(id)));
	text_literal(t, "\",\"timestamp\":\"");
	text_rfc3339(t, r->wall_ns);
	add_text(t, SLICE("\",\"requested_model\":"), r->requested_model);
	add_text(t, SLICE(",\"winner\":"), r->winner);
	add_text(t, SLICE(",\"strategy\":"), r->strategy);
	print_request(r, t);
	print_candidates(r, t);
	print_replay(r, t);
	text_char(t, '}');
}
