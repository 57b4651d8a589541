/*
 * Group commit: see commit.h. Rows of KV_META:
 *
 *   "schema"                 u32 version
 *   "node"                   the name under which the database was made
 *   "chain"                  u64 last block, 32 bytes of chain
 *   "counted"                u64 block: the counters' rows add up the receipts of all blocks up to it
 *   "journal/" generation    u64 position: all before it is committed
 *   "retained/" days, "expired"   of retention.c
 */
#include "store/commit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/migrate.h"
#include "store/pack.h"
#include "store/receipt_index.h"

struct commit {
	struct kv *kv;
	struct kv_batch *batch;
	struct counters *counters;
	pthread_mutex_t counting; /* held while counters change, and by who looks at them from another thread */
	struct chain_end end;     /* of the last group, pending or not */
	uint64_t counted;         /* the block up to which the counters' rows add up, the pending group's included */
	uint64_t committed_ns;
	bool pending;
	bool pending_rows; /* and it is of counters' rows alone: no journal is released */
	unsigned first;    /* the journal to begin with, so that none waits behind the others for ever */
	uint64_t positions[COMMIT_JOURNALS_MAX];
	size_t block_bytes;
	struct receipt receipt;
	struct index_builder index;
	struct block_builder block;
};

void block_key(char key[static 8], uint64_t block)
{
	struct packer p = {key, key + 8, false};

	pack_be64(&p, block);
}

static struct slice journal_key(char key[static META_JOURNAL_KEY_BYTES], uint64_t generation)
{
	struct packer p = {key, key + META_JOURNAL_KEY_BYTES, false};

	pack_bytes(&p, "journal/", 8);
	pack_be64(&p, generation);
	return slice_of(key, META_JOURNAL_KEY_BYTES);
}

/* A row of KV_META that is a number; 0 when it is not there. */
static int read_number(struct kv *kv, struct slice key, uint64_t *number)
{
	struct kv_row row;
	int rc = kv_get(kv, KV_META, key, &row);

	*number = 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};

	*number = unpack_u64(&u);
	kv_row_fini(&row);
	return u.bad ? -EBADMSG : 0;
}

int commit_journal_tail(struct kv *kv, uint64_t generation, uint64_t *tail)
{
	char key[META_JOURNAL_KEY_BYTES];

	return read_number(kv, journal_key(key, generation), tail);
}

int commit_read_counted(struct kv *kv, uint64_t *block)
{
	return read_number(kv, SLICE("counted"), block);
}

int commit_read_chain(struct kv *kv, struct chain_end *end)
{
	struct kv_row row;
	int rc = kv_get(kv, KV_META, SLICE("chain"), &row);

	memset(end, 0, sizeof(*end));
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};
	const char *chain;

	end->block = unpack_u64(&u);
	chain = unpack_bytes(&u, HASH_BYTES);
	if (chain)
		memcpy(end->chain.bytes, chain, HASH_BYTES);
	kv_row_fini(&row);
	return u.bad ? -EBADMSG : 0;
}

int commit_check_schema(struct kv *kv, char *why, size_t why_bytes)
{
	struct kv_row row;
	int rc = kv_get(kv, KV_META, SLICE("schema"), &row);
	uint32_t version;

	if (rc < 0) {
		snprintf(why, why_bytes, "cannot read the database's schema version");
		return rc;
	}
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};

	version = unpack_u32(&u);
	kv_row_fini(&row);
	if (!u.bad && version == SCHEMA_VERSION)
		return 0;
	if (!u.bad && version > 0 && version < SCHEMA_VERSION) {
		snprintf(why, why_bytes,
			"the database has schema version %u: start the gateway once, which brings it up to %u", version,
			SCHEMA_VERSION);
		return -ESTALE;
	}
	snprintf(why, why_bytes,
		"the database has schema version %u, this program knows up to %u: use the program that wrote it",
		version, SCHEMA_VERSION);
	return -ENOTSUP;
}

static int make_schema(struct commit *commit, const char *node, char *why, size_t why_bytes)
{
	char version[4];
	struct packer p = {version, version + sizeof(version), false};
	int rc;

	pack_u32(&p, SCHEMA_VERSION);
	kv_batch_clear(commit->batch);
	kv_batch_put(commit->kv, commit->batch, KV_META, SLICE("schema"), slice_of(version, sizeof(version)));
	kv_batch_put(commit->kv, commit->batch, KV_META, SLICE("node"), slice_of_string(node ? node : ""));
	rc = kv_write(commit->kv, commit->batch, true);
	if (rc < 0)
		snprintf(why, why_bytes, "cannot write to the database: is the disk full?");
	return rc;
}

static int load_counters(struct commit *commit)
{
	struct kv_walk *walk = kv_walk_open(commit->kv, KV_COUNTERS);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, SLICE("")); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk))
		rc = counters_load(commit->counters, kv_walk_key(walk), kv_walk_value(walk));
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

/* A day's row that is not in memory. */
static int fetch_counter(void *context, struct slice key, struct counter *counter)
{
	const struct commit *commit = context;
	struct kv_row row;
	int rc = kv_get(commit->kv, KV_COUNTERS, key, &row);

	if (rc < 0)
		return rc;
	rc = counters_read_row(row.value, counter);
	kv_row_fini(&row);
	return rc < 0 ? -EIO : 0;
}

static int count_block(struct commit *commit, struct slice value)
{
	struct block_view view;
	int rc = block_view_open(&view, value);

	for (uint32_t i = 0; rc == 0 && i < view.count; i++) {
		struct slice record = block_view_record(&view, i);

		if (record.size == 0)
			continue;
		rc = receipt_decode(record, &commit->receipt);
		if (rc == 0)
			counters_add(commit->counters, &commit->receipt);
	}
	return rc;
}

/* Adds the receipts of the blocks that the rows lack. */
static int count_rest(struct commit *commit)
{
	int rc = 0;

	for (uint64_t block = commit->counted + 1; rc == 0 && block <= commit->end.block; block++) {
		struct kv_row row;
		char key[8];

		block_key(key, block);
		rc = kv_get(commit->kv, KV_RECEIPTS, slice_of(key, sizeof(key)), &row);
		if (rc < 0)
			break;
		rc = count_block(commit, row.value);
		kv_row_fini(&row);
	}
	return rc;
}

/* The last block's time, before which no later one's lies. */
static int load_committed(struct commit *commit)
{
	struct block_view view;
	struct kv_row row;
	char key[8];
	int rc;

	if (commit->end.block == 0)
		return 0;
	block_key(key, commit->end.block);
	rc = kv_get(commit->kv, KV_RECEIPTS, slice_of(key, sizeof(key)), &row);
	if (rc < 0)
		return rc;
	rc = block_view_open(&view, row.value);
	if (rc == 0)
		commit->committed_ns = view.committed_ns;
	kv_row_fini(&row);
	return rc;
}

int commit_open(struct commit **commit, struct kv *kv, const char *node, char *why, size_t why_bytes)
{
	struct commit *made = calloc(1, sizeof(*made));
	int rc = -ENOMEM;

	*commit = NULL;
	snprintf(why, why_bytes, "out of memory");
	if (!made)
		return -ENOMEM;
	made->kv = kv;
	pthread_mutex_init(&made->counting, NULL);
	made->batch = kv_batch_open();
	if (!made->batch || counters_open(&made->counters) < 0)
		goto fail;
	counters_fetch_by(made->counters, fetch_counter, made);
	rc = commit_check_schema(kv, why, why_bytes);
	if (rc == -ENOENT)
		rc = make_schema(made, node, why, why_bytes);
	if (rc == -ESTALE)
		rc = migrate(kv, why, why_bytes);
	if (rc < 0)
		goto fail;
	snprintf(why, why_bytes, "the database is damaged: its chain's end or its counters cannot be read");
	rc = commit_read_chain(kv, &made->end);
	if (rc == 0)
		rc = load_committed(made);
	if (rc == 0)
		rc = commit_read_counted(kv, &made->counted);
	if (rc == 0)
		rc = load_counters(made);
	if (rc == 0)
		rc = count_rest(made);
	if (rc < 0)
		goto fail;
	*commit = made;
	return 0;
fail:
	commit_close(made);
	return rc;
}

void commit_close(struct commit *commit)
{
	if (commit->counters)
		counters_close(commit->counters);
	if (commit->batch)
		kv_batch_close(commit->batch);
	pthread_mutex_destroy(&commit->counting);
	free(commit);
}

/* Takes from one journal what fits into the group. Counters change here: from then on the group is written, now or
 * later. */
static int take_from(struct commit *commit, struct journal *journal, uint64_t *position)
{
	uint64_t next = *position;
	struct slice record;

	while (journal_next(journal, &next, &record)) {
		if (!block_builder_fits(&commit->block, record.size))
			return 0;
		if (receipt_decode(record, &commit->receipt) < 0)
			return -EBADMSG;
		block_builder_add(&commit->block, record);
		index_builder_add(&commit->index, &commit->receipt.request_id, commit->receipt.key_id);
		counters_add(commit->counters, &commit->receipt);
		if (commit->receipt.wall_ns > commit->committed_ns)
			commit->committed_ns = commit->receipt.wall_ns;
		*position = next;
	}
	*position = next;
	return 0;
}

static int gather(struct commit *commit, struct journal *const *journals, unsigned count)
{
	int rc = 0;

	block_builder_clear(&commit->block);
	index_builder_clear(&commit->index);
	for (unsigned i = 0; i < count; i++)
		commit->positions[i] = journal_tail(journals[i]);
	for (unsigned i = 0; rc == 0 && i < count; i++) {
		unsigned which = (commit->first + i) % count;

		rc = take_from(commit, journals[which], &commit->positions[which]);
	}
	commit->first = count ? (commit->first + 1) % count : 0;
	/* What came before a record that cannot be read is counted already and goes out; the next group meets it first.
	 */
	return commit->block.count ? 0 : rc;
}

static void put_index(void *context, struct slice key, struct slice value)
{
	struct commit *commit = context;

	kv_batch_put(commit->kv, commit->batch, KV_INDEX, key, value);
}

static void put_counter(void *context, struct slice key, struct slice value)
{
	struct commit *commit = context;

	kv_batch_put(commit->kv, commit->batch, KV_COUNTERS, key, value);
}

static void put_counters(struct commit *commit)
{
	char value[8];
	struct packer p = {value, value + sizeof(value), false};

	counters_take_touched(commit->counters, put_counter, commit);
	commit->counted = commit->end.block;
	pack_u64(&p, commit->counted);
	kv_batch_put(commit->kv, commit->batch, KV_META, SLICE("counted"), slice_of(value, sizeof(value)));
}

static void put_meta(struct commit *commit, struct journal *const *journals, unsigned count)
{
	char key[META_JOURNAL_KEY_BYTES], value[8 + HASH_BYTES];
	struct packer p = {value, value + sizeof(value), false};

	pack_u64(&p, commit->end.block);
	pack_bytes(&p, commit->end.chain.bytes, HASH_BYTES);
	kv_batch_put(commit->kv, commit->batch, KV_META, SLICE("chain"), slice_of(value, sizeof(value)));
	for (unsigned i = 0; i < count; i++) {
		if (commit->positions[i] == journal_tail(journals[i]))
			continue;
		p = (struct packer){value, value + sizeof(value), false};
		pack_u64(&p, commit->positions[i]);
		kv_batch_put(commit->kv, commit->batch, KV_META, journal_key(key, journal_generation(journals[i])),
			slice_of(value, 8));
	}
}

static void build_batch(struct commit *commit, struct journal *const *journals, unsigned count, uint64_t wall_ns)
{
	struct slice value;
	char key[8];

	if (wall_ns > commit->committed_ns)
		commit->committed_ns = wall_ns;
	kv_batch_clear(commit->batch);
	commit->end.block++;
	value = block_builder_finish(&commit->block, &commit->end.chain, commit->committed_ns);
	commit->block_bytes = value.size;
	block_key(key, commit->end.block);
	kv_batch_put(commit->kv, commit->batch, KV_RECEIPTS, slice_of(key, sizeof(key)), value);
	index_builder_rows(&commit->index, commit->end.block, put_index, commit);
	if (commit->end.block - commit->counted >= COUNTED_BLOCKS_MAX)
		put_counters(commit);
	put_meta(commit, journals, count);
}

int commit_group(struct commit *commit, struct journal *const *journals, unsigned count, uint64_t wall_ns, bool sync)
{
	int rc;

	assert(count <= COMMIT_JOURNALS_MAX);
	if (commit->pending_rows) {
		rc = kv_write(commit->kv, commit->batch, sync);
		if (rc < 0)
			return rc;
		commit->pending = commit->pending_rows = false;
	}
	if (!commit->pending) {
		pthread_mutex_lock(&commit->counting);
		rc = gather(commit, journals, count);
		if (rc == 0 && commit->block.count)
			build_batch(commit, journals, count, wall_ns);
		pthread_mutex_unlock(&commit->counting);
		if (rc < 0 || commit->block.count == 0)
			return rc;
		commit->pending = true;
	}
	/* All its rows are absolute, so a batch that was written although the write failed may be written again. */
	rc = kv_write(commit->kv, commit->batch, sync);
	if (rc < 0)
		return rc;
	commit->pending = false;
	for (unsigned i = 0; i < count; i++)
		journal_release(journals[i], commit->positions[i]);
	return (int)commit->block.count;
}

int commit_write_counters(struct commit *commit, bool sync)
{
	int rc;

	assert(!commit->pending);
	if (commit->counted == commit->end.block)
		return 0;
	kv_batch_clear(commit->batch);
	pthread_mutex_lock(&commit->counting);
	put_counters(commit);
	pthread_mutex_unlock(&commit->counting);
	rc = kv_write(commit->kv, commit->batch, sync);
	commit->pending = commit->pending_rows = rc < 0;
	return rc;
}

uint64_t commit_counted(const struct commit *commit)
{
	return commit->counted;
}

bool commit_pending(const struct commit *commit)
{
	return commit->pending;
}

struct counter commit_total(const struct commit *commit)
{
	return counters_total(commit->counters);
}

int commit_copy_recents(const struct commit *commit, struct recents *recents)
{
	return counters_copy_recents(commit->counters, recents);
}

struct counter commit_sum_of_days(
	struct commit *commit, enum counter_dimension dimension, struct slice name, uint32_t from_day, uint32_t to_day)
{
	char memory[COUNTER_KEY_BYTES_MAX];
	struct counter sum = {0};

	pthread_mutex_lock(&commit->counting);
	for (uint32_t day = from_day; day <= to_day; day++) {
		struct slice key = slice_of(memory, counters_day_key(memory, dimension, day, name));
		const struct counter *known = counters_find(commit->counters, key);
		struct counter counter;

		if (!known && fetch_counter(commit, key, &counter) < 0)
			continue;
		known = known ? known : &counter;
		sum.receipts += known->receipts;
		sum.prompt_tokens += known->prompt_tokens;
		sum.completion_tokens += known->completion_tokens;
		sum.spend_nusd = add_nusd(sum.spend_nusd, known->spend_nusd);
	}
	pthread_mutex_unlock(&commit->counting);
	return sum;
}

int64_t commit_total_nusd(struct commit *commit, struct slice key)
{
	const struct counter *counter;
	int64_t total_nusd;

	pthread_mutex_lock(&commit->counting);
	counter = counters_find(commit->counters, key);
	total_nusd = counter ? counter->spend_nusd : 0;
	pthread_mutex_unlock(&commit->counting);
	return total_nusd;
}

size_t commit_bytes(const struct commit *commit)
{
	return commit->block_bytes;
}

static bool is_current(struct slice key, struct journal *const *journals, unsigned count)
{
	char current[META_JOURNAL_KEY_BYTES];

	for (unsigned i = 0; i < count; i++)
		if (slice_equal(key, journal_key(current, journal_generation(journals[i]))))
			return true;
	return false;
}

int commit_forget_journals(struct commit *commit, struct journal *const *journals, unsigned count)
{
	struct kv_walk *walk = kv_walk_open(commit->kv, KV_META);
	int rc;

	assert(!commit->pending);
	if (!walk)
		return -EIO;
	kv_batch_clear(commit->batch);
	for (kv_walk_seek(walk, SLICE("journal/")); kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);

		if (!slice_starts_with(key, SLICE("journal/")))
			break;
		if (!is_current(key, journals, count))
			kv_batch_delete(commit->kv, commit->batch, KV_META, key);
	}
	rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc < 0 ? rc : kv_write(commit->kv, commit->batch, false);
}
