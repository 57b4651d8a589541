/* The retry budget: total failure at several rates, quiet gateways, and time going by. */
#include "route/fleet/retry_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)

/* Every call fails and every caller wants two more tries: how much more providers get than clients send. */
static void total_failure(void **state)
{
	static const struct {
		uint32_t a_second, percent;
	} table[] = {{1, 20}, {10, 20}, {100, 20}, {1000, 20}, {1000, 0}, {1000, 100}, {7, 50}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct retry_budget budget = {0};
		uint64_t requests = 0, retries = 0, seconds = 120, share, floor;

		for (uint64_t s = 1000; s < 1000 + seconds; s++)
			for (uint32_t n = 0; n < table[i].a_second; n++) {
				retry_budget_request(&budget, s * S);
				requests++;
				retries += retry_budget_take(&budget, table[i].percent, s * S);
				retries += retry_budget_take(&budget, table[i].percent, s * S);
			}
		share = requests * table[i].percent / 100;
		floor = seconds / RETRY_BUDGET_SECONDS * RETRY_BUDGET_FLOOR;
		assert_in_range(retries, share, share > floor ? share : floor);
	}
}

static void a_quiet_gateway_has_its_floor(void **state)
{
	struct retry_budget budget = {0};

	(void)state;
	for (unsigned i = 0; i < RETRY_BUDGET_FLOOR; i++)
		assert_true(retry_budget_take(&budget, 0, 1000 * S));
	assert_false(retry_budget_take(&budget, 0, 1000 * S));
	assert_false(retry_budget_take(&budget, 0, 1009 * S));
	assert_true(retry_budget_take(&budget, 0, 1010 * S));
	assert_true(retry_budget_take(&budget, 0, 5000 * S));
}

/* A burst of failures is covered by the quiet seconds before it. */
static void a_burst_is_covered(void **state)
{
	struct retry_budget budget = {0};
	unsigned taken = 0;

	(void)state;
	for (uint64_t s = 1000; s < 1010; s++)
		for (unsigned n = 0; n < 100; n++)
			retry_budget_request(&budget, s * S);
	for (unsigned n = 0; n < 1000; n++)
		taken += retry_budget_take(&budget, 20, 1009 * S);
	assert_int_equal(taken, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(total_failure),
		cmocka_unit_test(a_quiet_gateway_has_its_floor),
		cmocka_unit_test(a_burst_is_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
