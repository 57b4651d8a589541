/* Randomness: known answers, bounds, and that neither source repeats itself. */
#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_known_answers(void **state)
{
	/* The reference implementation's first outputs for this state (also rust-random's test vector). */
	static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
	struct rand rand = {{1, 2, 3, 4}};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_true(rand_u64(&rand) == expected[i]);
	rand_seed(&rand, 0);
	assert_true(rand.state[0] == 0xe220a8397b1dcdafull); /* splitmix64's first for seed 0 */
}

static void test_seeds(void **state)
{
	struct rand a, b, c;

	(void)state;
	rand_seed(&a, 5);
	rand_seed(&b, 5);
	rand_seed(&c, 6);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t value = rand_u64(&a);

		assert_true(value == rand_u64(&b));
		assert_true(value != rand_u64(&c));
	}
}

static void test_below(void **state)
{
	static const uint64_t bounds[] = {1, 2, 3, 10, 1ull << 33, (1ull << 63) + 1, UINT64_MAX};
	unsigned counts[10] = {0};
	struct rand rand;

	(void)state;
	rand_seed(&rand, 1);
	for (unsigned i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		for (unsigned n = 0; n < 1000; n++)
			assert_true(rand_below(&rand, bounds[i]) < bounds[i]);
	for (unsigned n = 0; n < 100000; n++)
		counts[rand_below(&rand, 10)]++;
	for (unsigned i = 0; i < 10; i++) /* five standard deviations of a fair draw */
		assert_in_range(counts[i], 10000 - 475, 10000 + 475);
}

static void test_system(void **state)
{
	unsigned char a[300], b[300];

	(void)state;
	memset(a, 0, sizeof(a));
	rand_system(a, sizeof(a) - 1);
	assert_int_equal(a[sizeof(a) - 1], 0);
	rand_system(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, a + 150, 149);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
