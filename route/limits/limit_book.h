/* What the book of limits keeps for a key on one shard: of route/limits/limits.c and route/limits/limit_book.c alone. */
#ifndef ROUTE_LIMIT_BOOK_H
#define ROUTE_LIMIT_BOOK_H

#include "route/limits/limits.h"

struct limit_debtor { /* touched by its shard alone; no two share a cache line */
	_Alignas(64) struct limit_lease lease;
	uint64_t learned_output; /* 0: nothing was learnt yet */
	struct list link;        /* of the shard's leases */
	/* The letter that gives a lease's rest back, and the lease's limits: its configuration may be gone by then. */
	struct letter letter;
	bool returning;
	struct limit_return back;
	struct gateway_shard *gateway_shard;
	const struct limit_subject *subject; /* to compare only */
	unsigned owner, scope_count, budget_count;
	struct limit_scope scopes[LIMIT_PLACES];
	struct budget_scope budgets[BUDGET_PLACES];
};

#endif
