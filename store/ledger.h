/*
 * The ledger: what was paid into a workspace's balance and given back, one row for each, numbered without a gap and
 * never changed. What hosted models cost is not a row of its own: it is what the receipts say, added up by the running
 * totals (COUNTER_HOSTED). The balance is the sum of both.
 *
 *   KV_RECORDS  'l' workspace NUL be64 number   u8 version, u8 kind, u64 wall time, u64 amount, u64 sum of all up to it
 *                                               (nano-USD, two's complement), u8 size and note, u8 size and reference
 *               'r' workspace NUL reference     u64 number
 */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "store/store.h"

enum ledger_kind { LEDGER_DEPOSIT, LEDGER_REFUND, LEDGER_AUTO_RELOAD, LEDGER_KINDS };
enum { LEDGER_NOTE_BYTES_MAX = 200, LEDGER_REFERENCE_BYTES_MAX = 100 };
#define LEDGER_SUM_MAX_NUSD (INT64_C(1000000000) * 1000000000)

/* Where a workspace's rows have got to. */
struct ledger_state {
	uint64_t number; /* of the last one; 0: there is none */
	int64_t credit_nusd;
};

/*
 * A new row, synced before it is told. The same reference again is the same row: nothing is added, and `repeated` says
 * so. The store's until done() runs on `shard`; slices are its owner's.
 */
struct ledger_post {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct ledger_post *post);
	struct slice workspace, note, reference; /* no reference: NULL data */
	enum ledger_kind kind;
	int64_t amount_nusd; /* above 0 */
	uint64_t wall_ns;
	int result; /* 0; -EIO; -ERANGE: the sum would be beyond LEDGER_SUM_MAX_NUSD */
	bool repeated;
	uint64_t number;
	struct ledger_state state; /* after it */
	struct store *store;
};
void ledger_post_start(struct store *store, struct ledger_post *post);

/* Any thread but a shard's. 0, -EIO. */
int ledger_state(const struct store *store, struct slice workspace, struct ledger_state *state);

/* In the reader's thread: a workspace's balance, or a page of its transactions, the newest first, usage by day among
 * them. */
void ledger_answer(struct kv *kv, struct store_query *query);

const char *ledger_kind_name(enum ledger_kind kind);

/* A row as it lies in the store; false for one that no program wrote. Slices point into the value. */
struct ledger_row {
	enum ledger_kind kind;
	uint64_t wall_ns;
	int64_t amount_nusd, credit_nusd;
	struct slice note, reference;
};
bool ledger_row_read(struct slice value, struct ledger_row *row);

/* Offline: that each workspace's rows are numbered and add up, and what its balance is by the receipts. 0: sound, 1:
 * not, -errno. */
int ledger_check(const char *data_dir, void (*say)(void *context, const char *line), void *context);

#endif
