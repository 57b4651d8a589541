/* The database's contract on the simulated disk, and what that adds: losses, and handed-out bytes that are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sanitizer/asan_interface.h>

#include "store/disk_sim.h"

static struct sim_disk *disk;

static const char *contract_path(void)
{
	return "/data/db";
}

static void contract_fill_disk(bool full)
{
	sim_disk_fill(disk, full);
}

static int contract_setup(void **state)
{
	struct rand rand;

	(void)state;
	rand_seed(&rand, 7);
	disk = sim_disk_open(&rand);
	sim_disk_use(disk);
	return 0;
}

static int contract_teardown(void **state)
{
	(void)state;
	sim_disk_close(disk);
	return 0;
}

#include "store/tests/kv_contract.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
static void takes_back_what_it_handed_out(void **state)
{
	struct kv *kv = open_kv(false);
	const char *key, *value;
	struct kv_walk *walk;
	struct kv_row row;

	(void)state;
	put(kv, KV_META, "a", "1");
	put(kv, KV_META, "b", "1");
	assert_int_equal(kv_get(kv, KV_META, SLICE("a"), &row), 0);
	value = row.value.data;
	assert_int_equal(__asan_address_is_poisoned(value), 0);
	assert_int_equal(__asan_address_is_poisoned(value + 1), 1);
	kv_row_fini(&row);
	assert_int_equal(__asan_address_is_poisoned(value), 1);
	walk = kv_walk_open(kv, KV_META);
	kv_walk_seek(walk, SLICE(""));
	key = kv_walk_key(walk).data;
	value = kv_walk_value(walk).data;
	assert_int_equal(__asan_address_is_poisoned(key) + __asan_address_is_poisoned(value), 0);
	kv_walk_next(walk);
	assert_int_equal(__asan_address_is_poisoned(key) + __asan_address_is_poisoned(value), 2);
	kv_walk_close(walk);
	kv_close(kv);
}
#endif

static int write_two(struct kv *kv, const char *key, bool sync)
{
	struct kv_batch *batch = kv_batch_open();
	int rc;

	kv_batch_put(kv, batch, KV_META, slice_of_string(key), SLICE("1"));
	kv_batch_put(kv, batch, KV_INDEX, slice_of_string(key), SLICE("1"));
	rc = kv_write(kv, batch, sync);
	kv_batch_close(batch);
	return rc;
}

static bool has_both(struct kv *kv, const char *key)
{
	static const struct slice one = SLICE("1");
	struct kv_row row;
	int rc = kv_get(kv, KV_META, slice_of_string(key), &row);

	if (rc == 0)
		kv_row_fini(&row);
	expect_row(kv, KV_INDEX, slice_of_string(key), rc == 0 ? &one : NULL);
	return rc == 0;
}

/* Batches a to f, c synced; over many seeds each length of what may be left is met, and no other. */
static void loses_only_the_end_of_what_was_not_synced(void **state)
{
	static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
	unsigned seen[7] = {0};
	struct rand rand;

	(void)state;
	rand_seed(&rand, 1);
	for (unsigned round = 0; round < 300; round++) {
		struct sim_disk *machine = sim_disk_open(&rand);
		unsigned left = 0;
		struct kv *kv;

		sim_disk_use(machine);
		kv = open_kv(false);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(write_two(kv, keys[i], i == 2), 0);
		sim_disk_process_died(machine);
		kv_close(kv);
		kv = open_kv(false);
		for (unsigned i = 0; i < 6; i++)
			assert_true(has_both(kv, keys[i]));
		kv_close(kv);
		sim_disk_cut_power(machine);
		kv = open_kv(false);
		while (left < 6 && has_both(kv, keys[left]))
			left++;
		for (unsigned i = left; i < 6; i++)
			assert_false(has_both(kv, keys[i]));
		seen[left]++;
		kv_close(kv);
		sim_disk_close(machine);
	}
	/* 0: its name was never synced, which is for disk_sync_names() to do. */
	assert_true(seen[0] > 0 && seen[1] == 0 && seen[2] == 0);
	for (unsigned i = 3; i <= 6; i++)
		assert_true(seen[i] > 0);
	sim_disk_use(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_CASES,
		CONTRACT_CASE(loses_only_the_end_of_what_was_not_synced),
#ifdef WITH_ASAN
		CONTRACT_CASE(takes_back_what_it_handed_out),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
