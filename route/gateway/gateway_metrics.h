/* Counters of one shard for the exchange and its pages, and their sum over the shards as Prometheus text. */
#ifndef ROUTE_GATEWAY_METRICS_H
#define ROUTE_GATEWAY_METRICS_H

#include "core/metrics.h"
#include "core/text.h"
#include "route/limits/limit_meter.h"
#include "store/receipt.h"
#include "tls/worker.h"

struct gateway;

enum { STATUS_CLASSES = 6, UPSTREAM_FAILURES_MAX = 24 };

enum token_kind { TOKENS_PROMPT, TOKENS_COMPLETION, TOKENS_CACHED, TOKENS_REASONING, TOKEN_KINDS };

struct gateway_metrics {
	metric requests[API_COUNT][STATUS_CLASSES]; /* class: first digit of the status; 0: the client left */
	metric pages[STATUS_CLASSES];               /* GETs, and refusals before an API was known */
	metric attempts, retries, retries_refused, hedges, hedges_won, streams_continued;
	metric failures[UPSTREAM_FAILURES_MAX]; /* by enum attempt_failure */
	metric tokens[TOKEN_KINDS];
	metric cost_nusd;
	metric streams, stream_events;
	metric limit_refusals[LIMIT_KINDS];
	metric budget_refusals[BUDGET_WINDOWS];
	metric balance_refusals;
	metric budget_overruns;     /* calls that cost more than was reserved for them */
	metric limit_letters;       /* to the shard that owns a limit */
	metric limit_leased;        /* requests admitted without one, by a shard that does not own their limits */
	metric credentials_limited; /* candidates left aside since their credential's own limit was reached */
	metric addresses_shared;    /* decisions on addresses that found no place of their own */
	metric lockouts, lockout_refusals;
	/* Simple requests that a better model was asked as well: see route/exchange/exchange_shadow.h. */
	metric shadows_compared, shadows_agreed, shadow_agreement_permille, shadows_failed, shadows_left_out;
	metric content_lost;     /* prompts and answers that should have been kept */
	metric receipts_skipped; /* refusals beyond the bound, which leave no receipt */
	metric in_flight;
	/* What the server, the client and the ring count, copied once a second because only their thread may read them.
	 */
	metric accepted, connections, bad_requests, refused_connections, bytes_in, bytes_out;
	metric upstream_connects, upstream_reused, upstream_retried, upstream_connections;
	metric ring_enters, ring_completions, ring_starved;
	metric tls_full[TLS_SIDE_COUNT], tls_resumed[TLS_SIDE_COUNT], tls_failed[TLS_SIDE_COUNT][TLS_CAUSE_COUNT];
	metric tls_delayed;
	struct histogram latency_ns, overhead_ns, first_token_ns;
};

/* Over all shards, of the metric at `offset` in their struct gateway_metrics. */
uint64_t gateway_sum(const struct gateway *gateway, size_t offset);

/* Appends; `text` may come out full: try with more. */
void gateway_metrics_print(const struct gateway *gateway, struct text *text);

#endif
