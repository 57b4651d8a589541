/* Plans over settings as an operator writes them: each verdict, each order, and what is left when nothing is. */
#include "route/fleet/plan.h"

#include "store/receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)
#define NOW (1000 * S)

static const char yaml[] =
	"admin: { master_key: master-key-for-tests }\n"
	"providers:\n"
	"  - { name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', region: eu, credentials: "
	"[{ name: one, api_key: k }, { name: two, api_key: k, weight: 0 }, { name: three, api_key: k, weight: 0 }] }\n"
	"  - { name: b, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', region: us, max_concurrency: 2, "
	"credentials: [{ api_key: k }] }\n"
	"  - { name: gpu, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', gpu: { max_concurrency: 1 } }\n"
	"models:\n"
	"  - { id: m, deployments: [{ provider: a, upstream_model: x }, { provider: b, upstream_model: x, weight: 0 }] "
	"}\n"
	"  - { id: own, deployments: [{ provider: b, upstream_model: y, weight: 1000 }, { provider: gpu, "
	"upstream_model: y }] }\n"
	"  - { id: words, provider: b, upstream_model: z, capabilities: [embeddings] }\n"
	"  - { id: even, deployments: [{ provider: b, upstream_model: x }, { provider: gpu, upstream_model: x }, "
	"{ provider: a, credential: two, upstream_model: x }] }\n";

struct world {
	struct fleet *fleet;
	struct settings *settings;
	struct fleet_view *view;
	struct rand rand;
	uint8_t ranks[3];
	bool ranked;
	const char *residency;
};

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	fail_msg("%u:%u: %s", line, column, message);
}

static void keep_quiet(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context, (void)line, (void)column, (void)message;
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(fleet_open(&w->fleet, 2), 0);
	w->settings = settings_parse(slice_of_string(yaml), complain, keep_quiet, NULL);
	assert_non_null(w->settings);
	w->view = fleet_view_make(w->fleet, w->settings);
	assert_non_null(w->view);
	rand_seed(&w->rand, 1);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	fleet_view_free(w->view);
	settings_free(w->settings);
	fleet_close(w->fleet);
	free(w);
	return 0;
}

static struct fleet_deployment *find(struct world *w, const char *name)
{
	struct fleet_deployment *d = fleet_view_find(w->view, slice_of_string(name));

	if (!d)
		fail_msg("no deployment %s", name);
	return d;
}

/* "a/one/x a/two/x | breaker_open": candidates, then verdicts, of shard 1. */
static const char *plan_text(struct world *w, struct plan *plan, const char *model, char *memory, size_t size)
{
	struct plan_request request = {.view = w->view,
		.shard = 1,
		.now_ns = NOW,
		.rand = &w->rand,
		.api = API_CHAT_COMPLETIONS,
		.tokens = 100,
		.residency = w->residency,
		.provider_ranks = w->ranked ? w->ranks : NULL};
	struct text text = text_over(memory, size - 1);

	plan_begin(plan);
	for (unsigned i = 0; i < w->settings->model_count; i++)
		if (strcmp(w->settings->models[i].id, model) == 0)
			plan_model(plan, &request, &w->settings->models[i]);
	plan_end(plan);
	for (unsigned i = 0; i < plan->candidate_count; i++) {
		text_string(&text, plan->candidates[i].option->of->name);
		text_char(&text, ' ');
	}
	text_char(&text, '|');
	for (unsigned i = 0; i < plan->verdict_count; i++) {
		text_char(&text, ' ');
		text_add(&text, receipt_verdict_name(plan->verdicts[i].verdict));
	}
	memory[text.size] = 0;
	return memory;
}

static void expect(struct world *w, const char *model, const char *expected)
{
	char memory[512];
	struct plan plan;

	assert_string_equal(plan_text(w, &plan, model, memory, sizeof(memory)), expected);
}

static void order(void **state)
{
	struct world *w = *state;

	expect(w, "m", "a/one/x a/two/x a/three/x b/default/x |");
	expect(w, "own", "gpu/none/y b/default/y |");
	expect(w, "words", "| no_capability");
}

static void preferences(void **state)
{
	struct world *w = *state;

	w->ranked = true;
	memcpy(w->ranks, (uint8_t[]){PLAN_PROVIDER_UNRANKED, 0, PLAN_PROVIDER_UNRANKED}, 3);
	expect(w, "m", "b/default/x a/one/x a/two/x a/three/x |");
	expect(w, "own", "b/default/y gpu/none/y |");
	memcpy(w->ranks, (uint8_t[]){PLAN_PROVIDER_EXCLUDED, 0, 1}, 3);
	expect(w, "m", "b/default/x | excluded excluded excluded");
	w->ranked = false;
	w->residency = "us";
	expect(w, "m", "b/default/x | residency residency residency");
	expect(w, "own", "b/default/y | residency");
}

/* One shard's state of m's deployments, and what it makes of the plan. */
static void verdicts(void **state)
{
	struct world *w = *state;
	struct deployment_state *one = &find(w, "a/one/x")->states[1], *b = &find(w, "b/default/x")->states[1];
	struct credential_state *two = &find(w, "a/two/x")->credential->states[1];
	char memory[512];
	struct plan plan;

	breaker_heard_open(&one->breaker, NOW + 5 * S, 1, false);
	expect(w, "m", "a/two/x a/three/x b/default/x | breaker_open");
	two->cooling_until_ns = NOW + 1;
	expect(w, "m", "a/three/x b/default/x | breaker_open cooling");
	two->cooling_until_ns = NOW;
	two->rejected_until_ns = NOW + 3 * S;
	expect(w, "m", "a/three/x b/default/x | breaker_open no_credential");
	find(w, "a/three/x")->states[1].forbidden_until_ns = NOW + 7 * S;
	expect(w, "m", "b/default/x | breaker_open no_credential no_credential");
	b->room.tokens = (struct rate_left){99, NOW + 9 * S};
	assert_string_equal(
		plan_text(w, &plan, "m", memory, sizeof(memory)), "| breaker_open no_credential no_credential limited");
	assert_int_equal(plan.again_ns, NOW + 3 * S);
	atomic_store(&find(w, "b/default/x")->disabled, true);
	expect(w, "m", "| breaker_open no_credential no_credential disabled");
	/* What another shard thinks is no matter here. */
	breaker_heard_open(&find(w, "b/default/y")->states[0].breaker, NOW + 5 * S, 1, false);
	expect(w, "own", "gpu/none/y b/default/y |");
	atomic_store(&find(w, "gpu/none/y")->provider->in_flight, 1);
	expect(w, "own", "b/default/y | limited");
}

static void probes_and_last_resorts(void **state)
{
	struct world *w = *state;
	struct breaker *b = &find(w, "b/default/x")->states[1].breaker;
	char memory[512];
	struct plan plan;

	breaker_heard_open(b, NOW, 1, false);
	expect(w, "m", "b/default/x a/one/x a/two/x a/three/x |");
	assert_true(breaker_begin(b));
	expect(w, "m", "a/one/x a/two/x a/three/x | breaker_open");
	/* All are out: what was only failing too often is tried after all, what failed in a row is not. */
	for (unsigned i = 0; i < 3; i++)
		breaker_heard_open(
			&find(w, ((const char *[]){"a/one/x", "a/two/x", "a/three/x"})[i])->states[1].breaker,
			NOW + 5 * S, 1, i == 1);
	assert_string_equal(plan_text(w, &plan, "m", memory, sizeof(memory)),
		"a/two/x | breaker_open breaker_open breaker_open breaker_open");
	assert_true(plan.candidates[0].last_resort);
}

/* After a fault another provider comes before the same one's next credential; the model stays the same. */
static void another_provider(void **state)
{
	struct world *w = *state;
	char memory[512];
	struct plan plan;

	plan_text(w, &plan, "m", memory, sizeof(memory));
	plan_other_provider_first(&plan, 0, 1);
	assert_string_equal(plan.candidates[0].option->of->name, "a/one/x");
	assert_string_equal(plan.candidates[1].option->of->name, "b/default/x");
	assert_string_equal(plan.candidates[2].option->of->name, "a/two/x");
	assert_string_equal(plan.candidates[3].option->of->name, "a/three/x");
	plan_other_provider_first(&plan, 2, 3);
	assert_string_equal(plan.candidates[3].option->of->name, "a/three/x");
}

/* The same snapshot and seed: the same plan, and a snapshot that planning left as it was. */
static void pure(void **state)
{
	struct world *w = *state;
	char first[512], second[512];
	struct deployment_state *s = find(w, "b/default/x")->states;
	struct deployment_state before[2];
	struct plan plan;

	memcpy(before, s, sizeof(before));
	for (uint64_t seed = 0; seed < 100; seed++) {
		rand_seed(&w->rand, seed);
		plan_text(w, &plan, "even", first, sizeof(first));
		rand_seed(&w->rand, seed);
		assert_string_equal(plan_text(w, &plan, "even", second, sizeof(second)), first);
	}
	assert_memory_equal(before, s, sizeof(before));
}

/* A configuration that replaces another finds what is known of its deployments. */
static void reloads_keep_states(void **state)
{
	struct world *w = *state;
	struct fleet_view *other = fleet_view_make(w->fleet, w->settings);

	assert_non_null(other);
	assert_ptr_equal(fleet_view_find(other, SLICE("a/one/x")), find(w, "a/one/x"));
	assert_null(fleet_view_find(other, SLICE("a/one/nothing")));
	fleet_view_free(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(order),
		TEST(preferences),
		TEST(verdicts),
		TEST(probes_and_last_resorts),
		TEST(another_provider),
		TEST(pure),
		TEST(reloads_keep_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
