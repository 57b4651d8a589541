/*
 * Group commit: takes what the journals hold, makes one block of it, and writes block, index rows, the chain's end and
 * the journals' positions as one batch, so a crash at any point loses nothing and takes nothing twice. Pure but for the
 * database: the caller brings time and thread.
 *
 * Counters are added up in memory with each group. Their rows go out with every COUNTED_BLOCKS_MAX-th block, together
 * with the number of that block: commit_open() adds what lies behind it. A row costs some 4 us; with hundreds of keys
 * and a row for each that a group touched, a receipt would need 4.6 us more. Whoever blanks receipts writes the
 * counters first.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "store/counters.h"
#include "store/journal.h"
#include "store/kv.h"
#include "store/receipt_block.h"

enum {
	COMMIT_JOURNALS_MAX = 1024,
	META_JOURNAL_KEY_BYTES = 16,
	COUNTED_BLOCKS_MAX = 64, /* up to 32,768 receipts to add up at a start after a kill: some 20 ms */
};

struct commit;

/* Reads where the last run ended; makes the schema in an empty database, brings an older one up to date. -ENOTSUP: a
 * newer one. `why` tells. */
int commit_open(struct commit **commit, struct kv *kv, const char *node, char *why, size_t why_bytes);
void commit_close(struct commit *commit);

/*
 * Commits one group. Returns how many receipts it held, or 0 when there was nothing; then the journals are released up
 * to there. -EIO: nothing was written; the group is kept, and the next call (with the same journals) tries it again,
 * unchanged. -EBADMSG: a journal holds what this program cannot read.
 */
int commit_group(struct commit *commit, struct journal *const *journals, unsigned count, uint64_t wall_ns, bool sync);
/* Writes what the counters' rows lack; nothing is pending. 0, or -EIO: then they are, and commit_group() tries them
 * again. */
int commit_write_counters(struct commit *commit, bool sync);

uint64_t commit_counted(const struct commit *commit);     /* the block up to which the counters' rows add up */
bool commit_pending(const struct commit *commit);         /* a group waits for its second try */
struct counter commit_total(const struct commit *commit); /* of all receipts, committed ones and the pending group */
int commit_copy_recents(const struct commit *commit, struct recents *recents); /* 0, -ENOMEM */

/* Of the receipts of those days, the committed ones and the pending group's. Any thread. `name`: as counters_day_key().
 */
struct counter commit_sum_of_days(
	struct commit *commit, enum counter_dimension dimension, struct slice name, uint32_t from_day, uint32_t to_day);

static inline int64_t commit_spend_nusd(
	struct commit *commit, enum counter_dimension dimension, struct slice name, uint32_t from_day, uint32_t to_day)
{
	return commit_sum_of_days(commit, dimension, name, from_day, to_day).spend_nusd;
}
int64_t commit_total_nusd(struct commit *commit, struct slice key); /* of a counter without a day */
size_t commit_bytes(const struct commit *commit);                   /* of the last group's block */

/* Where the database has got to in the journal of that generation; 0 when it knows none. -EIO. */
int commit_journal_tail(struct kv *kv, uint64_t generation, uint64_t *tail);

/* Forgets the positions of all journals but these. 0 or -EIO. */
int commit_forget_journals(struct commit *commit, struct journal *const *journals, unsigned count);

/* The rows of KV_META, for the check. */
struct chain_end {
	uint64_t block; /* the last one; the first is 1, 0: none */
	struct hash chain;
};
int commit_read_chain(struct kv *kv, struct chain_end *end); /* 0, -EIO, -EBADMSG */
int commit_read_counted(struct kv *kv, uint64_t *block); /* up to which the counters' rows add up; 0, -EIO, -EBADMSG */
int commit_check_schema(
	struct kv *kv, char *why, size_t why_bytes); /* 0, -ENOENT: empty, -ESTALE: older, -ENOTSUP, -EIO */
void block_key(char key[static 8], uint64_t block);

#endif
