/* What the gateway answers itself: health, metrics, models, receipts, and the admin's views. */
#ifndef ROUTE_PAGES_H
#define ROUTE_PAGES_H

#include "route/exchange/exchange.h"

void page_healthz(struct exchange *exchange);
void page_readyz(struct exchange *exchange);
void page_metrics(struct exchange *exchange);
void page_models(struct exchange *exchange);
void page_model(struct exchange *exchange);
void page_response(struct exchange *exchange); /* responses_pages.c */
void page_response_remove(struct exchange *exchange);
void page_receipt(struct exchange *exchange);

void admin_status(struct exchange *exchange);
void admin_receipts(struct exchange *exchange);
void admin_receipt(struct exchange *exchange);
void admin_receipt_explain(struct exchange *exchange);
void admin_content(struct exchange *exchange); /* pages_content.c */
void page_balance(struct exchange *exchange);
void admin_balance(struct exchange *exchange);
void admin_transactions(struct exchange *exchange);
void admin_deposit(struct exchange *exchange);
void admin_refund(struct exchange *exchange);
void admin_explain(struct exchange *exchange);
void admin_shadow(struct exchange *exchange);
void admin_spend(struct exchange *exchange);
void admin_deployments(struct exchange *exchange);
void admin_deployment_disable(struct exchange *exchange);
void admin_deployment_enable(struct exchange *exchange);
void admin_deployment_reset(struct exchange *exchange);
void admin_routing(struct exchange *exchange);
void admin_connection_test(struct exchange *exchange);
void admin_tenancy(struct exchange *exchange); /* as its route says */
/* A change of a workspace; `id` and `body` are in the arena, or as long. */
void admin_workspace_update(struct exchange *exchange, struct slice id, struct slice body);
void admin_alerts(struct exchange *exchange);
void admin_alerts_change(struct exchange *exchange);

/*
 * Answers 200 with JSON that is the exchange's, once what was changed is in the audit log; also when it could not be
 * stored there, since the change is made. What the note points to is the exchange's or static.
 */
struct tenancy_note;
void admin_note(struct exchange *exchange, const struct tenancy_note *note, struct slice answer);

/* A deployment over all shards: counts are sums, the rest is the worst of them. Any thread of the gateway. */
struct deployment_figures {
	bool disabled;
	enum breaker_state breaker;
	uint64_t in_flight, attempts, failures, openings, cooling_until_ns, rejected_until_ns, ewma_ns[BALANCE_KINDS];
};
void deployment_sum(
	const struct gateway *gateway, const struct fleet_deployment *deployment, struct deployment_figures *figures);
void deployment_metrics_print(const struct exchange *exchange, struct text *text);

/* Answers with text that is the exchange's or static; `type` is a media type. */
void page_answer(struct exchange *exchange, unsigned status, struct slice type, struct slice body);

/* Renders with `print` into ever larger memory until it fits, and answers; 503 when it never does. */
typedef void page_print(const struct exchange *exchange, struct text *text);
void page_answer_printed(struct exchange *exchange, unsigned status, struct slice type, page_print *print);

/* Percent escapes resolved, in the arena. */
struct slice page_unescape(struct exchange *exchange, struct slice escaped);

/* Cuts off what stands before the separator, or all; as a query's `&` and `=` want it. */
struct slice page_cut(struct slice *rest, char separator);

/* Takes the next NAME=VALUE off a query, the value unescaped; false at its end. */
bool page_next_parameter(struct exchange *exchange, struct slice *rest, struct slice *name, struct slice *value);

/* A decimal number; Unix seconds, or 2026-01-31T12:00:00Z (a fraction is allowed and dropped), or 2026-01-31. */
bool page_parse_u64(struct slice text, uint64_t *number);
bool page_parse_time(struct slice text, uint64_t *wall_ns);

/* Asks the store's reader; `query` is the exchange's, filled in but for letter and shard. The answer ends the exchange.
 */
void page_ask_store(struct exchange *exchange);
/*
 * The same, but done() has the answer: it ends the exchange where page_store_refused() says that it did not, ends the
 * query (store_query_fini), and takes HOLD_QUERY off.
 */
void page_ask_store_then(struct exchange *exchange, void (*done)(struct store_query *query));
void page_ask_receipt(/* whose id is the route's argument; NULL data: of any workspace */
	struct exchange *exchange, struct slice workspace, void (*done)(struct store_query *query));
bool page_store_refused(struct exchange *exchange);

#endif
