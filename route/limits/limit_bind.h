/* What binds a configuration's names to the book's meters: of route/limits alone, and of the control thread. */
#ifndef ROUTE_LIMIT_BIND_H
#define ROUTE_LIMIT_BIND_H

#include "route/limits/limit_book.h"

enum { BUCKETS = 4096, NAME_BYTES_MAX = 512 };

/* One name that was ever limited. */
struct limit_entry {
	struct limit_meter meter;
	struct limit_entry *next;
	struct limit_debtor *debtors;      /* NULL: nobody asks for it by itself */
	struct balance_meter *balance;     /* of a workspace, once there was a hosted model; NULL: none */
	struct budget_meter *budget;       /* NULL: it never had one; once it did, all that it spends is counted */
	struct allowance_meter *allowance; /* of a workspace and a hosted model; NULL: none */
	uint64_t hash;
	size_t name_bytes;
	char name[];
};

struct limit_book {
	unsigned shard_count;
	_Atomic int64_t lost_nusd[BUDGET_PLACES]; /* of this month, as the start found it */
	struct limit_entry *buckets[BUCKETS];
	struct limit_addresses **addresses;   /* by the owner shard; NULL: addresses were never limited */
	struct limit_debtor *address_debtors; /* LIMIT_ADDRESS_DEBTORS of each shard */
};

struct limit_binding {
	struct limit_book *book;
	const struct settings *settings;
	const struct store *store;
	struct limit_subject *subject;
	const struct key_settings *key;
};

/* limit_book.c: NULL: it was never limited. */
struct limit_entry *limit_entry_find(
	const struct limit_book *book, enum limit_place place, const char *workspace, const char *id);
/* Found or made, with what `store` counted before the start (NULL: nothing); NULL: memory is out. */
struct limit_entry *limit_entry_of(struct limit_book *book, const struct store *store, enum limit_place place,
	const char *workspace, const char *id);
unsigned limit_owner_of_workspace(const struct limit_book *book, const char *workspace);
bool limit_book_open_addresses(struct limit_book *book); /* false: memory is out */

/* limit_bind_key.c: into binding->subject; false: memory is out. */
bool limit_settings_any(const struct limit_settings *limits);
bool limit_bind_scope(
	struct limit_binding *binding, enum limit_place place, const char *id, const struct limit_settings *limits);
bool limit_bind_budget(
	struct limit_binding *binding, enum budget_place place, const char *id, const struct budget_settings *budget);
bool limit_bind_key(struct limit_binding *binding, const struct limit_table *table);

#endif
