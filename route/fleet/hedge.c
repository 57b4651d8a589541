/* Times and shares: see hedge.h. */
#include "route/fleet/hedge.h"

enum { UNIT_BITS = 18 /* 0.26 ms */, SAMPLES_MAX = 1000, SAVED_MAX_MILLI = 10000, ATTEMPT_MILLI = 1000 };

unsigned hedge_class(uint64_t tokens)
{
	static const uint64_t bounds[HEDGE_CLASSES - 1] = {1000, 8000, 32000};
	unsigned i = 0;

	while (i < HEDGE_CLASSES - 1 && tokens > bounds[i])
		i++;
	return i;
}

/* Four for each octave: its two bits below the highest one. */
static unsigned bucket_of(uint64_t took_ns)
{
	uint64_t units = took_ns >> UNIT_BITS;
	unsigned octave, bucket;

	if (units < 4)
		return (unsigned)units;
	octave = 63 - (unsigned)__builtin_clzll(units);
	bucket = 4 * (octave - 1) + (unsigned)(units >> (octave - 2) & 3);
	return bucket < HEDGE_BUCKETS ? bucket : HEDGE_BUCKETS - 1;
}

static uint64_t bucket_end_ns(unsigned bucket)
{
	unsigned octave = bucket / 4 + 1;

	if (bucket < 4)
		return (uint64_t)(bucket + 1) << UNIT_BITS;
	return (uint64_t)(4 + bucket % 4 + 1) << (octave - 2) << UNIT_BITS;
}

static void halve(struct hedge_times *times)
{
	times->total = 0;
	for (unsigned i = 0; i < HEDGE_BUCKETS; i++) {
		times->counts[i] /= 2;
		times->total += times->counts[i];
	}
}

void hedge_times_add(struct hedge_times *times, uint64_t took_ns)
{
	times->counts[bucket_of(took_ns)]++;
	if (++times->total >= SAMPLES_MAX)
		halve(times);
}

uint64_t hedge_after_ns(const struct hedge_times *times, uint32_t percent)
{
	uint64_t wanted = ((uint64_t)times->total * percent + 99) / 100, seen = 0;
	unsigned bucket = 0;

	if (times->total < HEDGE_SAMPLES_MIN)
		return 0;
	while (bucket < HEDGE_BUCKETS - 1 && (seen += times->counts[bucket]) < wanted)
		bucket++;
	return bucket_end_ns(bucket);
}

void hedge_share_request(struct hedge_share *share)
{
	uint32_t saved_milli = share->saved_milli + ATTEMPT_MILLI * HEDGE_PERCENT_MAX / 100;

	share->saved_milli = saved_milli < SAVED_MAX_MILLI ? saved_milli : SAVED_MAX_MILLI;
}

bool hedge_share_take(struct hedge_share *share)
{
	if (share->saved_milli < ATTEMPT_MILLI)
		return false;
	share->saved_milli -= ATTEMPT_MILLI;
	return true;
}
