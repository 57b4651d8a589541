/*
 * Which of several deployments a call is given to: of those that are not far behind the cheapest, two are drawn by
 * weight, and the second is taken only where it is clearly cheaper than the first. So deployments of one speed share by
 * weight, and a slow or busy one is left alone. What a deployment costs is its peak EWMA of the time to the first
 * token, and more for each call in hand.
 */
#ifndef ROUTE_BALANCE_H
#define ROUTE_BALANCE_H

#include "core/rand.h"
#include "route/fleet/hedge.h"

#include <stdbool.h>

enum balance_kind { BALANCE_UNARY, BALANCE_STREAM, BALANCE_KINDS }; /* a whole answer takes longer than its begin */

#define BALANCE_HALF_LIFE_NS UINT64_C(6931471806) /* exp(-t / 10 s) */
#define BALANCE_FORGET_NS (UINT64_C(10) * 1000000000)
#define BALANCE_SLOW_START_NS (UINT64_C(30) * 1000000000)

/* A peak EWMA: jumps up to a sample above it, eases down to one below it. Zeroed: no sample yet. */
struct peak_ewma {
	uint64_t value_ns, sampled_ns;
};

void peak_ewma_add(struct peak_ewma *ewma, uint64_t sample_ns, uint64_t now_ns);

/* A long prompt takes longer to its first token: their classes (hedge_class()) are told apart. */
enum { BALANCE_CLASSES = HEDGE_CLASSES };

/* What is known of a class; where nothing is, what is known of the nearest one below, else above. */
const struct peak_ewma *balance_ewma(const struct peak_ewma classes[BALANCE_CLASSES], unsigned class);
/* What was sampled last, of whichever class. */
const struct peak_ewma *balance_latest(const struct peak_ewma classes[BALANCE_CLASSES]);

/* A failure that took so long, which is worse than any answer: at least twice what is known. */
void peak_ewma_add_failure(struct peak_ewma *ewma, uint64_t took_ns, uint64_t now_ns);

struct balance_option {
	uint64_t weight; /* below 2^40; 0: only where no other has any */
	struct peak_ewma ewma;
	uint32_t in_flight;
	uint32_t warm_percent; /* 100: warm; see balance_warm_percent() */
};

/* The share of its weight that a deployment has, since `back_ns` (0: always there): from 10 up to 100 in 30 s. */
uint32_t balance_warm_percent(uint64_t back_ns, uint64_t now_ns);

/* With so many calls in hand a deployment counts as twice as dear: what it can do at once is not known. */
enum { BALANCE_OPTIONS_MAX = 16, BALANCE_CALLS_AT_ONCE = 4 };

/* The index of one of `count` options, 1 to BALANCE_OPTIONS_MAX. */
unsigned balance_choose(const struct balance_option *options, unsigned count, struct rand *rand, uint64_t now_ns);

#endif
