/* Arenas: alignment, the bound, blocks that come back to the pool. */
#include "core/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_aligned_and_apart(void **state)
{
	struct arena_pool pool;
	struct arena arena;
	unsigned char *kept[200];

	(void)state;
	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool, 1 << 20);
	for (unsigned i = 0; i < 200; i++) {
		size_t size = i * i % 3000;

		kept[i] = arena_alloc(&arena, size);
		assert_non_null(kept[i]);
		assert_int_equal((uintptr_t)kept[i] % 16, 0);
		memset(kept[i], (int)i, size);
	}
	for (unsigned i = 0; i < 200; i++)
		for (size_t b = 0; b < i * i % 3000; b++)
			assert_int_equal(kept[i][b], i);
	assert_true(arena.used_bytes <= 1 << 20);
	arena_fini(&arena);
	assert_int_equal(pool.free_count, 4);
	assert_int_equal(arena.used_bytes, 0);
	arena_pool_fini(&pool);
}

static void test_bound(void **state)
{
	static const size_t bounds[] = {0, 100, ARENA_BLOCK_BYTES, 3 * ARENA_BLOCK_BYTES + 500, 100000};
	struct arena_pool pool;

	(void)state;
	arena_pool_init(&pool, 2);
	for (unsigned i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct arena arena;
		size_t got = 0;

		arena_init(&arena, &pool, bounds[i]);
		assert_null(arena_alloc(&arena, bounds[i] + 1));
		assert_null(arena_alloc(&arena, SIZE_MAX));
		assert_null(arena_copy(&arena, slice_of("", SIZE_MAX)).data);
		while (arena_alloc(&arena, 16))
			got += 16;
		assert_true(got <= bounds[i] && arena.used_bytes <= bounds[i]);
		assert_true(got + bounds[i] / 100 + 48 >= bounds[i]); /* headers take little */
		arena_fini(&arena);
	}
	arena_pool_fini(&pool);
	assert_null(pool.free);
}

static void test_large_keeps_current_block(void **state)
{
	struct arena_pool pool;
	struct arena arena;
	char *a, *b;

	(void)state;
	arena_pool_init(&pool, 1);
	arena_init(&arena, &pool, 1 << 20);
	a = arena_alloc(&arena, 16);
	assert_non_null(arena_alloc(&arena, 50000));
	b = arena_alloc(&arena, 16);
	assert_ptr_equal(b, a + 16);
	arena_fini(&arena);
	assert_int_equal(pool.free_count, 1);

	arena_init(&arena, &pool, 1 << 20);
	assert_ptr_equal(arena_alloc(&arena, 1), a); /* the block came from the pool, dirty */
	a[0] = 'x';
	b = arena_zalloc(&arena, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(b[i], 0);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static void test_copy(void **state)
{
	struct arena_pool pool;
	struct arena arena;
	struct slice copy;

	(void)state;
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool, 1 << 20);
	copy = arena_copy(&arena, SLICE("a\0b"));
	assert_true(slice_equal(copy, SLICE("a\0b")));
	assert_int_equal(copy.data[3], '\0');
	copy = arena_copy(&arena, slice_of(NULL, 0));
	assert_non_null(copy.data);
	assert_int_equal(copy.data[0], '\0');
	arena_fini(&arena);
	assert_null(pool.free);
	arena_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligned_and_apart),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_large_keeps_current_block),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
