/* Accounts of windows, and the decision over all of a request's: see budget.h. */
#include "route/money/budget.h"

#include "store/receipt.h"

#include <assert.h>

enum {
	DAYS_TO_MONDAY = 3, /* 1970-01-01 was a Thursday */
	DAYS_A_WEEK = 7,
	MONTHS_A_YEAR = 12,
};

const char *budget_window_name(enum budget_window window)
{
	static const char *const names[BUDGET_WINDOWS] = {"daily", "weekly", "monthly"};

	assert(window < BUDGET_WINDOWS);
	return names[window];
}

const char *budget_place_name(enum budget_place place)
{
	static const char *const names[BUDGET_PLACES] = {"this API key", "this API key's team", "this workspace",
		"this endpoint", "the tag", "this workspace's balance"};

	assert(place < BUDGET_PLACES);
	return names[place];
}

bool budget_limits(const struct budget_settings *budget)
{
	return budget->daily_nusd >= 0 || budget->weekly_nusd >= 0 || budget->monthly_nusd >= 0;
}

/* The month's number since 1970, and how many days of it are over. Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", civil_from_days, for days since 1970 only. */
static uint32_t month_of(uint32_t day, uint32_t *day_of_month)
{
	uint32_t z = day + 719468, era = z / 146097, day_of_era = z - era * 146097;
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t from_march = (5 * day_of_year + 2) / 153;
	uint32_t month = from_march < 10 ? from_march + 2 : from_march - 10; /* from January, 0 */
	uint32_t year = year_of_era + era * 400 + (month < 2);

	*day_of_month = day_of_year - (153 * from_march + 2) / 5;
	return (year - 1970) * MONTHS_A_YEAR + month;
}

uint32_t budget_period(enum budget_window window, uint32_t day)
{
	uint32_t day_of_month;

	switch (window) {
	case BUDGET_DAILY:
		return day;
	case BUDGET_WEEKLY:
		return (day + DAYS_TO_MONDAY) / DAYS_A_WEEK;
	default:
		return month_of(day, &day_of_month);
	}
}

uint32_t budget_first_day(enum budget_window window, uint32_t day)
{
	uint32_t before = 0;

	if (window == BUDGET_WEEKLY)
		before = (day + DAYS_TO_MONDAY) % DAYS_A_WEEK;
	else if (window == BUDGET_MONTHLY)
		month_of(day, &before);
	return before < day ? day - before : 0;
}

/* That of the day's window; it begins at nothing. A clock that was set back by more than a window does not open an old
 * one again. */
static struct budget_account *account_of(struct budget_meter *meter, enum budget_window window, uint32_t day)
{
	uint32_t period = budget_period(window, day);
	struct budget_account *account = &meter->accounts[window][period & 1];

	if (account->period < period)
		*account = (struct budget_account){.period = period};
	return account;
}

static int64_t left_in(const struct budget_account *account, int64_t limit_nusd)
{
	int64_t taken = add_nusd(add_nusd(account->used_nusd, account->lost_nusd), account->reserved_nusd);

	return taken < limit_nusd ? limit_nusd - taken : 0;
}

/* The amount first: who sees the month sees its amount, or a later one. */
static void publish_month(struct budget_meter *meter)
{
	const struct budget_account *months = meter->accounts[BUDGET_MONTHLY];
	const struct budget_account *latest = &months[months[1].period > months[0].period];

	atomic_store_explicit(&meter->month_used_nusd, latest->used_nusd, memory_order_relaxed);
	atomic_store_explicit(&meter->month, latest->period, memory_order_release);
}

/* ---- a balance, which is an account of its own ---- */

static int64_t left_of(const struct balance_meter *balance)
{
	int64_t taken = add_nusd(balance->used_nusd, balance->reserved_nusd);

	return taken < balance->credit_nusd ? balance->credit_nusd - taken : 0;
}

void balance_credit(struct balance_meter *balance, uint64_t number, int64_t credit_nusd)
{
	if (number <= balance->number)
		return;
	balance->number = number;
	balance->credit_nusd = credit_nusd;
}

static bool balance_fits(const struct budget_scope *scope, int64_t nusd, struct budget_refusal *refusal)
{
	const struct balance_meter *balance = scope->balance;

	if (left_of(balance) >= nusd)
		return true;
	*refusal = (struct budget_refusal){.place = scope->place,
		.limit_nusd = balance->credit_nusd,
		.used_nusd = balance->used_nusd,
		.reserved_nusd = balance->reserved_nusd};
	return false;
}

/* ---- the decision over all scopes ---- */

bool budget_fits(
	const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t nusd, struct budget_refusal *refusal)
{
	for (unsigned i = 0; i < count; i++) {
		if (scopes[i].balance && !balance_fits(&scopes[i], nusd, refusal))
			return false;
		for (enum budget_window window = 0; !scopes[i].balance && window < BUDGET_WINDOWS; window++) {
			int64_t limit = scopes[i].limits_nusd[window];
			const struct budget_account *account;

			if (limit < 0)
				continue;
			account = account_of(scopes[i].meter, window, day);
			if (left_in(account, limit) >= nusd &&
				(nusd > 0 || add_nusd(account->used_nusd, account->lost_nusd) <= limit))
				continue;
			*refusal = (struct budget_refusal){scopes[i].place, window, limit, account->used_nusd,
				account->reserved_nusd, account->lost_nusd, scopes[i].meter, scopes[i].name};
			return false;
		}
	}
	return true;
}

int64_t budget_left(const struct budget_scope *scopes, unsigned count, uint32_t day)
{
	int64_t left = INT64_MAX;

	for (unsigned i = 0; i < count; i++) {
		if (scopes[i].balance && left_of(scopes[i].balance) < left)
			left = left_of(scopes[i].balance);
		for (enum budget_window window = 0; !scopes[i].balance && window < BUDGET_WINDOWS; window++) {
			int64_t limit = scopes[i].limits_nusd[window], own;

			if (limit < 0)
				continue;
			own = left_in(account_of(scopes[i].meter, window, day), limit);
			left = own < left ? own : left;
		}
	}
	return left;
}

/* The day's accounts say what is under way. A day that begins takes the place of the one before last, of which nothing
 * is. */
static void keep(const struct budget_meter *meter, uint32_t day)
{
	struct reservation *kept = meter->kept;
	const struct budget_account *account = &meter->accounts[BUDGET_DAILY][day & 1];

	if (!kept || account->period != day)
		return;
	if (atomic_load_explicit(&kept->under_way[day & 1].day, memory_order_relaxed) != day) {
		atomic_store_explicit(&kept->under_way[day & 1].nusd, 0, memory_order_relaxed);
		atomic_store_explicit(&kept->under_way[day & 1].day, day, memory_order_relaxed);
	}
	atomic_store_explicit(&kept->under_way[day & 1].nusd, account->reserved_nusd, memory_order_relaxed);
}

static void lose(struct reservation *kept, enum budget_window window, uint32_t period, int64_t nusd)
{
	if (kept->lost[window].period < period) {
		kept->lost[window].nusd = 0;
		kept->lost[window].period = period;
	}
	if (kept->lost[window].period == period)
		kept->lost[window].nusd = add_nusd(kept->lost[window].nusd, nusd);
}

int64_t budget_keep(struct budget_meter *meter, struct reservation *kept, uint32_t day)
{
	for (unsigned i = 0; i < 2; i++) {
		uint32_t of_day = atomic_load_explicit(&kept->under_way[i].day, memory_order_relaxed);
		int64_t nusd = atomic_load_explicit(&kept->under_way[i].nusd, memory_order_relaxed);

		/* A death in between counts it once more rather than not at all. */
		for (enum budget_window window = 0; nusd > 0 && window < BUDGET_WINDOWS; window++)
			lose(kept, window, budget_period(window, of_day), nusd);
		atomic_store_explicit(&kept->under_way[i].nusd, 0, memory_order_relaxed);
	}
	for (enum budget_window window = 0; window < BUDGET_WINDOWS; window++)
		if (kept->lost[window].period == budget_period(window, day))
			account_of(meter, window, day)->lost_nusd = kept->lost[window].nusd;
	meter->kept = kept;
	return meter->accounts[BUDGET_MONTHLY][budget_period(BUDGET_MONTHLY, day) & 1].lost_nusd;
}

void budget_reserve(const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t nusd)
{
	for (unsigned i = 0; i < count; i++) {
		if (scopes[i].balance)
			scopes[i].balance->reserved_nusd = add_nusd(scopes[i].balance->reserved_nusd, nusd);
		for (enum budget_window window = 0; !scopes[i].balance && window < BUDGET_WINDOWS; window++) {
			struct budget_account *account = account_of(scopes[i].meter, window, day);

			account->reserved_nusd = add_nusd(account->reserved_nusd, nusd);
		}
		if (!scopes[i].balance)
			keep(scopes[i].meter, day);
	}
}

/* Never below nothing: what a clock that was set back took elsewhere. */
static void book(int64_t *reserved_nusd, int64_t *used_nusd, int64_t reserved, int64_t used)
{
	*reserved_nusd -= reserved < *reserved_nusd ? reserved : *reserved_nusd;
	*used_nusd = add_nusd(*used_nusd, used);
}

void budget_settle(
	const struct budget_scope *scopes, unsigned count, uint32_t day, int64_t reserved_nusd, int64_t used_nusd)
{
	for (unsigned i = 0; i < count; i++) {
		struct balance_meter *balance = scopes[i].balance;

		if (balance)
			book(&balance->reserved_nusd, &balance->used_nusd, reserved_nusd, used_nusd);
		for (enum budget_window window = 0; !balance && window < BUDGET_WINDOWS; window++) {
			struct budget_account *account = account_of(scopes[i].meter, window, day);

			book(&account->reserved_nusd, &account->used_nusd, reserved_nusd, used_nusd);
		}
		if (!balance)
			keep(scopes[i].meter, day);
		if (!balance)
			publish_month(scopes[i].meter);
	}
}

unsigned budget_reached(const struct budget_scope *scope, enum budget_window window, uint32_t day, uint32_t percent,
	bool refused, const struct budget_account **account)
{
	struct budget_account *own = account_of(scope->meter, window, day);
	int64_t limit = scope->limits_nusd[window];
	unsigned reached = 0;

	*account = own;
	if (limit < 0)
		return 0;
	if ((__int128)own->used_nusd * 100 >= (__int128)limit * percent)
		reached |= BUDGET_NEAR;
	if (refused || own->used_nusd >= limit)
		reached |= BUDGET_FULL;
	reached &= ~(unsigned)own->told;
	own->told |= (uint8_t)reached;
	return reached;
}

void budget_bring_back(struct budget_meter *meter, enum budget_window window, uint32_t day, int64_t used_nusd)
{
	account_of(meter, window, day)->used_nusd = used_nusd;
	publish_month(meter);
}

static int64_t month_percent(const struct budget_scope *scope, uint32_t month)
{
	int64_t limit = scope->limits_nusd[BUDGET_MONTHLY], used;

	if (atomic_load_explicit(&scope->meter->month, memory_order_acquire) != month)
		return 0; /* nothing was spent in it so far */
	used = atomic_load_explicit(&scope->meter->month_used_nusd, memory_order_relaxed);
	return limit > 0 ? (int64_t)((__int128)used * 100 / limit) : 100;
}

int64_t budget_month_percent(const struct budget_scope *scopes, unsigned count, uint32_t day)
{
	uint32_t month = budget_period(BUDGET_MONTHLY, day);
	int64_t most = -1;

	for (unsigned i = 0; i < count; i++) {
		int64_t percent;

		if (scopes[i].balance || scopes[i].limits_nusd[BUDGET_MONTHLY] < 0)
			continue;
		percent = month_percent(&scopes[i], month);
		most = percent > most ? percent : most;
	}
	return most;
}

int64_t budget_meter_reserved(const struct budget_meter *meter)
{
	const struct budget_account *daily = meter->accounts[BUDGET_DAILY];

	return add_nusd(daily[0].reserved_nusd, daily[1].reserved_nusd);
}
