/*
 * Log-linear histograms: values below 16 each have a bucket, every doubling above has 16. Larger ones count in the
 * last.
 */
#include "core/metrics.h"

#include <assert.h>

enum { STEP_BITS = 4 };

_Static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "a step is the bits behind the highest one");

static unsigned bucket_of(uint64_t value)
{
	unsigned highest, bucket;

	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	highest = 63u - (unsigned)__builtin_clzll(value);
	bucket = (highest - STEP_BITS + 1) * HISTOGRAM_STEPS +
		 ((unsigned)(value >> (highest - STEP_BITS)) & (HISTOGRAM_STEPS - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	metric_add(&histogram->count, 1);
	metric_add(&histogram->sum, value);
	metric_add(&histogram->buckets[bucket_of(value)], 1);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	metric_add(&into->count, metric_get(&from->count));
	metric_add(&into->sum, metric_get(&from->sum));
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		metric_add(&into->buckets[i], metric_get(&from->buckets[i]));
}

/* Tells the greatest value of the bucket, so that a latency is never shown better than it was. */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million)
{
	uint64_t total = 0, wanted, seen = 0;
	unsigned bucket = 0;

	assert(per_million <= 1000000);
	/* Not `count`: another thread may be between two of a record's three writes. */
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += metric_get(&histogram->buckets[i]);
	if (!total)
		return 0;
	wanted = (uint64_t)(((unsigned __int128)total * per_million + 999999) / 1000000);
	if (!wanted)
		wanted = 1;
	for (; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
		seen += metric_get(&histogram->buckets[bucket]);
		if (seen >= wanted)
			break;
	}
	return histogram_bucket_floor(bucket + 1) - 1;
}

uint64_t histogram_bucket_floor(unsigned bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << (bucket / HISTOGRAM_STEPS - 1);
}
