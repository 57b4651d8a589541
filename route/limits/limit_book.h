/* What the book of limits keeps for a key, a credential or an address on one shard: of route/limits alone. */
#ifndef ROUTE_LIMIT_BOOK_H
#define ROUTE_LIMIT_BOOK_H

#include "route/gateway/gateway_shard.h"
#include "route/limits/limit_address.h"
#include "route/limits/limit_owed.h"
#include "route/limits/limits.h"

/* A key, its team, its workspace and its plan; no other scope is lent together with another. */
enum { LIMIT_LEASED_SCOPES = 4 };

struct limit_debtor { /* touched by its shard alone; no two share a cache line */
	_Alignas(64) struct limit_lease lease;
	uint64_t learned_output; /* 0: nothing was learnt yet */
	struct list link;        /* of the shard's leases */
	/* The letter that gives a lease's rest back, and the lease's limits: its configuration may be gone by then. */
	struct letter letter;
	bool returning;
	/* Requests that came after the one that asks for a lease, no more than it asks for. */
	struct list waiting;
	uint32_t waiting_max;
	const struct limit_subject *asked_subject; /* to compare only */
	struct limit_return back;
	struct gateway_shard *gateway_shard;
	const struct limit_subject *subject; /* to compare only */
	uint64_t address;                    /* whose requests it is for, or was; 0: not an address's */
	unsigned owner, scope_count, budget_count;
	struct limit_scope scopes[LIMIT_LEASED_SCOPES];
	struct budget_meter *budgets[LIMIT_BUDGETS_MAX];
	/* What its owner has to be told of requests from leases, and the configuration that they belong to. */
	struct limit_owed owed;
	bool telling;      /* the letter is out */
	struct list owing; /* link of the shard's */
	uint64_t owed_since_ns;
	struct letter owed_letter;
	struct shard_config *config;
	const struct limit_subject *owed_subject;
	struct limit_meter *owed_meter; /* of an address */
};

/* Of the addresses that a shard owns. */
struct limit_addresses *limit_book_addresses(const struct limit_book *book, unsigned shard);

/* What a shard keeps for an address: for so many at once, so NULL when another one's is in use there. */
enum { LIMIT_ADDRESS_DEBTORS = 256 };
struct limit_debtor *limit_book_address_debtor(const struct limit_book *book, unsigned shard, uint64_t address);

/* What a workspace has used of a model's allowance; NULL: no memory. */
struct allowance_meter *limit_book_allowance(
	struct limit_book *book, const struct store *store, const char *workspace, const char *model);

/* limit_allowance.c: how many a workspace has; those of one, into balance->allowances; and as much as is left. */
unsigned limit_allowances_each(const struct settings *settings);
bool limit_bind_allowances(struct limit_book *book, const struct settings *settings, const struct store *store,
	struct limit_balance *balance);
void limit_allowance_draw(const struct allowance *allowance, uint32_t day, uint64_t *tokens, int64_t *nusd);

static inline struct gateway_shard *limit_owner(const struct gateway_shard *gs, unsigned owner)
{
	return atomic_load_explicit(&gs->gateway->shards[owner], memory_order_acquire);
}

static inline struct limit_time limit_time_of(const struct gateway_shard *gs)
{
	return (struct limit_time){shard_now_ns(gs->shard), shard_wall_ns(gs->shard)};
}

/* How many of a subject's budgets hold a request. */
static inline unsigned limit_budget_count(const struct limit_subject *subject, bool hosted)
{
	return subject->budget_count + (hosted && subject->has_balance);
}

/* limit_shard.c: leases as a shard holds them. */
void limit_lease_give(struct limit_debtor *debtor);   /* gives back what is left */
void limit_lease_keep(struct limit_request *request); /* what the owner's answer brought */
bool limit_owe(struct limit_request *request);        /* gathers ->back; false: it has to be told by itself */

/* limits.c, at the owner's: what came of requests on its meters; `meter` is an address's. */
void limit_settle_at(struct gateway_shard *owner, const struct limit_subject *subject, struct limit_meter *meter,
	uint64_t address, const struct limit_return *back);

#endif
