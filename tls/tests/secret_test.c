/* Memory for keys: whole, zeroed, apart from each other, wiped, and in no core dump as the kernel tells it. */
#include "tls/secret.h"
#include "tls/secret_heap.h"

#include "core/kconfig.h"
#include "core/rand.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCKS = 400, LARGEST_BYTES = 200000 };

/* "dd" among the flags of the mapping that `memory` lies in. */
static bool is_not_dumped(const void *memory)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	char line[512];

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = (uintptr_t)memory >= start && (uintptr_t)memory < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd");
	}
	fclose(smaps);
	return found;
}

static bool is_all(const void *memory, char byte, size_t bytes)
{
	const char *p = memory;

	for (size_t i = 0; i < bytes; i++)
		if (p[i] != byte)
			return false;
	return true;
}

static void test_pages(void **state)
{
	char *secret = secret_take(10000);

	(void)state;
	assert_non_null(secret);
	assert_true(is_all(secret, 0, 10000));
	assert_true(is_not_dumped(secret));
	assert_false(is_not_dumped(state));
	memset(secret, 1, 10000);
	secret_give(secret, 10000);
	secret_give(NULL, 0);
}

static void test_each_size(void **state)
{
	static const size_t sizes[] = {
		0, 1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 4096, 4097, 65535, 65536, 65537, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *memory = secret_heap_take(sizes[i]);

		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % 16, 0);
		assert_true(CONFIG(SANITIZE) || is_all(memory, 0, sizes[i]));
		assert_true(CONFIG(SANITIZE) || is_not_dumped(memory));
		memset(memory, 'x', sizes[i]);
		secret_heap_give(memory);
	}
	assert_null(secret_heap_take(SIZE_MAX));
	assert_null(secret_heap_take(SIZE_MAX - 32));
	secret_heap_give(NULL);
}

/* The block that comes back is the one that was given, without what was in it. */
static void test_wiped(void **state)
{
	char *memory = secret_heap_take(1000), *again;

	(void)state;
	if (CONFIG(SANITIZE)) {
		secret_heap_give(memory);
		skip();
	}
	memset(memory, 'x', 1000);
	secret_heap_give(memory);
	again = secret_heap_take(995);
	assert_ptr_equal(again, memory);
	assert_true(is_all(again + sizeof(void *), 0, 995 - sizeof(void *)));
	secret_heap_give(again);
}

static void test_resize(void **state)
{
	char *memory = secret_heap_resize(NULL, 10);

	(void)state;
	memcpy(memory, "0123456789", 10);
	memory = secret_heap_resize(memory, 100000);
	assert_memory_equal(memory, "0123456789", 10);
	memory = secret_heap_resize(memory, 4);
	assert_memory_equal(memory, "0123", 4);
	secret_heap_give(memory);
}

/* Many of any size at once, in any order: none writes over another. */
static void test_none_overlap(void **state)
{
	struct {
		char *memory;
		size_t bytes;
	} blocks[BLOCKS] = {{NULL, 0}};
	struct rand rand;

	(void)state;
	rand_seed(&rand, 3);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = (unsigned)rand_below(&rand, BLOCKS);

		if (blocks[at].memory)
			assert_true(is_all(blocks[at].memory, (char)at, blocks[at].bytes));
		secret_heap_give(blocks[at].memory);
		blocks[at].bytes = rand_below(&rand, rand_below(&rand, 50) ? 2000 : LARGEST_BYTES);
		blocks[at].memory = secret_heap_take(blocks[at].bytes);
		memset(blocks[at].memory, (char)at, blocks[at].bytes);
	}
	for (unsigned at = 0; at < BLOCKS; at++)
		secret_heap_give(blocks[at].memory);
}

static void *give(void *memory)
{
	secret_heap_give(memory);
	return NULL;
}

static void test_another_thread_frees(void **state)
{
	pthread_t thread;
	char *memory = secret_heap_take(100);

	(void)state;
	memset(memory, 'x', 100);
	assert_int_equal(pthread_create(&thread, NULL, give, memory), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	memory = secret_heap_take(100);
	assert_true(CONFIG(SANITIZE) || is_all(memory + sizeof(void *), 0, 100 - sizeof(void *)));
	secret_heap_give(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_each_size),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_none_overlap),
		cmocka_unit_test(test_another_thread_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
