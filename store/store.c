/*
 * The store as one thing: lock, database, journals, writer and reader. A query takes the way of a receipt before it is
 * answered: it goes by the writer, which commits what the journals hold, then to the reader; so who was answered finds
 * his receipt.
 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "store/disk.h"
#include "store/reader.h"
#include "store/ledger.h"
#include "store/recovery.h"
#include "store/retention.h"
#include "store/reservations.h"
#include "store/spend.h"
#include "store/store_internal.h"

enum store_sizes {
	/* Of the reader: a ring that carries wake-ups alone. */
	RING_ENTRIES = 64,
	RING_BUFFERS = 2,
	RING_BUFFER_BYTES = 256,
};

#define DAY_NS (86400 * NS_PER_S)

static int open_database(struct store *store, const struct store_options *options, char *why, size_t why_bytes)
{
	char path[4096];
	int rc;

	rc = disk_lock(&store->lock, options->data_dir, true, why, why_bytes);
	if (rc < 0)
		return rc;
	if (snprintf(path, sizeof(path), "%s/db", options->data_dir) >= (int)sizeof(path)) {
		snprintf(why, why_bytes, "data_dir has too long a name");
		return -ENAMETOOLONG;
	}
	rc = kv_open(&store->kv, path, false, why, why_bytes);
	if (rc < 0)
		return rc;
	rc = commit_open(&store->commit, store->kv, options->node, why, why_bytes);
	if (rc < 0)
		return rc;
	rc = retention_open(&store->retention, store->kv, store->commit);
	if (rc < 0) {
		snprintf(why, why_bytes, "out of memory");
		return rc;
	}
	rc = reservations_open(
		&store->reservations, options->data_dir, (uint32_t)(clock_wall_ns() / DAY_NS), why, why_bytes);
	if (rc < 0)
		return rc;
	return sealed_open(&store->sealed, store->kv, options->data_dir, options->secret, options->previous_secret, why,
		why_bytes);
}

static int open_journals(struct store *store, const struct store_options *options, char *why, size_t why_bytes)
{
	bool in_memory = options->durability == DURABILITY_RELAXED;
	int rc;

	if (options->shard_count < 1 || options->shard_count > COMMIT_JOURNALS_MAX) {
		snprintf(why, why_bytes, "the store serves 1 to %d shards, not %u", COMMIT_JOURNALS_MAX,
			options->shard_count);
		return -EINVAL;
	}
	store->journals = calloc(options->shard_count, sizeof(struct journal *));
	if (!store->journals) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	rc = recovery_replay(store->commit, store->kv, options->data_dir, in_memory ? 0 : options->shard_count,
		&store->replayed, why, why_bytes);
	if (rc == 0)
		rc = recovery_open_journals(store->commit, options->data_dir, in_memory, store->journals,
			options->shard_count, options->journal_bytes, why, why_bytes);
	if (rc == 0)
		store->journal_count = options->shard_count;
	return rc;
}

/* Before the writer goes on counting. */
static int copy_recents(struct store *store, char *why, size_t why_bytes)
{
	store->recents = recents_open();
	if (!store->recents || commit_copy_recents(store->commit, store->recents) < 0) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	recents_sort(store->recents);
	return 0;
}

const struct recent *store_recent(
	const struct store *store, enum counter_dimension dimension, struct slice first, struct slice second)
{
	char key[COUNTER_KEY_BYTES_MAX];
	size_t size = counters_key(key, dimension, first, second);

	return size ? recents_find(store->recents, slice_of(key, size)) : NULL;
}

int64_t store_spend_nusd(const struct store *store, enum counter_dimension dimension, struct slice first,
	struct slice second, uint32_t from_day, uint32_t to_day)
{
	char key[COUNTER_KEY_BYTES_MAX];
	size_t size = counters_key(key, dimension, first, second);

	return size ? commit_spend_nusd(store->commit, dimension, slice_of(key + 2, size - 2), from_day, to_day) : 0;
}

uint64_t store_free_tokens(
	const struct store *store, struct slice workspace, struct slice model, uint32_t from_day, uint32_t to_day)
{
	char key[COUNTER_KEY_BYTES_MAX];
	size_t size = counters_key(key, COUNTER_FREE, workspace, model);

	return size ? commit_sum_of_days(store->commit, COUNTER_FREE, slice_of(key + 2, size - 2), from_day, to_day)
			       .prompt_tokens
		    : 0;
}

int64_t store_total_nusd(
	const struct store *store, enum counter_dimension dimension, struct slice first, struct slice second)
{
	char key[COUNTER_KEY_BYTES_MAX];
	size_t size = counters_key(key, dimension, first, second);

	return size ? commit_total_nusd(store->commit, slice_of(key, size)) : 0;
}

struct reservation *store_reservation(const struct store *store, uint64_t name, uint32_t day)
{
	return reservations_slot(store->reservations, name, day);
}

static int open_threads(struct store *store, const struct store_options *options, char *why, size_t why_bytes)
{
	const struct writer_options writer = {.kv = store->kv,
		.commit = store->commit,
		.journals = store->journals,
		.journal_count = store->journal_count,
		.durability = options->durability,
		.ring_without = options->ring_without};
	const struct shard_options reader = {.name = "store-reader",
		.cpu = -1,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = RING_BUFFERS,
			.buffer_bytes = RING_BUFFER_BYTES,
			.without = options->ring_without}};
	int rc = writer_open(&store->writer, &writer, why, why_bytes);

	if (rc < 0)
		return rc;
	store->writer_made = true;
	store_sealed_init(store);
	rc = shard_open(&store->reader, &reader, why, why_bytes);
	if (rc < 0)
		return rc;
	store->reader_made = true;
	rc = writer_start(&store->writer);
	if (rc == 0)
		rc = shard_start(&store->reader);
	if (rc < 0)
		snprintf(why, why_bytes, "cannot start the store's threads: %s", strerror(-rc));
	return rc;
}

/*
 * No shard appends or asks any more. Both threads end before either's ring goes, since they post to each other; a query
 * that is on its way is not answered. The writer commits the rest; what it cannot commit stays in the journals for the
 * next start.
 */
static void close_threads(struct store *store)
{
	if (store->reader_made && store->reader.running) {
		shard_stop(&store->reader);
		shard_join(&store->reader);
	}
	if (store->writer_made && store->writer.shard.running)
		writer_stop(&store->writer);
	if (store->reader_made)
		shard_close(&store->reader);
	if (store->writer_made)
		writer_close(&store->writer);
}

int store_open(struct store **store, const struct store_options *options, char *why, size_t why_bytes)
{
	struct store *made = aligned_alloc(64, (sizeof(*made) + 63) & ~(size_t)63);
	int rc;

	*store = NULL;
	if (!made) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	memset(made, 0, sizeof(*made));
	rc = open_database(made, options, why, why_bytes);
	if (rc == 0)
		rc = open_journals(made, options, why, why_bytes);
	if (rc == 0)
		rc = copy_recents(made, why, why_bytes);
	if (rc == 0)
		rc = open_threads(made, options, why, why_bytes);
	if (rc < 0) {
		store_close(made);
		return rc;
	}
	*store = made;
	return 0;
}

void store_close(struct store *store)
{
	close_threads(store);
	for (unsigned i = 0; i < store->journal_count; i++)
		journal_close(store->journals[i]);
	free(store->journals);
	if (store->recents)
		recents_close(store->recents);
	reservations_close(store->reservations);
	if (store->sealed)
		sealed_close(store->sealed);
	if (store->retention)
		retention_close(store->retention);
	if (store->commit)
		commit_close(store->commit);
	if (store->kv)
		kv_close(store->kv);
	if (store->lock)
		disk_unlock(store->lock);
	free(store);
}

int store_append(struct store *store, struct shard *shard, const struct receipt *receipt, struct store_ticket *ticket)
{
	return writer_append(&store->writer, shard, receipt, ticket);
}

bool store_writable(const struct store *store)
{
	return writer_writable(&store->writer);
}

static struct store_query *query_of(struct letter *letter)
{
	return container_of(letter, struct store_query, letter);
}

static void on_answered(struct letter *letter)
{
	query_of(letter)->done(query_of(letter));
}

static void on_query_at_reader(struct letter *letter)
{
	struct store_query *query = query_of(letter);
	struct store *store = query->store;

	if (query->kind == STORE_QUERY_SPEND)
		spend_answer(store->kv, query);
	else if (query->kind == STORE_QUERY_BALANCE || query->kind == STORE_QUERY_TRANSACTIONS)
		ledger_answer(store->kv, query);
	else
		reader_answer(store->kv, query);
	letter->open = on_answered;
	shard_post(query->shard, letter, &store->reader);
}

static void on_query_at_writer(struct letter *letter)
{
	struct store *store = query_of(letter)->store;

	if (query_of(letter)->kind >= STORE_QUERY_SPEND) /* they read the counters' rows */
		writer_run_counters(&store->writer);
	else
		writer_run(&store->writer);
	letter->open = on_query_at_reader;
	shard_post(&store->reader, letter, &store->writer.shard);
}

void store_query_start(struct store *store, struct store_query *query)
{
	query->store = store;
	query->json = NULL;
	query->letter.open = on_query_at_writer;
	shard_post(&store->writer.shard, &query->letter, query->shard);
}

void store_query_fini(struct store_query *query)
{
	free(query->json);
	query->json = NULL;
	query->json_size = 0;
}

struct store_counts store_counts(const struct store *store)
{
	const struct writer *writer = &store->writer;
	struct store_counts counts = {
		.receipts = atomic_load_explicit(&writer->receipts, memory_order_relaxed),
		.groups = atomic_load_explicit(&writer->groups, memory_order_relaxed),
		.bytes = atomic_load_explicit(&writer->bytes, memory_order_relaxed),
		.failed_commits = atomic_load_explicit(&writer->failed_commits, memory_order_relaxed),
		.spend_nusd = atomic_load_explicit(&writer->spend_nusd, memory_order_relaxed),
		.replayed = store->replayed,
		.expired = atomic_load_explicit(&store->expired, memory_order_relaxed),
		.sealed_rows = atomic_load_explicit(&store->sealed_rows, memory_order_relaxed),
		.sealed_bytes = atomic_load_explicit(&store->sealed_bytes, memory_order_relaxed),
		.sealed_expired = atomic_load_explicit(&store->sealed_expired, memory_order_relaxed),
	};

	for (unsigned i = 0; i < store->journal_count; i++)
		counts.journal_used_bytes += journal_used(store->journals[i]);
	return counts;
}
