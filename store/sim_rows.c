/* Rows, views and what survives: see sim_rows.h. */
#include "store/sim_rows.h"

#include <assert.h>
#include <stdlib.h>

#include "store/disk_sim.h"

enum {
	/* One write in so many makes a part of what was not synced durable, as a flush of RocksDB's does. */
	WRITES_A_FLUSH = 8,
	ROWS_FIRST = 16,
};

struct sim_row {
	unsigned users;
	bool deleted;
	size_t key_bytes, value_bytes;
	char bytes[]; /* key, value */
};

/* Ordered by key. Written only while it has one user. */
struct sim_view {
	unsigned users;
	size_t count, capacity;
	struct sim_row **rows;
};

struct sim_rows {
	struct sim_view *now[KV_FAMILY_COUNT], *durable[KV_FAMILY_COUNT];
	/* What lies between the two, oldest first. */
	size_t log_count, log_capacity;
	struct sim_batch *log;
	struct sim_batch failed; /* empty: none */
};

static void *grow(void *array, size_t count, size_t *capacity, size_t item_bytes)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? 2 * *capacity : ROWS_FIRST;
	array = reallocarray(array, *capacity, item_bytes);
	assert(array);
	return array;
}

static struct slice key_of(const struct sim_row *row)
{
	return slice_of(row->bytes, row->key_bytes);
}

/* As RocksDB orders: bytes unsigned, a prefix first. */
static int compare(struct slice a, struct slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static struct sim_row *use_row(struct sim_row *row)
{
	row->users++;
	return row;
}

static void drop_row(struct sim_row *row)
{
	if (--row->users == 0)
		free(row);
}

void sim_batch_add(struct sim_batch *batch, enum kv_family family, struct slice key, const struct slice *value)
{
	size_t value_bytes = value ? value->size : 0;
	struct sim_row *row = sim_alloc(sizeof(*row) + key.size + value_bytes);

	*row = (struct sim_row){.users = 1, .deleted = !value, .key_bytes = key.size, .value_bytes = value_bytes};
	if (key.size)
		memcpy(row->bytes, key.data, key.size);
	if (value_bytes)
		memcpy(row->bytes + key.size, value->data, value_bytes);
	batch->edits = grow(batch->edits, batch->count, &batch->capacity, sizeof(*batch->edits));
	batch->edits[batch->count++] = (struct sim_edit){family, row};
}

void sim_batch_clear(struct sim_batch *batch)
{
	while (batch->count > 0)
		drop_row(batch->edits[--batch->count].row);
}

void sim_batch_free(struct sim_batch *batch)
{
	sim_batch_clear(batch);
	free(batch->edits);
	memset(batch, 0, sizeof(*batch));
}

static struct sim_batch copy_batch(const struct sim_batch *batch)
{
	struct sim_batch copy = {.count = batch->count, .capacity = batch->count};

	if (batch->count == 0)
		return copy;
	copy.edits = sim_alloc(batch->count * sizeof(*copy.edits));
	for (size_t i = 0; i < batch->count; i++)
		copy.edits[i] = (struct sim_edit){batch->edits[i].family, use_row(batch->edits[i].row)};
	return copy;
}

static struct sim_view *make_view(void)
{
	struct sim_view *view = sim_alloc(sizeof(*view));

	*view = (struct sim_view){.users = 1};
	return view;
}

struct sim_view *sim_view_share(struct sim_view *view)
{
	view->users++;
	return view;
}

void sim_view_close(struct sim_view *view)
{
	if (--view->users > 0)
		return;
	for (size_t i = 0; i < view->count; i++)
		drop_row(view->rows[i]);
	free(view->rows);
	free(view);
}

/* The view for writing: others that use it keep what they see. */
static struct sim_view *own(struct sim_view **place)
{
	struct sim_view *shared = *place, *copy;

	if (shared->users == 1)
		return shared;
	copy = make_view();
	copy->count = copy->capacity = shared->count;
	if (copy->count > 0)
		copy->rows = sim_alloc(copy->count * sizeof(*copy->rows));
	for (size_t i = 0; i < copy->count; i++)
		copy->rows[i] = use_row(shared->rows[i]);
	sim_view_close(shared);
	return *place = copy;
}

size_t sim_view_find(const struct sim_view *view, struct slice key, bool *found)
{
	size_t low = 0, high = view->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(key_of(view->rows[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < view->count && compare(key_of(view->rows[low]), key) == 0;
	return low;
}

static void apply_edit(struct sim_view **place, struct sim_row *row)
{
	struct sim_view *view = own(place);
	bool found;
	size_t at = sim_view_find(view, key_of(row), &found);

	if (found) {
		drop_row(view->rows[at]);
		if (!row->deleted) {
			view->rows[at] = use_row(row);
			return;
		}
		view->count--;
		memmove(view->rows + at, view->rows + at + 1, (view->count - at) * sizeof(*view->rows));
	} else if (!row->deleted) {
		view->rows = grow(view->rows, view->count, &view->capacity, sizeof(*view->rows));
		memmove(view->rows + at + 1, view->rows + at, (view->count - at) * sizeof(*view->rows));
		view->rows[at] = use_row(row);
		view->count++;
	}
}

static void apply(struct sim_view **families, const struct sim_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		apply_edit(&families[batch->edits[i].family], batch->edits[i].row);
}

static void flush(struct sim_rows *rows, size_t batches)
{
	for (size_t i = 0; i < batches; i++) {
		apply(rows->durable, &rows->log[i]);
		sim_batch_free(&rows->log[i]);
	}
	rows->log_count -= batches;
	if (batches > 0 && rows->log_count > 0)
		memmove(rows->log, rows->log + batches, rows->log_count * sizeof(*rows->log));
}

static void add_to_log(struct sim_rows *rows, const struct sim_batch *batch)
{
	rows->log = grow(rows->log, rows->log_count, &rows->log_capacity, sizeof(*rows->log));
	rows->log[rows->log_count++] = copy_batch(batch);
}

struct sim_rows *sim_rows_open(void)
{
	struct sim_rows *rows = sim_alloc(sizeof(*rows));

	memset(rows, 0, sizeof(*rows));
	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++) {
		rows->now[i] = make_view();
		rows->durable[i] = make_view();
	}
	return rows;
}

void sim_rows_close(struct sim_rows *rows)
{
	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++) {
		sim_view_close(rows->now[i]);
		sim_view_close(rows->durable[i]);
	}
	for (size_t i = 0; i < rows->log_count; i++)
		sim_batch_free(&rows->log[i]);
	free(rows->log);
	sim_batch_free(&rows->failed);
	free(rows);
}

void sim_rows_write(struct sim_rows *rows, const struct sim_batch *batch, bool sync, struct rand *rand)
{
	assert(rows->failed.count == 0);
	apply(rows->now, batch);
	add_to_log(rows, batch);
	if (sync)
		flush(rows, rows->log_count);
	else if (rand_below(rand, WRITES_A_FLUSH) == 0)
		flush(rows, rand_below(rand, rows->log_count + 1));
}

void sim_rows_fail(struct sim_rows *rows, const struct sim_batch *batch)
{
	if (rows->failed.count == 0)
		rows->failed = copy_batch(batch);
}

void sim_rows_settle(struct sim_rows *rows, struct rand *rand)
{
	if (rows->failed.count == 0)
		return;
	if (rand_below(rand, 2)) {
		apply(rows->now, &rows->failed);
		add_to_log(rows, &rows->failed);
	}
	sim_batch_free(&rows->failed);
}

/* The log ends anywhere; of what is left nothing can be lost again. */
static void cut_log(struct sim_rows *rows, struct rand *rand)
{
	size_t kept = rand_below(rand, rows->log_count + 1);

	if (kept == rows->log_count && rows->failed.count > 0 && rand_below(rand, 2)) {
		add_to_log(rows, &rows->failed);
		kept++;
	}
	while (rows->log_count > kept)
		sim_batch_free(&rows->log[--rows->log_count]);
	flush(rows, kept);
	sim_batch_free(&rows->failed);
	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++) {
		sim_view_close(rows->now[i]);
		rows->now[i] = sim_view_share(rows->durable[i]);
	}
}

struct sim_rows *sim_rows_survive(const struct sim_rows *rows, bool power, struct rand *rand)
{
	struct sim_rows *left = sim_alloc(sizeof(*left));

	memset(left, 0, sizeof(*left));
	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++) {
		left->durable[i] = sim_view_share(rows->durable[i]);
		left->now[i] = sim_view_share(rows->now[i]);
	}
	for (size_t i = 0; i < rows->log_count; i++)
		add_to_log(left, &rows->log[i]);
	left->failed = copy_batch(&rows->failed);
	if (power)
		cut_log(left, rand);
	return left;
}

struct sim_view *sim_view_open(struct sim_rows *rows, enum kv_family family)
{
	return sim_view_share(rows->now[family]);
}

size_t sim_view_count(const struct sim_view *view)
{
	return view->count;
}

struct slice sim_view_key(const struct sim_view *view, size_t at)
{
	assert(at < view->count);
	return key_of(view->rows[at]);
}

struct slice sim_view_value(const struct sim_view *view, size_t at)
{
	const struct sim_row *row;

	assert(at < view->count);
	row = view->rows[at];
	return slice_of(row->bytes + row->key_bytes, row->value_bytes);
}
