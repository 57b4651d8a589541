/* Pools: pieces lie apart, come back, and go on beyond the region. */
#include "core/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES = 5, BYTES = 100 };

static void test_pieces_lie_apart(void **state)
{
	unsigned char *pieces[PIECES + 3]; /* some beyond the region */
	struct pool pool;

	(void)state;
	assert_int_equal(pool_open(&pool, BYTES, PIECES), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PIECES + 3; i++) {
			pieces[i] = pool_take(&pool);
			assert_non_null(pieces[i]);
			memset(pieces[i], (int)(i + round), BYTES);
		}
		for (unsigned i = 0; i < PIECES + 3; i++) {
			for (unsigned b = 0; b < BYTES; b++)
				assert_int_equal(pieces[i][b], i + round);
			pool_give(&pool, pieces[i]);
		}
	}
	pool_close(&pool);
}

static void test_last_given_is_taken_first(void **state)
{
	struct pool pool;
	void *first, *second;

	(void)state;
	assert_int_equal(pool_open(&pool, BYTES, PIECES), 0);
	first = pool_take(&pool);
	second = pool_take(&pool);
	pool_give(&pool, second);
	pool_give(&pool, first);
	assert_ptr_equal(pool_take(&pool), first);
	assert_ptr_equal(pool_take(&pool), second);
	assert_int_equal(pool.untouched_count, PIECES - 2);
	pool_close(&pool);
}

static void test_too_large(void **state)
{
	struct pool pool;

	(void)state;
	assert_int_equal(pool_open(&pool, (size_t)1 << 44, 1u << 15), -ENOMEM);
	pool_close(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_lie_apart),
		cmocka_unit_test(test_last_given_is_taken_first),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
