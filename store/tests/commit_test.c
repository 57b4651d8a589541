/*
 * What a commit leaves in the database: counters that a kill neither loses nor doubles, index rows by which a key's
 * receipts are found among those of many keys, and an older schema brought up to date.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/commit.h"
#include "store/migrate.h"
#include "store/reader.h"
#include "store/receipt_index.h"
#include "store/tests/receipts.h"

enum { KEYS = 40, KEY_BYTES = 8, OLD_KEY_KEY_BYTES = 17, JOURNAL_BYTES = 1 << 20, DAY = TEST_FIRST_S / 86400 };

struct world {
	char dir[64];
	struct kv *kv;
};

static void open_kv(struct world *world)
{
	char path[128], why[256];

	snprintf(path, sizeof(path), "%s/db", world->dir);
	if (kv_open(&world->kv, path, false, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static struct world make_world(void)
{
	struct world world = {.dir = "/tmp/tollgate-commit-XXXXXX"};
	char path[128];
	int fd;

	assert_non_null(mkdtemp(world.dir));
	snprintf(path, sizeof(path), "%s/lock", world.dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	close(fd);
	open_kv(&world);
	return world;
}

static void end(struct world *world)
{
	char command[128];

	if (world->kv)
		kv_close(world->kv);
	snprintf(command, sizeof(command), "rm -rf '%s'", world->dir);
	assert_int_equal(system(command), 0);
}

static struct commit *open_commit(struct world *world)
{
	struct commit *commit;
	char why[256];

	if (commit_open(&commit, world->kv, "node-1", why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return commit;
}

static struct slice key_name(uint64_t n, char name[static KEY_BYTES])
{
	snprintf(name, KEY_BYTES, "vk_%u", (unsigned)(n % KEYS));
	return slice_of_string(name);
}

/* Receipts [from, to), `per_block` to a block. */
static void write_blocks(struct commit *commit, uint64_t from, uint64_t to, unsigned per_block)
{
	struct journal *journal;

	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES, from + 1), 0);
	while (from < to) {
		unsigned count = 0;

		for (; count < per_block && from < to; count++, from++) {
			char *room = journal_reserve(journal, RECEIPT_BYTES_MAX), name[KEY_BYTES];
			struct receipt receipt;
			int size;

			assert_non_null(room);
			test_receipt(&receipt, from);
			receipt.key_id = key_name(from, name);
			size = receipt_encode(&receipt, room, RECEIPT_BYTES_MAX);
			assert_true(size > 0);
			journal_append(journal, (size_t)size);
		}
		assert_int_equal(commit_group(commit, &journal, 1, 0, false), count);
	}
	journal_close(journal);
}

/* The calls of the day, which all of them were on, by key: as exact as the totals. */
static void expect_recents(const struct commit *commit, uint64_t count)
{
	struct recents *recents = recents_open();
	uint64_t calls = 0, of_minutes = 0;

	assert_int_equal(commit_copy_recents(commit, recents), 0);
	recents_sort(recents);
	for (unsigned n = 0; n < KEYS; n++) {
		char name[KEY_BYTES], key[COUNTER_KEY_BYTES_MAX];
		size_t size = counters_key(key, COUNTER_KEY, key_name(n, name), SLICE(""));
		const struct recent *recent = recents_find(recents, slice_of(key, size));

		calls += recent ? recent->day_calls : 0;
		for (unsigned m = 0; recent && m < RECENT_MINUTES; m++)
			of_minutes += recent->minutes[m];
	}
	recents_close(recents);
	assert_int_equal(calls, count);
	assert_int_equal(of_minutes, count);
}

/* By key and day, over the days around those of the receipts. */
static int64_t spend_of_days(struct commit *commit, uint32_t from_day, uint32_t to_day)
{
	int64_t spend_nusd = 0;

	for (unsigned n = 0; n < KEYS; n++) {
		char name[KEY_BYTES];

		spend_nusd += commit_spend_nusd(commit, COUNTER_KEY, key_name(n, name), from_day, to_day);
	}
	return spend_nusd;
}

static void expect_total(struct commit *commit, uint64_t count)
{
	struct counter total = commit_total(commit);
	int64_t spend_nusd = 0;

	for (uint64_t n = 0; n < count; n++)
		spend_nusd += test_cost(n) + 10;
	assert_int_equal(total.receipts, count);
	assert_int_equal(total.spend_nusd, spend_nusd);
	assert_int_equal(spend_of_days(commit, DAY - 1, DAY + 1), spend_nusd);
	assert_int_equal(spend_of_days(commit, DAY + 1, DAY + 30), 0);
	expect_recents(commit, count);
}

static void say(void *context, const char *line)
{
	char *text = context;
	size_t size = strlen(text);

	snprintf(text + size, 4096 - size, "%s\n", line);
}

/* With the database closed and opened again. */
static void expect_found(struct world *world, int result, const char *line)
{
	char text[4096] = "";
	int rc;

	kv_close(world->kv);
	rc = store_check(world->dir, say, text);
	if (rc != result || !strstr(text, line))
		fail_msg("%d, and not %d with '%s': %s", rc, result, line, text);
	open_kv(world);
}

/* Blocks of one receipt, around the places where rows are written. A kill is that nobody writes the rest. */
static void counts_survive_a_kill(void **state)
{
	static const uint64_t counts[] = {
		1, COUNTED_BLOCKS_MAX - 1, COUNTED_BLOCKS_MAX, COUNTED_BLOCKS_MAX + 1, 2 * COUNTED_BLOCKS_MAX + 3};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct world world = make_world();
		struct commit *commit = open_commit(&world);
		uint64_t counted, expected = counts[i] / COUNTED_BLOCKS_MAX * COUNTED_BLOCKS_MAX;

		write_blocks(commit, 0, counts[i], 1);
		commit_close(commit);
		assert_int_equal(commit_read_counted(world.kv, &counted), 0);
		assert_int_equal(counted, expected);
		expect_found(&world, 0, ": sound");

		commit = open_commit(&world);
		expect_total(commit, counts[i]);
		write_blocks(commit, counts[i], counts[i] + 2, 1);
		commit_close(commit);
		expect_found(&world, 0, ": sound");

		commit = open_commit(&world);
		expect_total(commit, counts[i] + 2);
		assert_int_equal(commit_write_counters(commit, true), 0);
		commit_close(commit);
		assert_int_equal(commit_read_counted(world.kv, &counted), 0);
		assert_int_equal(counted, counts[i] + 2);
		expect_found(&world, 0, ": sound");

		commit = open_commit(&world);
		expect_total(commit, counts[i] + 2);
		commit_close(commit);
		end(&world);
	}
}

/* Pages through a key's receipts; returns how many there were. */
static unsigned list_key(struct world *world, struct slice key, uint32_t limit)
{
	struct store_query query = {.kind = STORE_QUERY_LIST, .key_id = key, .limit = limit};
	unsigned count = 0;

	do {
		query.cursor = query.next_cursor;
		reader_answer(world->kv, &query);
		assert_int_equal(query.result, 0);
		count += query.count;
		store_query_fini(&query);
	} while (query.next_cursor);
	return count;
}

static void finds_by_key_among_many(void **state)
{
	enum { COUNT = 2010 }; /* 51 of the first ten keys, 50 of the others */
	struct world world = make_world();
	struct commit *commit = open_commit(&world);
	char name[KEY_BYTES];

	(void)state;
	write_blocks(commit, 0, COUNT, 17);
	commit_close(commit);
	for (unsigned n = 0; n < KEYS; n++) {
		assert_int_equal(list_key(&world, key_name(n, name), 7), COUNT / KEYS + (n < COUNT % KEYS));
		assert_int_equal(list_key(&world, key_name(n, name), 1000), COUNT / KEYS + (n < COUNT % KEYS));
	}
	assert_int_equal(list_key(&world, SLICE("vk_none"), 10), 0);
	end(&world);
}

static unsigned count_key_rows(struct world *world, size_t key_bytes)
{
	struct kv_walk *walk = kv_walk_open(world->kv, KV_INDEX);
	unsigned count = 0;

	assert_non_null(walk);
	for (kv_walk_seek(walk, SLICE("k")); kv_walk_valid(walk) && kv_walk_key(walk).data[0] == 'k';
		kv_walk_next(walk))
		count += kv_walk_key(walk).size == key_bytes;
	kv_walk_close(walk);
	return count;
}

/* Takes the database back to version 1 as far as it differs: a row for each key and block, no word of what was counted.
 */
static void make_old(struct world *world)
{
	struct kv_batch *batch = kv_batch_open();
	struct kv_walk *walk = kv_walk_open(world->kv, KV_INDEX);
	char key[OLD_KEY_KEY_BYTES] = "k";

	for (kv_walk_seek(walk, SLICE("k")); kv_walk_valid(walk) && kv_walk_key(walk).data[0] == 'k';
		kv_walk_next(walk)) {
		struct slice now = kv_walk_key(walk);

		memcpy(key + 9, now.data + now.size - 8, 8);
		kv_batch_put(world->kv, batch, KV_INDEX, slice_of(key, sizeof(key)), SLICE("\1"));
		kv_batch_delete(world->kv, batch, KV_INDEX, now);
	}
	kv_walk_close(walk);
	kv_batch_delete(world->kv, batch, KV_META, SLICE("counted"));
	kv_batch_put(world->kv, batch, KV_META, SLICE("schema"), slice_of("\1\0\0\0", 4));
	assert_int_equal(kv_write(world->kv, batch, false), 0);
	kv_batch_close(batch);
}

static void brings_version_1_up_to_date(void **state)
{
	enum { COUNT = 2500 }; /* more rows than go out in one batch */
	struct world world = make_world();
	struct commit *commit = open_commit(&world);
	unsigned rows;
	char name[KEY_BYTES];

	(void)state;
	write_blocks(commit, 0, COUNT, 5);
	assert_int_equal(commit_write_counters(commit, false), 0);
	commit_close(commit);
	rows = count_key_rows(&world, INDEX_KEY_KEY_BYTES);
	make_old(&world);
	assert_int_equal(count_key_rows(&world, OLD_KEY_KEY_BYTES), COUNT / 5);
	expect_found(&world, -ESTALE, "schema version 1: start the gateway once");

	commit = open_commit(&world);
	expect_total(commit, COUNT);
	commit_close(commit);
	assert_int_equal(count_key_rows(&world, OLD_KEY_KEY_BYTES), 0);
	assert_int_equal(count_key_rows(&world, INDEX_KEY_KEY_BYTES), rows);
	assert_int_equal(list_key(&world, key_name(3, name), 10), COUNT / KEYS + 1);
	expect_found(&world, 0, ": sound");
	end(&world);
}

/* Its counters' rows lag behind its blocks, as they may: what they lack is counted still. */
static void brings_up_to_date(char version)
{
	struct world world = make_world();
	struct commit *commit = open_commit(&world);
	struct kv_batch *batch = kv_batch_open();
	const char old[4] = {version};
	char found[64];

	write_blocks(commit, 0, COUNTED_BLOCKS_MAX + 5, 1);
	commit_close(commit);
	kv_batch_put(world.kv, batch, KV_META, SLICE("schema"), slice_of(old, 4));
	assert_int_equal(kv_write(world.kv, batch, false), 0);
	kv_batch_close(batch);
	snprintf(found, sizeof(found), "schema version %d: start the gateway once", version);
	expect_found(&world, -ESTALE, found);
	commit = open_commit(&world);
	expect_total(commit, COUNTED_BLOCKS_MAX + 5);
	commit_close(commit);
	expect_found(&world, 0, ": sound");
	end(&world);
}

static void brings_later_versions_up_to_date(void **state)
{
	(void)state;
	for (char version = 2; version < SCHEMA_VERSION; version++)
		brings_up_to_date(version);
}

/* Its rows know no days. */
static void brings_version_5_up_to_date(void **state)
{
	struct world world = make_world();
	struct commit *commit = open_commit(&world);
	struct kv_batch *batch = kv_batch_open();
	struct kv_walk *walk;

	(void)state;
	write_blocks(commit, 0, 20, 1);
	assert_int_equal(commit_write_counters(commit, false), 0);
	commit_close(commit);
	walk = kv_walk_open(world.kv, KV_COUNTERS);
	for (kv_walk_seek(walk, SLICE("\x80")); kv_walk_valid(walk); kv_walk_next(walk))
		kv_batch_delete(world.kv, batch, KV_COUNTERS, kv_walk_key(walk));
	kv_walk_close(walk);
	kv_batch_put(world.kv, batch, KV_META, SLICE("schema"), slice_of("\5\0\0\0", 4));
	assert_int_equal(kv_write(world.kv, batch, false), 0);
	kv_batch_close(batch);
	commit = open_commit(&world);
	expect_total(commit, 20);
	assert_int_equal(commit_write_counters(commit, false), 0);
	commit_close(commit);
	expect_found(&world, 0, ": sound");
	end(&world);
}

static void append_of_day(struct commit *commit, struct journal *journal, uint32_t day, int64_t cost_nusd)
{
	char *room = journal_reserve(journal, RECEIPT_BYTES_MAX);
	struct receipt receipt;
	int size;

	assert_non_null(room);
	test_receipt(&receipt, (uint64_t)cost_nusd);
	receipt.wall_ns = (uint64_t)day * 86400 * 1000000000;
	receipt.key_id = SLICE("vk_days");
	receipt.provider_cost_nusd = cost_nusd;
	receipt.platform_fee_nusd = 0;
	size = receipt_encode(&receipt, room, RECEIPT_BYTES_MAX);
	assert_true(size > 0);
	journal_append(journal, (size_t)size);
	assert_int_equal(commit_group(commit, &journal, 1, 0, false), 1);
}

/* Days that left memory: a late call adds to its row. */
static void late_calls_find_their_day(void **state)
{
	struct world world = make_world();
	struct commit *commit = open_commit(&world);
	struct slice name = SLICE("vk_days");
	struct journal *journal;

	(void)state;
	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES, 1), 0);
	append_of_day(commit, journal, DAY, 1);
	assert_int_equal(commit_write_counters(commit, false), 0);
	append_of_day(commit, journal, DAY + 3, 10);
	assert_int_equal(commit_write_counters(commit, false), 0);
	append_of_day(commit, journal, DAY, 100);
	assert_int_equal(commit_spend_nusd(commit, COUNTER_KEY, name, DAY, DAY), 101);
	assert_int_equal(commit_spend_nusd(commit, COUNTER_KEY, name, DAY, DAY + 3), 111);
	assert_int_equal(commit_write_counters(commit, false), 0);
	commit_close(commit);
	commit = open_commit(&world);
	assert_int_equal(commit_spend_nusd(commit, COUNTER_KEY, name, DAY, DAY), 101);
	assert_int_equal(commit_spend_nusd(commit, COUNTER_KEY, name, DAY + 1, DAY + 3), 10);
	assert_int_equal(commit_spend_nusd(commit, COUNTER_KEY, name, DAY + 4, DAY + 9), 0);
	commit_close(commit);
	expect_found(&world, 0, ": sound");
	journal_close(journal);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_survive_a_kill),
		cmocka_unit_test(finds_by_key_among_many),
		cmocka_unit_test(brings_version_1_up_to_date),
		cmocka_unit_test(brings_later_versions_up_to_date),
		cmocka_unit_test(brings_version_5_up_to_date),
		cmocka_unit_test(late_calls_find_their_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
