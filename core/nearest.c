/*
 * Edit distance (optimal string alignment), and the choice of the nearest name.
 *
 * A column of the distance matrix differs by at most one between neighbours, so it fits into two words of bits (up: it
 * grows there, down: it shrinks), and a letter of the name moves it on in a dozen operations: H. Hyyro, "A Bit-Vector
 * Algorithm for Computing Levenshtein and Damerau Edit Distances", 2003. Variables' names there: VP, VN, D0, HP, HN.
 */
#include "core/nearest.h"

#include <ctype.h>

_Static_assert(NEAREST_NAME_MAX == 64, "a bit for each letter");

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void edit_pattern_begin(struct edit_pattern *pattern, struct slice wanted)
{
	memset(pattern, 0, sizeof(*pattern));
	pattern->size = (unsigned)(wanted.size < NEAREST_NAME_MAX ? wanted.size : NEAREST_NAME_MAX);
	for (unsigned i = 0; i < pattern->size; i++) {
		unsigned char c = (unsigned char)wanted.data[i];

		pattern->places[tolower(c)] |= 1ull << i;
		pattern->places[toupper(c)] |= 1ull << i;
	}
}

unsigned edit_pattern_distance(const struct edit_pattern *pattern, struct slice name)
{
	uint64_t up = ~0ull, down = 0, diagonal = 0, before = 0, last;
	size_t size = name.size < NEAREST_NAME_MAX ? name.size : NEAREST_NAME_MAX;
	unsigned distance = pattern->size;

	if (!pattern->size)
		return (unsigned)size;
	last = 1ull << (pattern->size - 1);
	for (size_t i = 0; i < size; i++) {
		uint64_t here = pattern->places[(unsigned char)name.data[i]];
		uint64_t swapped = ((~diagonal & here) << 1) & before;
		uint64_t right_up, right_down;

		diagonal = (((here & up) + up) ^ up) | here | down | swapped;
		right_up = down | ~(diagonal | up);
		right_down = diagonal & up;
		distance += (right_up & last) != 0;
		distance -= (right_down & last) != 0;
		right_up = right_up << 1 | 1;
		up = right_down << 1 | ~(diagonal | right_up);
		down = right_up & diagonal;
		before = here;
	}
	return distance;
}

unsigned edit_distance(struct slice a, struct slice b)
{
	struct edit_pattern pattern;

	edit_pattern_begin(&pattern, a);
	return edit_pattern_distance(&pattern, b);
}

void nearest_begin(struct nearest *nearest, struct slice wanted)
{
	/* Near is a third of the letters wrong, and at least one: `rmp` is near `rpm`, `foo` is near nothing. */
	unsigned wrong_max = least((unsigned)wanted.size, NEAREST_NAME_MAX) / 3;

	*nearest = (struct nearest){.wanted = wanted, .distance = (wrong_max ? wrong_max : 1) + 1};
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	unsigned distance = edit_distance(nearest->wanted, slice_of_string(name));

	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->best = name;
	}
}
