/* What is told of budgets: see alert.h. */
#include "route/money/alert.h"

#include "core/clock.h"
#include "route/gateway/gateway_shard.h"

struct report {
	const struct alert_subject *subject;
	const struct budget_scope *scope;
	enum budget_window window;
	uint32_t day;
	const struct budget_account *account;
	bool full;
};

static const char *scope_name(enum budget_place place)
{
	static const char *const names[BUDGET_PLACES] = {"key", "team", "workspace", "endpoint", "tag", "balance"};

	return names[place];
}

static const char *scope_id(const struct report *r)
{
	return r->scope->place == BUDGET_KEY        ? r->subject->key_id
	       : r->scope->place == BUDGET_TEAM     ? r->subject->team
	       : r->scope->place == BUDGET_ENDPOINT ? r->subject->endpoint
	       : r->scope->place == BUDGET_TAG      ? r->scope->name
						    : r->subject->workspace->id;
}

static void print_day(struct text *json, uint32_t day)
{
	char memory[64];
	struct text time = text_over(memory, sizeof(memory));

	text_rfc3339(&time, day * UINT64_C(86400) * NS_PER_S);
	text_json(json, slice_of(memory, sizeof("2026-01-01") - 1));
}

static void print_body(const struct gateway_shard *gs, const struct report *r, struct text *json)
{
	int64_t limit_nusd = r->scope->limits_nusd[r->window];
	struct ulid id = ulid_make(&gs->shard->rand, shard_wall_ns(gs->shard));
	char id_text[ULID_TEXT_BYTES];

	ulid_print(&id, id_text);
	text_literal(json, "{\"id\":\"alert_");
	text_add(json, slice_of(id_text, sizeof(id_text)));
	text_string(json, r->full ? "\",\"type\":\"budget.exceeded\"" : "\",\"type\":\"budget.threshold\"");
	text_literal(json, ",\"created_at\":\"");
	text_rfc3339(json, shard_wall_ns(gs->shard));
	text_literal(json, "\",\"node\":");
	text_json(json, gs->gateway->node);
	text_literal(json, ",\"workspace\":");
	text_json(json, slice_of_string(r->subject->workspace->id));
	text_literal(json, ",\"scope\":\"");
	text_string(json, scope_name(r->scope->place));
	text_literal(json, "\",\"scope_id\":");
	text_json_or_null(json, slice_of_string(scope_id(r)));
	text_literal(json, ",\"window\":\"");
	text_string(json, budget_window_name(r->window));
	text_literal(json, "\",\"window_begins\":");
	print_day(json, budget_first_day(r->window, r->day));
	text_literal(json, ",\"threshold_percent\":");
	text_u64(json, r->full ? 100 : r->subject->workspace->alert_threshold_percent);
	text_literal(json, ",\"budget_usd\":");
	text_usd(json, limit_nusd);
	text_literal(json, ",\"spent_usd\":");
	text_usd(json, r->account->used_nusd);
	text_literal(json, ",\"reserved_usd\":");
	text_usd(json, r->account->reserved_nusd);
	text_literal(json, ",\"unaccounted_usd\":");
	text_usd(json, r->account->lost_nusd);
	text_literal(json, "}");
}

static void deliver(struct webhook_shard *own, const struct report *report)
{
	const struct workspace_settings *workspace = report->subject->workspace;
	char memory[WEBHOOK_BODY_BYTES];
	struct text body = text_over(memory, sizeof(memory));

	if (!workspace->alert_webhook_url)
		return;
	print_body(own->gateway_shard, report, &body);
	if (!body.full)
		webhook_send(own, workspace, workspace->alert_webhook_url, text_slice(&body), NULL, NULL);
}

/* ---- what was reached ---- */

static void tell(struct webhook_shard *own, const struct report *report)
{
	struct log_field fields[] = {LOG_TEXT("workspace", slice_of_string(report->subject->workspace->id)),
		LOG_TEXT("scope", slice_of_string(scope_name(report->scope->place))),
		LOG_TEXT("id", slice_of_string(scope_id(report))),
		LOG_TEXT("window", slice_of_string(budget_window_name(report->window))),
		LOG_INT("budget_nusd", report->scope->limits_nusd[report->window]),
		LOG_INT("spent_nusd", report->account->used_nusd)};

	if (own->gateway_shard->log)
		log_say(own->gateway_shard->log, LOG_WARN,
			report->full ? "a budget has no room for a call" : "a budget comes near its end", fields,
			sizeof(fields) / sizeof(fields[0]));
	deliver(own, report);
}

void alert_budget(struct webhook_shard *own, const struct alert_subject *subject, const struct budget_scope *scope,
	uint32_t day, const struct budget_refusal *refusal)
{
	for (enum budget_window window = 0; !scope->balance && window < BUDGET_WINDOWS; window++) {
		bool refused = refusal && refusal->meter == scope->meter && refusal->window == window;
		const struct budget_account *account;
		unsigned reached = budget_reached(
			scope, window, day, subject->workspace->alert_threshold_percent, refused, &account);
		struct report report = {subject, scope, window, day, account, false};

		if (reached & BUDGET_NEAR)
			tell(own, &report);
		report.full = true;
		if (reached & BUDGET_FULL)
			tell(own, &report);
	}
}
