/*
 * What a request cost. Terms are products of 64-bit numbers, each cut at what a cost can be at all, so that no sum
 * wraps. Usage is a provider's word: parts that exceed their whole are cut to it, and never make the rest negative.
 */
#include "route/money/price.h"

enum { PUSD_PER_NUSD = 1000, FEE_WHOLE_PPM = 1000000 };

static const unsigned __int128 pusd_max = (unsigned __int128)INT64_MAX * PUSD_PER_NUSD;

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static unsigned __int128 cut(unsigned __int128 pusd)
{
	return pusd < pusd_max ? pusd : pusd_max;
}

static unsigned __int128 term(uint64_t tokens, int64_t pusd_each)
{
	return pusd_each > 0 ? cut((unsigned __int128)tokens * (uint64_t)pusd_each) : 0;
}

/*
 * The prices in force for a prompt of that length; a tier that leaves one out keeps to its own input, or the base's
 * price.
 */
struct rates {
	int64_t input_pusd, cached_pusd, cache_write_pusd, output_pusd, reasoning_pusd;
};

static struct rates rates_for(const struct price_settings *price, uint64_t prompt_tokens)
{
	struct rates rates = {.input_pusd = price->input_pusd, .output_pusd = price->output_pusd};

	rates.cached_pusd = price->has_cached_input ? price->cached_input_pusd : rates.input_pusd;
	if (price->above_tokens && prompt_tokens > price->above_tokens) {
		if (price->above_input_pusd)
			rates.cached_pusd = rates.input_pusd = price->above_input_pusd;
		if (price->above_cached_input_pusd)
			rates.cached_pusd = price->above_cached_input_pusd;
		if (price->above_output_pusd)
			rates.output_pusd = price->above_output_pusd;
	}
	rates.cache_write_pusd = price->has_cache_write ? price->cache_write_pusd : rates.input_pusd;
	rates.reasoning_pusd = price->has_reasoning ? price->reasoning_pusd : rates.output_pusd;
	return rates;
}

static unsigned __int128 divide_up(unsigned __int128 value, unsigned divisor)
{
	return (value + divisor - 1) / divisor;
}

static unsigned __int128 pieces_pusd(const struct price_settings *price, const struct usage *usage)
{
	enum { MS_PER_MINUTE = 60000, MILLION = 1000000 };
	unsigned __int128 nusd = term(usage->images, price->image_nusd);

	/* A sum of three that are cut has room for the factor. */
	return cut(nusd * PUSD_PER_NUSD +
		   divide_up(term(usage->audio_ms, price->per_minute_nusd) * PUSD_PER_NUSD, MS_PER_MINUTE) +
		   divide_up(term(usage->characters, price->per_million_chars_nusd) * PUSD_PER_NUSD, MILLION));
}

static unsigned __int128 provider_pusd(const struct price_settings *price, const struct usage *usage)
{
	struct rates rates = rates_for(price, usage->prompt_tokens);
	uint64_t cached = least(usage->cached_tokens, usage->prompt_tokens);
	uint64_t cache_write = least(usage->cache_write_tokens, usage->prompt_tokens - cached);
	uint64_t reasoning = least(usage->reasoning_tokens, usage->completion_tokens);
	unsigned __int128 pusd = term(usage->prompt_tokens - cached - cache_write, rates.input_pusd);

	pusd += term(cached, rates.cached_pusd) + term(cache_write, rates.cache_write_pusd);
	pusd += term(usage->completion_tokens - reasoning, rates.output_pusd) + term(reasoning, rates.reasoning_pusd);
	return cut(cut(pusd) + pieces_pusd(price, usage));
}

static int64_t total_nusd(unsigned __int128 provider_pusd, uint32_t fee_ppm)
{
	unsigned __int128 total =
		divide_up(provider_pusd * ((uint64_t)FEE_WHOLE_PPM + fee_ppm), FEE_WHOLE_PPM * PUSD_PER_NUSD);

	return total < INT64_MAX ? (int64_t)total : INT64_MAX;
}

/* The fee is what is left of the total, which is rounded once: so the parts add up, and neither is negative. */
struct cost price_cost(const struct price_settings *price, const struct usage *usage, uint32_t fee_ppm)
{
	unsigned __int128 provider;
	struct cost cost = {0};

	if (!price->known)
		return cost;
	provider = provider_pusd(price, usage);
	cost.total_nusd = total_nusd(provider, fee_ppm);
	cost.provider_nusd = (int64_t)divide_up(provider, PUSD_PER_NUSD);
	cost.fee_nusd = cost.total_nusd - cost.provider_nusd;
	return cost;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t price_worst_nusd(
	const struct price_settings *price, uint64_t prompt_tokens, uint64_t completion_tokens, uint32_t fee_ppm)
{
	struct rates below = rates_for(price, 0), rates = rates_for(price, prompt_tokens);
	int64_t input = most(most(below.input_pusd, rates.input_pusd), most(below.cached_pusd, rates.cached_pusd));
	int64_t output =
		most(most(below.output_pusd, rates.output_pusd), most(below.reasoning_pusd, rates.reasoning_pusd));

	input = most(input, most(below.cache_write_pusd, rates.cache_write_pusd));
	return total_nusd(cut(term(prompt_tokens, input) + term(completion_tokens, output)), fee_ppm);
}
