/*
 * Blocks that are too large for an arena's common ones: bodies, long prompts, large events. Each is a mapping of its
 * own, a power of two long, of which only what is used takes memory. A shard keeps those that came back last, up to a
 * bound; what is beyond goes back to the system at once, so that after a rush of large requests no more than the bound
 * stays. In the C library's heap they would stay for good, scattered, each new one touching other pages. For one
 * thread.
 *
 * Mapping and unmapping are system calls. A steady load makes none: it lives on the blocks kept, and the first ones are
 * pieces of one mapping of as many bytes, made when the pool is, of which nothing is in memory before it is used.
 */
#ifndef CORE_LARGE_H
#define CORE_LARGE_H

#include <stddef.h>
#include <stdint.h>

enum {
	LARGE_LEAST_BYTES = 16 * 1024, /* anything below is the C library's allocation */
	LARGE_CLASSES = 10,            /* sizes that are kept: to 8 MiB, each twice the one before */
};

struct large_pool {
	struct large_block *free[LARGE_CLASSES];
	uint64_t used_at[LARGE_CLASSES]; /* when one of the class was last wanted, in takes */
	uint64_t takes;
	size_t kept_bytes, kept_max_bytes;
	char *reserve; /* what nobody has had yet */
	size_t reserve_bytes;
};

void large_pool_init(struct large_pool *pool, size_t kept_max_bytes);
void large_pool_fini(struct large_pool *pool); /* blocks that are out are their owners' still */

/* At least *bytes, aligned to 16, not zeroed; *bytes becomes what it has. NULL when memory is out. */
void *large_take(struct large_pool *pool, size_t *bytes);

/* `bytes` as large_take() told them; NULL is let pass. */
void large_give(struct large_pool *pool, void *block, size_t bytes);

#endif
