/*
 * A lease as its borrower has it: requests (their tokens, and their money) of one key that this shard may admit by
 * itself for a moment, because the key's owner shard has debited them already. So a busy key asks its owner for one
 * request in many; a key that is not busy asks for each. Pure; belongs to one shard.
 */
#ifndef ROUTE_LIMIT_LEASE_H
#define ROUTE_LIMIT_LEASE_H

#include "route/limits/limit_meter.h"

struct limit_lease {       /* zero-initialised */
	uint32_t requests; /* left; 0: there is none */
	uint64_t tokens;
	int64_t nusd;
	uint32_t budget_day; /* in whose accounts that is reserved */
	uint64_t until_ns, debited_ns, day;
	struct limit_view requests_view, tokens_view;
	bool asked;      /* one is on its way */
	uint64_t period; /* of the borrower's own rate: so many requests in this one and the one before */
	uint32_t period_count, period_before;
};

/* Below this many requests a lease's time, asking for each costs less than what lies unused. */
enum { LIMIT_LEASE_WORTH = 4 };

/* Counts a request, and says for how many more to ask: 0 when it is not worth it, or a lease is on its way or has not
 * ended. */
uint32_t limit_lease_wish(struct limit_lease *lease, uint64_t now_ns);

/* Admits from the lease, if it has enough: then `answer` is as the owner's would be. */
bool limit_lease_take(
	struct limit_lease *lease, uint64_t now_ns, const struct limit_ask *ask, struct limit_answer *answer);

/* What the owner's answer to `ask` brought; there is no other lease. */
void limit_lease_receive(struct limit_lease *lease, const struct limit_ask *ask, const struct limit_answer *answer);

/* Whether it still holds anything. */
static inline bool limit_lease_holds(const struct limit_lease *lease)
{
	return lease->requests || lease->tokens || lease->nusd;
}

/* The lease's end: what is left of it is to be given back. False: nothing is. */
bool limit_lease_end(struct limit_lease *lease, struct limit_return *back);

#endif
