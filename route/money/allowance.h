/*
 * Free allowances: tokens of a hosted model that a workspace has for nothing in a calendar month (UTC). A call draws on
 * what is left before its workspace's balance pays: so many tokens are reserved as it may use, or as are left; and of
 * the rest the price is its part of the whole. Pure; one shard, the workspace's owner, is the only one that touches a
 * meter.
 */
#ifndef ROUTE_ALLOWANCE_H
#define ROUTE_ALLOWANCE_H

#include <stdint.h>

/* Two months: around midnight calls of both are under way. */
struct allowance_meter { /* zeroed: nothing was used */
	struct {
		uint32_t month;
		uint64_t used_tokens, reserved_tokens;
	} accounts[2];
};

/* As one configuration has it; what was used outlives that. */
struct allowance {
	const char *model; /* the catalog's id, the settings' */
	uint64_t tokens_a_month;
	struct allowance_meter *meter;
};

uint64_t allowance_left(const struct allowance *allowance, uint32_t day);
void allowance_reserve(const struct allowance *allowance, uint32_t day, uint64_t tokens);
void allowance_settle(const struct allowance *allowance, uint32_t day, uint64_t reserved_tokens, uint64_t used_tokens);

/* What was used in the month of `day` before the start. */
void allowance_bring_back(struct allowance_meter *meter, uint32_t day, uint64_t used_tokens);

/* In both months; 0 when nothing is under way. */
uint64_t allowance_reserved(const struct allowance_meter *meter);

/* What is left to pay of a price for so many tokens, of which so many are free; rounded up. */
int64_t allowance_rest_nusd(int64_t nusd, uint64_t tokens, uint64_t free_tokens);

#endif
