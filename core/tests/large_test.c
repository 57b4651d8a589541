/* Large blocks: sizes, what is kept and what is not. */
#include "core/large.h"

#include "core/kconfig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { KIB = 1024, KEPT_MAX = 256 * KIB };

static void *take(struct large_pool *pool, size_t wanted, size_t *bytes)
{
	char *block;

	*bytes = wanted;
	block = large_take(pool, bytes);
	assert_non_null(block);
	assert_true(*bytes >= wanted);
	assert_int_equal((uintptr_t)block % 16, 0);
	memset(block, 0xa5, *bytes);
	return block;
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		1, LARGE_LEAST_BYTES - 1, LARGE_LEAST_BYTES, 200 * KIB, 8192 * KIB, 8192 * KIB + 1};
	struct large_pool pool;
	size_t bytes;

	(void)state;
	large_pool_init(&pool, KEPT_MAX);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			void *block = take(&pool, sizes[i], &bytes);

			large_give(&pool, block, bytes);
			assert_true(pool.kept_bytes <= KEPT_MAX);
		}
	}
	bytes = SIZE_MAX;
	assert_null(large_take(&pool, &bytes));
	large_give(&pool, NULL, 0);
	large_pool_fini(&pool);
	assert_int_equal(pool.kept_bytes, 0);
}

static void test_last_given_is_taken_first(void **state)
{
	struct large_pool pool;
	size_t bytes;
	void *first, *second;

	(void)state;
	large_pool_init(&pool, KEPT_MAX);
	first = take(&pool, 40 * KIB, &bytes);
	second = take(&pool, 64 * KIB, &bytes);
	large_give(&pool, first, bytes);
	large_give(&pool, second, bytes);
	assert_int_equal(pool.kept_bytes, 128 * KIB);
	assert_ptr_equal(take(&pool, 50 * KIB, &bytes), second);
	assert_ptr_equal(take(&pool, 50 * KIB, &bytes), first);
	large_give(&pool, first, bytes);
	large_give(&pool, second, bytes);
	large_pool_fini(&pool);
}

static void test_no_more_than_the_bound_stays(void **state)
{
	enum { COUNT = 20 };
	struct large_pool pool;
	void *blocks[COUNT];
	size_t bytes;

	(void)state;
	large_pool_init(&pool, KEPT_MAX);
	for (unsigned i = 0; i < COUNT; i++)
		blocks[i] = take(&pool, 64 * KIB, &bytes);
	for (unsigned i = 0; i < COUNT; i++)
		large_give(&pool, blocks[i], bytes);
	assert_int_equal(pool.kept_bytes, KEPT_MAX);
	large_pool_fini(&pool);
}

/* What one load left makes room for what the next one needs. */
static void test_another_size_takes_the_place(void **state)
{
	struct large_pool pool;
	void *blocks[4], *other;
	size_t bytes;

	(void)state;
	large_pool_init(&pool, KEPT_MAX);
	for (unsigned i = 0; i < 4; i++)
		blocks[i] = take(&pool, 64 * KIB, &bytes);
	for (unsigned i = 0; i < 4; i++)
		large_give(&pool, blocks[i], bytes);
	other = take(&pool, 128 * KIB, &bytes);
	large_give(&pool, other, bytes);
	assert_int_equal(pool.kept_bytes, KEPT_MAX); /* 128, and two of 64 */
	assert_ptr_equal(take(&pool, 128 * KIB, &bytes), other);
	large_give(&pool, other, bytes);
	other = take(&pool, 512 * KIB, &bytes); /* larger than all that may stay */
	large_give(&pool, other, bytes);
	assert_int_equal(pool.kept_bytes, KEPT_MAX);
	large_pool_fini(&pool);
}

int main(void)
{
	static const struct CMUnitTest always[] = {
		cmocka_unit_test(test_sizes),
	};
	static const struct CMUnitTest kept[] = {
		cmocka_unit_test(test_last_given_is_taken_first),
		cmocka_unit_test(test_no_more_than_the_bound_stays),
		cmocka_unit_test(test_another_size_takes_the_place),
	};
	int failed = cmocka_run_group_tests(always, NULL, NULL);

	/* Under the sanitizers nothing is kept. */
	if (!CONFIG(SANITIZE) && !CONFIG(VALGRIND))
		failed += cmocka_run_group_tests(kept, NULL, NULL);
	return failed;
}
