/* The peak EWMA, shares by weight, and a simulation of three providers that change their speed. */
#include "route/fleet/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static void samples(void **state)
{
	struct peak_ewma e = {0};

	(void)state;
	peak_ewma_add(&e, 100 * MS, 100 * S);
	assert_int_equal(e.value_ns, 100 * MS);
	peak_ewma_add(&e, 400 * MS, 100 * S); /* up at once */
	assert_int_equal(e.value_ns, 400 * MS);
	peak_ewma_add(&e, 100 * MS, 100 * S + BALANCE_HALF_LIFE_NS); /* down by and by */
	assert_int_equal(e.value_ns, 250 * MS);
	peak_ewma_add(&e, 100 * MS, 100 * S + BALANCE_HALF_LIFE_NS);
	assert_int_equal(e.value_ns, 250 * MS);
	peak_ewma_add_failure(&e, MS, 110 * S);
	assert_int_equal(e.value_ns, 500 * MS);
	peak_ewma_add_failure(&e, 3 * S, 110 * S);
	assert_int_equal(e.value_ns, 3 * S);
	peak_ewma_add(&e, UINT64_MAX, 110 * S); /* no time is beyond an hour, */
	assert_int_equal(e.value_ns, 3600 * S);
	peak_ewma_add_failure(&e, UINT64_MAX, 110 * S);
	assert_int_equal(e.value_ns, 3600 * S);
	peak_ewma_add(&e, 0, UINT64_MAX); /* and after ages it is forgotten */
	assert_int_equal(e.value_ns, 1);
}

static void classes_of_prompts(void **state)
{
	struct peak_ewma classes[BALANCE_CLASSES] = {{0}};

	(void)state;
	assert_ptr_equal(balance_ewma(classes, 2), &classes[2]); /* nothing is known */
	classes[3] = (struct peak_ewma){900 * MS, 5 * S};
	assert_ptr_equal(balance_ewma(classes, 0), &classes[3]);
	classes[0] = (struct peak_ewma){100 * MS, 4 * S};
	assert_ptr_equal(balance_ewma(classes, 2), &classes[0]);
	assert_ptr_equal(balance_ewma(classes, 3), &classes[3]);
	assert_ptr_equal(balance_latest(classes), &classes[3]);
	classes[0].sampled_ns = 6 * S;
	assert_ptr_equal(balance_latest(classes), &classes[0]);
}

static void slow_start(void **state)
{
	(void)state;
	assert_int_equal(balance_warm_percent(0, 0), 100);
	assert_int_equal(balance_warm_percent(50 * S, 50 * S), 10);
	assert_int_equal(balance_warm_percent(50 * S, 40 * S), 10);
	assert_int_equal(balance_warm_percent(50 * S, 65 * S), 55);
	assert_int_equal(balance_warm_percent(50 * S, 80 * S), 100);
}

/* Shares in percent, within 2, of 20000 choices. */
static void shares(void **state)
{
	static const struct {
		unsigned count;
		struct balance_option options[3];
		int percent[3];
	} table[] = {
		{1, {{.weight = 5, .warm_percent = 100}}, {100}},
		{2, {{.weight = 1, .warm_percent = 100}, {.weight = 1, .warm_percent = 100}}, {50, 50}},
		{2, {{.weight = 3, .warm_percent = 100}, {.weight = 1, .warm_percent = 100}}, {75, 25}},
		{2, {{.weight = 0, .warm_percent = 100}, {.weight = 1, .warm_percent = 100}}, {0, 100}},
		{2, {{.weight = 0, .warm_percent = 100}, {.weight = 0, .warm_percent = 100}}, {100, 0}},
		/* Alike within a fifth: by weight. Slower than that, or busier: left alone. */
		{2,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100, .ewma = {110 * MS, 1000 * S}}},
			{50, 50}},
		{2,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100, .ewma = {200 * MS, 1000 * S}}},
			{100, 0}},
		{2, {{.weight = 1, .warm_percent = 100, .in_flight = 4}, {.weight = 1, .warm_percent = 100}}, {0, 100}},
		{2,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}, .in_flight = 8},
				{.weight = 1, .warm_percent = 100, .ewma = {200 * MS, 1000 * S}}},
			{0, 100}},
		/* Not seen for minutes: its old slowness is forgotten. */
		{2,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100, .ewma = {200 * MS, 800 * S}}},
			{50, 50}},
		/* Never seen: as good as the best. */
		{2,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100}},
			{50, 50}},
		/* Just back: a tenth of its weight. */
		{2, {{.weight = 1, .warm_percent = 10}, {.weight = 1, .warm_percent = 100}}, {0, 100}},
		/* The dearest of three never wins; the other two share what they are drawn for. */
		{3,
			{{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100, .ewma = {100 * MS, 1000 * S}},
				{.weight = 1, .warm_percent = 100, .ewma = {900 * MS, 1000 * S}}},
			{50, 50, 0}},
	};
	enum { CHOICES = 20000 };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int chosen[3] = {0};
		struct rand rand;

		rand_seed(&rand, i);
		for (unsigned n = 0; n < CHOICES; n++)
			chosen[balance_choose(table[i].options, table[i].count, &rand, 1000 * S)]++;
		for (unsigned c = 0; c < table[i].count; c++)
			if (abs(chosen[c] * 100 / CHOICES - table[i].percent[c]) > 2)
				fail_msg("row %zu, option %u: %d of %d", i, c, chosen[c], CHOICES);
	}
}

/*
 * Three providers, each with so many calls at a time in its hands; the time of a call is drawn around their speed,
 * which changes with time, and a call beyond what they can do at once waits in their queue.
 */
enum { PROVIDERS = 3, CALLS = 30000, AT_ONCE = 16 };
enum policy { PEAK_EWMA, ROUND_ROBIN, LEAST_CONNECTIONS, ORACLE };

struct world {
	struct rand rand;
	uint64_t free_ns[PROVIDERS][AT_ONCE];
	struct running {
		uint64_t end_ns, took_ns;
		unsigned provider;
	} running[4096];
	unsigned running_count;
	struct balance_option options[PROVIDERS];
	uint64_t took_ns[CALLS];
};

static uint64_t speed_ns(unsigned provider, uint64_t now_ns)
{
	static const uint64_t ms[4][PROVIDERS] = {{100, 150, 180}, {100, 1500, 180}, {800, 150, 180}, {100, 150, 2000}};

	return ms[now_ns / (60 * S) % 4][provider] * MS;
}

static void finish_calls(struct world *w, uint64_t now_ns)
{
	for (unsigned i = 0; i < w->running_count;) {
		struct running *r = &w->running[i];

		if (r->end_ns > now_ns) {
			i++;
			continue;
		}
		w->options[r->provider].in_flight--;
		peak_ewma_add(&w->options[r->provider].ewma, r->took_ns, r->end_ns);
		*r = w->running[--w->running_count];
	}
}

static uint64_t *free_slot(struct world *w, unsigned provider)
{
	uint64_t *first = &w->free_ns[provider][0];

	for (unsigned i = 1; i < AT_ONCE; i++)
		if (w->free_ns[provider][i] < *first)
			first = &w->free_ns[provider][i];
	return first;
}

static uint64_t would_end_ns(struct world *w, unsigned provider, uint64_t now_ns)
{
	uint64_t begin_ns = *free_slot(w, provider);

	return (begin_ns > now_ns ? begin_ns : now_ns) + speed_ns(provider, now_ns);
}

static unsigned choose(struct world *w, enum policy policy, unsigned call, uint64_t now_ns)
{
	unsigned best = 0;

	if (policy == PEAK_EWMA)
		return balance_choose(w->options, PROVIDERS, &w->rand, now_ns);
	if (policy == ROUND_ROBIN)
		return call % PROVIDERS;
	for (unsigned i = 1; i < PROVIDERS; i++)
		if (policy == ORACLE ? would_end_ns(w, i, now_ns) < would_end_ns(w, best, now_ns)
				     : w->options[i].in_flight < w->options[best].in_flight)
			best = i;
	return best;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t p99_ms(enum policy policy, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t now_ns = 1000 * S, p99;

	assert_non_null(w);
	rand_seed(&w->rand, seed);
	for (unsigned i = 0; i < PROVIDERS; i++)
		w->options[i] = (struct balance_option){.weight = 1, .warm_percent = 100};
	for (unsigned call = 0; call < CALLS; call++) {
		unsigned provider;
		uint64_t *slot, begin_ns;

		now_ns += rand_below(&w->rand, 100 * MS); /* 20 a second; each can do 8 at its slowest */
		finish_calls(w, now_ns);
		provider = choose(w, policy, call, now_ns);
		slot = free_slot(w, provider);
		begin_ns = *slot > now_ns ? *slot : now_ns;
		*slot = begin_ns + speed_ns(provider, now_ns) * (80 + rand_below(&w->rand, 41)) / 100;
		assert_true(w->running_count < COUNT(w->running));
		w->running[w->running_count++] = (struct running){*slot, *slot - now_ns, provider};
		w->options[provider].in_flight++;
		w->took_ns[call] = *slot - now_ns;
	}
	qsort(w->took_ns, CALLS, sizeof(w->took_ns[0]), compare);
	p99 = w->took_ns[CALLS / 100 * 99] / MS;
	free(w);
	return p99;
}

static void providers_that_change(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		uint64_t own = p99_ms(PEAK_EWMA, seed), oracle = p99_ms(ORACLE, seed);
		uint64_t turns = p99_ms(ROUND_ROBIN, seed), least = p99_ms(LEAST_CONNECTIONS, seed);

		print_message("p99 %llu ms; oracle %llu, least connections %llu, round robin %llu\n",
			(unsigned long long)own, (unsigned long long)oracle, (unsigned long long)least,
			(unsigned long long)turns);
		assert_true(own * 10 <= oracle * 13);
		assert_true(own < turns && own < least);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples),
		cmocka_unit_test(classes_of_prompts),
		cmocka_unit_test(slow_start),
		cmocka_unit_test(shares),
		cmocka_unit_test(providers_that_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
