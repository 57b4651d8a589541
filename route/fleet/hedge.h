/*
 * When a second attempt is worth its price: after the time within which most answers of a deployment begin, as it was
 * measured, and for few of the requests. Pure; one of each on a shard.
 */
#ifndef ROUTE_HEDGE_H
#define ROUTE_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

enum { HEDGE_SAMPLES_MIN = 20, HEDGE_PERCENT_MAX = 5, HEDGE_CLASSES = 4, HEDGE_BUCKETS = 72 };

/* By the prompt's size, which the time to the first token goes by: up to 1k, 8k, 32k tokens, and above. */
unsigned hedge_class(uint64_t tokens);

/*
 * How long it took, in buckets of a quarter of an octave from 0.26 ms to over a minute; zeroed: nothing is known. Old
 * samples fade: at a thousand all counts are halved.
 */
struct hedge_times {
	uint16_t counts[HEDGE_BUCKETS];
	uint32_t total;
};

void hedge_times_add(struct hedge_times *times, uint64_t took_ns);

/* The time that so many percent stay below, at most a fifth too long; 0: too little is known. */
uint64_t hedge_after_ns(const struct hedge_times *times, uint32_t percent);

/* Of the requests, so many may have a second attempt; zeroed: none yet. */
struct hedge_share {
	uint32_t saved_milli; /* second attempts, a thousand each */
};

void hedge_share_request(struct hedge_share *share);
bool hedge_share_take(struct hedge_share *share);

#endif
