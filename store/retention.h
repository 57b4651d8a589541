/*
 * The end of receipts' retention: a record whose time is over is blanked inside its block, a block of which none is
 * left becomes part of a gap (receipt_block.h), and the index rows follow. Spend stays: it lies in the counters, which
 * are written before anything is blanked that they have to be added up from.
 *
 * A block's receipts expire together, when the time of the newest of them is over. For each number of days that some
 * workspace keeps its receipts a row remembers up to which block they were looked at, so that a block is read once for
 * each such number; when another set of workspaces keeps them for so long, the look begins anew. Rows of KV_META:
 *
 *   "retained/" be32 days  ->  u64 block, u64 hash of the workspaces
 *   "expired"              ->  u64 receipts, u64 nano-USD, u64 block: what the blanked ones came to, and up to which
 * block there may be any: for the check
 *
 * A step is one batch with all that follows from it, so it may be cut off anywhere, and be done again.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "store/store.h"

struct retention;
struct commit;

struct retention_rule {
	struct slice workspace;
	uint32_t days;
};

/* As retention_rules_sort() orders them, each workspace once. */
struct retention_rules {
	const struct retention_rule *rules;
	unsigned count;
	uint32_t rest_days; /* of workspaces that no rule names */
};

void retention_rules_sort(struct retention_rule *rules, unsigned count);

int retention_open(struct retention **retention, struct kv *kv, struct commit *commit); /* 0, -ENOMEM */
void retention_close(struct retention *retention);

/*
 * The thread that writes the database, while nothing of `commit` is pending. Looks at a few blocks: returns how many, 0
 * when nothing is left to look at, -EIO when the database cannot be read or takes no more until kv_reopen().
 */
int retention_step(struct retention *retention, const struct retention_rules *rules, uint64_t now_ns);

/* How many receipts it blanked since it was opened. */
uint64_t retention_blanked(const struct retention *retention);

/* What is known of the expired ones: 0, -EIO, -EBADMSG. */
struct retention_sum {
	uint64_t receipts;
	int64_t spend_nusd;
	uint64_t last_block; /* none expired behind it */
};
int retention_read_sum(struct kv *kv, struct retention_sum *sum);

/* A step on the writer's thread. It, and the rules, are the store's until done() runs on `shard`. */
struct store_retention {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct store_retention *retention);
	const struct retention_rules *rules;
	int result; /* as retention_step(); -EAGAIN: the store takes nothing now */
	struct store *store;
};
void store_retention_start(struct store *store, struct store_retention *retention);

#endif
