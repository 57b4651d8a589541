#include "route/fleet/affinity.h"

#include <assert.h>

/* The end of splitmix64: every bit of replica and prompt counts. */
static uint64_t weight_of(uint64_t replica, uint64_t prompt)
{
	uint64_t z = replica ^ prompt;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned affinity_choose(const uint64_t *replicas, const uint32_t *in_flight, unsigned count, uint64_t prompt)
{
	uint64_t total = 1, bound, best_weight = 0;
	unsigned best = count;

	assert(count > 0);
	for (unsigned i = 0; i < count; i++)
		total += in_flight[i];
	bound = (total * 5 + 4 * (uint64_t)count - 1) / (4 * (uint64_t)count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t weight = weight_of(replicas[i], prompt);

		if (in_flight[i] < bound && (best == count || weight > best_weight)) {
			best = i;
			best_weight = weight;
		}
	}
	assert(best < count); /* not all are above their average */
	return best;
}
