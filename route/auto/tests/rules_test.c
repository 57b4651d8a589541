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
		.has_images = -1,
		.bucket = -1,
		.use_priority = -1};
}

static char model[] = "auto", other_model[] = "m", tag_name[] = "team", tag_value[] = "search", other_value[] = "ads",
	    region[] = "eu";
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
	rule.monthly_spend_percent.gte = -1;
	rule.monthly_spend_percent.lt = 50;
	assert_false(hits(&rule, &facts)); /* no budget is no small part of one */
	rule = any_request();
	rule.has_images = 0;
	assert_true(hits(&rule, &facts));
	facts.has_images = true;
	assert_false(hits(&rule, &facts));
	rule.has_images = 1;
	assert_true(hits(&rule, &facts));
	rule = any_request();
	rule.region = region;
	assert_false(hits(&rule, &facts)); /* a node without a region is in none */
	facts.region = slice_of_string("eu");
	assert_true(hits(&rule, &facts));
	facts.region = slice_of_string("us");
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

static struct day_span span(unsigned from_minute, unsigned to_minute, const struct zone *zone)
{
	return (struct day_span){.from_minute = (uint16_t)from_minute, .to_minute = (uint16_t)to_minute, .zone = zone};
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
		rule.time_of_day = span(table[i].from, table[i].to, NULL);
		if (hits(&rule, &facts) != table[i].holds)
			fail_msg("row %zu", i);
	}
}

/* Noon in UTC is another hour elsewhere, and the day is another one. */
static void times_of_day_in_zones(void **state)
{
	static const struct zone east = {.has_rule = true, .standard_s = 14 * 3600},
				 west = {.has_rule = true, .standard_s = -11 * 3600 - 1800};
	static const struct {
		const struct zone *zone;
		unsigned from, to;
		bool holds;
	} table[] = {
		{&east, 2 * 60, 2 * 60 + 1, true},
		{&east, 12 * 60, 13 * 60, false},
		{&west, 30, 31, true},
		{&west, 23 * 60, 30, false},
		{&west, 23 * 60, 31, true},
		{NULL, 12 * 60, 12 * 60 + 1, true},
	};
	struct rule_facts facts = facts_at(12, 0), new_year = {.key = &key, .wall_ns = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rule_settings rule = any_request();

		rule.has_time_of_day = true;
		rule.time_of_day = span(table[i].from, table[i].to, table[i].zone);
		if (hits(&rule, &facts) != table[i].holds)
			fail_msg("row %zu", i);
		rule.time_of_day = span(12 * 60 + 30, 13 * 60, &west); /* of 1969 there */
		assert_true(hits(&rule, &new_year));
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

/* Pairs of rules that differ in one condition: whether the first leaves the second anything. */
static void covered_by_one_condition(void **state)
{
	static const struct zone zone = {.has_rule = true, .standard_s = 3600},
				 same = {.has_rule = true, .standard_s = 3600},
				 other = {.has_rule = true, .standard_s = 7200};
	static const struct comparison_settings any = ANY;
	static const struct {
		struct comparison_settings first, second;
		bool covered;
	} ranges[] = {
		{{-1, 10, -1, -1, -1}, {-1, 20, -1, -1, -1}, true},
		{{-1, 20, -1, -1, -1}, {-1, 10, -1, -1, -1}, false},
		{{19, -1, -1, -1, -1}, {-1, 20, -1, -1, -1}, true},
		{{-1, 10, 20, -1, -1}, {-1, -1, -1, -1, 15}, true},
		{{-1, 10, 20, -1, -1}, {-1, -1, -1, -1, 20}, false},
		{{-1, -1, -1, 20, -1}, {-1, -1, 21, -1, -1}, true},
		{{-1, -1, -1, 20, -1}, {-1, -1, 22, -1, -1}, false},
		{{-1, 0, -1, -1, -1}, ANY, false}, /* asks for a budget */
		{ANY, {-1, 0, -1, -1, -1}, true},
	};
	static const struct {
		struct day_span first, second;
		bool covered;
	} spans[] = {
		{{9 * 60, 17 * 60, NULL, NULL}, {10 * 60, 11 * 60, NULL, NULL}, true},
		{{9 * 60, 17 * 60, NULL, NULL}, {10 * 60, 18 * 60, NULL, NULL}, false},
		{{22 * 60, 6 * 60, NULL, NULL}, {23 * 60, 5 * 60, NULL, NULL}, true},
		{{22 * 60, 6 * 60, NULL, NULL}, {1 * 60, 6 * 60, NULL, NULL}, true},
		{{22 * 60, 6 * 60, NULL, NULL}, {5 * 60, 23 * 60, NULL, NULL}, false},
		{{9 * 60, 17 * 60, &zone, NULL}, {9 * 60, 17 * 60, NULL, NULL}, false},
		{{9 * 60, 17 * 60, &zone, NULL}, {9 * 60, 17 * 60, &other, NULL}, false},
		{{9 * 60, 17 * 60, &zone, NULL}, {9 * 60, 17 * 60, &same, NULL}, true},
		{{0, 24 * 60, NULL, NULL}, {9 * 60, 17 * 60, &zone, NULL}, true},
		{{0, 23 * 60, NULL, NULL}, {0, 24 * 60, NULL, NULL}, false},
	};
	unsigned by;

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct rule_settings rules[] = {any_request(), any_request()};

		rules[0].monthly_spend_percent = ranges[i].first;
		rules[1].monthly_spend_percent = ranges[i].second;
		if ((rules_unreachable(rules, 2, 0, &by) == 1) != ranges[i].covered)
			fail_msg("range %zu", i);
		rules[0].monthly_spend_percent = any;
		rules[0].input_tokens = (struct comparison_settings){.gt = -1, .gte = 5, .lt = 4, .lte = -1, .eq = -1};
		assert_int_equal(rules_unreachable(rules, 1, 0, &by), 0);
		assert_int_equal(by, 0);
	}
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct rule_settings rules[] = {any_request(), any_request()};

		rules[0].has_time_of_day = rules[1].has_time_of_day = true;
		rules[0].time_of_day = spans[i].first;
		rules[1].time_of_day = spans[i].second;
		if ((rules_unreachable(rules, 2, 0, &by) == 1) != spans[i].covered)
			fail_msg("span %zu", i);
	}
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
	rules[1].region = region;
	assert_int_equal(rules_unreachable(rules, 3, 2, &by), 3);
	rules[1].region = NULL;
	rules[1].has_images = 1;
	assert_int_equal(rules_unreachable(rules, 3, 2, &by), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(times_of_day),
		cmocka_unit_test(times_of_day_in_zones),
		cmocka_unit_test(the_first_that_matches),
		cmocka_unit_test(covered_by_one_condition),
		cmocka_unit_test(what_is_never_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
