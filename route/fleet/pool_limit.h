/*
 * How many calls one's own server (a provider with `gpu`) is given at once: as many as it serves without making them
 * wait, at most its max_concurrency. What is beyond goes to the next candidate instead of into that server's queue.
 *
 * A gradient: while answers take at most half as long again as they usually do, the limit grows towards the bound; when
 * they take longer it shrinks. What is usual follows shorter times quickly and longer ones over minutes, so that a
 * queue is not taken for the server's own speed. Pure: stepped once a second with what that second saw.
 */
#ifndef ROUTE_POOL_LIMIT_H
#define ROUTE_POOL_LIMIT_H

#include "route/fleet/balance.h"

struct pool_limit { /* zeroed: nothing seen yet */
	uint64_t usual_ns[BALANCE_KINDS];
	uint64_t calls_milli; /* the limit; 0: the bound */
};

/* What a second saw: answers by kind, and the sum of their times to the first token (or whole, of unary ones). */
struct pool_seen {
	uint64_t took_ns[BALANCE_KINDS];
	uint32_t count[BALANCE_KINDS];
};

/* The limit from now on, 1 to `most` (at least 1). `in_flight`: calls in hand; a limit that is not used does not grow.
 */
uint32_t pool_limit_step(struct pool_limit *limit, const struct pool_seen *seen, uint32_t in_flight, uint32_t most);

#endif
