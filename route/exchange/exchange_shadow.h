/*
 * Shadows: of the simple requests that `auto` gave to a small model, a share is also sent to the best of those that
 * would have served it, once the client has its answer; what both say is compared (route/auto/agreement.h). So an
 * operator learns from their own traffic what the small model's answers are worth.
 *
 * A shadow is an exchange of its own that no client waits for: it is held to the same key's limits and budgets, and has
 * a receipt, of strategy "shadow" and with the tag shadow=true, so that what it costs is told apart and is never more
 * than there is. So many at once on a shard; what comes beyond is left out and counted.
 */
#ifndef ROUTE_EXCHANGE_SHADOW_H
#define ROUTE_EXCHANGE_SHADOW_H

#include "route/exchange/exchange.h"

enum { SHADOWS_AT_ONCE = 8, SHADOW_REQUEST_BYTES_MAX = 256 * 1024 };

/* The answer is about to go to the client. */
void exchange_shadow_draw(struct exchange *exchange);

/* Of a shadow: it has its answer, or was refused one. Its exchange ends soon, not now. */
void exchange_shadow_done(struct exchange *exchange);

#endif
