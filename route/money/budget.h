/*
 * Budgets: what a key, a team and a workspace may spend in a UTC day, week (from Monday) and month. Before a call its
 * worst case is reserved in all accounts at once, or in none; afterwards what it came to takes the reservation's place,
 * so that calls that run at the same time never overspend together. Pure; one shard, the scope's owner, is the only one
 * that touches its accounts.
 *
 * A request belongs to the day in which it was received, as its receipt does, so that what was spent is the sum of the
 * receipts of a window, whenever it is asked.
 */
#ifndef ROUTE_BUDGET_H
#define ROUTE_BUDGET_H

#include "route/settings/settings.h"
#include "store/reservations.h"

#include <stdatomic.h>

enum budget_place {
	BUDGET_KEY,
	BUDGET_TEAM,
	BUDGET_WORKSPACE,
	BUDGET_ENDPOINT,
	BUDGET_TAG,
	BUDGET_BALANCE,
	BUDGET_PLACES
};
enum budget_window { BUDGET_DAILY, BUDGET_WEEKLY, BUDGET_MONTHLY, BUDGET_WINDOWS };

/* More than any call costs; sums of many stay within 64 bits. */
#define BUDGET_REQUEST_MAX_NUSD (INT64_C(10000) * 1000000000)

struct budget_account {
	uint32_t period; /* number of the day, week or month */
	uint8_t told;    /* enum budget_mark: reached before */
	int64_t used_nusd, reserved_nusd;
	int64_t lost_nusd; /* reserved when a process died: perhaps spent, and in no receipt */
};

enum budget_mark { BUDGET_NEAR = 1, BUDGET_FULL = 2 };

/* Two of each window: around midnight requests of both days are under way. */
struct budget_meter { /* zeroed: nothing was spent */
	struct budget_account accounts[BUDGET_WINDOWS][2];
	struct reservation *kept; /* what is reserved, where a death does not lose it; NULL: nowhere */
	/* What the latest month's account says, for all shards to read. */
	_Atomic uint32_t month;
	_Atomic int64_t month_used_nusd;
};

/* What a workspace has paid in, and what hosted models have cost it; in no window. */
struct balance_meter {
	uint64_t number; /* of the ledger's transaction up to which credit_nusd is the sum */
	int64_t credit_nusd, used_nusd, reserved_nusd;
	bool reloading; /* more was asked for; and after that was refused, not before: */
	uint64_t reload_after_ns;
};

/* A scope as one configuration has it: the limits are the configuration's, what was spent outlives it. */
struct budget_scope {
	struct budget_meter *meter;
	int64_t limits_nusd[BUDGET_WINDOWS]; /* -1: none; counted all the same */
	enum budget_place place;
	const char *name;              /* of a tag: "name=value"; for as long as the meter lives */
	struct balance_meter *balance; /* of BUDGET_BALANCE, instead of a meter and its limits */
};

const char *budget_window_name(enum budget_window window);
const char *budget_place_name(enum budget_place place); /* as a message names it */

/* The number of the window that a day (since 1970, UTC) lies in, and that window's first day. */
uint32_t budget_period(enum budget_window window, uint32_t day);
uint32_t budget_first_day(enum budget_window window, uint32_t day);

/* Which account has no room, and what is in it. */
struct budget_refusal {
	enum budget_place place;
	enum budget_window window;
	int64_t limit_nusd, used_nusd, reserved_nusd, lost_nusd;
	const struct budget_meter *meter; /* NULL: of a balance */
	const char *name;                 /* its scope's */
};

/* Whether so much more fits into every account; else *refusal. Changes nothing. */
bool budget_fits(
	const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t nusd, struct budget_refusal *refusal);

/* The least that is left in any of them; INT64_MAX: nothing is limited. */
int64_t budget_left(const struct budget_scope *scopes, unsigned count, uint32_t day);

void budget_reserve(const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t nusd);

/* Takes a reservation back, or a part of it, and books what was spent. */
void budget_settle(
	const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t reserved_nusd, int64_t used_nusd);

/*
 * Which marks (enum budget_mark) were reached since it was last asked: so many percent, and all of it, or that a call
 * was refused for want of room. Each is told once in a window.
 */
unsigned budget_reached(const struct budget_scope *scope, enum budget_window window, uint32_t day, uint32_t percent,
	bool refused, const struct budget_account **account);

/*
 * Which part of the tightest monthly budget is spent, in percent, rounded down; what is reserved does not count. -1: no
 * month is limited. For every shard, not the accounts' own alone.
 */
int64_t budget_month_percent(const struct budget_scope *scopes, unsigned count, uint32_t day);

/* What was spent before the start, in the window of `day`. */
void budget_bring_back(struct budget_meter *meter, enum budget_window window, uint32_t day, int64_t used_nusd);

/*
 * Keeps what is reserved from now on there as well, and counts what an earlier process left there as lost, in the
 * windows that it belongs to. Returns how much of it is in the month of `day`.
 */
int64_t budget_keep(struct budget_meter *meter, struct reservation *kept, uint32_t day);

/* Over both periods of the daily accounts; 0 when nothing is under way. */
int64_t budget_meter_reserved(const struct budget_meter *meter);

/* A later sum takes the place of an earlier one, in whatever order they come. */
void balance_credit(struct balance_meter *balance, uint64_t number, int64_t credit_nusd);

/* Whether a budget of these settings limits a window. */
bool budget_limits(const struct budget_settings *budget);

#endif
