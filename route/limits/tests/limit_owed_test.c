/* Settlements that are gathered come to what they would have come to one by one. */
#include "route/limits/limit_owed.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START_NS (1000 * NS_PER_S)
enum { DAY = 20000, ROUNDS = 2000, CALLS_MAX = 40, TOKENS = 100 };

struct side {
	struct limit_meter meter;
	struct budget_meter budget;
	struct limit_scope scope;
	struct budget_scope money;
};

static void side_init(struct side *side)
{
	*side = (struct side){.scope = {.limits = {.tpm = 1000000, .rpm = 1000000}, .place = LIMIT_KEY},
		.money = {.limits_nusd = {1000000000, -1, -1}, .place = BUDGET_KEY}};
	limit_meter_init(&side->meter);
	side->scope.meter = &side->meter;
	side->money.meter = &side->budget;
}

static void settle(struct side *side, uint64_t now_ns, const struct limit_return *back)
{
	const struct limit_time time = {now_ns, now_ns};

	limit_give_back(&side->scope, 1, &time, back);
	budget_settle(&side->money, 1, back->budget_day, back->reserved_nusd, back->used_nusd);
}

static void admit(struct side *side, uint64_t now_ns, int64_t nusd)
{
	const struct limit_time time = {now_ns, now_ns};
	const struct limit_ask ask = {.tokens = TOKENS};
	struct limit_answer answer;

	limit_decide(&side->scope, 1, 1, &time, &ask, &answer);
	assert_true(answer.admitted);
	budget_reserve(&side->money, 1, DAY, nusd);
}

static void expect_same(struct side *a, struct side *b)
{
	assert_int_equal(a->meter.tokens.used, b->meter.tokens.used);
	assert_memory_equal(a->meter.tokens.slots, b->meter.tokens.slots, sizeof(a->meter.tokens.slots));
	assert_int_equal(a->budget.accounts[BUDGET_DAILY][0].used_nusd, b->budget.accounts[BUDGET_DAILY][0].used_nusd);
	assert_int_equal(budget_meter_reserved(&a->budget), budget_meter_reserved(&b->budget));
}

static void test_same(void **state)
{
	static struct side one_by_one, gathered;
	struct rand rand;

	(void)state;
	rand_seed(&rand, 7);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned calls = 1 + (unsigned)rand_below(&rand, CALLS_MAX);
		struct limit_owed owed = {0};
		struct limit_return parts[LIMIT_OWED_SECONDS];
		uint64_t at_ns = START_NS, now_ns = START_NS + 10 * NS_PER_S;

		side_init(&one_by_one);
		side_init(&gathered);
		for (unsigned i = 0; i < calls; i++) {
			int64_t nusd = (int64_t)rand_below(&rand, 5000);
			struct limit_return back = {.budget_day = DAY, .day = DAY, .reserved_nusd = nusd};

			at_ns += rand_below(&rand, NS_PER_S / 4);
			admit(&one_by_one, at_ns, nusd);
			admit(&gathered, at_ns, nusd);
			back.debited_ns = at_ns;
			back.used_nusd = (int64_t)rand_below(&rand, 5000);
			if (rand_below(&rand, 3))
				back.tokens = rand_below(&rand, TOKENS + 1);
			else
				back.excess_tokens = rand_below(&rand, TOKENS);
			settle(&one_by_one, now_ns, &back);
			if (!limit_owed_add(&owed, &back))
				settle(&gathered, now_ns, &back);
		}
		for (unsigned i = 0, count = limit_owed_parts(&owed, parts); i < count; i++)
			settle(&gathered, now_ns, &parts[i]);
		expect_same(&one_by_one, &gathered);
	}
}

static void test_apart(void **state)
{
	static const struct {
		const char *what;
		struct limit_return back;
		bool gathered;
	} rows[] = {
		{"money", {.budget_day = DAY, .used_nusd = 1}, true},
		{"another day's", {.budget_day = DAY + 1, .used_nusd = 1}, false},
		{"undone", {.budget_day = DAY, .requests = 1}, false},
		{"a place", {.budget_day = DAY, .ended = true}, false},
		{"a balance's", {.budget_day = DAY, .hosted = true}, false},
		{"paid by a balance", {.budget_day = DAY, .balance_used_nusd = 1}, false},
		{"a second that is there", {.budget_day = DAY, .debited_ns = START_NS, .tokens = 1}, true},
		{"one second too many", {.budget_day = DAY, .debited_ns = START_NS - NS_PER_S, .tokens = 1}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit_owed owed = {0}, before;

		for (unsigned s = 0; s < LIMIT_OWED_SECONDS; s++) {
			struct limit_return back = {
				.budget_day = DAY, .debited_ns = START_NS + s * NS_PER_S, .tokens = 1, .used_nusd = 1};

			assert_true(limit_owed_add(&owed, &back));
		}
		before = owed;
		if (limit_owed_add(&owed, &rows[i].back) != rows[i].gathered)
			fail_msg("%s", rows[i].what);
		if (!rows[i].gathered)
			assert_memory_equal(&owed, &before, sizeof(owed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
