/* See migrate.h. */
#include "store/migrate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/commit.h"
#include "store/pack.h"
#include "store/receipt_index.h"

enum {
	OLD_KEY_KEY_BYTES = 17, /* 'k', u64 key, u64 block */
	ROWS_A_WRITE = 1000,
	COUNTED_BY_DAY = 6, /* the first version whose counters need not be counted anew */
};

struct migration {
	struct kv *kv;
	struct kv_batch *batch;
	unsigned rows; /* in the batch */
	struct receipt receipt;
	struct index_builder index;
};

static int write_rows(struct migration *m, bool sync)
{
	int rc = kv_write(m->kv, m->batch, sync);

	kv_batch_clear(m->batch);
	m->rows = 0;
	return rc;
}

static int remove_old_rows(struct migration *m)
{
	struct kv_walk *walk = kv_walk_open(m->kv, KV_INDEX);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, SLICE("k")); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);

		if (key.data[0] != 'k')
			break;
		if (key.size != OLD_KEY_KEY_BYTES)
			continue;
		kv_batch_delete(m->kv, m->batch, KV_INDEX, key);
		if (++m->rows == ROWS_A_WRITE)
			rc = write_rows(m, false);
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc < 0 ? rc : write_rows(m, false);
}

static void put_key_row(void *context, struct slice key, struct slice value)
{
	struct migration *m = context;

	if (key.data[0] != 'k')
		return;
	kv_batch_put(m->kv, m->batch, KV_INDEX, key, value);
	m->rows++;
}

static int index_block(struct migration *m, struct slice key, struct slice value)
{
	struct unpacker u = {key.data, key.data + key.size, false};
	uint64_t block = unpack_be64(&u);
	struct block_view view;
	int rc = block_view_open(&view, value);

	if (rc < 0 || u.bad || view.count > BLOCK_RECEIPTS_MAX)
		return -EBADMSG;
	index_builder_clear(&m->index);
	for (uint32_t i = 0; i < view.count; i++) {
		struct slice record = block_view_record(&view, i);

		if (record.size > 0 && receipt_decode(record, &m->receipt) == 0)
			index_builder_add(&m->index, &m->receipt.request_id, m->receipt.key_id);
	}
	index_builder_rows(&m->index, block, put_key_row, m);
	return m->rows >= ROWS_A_WRITE ? write_rows(m, false) : 0;
}

static int index_blocks(struct migration *m)
{
	struct kv_walk *walk = kv_walk_open(m->kv, KV_RECEIPTS);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, SLICE("")); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk))
		rc = index_block(m, kv_walk_key(walk), kv_walk_value(walk));
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc < 0 ? rc : write_rows(m, false);
}

static int from_first(struct migration *m)
{
	int rc = remove_old_rows(m);

	return rc == 0 ? index_blocks(m) : rc;
}

/* Without rows, and none said to be counted, commit_open() counts them all. */
static int count_anew(struct migration *m)
{
	struct kv_walk *walk = kv_walk_open(m->kv, KV_COUNTERS);
	char none[8] = {0};
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	kv_batch_put(m->kv, m->batch, KV_META, SLICE("counted"), slice_of(none, sizeof(none)));
	for (kv_walk_seek(walk, SLICE("")); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk)) {
		kv_batch_delete(m->kv, m->batch, KV_COUNTERS, kv_walk_key(walk));
		if (++m->rows == ROWS_A_WRITE)
			rc = write_rows(m, false);
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int read_version(struct kv *kv, uint32_t *version)
{
	struct kv_row row;
	int rc = kv_get(kv, KV_META, SLICE("schema"), &row);

	if (rc < 0)
		return rc;
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};

	*version = unpack_u32(&u);
	kv_row_fini(&row);
	return u.bad ? -EBADMSG : 0;
}

static int finish(struct migration *m)
{
	char version[4];
	struct packer v = {version, version + sizeof(version), false};

	pack_u32(&v, SCHEMA_VERSION);
	kv_batch_put(m->kv, m->batch, KV_META, SLICE("schema"), slice_of(version, sizeof(version)));
	return write_rows(m, true);
}

int migrate(struct kv *kv, char *why, size_t why_bytes)
{
	struct migration *m = calloc(1, sizeof(*m));
	uint32_t version = 0;
	int rc = -ENOMEM;

	if (m) {
		m->kv = kv;
		m->batch = kv_batch_open();
	}
	if (m && m->batch) {
		rc = read_version(kv, &version);
		if (rc == 0 && version == 1)
			rc = from_first(m);
		if (rc == 0 && version < COUNTED_BY_DAY)
			rc = count_anew(m);
		if (rc == 0)
			rc = finish(m);
		kv_batch_close(m->batch);
	}
	free(m);
	if (rc < 0)
		snprintf(why, why_bytes, "the database cannot be brought up to schema version %d: %s", SCHEMA_VERSION,
			strerror(-rc));
	return rc;
}
