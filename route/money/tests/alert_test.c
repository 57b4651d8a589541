/* Alerts: what is signed how, when it is tried again, and that each mark of a budget is told once in its window. */
#include "route/money/alert.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 20454 };

/* As `openssl dgst -sha256 -hmac` has it, the key's first and then the body's. */
static void test_signature(void **state)
{
	static const char expected[] = "3ba09b357fcdd502eb5fb9778702a150c970fef45a1ffd3c7344ead25060b886";
	char signature[WEBHOOK_SIGNATURE_BYTES];

	(void)state;
	assert_true(webhook_sign(SLICE("master-key-for-tests"), SLICE("default"), SLICE("{\"a\":1}"), signature));
	assert_memory_equal(signature, expected, sizeof(signature));
	assert_true(webhook_sign(SLICE("master-key-for-tests"), SLICE("other"), SLICE("{\"a\":1}"), signature));
	assert_memory_not_equal(signature, expected, sizeof(signature));
}

static void test_pauses(void **state)
{
	uint64_t before_ns = 0;

	(void)state;
	assert_true(webhook_pause_ns(0) == 0);
	for (unsigned failures = 1; failures <= 5; failures++) {
		assert_true(webhook_pause_ns(failures) > before_ns);
		before_ns = webhook_pause_ns(failures);
	}
	assert_true(webhook_pause_ns(6) == 0 && webhook_pause_ns(UINT32_MAX) == 0);
}

static void test_marks(void **state)
{
	struct budget_meter meter = {0};
	const struct budget_scope scope = {.meter = &meter, .limits_nusd = {1000, -1, 5000}, .place = BUDGET_KEY};
	const struct budget_account *account;
	static const struct {
		uint32_t day;
		int64_t used_nusd;
		bool refused;
		unsigned daily, monthly;
	} steps[] = {
		{DAY, 799, false, 0, 0},
		{DAY, 1, false, BUDGET_NEAR, 0},
		{DAY, 100, false, 0, 0},
		{DAY, 0, true, BUDGET_FULL, BUDGET_FULL},
		{DAY, 200, false, 0, 0},
		{DAY + 1, 1000, false, BUDGET_NEAR | BUDGET_FULL, 0}, /* another day, the same month */
		{DAY + 2, 1900, false, BUDGET_NEAR | BUDGET_FULL, BUDGET_NEAR},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		budget_settle(&scope, 1, steps[i].day, 0, steps[i].used_nusd);
		assert_int_equal(budget_reached(&scope, BUDGET_DAILY, steps[i].day, 80, steps[i].refused, &account),
			steps[i].daily);
		assert_int_equal(
			budget_reached(&scope, BUDGET_WEEKLY, steps[i].day, 80, steps[i].refused, &account), 0);
		assert_int_equal(budget_reached(&scope, BUDGET_MONTHLY, steps[i].day, 80, steps[i].refused, &account),
			steps[i].monthly);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
