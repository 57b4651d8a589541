/* Bytes that grow, for actors that compose and collect messages. Without memory there is no simulation: it ends. */
#ifndef FUZZ_SIM_BYTES_H
#define FUZZ_SIM_BYTES_H

#include "core/slice.h"

struct bytes { /* zeroed is empty */
	char *data;
	size_t size, capacity;
};

void bytes_add(struct bytes *bytes, struct slice more);
void bytes_print(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_drop(struct bytes *bytes, size_t count); /* the first ones */
void bytes_free(struct bytes *bytes);

static inline struct slice bytes_slice(const struct bytes *bytes)
{
	return slice_of(bytes->data, bytes->size);
}

void *sim_grown(void *memory, size_t size); /* realloc() that does not fail */

#endif
