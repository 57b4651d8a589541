/*
 * What disk.h promises while nothing crashes, as tests that run on any implementation. Who includes this defines
 * beforehand
 *
 *   static const char *contract_path(void);       of a directory that is not there yet
 *   static int contract_setup(void **state), contract_teardown(void **state);
 */
#ifndef STORE_TESTS_DISK_CONTRACT_H
#define STORE_TESTS_DISK_CONTRACT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/disk.h"

enum { FILE_BYTES = 3 * 4096 };

static struct disk_lock *lock_contract_directory(void)
{
	struct disk_lock *lock;
	char why[512];

	if (disk_lock(&lock, contract_path(), true, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return lock;
}

static const char *path_of_file(char path[static 256], const char *name)
{
	snprintf(path, 256, "%s/%s", contract_path(), name);
	return path;
}

static void locks_one_out(void **state)
{
	struct disk_lock *lock, *second;
	char why[512] = "";

	(void)state;
	assert_int_equal(disk_lock(&second, contract_path(), false, why, sizeof(why)), -ENOENT);
	assert_null(second);
	assert_non_null(strstr(why, contract_path()));
	lock = lock_contract_directory();
	assert_int_equal(disk_lock(&second, contract_path(), true, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "in use by another process"));
	disk_unlock(lock);
	assert_int_equal(disk_lock(&second, contract_path(), false, why, sizeof(why)), 0);
	disk_unlock(second);
}

static void makes_whole_files(void **state)
{
	struct disk_lock *lock = lock_contract_directory();
	char path[256], head[8] = "";
	uint64_t bytes = 0;
	char *map;

	(void)state;
	path_of_file(path, "file");
	assert_int_equal(disk_read_head(path, head, sizeof(head), &bytes), -ENOENT);
	assert_int_equal(disk_write_head(path, "other", 5), -ENOENT);
	assert_int_equal(disk_map(&map, path, FILE_BYTES), -ENOENT);
	assert_int_equal(disk_make(path, FILE_BYTES, "headers", 8), 0);
	assert_int_equal(disk_read_head(path, head, sizeof(head), &bytes), 0);
	assert_string_equal(head, "headers");
	assert_int_equal(bytes, FILE_BYTES);
	assert_int_equal(disk_map(&map, path, FILE_BYTES), 0);
	disk_warm(map, FILE_BYTES);
	for (size_t i = 8; i < FILE_BYTES; i++)
		assert_int_equal(map[i], 0);
	map[FILE_BYTES - 1] = 'x';
	disk_unmap(map, FILE_BYTES);
	assert_int_equal(disk_write_head(path, "HEAD", 4), 0);
	assert_int_equal(disk_map(&map, path, FILE_BYTES), 0);
	assert_memory_equal(map, "HEADers", 8);
	assert_int_equal(map[FILE_BYTES - 1], 'x');
	disk_unmap(map, FILE_BYTES);
	/* Of another size, under the same name. */
	assert_int_equal(disk_make(path, 4, "four", 4), 0);
	assert_int_equal(disk_read_head(path, head, sizeof(head), &bytes), -EBADMSG);
	assert_int_equal(disk_read_head(path, head, 4, &bytes), 0);
	assert_int_equal(bytes, 4);
	disk_unlock(lock);
}

static void maps_memory_alone(void **state)
{
	char *map;

	(void)state;
	assert_int_equal(disk_map(&map, NULL, FILE_BYTES), 0);
	disk_warm(map, FILE_BYTES);
	for (size_t i = 0; i < FILE_BYTES; i++)
		assert_int_equal(map[i], 0);
	memset(map, 1, FILE_BYTES);
	disk_unmap(map, FILE_BYTES);
}

struct seen_names {
	unsigned one, two, others, stop_at;
	bool remove;
};

static int see_name(void *context, const char *name)
{
	struct seen_names *seen = context;
	unsigned count = strcmp(name, "one") == 0 ? ++seen->one : strcmp(name, "two") == 0 ? ++seen->two : 0;
	char path[256];

	if (!count) {
		seen->others++;
		return 0;
	}
	if (seen->remove)
		assert_int_equal(disk_remove(path_of_file(path, name)), 0);
	return seen->one + seen->two == seen->stop_at ? -ECANCELED : 0;
}

static void names_what_is_there(void **state)
{
	struct seen_names seen = {.one = 0};
	struct disk_lock *lock;
	char path[256];

	(void)state;
	assert_int_equal(disk_each_name(contract_path(), see_name, &seen), -ENOENT);
	assert_int_equal(disk_sync_names(contract_path()), -ENOENT);
	lock = lock_contract_directory();
	assert_int_equal(disk_make(path_of_file(path, "one"), FILE_BYTES, "1", 1), 0);
	assert_int_equal(disk_make(path_of_file(path, "two"), FILE_BYTES, "2", 1), 0);
	assert_int_equal(disk_make(path, FILE_BYTES, "3", 1), 0);
	assert_int_equal(disk_sync_names(contract_path()), 0);
	assert_int_equal(disk_each_name(contract_path(), see_name, &seen), 0);
	assert_true(seen.one == 1 && seen.two == 1 && seen.others >= 1);
	seen = (struct seen_names){.stop_at = 1};
	assert_int_equal(disk_each_name(contract_path(), see_name, &seen), -ECANCELED);
	assert_int_equal(seen.one + seen.two, 1);
	seen = (struct seen_names){.remove = true};
	assert_int_equal(disk_each_name(contract_path(), see_name, &seen), 0);
	assert_true(seen.one == 1 && seen.two == 1);
	assert_int_equal(disk_each_name(contract_path(), see_name, &seen), 0);
	assert_true(seen.one == 1 && seen.two == 1);
	assert_int_equal(disk_remove(path), -ENOENT);
	disk_unlock(lock);
}

#define CONTRACT_CASE(f) cmocka_unit_test_setup_teardown(f, contract_setup, contract_teardown)
#define CONTRACT_CASES                                                                                                 \
	CONTRACT_CASE(locks_one_out), CONTRACT_CASE(makes_whole_files), CONTRACT_CASE(maps_memory_alone),              \
		CONTRACT_CASE(names_what_is_there)

#endif
