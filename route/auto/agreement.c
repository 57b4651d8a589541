/* Bags of hashed words: see agreement.h. */
#include "route/auto/agreement.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BAG = 4096 /* places; words that share one count as the same */ };

struct bag {
	uint16_t counts[BAG]; /* at most twice AGREEMENT_BYTES_MAX */
	uint32_t sum;
};

static bool in_word(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 128;
}

static unsigned char small(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

static void put(struct bag *bag, uint64_t hash)
{
	bag->counts[hash % BAG]++;
	bag->sum++;
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv */
static uint64_t hash_word(struct slice text, size_t *at)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *at < text.size && in_word((unsigned char)text.data[*at]); ++*at)
		hash = (hash ^ small((unsigned char)text.data[*at])) * 0x100000001b3;
	return XXH3_64bits(&hash, sizeof(hash)); /* FNV's low bits alone would do badly */
}

static void fill(struct bag *bag, struct slice text)
{
	uint64_t last = 0;
	bool first = true;

	memset(bag, 0, sizeof(*bag));
	for (size_t at = 0; at < text.size;) {
		uint64_t pair[2] = {last, 0};

		if (!in_word((unsigned char)text.data[at])) {
			at++;
			continue;
		}
		last = pair[1] = hash_word(text, &at);
		put(bag, last);
		if (!first)
			put(bag, XXH3_64bits(pair, sizeof(pair)));
		first = false;
	}
}

static struct slice beginning(struct slice text)
{
	return slice_of(text.data, text.size < AGREEMENT_BYTES_MAX ? text.size : AGREEMENT_BYTES_MAX);
}

unsigned agreement_permille(struct slice a, struct slice b)
{
	struct bag left, right;
	uint64_t common = 0;

	fill(&left, beginning(a));
	fill(&right, beginning(b));
	if (left.sum + right.sum == 0)
		return 1000;
	for (unsigned i = 0; i < BAG; i++)
		common += left.counts[i] < right.counts[i] ? left.counts[i] : right.counts[i];
	return (unsigned)(2000 * common / (left.sum + right.sum));
}
