/* What the gateway answers itself: health, metrics, models, receipts, and the admin's views. */
#ifndef ROUTE_PAGES_H
#define ROUTE_PAGES_H

#include "route/exchange.h"

void page_healthz(struct exchange *exchange);
void page_readyz(struct exchange *exchange);
void page_metrics(struct exchange *exchange);
void page_models(struct exchange *exchange);
void page_model(struct exchange *exchange);
void page_receipt(struct exchange *exchange);

void admin_status(struct exchange *exchange);
void admin_receipts(struct exchange *exchange);
void admin_receipt(struct exchange *exchange);

/* Answers with text that is the exchange's or static; `type` is a media type. */
void page_answer(struct exchange *exchange, unsigned status, struct slice type, struct slice body);

/* Renders with `print` into ever larger memory until it fits, and answers; 503 when it never does. */
typedef void page_print(const struct exchange *exchange, struct text *text);
void page_answer_printed(struct exchange *exchange, unsigned status, struct slice type, page_print *print);

/* Percent escapes resolved, in the arena. */
struct slice page_unescape(struct exchange *exchange, struct slice escaped);

/* Asks the store's reader; `query` is the exchange's, filled in but for letter and shard. The answer ends the exchange.
 */
void page_ask_store(struct exchange *exchange);

#endif
