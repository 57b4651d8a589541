/*
 * What kv.h promises, as tests that run on any implementation. Who includes this defines beforehand
 *
 *   static const char *contract_path(void);       of a database that is not there yet
 *   static void contract_fill_disk(bool full);    writes fail, or do so no more
 *   static int contract_setup(void **state), contract_teardown(void **state);
 */
#ifndef STORE_TESTS_KV_CONTRACT_H
#define STORE_TESTS_KV_CONTRACT_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rand.h"
#include "store/kv.h"

static struct kv *open_kv(bool read_only)
{
	struct kv *kv;
	char why[512];

	if (kv_open(&kv, contract_path(), read_only, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return kv;
}

static int write_batch(struct kv *kv, struct kv_batch *batch)
{
	int rc = kv_write(kv, batch, false);

	kv_batch_clear(batch);
	return rc;
}

static void put(struct kv *kv, enum kv_family family, const char *key, const char *value)
{
	struct kv_batch *batch = kv_batch_open();

	kv_batch_put(kv, batch, family, slice_of_string(key), slice_of_string(value));
	assert_int_equal(write_batch(kv, batch), 0);
	kv_batch_close(batch);
}

/* NULL `value`: there is no such row. */
static void expect_row(struct kv *kv, enum kv_family family, struct slice key, const struct slice *value)
{
	struct kv_row row;
	int rc = kv_get(kv, family, key, &row);

	assert_int_equal(rc, value ? 0 : -ENOENT);
	if (!value)
		return;
	assert_int_equal(row.value.size, value->size);
	if (value->size)
		assert_memory_equal(row.value.data, value->data, value->size);
	kv_row_fini(&row);
}

static void expect(struct kv *kv, enum kv_family family, const char *key, const char *value)
{
	struct slice bytes = slice_of_string(value);

	expect_row(kv, family, slice_of_string(key), value ? &bytes : NULL);
}

static void finds_what_was_put(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_row row;

	(void)state;
	expect(kv, KV_META, "a", NULL);
	put(kv, KV_META, "a", "one");
	put(kv, KV_META, "empty", "");
	expect(kv, KV_META, "a", "one");
	expect(kv, KV_META, "empty", "");
	expect(kv, KV_INDEX, "a", NULL);
	/* A row stays while other calls are made, and its database is opened again. */
	assert_int_equal(kv_get(kv, KV_META, SLICE("a"), &row), 0);
	put(kv, KV_META, "a", "two");
	assert_int_equal(kv_reopen(kv), 0);
	expect(kv, KV_META, "a", "two");
	assert_true(slice_equal(row.value, SLICE("one")));
	kv_row_fini(&row);
	kv_close(kv);
}

static void writes_batches_in_order(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open();

	(void)state;
	kv_batch_delete(kv, batch, KV_META, SLICE("never there"));
	kv_batch_put(kv, batch, KV_META, SLICE("a"), SLICE("1"));
	kv_batch_delete(kv, batch, KV_META, SLICE("a"));
	kv_batch_put(kv, batch, KV_META, SLICE("b"), SLICE("1"));
	kv_batch_put(kv, batch, KV_META, SLICE("b"), SLICE("2"));
	kv_batch_put(kv, batch, KV_COUNTERS, SLICE("a"), SLICE("3"));
	assert_int_equal(kv_write(kv, batch, true), 0);
	expect(kv, KV_META, "a", NULL);
	expect(kv, KV_META, "b", "2");
	expect(kv, KV_COUNTERS, "a", "3");
	/* It keeps its rows, and may be written again. */
	put(kv, KV_META, "b", "other");
	put(kv, KV_META, "a", "other");
	assert_int_equal(kv_write(kv, batch, false), 0);
	expect(kv, KV_META, "a", NULL);
	expect(kv, KV_META, "b", "2");
	kv_batch_clear(batch);
	put(kv, KV_META, "b", "3");
	assert_int_equal(kv_write(kv, batch, false), 0);
	expect(kv, KV_META, "b", "3");
	kv_batch_close(batch);
	kv_close(kv);
}

static void seeks_both_ways(void **state)
{
	static const struct {
		const char *key, *forth, *back;
	} rows[] = {
		{"", "b", NULL},
		{"a", "b", NULL},
		{"b", "b", "b"},
		{"ba", "bb", "b"},
		{"bb", "bb", "bb"},
		{"c", "d", "bb"},
		{"d", "d", "d"},
		{"d!", "\xff", "d"},
		{"e", "\xff", "d"},
		{"\xff", "\xff", "\xff"},
		{"\xff\xff", NULL, "\xff"},
	};
	static const char *const keys[] = {"d", "bb", "\xff", "b"};
	struct kv *kv = open_kv(false);
	struct kv_walk *walk;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		put(kv, KV_INDEX, keys[i], keys[i]);
	put(kv, KV_COUNTERS, "c", "of another family");
	walk = kv_walk_open(kv, KV_INDEX);
	assert_non_null(walk);
	assert_false(kv_walk_valid(walk));
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		bool back = i % 2;
		const char *expected = back ? rows[i / 2].back : rows[i / 2].forth;

		if (back)
			kv_walk_seek_back(walk, slice_of_string(rows[i / 2].key));
		else
			kv_walk_seek(walk, slice_of_string(rows[i / 2].key));
		if (kv_walk_valid(walk) != (expected != NULL))
			fail_msg(
				"row %zu, %s: a row is there: %d", i / 2, back ? "back" : "forth", kv_walk_valid(walk));
		if (!expected)
			continue;
		assert_true(slice_equal(kv_walk_key(walk), slice_of_string(expected)));
		assert_true(slice_equal(kv_walk_value(walk), slice_of_string(expected)));
	}
	assert_int_equal(kv_walk_error(walk), 0);
	kv_walk_close(walk);
	kv_close(kv);
}

/* A walk's own steps, and a turn in the middle. */
static void walks_back_and_forth(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_walk *walk;

	(void)state;
	put(kv, KV_RECEIPTS, "2", "");
	put(kv, KV_RECEIPTS, "1", "");
	put(kv, KV_RECEIPTS, "3", "");
	walk = kv_walk_open(kv, KV_RECEIPTS);
	kv_walk_seek(walk, SLICE(""));
	kv_walk_next(walk);
	kv_walk_next(walk);
	assert_true(slice_equal(kv_walk_key(walk), SLICE("3")));
	kv_walk_previous(walk);
	assert_true(slice_equal(kv_walk_key(walk), SLICE("2")));
	kv_walk_next(walk);
	kv_walk_next(walk);
	assert_false(kv_walk_valid(walk));
	kv_walk_seek_back(walk, SLICE("9"));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(kv_walk_valid(walk));
		kv_walk_previous(walk);
	}
	assert_false(kv_walk_valid(walk));
	kv_walk_close(walk);
	kv_close(kv);
}

static void walks_over_what_was_there(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open();
	struct kv_walk *walk, *later;

	(void)state;
	put(kv, KV_META, "a", "1");
	put(kv, KV_META, "b", "1");
	walk = kv_walk_open(kv, KV_META);
	kv_batch_put(kv, batch, KV_META, SLICE("a"), SLICE("2"));
	kv_batch_put(kv, batch, KV_META, SLICE("aa"), SLICE("2"));
	kv_batch_delete(kv, batch, KV_META, SLICE("b"));
	assert_int_equal(write_batch(kv, batch), 0);
	later = kv_walk_open(kv, KV_META);
	kv_walk_seek(walk, SLICE(""));
	assert_true(slice_equal(kv_walk_value(walk), SLICE("1")));
	kv_walk_next(walk);
	assert_true(slice_equal(kv_walk_key(walk), SLICE("b")));
	kv_walk_seek(later, SLICE(""));
	assert_true(slice_equal(kv_walk_value(later), SLICE("2")));
	kv_walk_next(later);
	assert_true(slice_equal(kv_walk_key(later), SLICE("aa")));
	kv_walk_next(later);
	assert_false(kv_walk_valid(later));
	kv_walk_close(later);
	kv_walk_close(walk);
	kv_batch_close(batch);
	kv_close(kv);
}

static void keeps_rows_when_opened_again(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open();

	(void)state;
	put(kv, KV_META, "a", "1");
	kv_close(kv);
	kv = open_kv(false);
	expect(kv, KV_META, "a", "1");
	kv_batch_put(kv, batch, KV_COUNTERS, SLICE("c"), SLICE("2"));
	assert_int_equal(kv_reopen(kv), 0);
	expect(kv, KV_META, "a", "1");
	assert_int_equal(kv_write(kv, batch, false), 0);
	expect(kv, KV_COUNTERS, "c", "2");
	kv_batch_close(batch);
	kv_close(kv);
}

static void reads_without_writing(void **state)
{
	struct kv_batch *batch = kv_batch_open();
	struct kv *kv, *reader;
	char why[512] = "";

	(void)state;
	assert_true(kv_open(&reader, contract_path(), true, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, contract_path()));
	kv = open_kv(false);
	put(kv, KV_META, "a", "1");
	reader = open_kv(true);
	put(kv, KV_META, "a", "2");
	expect(reader, KV_META, "a", "1"); /* as it was */
	kv_batch_put(reader, batch, KV_META, SLICE("a"), SLICE("3"));
	assert_int_equal(kv_write(reader, batch, false), -EIO);
	kv_close(reader);
	kv_close(kv);
	kv = open_kv(true);
	expect(kv, KV_META, "a", "2");
	kv_close(kv);
	kv_batch_close(batch);
}

static void has_one_writer(void **state)
{
	struct kv *kv = open_kv(false), *second;
	char why[512] = "";

	(void)state;
	assert_true(kv_open(&second, contract_path(), false, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, contract_path()));
	kv_close(kv);
	kv_close(open_kv(false));
}

/* After a failed write nothing is taken until kv_reopen(); what failed is there whole or not at all. */
static void takes_nothing_after_a_failed_write(void **state)
{
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open(), *other = kv_batch_open();
	struct kv_row first, second;
	int rc;

	(void)state;
	put(kv, KV_META, "a", "1");
	kv_batch_put(kv, batch, KV_META, SLICE("b"), SLICE("1"));
	kv_batch_put(kv, batch, KV_COUNTERS, SLICE("b"), SLICE("1"));
	kv_batch_put(kv, other, KV_META, SLICE("c"), SLICE("1"));
	contract_fill_disk(true);
	assert_int_equal(kv_write(kv, batch, true), -EIO);
	assert_int_equal(kv_write(kv, other, false), -EIO);
	contract_fill_disk(false);
	assert_int_equal(kv_write(kv, other, false), -EIO);
	assert_int_equal(kv_reopen(kv), 0);
	expect(kv, KV_META, "a", "1");
	expect(kv, KV_META, "c", NULL);
	rc = kv_get(kv, KV_META, SLICE("b"), &first);
	assert_int_equal(kv_get(kv, KV_COUNTERS, SLICE("b"), &second), rc);
	if (rc == 0) {
		kv_row_fini(&first);
		kv_row_fini(&second);
	}
	assert_int_equal(kv_write(kv, batch, true), 0);
	expect(kv, KV_META, "b", "1");
	expect(kv, KV_COUNTERS, "b", "1");
	kv_batch_close(other);
	kv_batch_close(batch);
	kv_close(kv);
}

/* Random batches over few keys, held against an array: number `k` has a key that orders as k does. */
enum { MODEL_KEYS = 300, MODEL_BATCHES = 400 };

static struct slice model_key(char bytes[static 8], unsigned k)
{
	/* Lengths differ, one is a prefix of the next: k = 6q + r is a byte that grows with q, then r bytes of 0xfe. */
	bytes[0] = (char)(k / 6 * 5);
	memset(bytes + 1, 0xfe, 6);
	return slice_of(bytes, 1 + k % 6);
}

static void expect_model(struct kv *kv, const uint32_t *model)
{
	struct kv_walk *walk = kv_walk_open(kv, KV_INDEX);
	char bytes[8];

	assert_non_null(walk);
	kv_walk_seek(walk, SLICE(""));
	for (unsigned k = 0; k < MODEL_KEYS; k++) {
		if (!model[k])
			continue;
		assert_true(kv_walk_valid(walk));
		assert_true(slice_equal(kv_walk_key(walk), model_key(bytes, k)));
		assert_true(slice_equal(kv_walk_value(walk), slice_of(&model[k], sizeof(model[k]))));
		kv_walk_next(walk);
	}
	assert_false(kv_walk_valid(walk));
	kv_walk_seek_back(walk, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff"));
	for (unsigned k = MODEL_KEYS; k-- > 0;) {
		if (!model[k])
			continue;
		assert_true(slice_equal(kv_walk_key(walk), model_key(bytes, k)));
		kv_walk_previous(walk);
	}
	assert_false(kv_walk_valid(walk));
	kv_walk_close(walk);
}

static void agrees_with_a_model(void **state)
{
	static uint32_t model[MODEL_KEYS];
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open();
	struct rand rand;
	char bytes[8];

	(void)state;
	rand_seed(&rand, 1);
	for (uint32_t n = 1; n <= MODEL_BATCHES; n++) {
		for (uint64_t edits = rand_below(&rand, 9); edits > 0; edits--) {
			unsigned k = (unsigned)rand_below(&rand, MODEL_KEYS);

			model[k] = rand_below(&rand, 3) ? n : 0;
			if (model[k])
				kv_batch_put(kv, batch, KV_INDEX, model_key(bytes, k),
					slice_of(&model[k], sizeof(model[k])));
			else
				kv_batch_delete(kv, batch, KV_INDEX, model_key(bytes, k));
		}
		assert_int_equal(write_batch(kv, batch), 0);
		if (n % 100 == 0)
			assert_int_equal(kv_reopen(kv), 0);
		if (n % 25 == 0)
			expect_model(kv, model);
	}
	kv_batch_close(batch);
	kv_close(kv);
}

/* About: what it takes to keep rows, and rows that were removed for as long as they are not taken away, may count. */
static void tells_about_how_much_there_is(void **state)
{
	enum { ROWS = 100, ROW_BYTES = 1000 };
	struct kv *kv = open_kv(false);
	struct kv_batch *batch = kv_batch_open();
	static const char value[ROW_BYTES];
	struct kv_size size;
	char bytes[8];

	(void)state;
	for (unsigned k = 0; k < ROWS; k++)
		kv_batch_put(kv, batch, KV_SEALED, model_key(bytes, k), slice_of(value, sizeof(value)));
	assert_int_equal(write_batch(kv, batch), 0);
	size = kv_about(kv, KV_SEALED);
	assert_int_equal(size.rows, ROWS);
	assert_true(size.bytes >= ROWS * ROW_BYTES);
	assert_int_equal(kv_about(kv, KV_INDEX).rows, 0);
	kv_give_back(kv, KV_SEALED, SLICE("a"), SLICE("z"));
	assert_int_equal(kv_about(kv, KV_SEALED).rows, ROWS);
	kv_batch_close(batch);
	kv_close(kv);
}

#define CONTRACT_CASE(f) cmocka_unit_test_setup_teardown(f, contract_setup, contract_teardown)
#define CONTRACT_CASES                                                                                                 \
	CONTRACT_CASE(finds_what_was_put), CONTRACT_CASE(writes_batches_in_order), CONTRACT_CASE(seeks_both_ways),     \
		CONTRACT_CASE(walks_back_and_forth), CONTRACT_CASE(walks_over_what_was_there),                         \
		CONTRACT_CASE(keeps_rows_when_opened_again), CONTRACT_CASE(reads_without_writing),                     \
		CONTRACT_CASE(has_one_writer), CONTRACT_CASE(takes_nothing_after_a_failed_write),                      \
		CONTRACT_CASE(agrees_with_a_model), CONTRACT_CASE(tells_about_how_much_there_is)

#endif
