/* See allowance.h. */
#include "route/money/allowance.h"

#include "route/money/budget.h"

/* That of the day's month; it begins at nothing. A clock that was set back does not open an old one again. */
static unsigned account_of(struct allowance_meter *meter, uint32_t day)
{
	uint32_t month = budget_period(BUDGET_MONTHLY, day);
	unsigned i = month & 1;

	if (meter->accounts[i].month < month) {
		meter->accounts[i].month = month;
		meter->accounts[i].used_tokens = meter->accounts[i].reserved_tokens = 0;
	}
	return i;
}

uint64_t allowance_left(const struct allowance *allowance, uint32_t day)
{
	struct allowance_meter *meter = allowance->meter;
	unsigned i = account_of(meter, day);
	uint64_t taken = meter->accounts[i].used_tokens + meter->accounts[i].reserved_tokens;

	return taken < allowance->tokens_a_month ? allowance->tokens_a_month - taken : 0;
}

void allowance_reserve(const struct allowance *allowance, uint32_t day, uint64_t tokens)
{
	allowance->meter->accounts[account_of(allowance->meter, day)].reserved_tokens += tokens;
}

void allowance_settle(const struct allowance *allowance, uint32_t day, uint64_t reserved_tokens, uint64_t used_tokens)
{
	struct allowance_meter *meter = allowance->meter;
	unsigned i = account_of(meter, day);
	uint64_t reserved = meter->accounts[i].reserved_tokens;

	meter->accounts[i].reserved_tokens -= reserved_tokens < reserved ? reserved_tokens : reserved;
	meter->accounts[i].used_tokens += used_tokens;
}

void allowance_bring_back(struct allowance_meter *meter, uint32_t day, uint64_t used_tokens)
{
	meter->accounts[account_of(meter, day)].used_tokens = used_tokens;
}

uint64_t allowance_reserved(const struct allowance_meter *meter)
{
	return meter->accounts[0].reserved_tokens + meter->accounts[1].reserved_tokens;
}

int64_t allowance_rest_nusd(int64_t nusd, uint64_t tokens, uint64_t free_tokens)
{
	if (free_tokens >= tokens)
		return tokens ? 0 : nusd;
	return (int64_t)(((unsigned __int128)nusd * (tokens - free_tokens) + tokens - 1) / tokens);
}
