/*
 * Pieces of one size, cut from a region that is mapped at start and takes no memory until it is used. The piece given
 * back last is the next one taken, so few pages are touched while few pieces are in use. Beyond the region a piece is
 * an allocation, freed when it comes back. For one thread.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	char *memory; /* NULL: not open */
	void *free;   /* list through the pieces' first bytes */
	size_t piece_bytes;
	uint32_t piece_count, untouched_count; /* untouched: never taken yet; they are the last */
};

/* -ENOMEM when there is no room for it. */
int pool_open(struct pool *pool, size_t piece_bytes, uint32_t piece_count);
void pool_close(struct pool *pool); /* every piece has come back, or dies with it */

void *pool_take(struct pool *pool); /* NULL when memory is out */
void pool_give(struct pool *pool, void *piece);

#endif
