/* Rules by hand: each condition alone, the first that matches, and rules that no request reaches. */
#include "route/auto/rules.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ANY                                                                                                            \
	{                                                                                                              \
		.gt = -1, .gte = -1, .lt = -1, .lte = -1, .eq = -1                                                     \
	}

static struct rule_settings any_request(void)
{
	return (struct rule_settings){.input_tokens = ANY,
		.monthly_spend_percent = ANY,
		.has_schema = -1,
		.has_tools = -1,
		.bucket = -1,
		.use_priority = -1};
}

static char model[] = "auto", other_model[] = "m", tag_name[] = "team", tag_value[] = "search", other_value[] = "ads";
static struct named_value tags[] = {{tag_name, tag_value}};
static const struct key_settings key = {.tag_count = 1, .tags = tags};

static struct rule_facts facts_at(unsigned hour, unsigned minute)
{
	return (struct rule_facts){.model = {model, 4},
		.input_tokens = 100,
		.monthly_spend_percent = 80,
		.has_tools = true,
		.bucket = BUCKET_STANDARD,
		.wall_ns = ((uint64_t)20000 * 86400 + hour * 3600 + minute * 60) * NS_PER_S,
		.key = &key};
}

static bool hits(const struct rule_settings *rule, const struct rule_facts *facts)
{
	return rules_match(rule, 1, facts) == rule;
}

static void conditions(void **state)
{
	struct named_value other_tags[] = {{tag_name, tag_value}, {tag_name, other_value}};
	struct rule_facts facts = facts_at(12, 0);
	struct rule_settings rule = any_request();

	(void)state;
	assert_true(hits(&rule, &facts));
	rule.model = model;
	assert_true(hits(&rule, &facts));
	rule.model = other_model;
	assert_false(hits(&rule, &facts));
	rule = any_request();
	rule.has_tools = 1;
	assert_true(hits(&rule, &facts));
	rule.has_schema = 1;
	assert_false(hits(&rule, &facts));
	rule = any_request();
	rule.bucket = BUCKET_STANDARD;
	assert_true(hits(&rule, &facts));
	rule.bucket = BUCKET_SIMPLE;
	assert_false(hits(&rule, &facts));
	rule = any_request();
	rule.tags = other_tags;
	rule.tag_count = 1;
	assert_true(hits(&rule, &facts));
	rule.tag_count = 2;
	assert_false(hits(&rule, &facts));
	rule = any_request();
	rule.monthly_spend_percent.gte = 80;
	assert_true(hits(&rule, &facts));
	facts.monthly_spend_percent = -1;
	assert_false(hits(&rule, &facts));
}

static void comparisons(void **state)
{
	static const struct {
		struct comparison_settings comparison;
		bool holds;
	} table[] = {
		{{.gt = 99, .gte = -1, .lt = -1, .lte = -1, .eq = -1}, true},
		{{.gt = 100, .gte = -1, .lt = -1, .lte = -1, .eq = -1}, false},
		{{.gt = -1, .gte = 100, .lt = -1, .lte = -1, .eq = -1}, true},
		{{.gt = -1, .gte = 101, .lt = -1, .lte = -1, .eq = -1}, false},
		{{.gt = -1, .gte = -1, .lt = 101, .lte = -1, .eq = -1}, true},
		{{.gt = -1, .gte = -1, .lt = 100, .lte = -1, .eq = -1}, false},
		{{.gt = -1, .gte = -1, .lt = -1, .lte = 100, .eq = -1}, true},
		{{.gt = -1, .gte = -1, .lt = -1, .lte = 99, .eq = -1}, false},
		{{.gt = -1, .gte = -1, .lt = -1, .lte = -1, .eq = 100}, true},
		{{.gt = -1, .gte = -1, .lt = -1, .lte = -1, .eq = 0}, false},
		{{.gt = 50, .gte = -1, .lt = 100, .lte = -1, .eq = -1}, false},
	};
	struct rule_facts facts = facts_at(0, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rule_settings rule = any_request();

		rule.input_tokens = table[i].comparison;
		if (hits(&rule, &facts) != table[i].holds)
			fail_msg("row %zu", i);
	}
}

static void times_of_day(void **state)
{
	static const struct {
		unsigned from, to, hour, minute;
		bool holds;
	} table[] = {
		{9 * 60, 17 * 60, 9, 0, true},
		{9 * 60, 17 * 60, 8, 59, false},
		{9 * 60, 17 * 60, 16, 59, true},
		{9 * 60, 17 * 60, 17, 0, false},
		{22 * 60, 6 * 60, 23, 0, true},
		{22 * 60, 6 * 60, 0, 0, true},
		{22 * 60, 6 * 60, 5, 59, true},
		{22 * 60, 6 * 60, 6, 0, false},
		{22 * 60, 6 * 60, 21, 59, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rule_facts facts = facts_at(table[i].hour, table[i].minute);
		struct rule_settings rule = any_request();

		rule.has_time_of_day = true;
		rule.time_of_day = (struct day_span){(uint16_t)table[i].from, (uint16_t)table[i].to};
		if (hits(&rule, &facts) != table[i].holds)
			fail_msg("row %zu", i);
	}
}

static void the_first_that_matches(void **state)
{
	struct rule_settings rules[] = {any_request(), any_request(), any_request()};
	struct rule_facts facts = facts_at(0, 0);

	(void)state;
	rules[0].model = other_model;
	assert_ptr_equal(rules_match(rules, 3, &facts), &rules[1]);
	assert_null(rules_match(rules, 1, &facts));
	assert_null(rules_match(NULL, 0, &facts));
	assert_false(rules_need_score(rules, 3));
	rules[2].bucket = BUCKET_COMPLEX;
	assert_true(rules_need_score(rules, 3));
}

static void what_is_never_reached(void **state)
{
	struct rule_settings rules[] = {any_request(), any_request(), any_request()};
	unsigned by = 99;

	(void)state;
	rules[0].bucket = BUCKET_SIMPLE;
	rules[1].has_tools = 1;
	rules[2].bucket = BUCKET_SIMPLE;
	rules[2].model = model;
	assert_int_equal(rules_unreachable(rules, 3, 0, &by), 2);
	assert_int_equal(by, 0);
	rules[2].bucket = BUCKET_COMPLEX;
	assert_int_equal(rules_unreachable(rules, 3, 0, &by), 3);
	rules[2].has_tools = 1;
	assert_int_equal(rules_unreachable(rules, 3, 0, &by), 2);
	assert_int_equal(by, 1);
	rules[1].input_tokens.gte = 10;
	assert_int_equal(rules_unreachable(rules, 3, 0, &by), 3);
	rules[2].input_tokens.gte = 10;
	assert_int_equal(rules_unreachable(rules, 3, 0, &by), 2);
	rules[1] = any_request();
	assert_int_equal(rules_unreachable(rules, 3, 2, &by), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(times_of_day),
		cmocka_unit_test(the_first_that_matches),
		cmocka_unit_test(what_is_never_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
