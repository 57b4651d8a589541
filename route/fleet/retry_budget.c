/* Requests and retries by the second: see retry_budget.h. */
#include "route/fleet/retry_budget.h"

#define SECOND_NS UINT64_C(1000000000)

static struct retry_second *second_of(struct retry_budget *budget, uint64_t now_ns)
{
	uint64_t second = now_ns / SECOND_NS;
	struct retry_second *slot = &budget->seconds[second % RETRY_BUDGET_SECONDS];

	if (slot->second != second)
		*slot = (struct retry_second){.second = second};
	return slot;
}

void retry_budget_request(struct retry_budget *budget, uint64_t now_ns)
{
	second_of(budget, now_ns)->requests++;
}

bool retry_budget_take(struct retry_budget *budget, uint32_t percent, uint64_t now_ns)
{
	struct retry_second *slot = second_of(budget, now_ns);
	uint64_t requests = 0, retries = 0, most;

	for (unsigned i = 0; i < RETRY_BUDGET_SECONDS; i++) {
		if (budget->seconds[i].second + RETRY_BUDGET_SECONDS <= slot->second)
			continue;
		requests += budget->seconds[i].requests;
		retries += budget->seconds[i].retries;
	}
	most = requests * percent / 100;
	if (retries >= (most > RETRY_BUDGET_FLOOR ? most : RETRY_BUDGET_FLOOR))
		return false;
	slot->retries++;
	return true;
}
