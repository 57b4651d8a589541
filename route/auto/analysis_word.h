/* A word as the analysis knows it: its first 16 bytes in small letters, zeros behind. For analysis*.c alone. */
#ifndef ROUTE_ANALYSIS_WORD_H
#define ROUTE_ANALYSIS_WORD_H

#include "route/auto/analysis.h"

enum { WORD_BYTES = 16, WORD_NO_FEATURE = ANALYSIS_FEATURE_COUNT };

struct word {
	uint64_t begin, end; /* its bytes 0..7 and 8..15 */
};

static inline bool word_same(struct word a, struct word b)
{
	return a.begin == b.begin && a.end == b.end;
}

/* Multiplied by two of xxHash's primes: every byte reaches the high bits, which alone are used. */
static inline uint64_t word_hash(struct word word)
{
	return word.begin * 0x9e3779b185ebca87 + (word.end ^ word.end >> 32) * 0xc2b2ae3d27d4eb4f;
}

enum { TERM_SLOT_BITS = 11, TERM_SLOTS = 1 << TERM_SLOT_BITS, TERM_FILTER_WORDS = 128 };

struct analysis_terms {
	/* A bit for each term's hash: most words are none and are told so without the slots, 48 KB that the first cache
	 * seldom holds. */
	uint64_t filter[TERM_FILTER_WORDS];
	struct {
		struct word word;
		uint8_t feature;
		bool taken;
	} slots[TERM_SLOTS]; /* open addressing, at most half full */
};

static inline unsigned term_filter_word(uint64_t hash)
{
	return (unsigned)(hash >> 57);
}

static inline uint64_t term_filter_bit(uint64_t hash)
{
	return 1ull << (hash >> 51 & 63);
}

unsigned analysis_find_term(const struct analysis_terms *terms, struct word word, uint64_t hash);

/* WORD_NO_FEATURE: it is no term. */
static inline unsigned analysis_term(const struct analysis_terms *terms, struct word word, uint64_t hash)
{
	if (!(terms->filter[term_filter_word(hash)] & term_filter_bit(hash)))
		return WORD_NO_FEATURE;
	return analysis_find_term(terms, word, hash);
}

#endif
