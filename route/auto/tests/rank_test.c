/* The order of models by hand-made facts: what is left aside and why, each priority, ties, and what is relented on. */
#include "route/auto/rank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MODELS = 4 };

struct world {
	struct model_settings settings[MODELS];
	struct rank_model models[MODELS];
};

/* Cheap and poor to dear and good; the third has no price. */
static void fill(struct world *w)
{
	static const uint32_t quality_milli[MODELS] = {500, 700, 800, 900}, context[MODELS] = {1000, 0, 1000, 100000};
	static const int64_t cost_nusd[MODELS] = {10, 20, 0, 40};
	static const uint64_t latency_ns[MODELS] = {300, 200, 100, 0};

	memset(w, 0, sizeof(*w));
	for (unsigned i = 0; i < MODELS; i++) {
		w->settings[i] = (struct model_settings){
			.quality_milli = quality_milli[i], .context_window = context[i], .price.known = i != 2};
		w->models[i] = (struct rank_model){.model = &w->settings[i],
			.cost_nusd = cost_nusd[i],
			.latency_ns = latency_ns[i],
			.verdict = VERDICT_CHOSEN};
	}
}

static void expect(struct world *w, const struct rank_rules *rules, unsigned fit, const unsigned *order)
{
	assert_int_equal(rank_models(w->models, MODELS, rules), fit);
	for (unsigned i = 0; i < fit; i++) {
		assert_ptr_equal(w->models[i].model, &w->settings[order[i]]);
		assert_int_equal(w->models[i].verdict, VERDICT_CHOSEN);
	}
	for (unsigned i = fit; i < MODELS; i++)
		assert_int_not_equal(w->models[i].verdict, VERDICT_CHOSEN);
}

static enum receipt_verdict verdict_of(const struct world *w, unsigned model)
{
	for (unsigned i = 0; i < MODELS; i++)
		if (w->models[i].model == &w->settings[model])
			return w->models[i].verdict;
	fail();
	return VERDICT_FAILED;
}

static void each_priority_has_its_order(void **state)
{
	static const unsigned orders[][MODELS] = {
		[PRIORITY_COST] = {0, 1, 3, 2},    /* no price is dearer than any */
		[PRIORITY_LATENCY] = {3, 2, 1, 0}, /* never tried goes first */
		[PRIORITY_QUALITY] = {3, 2, 1, 0},
	};
	struct world w;

	(void)state;
	for (unsigned priority = 0; priority < 3; priority++) {
		fill(&w);
		expect(&w, &(struct rank_rules){.priority = priority}, MODELS, orders[priority]);
	}
}

static void equals_stay_as_declared(void **state)
{
	static const unsigned order[] = {0, 1, 2, 3};
	struct world w;

	(void)state;
	fill(&w);
	for (unsigned i = 0; i < MODELS; i++) {
		w.settings[i] = (struct model_settings){.price.known = true};
		w.models[MODELS - 1 - i] = (struct rank_model){.model = &w.settings[i], .verdict = VERDICT_CHOSEN};
	}
	expect(&w, &(struct rank_rules){.priority = PRIORITY_COST}, MODELS, order);
}

static void what_does_not_fit_is_left_aside(void **state)
{
	static const unsigned order[] = {3};
	struct world w;

	(void)state;
	fill(&w);
	w.models[1].verdict = VERDICT_NOT_ALLOWED;
	expect(&w, &(struct rank_rules){.quality_milli = 600, .tokens = 1001}, 1, order);
	assert_int_equal(verdict_of(&w, 0), VERDICT_TOO_SMALL_CONTEXT);
	assert_int_equal(verdict_of(&w, 1), VERDICT_NOT_ALLOWED);
	assert_int_equal(verdict_of(&w, 2), VERDICT_TOO_SMALL_CONTEXT);
}

static void limits_are_inclusive(void **state)
{
	static const unsigned order[] = {1, 3, 2};
	struct world w;

	(void)state;
	fill(&w);
	expect(&w, &(struct rank_rules){.quality_milli = 700, .latency_ns = 200, .tokens = 1000}, 3, order);
	assert_int_equal(verdict_of(&w, 0), VERDICT_BELOW_QUALITY);
}

static void rather_slow_or_poor_than_not_at_all(void **state)
{
	static const unsigned fastest[] = {2}, best[] = {3};
	struct world w;

	(void)state;
	fill(&w);
	w.models[3].latency_ns = 400;
	expect(&w, &(struct rank_rules){.latency_ns = 50}, 1, fastest);
	assert_int_equal(verdict_of(&w, 0), VERDICT_SLOWER);
	fill(&w);
	expect(&w, &(struct rank_rules){.quality_milli = 950}, 1, best);
	fill(&w);
	expect(&w, &(struct rank_rules){.quality_milli = 950, .quality_asked = true}, 0, NULL);
}

static void nothing_to_rank(void **state)
{
	(void)state;
	assert_int_equal(rank_models(NULL, 0, &(struct rank_rules){.tokens = 1}), 0);
}

static void harder_requests_need_more(void **state)
{
	(void)state;
	assert_int_equal(rank_quality_milli(BUCKET_SIMPLE, 800), 480);
	assert_int_equal(rank_quality_milli(BUCKET_STANDARD, 800), 640);
	assert_int_equal(rank_quality_milli(BUCKET_COMPLEX, 800), 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_priority_has_its_order),
		cmocka_unit_test(equals_stay_as_declared),
		cmocka_unit_test(what_does_not_fit_is_left_aside),
		cmocka_unit_test(limits_are_inclusive),
		cmocka_unit_test(rather_slow_or_poor_than_not_at_all),
		cmocka_unit_test(nothing_to_rank),
		cmocka_unit_test(harder_requests_need_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
