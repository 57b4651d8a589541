/*
 * How many calls may be tried again after a failure: a share of the requests of the last ten seconds, and a few where
 * that is less, so that a gateway with little to do is not left without any. When everything fails, providers get that
 * share more than what clients send. One a shard; pure.
 */
#ifndef ROUTE_RETRY_BUDGET_H
#define ROUTE_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { RETRY_BUDGET_SECONDS = 10, RETRY_BUDGET_FLOOR = 10 /* in as many seconds */ };

struct retry_budget { /* zeroed: nothing happened yet */
	struct retry_second {
		uint64_t second;
		uint32_t requests, retries;
	} seconds[RETRY_BUDGET_SECONDS];
};

void retry_budget_request(struct retry_budget *budget, uint64_t now_ns);

/* False: no more now. True: one was taken. */
bool retry_budget_take(struct retry_budget *budget, uint32_t percent, uint64_t now_ns);

#endif
