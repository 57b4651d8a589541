/*
 * Randomness. rand_system() asks the kernel and is for start-up and keys; a `struct rand` is a seeded generator
 * (xoshiro256**) for everything on a shard that only has to be unlike the rest: ids, jitter, choices.
 */
#ifndef CORE_RAND_H
#define CORE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct rand {
	uint64_t state[4];
};

/* Fills from the kernel's generator; blocks only before the machine's entropy is ready. Never on a shard. */
void rand_system(void *bytes, size_t size);

/* The same seed gives the same sequence. */
void rand_seed(struct rand *rand, uint64_t seed);

uint64_t rand_u64(struct rand *rand);

/* Uniform in [0, bound); bound > 0. */
uint64_t rand_below(struct rand *rand, uint64_t bound);

#endif
