/*
 * Counters and histograms. Each shard owns its own and writes them without atomics' cost (relaxed stores); a reader on
 * another thread adds up relaxed loads. Histograms are log-linear: 16 steps for each doubling, so an error of at
 * most 6.25 %.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t metric; /* one writer, many readers */

static inline void metric_add(metric *m, uint64_t amount)
{
	atomic_store_explicit(m, atomic_load_explicit(m, memory_order_relaxed) + amount, memory_order_relaxed);
}

static inline void metric_set(metric *m, uint64_t value)
{
	atomic_store_explicit(m, value, memory_order_relaxed);
}

static inline uint64_t metric_get(const metric *m)
{
	return atomic_load_explicit(m, memory_order_relaxed);
}

enum { HISTOGRAM_STEPS = 16, HISTOGRAM_DOUBLINGS = 40, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * HISTOGRAM_DOUBLINGS };

struct histogram {
	metric count, sum;
	metric buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value below which `per_million` of a million recorded values lie (500000: the median); 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million);

/* The least value of a bucket, for exposition. */
uint64_t histogram_bucket_floor(unsigned bucket);

#endif
