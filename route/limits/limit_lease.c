/* The borrower's side of a lease: see limit_lease.h. */
#include "route/limits/limit_lease.h"

#include <assert.h>

/* The borrower's own rate: all its requests, those of a lease as well. */
static void count(struct limit_lease *lease, uint64_t now_ns)
{
	uint64_t period = now_ns / LIMIT_LEASE_NS;

	if (period != lease->period) {
		lease->period_before = period == lease->period + 1 ? lease->period_count : 0;
		lease->period_count = 0;
		lease->period = period;
	}
	lease->period_count++;
}

uint32_t limit_lease_wish(struct limit_lease *lease, uint64_t now_ns)
{
	uint32_t rate;

	count(lease, now_ns);
	rate = lease->period_before > lease->period_count ? lease->period_before : lease->period_count;
	if (rate < LIMIT_LEASE_WORTH || lease->asked || limit_lease_holds(lease))
		return 0;
	return rate < LIMIT_LEASE_REQUESTS_MAX ? rate : LIMIT_LEASE_REQUESTS_MAX;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return b < a ? a - b : 0;
}

static bool has_enough(const struct limit_lease *lease, const struct limit_ask *ask)
{
	return lease->requests && (!lease->tokens_view.limit || lease->tokens >= ask->tokens) &&
	       (ask->nusd == 0 || (lease->budget_day == ask->day && lease->nusd >= ask->nusd));
}

bool limit_lease_take(
	struct limit_lease *lease, uint64_t now_ns, const struct limit_ask *ask, struct limit_answer *answer)
{
	if (now_ns >= lease->until_ns || !has_enough(lease, ask))
		return false;
	count(lease, now_ns);
	lease->requests--;
	lease->nusd -= ask->nusd;
	lease->requests_view.remaining = less(lease->requests_view.remaining, 1);
	if (lease->tokens_view.limit) {
		lease->tokens -= ask->tokens;
		lease->tokens_view.remaining = less(lease->tokens_view.remaining, ask->tokens);
	}
	*answer = (struct limit_answer){.admitted = true,
		.fits_ns = now_ns,
		.requests = lease->requests_view,
		.tokens = lease->tokens_view,
		.debited_ns = lease->debited_ns,
		.day = lease->day};
	return true;
}

void limit_lease_receive(struct limit_lease *lease, const struct limit_ask *ask, const struct limit_answer *answer)
{
	lease->asked = false;
	if (!answer->lease_requests)
		return;
	assert(!limit_lease_holds(lease));
	lease->requests = answer->lease_requests;
	lease->tokens = answer->tokens.limit ? answer->lease_tokens : 0;
	lease->nusd = answer->lease_nusd;
	lease->budget_day = ask->day;
	lease->until_ns = answer->lease_until_ns;
	lease->debited_ns = answer->debited_ns;
	lease->day = answer->day;
	lease->requests_view = answer->requests;
	lease->tokens_view = answer->tokens;
}

bool limit_lease_end(struct limit_lease *lease, struct limit_return *back)
{
	*back = (struct limit_return){.debited_ns = lease->debited_ns,
		.day = lease->day,
		.requests = lease->requests,
		.tokens = lease->tokens,
		.reserved_nusd = lease->nusd,
		.budget_day = lease->budget_day};
	lease->requests = 0;
	lease->tokens = 0;
	lease->nusd = 0;
	return back->requests || back->tokens || back->reserved_nusd;
}
