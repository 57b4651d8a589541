/*
 * Randomness: xoshiro256** 1.0 (Blackman and Vigna, prng.di.unimi.it/xoshiro256starstar.c) seeded
 * through splitmix64, as its authors advise.
 */
#include "core/rand.h"

#include <assert.h>

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void rand_seed(struct rand *rand, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		rand->state[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

uint64_t rand_u64(struct rand *rand)
{
	uint64_t *s = rand->state, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/*
 * Lemire, "Fast Random Integer Generation in an Interval" (2019): a product's high half, redrawn where it would be
 * biased.
 */
uint64_t rand_below(struct rand *rand, uint64_t bound)
{
	unsigned __int128 product;
	uint64_t unfair;

	assert(bound > 0);
	product = (unsigned __int128)rand_u64(rand) * bound;
	if ((uint64_t)product < bound) {
		unfair = -bound % bound;
		while ((uint64_t)product < unfair)
			product = (unsigned __int128)rand_u64(rand) * bound;
	}
	return (uint64_t)(product >> 64);
}
