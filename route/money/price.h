/*
 * Money: what a request cost. Summed in pico-USD (128 bits), rounded up once to nano-USD (contract, section 7). Pure.
 */
#ifndef ROUTE_PRICE_H
#define ROUTE_PRICE_H

#include "route/settings/settings.h"

struct usage {
	uint64_t prompt_tokens;     /* cached ones included */
	uint64_t completion_tokens; /* reasoning ones included */
	uint64_t cached_tokens, cache_write_tokens, reasoning_tokens;
	/* What is priced by the piece. */
	uint64_t images, characters, audio_ms;
	bool estimated;
};

struct cost {
	int64_t provider_nusd, fee_nusd, total_nusd;
};

/* Price unknown: all zero. Never negative; saturates at INT64_MAX. */
struct cost price_cost(const struct price_settings *price, const struct usage *usage, uint32_t fee_ppm);

/* The most that so many tokens can cost, whichever of them are cached, written to a cache or reasoning, and in
 * whichever tier: nano-USD, saturating at INT64_MAX. The price is known. */
int64_t price_worst_nusd(
	const struct price_settings *price, uint64_t prompt_tokens, uint64_t completion_tokens, uint32_t fee_ppm);

#endif
