/* Calls to deployments as one shard sees them: what each outcome does to breaker, credential and counts, and for how
 * long. */
#include "route/fleet/fleet.h"

#include "route/gateway/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const char yaml[] =
	"admin: { master_key: master-key-for-tests }\n"
	"providers:\n"
	"  - { name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', max_concurrency: 2, "
	"credentials: [{ name: one, api_key: k }] }\n"
	"  - { name: own, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', gpu: { max_concurrency: 8 } }\n"
	"models:\n"
	"  - { id: x, provider: a, upstream_model: x, price: { input: 1, output: 1 } }\n"
	"  - { id: y, provider: a, upstream_model: y, price: { input: 1, output: 1 } }\n"
	"  - { id: z, provider: own, upstream_model: z, price: { input: 1, output: 1 } }\n"
	"routing: { breaker: { consecutive_failures: 2, open_ms: 30000 } }\n";

struct world {
	struct gateway gateway; /* of one shard: nobody to tell */
	struct shard shard;
	struct settings *settings;
	struct fleet_view *view;
	struct fleet_deployment *x, *y;
	struct credential_state *credential;
};

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	fail_msg("%u:%u: %s", line, column, message);
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->gateway.shard_count = 1;
	w->shard.now_ns = 1000 * S;
	rand_seed(&w->shard.rand, 1);
	assert_int_equal(fleet_open(&w->gateway.fleet, 1), 0);
	w->settings = settings_parse(slice_of_string(yaml), complain, complain, NULL);
	assert_non_null(w->settings);
	w->view = fleet_view_make(w->gateway.fleet, w->settings);
	assert_non_null(w->view);
	w->x = fleet_view_find(w->view, SLICE("a/one/x"));
	w->y = fleet_view_find(w->view, SLICE("a/one/y"));
	assert_non_null(w->x);
	assert_non_null(w->y);
	w->credential = &w->x->credential->states[0];
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	fleet_view_free(w->view);
	settings_free(w->settings);
	fleet_close(w->gateway.fleet);
	free(w);
	return 0;
}

/* False: it may not begin; *full says why. */
static bool begin(struct world *w, struct fleet_call *call, unsigned model, bool *full)
{
	return fleet_call_begin(call, w->view, &w->view->options[model], false, 10, &w->gateway, &w->shard, full);
}

static enum fleet_change end(struct world *w, struct fleet_call *call, enum fleet_outcome outcome, uint64_t wait_ns)
{
	struct fleet_end ended = {.outcome = outcome, .kind = BALANCE_UNARY, .took_ns = 100 * MS, .wait_ns = wait_ns};

	return fleet_call_end(call, &ended, &w->gateway, &w->shard);
}

static enum fleet_change call(struct world *w, enum fleet_outcome outcome, uint64_t wait_ns)
{
	struct fleet_call one;
	bool full;

	assert_true(begin(w, &one, 0, &full));
	return end(w, &one, outcome, wait_ns);
}

static void outcomes(void **state)
{
	static const struct {
		enum fleet_outcome outcome;
		uint64_t wait_ns;
		enum fleet_change change;
		uint64_t failures, ewma_ns, cooling_ns, rejected_ns, forbidden_ns;
	} table[] = {
		{FLEET_SERVED, 0, FLEET_SAME, 0, 100 * MS, 0, 0, 0},
		{FLEET_ANSWERED, 0, FLEET_SAME, 0, 0, 0, 0, 0},
		{FLEET_ABANDONED, 0, FLEET_SAME, 0, 0, 0, 0, 0},
		{FLEET_OUTRUN, 0, FLEET_SAME, 0, 100 * MS, 0, 0, 0},
		{FLEET_FAULT, 0, FLEET_SAME, 1, 100 * MS, 0, 0, 0},
		{FLEET_THROTTLED, 7 * S, FLEET_COOLING, 0, 0, 7 * S, 0, 0},
		{FLEET_REJECTED, 0, FLEET_CREDENTIAL_OUT, 0, 0, 0, 30 * S, 0},
		{FLEET_FORBIDDEN, 0, FLEET_CREDENTIAL_OUT, 0, 0, 0, 0, 30 * S},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct world *w;
		struct deployment_state *s;

		open_world(state);
		w = *state;
		s = &w->x->states[0];
		assert_int_equal(call(w, table[i].outcome, table[i].wait_ns), table[i].change);
		assert_int_equal(metric_get(&s->attempts), 1);
		assert_int_equal(metric_get(&s->failures), table[i].failures);
		assert_int_equal(metric_get(&s->shown_in_flight), 0);
		assert_int_equal(s->ewma[BALANCE_UNARY][0].value_ns, table[i].ewma_ns);
		assert_int_equal(
			w->credential->cooling_until_ns, table[i].cooling_ns ? 1000 * S + table[i].cooling_ns : 0);
		assert_int_equal(
			w->credential->rejected_until_ns, table[i].rejected_ns ? 1000 * S + table[i].rejected_ns : 0);
		assert_int_equal(s->forbidden_until_ns, table[i].forbidden_ns ? 1000 * S + table[i].forbidden_ns : 0);
		assert_int_equal(w->y->states[0].forbidden_until_ns, 0);
		close_world(state);
	}
}

/* Without a Retry-After: 1 s, 2 s ... 60 s, a tenth more at most, and from the beginning once it has served. */
static void coolings_double(void **state)
{
	static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(seconds); i++) {
		assert_int_equal(call(w, FLEET_THROTTLED, 0), FLEET_COOLING);
		assert_in_range(
			w->credential->cooling_until_ns - w->shard.now_ns, seconds[i] * S, seconds[i] * S * 11 / 10);
		assert_int_equal(call(w, FLEET_THROTTLED, 0), FLEET_SAME); /* was under way with it */
		w->shard.now_ns = w->credential->cooling_until_ns;
	}
	call(w, FLEET_SERVED, 0);
	call(w, FLEET_THROTTLED, 0);
	assert_true(w->credential->cooling_until_ns - w->shard.now_ns <= S * 11 / 10);
	/* The longer word holds. */
	call(w, FLEET_THROTTLED, 90 * S);
	assert_int_equal(call(w, FLEET_THROTTLED, 5 * S), FLEET_SAME);
	assert_int_equal(w->credential->cooling_until_ns - w->shard.now_ns, 90 * S);
}

static void rejections_double(void **state)
{
	static const uint64_t seconds[] = {30, 60, 120, 240, 300, 300};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(seconds); i++) {
		assert_int_equal(call(w, FLEET_REJECTED, 0), FLEET_CREDENTIAL_OUT);
		assert_int_equal(w->credential->rejected_until_ns - w->shard.now_ns, seconds[i] * S);
		w->shard.now_ns = w->credential->rejected_until_ns;
	}
	call(w, FLEET_SERVED, 0);
	call(w, FLEET_REJECTED, 0);
	assert_int_equal(w->credential->rejected_until_ns - w->shard.now_ns, 30 * S);
}

static void a_breaker_opens_and_closes(void **state)
{
	struct world *w = *state;
	struct deployment_state *s = &w->x->states[0];
	struct fleet_call probe, other;
	bool full;

	assert_int_equal(call(w, FLEET_FAULT, 0), FLEET_SAME);
	assert_int_equal(call(w, FLEET_FAULT, 0), FLEET_BREAKER_OPENED);
	assert_int_equal(metric_get(&s->shown_breaker), BREAKER_OPEN);
	assert_int_equal(metric_get(&s->openings), 1);
	assert_false(begin(w, &other, 0, &full));
	assert_false(full);
	w->shard.now_ns = s->breaker.until_ns;
	assert_true(begin(w, &probe, 0, &full));
	assert_false(begin(w, &other, 0, &full));
	assert_int_equal(end(w, &probe, FLEET_ABANDONED, 0), FLEET_SAME);
	assert_int_equal(call(w, FLEET_SERVED, 0), FLEET_SAME);
	assert_int_equal(metric_get(&s->shown_breaker), BREAKER_HALF_OPEN);
	assert_int_equal(call(w, FLEET_SERVED, 0), FLEET_BREAKER_CLOSED);
	assert_int_equal(metric_get(&s->shown_breaker), BREAKER_CLOSED);
	/* An operator's word closes it too. */
	call(w, FLEET_FAULT, 0);
	assert_int_equal(call(w, FLEET_FAULT, 0), FLEET_BREAKER_OPENED);
	fleet_reset(w->x, &w->gateway, &w->shard);
	assert_int_equal(call(w, FLEET_SERVED, 0), FLEET_SAME);
}

/* Both models' calls are the provider's; each end gives its place back. */
static void a_provider_has_its_bound(void **state)
{
	struct world *w = *state;
	struct fleet_call first, second, third;
	bool full;

	assert_true(begin(w, &first, 0, &full));
	assert_true(begin(w, &second, 1, &full));
	assert_false(begin(w, &third, 0, &full));
	assert_true(full);
	assert_int_equal(atomic_load(&w->x->provider->in_flight), 2);
	end(w, &second, FLEET_FAULT, 0);
	assert_true(begin(w, &third, 0, &full));
	end(w, &third, FLEET_SERVED, 0);
	end(w, &first, FLEET_SERVED, 0);
	assert_int_equal(atomic_load(&w->x->provider->in_flight), 0);
}

/* As many as it has places for, each of which takes so long; a second passes. */
static unsigned fill_own_server(struct world *w, uint64_t took_ns)
{
	struct fleet_call calls[9];
	struct fleet_end ended = {.outcome = FLEET_SERVED, .kind = BALANCE_STREAM, .took_ns = took_ns};
	unsigned count = 0;
	bool full = false;

	while (count < COUNT(calls) && begin(w, &calls[count], 2, &full))
		count++;
	assert_true(full);
	w->shard.now_ns += S;
	for (unsigned i = 0; i < count; i++)
		fleet_call_end(&calls[i], &ended, &w->gateway, &w->shard);
	return count;
}

static void own_servers_get_what_they_serve(void **state)
{
	struct world *w = *state;
	unsigned count = 0;

	for (unsigned second = 0; second < 20; second++)
		assert_int_equal(fill_own_server(w, 100 * MS), 8);
	for (unsigned second = 0; second < 20; second++) /* they wait for each other there */
		count = fill_own_server(w, 800 * MS);
	assert_in_range(count, 4, 5);
	assert_in_range(fleet_calls_max(&w->view->options[2]), 4, 5);
	for (unsigned second = 0; second < 60; second++)
		count = fill_own_server(w, 100 * MS);
	assert_int_equal(count, 8);
	assert_int_equal(atomic_load(&w->view->options[2].of->provider->in_flight), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes),
		TEST(coolings_double),
		TEST(rejections_double),
		TEST(a_breaker_opens_and_closes),
		TEST(a_provider_has_its_bound),
		TEST(own_servers_get_what_they_serve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
