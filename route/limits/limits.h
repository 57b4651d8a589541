/*
 * Limits over all shards. Each workspace has an owner shard, which alone touches the meters of its keys, teams and
 * plan; each client's address has one, and each credential of a provider. A request is admitted there, by a letter and
 * its answer, or from a lease that this shard holds (limit_lease.h), without one. On the owner's own shard it is a
 * function call. Nothing here allocates, locks or makes a system call on a request's path: letters lie in their
 * exchange, or in what a shard keeps for a key.
 *
 * The book keeps what was used, for as long as the process lives; a configuration has a table of what is limited and
 * how. Both are made by the control thread before any shard sees them. The book grows with the keys, teams and
 * workspaces that configurations name, and with nothing that clients send.
 */
#ifndef ROUTE_LIMITS_H
#define ROUTE_LIMITS_H

#include "core/shard.h"
#include "route/limits/limit_lease.h"
#include "store/ledger.h"

struct gateway_shard;
struct limit_book;
struct limit_debtor;
struct store;

/* All that may hold one request, its tags among them. */
enum { LIMIT_BUDGETS_MAX = BUDGET_PLACES + TAG_BUDGETS_MAX };

/* What the requests of one key, of any address, or with one credential are held against. */
struct limit_subject {
	unsigned owner;       /* the shard's index */
	unsigned scope_count; /* this and budget_count 0: nothing is limited */
	unsigned budget_count;
	bool has_budget;          /* some account is limited: what has no bound or no price is refused */
	int64_t per_request_nusd; /* the least of all; -1: none */
	enum budget_place per_request_place;
	uint32_t reserve_output_tokens;
	const struct key_settings *key;                 /* the settings' */
	const struct workspace_settings *workspace;     /* likewise; NULL: unknown */
	struct budget_scope budgets[LIMIT_BUDGETS_MAX]; /* behind those that are counted, the balance */
	bool has_balance;
	const struct limit_balance *balance; /* NULL: has none */
	bool counts_tokens, counts_concurrency;
	uint64_t tokens_least; /* the tightest limit of tokens; 0: none */
	struct limit_scope scopes[LIMIT_PLACES];
	struct limit_debtor *debtors; /* one for each shard; NULL: of addresses, or nothing is limited */
	const char *endpoint;         /* what is called, with limits of its own; NULL: none */
	bool joined;                  /* of more than one key's requests alone: none of it is lent */
	/* The budgets of its workspace's tags, in the settings' order, and which of them hold all its requests. */
	const struct limit_subject *tags;
	uint32_t own_tags;
};

/* A workspace's balance, and whose it is. */
struct limit_balance {
	const char *workspace;
	unsigned owner; /* the shard's index */
	struct balance_meter *meter;
	struct allowance *allowances; /* of the workspace; behind the balances */
	unsigned allowance_count;
};

struct limit_table {
	unsigned count, balance_count;
	struct limit_balance *balances; /* behind the subjects, in the same memory */
	unsigned *first_credential;     /* by the provider's index; behind the balances */
	/* Behind the keys' subjects; NULL: none is limited. Endpoints by their number, what each has of its own. */
	const struct limit_subject *credentials, *endpoints, *addresses, *tags;
	struct limit_subject subjects[]; /* by the key's index in the settings */
};

struct limit_book *limit_book_open(unsigned shard_count); /* NULL when memory is out */
void limit_book_close(struct limit_book *book);           /* after the last shard */

/* Over all meters, and what is reserved of allowances; when no shard runs any more. */
uint64_t limit_book_in_flight(const struct limit_book *book);
int64_t limit_book_reserved_nusd(const struct limit_book *book);

/* Any thread: what the budgets of keys, teams or workspaces hold back this month for calls that a death cut off. */
int64_t limit_book_lost_nusd(const struct limit_book *book, enum budget_place place);

/* The table of a configuration, to be freed with it. What `store` counted before the start is brought back (NULL:
 * nothing). */
struct limit_table *limit_book_bind(
	struct limit_book *book, const struct settings *settings, const struct store *store);

/*
 * Calls of an endpoint that has limits or a budget are held against those besides the key's own: what both come to, or
 * false when it has none. The owner is asked for each, in one letter. `name` is the endpoint's, and outlives the
 * subject.
 */
bool limit_subject_join(struct limit_subject *joined, const struct limit_subject *key,
	const struct limit_subject *endpoint, const char *name);

/* Adds to a subject what such a one has, and nobody else's requests are held against it from then on. */
void limit_subject_add(struct limit_subject *subject, const struct limit_subject *more);

/* What a shard has for its leases. */
struct limit_shard {
	struct gateway_shard *gateway_shard;
	struct list leases; /* the oldest first */
	struct timer timer; /* the oldest one's end */
	struct list owing;  /* who has to tell an owner what came of them, the longest first */
	struct timer owed_timer;
	unsigned telling; /* letters of theirs that are out */
};

void limit_shard_init(struct limit_shard *own, struct gateway_shard *gateway_shard);

/* A request on its way past its limits; embedded in its exchange. */
struct limit_request {
	struct letter letter;
	struct list waiting;                 /* link of those that wait for a lease which is on its way */
	const struct limit_subject *subject; /* NULL: not limited */
	struct gateway_shard *gateway_shard;
	struct limit_debtor *debtor; /* NULL: nothing is lent to it */
	struct limit_meter *meter;   /* of an address, which its owner finds */
	uint64_t address;            /* 0: not an address's */
	unsigned owner;
	struct limit_ask ask;
	struct limit_answer answer;
	struct limit_return back;
	void (*decided)(struct limit_request *request); /* when start() returned 0 */
	void (*settled)(struct limit_request *request); /* when settle() returned 0: the letter is back */
	bool asked;                                     /* an answer came, or will: until then it is empty */
	bool admitted;                                  /* and has not been settled */
	bool leased;                                    /* from a lease */
};

static inline void limit_request_clear(struct limit_request *request)
{
	request->subject = NULL;
	request->asked = request->admitted = request->leased = false;
}

/* `address` says whose (an id of route/tenancy/lockout.h) when the subject is that of addresses, else it is 0. */
void limit_request_init(struct limit_request *request, struct gateway_shard *gateway_shard,
	const struct limit_subject *subject, uint64_t address);

/* request->ask says what for; its lease is decided here. 1: request->answer is there. 0: decided() follows. -EAGAIN:
 * the owner shard has not started yet. */
int limit_request_start(struct limit_request *request, const struct limit_ask *ask);

/*
 * What an admitted request came to: the tokens and the money used, or, when nothing was done, that it never was. 1:
 * done; 0: the letter is under way, and settled() follows.
 */
struct limit_use {
	uint64_t tokens;
	int64_t nusd;
	bool undone, hosted;  /* hosted: the balance pays */
	uint64_t free_tokens; /* that were drawn from ask.allowance */
};
int limit_request_settle(struct limit_request *request, const struct limit_use *use);

/* More money for a request that was admitted and has not been settled. Embedded in its exchange, one at a time. */
struct limit_extension {
	struct letter letter;
	const struct limit_subject *subject;
	struct gateway_shard *gateway_shard;
	int64_t nusd, balance_nusd; /* of its budgets; of the balance */
	uint32_t day;
	bool granted;
	const struct allowance *allowance; /* of so many tokens what is left is free; NULL: nothing is */
	uint64_t allowance_tokens;         /* of which so many were granted */
	void (*decided)(struct limit_extension *extension);  /* when start() returned 0 */
	void (*returned)(struct limit_extension *extension); /* when give_back() returned 0 */
};

/* What a subject's workspace has free of a model in a month; NULL: nothing. */
const struct allowance *limit_allowance_of(const struct limit_subject *subject, const struct model_settings *model);

/* All but letter and granted is set. 1: ->granted says; 0: decided() follows. What is granted belongs to the request's
 * reservation from then on, or is given back. */
int limit_extension_start(struct limit_extension *extension);
int limit_extension_give_back(struct limit_extension *extension); /* 1: done; 0: returned() follows */

/* What the ledger says was paid in, for the shard that decides. Embedded in who waits for it. */
struct limit_credit {
	struct letter letter;
	struct gateway_shard *gateway_shard;
	struct ledger_state state;
	void (*done)(struct limit_credit *credit); /* when start() returned 0 */
	const struct limit_balance *balance;
};

/* 1: done, or nobody counts this workspace's balance; 0: done() follows. The table lives until then. */
int limit_credit_start(struct limit_credit *credit, const struct limit_table *table, struct slice workspace);

/*
 * How many tokens an answer has whose request does not say how many it may: the running mean of such answers to this
 * key on this shard, and before the first one a part of the limit, at most `reserve`.
 */
uint64_t limit_guess_output(const struct limit_request *request, uint64_t reserve);
void limit_learn_output(struct limit_request *request, uint64_t tokens);

#endif
