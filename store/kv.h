/*
 * The database as this folder uses it: ordered rows of bytes in a few families, batches that are written whole or not
 * at all, look-ups and walks. Two implementations are chosen at link time: kv_rocksdb.c and the simulation's.
 *
 * One thread writes; any number read. A slice that a look-up or a walk hands out lives until the next call on it.
 */
#ifndef STORE_KV_H
#define STORE_KV_H

#include "core/slice.h"

enum kv_family { KV_META, KV_RECEIPTS, KV_INDEX, KV_COUNTERS, KV_RECORDS, KV_SEALED, KV_FAMILY_COUNT };

struct kv;
struct kv_batch;
struct kv_walk;

/* Makes the database at `path` when it is missing, unless `read_only`. On failure `why` says what is wrong. */
int kv_open(struct kv **kv, const char *path, bool read_only, char *why, size_t why_bytes);
void kv_close(struct kv *kv);

/*
 * After a failed write the database accepts nothing more: this closes and opens it, waiting for walks to end. 0, or
 * -EIO, then every call fails until a later one succeeds. The thread that writes calls it.
 */
int kv_reopen(struct kv *kv);

struct kv_batch *kv_batch_open(void);
void kv_batch_close(struct kv_batch *batch);
void kv_batch_clear(struct kv_batch *batch);
void kv_batch_put(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key, struct slice value);
void kv_batch_delete(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key);

/* All of the batch, or nothing: 0 or -EIO. With `sync` it survives a power cut. The batch keeps its rows either way. */
int kv_write(struct kv *kv, struct kv_batch *batch, bool sync);

/*
 * Rows of that range were removed or replaced by shorter ones: their space is to come back without waiting for later
 * writes. Begins it and does not wait; what was written last may need a second call, some time later.
 */
void kv_give_back(struct kv *kv, enum kv_family family, struct slice from, struct slice to);

/* About what a family holds, rows that were replaced and not yet taken away included; 0 while it is not open. */
struct kv_size {
	uint64_t rows, bytes;
};
struct kv_size kv_about(struct kv *kv, enum kv_family family);

/* A row found; its value lives until kv_row_fini(). */
struct kv_row {
	struct slice value;
	void *pinned;
};

/* 0, -ENOENT or -EIO; only on 0 is there something to release. */
int kv_get(struct kv *kv, enum kv_family family, struct slice key, struct kv_row *row);
void kv_row_fini(struct kv_row *row);

/* A view of one family as it is now. It starts nowhere: seek first. NULL when the database is not open. */
struct kv_walk *kv_walk_open(struct kv *kv, enum kv_family family);
void kv_walk_close(struct kv_walk *walk);
void kv_walk_seek(struct kv_walk *walk, struct slice key);      /* to the first row >= key */
void kv_walk_seek_back(struct kv_walk *walk, struct slice key); /* to the last row <= key */
bool kv_walk_valid(const struct kv_walk *walk);
void kv_walk_next(struct kv_walk *walk);
void kv_walk_previous(struct kv_walk *walk);
struct slice kv_walk_key(const struct kv_walk *walk);
struct slice kv_walk_value(const struct kv_walk *walk);
int kv_walk_error(const struct kv_walk *walk); /* 0, or -EIO: it ended early */

#endif
