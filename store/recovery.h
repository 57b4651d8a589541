/*
 * Journals in data_dir: what an earlier run left is committed, whatever shards it had; then each shard gets an empty
 * one.
 */
#ifndef STORE_RECOVERY_H
#define STORE_RECOVERY_H

#include "store/commit.h"

/*
 * Commits what the journals in `data_dir` hold beyond the database, synced, and removes those of shards that are no
 * more. Returns 0, *replayed tells how many receipts; or -errno, and `why`.
 */
int recovery_replay(struct commit *commit, struct kv *kv, const char *data_dir, unsigned shards_kept,
	uint64_t *replayed, char *why, size_t why_bytes);

/* Opens `count` empty journals, in files unless `in_memory`, and forgets the positions of all earlier ones. */
int recovery_open_journals(struct commit *commit, const char *data_dir, bool in_memory, struct journal **journals,
	unsigned count, size_t journal_bytes, char *why, size_t why_bytes);

/* How many receipts lie in journals of a closed data_dir that the database does not hold; -errno. */
int64_t recovery_count_pending(struct kv *kv, const char *data_dir);

#endif
