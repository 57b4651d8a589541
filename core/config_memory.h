/*
 * Memory of one configuration: everything that a load allocates lives until the whole of it is given back at once. It
 * holds secrets, so it is wiped before it is freed. Not for the request path: each piece is an allocation of its own.
 */
#ifndef CORE_CONFIG_MEMORY_H
#define CORE_CONFIG_MEMORY_H

#include "core/slice.h"

struct config_piece;

struct config_memory {
	struct config_piece *pieces;
	size_t used_bytes, max_bytes;
	bool failed; /* an allocation did not succeed; sticky, checked once at the end */
};

void config_memory_init(struct config_memory *memory, size_t max_bytes);
void config_memory_fini(struct config_memory *memory);

/* Zeroed, aligned to 16. NULL (and `failed` is set) at the bound or when memory is out. */
void *config_alloc(struct config_memory *memory, size_t count, size_t size);

/* A copy with a NUL behind it. */
char *config_copy(struct config_memory *memory, struct slice text);

#endif
