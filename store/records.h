/*
 * Records: small tables of whole values under a table's letter and an id (keys, teams, audit ...), for what is changed
 * by people and read whole at start. A change is one batch, synced before it is told; so what was answered outlives a
 * power cut, whatever `durability` says of receipts.
 */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "store/store.h"

enum record_table {
	RECORDS_AUDIT = 'a',
	RECORDS_CONNECTIONS = 'c',
	RECORDS_DISABLED = 'd', /* deployments that an operator took out of use: their names, under a hash of each */
	RECORDS_KEYS = 'k',
	RECORDS_LEDGER = 'l',  /* and 'r': rows of the ledger's own (ledger.h) */
	RECORDS_NOTICES = 'n', /* what was told of keys and workspaces: route/tenancy/tenancy_watch.c */
	RECORDS_TOKENS = 'o',
	RECORDS_PROJECTS = 'p',
	RECORDS_TEAMS = 't',
	RECORDS_ROUTING = 'u', /* one row: route/tenancy/stored_routing.h */
	RECORDS_WORKSPACES = 'w',
	RECORDS_OVERRIDES = 'x', /* of what the configuration declares */
};

enum { RECORD_ID_BYTES_MAX = 128 };

struct record {
	enum record_table table;
	struct slice id;    /* 1 to RECORD_ID_BYTES_MAX bytes; rows of a table lie in their order */
	struct slice value; /* NULL data: the record goes */
	struct slice owner; /* non-NULL data: it lies sealed (sealed.h), for a connection of that owner, and `table` is
			       not used */
};

/* Embedded in its owner, and the store's until done() runs on `shard`; so are the records and their bytes. */
struct records_write {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct records_write *write);
	const struct record *records;
	unsigned count;
	int result; /* 0, or -EIO: the store cannot commit, and a restart may find the change or not */
	struct store *store;
};

void records_write_start(struct store *store, struct records_write *write);

/* A sealed one. 0 and *value, malloc'ed; or as sealed_get(). Any thread. */
int records_read_sealed(const struct store *store, struct slice owner, struct slice id, char **value, size_t *size);

/*
 * Tells the records of a table in the order of their ids, from the first that is not below `from` (backwards: not above
 * it; an empty `from` begins at the end) until `tell` returns false. Any thread. 0 or -EIO.
 */
typedef bool records_tell(void *context, struct slice id, struct slice value);
int records_read(const struct store *store, enum record_table table, struct slice from, bool backwards,
	records_tell *tell, void *context);

#endif
