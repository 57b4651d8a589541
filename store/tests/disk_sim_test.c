/* The disk's contract on the simulated one, and what a process that dies and a power cut leave of files and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/disk_sim.h"

static struct sim_disk *disk;

static const char *contract_path(void)
{
	return "/data";
}

static void open_disk(uint64_t seed)
{
	struct rand rand;

	rand_seed(&rand, seed);
	disk = sim_disk_open(&rand);
	sim_disk_use(disk);
}

static int contract_setup(void **state)
{
	(void)state;
	open_disk(7);
	return 0;
}

static int contract_teardown(void **state)
{
	(void)state;
	sim_disk_close(disk);
	return 0;
}

#include "store/tests/disk_contract.h"

static const char *const file_path = "/data/file";

/* FILE_BYTES with its name on the disk, mapped. */
static char *make_mapped(void)
{
	char *map;

	assert_int_equal(disk_make(file_path, FILE_BYTES, "head", 4), 0);
	assert_int_equal(disk_sync_names(contract_path()), 0);
	assert_int_equal(disk_map(&map, file_path, FILE_BYTES), 0);
	return map;
}

/* Each page says which write was its last. */
static void write_pages(char *map, char what)
{
	for (size_t at = 4000; at < FILE_BYTES; at += 4096)
		map[at] = what;
}

static void keeps_all_when_the_process_dies(void **state)
{
	struct disk_lock *lock = lock_contract_directory();
	char *map = make_mapped(), *again;

	(void)state;
	write_pages(map, 1);
	sim_disk_process_died(disk);
	/* The dead one's lock is free, and what it had is not the next one's. */
	disk_unlock(lock_contract_directory());
	assert_int_equal(disk_map(&again, file_path, FILE_BYTES), 0);
	assert_ptr_not_equal(again, map);
	assert_memory_equal(again, "head", 4);
	for (size_t at = 4000; at < FILE_BYTES; at += 4096)
		assert_int_equal(again[at], 1);
	disk_unmap(again, FILE_BYTES);
	disk_unmap(map, FILE_BYTES);
	disk_unlock(lock);
}

/* A page is what it was at the last sync, last, or at a moment between; each is met, of each page, and nothing else. */
static void loses_pages_since_the_last_sync(void **state)
{
	unsigned seen[3][4] = {{0}};

	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct sim_disk *outer = disk;
		struct disk_lock *lock;
		char *map, *left;

		open_disk(seed);
		lock = lock_contract_directory();
		map = make_mapped();
		write_pages(map, 1);
		assert_int_equal(disk_write_head(file_path, "HEAD", 4), 0);
		write_pages(map, 2);
		for (unsigned i = 0; i < 4; i++)
			sim_disk_touch(disk);
		write_pages(map, 3);
		sim_disk_cut_power(disk);
		assert_int_equal(disk_map(&left, file_path, FILE_BYTES), 0);
		assert_memory_equal(left, "HEAD", 4);
		for (unsigned page = 0; page < 3; page++) {
			unsigned is = (unsigned char)left[4000 + 4096 * page];

			assert_true(is >= 1 && is <= 3);
			seen[page][is]++;
		}
		disk_unlock(lock);
		sim_disk_close(disk);
		disk = outer;
	}
	for (unsigned page = 0; page < 3; page++)
		for (unsigned is = 1; is <= 3; is++)
			assert_true(seen[page][is] > 0);
	sim_disk_use(disk);
}

/* Two files: of each the name was synced, then it was replaced, then removed. Of 3 by 3 ends each is met. */
static void loses_names_since_the_last_sync(void **state)
{
	static const char *const names[] = {"one", "two"};
	unsigned seen[3][3] = {{0}};

	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct sim_disk *outer = disk;
		unsigned is[2];

		open_disk(seed);
		disk_unlock(lock_contract_directory());
		for (unsigned i = 0; i < 6; i++) {
			char path[256];

			path_of_file(path, names[i % 2]);
			if (i == 2)
				assert_int_equal(disk_sync_names(contract_path()), 0);
			if (i < 4)
				assert_int_equal(disk_make(path, FILE_BYTES, i < 2 ? "1" : "2", 1), 0);
			else
				assert_int_equal(disk_remove(path), 0);
		}
		sim_disk_cut_power(disk);
		for (unsigned i = 0; i < 2; i++) {
			char path[256], head = '0';
			uint64_t bytes;
			int rc = disk_read_head(path_of_file(path, names[i]), &head, 1, &bytes);

			assert_true(rc == 0 || rc == -ENOENT);
			is[i] = (unsigned)(head - '0');
			assert_true(is[i] <= 2);
		}
		seen[is[0]][is[1]]++;
		sim_disk_close(disk);
		disk = outer;
	}
	for (unsigned i = 0; i < 9; i++)
		assert_true(seen[i / 3][i % 3] > 0);
	sim_disk_use(disk);
}

/* What the process does after the moment it was stopped at is forgotten, and what it did before is not. */
static void stops_between_two_calls(void **state)
{
	static const char *const heads[] = {"a", "b", "c", "d"};

	(void)state;
	for (uint64_t calls = 0; calls <= 4; calls++) {
		char head = '-';
		uint64_t bytes;
		int rc;

		disk_unlock(lock_contract_directory());
		assert_int_equal(disk_make(file_path, FILE_BYTES, "-", 1), 0);
		assert_int_equal(disk_sync_names(contract_path()), 0);
		sim_disk_stop_after(disk, calls, calls % 2);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(disk_write_head(file_path, heads[i], 1), 0);
			assert_int_equal(sim_disk_stopped(disk), i >= calls);
		}
		if (calls % 2)
			sim_disk_cut_power(disk);
		else
			sim_disk_process_died(disk);
		assert_false(sim_disk_stopped(disk));
		rc = disk_read_head(file_path, &head, 1, &bytes);
		assert_int_equal(rc, 0);
		assert_int_equal(head, calls ? heads[calls - 1][0] : '-');
	}
}

static void refuses_when_full(void **state)
{
	struct disk_lock *lock;
	uint64_t bytes;
	char why[512], head;

	(void)state;
	sim_disk_fill(disk, true);
	assert_int_equal(disk_lock(&lock, contract_path(), true, why, sizeof(why)), -ENOSPC);
	sim_disk_fill(disk, false);
	lock = lock_contract_directory();
	sim_disk_fill(disk, true);
	assert_int_equal(disk_make(file_path, FILE_BYTES, "1", 1), -ENOSPC);
	assert_int_equal(disk_read_head(file_path, &head, 1, &bytes), -ENOENT);
	sim_disk_fill(disk, false);
	assert_int_equal(disk_make(file_path, FILE_BYTES, "1", 1), 0);
	sim_disk_fill(disk, true);
	/* Blocks that are there can be written. */
	assert_int_equal(disk_write_head(file_path, "2", 1), 0);
	disk_unlock(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_CASES,
		CONTRACT_CASE(keeps_all_when_the_process_dies),
		CONTRACT_CASE(loses_pages_since_the_last_sync),
		CONTRACT_CASE(loses_names_since_the_last_sync),
		CONTRACT_CASE(stops_between_two_calls),
		CONTRACT_CASE(refuses_when_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
