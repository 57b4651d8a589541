/* Which known name a mistyped one was meant to be. Pure. */
#ifndef CORE_NEAREST_H
#define CORE_NEAREST_H

#include "core/slice.h"

enum { NEAREST_NAME_MAX = 64 }; /* longer names are compared by their first bytes */

/* Edits from one to the other: insert, delete, replace, swap of neighbours; letters compare without case. */
unsigned edit_distance(struct slice a, struct slice b);

/* The best of the names offered so far. */
struct nearest {
	struct slice wanted;
	const char *best; /* NULL: nothing is near */
	unsigned distance;
};

void nearest_begin(struct nearest *nearest, struct slice wanted);
void nearest_offer(struct nearest *nearest, const char *name);

#endif
