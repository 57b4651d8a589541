/*
 * What the check must find: a database is written as the writer does it, one thing in it is altered, and the finding
 * must name it. Also blocks by themselves: bytes that are none never crash.
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

#include "core/rand.h"
#include "store/commit.h"
#include "store/migrate.h"
#include "store/receipt_index.h"
#include "store/store.h"
#include "store/tests/receipts.h"

enum { BLOCKS = 4, RECEIPTS_A_BLOCK = 5 };

static char dir[64];
static struct kv *kv;

static int make_dir(void **state)
{
	char path[128], why[256];
	int fd;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tollgate-check-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/db", dir);
	return kv_open(&kv, path, false, why, sizeof(why));
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	if (kv)
		kv_close(kv);
	kv = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void append(struct journal *journal, uint64_t n)
{
	struct receipt receipt;
	char *room = journal_reserve(journal, RECEIPT_BYTES_MAX);
	int size;

	assert_non_null(room);
	test_receipt(&receipt, n);
	size = receipt_encode(&receipt, room, RECEIPT_BYTES_MAX);
	assert_true(size > 0);
	journal_append(journal, (size_t)size);
}

static void write_blocks(void)
{
	struct journal *journal;
	struct commit *commit;
	char why[256];

	assert_int_equal(commit_open(&commit, kv, "node-1", why, sizeof(why)), 0);
	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES_MIN, 1), 0);
	for (unsigned block = 0; block < BLOCKS; block++) {
		for (unsigned i = 0; i < RECEIPTS_A_BLOCK; i++)
			append(journal, block * RECEIPTS_A_BLOCK + i);
		assert_int_equal(commit_group(commit, &journal, 1, 0, false), RECEIPTS_A_BLOCK);
	}
	assert_int_equal(commit_group(commit, &journal, 1, 0, false), 0);
	assert_int_equal(commit_write_counters(commit, false), 0);
	journal_close(journal);
	commit_close(commit);
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

static void put(enum kv_family family, struct slice key, struct slice value)
{
	struct kv_batch *batch = kv_batch_open();

	kv_batch_put(kv, batch, family, key, value);
	assert_int_equal(kv_write(kv, batch, false), 0);
	kv_batch_close(batch);
}

static void remove_row(enum kv_family family, struct slice key)
{
	struct kv_batch *batch = kv_batch_open();

	kv_batch_delete(kv, batch, family, key);
	assert_int_equal(kv_write(kv, batch, false), 0);
	kv_batch_close(batch);
}

/* Alters `size` bytes at `at` of a row's value by `by`. */
static void alter(enum kv_family family, struct slice key, size_t at, char by)
{
	struct kv_row row;
	char *copy;

	assert_int_equal(kv_get(kv, family, key, &row), 0);
	assert_true(at < row.value.size);
	copy = malloc(row.value.size);
	assert_non_null(copy);
	memcpy(copy, row.value.data, row.value.size);
	copy[at] = (char)(copy[at] ^ by);
	put(family, key, slice_of(copy, row.value.size));
	free(copy);
	kv_row_fini(&row);
}

static char block_3[8] = {0, 0, 0, 0, 0, 0, 0, 3};
#define BLOCK_3 slice_of(block_3, sizeof(block_3))

/* Where record `index` of block 3 begins in its value. */
static size_t record_at(uint32_t index)
{
	struct block_view view;
	struct kv_row row;
	size_t at;

	assert_int_equal(kv_get(kv, KV_RECEIPTS, BLOCK_3, &row), 0);
	assert_int_equal(block_view_open(&view, row.value), 0);
	at = (size_t)(block_view_record(&view, index).data - row.value.data);
	kv_row_fini(&row);
	return at;
}

static void alter_nothing(void)
{
}

/* The status: record 2's 28th byte, a varint. */
static void alter_record(void)
{
	alter(KV_RECEIPTS, BLOCK_3, record_at(2) + 27, 1);
}

static void alter_record_and_hash(void)
{
	struct block_view view;
	struct hash hash;
	struct kv_row row;
	char *copy;

	alter_record();
	assert_int_equal(kv_get(kv, KV_RECEIPTS, BLOCK_3, &row), 0);
	copy = malloc(row.value.size);
	assert_non_null(copy);
	memcpy(copy, row.value.data, row.value.size);
	assert_int_equal(block_view_open(&view, slice_of(copy, row.value.size)), 0);
	hash = hash_of(block_view_record(&view, 2));
	memcpy((char *)view.hashes + 2 * sizeof(hash), &hash, sizeof(hash));
	put(KV_RECEIPTS, BLOCK_3, slice_of(copy, row.value.size));
	free(copy);
	kv_row_fini(&row);
}

static void alter_chain(void)
{
	alter(KV_RECEIPTS, BLOCK_3, BLOCK_HEAD_BYTES - 1, 1);
}

static void alter_version(void)
{
	alter(KV_RECEIPTS, BLOCK_3, 0, 2);
}

static void remove_block(void)
{
	remove_row(KV_RECEIPTS, BLOCK_3);
}

static void remove_last_block(void)
{
	static const char last[8] = {0, 0, 0, 0, 0, 0, 0, BLOCKS};

	remove_row(KV_RECEIPTS, slice_of(last, sizeof(last)));
}

static void alter_total(void)
{
	alter(KV_COUNTERS, slice_of("\1\0", 2), 9, 1);
}

static void remove_model_counter(void)
{
	remove_row(KV_COUNTERS, slice_of("\7\0mock-small", 12));
}

static void remove_key_row(void)
{
	char key[INDEX_KEY_KEY_BYTES];

	index_key_key(key, index_key_hash(SLICE("vk_two")), 3);
	remove_row(KV_INDEX, slice_of(key, sizeof(key)));
}

static void alter_time_row(void)
{
	struct ulid id = test_id(2 * RECEIPTS_A_BLOCK);
	char key[INDEX_TIME_KEY_BYTES];

	index_time_key(key, &id, 3);
	alter(KV_INDEX, slice_of(key, sizeof(key)), 1, 1);
}

static void alter_end(void)
{
	alter(KV_META, SLICE("chain"), 39, 1);
}

/* A second copy of a receipt in a block of its own, chained as it should be: nothing but its id gives it away. */
static void append_again(void)
{
	struct journal *journal;
	struct commit *commit;
	char why[256];

	assert_int_equal(commit_open(&commit, kv, "node-1", why, sizeof(why)), 0);
	assert_int_equal(journal_open(&journal, NULL, JOURNAL_BYTES_MIN, 2), 0);
	append(journal, 7);
	assert_int_equal(commit_group(commit, &journal, 1, 0, false), 1);
	journal_close(journal);
	commit_close(commit);
}

static const struct {
	void (*alter)(void);
	const char *expected[2];
	int result;
} rows[] = {
	{alter_nothing, {"20 receipts in 4 blocks", ": sound"}, 0},
	{alter_record, {"block 3 receipt 2 (req_", "): was altered"}, 1},
	{alter_record_and_hash, {"block 3: the chain breaks", "not sound"}, 1},
	{alter_chain, {"block 3: the chain breaks", "not sound"}, 1},
	{alter_version, {"block 3: was altered", "not sound"}, 1},
	{remove_block, {"block 3: missing", "block 4: the chain breaks"}, 1},
	{remove_last_block, {"the chain ends at block 4, the receipts at block 3", "counter total"}, 1},
	{alter_total, {"counter total: says 20 receipts", "add up to 20"}, 1},
	{remove_model_counter, {"counters: 1 are missing", "not sound"}, 1},
	{remove_key_row, {"block 3: an index row of kind k is missing", "not sound"}, 1},
	{alter_time_row, {"block 3: an index row of kind t is wrong", "not sound"}, 1},
	{alter_end, {"the last block is not the one", "not sound"}, 1},
	{append_again, {"is there twice", "not sound"}, 1},
};

static void names_what_was_altered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct findings findings = {.size = 0};
		int rc;

		remove_dir(NULL);
		assert_int_equal(make_dir(NULL), 0);
		write_blocks();
		rows[i].alter();
		kv_close(kv);
		kv = NULL;
		rc = store_check(dir, say, &findings);
		if (rc != rows[i].result || !strstr(findings.text, rows[i].expected[0]) ||
			!strstr(findings.text, rows[i].expected[1]))
			fail_msg("row %zu: result %d, findings:\n%s", i, rc, findings.text);
	}
}

static void refuses_a_newer_schema(void **state)
{
	static const char newer[4] = {SCHEMA_VERSION + 1};
	struct commit *commit;
	char why[256], expected[32];

	(void)state;
	write_blocks();
	put(KV_META, SLICE("schema"), slice_of(newer, sizeof(newer)));
	assert_int_equal(commit_open(&commit, kv, "node-1", why, sizeof(why)), -ENOTSUP);
	snprintf(expected, sizeof(expected), "schema version %d", SCHEMA_VERSION + 1);
	assert_non_null(strstr(why, expected));
}

static void opens_no_damaged_block(void **state)
{
	struct block_view view;
	struct kv_row row;
	struct rand rand;

	(void)state;
	write_blocks();
	assert_int_equal(kv_get(kv, KV_RECEIPTS, BLOCK_3, &row), 0);
	rand_seed(&rand, 3);
	for (size_t size = 0; size <= row.value.size; size++) {
		char *copy = malloc(size ? size : 1);

		assert_non_null(copy);
		memcpy(copy, row.value.data, size);
		assert_int_equal(block_view_open(&view, slice_of(copy, size)), size == row.value.size ? 0 : -EBADMSG);
		for (unsigned i = 0; size > 0 && i < 8; i++) {
			copy[rand_below(&rand, size)] = (char)rand_u64(&rand);
			if (block_view_open(&view, slice_of(copy, size)) == 0)
				for (uint32_t k = 0; k < view.count; k++)
					assert_true(block_view_record(&view, k).size <= size);
		}
		free(copy);
	}
	kv_row_fini(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_what_was_altered, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(refuses_a_newer_schema, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(opens_no_damaged_block, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
