/*
 * Receipts whose time is over: what goes, what stays, that the check tells them from altered ones, and that look-ups
 * pass them by. Receipts of `main` and `other` alternate (receipts.h); each test makes blocks of its own at times it
 * chooses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/rand.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/disk_sim.h"
#include "store/ledger.h"
#include "store/reader.h"
#include "store/retention.h"
#include "store/tests/receipts.h"

enum { BLOCKS = 6, A_BLOCK = 8, RECEIPTS = BLOCKS * A_BLOCK };

#define FIRST_NS (TEST_FIRST_S * NS_PER_S)

struct world {
	struct sim_disk *disk;
	struct disk_lock *lock;
	struct kv *kv;
	struct commit *commit;
	struct retention *retention;
};

static void open_world(struct world *world)
{
	char why[256] = "";

	assert_int_equal(disk_lock(&world->lock, "/data", true, why, sizeof(why)), 0);
	assert_int_equal(kv_open(&world->kv, "/data/db", false, why, sizeof(why)), 0);
	assert_int_equal(commit_open(&world->commit, world->kv, "node-1", why, sizeof(why)), 0);
	assert_int_equal(retention_open(&world->retention, world->kv, world->commit), 0);
}

static void close_world(struct world *world)
{
	retention_close(world->retention);
	commit_close(world->commit);
	kv_close(world->kv);
	disk_unlock(world->lock);
}

static void append(struct journal *journal, uint64_t n, uint64_t wall_ns)
{
	char *room = journal_reserve(journal, RECEIPT_BYTES_MAX);
	struct receipt receipt;
	int size;

	assert_non_null(room);
	test_receipt(&receipt, n);
	receipt.wall_ns = wall_ns;
	receipt.hosted = n % 2;
	size = receipt_encode(&receipt, room, RECEIPT_BYTES_MAX);
	assert_true(size > 0);
	journal_append(journal, (size_t)size);
}

/* The receipts of block `b`, from 0, began `b` days after those of the first. */
static struct world make_world(void)
{
	struct world world;
	struct journal *journal;
	struct rand rand;

	rand_seed(&rand, 5);
	world.disk = sim_disk_open(&rand);
	sim_disk_use(world.disk);
	open_world(&world);
	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES_MIN, 1), 0);
	for (uint64_t b = 0; b < BLOCKS; b++) {
		for (uint64_t i = 0; i < A_BLOCK; i++)
			append(journal, b * A_BLOCK + i, FIRST_NS + b * NS_PER_DAY);
		assert_int_equal(commit_group(world.commit, &journal, 1, FIRST_NS + b * NS_PER_DAY, false), A_BLOCK);
	}
	journal_close(journal);
	return world;
}

static void end(struct world *world)
{
	close_world(world);
	sim_disk_close(world->disk);
}

/* A sweep `day` days after the first block, 0.5 s later so that no time is met exactly. Returns how many steps it took.
 */
static unsigned sweep(struct world *world, uint32_t main_days, uint32_t other_days, uint64_t day)
{
	const struct retention_rule rules[] = {{SLICE("main"), main_days}, {SLICE("other"), other_days}};
	const struct retention_rules all = {rules, 2, 3650};
	unsigned steps = 0;
	int rc;

	while ((rc = retention_step(world->retention, &all, FIRST_NS + day * NS_PER_DAY + NS_PER_S / 2)) > 0)
		steps++;
	assert_int_equal(rc, 0);
	return steps;
}

static bool is_there(struct world *world, uint64_t n)
{
	struct store_query query = {.kind = STORE_QUERY_BY_ID, .request_id = test_id(n)};

	reader_answer(world->kv, &query);
	assert_true(query.result == 0 || query.result == -ENOENT);
	store_query_fini(&query);
	return query.result == 0;
}

/* Of the receipts of a workspace (odd numbers: main) those of blocks from `from` on are there, and no others. */
static void expect_from(struct world *world, bool main, uint64_t from)
{
	for (uint64_t n = main; n < RECEIPTS; n += 2)
		if (is_there(world, n) != (n / A_BLOCK >= from))
			fail_msg("receipt %d of block %d", (int)n, (int)(n / A_BLOCK));
}

static uint32_t count_listed(struct world *world, struct slice key_id)
{
	struct store_query query = {.kind = STORE_QUERY_LIST, .key_id = key_id, .limit = 1000};

	reader_answer(world->kv, &query);
	assert_int_equal(query.result, 0);
	store_query_fini(&query);
	return query.count;
}

static unsigned count_rows(struct world *world, enum kv_family family)
{
	struct kv_walk *walk = kv_walk_open(world->kv, family);
	unsigned rows = 0;

	for (kv_walk_seek(walk, SLICE("")); kv_walk_valid(walk); kv_walk_next(walk))
		rows++;
	kv_walk_close(walk);
	return rows;
}

struct findings {
	char text[8192];
	size_t size;
};

static void say(void *context, const char *line)
{
	struct findings *findings = context;
	int added = snprintf(findings->text + findings->size, sizeof(findings->text) - findings->size, "%s\n", line);

	findings->size += (size_t)added < sizeof(findings->text) - findings->size ? (size_t)added : 0;
}

/* What the check says of the closed store has `expected` in it. */
static void expect_findings(struct world *world, int result, const char *expected)
{
	struct findings findings = {.size = 0};
	int rc;

	if (result == 0)
		assert_int_equal(commit_write_counters(world->commit, true), 0);
	close_world(world);
	rc = store_check("/data", say, &findings);
	if (rc != result || !strstr(findings.text, expected))
		fail_msg("%d, not %d with \"%s\": %s", rc, result, expected, findings.text);
	open_world(world);
}

static void keeps_what_has_time_left(void **state)
{
	struct world world = make_world();

	(void)state;
	sweep(&world, 30, 90, 20);
	assert_int_equal(sweep(&world, 30, 90, 20), 0);
	expect_from(&world, true, 0);
	expect_from(&world, false, 0);
	assert_int_equal(retention_blanked(world.retention), 0);
	expect_findings(&world, 0, "48 receipts in 6 blocks");
	end(&world);
}

static void blanks_one_workspace_among_others(void **state)
{
	struct world world = make_world();

	(void)state;
	sweep(&world, 30, 90, 32); /* blocks 0 to 2 are 30 days old */
	expect_from(&world, true, 3);
	expect_from(&world, false, 0);
	assert_int_equal(retention_blanked(world.retention), 12);
	assert_int_equal(count_rows(&world, KV_RECEIPTS), BLOCKS);
	assert_int_equal(count_listed(&world, slice_of(NULL, 0)), RECEIPTS - 12);
	expect_findings(&world, 0, "12 receipts have expired, of ");
	assert_int_equal(sweep(&world, 30, 90, 32), 0); /* it remembers */
	end(&world);
}

static void drops_blocks_that_are_empty(void **state)
{
	struct world world = make_world();
	unsigned index_rows = count_rows(&world, KV_INDEX);

	(void)state;
	sweep(&world, 30, 90, 33); /* main: 0 to 3 */
	sweep(&world, 30, 90, 92); /* other: 0 to 2 */
	expect_from(&world, true, 6);
	expect_from(&world, false, 3);
	assert_int_equal(count_rows(&world, KV_RECEIPTS), 1 + 3);
	assert_true(count_rows(&world, KV_INDEX) < index_rows);
	expect_findings(&world, 0, "12 receipts in 6 blocks");
	sweep(&world, 30, 90, 400);
	assert_int_equal(count_rows(&world, KV_RECEIPTS), 1);
	assert_int_equal(count_rows(&world, KV_INDEX), 0);
	assert_int_equal(count_listed(&world, slice_of(NULL, 0)), 0);
	assert_int_equal(count_listed(&world, SLICE("vk_one")), 0);
	expect_findings(&world, 0, "48 receipts have expired, of ");
	end(&world);
}

/* The gap in the middle is one row with those on both sides of it, whatever went first. */
static void joins_gaps(void **state)
{
	struct world world = make_world();

	(void)state;
	sweep(&world, 10, 40, 11);   /* main: blocks 0, 1 */
	sweep(&world, 10, 40, 13);   /* main: 0 to 3 */
	sweep(&world, 1000, 40, 41); /* other: 0, 1: these are empty */
	assert_int_equal(count_rows(&world, KV_RECEIPTS), 1 + 4);
	sweep(&world, 1000, 38, 43); /* other: all; 4 and 5 have main's */
	assert_int_equal(count_rows(&world, KV_RECEIPTS), 1 + 2);
	expect_from(&world, true, 4);
	expect_findings(&world, 0, "receipts in 6 blocks");
	end(&world);
}

/* Who keeps his receipts for fewer days from now on loses those that were looked at already, too. */
static void obeys_a_change(void **state)
{
	struct world world = make_world();

	(void)state;
	sweep(&world, 90, 90, 93); /* both: 0 to 3 */
	expect_from(&world, true, 4);
	sweep(&world, 90, 5, 93);
	expect_from(&world, true, 4);
	expect_from(&world, false, 6);
	sweep(&world, 5, 90, 93);
	expect_from(&world, true, 6);
	expect_findings(&world, 0, "48 receipts have expired");
	end(&world);
}

static void goes_on_after_a_restart(void **state)
{
	struct world world = make_world();
	struct journal *journal;

	(void)state;
	sweep(&world, 30, 30, 400);
	close_world(&world);
	open_world(&world);
	assert_int_equal(commit_total(world.commit).receipts, RECEIPTS);
	assert_int_equal(sweep(&world, 30, 30, 400), 0);
	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES_MIN, 2), 0);
	append(journal, RECEIPTS, FIRST_NS + 400 * NS_PER_DAY);
	assert_int_equal(commit_group(world.commit, &journal, 1, FIRST_NS + 400 * NS_PER_DAY, false), 1);
	journal_close(journal);
	assert_true(is_there(&world, RECEIPTS));
	expect_findings(&world, 0, "1 receipts in 7 blocks");
	end(&world);
}

/* What hosted models cost is known without the receipts that said so. */
static void balances_stay(void **state)
{
	struct world world = make_world();
	struct findings before = {.size = 0}, after = {.size = 0};

	(void)state;
	close_world(&world);
	assert_int_equal(ledger_check("/data", say, &before), 0);
	assert_non_null(strstr(before.text, "workspace main: 0 transactions, 0 nano-USD credited, "));
	open_world(&world);
	sweep(&world, 30, 30, 400);
	assert_int_equal(retention_blanked(world.retention), RECEIPTS);
	close_world(&world);
	assert_int_equal(ledger_check("/data", say, &after), 0);
	assert_string_equal(after.text, before.text);
	open_world(&world);
	end(&world);
}

/* ---- the check beside expired receipts ---- */

static void put(struct world *world, enum kv_family family, struct slice key, struct slice value)
{
	struct kv_batch *batch = kv_batch_open();

	if (value.data)
		kv_batch_put(world->kv, batch, family, key, value);
	else
		kv_batch_delete(world->kv, batch, family, key);
	assert_int_equal(kv_write(world->kv, batch, true), 0);
	kv_batch_close(batch);
}

/* The value of a block's row, for a test to alter; free(). */
static char *copy_block(struct world *world, uint64_t block, size_t *size)
{
	struct kv_row row;
	char key[8], *copy;

	block_key(key, block);
	assert_int_equal(kv_get(world->kv, KV_RECEIPTS, slice_of(key, sizeof(key)), &row), 0);
	*size = row.value.size;
	copy = malloc(row.value.size);
	assert_non_null(copy);
	memcpy(copy, row.value.data, row.value.size);
	kv_row_fini(&row);
	return copy;
}

static void put_block(struct world *world, uint64_t block, struct slice value)
{
	char key[8];

	block_key(key, block);
	put(world, KV_RECEIPTS, slice_of(key, sizeof(key)), value);
}

/* Without the record `index`. */
static void remove_record(struct world *world, uint64_t block, uint32_t index)
{
	bool keep[BLOCK_RECEIPTS_MAX];
	char *memory = malloc(BLOCK_BYTES_MAX);
	struct block_view view;
	size_t size;
	char *value = copy_block(world, block, &size);

	memset(keep, true, sizeof(keep));
	keep[index] = false;
	assert_non_null(memory);
	assert_int_equal(block_view_open(&view, slice_of(value, size)), 0);
	put_block(world, block, block_view_blank(&view, keep, memory));
	free(memory);
	free(value);
}

static void alter_record(struct world *world)
{
	struct block_view view;
	size_t size;
	char *value = copy_block(world, 2, &size);

	assert_int_equal(block_view_open(&view, slice_of(value, size)), 0);
	assert_int_equal(block_view_record(&view, 1).size, 0);     /* it expired; its neighbour did not */
	value[block_view_record(&view, 2).data - value + 27] ^= 1; /* the status, a varint */
	put_block(world, 2, slice_of(value, size));
	free(value);
}

static void remove_young_record(struct world *world)
{
	remove_record(world, 6, 2);
}

static void remove_record_where_others_expired(struct world *world)
{
	remove_record(world, 2, 2);
}

static void remove_young_block(struct world *world)
{
	char gap[BLOCK_GAP_BYTES];
	struct block_view view;
	size_t size;
	char *value = copy_block(world, 6, &size);

	assert_int_equal(block_view_open(&view, slice_of(value, size)), 0);
	put_block(world, 6, block_gap_make(gap, 6, A_BLOCK, &view));
	free(value);
}

static void alter_gap_chain(struct world *world)
{
	size_t size;
	char *value = copy_block(world, 1, &size);

	assert_int_equal(size, BLOCK_GAP_BYTES);
	value[size - 1] ^= 1;
	put_block(world, 1, slice_of(value, size));
	free(value);
}

static void remove_gap(struct world *world)
{
	char key[8];

	block_key(key, 1);
	put(world, KV_RECEIPTS, slice_of(key, sizeof(key)), slice_of(NULL, 0));
}

static void alter_nothing(struct world *world)
{
	(void)world;
}

static const struct {
	void (*alter)(struct world *world);
	int result;
	const char *expected;
} alterations[] = {
	{alter_nothing, 0, "16 receipts have expired"},
	{alter_record, 1, "block 2 receipt 2 (req_"},
	{remove_young_record, 1, "block 6 receipt 2: was removed, and had not expired"},
	{remove_record_where_others_expired, 1, "17 receipts are blank, 16 are known to have expired"},
	{remove_young_block, 1, "block 6: was removed, and had not expired"},
	{alter_gap_chain, 1, "block 2: the chain breaks"},
	{remove_gap, 1, "block 1: missing (the next one there is 2)"},
};

static void tells_expired_from_altered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(alterations) / sizeof(*alterations); i++) {
		struct world world = make_world();

		sweep(&world, 30, 90, 32); /* main: 0 to 2 */
		sweep(&world, 30, 32, 32); /* other: 0 */
		assert_int_equal(retention_blanked(world.retention), 16);
		assert_int_equal(commit_write_counters(world.commit, true), 0);
		alterations[i].alter(&world);
		expect_findings(&world, alterations[i].result, alterations[i].expected);
		end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_has_time_left),
		cmocka_unit_test(blanks_one_workspace_among_others),
		cmocka_unit_test(drops_blocks_that_are_empty),
		cmocka_unit_test(joins_gaps),
		cmocka_unit_test(obeys_a_change),
		cmocka_unit_test(goes_on_after_a_restart),
		cmocka_unit_test(balances_stay),
		cmocka_unit_test(tells_expired_from_altered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
