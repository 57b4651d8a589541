/* The order of models: see rank.h. */
#include "route/auto/rank.h"

#include <stdlib.h>

static enum receipt_verdict judge(const struct rank_model *m, const struct rank_rules *rules)
{
	if (m->verdict != VERDICT_CHOSEN)
		return m->verdict;
	if (m->model->context_window && rules->tokens > m->model->context_window)
		return VERDICT_TOO_SMALL_CONTEXT;
	if (m->model->quality_milli < rules->quality_milli)
		return VERDICT_BELOW_QUALITY;
	if (rules->latency_ns && m->latency_ns > rules->latency_ns)
		return VERDICT_SLOWER;
	return VERDICT_CHOSEN;
}

static unsigned count_verdict(const struct rank_model *models, unsigned count, enum receipt_verdict verdict)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += models[i].verdict == verdict;
	return found;
}

/* Of those with `verdict`, the one that misses least, by quality or by latency, is in after all. */
static void relent(struct rank_model *models, unsigned count, enum receipt_verdict verdict)
{
	struct rank_model *best = NULL;

	for (struct rank_model *m = models; m < models + count; m++) {
		if (m->verdict != verdict)
			continue;
		if (!best || (verdict == VERDICT_SLOWER ? m->latency_ns < best->latency_ns
							: m->model->quality_milli > best->model->quality_milli))
			best = m;
	}
	if (best)
		best->verdict = VERDICT_CHOSEN;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* A price that is not known is dearer than any. */
static int by_cost(const struct rank_model *a, const struct rank_model *b)
{
	return compare(a->model->price.known ? (uint64_t)a->cost_nusd : UINT64_MAX,
		b->model->price.known ? (uint64_t)b->cost_nusd : UINT64_MAX);
}

/* One that was never tried is tried. */
static int by_latency(const struct rank_model *a, const struct rank_model *b)
{
	return compare(a->latency_ns, b->latency_ns);
}

static int by_quality(const struct rank_model *a, const struct rank_model *b)
{
	return compare(b->model->quality_milli, a->model->quality_milli);
}

typedef int (*order)(const struct rank_model *a, const struct rank_model *b);

static const order orders[][3] = {
	[PRIORITY_COST] = {by_cost, by_quality, by_latency},
	[PRIORITY_LATENCY] = {by_latency, by_cost, by_quality},
	[PRIORITY_QUALITY] = {by_quality, by_cost, by_latency},
};

static bool goes_before(const struct rank_model *a, const struct rank_model *b, enum route_priority priority)
{
	if ((a->verdict == VERDICT_CHOSEN) != (b->verdict == VERDICT_CHOSEN))
		return a->verdict == VERDICT_CHOSEN;
	for (unsigned i = 0; i < 3; i++) {
		int difference = orders[priority][i](a, b);

		if (difference)
			return difference < 0;
	}
	return a->model < b->model; /* as declared */
}

/* Binary insertion: catalogs have some dozens of models, most in their order already. */
static void sort(struct rank_model *models, unsigned count, enum route_priority priority)
{
	for (unsigned i = 1; i < count; i++) {
		struct rank_model model = models[i];
		unsigned low = 0, high = i;

		while (low < high) {
			unsigned middle = (low + high) / 2;

			if (goes_before(&model, &models[middle], priority))
				high = middle;
			else
				low = middle + 1;
		}
		memmove(models + low + 1, models + low, (i - low) * sizeof(*models));
		models[low] = model;
	}
}

unsigned rank_models(struct rank_model *models, unsigned count, const struct rank_rules *rules)
{
	for (unsigned i = 0; i < count; i++)
		models[i].verdict = judge(&models[i], rules);
	if (count_verdict(models, count, VERDICT_CHOSEN) == 0)
		relent(models, count, VERDICT_SLOWER);
	if (count_verdict(models, count, VERDICT_CHOSEN) == 0 && !rules->quality_asked)
		relent(models, count, VERDICT_BELOW_QUALITY);
	sort(models, count, rules->priority);
	return count_verdict(models, count, VERDICT_CHOSEN);
}

enum receipt_verdict rank_behind(enum route_priority priority)
{
	static const enum receipt_verdict verdicts[] = {
		[PRIORITY_COST] = VERDICT_DEARER,
		[PRIORITY_LATENCY] = VERDICT_SLOWER,
		[PRIORITY_QUALITY] = VERDICT_BELOW_QUALITY,
	};

	return verdicts[priority];
}

uint32_t rank_quality_milli(enum route_bucket bucket, uint32_t threshold_milli)
{
	static const uint32_t percent[] = {[BUCKET_SIMPLE] = 60, [BUCKET_STANDARD] = 80, [BUCKET_COMPLEX] = 100};

	return (uint32_t)((uint64_t)threshold_milli * percent[bucket] / 100);
}
