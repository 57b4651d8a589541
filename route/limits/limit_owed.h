/*
 * What came of requests that were admitted from leases, gathered for their owner: a busy key tells it of many at once.
 * Until then all of it counts as reserved, which refuses more and never less. Pure; belongs to one shard.
 */
#ifndef ROUTE_LIMIT_OWED_H
#define ROUTE_LIMIT_OWED_H

#include "route/limits/limit_meter.h"

/* What is unused goes back to the second in which it was debited; so many of them at once. */
enum { LIMIT_OWED_SECONDS = 4 };

struct limit_owed {     /* zero-initialised: nothing */
	unsigned count; /* of requests */
	unsigned seconds;
	uint32_t budget_day;
	struct limit_owed_second {
		uint64_t debited_ns, day, tokens;
	} unused[LIMIT_OWED_SECONDS];
	uint64_t excess_tokens;
	int64_t reserved_nusd, used_nusd;
};

/* False, and nothing is changed: it does not go with the others. Neither what a balance pays, nor an end that frees a
 * place, nor what was undone is gathered: these are told at once. */
bool limit_owed_add(struct limit_owed *owed, const struct limit_return *back);

/* What the owner is to be told, in how many parts; at least one, of which the first has the money. */
unsigned limit_owed_parts(const struct limit_owed *owed, struct limit_return parts[static LIMIT_OWED_SECONDS]);

#endif
