/* The shards' counters, added up and written as Prometheus text. */
#include "route/gateway/gateway_metrics.h"

#include "core/kconfig.h"
#include "route/exchange/exchange.h"
#include "route/gateway/gateway_tls.h"

#include <stddef.h>

/* Upper bounds of the buckets shown, in microseconds; the histograms themselves are finer. */
static const uint64_t bounds_us[] = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 120000000, 300000000, 600000000};

static const char *const class_names[STATUS_CLASSES] = {"gone", "1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const token_names[TOKEN_KINDS] = {"prompt", "completion", "cached", "reasoning"};

uint64_t gateway_sum(const struct gateway *gateway, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (gs)
			total += metric_get((const metric *)(const void *)((const char *)&gs->metrics + offset));
	}
	return total;
}

static void head(struct text *text, const char *name, const char *type, const char *help)
{
	text_literal(text, "# HELP ");
	text_string(text, name);
	text_char(text, ' ');
	text_string(text, help);
	text_literal(text, "\n# TYPE ");
	text_string(text, name);
	text_char(text, ' ');
	text_string(text, type);
	text_char(text, '\n');
}

static void sample(struct text *text, const char *name, uint64_t value)
{
	text_string(text, name);
	text_char(text, ' ');
	text_u64(text, value);
	text_char(text, '\n');
}

static void labelled(struct text *text, const char *name, const char *label, const char *value, uint64_t number)
{
	text_string(text, name);
	text_char(text, '{');
	text_string(text, label);
	text_literal(text, "=\"");
	text_string(text, value);
	text_literal(text, "\"} ");
	text_u64(text, number);
	text_char(text, '\n');
}

static void print_requests(const struct gateway *gateway, struct text *text)
{
	head(text, "tollgate_requests_total", "counter", "Calls by API and class of status.");
	for (unsigned api = 0; api < API_COUNT; api++) {
		for (unsigned class = 0; class < STATUS_CLASSES; class ++) {
			uint64_t value = gateway_sum(gateway, offsetof(struct gateway_metrics, requests) +
								      (api * STATUS_CLASSES + class) * sizeof(metric));

			if (!value)
				continue;
			text_literal(text, "tollgate_requests_total{api=\"");
			text_add(text, receipt_api_name(api));
			text_literal(text, "\",class=\"");
			text_string(text, class_names[class]);
			text_literal(text, "\"} ");
			text_u64(text, value);
			text_char(text, '\n');
		}
	}
	head(text, "tollgate_pages_total", "counter", "Other requests and early refusals by class of status.");
	for (unsigned class = 0; class < STATUS_CLASSES; class ++)
		labelled(text, "tollgate_pages_total", "class", class_names[class],
			gateway_sum(gateway, offsetof(struct gateway_metrics, pages) + class * sizeof(metric)));
}

static void print_upstream(const struct gateway *gateway, struct text *text)
{
	head(text, "tollgate_upstream_failures_total", "counter", "Attempts that failed, by what failed.");
	for (unsigned i = 0; i < ATTEMPT_FAILURES; i++)
		labelled(text, "tollgate_upstream_failures_total", "kind", attempt_failure_name(i),
			gateway_sum(gateway, offsetof(struct gateway_metrics, failures) + i * sizeof(metric)));
	head(text, "tollgate_tokens_total", "counter", "Tokens used, by kind.");
	for (unsigned i = 0; i < TOKEN_KINDS; i++)
		labelled(text, "tollgate_tokens_total", "kind", token_names[i],
			gateway_sum(gateway, offsetof(struct gateway_metrics, tokens) + i * sizeof(metric)));
	head(text, "tollgate_cost_usd_total", "counter", "What the calls cost, fee included.");
	text_literal(text, "tollgate_cost_usd_total ");
	text_usd(text, (int64_t)gateway_sum(gateway, offsetof(struct gateway_metrics, cost_nusd)));
	text_char(text, '\n');
}

static void print_limits(const struct gateway *gateway, struct text *text)
{
	head(text, "tollgate_limit_refusals_total", "counter",
		"Calls refused with 429, by the limit that was reached.");
	for (unsigned i = 0; i < LIMIT_KINDS; i++)
		labelled(text, "tollgate_limit_refusals_total", "kind", limit_kind_name(i),
			gateway_sum(gateway, offsetof(struct gateway_metrics, limit_refusals) + i * sizeof(metric)));
	head(text, "tollgate_budget_refusals_total", "counter",
		"Calls refused with 402, by the budget that had no room.");
	for (unsigned i = 0; i < BUDGET_WINDOWS; i++)
		labelled(text, "tollgate_budget_refusals_total", "window", budget_window_name(i),
			gateway_sum(gateway, offsetof(struct gateway_metrics, budget_refusals) + i * sizeof(metric)));
}

/* What calls had reserved when a process died: no receipt says what became of it. */
static void print_unaccounted(const struct gateway *gateway, struct text *text)
{
	static const char *const scopes[BUDGET_BALANCE] = {"key", "team", "workspace"};

	head(text, "tollgate_budget_unaccounted_usd", "gauge",
		"Held back in this month's budgets for calls that were under way when the gateway died.");
	for (enum budget_place place = 0; place < BUDGET_BALANCE; place++) {
		text_literal(text, "tollgate_budget_unaccounted_usd{scope=\"");
		text_string(text, scopes[place]);
		text_literal(text, "\"} ");
		text_usd(text, limit_book_lost_nusd(gateway->limits, place));
		text_char(text, '\n');
	}
}

static void print_plain(const struct gateway *gateway, struct text *text)
{
	static const struct {
		const char *name, *type, *help;
		size_t offset;
	} rows[] = {
#define ROW(n, t, h, f) {"tollgate_" n, t, h, offsetof(struct gateway_metrics, f)}
		ROW("upstream_attempts_total", "counter", "Calls made to providers.", attempts),
		ROW("retries_total", "counter", "Calls that needed more than one attempt.", retries),
		ROW("balance_refusals_total", "counter", "Calls refused with 402 for want of a workspace's balance.",
			balance_refusals),
		ROW("budget_overruns_total", "counter", "Calls that cost more than was reserved for them.",
			budget_overruns),
		ROW("retries_refused_total", "counter", "Calls that were not tried again for want of retry budget.",
			retries_refused),
		ROW("hedges_total", "counter", "Second attempts beside a first one that took long.", hedges),
		ROW("hedges_won_total", "counter", "Those of them that were faster.", hedges_won),
		ROW("streams_continued_total", "counter", "Attempts to go on with a stream that broke.",
			streams_continued),
		ROW("streams_total", "counter", "Calls answered as streams.", streams),
		ROW("stream_events_total", "counter", "Events forwarded.", stream_events),
		ROW("limit_letters_total", "counter", "Letters to other shards about limits.", limit_letters),
		ROW("limit_leased_total", "counter", "Calls admitted from a lease, without a letter.", limit_leased),
		ROW("credentials_limited_total", "counter",
			"Candidates left aside because their credential's own limit is reached.", credentials_limited),
		ROW("addresses_shared_total", "counter",
			"Calls of addresses that are counted together since the table of addresses is full.",
			addresses_shared),
		ROW("lockouts_total", "counter", "Addresses and unknown keys that were locked out.", lockouts),
		ROW("lockout_refusals_total", "counter", "Calls refused because their address or key is locked out.",
			lockout_refusals),
		ROW("shadows_compared_total", "counter", "Answers compared with a better model's.", shadows_compared),
		ROW("shadows_agreed_total", "counter", "Those that agree by 0.8 or more.", shadows_agreed),
		ROW("shadow_agreement_permille_total", "counter", "The sum of their agreements, in thousandths.",
			shadow_agreement_permille),
		ROW("shadows_failed_total", "counter", "Better models' answers that did not come.", shadows_failed),
		ROW("shadows_left_out_total", "counter", "Comparisons that found no room.", shadows_left_out),
		ROW("content_lost_total", "counter",
			"Prompts and answers that a workspace keeps, and that found no room.", content_lost),
		ROW("receipts_skipped_total", "counter", "Refusals beyond the bound, which left no receipt.",
			receipts_skipped),
		ROW("requests_in_flight", "gauge", "Requests that have begun and not ended.", in_flight),
		ROW("connections_accepted_total", "counter", "Client connections accepted.", accepted),
		ROW("connections", "gauge", "Client connections open.", connections),
		ROW("bad_requests_total", "counter", "Messages that were not valid HTTP.", bad_requests),
		ROW("connections_refused_total", "counter", "Client connections refused at a bound.",
			refused_connections),
		ROW("received_bytes_total", "counter", "Bytes received from clients.", bytes_in),
		ROW("sent_bytes_total", "counter", "Bytes sent to clients.", bytes_out),
		ROW("upstream_connects_total", "counter", "Connections opened to providers.", upstream_connects),
		ROW("upstream_reused_total", "counter", "Calls on a pooled connection.", upstream_reused),
		ROW("upstream_resent_total", "counter", "Calls sent again because a pooled connection was closed.",
			upstream_retried),
		ROW("upstream_connections", "gauge", "Connections open to providers.", upstream_connections),
		ROW("ring_enters_total", "counter", "System calls of the shards' rings.", ring_enters),
		ROW("ring_completions_total", "counter", "Completions of the shards' rings.", ring_completions),
		ROW("ring_starved_total", "counter", "Turns in which receives waited because all buffers were in use.",
			ring_starved),
#undef ROW
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		head(text, rows[i].name, rows[i].type, rows[i].help);
		sample(text, rows[i].name, gateway_sum(gateway, rows[i].offset));
	}
}

/* Nanoseconds as decimal seconds. */
static void add_seconds(struct text *text, uint64_t ns)
{
	text_usd(text, (int64_t)ns);
}

static void print_histogram(
	const struct gateway *gateway, struct text *text, const char *name, const char *help, size_t offset)
{
	uint64_t below = 0;
	unsigned bucket = 0;

	head(text, name, "histogram", help);
	for (unsigned b = 0; b < sizeof(bounds_us) / sizeof(bounds_us[0]); b++) {
		/* A bucket of ours belongs to the first bound that its own upper end does not pass. */
		while (bucket + 1 < HISTOGRAM_BUCKETS && histogram_bucket_floor(bucket + 1) <= bounds_us[b] * 1000)
			below += gateway_sum(
				gateway, offset + offsetof(struct histogram, buckets) + bucket++ * sizeof(metric));
		text_string(text, name);
		text_literal(text, "_bucket{le=\"");
		add_seconds(text, bounds_us[b] * 1000);
		text_literal(text, "\"} ");
		text_u64(text, below);
		text_char(text, '\n');
	}
	text_string(text, name);
	text_literal(text, "_bucket{le=\"+Inf\"} ");
	text_u64(text, gateway_sum(gateway, offset + offsetof(struct histogram, count)));
	text_char(text, '\n');
	text_string(text, name);
	text_literal(text, "_sum ");
	add_seconds(text, gateway_sum(gateway, offset + offsetof(struct histogram, sum)));
	text_char(text, '\n');
	text_string(text, name);
	text_literal(text, "_count ");
	text_u64(text, gateway_sum(gateway, offset + offsetof(struct histogram, count)));
	text_char(text, '\n');
}

static void print_store(const struct gateway *gateway, struct text *text)
{
	struct store_counts counts = store_counts(gateway->store);

	head(text, "tollgate_store_receipts_total", "counter", "Receipts committed.");
	sample(text, "tollgate_store_receipts_total", counts.receipts);
	head(text, "tollgate_store_receipts_expired_total", "counter",
		"Receipts blanked since the start, their retention over.");
	sample(text, "tollgate_store_receipts_expired_total", counts.expired);
	head(text, "tollgate_store_groups_total", "counter", "Groups committed.");
	sample(text, "tollgate_store_groups_total", counts.groups);
	head(text, "tollgate_store_failed_commits_total", "counter", "Commits that failed.");
	sample(text, "tollgate_store_failed_commits_total", counts.failed_commits);
	head(text, "tollgate_store_journal_bytes", "gauge", "Receipts appended and not yet committed, in bytes.");
	sample(text, "tollgate_store_journal_bytes", counts.journal_used_bytes);
	head(text, "tollgate_sealed_rows", "gauge",
		"Rows of what is kept sealed, about; what ends has a second one for its end.");
	sample(text, "tollgate_sealed_rows", counts.sealed_rows);
	head(text, "tollgate_sealed_bytes", "gauge", "What these take, about.");
	sample(text, "tollgate_sealed_bytes", counts.sealed_bytes);
	head(text, "tollgate_sealed_expired_total", "counter", "Sealed rows whose time was over, since the start.");
	sample(text, "tollgate_sealed_expired_total", counts.sealed_expired);
	head(text, "tollgate_store_writable", "gauge", "1 when receipts can be stored.");
	sample(text, "tollgate_store_writable", store_writable(gateway->store));
}

void gateway_metrics_print(const struct gateway *gateway, struct text *text)
{
	_Static_assert((int)ATTEMPT_FAILURES <= (int)UPSTREAM_FAILURES_MAX, "a counter for each failure");

	print_requests(gateway, text);
	print_upstream(gateway, text);
	print_limits(gateway, text);
	print_unaccounted(gateway, text);
	print_plain(gateway, text);
	print_histogram(gateway, text, "tollgate_request_duration_seconds",
		"From a call's head to the end of its answer.", offsetof(struct gateway_metrics, latency_ns));
	print_histogram(gateway, text, "tollgate_overhead_seconds", "Time of a call that the gateway itself took.",
		offsetof(struct gateway_metrics, overhead_ns));
	print_histogram(gateway, text, "tollgate_first_token_seconds", "From a stream's head to its first content.",
		offsetof(struct gateway_metrics, first_token_ns));
	print_store(gateway, text);
	if (CONFIG(TLS))
		gateway_tls_print(gateway, text);
	if (gateway->log) {
		head(text, "tollgate_log_records_dropped_total", "counter",
			"Log records lost: too many at once, or not writable.");
		sample(text, "tollgate_log_records_dropped_total", log_dropped(gateway->log));
	}
}
