/* What a key and an endpoint come to together. */
#include "route/limits/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char name[] = "p/s";

static struct limit_subject plain(void)
{
	return (struct limit_subject){.per_request_nusd = -1, .reserve_output_tokens = 1024};
}

static void nothing_of_its_own(void **state)
{
	struct limit_subject key = plain(), endpoint = plain(), joined;

	(void)state;
	assert_false(limit_subject_join(&joined, &key, &endpoint, name));
}

static void limits(void **state)
{
	struct limit_subject key = plain(), endpoint = plain(), joined;
	struct limit_meter meters[2];

	(void)state;
	key.scopes[key.scope_count++] = (struct limit_scope){&meters[0], {.rpm = 5}, LIMIT_KEY};
	endpoint.scopes[endpoint.scope_count++] = (struct limit_scope){&meters[1], {.tpm = 100}, LIMIT_ENDPOINT};
	endpoint.tokens_least = 100;
	assert_true(limit_subject_join(&joined, &key, &endpoint, name));
	assert_int_equal(joined.scope_count, 2);
	assert_ptr_equal(joined.scopes[0].meter, &meters[0]);
	assert_ptr_equal(joined.scopes[1].meter, &meters[1]);
	assert_true(joined.counts_tokens);
	assert_false(joined.counts_concurrency);
	assert_int_equal(joined.tokens_least, 100);
	assert_string_equal(joined.endpoint, name);
	key.tokens_least = 50;
	assert_true(limit_subject_join(&joined, &key, &endpoint, name));
	assert_int_equal(joined.tokens_least, 50);
}

/* The balance stays last, where a request finds it that a hosted model may serve. */
static void budgets(void **state)
{
	struct limit_subject key = plain(), endpoint = plain(), joined;
	struct budget_meter meters[2];
	struct balance_meter balance;

	(void)state;
	key.has_budget = key.has_balance = true;
	key.budgets[key.budget_count++] = (struct budget_scope){.meter = &meters[0], .place = BUDGET_KEY};
	key.budgets[key.budget_count] = (struct budget_scope){.balance = &balance, .place = BUDGET_BALANCE};
	endpoint.has_budget = true;
	endpoint.reserve_output_tokens = 7;
	endpoint.budgets[endpoint.budget_count++] =
		(struct budget_scope){.meter = &meters[1], .place = BUDGET_ENDPOINT};
	assert_true(limit_subject_join(&joined, &key, &endpoint, name));
	assert_int_equal(joined.budget_count, 2);
	assert_ptr_equal(joined.budgets[1].meter, &meters[1]);
	assert_ptr_equal(joined.budgets[2].balance, &balance);
	assert_int_equal(joined.reserve_output_tokens, 1024);
	key.has_budget = false;
	assert_true(limit_subject_join(&joined, &key, &endpoint, name));
	assert_true(joined.has_budget);
	assert_int_equal(joined.reserve_output_tokens, 7);
}

static void one_request(void **state)
{
	static const struct {
		int64_t key, endpoint, joined;
		enum budget_place place;
	} cases[] = {
		{-1, 5, 5, BUDGET_ENDPOINT}, {7, 5, 5, BUDGET_ENDPOINT}, {5, 7, 5, BUDGET_KEY}, {5, -1, 5, BUDGET_KEY}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit_subject key = plain(), endpoint = plain(), joined;

		key.per_request_nusd = cases[i].key;
		key.per_request_place = BUDGET_KEY;
		endpoint.has_budget = true;
		endpoint.per_request_nusd = cases[i].endpoint;
		endpoint.per_request_place = BUDGET_ENDPOINT;
		assert_true(limit_subject_join(&joined, &key, &endpoint, name));
		assert_int_equal(joined.per_request_nusd, cases[i].joined);
		assert_int_equal(joined.per_request_place, cases[i].place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_of_its_own), cmocka_unit_test(limits),
		cmocka_unit_test(budgets), cmocka_unit_test(one_request)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
