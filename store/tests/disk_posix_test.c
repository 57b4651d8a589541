/* The disk's contract on the file system, in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[64], data_dir[128];

static const char *contract_path(void)
{
	return data_dir;
}

static int contract_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tollgate-disk-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(data_dir, sizeof(data_dir), "%s/data", dir);
	return 0;
}

static int contract_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#include "store/tests/disk_contract.h"

/* What is in a data_dir is its owner's alone, and no draft is left in it. */
static void makes_files_for_their_owner(void **state)
{
	struct disk_lock *lock = lock_contract_directory();
	struct stat status;
	char file[256];

	(void)state;
	assert_int_equal(disk_make(path_of_file(file, "file"), FILE_BYTES, "1", 1), 0);
	assert_int_equal(stat(data_dir, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(stat(path_of_file(file, "file.new"), &status), -1);
	disk_unlock(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {CONTRACT_CASES, CONTRACT_CASE(makes_files_for_their_owner)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
