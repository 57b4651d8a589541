/* Peak EWMA, and the choice between two: see balance.h. All in integers, so that a seed gives the same run everywhere.
 */
#include "route/fleet/balance.h"

#include <assert.h>

/* The time to the first token from which on the product with calls and percents would not fit: an hour. */
#define EWMA_MAX_NS (UINT64_C(3600) * 1000000000)

static uint64_t bounded(uint64_t ns)
{
	return ns < 1 ? 1 : ns < EWMA_MAX_NS ? ns : EWMA_MAX_NS;
}

/* What is left of `value` after so long: halved each half-life, in a straight line between; within 6 % of exp(). */
static uint64_t fade(uint64_t value, uint64_t age_ns, uint64_t half_life_ns)
{
	uint64_t halvings = age_ns / half_life_ns, part = age_ns % half_life_ns;

	if (halvings >= 63)
		return 0;
	value >>= halvings;
	return value - (uint64_t)((unsigned __int128)value * part / half_life_ns / 2);
}

static uint64_t age_of(const struct peak_ewma *e, uint64_t now_ns)
{
	return now_ns > e->sampled_ns ? now_ns - e->sampled_ns : 0;
}

void peak_ewma_add(struct peak_ewma *e, uint64_t sample_ns, uint64_t now_ns)
{
	uint64_t sample = bounded(sample_ns);

	if (sample < e->value_ns)
		sample += fade(e->value_ns - sample, age_of(e, now_ns), BALANCE_HALF_LIFE_NS);
	e->value_ns = sample;
	e->sampled_ns = now_ns;
}

void peak_ewma_add_failure(struct peak_ewma *e, uint64_t took_ns, uint64_t now_ns)
{
	uint64_t twice = 2 * e->value_ns;

	peak_ewma_add(e, took_ns > twice ? took_ns : twice, now_ns);
}

const struct peak_ewma *balance_ewma(const struct peak_ewma classes[BALANCE_CLASSES], unsigned class)
{
	assert(class < BALANCE_CLASSES);
	for (unsigned i = class + 1; i-- > 0;)
		if (classes[i].value_ns)
			return &classes[i];
	for (unsigned i = class + 1; i < BALANCE_CLASSES; i++)
		if (classes[i].value_ns)
			return &classes[i];
	return &classes[class];
}

const struct peak_ewma *balance_latest(const struct peak_ewma classes[BALANCE_CLASSES])
{
	const struct peak_ewma *latest = classes;

	for (unsigned i = 1; i < BALANCE_CLASSES; i++)
		if (classes[i].sampled_ns > latest->sampled_ns)
			latest = &classes[i];
	return latest;
}

uint32_t balance_warm_percent(uint64_t back_ns, uint64_t now_ns)
{
	if (back_ns == 0 || now_ns >= back_ns + BALANCE_SLOW_START_NS)
		return 100;
	return 10 + (uint32_t)((now_ns > back_ns ? now_ns - back_ns : 0) * 90 / BALANCE_SLOW_START_NS);
}

/* What is not seen is forgotten towards the best, so that it is tried again; what was never seen is as good as it. */
static uint64_t expected_ns(const struct peak_ewma *e, uint64_t best_ns, uint64_t now_ns)
{
	if (e->value_ns <= best_ns)
		return e->value_ns ? e->value_ns : best_ns;
	return best_ns + fade(e->value_ns - best_ns, age_of(e, now_ns), BALANCE_FORGET_NS);
}

static uint64_t cost(const struct balance_option *o, uint64_t best_ns, uint64_t now_ns)
{
	uint64_t calls = BALANCE_CALLS_AT_ONCE + (uint64_t)(o->in_flight < 10000 ? o->in_flight : 10000);

	return expected_ns(&o->ewma, best_ns, now_ns) / 1000 * calls * 100 / (o->warm_percent ? o->warm_percent : 1);
}

static uint64_t best_of(const struct balance_option *options, unsigned count)
{
	uint64_t best_ns = 0;

	for (unsigned i = 0; i < count; i++)
		if (options[i].ewma.value_ns && (best_ns == 0 || options[i].ewma.value_ns < best_ns))
			best_ns = options[i].ewma.value_ns;
	return best_ns ? best_ns : 1000000;
}

/*
 * The weights to draw by. What costs half as much again as the cheapest is not drawn at all: of three, two slow ones
 * would else meet in every third draw.
 */
static uint64_t make_shares(
	const struct balance_option *options, unsigned count, uint64_t *costs, uint64_t *shares, uint64_t now_ns)
{
	uint64_t best_ns = best_of(options, count), least = UINT64_MAX, total = 0;

	for (unsigned i = 0; i < count; i++) {
		costs[i] = cost(&options[i], best_ns, now_ns);
		if (options[i].weight && costs[i] < least)
			least = costs[i];
	}
	for (unsigned i = 0; i < count; i++) {
		shares[i] = costs[i] - costs[i] / 3 <= least ? options[i].weight * options[i].warm_percent : 0;
		total += shares[i];
	}
	return total;
}

/* One of the options by its share, of which `total` is the sum, and not 0. */
static unsigned draw(const uint64_t *shares, unsigned count, uint64_t total, struct rand *rand)
{
	uint64_t drawn = rand_below(rand, total);
	unsigned at = 0;

	while (drawn >= shares[at]) {
		drawn -= shares[at++];
		assert(at < count);
	}
	return at;
}

unsigned balance_choose(const struct balance_option *options, unsigned count, struct rand *rand, uint64_t now_ns)
{
	uint64_t costs[BALANCE_OPTIONS_MAX], shares[BALANCE_OPTIONS_MAX], total;
	unsigned first, second;

	assert(count > 0 && count <= BALANCE_OPTIONS_MAX);
	total = make_shares(options, count, costs, shares, now_ns);
	if (total == 0)
		return 0;
	first = draw(shares, count, total, rand);
	total -= shares[first];
	if (total == 0)
		return first;
	shares[first] = 0;
	second = draw(shares, count, total, rand);
	/* A fifth cheaper: less is noise, and would undo the weights. */
	return costs[second] * 5 < costs[first] * 4 ? second : first;
}
