/*
 * The database in the simulation: kv.h over the rows of the current simulated disk (disk_sim.h). It behaves as
 * kv_rocksdb.c does where a caller can tell: one writer a path, a failed write that ends all writing until kv_reopen(),
 * views that stay as they were. What must not be used any longer is freed at once, and filled first, so that use shows
 * with and without ASan.
 */
#include "store/kv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/disk_sim.h"
#include "store/sim_rows.h"

enum { POISON = 0xdb };

struct kv {
	struct sim_handle handle;
	struct sim_rows *rows;                   /* NULL: not open */
	struct sim_view *views[KV_FAMILY_COUNT]; /* of a read-only one: as it was when it was opened */
	bool read_only;
	bool failed; /* a write failed: none is taken until it is opened again */
	unsigned walks;
	char *path;
};

struct kv_batch {
	struct sim_handle handle;
	struct sim_batch batch;
};

struct kv_walk {
	struct sim_handle handle;
	struct kv *kv;
	struct sim_view *view;
	size_t at; /* beyond the last row: nowhere */
	struct slice key, value;
};

/* Of exactly that size, so that a byte too far shows as well. */
static struct slice copy_slice(struct slice bytes)
{
	char *copy = sim_alloc(bytes.size ? bytes.size : 1);

	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	return slice_of(copy, bytes.size);
}

static void discard(struct slice *bytes)
{
	char *copy = (char *)(uintptr_t)bytes->data;

	if (copy) {
		memset(copy, POISON, bytes->size);
		/* Else the compiler drops what is written to memory that is freed. */
		__asm__ volatile("" : : "r"(copy) : "memory");
		free(copy);
	}
	*bytes = slice_of(NULL, 0);
}

/* ---- Open and close ---- */

static int open_rows(struct kv *kv, char *why, size_t why_bytes)
{
	struct sim_disk *disk = kv->handle.disk;

	if (!kv->read_only) {
		sim_disk_touch(disk);
		if (sim_disk_full(disk) && rand_below(sim_disk_rand(disk), 2)) {
			snprintf(why, why_bytes, "cannot open the database %s: no space left on device", kv->path);
			return -EIO;
		}
	}
	kv->rows = sim_disk_rows(disk, kv->path, !kv->read_only, why, why_bytes);
	if (!kv->rows)
		return -EIO;
	sim_rows_settle(kv->rows, sim_disk_rand(disk));
	kv->failed = false;
	for (unsigned i = 0; kv->read_only && i < KV_FAMILY_COUNT; i++)
		kv->views[i] = sim_view_open(kv->rows, i);
	return 0;
}

static void close_rows(struct kv *kv)
{
	if (!kv->rows)
		return;
	if (kv->read_only)
		for (unsigned i = 0; i < KV_FAMILY_COUNT; i++)
			sim_view_close(kv->views[i]);
	else
		sim_disk_rows_release(kv->handle.disk, kv->path);
	kv->rows = NULL;
}

static struct kv *kv_of(struct sim_handle *handle)
{
	return container_of(handle, struct kv, handle);
}

static void end_kv(struct sim_handle *handle)
{
	close_rows(kv_of(handle));
}

static void free_kv(struct sim_handle *handle)
{
	free(kv_of(handle)->path);
	free(kv_of(handle));
}

int kv_open(struct kv **kv, const char *path, bool read_only, char *why, size_t why_bytes)
{
	struct kv *made = sim_alloc(sizeof(*made));
	int rc;

	*kv = NULL;
	memset(made, 0, sizeof(*made));
	made->read_only = read_only;
	made->path = sim_alloc(strlen(path) + 1);
	memcpy(made->path, path, strlen(path) + 1);
	sim_handle_open(&made->handle, end_kv, free_kv);
	rc = open_rows(made, why, why_bytes);
	if (rc < 0)
		kv_close(made);
	else
		*kv = made;
	return rc;
}

void kv_close(struct kv *kv)
{
	assert(kv->walks == 0 || !kv->handle.disk);
	sim_handle_close(&kv->handle);
}

int kv_reopen(struct kv *kv)
{
	char why[256];

	assert(kv->handle.disk);
	assert(kv->walks == 0); /* a thread would wait for itself here */
	close_rows(kv);
	return open_rows(kv, why, sizeof(why));
}

/* ---- Batches ---- */

static void end_batch(struct sim_handle *handle)
{
	sim_batch_free(&container_of(handle, struct kv_batch, handle)->batch);
}

static void free_batch(struct sim_handle *handle)
{
	free(container_of(handle, struct kv_batch, handle));
}

struct kv_batch *kv_batch_open(void)
{
	struct kv_batch *batch = sim_alloc(sizeof(*batch));

	memset(batch, 0, sizeof(*batch));
	sim_handle_open(&batch->handle, end_batch, free_batch);
	return batch;
}

void kv_batch_close(struct kv_batch *batch)
{
	sim_handle_close(&batch->handle);
}

void kv_batch_clear(struct kv_batch *batch)
{
	assert(batch->handle.disk);
	sim_batch_clear(&batch->batch);
}

void kv_batch_put(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key, struct slice value)
{
	assert(kv->rows && batch->handle.disk);
	sim_batch_add(&batch->batch, family, key, &value);
}

void kv_batch_delete(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key)
{
	assert(kv->rows && batch->handle.disk);
	sim_batch_add(&batch->batch, family, key, NULL);
}

int kv_write(struct kv *kv, struct kv_batch *batch, bool sync)
{
	struct sim_disk *disk = kv->handle.disk;

	assert(disk && batch->handle.disk == disk);
	if (!kv->rows || kv->read_only || kv->failed)
		return -EIO;
	sim_disk_touch(disk);
	if (!sim_disk_full(disk)) {
		sim_rows_write(kv->rows, &batch->batch, sync, sim_disk_rand(disk));
		return 0;
	}
	sim_rows_fail(kv->rows, &batch->batch);
	kv->failed = true;
	return -EIO;
}

/* ---- Look-ups and walks ---- */

static struct sim_view *view_of(struct kv *kv, enum kv_family family)
{
	return kv->read_only ? sim_view_share(kv->views[family]) : sim_view_open(kv->rows, family);
}

void kv_give_back(struct kv *kv, enum kv_family family, struct slice from, struct slice to)
{
	assert(kv->rows && !kv->read_only && family < KV_FAMILY_COUNT && from.size && to.size);
}

struct kv_size kv_about(struct kv *kv, enum kv_family family)
{
	struct kv_size size = {0, 0};
	struct sim_view *view;

	assert(kv->handle.disk);
	if (!kv->rows)
		return size;
	view = view_of(kv, family);
	size.rows = sim_view_count(view);
	for (size_t i = 0; i < size.rows; i++)
		size.bytes += sim_view_key(view, i).size + sim_view_value(view, i).size;
	sim_view_close(view);
	return size;
}

int kv_get(struct kv *kv, enum kv_family family, struct slice key, struct kv_row *row)
{
	struct sim_view *view;
	bool found;
	size_t at;

	assert(kv->handle.disk);
	if (!kv->rows)
		return -EIO;
	view = view_of(kv, family);
	at = sim_view_find(view, key, &found);
	if (found) {
		row->value = copy_slice(sim_view_value(view, at));
		row->pinned = NULL;
	}
	sim_view_close(view);
	return found ? 0 : -ENOENT;
}

void kv_row_fini(struct kv_row *row)
{
	discard(&row->value);
}

static struct kv_walk *walk_of(struct sim_handle *handle)
{
	return container_of(handle, struct kv_walk, handle);
}

/* Moves to `at`, which may be nowhere; what was handed out is gone. */
static void move(struct kv_walk *walk, size_t at)
{
	discard(&walk->key);
	discard(&walk->value);
	walk->at = at;
	if (walk->view && at < sim_view_count(walk->view)) {
		walk->key = copy_slice(sim_view_key(walk->view, at));
		walk->value = copy_slice(sim_view_value(walk->view, at));
	}
}

static void end_walk(struct sim_handle *handle)
{
	struct kv_walk *walk = walk_of(handle);

	move(walk, SIZE_MAX);
	sim_view_close(walk->view);
	walk->view = NULL;
}

static void free_walk(struct sim_handle *handle)
{
	free(walk_of(handle));
}

struct kv_walk *kv_walk_open(struct kv *kv, enum kv_family family)
{
	struct kv_walk *walk;

	assert(kv->handle.disk);
	if (!kv->rows)
		return NULL;
	walk = sim_alloc(sizeof(*walk));
	*walk = (struct kv_walk){.kv = kv, .view = view_of(kv, family), .at = SIZE_MAX};
	sim_handle_open(&walk->handle, end_walk, free_walk);
	kv->walks++;
	return walk;
}

void kv_walk_close(struct kv_walk *walk)
{
	if (walk->handle.disk)
		walk->kv->walks--;
	sim_handle_close(&walk->handle);
}

void kv_walk_seek(struct kv_walk *walk, struct slice key)
{
	bool found;

	assert(walk->view);
	move(walk, sim_view_find(walk->view, key, &found));
}

void kv_walk_seek_back(struct kv_walk *walk, struct slice key)
{
	bool found;
	size_t at;

	assert(walk->view);
	at = sim_view_find(walk->view, key, &found);
	move(walk, found ? at : at - 1); /* before the first: nowhere, as a huge number is */
}

bool kv_walk_valid(const struct kv_walk *walk)
{
	return walk->view && walk->at < sim_view_count(walk->view);
}

void kv_walk_next(struct kv_walk *walk)
{
	assert(kv_walk_valid(walk));
	move(walk, walk->at + 1);
}

void kv_walk_previous(struct kv_walk *walk)
{
	assert(kv_walk_valid(walk));
	move(walk, walk->at - 1);
}

struct slice kv_walk_key(const struct kv_walk *walk)
{
	assert(kv_walk_valid(walk));
	return walk->key;
}

struct slice kv_walk_value(const struct kv_walk *walk)
{
	assert(kv_walk_valid(walk));
	return walk->value;
}

int kv_walk_error(const struct kv_walk *walk)
{
	assert(walk->view);
	return 0;
}
