/*
 * The durable side: receipts and counters in RocksDB behind a writer and a reader thread. A shard never calls RocksDB
 * and never waits for it: it appends a record to its own journal (store/journal.h: a preallocated file mapped into
 * memory), which the writer drains in groups into one batch each. The kernel keeps the mapped pages when the process
 * dies, so an appended record survives SIGKILL at once; start-up replays what the last commit had not taken (a journal
 * position lies in every batch, so nothing is taken twice).
 *
 *   durability process: store_append() is the promise; its ticket completes in the same call.
 *   durability power:   the ticket completes by a letter when the group's batch is synced.
 *   durability relaxed: as process, but the journal needs no file: up to a second may be lost.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "core/shard.h"
#include "store/counters.h"
#include "store/sealed.h"

struct store;

enum durability { DURABILITY_PROCESS, DURABILITY_POWER, DURABILITY_RELAXED };

struct store_options {
	const char *data_dir; /* made when missing, mode 0700 */
	enum durability durability;
	unsigned shard_count;
	size_t journal_bytes;  /* per shard */
	uint32_t ring_without; /* for its service threads' rings */
	const char *node;
	const char *secret, *previous_secret; /* of sealed content: see sealed.h; NULL: none */
};

/* Opens, migrates, replays journals, starts the threads. On failure `why` tells what is wrong and what to do. */
int store_open(struct store **store, const struct store_options *options, char *why, size_t why_bytes);
void store_close(struct store *store); /* drains, commits, ends the threads */

/* What waits for a receipt to be as durable as promised; embedded in the exchange, belongs to the store while waiting.
 */
struct store_ticket {
	struct letter letter; /* the store posts it to `shard` */
	struct shard *shard;
	void (*done)(struct store_ticket *ticket, int result); /* 0 or -EIO: the store cannot commit */
	int result;
	/* The store's own. */
	uint64_t position;
	struct port *port;
	struct store_ticket *next;
};

/*
 * Appends a receipt to the calling shard's journal. 1: durable as promised already, `ticket` unused. 0: ticket->done
 * follows on the shard. -EAGAIN: the journal is full or the store cannot commit: answer 503.
 */
int store_append(struct store *store, struct shard *shard, const struct receipt *receipt, struct store_ticket *ticket);

/* False while commits fail or a journal is nearly full: new calls get 503 before a provider is called. */
bool store_writable(const struct store *store);

/* Queries run on the reader thread; the letter comes back to `shard`, where done() runs. The query's memory is its
 * owner's. */
enum store_query_kind {
	STORE_QUERY_BY_ID,
	STORE_QUERY_LIST,
	STORE_QUERY_SPEND,
	STORE_QUERY_BALANCE,
	STORE_QUERY_TRANSACTIONS
};
enum store_query_fallback { STORE_FALLBACK_ANY, STORE_FALLBACK_USED, STORE_FALLBACK_UNUSED };

struct store_allowance {
	struct slice model;
	uint64_t tokens_a_month;
};

struct store_query {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct store_query *query);
	enum store_query_kind kind;
	/* In. Slices stay valid until done. */
	struct ulid request_id;
	struct slice workspace;     /* NULL data: any */
	struct slice key_id, model; /* filters; NULL data: any */
	struct slice cache;         /* its status; NULL data: any */
	enum store_query_fallback fallback;
	uint16_t status;             /* 0: any */
	uint64_t since_ns, until_ns; /* wall; 0: open */
	uint64_t cursor;             /* 0: from the newest, or from the first row of spend */
	uint32_t limit;              /* 1..1000 */
	/* Of spend: by what, in which days (UTC, since 1970, both included; 0 and UINT32_MAX: all time). */
	enum counter_dimension dimension;
	uint32_t from_day, to_day;
	/* Of a balance: the workspace's free allowances, and of which month, by its first day and last. */
	const struct store_allowance *allowances;
	unsigned allowance_count;
	receipt_printer *print; /* how a receipt is told; NULL: receipt_print() */
	/* Out: `result` 0, -ENOENT, -EIO, of spend -E2BIG: too many rows; `json` is malloc'ed by the reader and freed
	 * by store_query_fini(): a receipt, an array, or the whole answer about spend. */
	int result;
	char *json;
	size_t json_size;
	uint64_t next_cursor; /* 0: no more */
	uint32_t count;
	struct store *store;
};

void store_query_start(struct store *store, struct store_query *query);
void store_query_fini(struct store_query *query);

/*
 * Sealed content (store/sealed.h), off the shard: what is kept or removed goes by the writer's thread and is as durable
 * as receipts are when done() runs on the shard, what is asked for by the reader's. Its memory is its owner's; slices
 * stay valid until done.
 */
enum store_sealed_kind { STORE_SEALED_PUT, STORE_SEALED_CLAIM, STORE_SEALED_GET, STORE_SEALED_REMOVE };

struct store_sealed {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct store_sealed *sealed);
	enum store_sealed_kind kind;
	struct sealed_name name;
	struct slice value;        /* to keep */
	uint32_t ttl_s;            /* of what is kept; 0: without end */
	sealed_replaces *replaces; /* of a claim; on the writer's thread */
	/* Out. `found` is malloc'ed, for store_sealed_fini(). */
	int result; /* as the function of sealed.h */
	char *found;
	size_t found_size;
	struct store *store;
};

void store_sealed_start(struct store *store, struct store_sealed *sealed);
void store_sealed_fini(struct store_sealed *sealed);

/* What the start found of a key, of a team (workspace, team) or of a workspace; NULL: no calls. Any thread. */
const struct recent *store_recent(
	const struct store *store, enum counter_dimension dimension, struct slice first, struct slice second);

/* The same of all receipts, without a day. */
int64_t store_total_nusd(
	const struct store *store, enum counter_dimension dimension, struct slice first, struct slice second);

/* What the receipts of those days (UTC, since 1970) of a key, team or workspace came to, so far as they are committed.
 * Any thread but a shard's: it may read the database. */
int64_t store_spend_nusd(const struct store *store, enum counter_dimension dimension, struct slice first,
	struct slice second, uint32_t from_day, uint32_t to_day);

/* What was free of a hosted model's tokens in those days. Any thread but a shard's. */
uint64_t store_free_tokens(
	const struct store *store, struct slice workspace, struct slice model, uint32_t from_day, uint32_t to_day);

/* Where a scope's reservations are kept (reservations.h); NULL: there is no room. The control thread's, before shards
 * see it. */
struct reservation *store_reservation(const struct store *store, uint64_t name, uint32_t day);

struct store_counts {
	uint64_t receipts, groups, bytes, replayed, failed_commits;
	uint64_t expired;   /* receipts, since the start */
	int64_t spend_nusd; /* sum over all receipts, from the counters */
	uint64_t journal_used_bytes;
	uint64_t sealed_rows, sealed_bytes; /* about, a second ago or, without writes, a minute */
	uint64_t sealed_expired;            /* since the start */
};
struct store_counts store_counts(const struct store *store); /* any thread */

/* Offline: verifies chain, indexes and counters of a closed data_dir; prints findings. 0: sound, 1: not, -errno. */
int store_check(const char *data_dir, void (*say)(void *context, const char *line), void *context);

#endif
