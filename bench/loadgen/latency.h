/*
 * Latencies as a log-linear histogram of nanoseconds: 64 steps for each doubling, so an error of at most 1.6 %, from 1
 * ns to more than an hour.
 */
#ifndef BENCH_LOADGEN_LATENCY_H
#define BENCH_LOADGEN_LATENCY_H

#include <stdint.h>

enum { LATENCY_STEP_BITS = 6, LATENCY_STEPS = 1 << LATENCY_STEP_BITS, LATENCY_BUCKETS = 40 * LATENCY_STEPS };

struct latency {
	uint64_t count, sum_ns, max_ns;
	uint64_t buckets[LATENCY_BUCKETS];
};

void latency_record(struct latency *latency, uint64_t ns);

/* The latency that `share` (0 to 1) of all do not pass; 0 when there are none. */
uint64_t latency_percentile(const struct latency *latency, double share);

uint64_t latency_mean(const struct latency *latency);

#endif
