/* The gradient of one's own server: see pool_limit.h. In integers, so that a seed gives the same run everywhere. */
#include "route/fleet/pool_limit.h"

#include <assert.h>

enum {
	MILLI = 1000,
	TOLERANCE_MILLI = 1500, /* of the usual time */
	GRADIENT_LEAST_MILLI = 500,
	RISE_SHARE = 256, /* seconds in which what is usual follows longer times */
	FALL_SHARE = 8,
	SMOOTHING = 5, /* a step goes a fifth of the way */
};

static uint64_t root_of(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= value)
			root |= bit;
	return root;
}

/* How long an answer took beside what is usual, in thousandths; and what is usual learns of it. */
static uint64_t ratio_milli(uint64_t *usual_ns, uint64_t mean_ns)
{
	uint64_t ratio;

	if (mean_ns == 0)
		mean_ns = 1;
	if (*usual_ns == 0)
		*usual_ns = mean_ns;
	ratio = (uint64_t)((unsigned __int128)mean_ns * MILLI / *usual_ns);
	if (mean_ns > *usual_ns)
		*usual_ns += (mean_ns - *usual_ns) / RISE_SHARE;
	else
		*usual_ns -= (*usual_ns - mean_ns) / FALL_SHARE;
	return ratio;
}

static uint64_t gradient_milli(struct pool_limit *limit, const struct pool_seen *seen)
{
	unsigned __int128 sum = 0;
	uint64_t count = 0, gradient;

	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		if (seen->count[kind] == 0)
			continue;
		sum += (unsigned __int128)seen->count[kind] *
		       ratio_milli(&limit->usual_ns[kind], seen->took_ns[kind] / seen->count[kind]);
		count += seen->count[kind];
	}
	if (sum == 0)
		return MILLI;
	gradient = (uint64_t)((unsigned __int128)TOLERANCE_MILLI * MILLI * count / sum);
	return gradient < GRADIENT_LEAST_MILLI ? GRADIENT_LEAST_MILLI : gradient < MILLI ? gradient : MILLI;
}

uint32_t pool_limit_step(struct pool_limit *limit, const struct pool_seen *seen, uint32_t in_flight, uint32_t most)
{
	uint64_t gradient = gradient_milli(limit, seen), most_milli = (uint64_t)most * MILLI, now, next;

	assert(most > 0);
	now = limit->calls_milli && limit->calls_milli < most_milli ? limit->calls_milli : most_milli;
	next = (now * (SMOOTHING - 1) + now * gradient / MILLI + root_of(now * MILLI)) / SMOOTHING;
	if (next > now && (uint64_t)in_flight * MILLI <= now / 2)
		next = now;
	limit->calls_milli = next < MILLI ? MILLI : next < most_milli ? next : most_milli;
	return (uint32_t)(limit->calls_milli / MILLI);
}
