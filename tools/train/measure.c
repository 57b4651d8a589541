#include "tools/train/measure.h"

#include <stdlib.h>

static int by_score(const void *left, const void *right)
{
	const struct scored *a = left, *b = right;

	if (a->score != b->score)
		return a->score < b->score ? 1 : -1;
	return a->sample < b->sample ? -1 : a->sample > b->sample;
}

struct measured measure(struct scored *list, size_t count)
{
	struct measured measured = {.count = count};
	double gained = 0, gains = 0, ordered = 0, failed = 0, right = 0;

	qsort(list, count, sizeof(*list), by_score);
	for (size_t i = 0; i < count; i++) {
		measured.weak += list[i].sample->weak;
		measured.strong += list[i].sample->strong;
		gained += list[i].sample->strong - list[i].sample->weak;
		gains += gained;
	}
	for (size_t i = count; i-- > 0;) {
		if (list[i].sample->weak) {
			right++;
		} else {
			ordered += right;
			failed++;
		}
	}
	measured.apgr = gains / (measured.strong - measured.weak) / (double)count;
	measured.auc = ordered / (failed * right);
	measured.weak /= (double)count;
	measured.strong /= (double)count;
	return measured;
}

static enum route_bucket bucket_of(double score, struct bucket_limits limits)
{
	if (score < limits.standard_from)
		return BUCKET_SIMPLE;
	return score < limits.complex_from ? BUCKET_STANDARD : BUCKET_COMPLEX;
}

struct confusion measure_buckets(const struct scored *list, size_t count, struct bucket_limits limits)
{
	struct confusion confusion = {0};

	for (size_t i = 0; i < count; i++)
		confusion.counts[list[i].sample->bucket][bucket_of(list[i].score, limits)]++;
	return confusion;
}

static unsigned cost_of(const struct confusion *confusion)
{
	static const unsigned costs[ROUTE_BUCKETS][ROUTE_BUCKETS] = {{0, 1, 2}, {2, 0, 1}, {6, 2, 0}};
	unsigned cost = 0;

	for (unsigned i = 0; i < ROUTE_BUCKETS; i++)
		for (unsigned j = 0; j < ROUTE_BUCKETS; j++)
			cost += costs[i][j] * confusion->counts[i][j];
	return cost;
}

struct bucket_limits measure_limits(struct scored *list, size_t count)
{
	struct bucket_limits best = {0};
	unsigned best_cost = UINT32_MAX;

	for (unsigned low = 2; low < 98; low++)
		for (unsigned high = low + 1; high < 99; high++) {
			struct bucket_limits limits = {low / 100.0, high / 100.0};
			struct confusion confusion = measure_buckets(list, count, limits);
			unsigned cost = cost_of(&confusion);

			if (cost < best_cost) {
				best_cost = cost;
				best = limits;
			}
		}
	return best;
}
