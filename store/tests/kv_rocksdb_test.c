/* The database's contract on RocksDB, in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static char dir[64], path[128];

static const char *contract_path(void)
{
	return path;
}

/* Files may not grow any more: the write-ahead log's writes fail as they do on a full disk. */
static void contract_fill_disk(bool full)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = full ? 1 : RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int contract_setup(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/tollgate-kv-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	return 0;
}

static int contract_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#include "store/tests/kv_contract.h"

int main(void)
{
	const struct CMUnitTest tests[] = {CONTRACT_CASES};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
