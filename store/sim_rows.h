/*
 * A database's content in the simulation: ordered rows in families, views of them that stay as they are, and which
 * batches a power cut would leave. Rows are immutable and counted; a view shares its family's array until that is
 * written.
 */
#ifndef STORE_SIM_ROWS_H
#define STORE_SIM_ROWS_H

#include "core/rand.h"
#include "core/slice.h"
#include "store/kv.h"

struct sim_row;
struct sim_rows;
struct sim_view;

/* A row to write or, without value, to delete. */
struct sim_edit {
	enum kv_family family;
	struct sim_row *row;
};

/* Edits in their order; zeroed is empty. */
struct sim_batch {
	size_t count, capacity;
	struct sim_edit *edits;
};

/* NULL `value`: deletes. */
void sim_batch_add(struct sim_batch *batch, enum kv_family family, struct slice key, const struct slice *value);
void sim_batch_clear(struct sim_batch *batch);
void sim_batch_free(struct sim_batch *batch); /* what it holds, not itself */

struct sim_rows *sim_rows_open(void);
void sim_rows_close(struct sim_rows *rows);

/* All of the batch. With `sync` it and all before it are durable; without, some of the oldest may become so, by the
 * seed. */
void sim_rows_write(struct sim_rows *rows, const struct sim_batch *batch, bool sync, struct rand *rand);

/* A write that failed: the next sim_rows_settle() or sim_rows_survive() decides whether it happened. */
void sim_rows_fail(struct sim_rows *rows, const struct sim_batch *batch);
void sim_rows_settle(struct sim_rows *rows, struct rand *rand);

/* What a power cut leaves, or (not `power`) the death of the process. */
struct sim_rows *sim_rows_survive(const struct sim_rows *rows, bool power, struct rand *rand);

/* A family as it is now. */
struct sim_view *sim_view_open(struct sim_rows *rows, enum kv_family family);
struct sim_view *sim_view_share(struct sim_view *view); /* the same once more */
void sim_view_close(struct sim_view *view);
size_t sim_view_count(const struct sim_view *view);
size_t sim_view_find(const struct sim_view *view, struct slice key, bool *found); /* of the first row >= key */
struct slice sim_view_key(const struct sim_view *view, size_t at);
struct slice sim_view_value(const struct sim_view *view, size_t at);

#endif
