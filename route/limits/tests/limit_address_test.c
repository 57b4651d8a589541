/* The table of addresses: places that are kept, given on and shared, and an allowance that no number of addresses
 * widens. */
#include "route/limits/limit_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define QUIET_NS limit_addresses_quiet_ns(&minute)
#define START_NS (100 * NS_PER_S)

static const struct limit_settings minute = {.rpm = 2};

/* Of the same set, each another address; as an id is, odd. */
static uint64_t address(unsigned number)
{
	return ((uint64_t)(number + 1) * LIMIT_ADDRESS_SETS) << 8 | 1;
}

static bool admits(struct limit_meter *meter, uint64_t now_ns)
{
	const struct limit_scope scope = {meter, minute, LIMIT_ADDRESS};
	const struct limit_time time = {now_ns, now_ns};
	const struct limit_ask ask = {.tokens = 1};
	struct limit_answer answer;

	limit_decide(&scope, 1, 1, &time, &ask, &answer);
	return answer.admitted;
}

static struct limit_meter *take(struct limit_addresses *a, unsigned number, uint64_t now_ns)
{
	return limit_addresses_take(a, address(number), QUIET_NS, now_ns);
}

static void test_quiet(void **state)
{
	static const struct {
		struct limit_settings limits;
		uint64_t quiet_s;
	} rows[] = {
		{{.rpm = 1}, 62}, {{.tpm = 1, .concurrency = 1}, 62}, {{.rph = 1}, 3720}, {{.rpm = 1, .rpd = 1}, 3720}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(limit_addresses_quiet_ns(&rows[i].limits), rows[i].quiet_s * NS_PER_S);
}

static void test_kept(void **state)
{
	struct limit_addresses *a = limit_addresses_open();
	struct limit_meter *first;

	(void)state;
	assert_non_null(a);
	first = take(a, 0, START_NS);
	assert_true(admits(first, START_NS));
	assert_ptr_not_equal(take(a, 1, START_NS), first);
	assert_ptr_equal(take(a, 0, START_NS + QUIET_NS * 9), first);
	assert_true(limit_addresses_has(a, first, address(0)));
	assert_false(limit_addresses_has(a, first, address(1)));
	assert_false(limit_addresses_is_shared(a, first));
	limit_addresses_close(a);
}

/* Who finds no place shares one allowance with all others that find none; who has one does not notice. */
static void test_full(void **state)
{
	struct limit_addresses *a = limit_addresses_open();
	unsigned admitted = 0;

	(void)state;
	assert_non_null(a);
	for (unsigned i = 0; i < LIMIT_ADDRESS_WAYS; i++)
		assert_true(admits(take(a, i, START_NS), START_NS));
	for (unsigned i = LIMIT_ADDRESS_WAYS; i < 1000; i++) {
		struct limit_meter *meter = take(a, i, START_NS + i);

		assert_true(limit_addresses_is_shared(a, meter));
		assert_true(limit_addresses_has(a, meter, address(i)));
		admitted += admits(meter, START_NS + i);
	}
	assert_int_equal(admitted, minute.rpm);
	for (unsigned i = 0; i < LIMIT_ADDRESS_WAYS; i++) {
		assert_true(admits(take(a, i, START_NS + NS_PER_S), START_NS + NS_PER_S));
		assert_false(admits(take(a, i, START_NS + NS_PER_S), START_NS + NS_PER_S));
	}
	limit_addresses_close(a);
}

/* The place of who was quiet longest, and of nobody with a request under way. */
static void test_given_on(void **state)
{
	struct limit_addresses *a = limit_addresses_open();
	struct limit_meter *meters[LIMIT_ADDRESS_WAYS];

	(void)state;
	assert_non_null(a);
	for (unsigned i = 0; i < LIMIT_ADDRESS_WAYS; i++)
		meters[i] = take(a, i, START_NS + (i == 3 ? 0 : 1 + i));
	meters[3]->in_flight = 1;
	assert_int_equal(limit_addresses_in_flight(a), 1);
	assert_true(limit_addresses_is_shared(a, take(a, 100, START_NS + QUIET_NS)));
	assert_true(admits(meters[0], START_NS + 1));
	assert_ptr_equal(take(a, 100, START_NS + QUIET_NS + 1), meters[0]);
	assert_false(limit_addresses_has(a, meters[0], address(0)));
	assert_true(limit_addresses_has(a, meters[0], address(100)));
	assert_true(admits(meters[0], START_NS + QUIET_NS + 1));
	assert_true(admits(meters[0], START_NS + QUIET_NS + 1));
	assert_ptr_equal(take(a, 0, START_NS + QUIET_NS + 2), meters[1]);
	limit_addresses_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_given_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
