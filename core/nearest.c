/* Edit distance (optimal string alignment) over three rows, and the choice of the nearest name. */
#include "core/nearest.h"

#include <ctype.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int letter(struct slice s, size_t index)
{
	return tolower((unsigned char)s.data[index]);
}

unsigned edit_distance(struct slice a, struct slice b)
{
	unsigned rows[3][NEAREST_NAME_MAX + 1];
	size_t i, j;

	if (a.size > NEAREST_NAME_MAX)
		a.size = NEAREST_NAME_MAX;
	if (b.size > NEAREST_NAME_MAX)
		b.size = NEAREST_NAME_MAX;
	for (j = 0; j <= b.size; j++)
		rows[0][j] = (unsigned)j;
	for (i = 1; i <= a.size; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *before = rows[(i - 1) % 3];

		now[0] = (unsigned)i;
		for (j = 1; j <= b.size; j++) {
			bool same = letter(a, i - 1) == letter(b, j - 1);

			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + !same);
			if (i > 1 && j > 1 && letter(a, i - 1) == letter(b, j - 2) &&
				letter(a, i - 2) == letter(b, j - 1))
				now[j] = least(now[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[a.size % 3][b.size];
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
