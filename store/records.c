/* Rows of KV_RECORDS: the table's letter, then the id. See records.h. */
#include "store/records.h"

#include <assert.h>
#include <errno.h>

#include "store/store_internal.h"

enum { ROW_KEY_BYTES_MAX = 1 + RECORD_ID_BYTES_MAX };

static struct slice row_key(char memory[static ROW_KEY_BYTES_MAX], enum record_table table, struct slice id)
{
	assert(id.size <= RECORD_ID_BYTES_MAX);
	memory[0] = (char)table;
	if (id.size)
		memcpy(memory + 1, id.data, id.size);
	return slice_of(memory, 1 + id.size);
}

static struct sealed_name sealed_name_of(struct slice owner, struct slice id)
{
	return (struct sealed_name){.purpose = SEALED_CONNECTION, .owner = owner, .id = id};
}

/* What is sealed goes in before what names it, and out after it: so a name never stands without its value. */
static int write_sealed(struct store *store, const struct record *records, unsigned count, bool in)
{
	int rc = writer_writable(&store->writer) ? 0 : -EIO;

	for (unsigned i = 0; i < count && rc == 0; i++) {
		struct sealed_name name = sealed_name_of(records[i].owner, records[i].id);

		if (!records[i].owner.data || in != (records[i].value.data != NULL))
			continue;
		rc = in ? sealed_put(store->sealed, &name, records[i].value, 0, true)
			: sealed_remove(store->sealed, &name, true);
		if (rc == -EIO)
			writer_failed(&store->writer);
		rc = !in && rc == -ENOENT ? 0 : rc;
	}
	return rc < 0 ? -EIO : 0;
}

static void fill_batch(struct store *store, struct kv_batch *batch, const struct record *records, unsigned count)
{
	char key[ROW_KEY_BYTES_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct slice row = row_key(key, records[i].table, records[i].id);

		assert(records[i].id.size > 0);
		if (records[i].owner.data)
			continue;
		if (records[i].value.data)
			kv_batch_put(store->kv, batch, KV_RECORDS, row, records[i].value);
		else
			kv_batch_delete(store->kv, batch, KV_RECORDS, row);
	}
}

static int write_records(struct store *store, const struct record *records, unsigned count)
{
	struct kv_batch *batch = kv_batch_open();
	int rc = batch ? write_sealed(store, records, count, true) : -EIO;

	if (rc == 0) {
		fill_batch(store, batch, records, count);
		rc = writer_write(&store->writer, batch);
	}
	if (rc == 0)
		(void)write_sealed(store, records, count, false); /* what stays behind is read by nobody */
	if (batch)
		kv_batch_close(batch);
	return rc;
}

int records_read_sealed(const struct store *store, struct slice owner, struct slice id, char **value, size_t *size)
{
	struct sealed_name name = sealed_name_of(owner, id);

	return sealed_get(store->sealed, &name, 1, value, size);
}

static struct records_write *write_of(struct letter *letter)
{
	return container_of(letter, struct records_write, letter);
}

static void on_written(struct letter *letter)
{
	write_of(letter)->done(write_of(letter));
}

static void on_write(struct letter *letter)
{
	struct records_write *write = write_of(letter);

	write->result = write_records(write->store, write->records, write->count);
	letter->open = on_written;
	shard_post(write->shard, letter, &write->store->writer.shard);
}

void records_write_start(struct store *store, struct records_write *write)
{
	write->store = store;
	write->letter.open = on_write;
	shard_post(&store->writer.shard, &write->letter, write->shard);
}

static void seek(struct kv_walk *walk, enum record_table table, struct slice from, bool backwards)
{
	char key[ROW_KEY_BYTES_MAX], after = (char)(table + 1);

	if (!backwards)
		kv_walk_seek(walk, row_key(key, table, from));
	else if (from.size)
		kv_walk_seek_back(walk, row_key(key, table, from));
	else
		kv_walk_seek_back(walk, slice_of(&after, 1)); /* no row is a letter alone */
}

int records_read(const struct store *store, enum record_table table, struct slice from, bool backwards,
	records_tell *tell, void *context)
{
	struct kv_walk *walk = kv_walk_open(store->kv, KV_RECORDS);
	int rc;

	if (!walk)
		return -EIO;
	seek(walk, table, from, backwards);
	while (kv_walk_valid(walk)) {
		struct slice key = kv_walk_key(walk);

		if (key.size < 2 || key.data[0] != (char)table ||
			!tell(context, slice_after(key, 1), kv_walk_value(walk)))
			break;
		if (backwards)
			kv_walk_previous(walk);
		else
			kv_walk_next(walk);
	}
	rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}
