/* The region and its free list: see pool.h. */
#include "core/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN_BYTES = 64 };

int pool_open(struct pool *pool, size_t piece_bytes, uint32_t piece_count)
{
	assert(piece_bytes >= sizeof(void *));
	assert(piece_count > 0);
	*pool = (struct pool){.piece_bytes = (piece_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1),
		.piece_count = piece_count,
		.untouched_count = piece_count};
	pool->memory = mmap(NULL, pool->piece_bytes * piece_count, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED) {
		pool->memory = NULL;
		return -ENOMEM;
	}
	return 0;
}

void pool_close(struct pool *pool)
{
	if (pool->memory)
		munmap(pool->memory, pool->piece_bytes * pool->piece_count);
	*pool = (struct pool){0};
}

void *pool_take(struct pool *pool)
{
	void *piece = pool->free;

	if (piece) {
		memcpy(&pool->free, piece, sizeof(void *));
		return piece;
	}
	if (pool->untouched_count)
		return pool->memory + pool->piece_bytes * (pool->piece_count - pool->untouched_count--);
	return malloc(pool->piece_bytes);
}

static bool is_of_region(const struct pool *pool, const void *piece)
{
	return (uintptr_t)piece - (uintptr_t)pool->memory < pool->piece_bytes * pool->piece_count;
}

void pool_give(struct pool *pool, void *piece)
{
	if (!is_of_region(pool, piece)) {
		free(piece);
		return;
	}
	memcpy(piece, &pool->free, sizeof(void *));
	pool->free = piece;
}
