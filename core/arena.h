/*
 * Memory that dies together: one arena an exchange. Blocks come from a shard's free list; an arena never grows past its
 * bound. Allocation returns NULL at the bound or when memory is out, and the caller answers 413 or 503. Larger pieces
 * come from the shard's large blocks (core/large.h).
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/large.h"
#include "core/slice.h"

struct arena_block;

/* A shard's free blocks, all of ARENA_BLOCK_BYTES; and large ones, which others may use as well. */
struct arena_pool {
	struct arena_block *free;
	struct large_pool large;
	uint32_t free_count, kept_max; /* more than kept_max go back to the system */
};

enum { ARENA_BLOCK_BYTES = 8192 }; /* a small exchange with its headers fits in one */

struct arena {
	struct arena_pool *pool;
	struct arena_block *blocks;
	char *next, *end;
	size_t used_bytes, max_bytes; /* of all blocks together, as asked for */
};

void arena_pool_init(struct arena_pool *pool, uint32_t kept_max);
void arena_pool_fini(struct arena_pool *pool);

void arena_init(struct arena *arena, struct arena_pool *pool, size_t max_bytes);
void arena_fini(struct arena *arena);

/* Aligned to 16; not zeroed. NULL at the bound. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);

/* A copy with a NUL behind it; .data is NULL at the bound. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
