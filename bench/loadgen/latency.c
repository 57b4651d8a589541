/* Log-linear histogram: a bucket is the number's highest bits below its leading one. */
#include "bench/loadgen/latency.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned doubling, bucket;

	if (ns < LATENCY_STEPS)
		return (unsigned)ns;
	doubling = 63 - (unsigned)__builtin_clzll(ns) - LATENCY_STEP_BITS;
	bucket = (doubling + 1) * LATENCY_STEPS + (unsigned)(ns >> doubling) - LATENCY_STEPS;
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The greatest number of a bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	unsigned doubling = bucket / LATENCY_STEPS;

	if (doubling == 0)
		return bucket;
	return ((uint64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS + 1) << (doubling - 1)) - 1;
}

void latency_record(struct latency *latency, uint64_t ns)
{
	latency->buckets[bucket_of(ns)]++;
	latency->count++;
	latency->sum_ns += ns;
	if (ns > latency->max_ns)
		latency->max_ns = ns;
}

uint64_t latency_percentile(const struct latency *latency, double share)
{
	uint64_t wanted = (uint64_t)((double)latency->count * share), seen = 0;

	for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
		seen += latency->buckets[b];
		if (seen > wanted || (seen == latency->count && seen > 0))
			return bucket_top(b) < latency->max_ns ? bucket_top(b) : latency->max_ns;
	}
	return 0;
}

uint64_t latency_mean(const struct latency *latency)
{
	return latency->count ? latency->sum_ns / latency->count : 0;
}
