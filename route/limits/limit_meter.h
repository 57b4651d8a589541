/*
 * The meters of one scope (a key, a team, a workspace under its plan), and the decision over all scopes of a request at
 * once: it is admitted by all of them or leaves no trace in any. Pure; one shard, the scope's owner, is the only one
 * that touches them.
 */
#ifndef ROUTE_LIMIT_METER_H
#define ROUTE_LIMIT_METER_H

#include "route/money/allowance.h"
#include "route/money/budget.h"
#include "route/limits/limit_window.h"

enum limit_kind { LIMIT_RPM, LIMIT_RPH, LIMIT_RPD, LIMIT_TPM, LIMIT_CONCURRENCY, LIMIT_KINDS };
enum limit_place {
	LIMIT_KEY,
	LIMIT_TEAM,
	LIMIT_WORKSPACE,
	LIMIT_PLAN,
	LIMIT_ENDPOINT,
	LIMIT_TAG, /* which has a budget alone */
	LIMIT_ADDRESS,
	LIMIT_CREDENTIAL, /* at a provider */
	LIMIT_PLACES
};

const char *limit_kind_name(enum limit_kind kind);
const char *limit_place_name(enum limit_place place); /* as a message names it */

struct limit_meter {
	struct limit_window minute, hour, tokens;
	struct limit_day day;
	struct limit_pace minute_pace, hour_pace, tokens_pace;
	uint64_t in_flight;
};

/* A scope as one configuration has it: the limits are the configuration's, what was used outlives it. */
struct limit_scope {
	struct limit_meter *meter;
	struct limit_settings limits; /* at least one is set */
	enum limit_place place;
};

struct limit_time {
	uint64_t now_ns, wall_ns;
};

/* What one candidate costs at most, and whether the workspace's balance pays it. */
struct limit_price {
	int64_t nusd;
	bool hosted;
	const struct allowance *allowance; /* of so many tokens what is left is free; NULL: nothing */
	uint64_t tokens;
};

struct limit_ask {
	uint64_t tokens; /* reserved for this request */
	uint32_t lease;  /* how many requests like it the asker would like to admit by itself */
	int64_t nusd;    /* what it costs at most; the first price, then the one that was chosen */
	uint32_t day;    /* since 1970, UTC: whose budgets it is held against */
	bool hosted;     /* and against the workspace's balance; likewise */
	/* Of its candidates, in the order of trying: the first that fits is reserved. 0: nothing costs anything. */
	unsigned price_count;
	const struct limit_price *prices;  /* good until the answer is there */
	const struct allowance *allowance; /* of the one that was chosen, */
	uint64_t allowance_tokens;         /* and what of it was reserved */
};

/* What is left of the tightest limit of a sort, after the request. */
struct limit_view {
	uint64_t limit; /* 0: there is none */
	uint64_t remaining;
	uint64_t reset_ns; /* monotonic: when all of it is free */
};

struct limit_answer {
	bool admitted;
	enum limit_kind kind;   /* refused: by which limit, */
	enum limit_place place; /* whose, */
	uint64_t limit;         /* of how much, */
	uint64_t fits_ns;       /* until when; LIMIT_NEVER_NS: it is more than the limit */
	struct limit_view requests, tokens;
	/* When that was decided: where it was debited, if it was, for giving back. */
	uint64_t debited_ns, day;
	/* What was debited besides and is the asker's until lease_until_ns. */
	uint32_t lease_requests;
	uint64_t lease_tokens, lease_until_ns;
	int64_t lease_nusd;
	unsigned chosen;  /* of the ask's prices */
	bool over_budget; /* refused by a budget, and this one; the fields above say nothing then */
	struct budget_refusal budget;
};

void limit_meter_init(struct limit_meter *meter);

/*
 * Decides and debits. A lease is a small part of what is left, so that what lies unused elsewhere refuses nobody for
 * long: of the least that is left a 4 * shards-th, and at most LIMIT_LEASE_REQUESTS_MAX. Scopes that pace or bound
 * concurrency lend nothing.
 */
enum { LIMIT_LEASE_REQUESTS_MAX = 64 };
void limit_decide(const struct limit_scope *scopes, unsigned count, unsigned shards, const struct limit_time *time,
	const struct limit_ask *ask, struct limit_answer *answer);

/* What came of something that was admitted: given back where it was debited, debited on top now, released. */
struct limit_return {
	uint64_t debited_ns, day;
	uint64_t requests, tokens;         /* unused */
	uint64_t excess_tokens;            /* used beyond what was reserved */
	bool ended;                        /* one request in flight less */
	int64_t reserved_nusd;             /* not reserved any more */
	int64_t used_nusd;                 /* spent, whatever had been reserved */
	uint32_t budget_day;               /* ask.day */
	bool hosted;                       /* ask.hosted */
	int64_t balance_used_nusd;         /* of used_nusd, what the balance pays */
	const struct allowance *allowance; /* ask.allowance, and what of it was reserved and used */
	uint64_t free_reserved_tokens, free_used_tokens;
};

void limit_give_back(const struct limit_scope *scopes, unsigned count, const struct limit_time *time,
	const struct limit_return *back);

/* Whether limits of this sort are set in any of them. */
bool limit_counts_tokens(const struct limit_scope *scopes, unsigned count);
bool limit_counts_concurrency(const struct limit_scope *scopes, unsigned count);

#endif
