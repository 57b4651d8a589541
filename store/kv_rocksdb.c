/*
 * The database on RocksDB's C API.
 *
 * That API cannot resume after a background error, so a failed write is cured by closing and opening again, under a
 * lock that readers hold while they hold anything of the database's.
 */
#include "store/kv.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/kv_log.h"

static const char *const family_names[KV_FAMILY_COUNT] = {
	"default", "receipts", "index", "counters", "records", "sealed"};

enum kv_sizes {
	WRITE_BUFFER_BYTES = 32 << 20,
	WAL_BYTES_MAX = 128 << 20,
	LOG_FILES_RECYCLED = 4,
	BACKGROUND_JOBS = 2,
	CACHE_BYTES = 64 << 20, /* blocks, indexes and filters together */
	BLOOM_BITS = 10,
	OPEN_FILES_MAX = 256,
	COMPACTION_BYTES_A_SECOND = 64 << 20,
};

struct kv {
	rocksdb_t *db; /* NULL: opening it again failed */
	rocksdb_column_family_handle_t *families[KV_FAMILY_COUNT];
	rocksdb_options_t *options;
	rocksdb_readoptions_t *read_options;
	rocksdb_writeoptions_t *write_options, *sync_options;
	pthread_rwlock_t
		lock; /* held for reading while anything of db is in use by a reader; for writing by kv_reopen() */
	bool read_only;
	char *path;
};

struct kv_batch {
	rocksdb_writebatch_t *rows;
};

struct kv_walk {
	struct kv *kv;
	rocksdb_iterator_t *iterator;
};

static rocksdb_options_t *make_options(void)
{
	rocksdb_options_t *options = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_cache_t *cache = rocksdb_cache_create_lru(CACHE_BYTES);
	rocksdb_ratelimiter_t *limiter = rocksdb_ratelimiter_create(COMPACTION_BYTES_A_SECOND, 100000, 10);

	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_create_missing_column_families(options, 1);
	rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER_BYTES);
	rocksdb_options_set_max_total_wal_size(options, WAL_BYTES_MAX);
	rocksdb_options_set_recycle_log_file_num(options, LOG_FILES_RECYCLED);
	rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
	rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
	rocksdb_options_set_compression(options, rocksdb_lz4_compression);
	/*
	 * No log of its own: Debian builds RocksDB with assertions, and its log fails one at the line after it met a
	 * full disk, which would end the process just when it has to hold out.
	 */
	kv_log_none(options);
	rocksdb_options_set_stats_dump_period_sec(options, 0);
	rocksdb_options_set_ratelimiter(options, limiter);
	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(options, table);
	rocksdb_block_based_options_destroy(table);
	rocksdb_cache_destroy(cache);
	rocksdb_ratelimiter_destroy(limiter);
	return options;
}

static void close_database(struct kv *kv)
{
	if (!kv->db)
		return;
	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++)
		rocksdb_column_family_handle_destroy(kv->families[i]);
	rocksdb_close(kv->db);
	kv->db = NULL;
}

/* Programs before had fewer families, one that comes may have more; 0: as many, so that is not why it cannot be opened.
 */
static int say_families(struct kv *kv, char *why, size_t why_bytes)
{
	char *error = NULL;
	size_t count = 0;
	char **names = rocksdb_list_column_families(kv->options, kv->path, &count, &error);

	rocksdb_list_column_families_destroy(names, count);
	if (error) {
		rocksdb_free(error);
		return 0;
	}
	if (count < KV_FAMILY_COUNT)
		snprintf(why, why_bytes,
			"the database %s has an older schema: start the gateway once, which brings it up to date",
			kv->path);
	if (count > KV_FAMILY_COUNT)
		snprintf(why, why_bytes, "the database %s has a newer schema: use the program that wrote it", kv->path);
	return count < KV_FAMILY_COUNT ? -ESTALE : count > KV_FAMILY_COUNT ? -ENOTSUP : 0;
}

static int open_database(struct kv *kv, char *why, size_t why_bytes)
{
	const rocksdb_options_t *options[KV_FAMILY_COUNT];
	char *error = NULL;
	int rc;

	for (unsigned i = 0; i < KV_FAMILY_COUNT; i++)
		options[i] = kv->options;
	if (kv->read_only)
		kv->db = rocksdb_open_for_read_only_column_families(
			kv->options, kv->path, KV_FAMILY_COUNT, family_names, options, kv->families, 0, &error);
	else
		kv->db = rocksdb_open_column_families(
			kv->options, kv->path, KV_FAMILY_COUNT, family_names, options, kv->families, &error);
	if (!error)
		return 0;
	kv->db = NULL;
	rc = say_families(kv, why, why_bytes);
	if (rc == 0) {
		snprintf(why, why_bytes, "cannot open the database %s: %s", kv->path, error);
		rc = -EIO;
	}
	rocksdb_free(error);
	return rc;
}

int kv_open(struct kv **kv, const char *path, bool read_only, char *why, size_t why_bytes)
{
	struct kv *made = calloc(1, sizeof(*made));
	int rc;

	*kv = NULL;
	if (made)
		made->path = strdup(path);
	if (!made || !made->path) {
		free(made);
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	pthread_rwlock_init(&made->lock, NULL);
	made->read_only = read_only;
	made->options = make_options();
	made->read_options = rocksdb_readoptions_create();
	made->write_options = rocksdb_writeoptions_create();
	made->sync_options = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(made->sync_options, 1);
	rc = open_database(made, why, why_bytes);
	if (rc < 0)
		kv_close(made);
	else
		*kv = made;
	return rc;
}

void kv_close(struct kv *kv)
{
	close_database(kv);
	rocksdb_writeoptions_destroy(kv->write_options);
	rocksdb_writeoptions_destroy(kv->sync_options);
	rocksdb_readoptions_destroy(kv->read_options);
	rocksdb_options_destroy(kv->options);
	pthread_rwlock_destroy(&kv->lock);
	free(kv->path);
	free(kv);
}

int kv_reopen(struct kv *kv)
{
	char why[256];
	int rc;

	pthread_rwlock_wrlock(&kv->lock);
	close_database(kv);
	rc = open_database(kv, why, sizeof(why));
	pthread_rwlock_unlock(&kv->lock);
	return rc;
}

struct kv_batch *kv_batch_open(void)
{
	struct kv_batch *batch = malloc(sizeof(*batch));

	if (batch)
		batch->rows = rocksdb_writebatch_create();
	return batch;
}

void kv_batch_close(struct kv_batch *batch)
{
	rocksdb_writebatch_destroy(batch->rows);
	free(batch);
}

void kv_batch_clear(struct kv_batch *batch)
{
	rocksdb_writebatch_clear(batch->rows);
}

/* A batch names a family by its number, which an open database tells; it stays the same when the database is opened
 * again. */
void kv_batch_put(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key, struct slice value)
{
	assert(kv->db);
	rocksdb_writebatch_put_cf(batch->rows, kv->families[family], key.data, key.size, value.data, value.size);
}

void kv_batch_delete(struct kv *kv, struct kv_batch *batch, enum kv_family family, struct slice key)
{
	assert(kv->db);
	rocksdb_writebatch_delete_cf(batch->rows, kv->families[family], key.data, key.size);
}

int kv_write(struct kv *kv, struct kv_batch *batch, bool sync)
{
	char *error = NULL;

	if (!kv->db)
		return -EIO;
	rocksdb_write(kv->db, sync ? kv->sync_options : kv->write_options, batch->rows, &error);
	if (!error)
		return 0;
	rocksdb_free(error);
	return -EIO;
}

/*
 * Compaction takes files, so what is still in memory goes into one; if either fails, the space comes back later. So it
 * does where all lies in the first level, which is small then.
 */
void kv_give_back(struct kv *kv, enum kv_family family, struct slice from, struct slice to)
{
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	char *error = NULL;

	rocksdb_flushoptions_set_wait(options, 0);
	if (kv->db)
		rocksdb_suggest_compact_range_cf(
			kv->db, kv->families[family], from.data, from.size, to.data, to.size, &error);
	rocksdb_free(error);
	error = NULL;
	if (kv->db)
		rocksdb_flush_cf(kv->db, options, kv->families[family], &error);
	rocksdb_free(error);
	rocksdb_flushoptions_destroy(options);
}

static uint64_t property(struct kv *kv, enum kv_family family, const char *name)
{
	uint64_t value;

	return rocksdb_property_int_cf(kv->db, kv->families[family], name, &value) == 0 ? value : 0;
}

struct kv_size kv_about(struct kv *kv, enum kv_family family)
{
	struct kv_size size = {0, 0};

	pthread_rwlock_rdlock(&kv->lock);
	if (kv->db)
		size = (struct kv_size){property(kv, family, "rocksdb.estimate-num-keys"),
			property(kv, family, "rocksdb.estimate-live-data-size") +
				property(kv, family, "rocksdb.size-all-mem-tables")};
	pthread_rwlock_unlock(&kv->lock);
	return size;
}

int kv_get(struct kv *kv, enum kv_family family, struct slice key, struct kv_row *row)
{
	rocksdb_pinnableslice_t *pinned = NULL;
	char *error = NULL;
	char *copy = NULL;
	size_t size = 0;

	pthread_rwlock_rdlock(&kv->lock);
	if (kv->db)
		pinned = rocksdb_get_pinned_cf(
			kv->db, kv->read_options, kv->families[family], key.data, key.size, &error);
	if (pinned) {
		const char *value = rocksdb_pinnableslice_value(pinned, &size);

		/* A copy, so that no row outlives the lock: kv_reopen() must not pull memory from under a reader. */
		copy = malloc(size ? size : 1);
		if (copy)
			memcpy(copy, value, size);
		rocksdb_pinnableslice_destroy(pinned);
	}
	bool open = kv->db;
	pthread_rwlock_unlock(&kv->lock);
	if (error)
		rocksdb_free(error);
	if (error || !open || (pinned && !copy))
		return -EIO;
	if (!pinned)
		return -ENOENT;
	row->pinned = copy;
	row->value = slice_of(copy, size);
	return 0;
}

void kv_row_fini(struct kv_row *row)
{
	free(row->pinned);
}

struct kv_walk *kv_walk_open(struct kv *kv, enum kv_family family)
{
	struct kv_walk *walk = malloc(sizeof(*walk));

	if (!walk)
		return NULL;
	pthread_rwlock_rdlock(&kv->lock);
	if (!kv->db) {
		pthread_rwlock_unlock(&kv->lock);
		free(walk);
		return NULL;
	}
	walk->kv = kv;
	walk->iterator = rocksdb_create_iterator_cf(kv->db, kv->read_options, kv->families[family]);
	return walk;
}

void kv_walk_close(struct kv_walk *walk)
{
	rocksdb_iter_destroy(walk->iterator);
	pthread_rwlock_unlock(&walk->kv->lock);
	free(walk);
}

void kv_walk_seek(struct kv_walk *walk, struct slice key)
{
	rocksdb_iter_seek(walk->iterator, key.data, key.size);
}

void kv_walk_seek_back(struct kv_walk *walk, struct slice key)
{
	rocksdb_iter_seek_for_prev(walk->iterator, key.data, key.size);
}

bool kv_walk_valid(const struct kv_walk *walk)
{
	return rocksdb_iter_valid(walk->iterator);
}

void kv_walk_next(struct kv_walk *walk)
{
	rocksdb_iter_next(walk->iterator);
}

void kv_walk_previous(struct kv_walk *walk)
{
	rocksdb_iter_prev(walk->iterator);
}

struct slice kv_walk_key(const struct kv_walk *walk)
{
	struct slice key;

	key.data = rocksdb_iter_key(walk->iterator, &key.size);
	return key;
}

struct slice kv_walk_value(const struct kv_walk *walk)
{
	struct slice value;

	value.data = rocksdb_iter_value(walk->iterator, &value.size);
	return value;
}

int kv_walk_error(const struct kv_walk *walk)
{
	char *error = NULL;

	rocksdb_iter_get_error(walk->iterator, &error);
	if (!error)
		return 0;
	rocksdb_free(error);
	return -EIO;
}
