/* Which known name a mistyped one was meant to be. Pure. */
#ifndef CORE_NEAREST_H
#define CORE_NEAREST_H

#include "core/slice.h"

#include <stdint.h>

enum { NEAREST_NAME_MAX = 64 }; /* longer names are compared by their first bytes */

/* Edits from one to the other: insert, delete, replace, swap of neighbours; letters compare without case. */
unsigned edit_distance(struct slice a, struct slice b);

/* The same where one is compared with many. */
struct edit_pattern {
	uint64_t places[256]; /* by byte: a bit for each place at which the pattern has it, in either case */
	unsigned size;
};

void edit_pattern_begin(struct edit_pattern *pattern, struct slice wanted);
unsigned edit_pattern_distance(const struct edit_pattern *pattern, struct slice name);

/* The best of the names offered so far. */
struct nearest {
	struct slice wanted;
	const char *best; /* NULL: nothing is near */
	unsigned distance;
};

void nearest_begin(struct nearest *nearest, struct slice wanted);
void nearest_offer(struct nearest *nearest, const char *name);

#endif
