/* Rankings done again from receipts: of many drawn catalogs, after the record and back; and of receipts that were
 * changed. */
#include "route/auto/decision.h"

#include "core/rand.h"
#include "store/tests/receipts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { MODELS = RECEIPT_CANDIDATES_MAX, SEEDS = 2000 };

struct catalog {
	struct model_settings models[MODELS];
	struct rank_model ranked[MODELS];
	unsigned fit;
	char ids[MODELS][8];
};

/* Few values, so that many are alike and the order comes down to how they are declared. */
static void draw(struct catalog *c, struct rank_rules *rules, struct rand *rand)
{
	for (unsigned i = 0; i < MODELS; i++) {
		snprintf(c->ids[i], sizeof(c->ids[i]), "m%u", i);
		c->models[i] = (struct model_settings){.id = c->ids[i],
			.quality_milli = (uint32_t)rand_below(rand, 4) * 250,
			.context_window = (uint32_t)rand_below(rand, 3) * 500,
			.price.known = rand_below(rand, 5) > 0};
		c->ranked[i] = (struct rank_model){.model = &c->models[i],
			.cost_nusd = (int64_t)rand_below(rand, 4) * 1000,
			.latency_ns = rand_below(rand, 4) * 1000000,
			.verdict = rand_below(rand, 8) ? VERDICT_CHOSEN : VERDICT_RESIDENCY};
	}
	*rules = (struct rank_rules){.priority = (enum route_priority)rand_below(rand, 3),
		.quality_milli = (uint32_t)rand_below(rand, 5) * 250,
		.quality_asked = rand_below(rand, 2),
		.latency_ns = rand_below(rand, 3) * 1000000,
		.tokens = rand_below(rand, 3) * 600};
}

/* As an exchange tells it: those left aside first, then the first that fits, then those behind it. */
static void tell(const struct catalog *c, const struct rank_rules *rules, struct receipt *r)
{
	test_receipt(r, 1);
	r->candidate_count = 0;
	r->decision = (struct receipt_decision){.made = true,
		.automatic = true,
		.quality_asked = rules->quality_asked,
		.priority = (uint8_t)rules->priority,
		.quality_milli = rules->quality_milli,
		.latency_ns = rules->latency_ns,
		.tokens = rules->tokens};
	for (unsigned n = 0; n < MODELS; n++) {
		unsigned i = (n + c->fit) % MODELS, place = i < c->fit ? i + 1 : 0;
		const struct rank_model *m = &c->ranked[i];

		r->figures[r->candidate_count] = decision_figures(m, (unsigned)(m->model - c->models), place);
		r->candidates[r->candidate_count++] = (struct receipt_candidate){
			slice_of_string(m->model->id), place > 1 ? rank_behind(rules->priority) : m->verdict};
	}
}

static void every_ranking_is_the_same_again(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	struct rand rand;
	unsigned ranked = 0;

	(void)state;
	rand_seed(&rand, 7);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct catalog c;
		struct rank_rules rules;
		struct receipt receipt, kept;
		struct decision_replay replay;
		int size;

		draw(&c, &rules, &rand);
		c.fit = rank_models(c.ranked, MODELS, &rules);
		tell(&c, &rules, &receipt);
		size = receipt_encode(&receipt, record, sizeof(record));
		assert_true(size > 0);
		assert_int_equal(receipt_decode(slice_of(record, (size_t)size), &kept), 0);
		assert_true(decision_replay(&kept, &replay));
		assert_int_equal(replay.count, c.fit);
		for (unsigned i = 0; i < c.fit; i++)
			assert_true(slice_equal(
				kept.candidates[replay.order[i]].model, slice_of_string(c.ranked[i].model->id)));
		assert_true(replay.agrees);
		ranked += c.fit;
	}
	assert_true(ranked > SEEDS); /* else hardly anything was ordered */
}

/* a is the cheapest, then b; c lacks quality. */
static struct receipt make(void)
{
	struct receipt r;

	test_receipt(&r, 1);
	r.decision = (struct receipt_decision){.made = true, .automatic = true, .quality_milli = 500, .rule = 2};
	r.candidate_count = 3;
	r.candidates[0] = (struct receipt_candidate){SLICE("c"), VERDICT_BELOW_QUALITY};
	r.candidates[1] = (struct receipt_candidate){SLICE("a"), VERDICT_CHOSEN};
	r.candidates[2] = (struct receipt_candidate){SLICE("b"), VERDICT_DEARER};
	r.figures[0] = (struct receipt_figures){.known = true, .priced = true, .declared = 7, .quality_milli = 499};
	r.figures[1] = (struct receipt_figures){
		.known = true, .priced = true, .declared = 5, .quality_milli = 500, .cost_nusd = 10, .place = 1};
	r.figures[2] = (struct receipt_figures){
		.known = true, .priced = true, .declared = 1, .quality_milli = 900, .cost_nusd = 20, .place = 2};
	return r;
}

static bool agrees(const struct receipt *r)
{
	struct decision_replay replay;

	assert_true(decision_replay(r, &replay));
	return replay.agrees;
}

static void what_was_changed_shows(void **state)
{
	struct decision_replay replay;
	struct receipt r = make();

	(void)state;
	assert_true(agrees(&r));
	r.figures[1].cost_nusd = 21; /* then b had been first */
	assert_false(agrees(&r));
	r = make();
	r.figures[0].quality_milli = 500; /* then c had been one of them */
	assert_false(agrees(&r));
	r = make();
	r.candidates[0].verdict = VERDICT_TOO_SMALL_CONTEXT;
	assert_false(agrees(&r));
	r = make();
	r.decision.priority = PRIORITY_QUALITY;
	assert_false(agrees(&r));
	r = make();
	r.candidates[1].verdict = VERDICT_FAILED; /* what came of it is no matter of the order */
	r.candidates[2].verdict = VERDICT_COOLING;
	assert_true(agrees(&r));
	r.figures[0].known = false; /* nor is what was told without figures */
	assert_true(agrees(&r));
	r.decision.automatic = false;
	assert_false(decision_replay(&r, &replay));
}

/* What a decision adds to a record, of usual figures: 1 byte where there was none, else 10 and 17 for each candidate.
 */
static void its_record_is_small(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	struct receipt r = make();
	int with, without;

	(void)state;
	r.decision.latency_ns = 3000000000;
	r.decision.tokens = 1200;
	for (unsigned i = 0; i < r.candidate_count; i++) {
		r.figures[i].declared = 200;
		r.figures[i].cost_nusd = 1234567;
		r.figures[i].latency_ns = 431234567;
		r.figures[i].context_tokens = 128000;
	}
	with = receipt_encode(&r, record, sizeof(record));
	r.decision.made = false;
	without = receipt_encode(&r, record, sizeof(record));
	assert_int_equal(record[without - 1], 0);
	assert_int_equal(with - without, 10 + 3 * 17);
}

static void printed(void **state)
{
	char memory[4096];
	struct text json = text_over(memory, sizeof(memory) - 1);
	struct receipt r = make();

	(void)state;
	decision_print(&r, &json);
	assert_false(json.full);
	memory[json.size] = '\0';
	assert_non_null(strstr(memory, "\"rule\":2,\"priority\":\"cost\""));
	assert_non_null(
		strstr(memory, "{\"model\":\"c\",\"verdict\":\"below_quality\",\"why\":\"its quality is lower\","
			       "\"place\":null,\"quality\":0.499,\"cost_usd\":0"));
	assert_non_null(strstr(memory, "\"replay\":{\"order\":[\"a\",\"b\"],\"agrees\":true}}"));
	json = text_over(memory, sizeof(memory) - 1);
	r.decision.made = false;
	decision_print(&r, &json);
	memory[json.size] = '\0';
	assert_non_null(strstr(memory, "\"replay\":null}"));
	assert_null(strstr(memory, "\"place\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ranking_is_the_same_again),
		cmocka_unit_test(what_was_changed_shows),
		cmocka_unit_test(its_record_is_small),
		cmocka_unit_test(printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
