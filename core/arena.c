/*
 * Arenas. Small allocations are cut from blocks of one size, which a shard's pool keeps for the next arena; one that
 * does not fit such a block gets a block of its own, given back with the arena, and leaves the current block in use.
 */
#include "core/arena.h"

#include <stdlib.h>

enum { ALIGN_BYTES = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size; /* header included */
	_Alignas(ALIGN_BYTES) char bytes[];
};

void arena_pool_init(struct arena_pool *pool, uint32_t kept_max)
{
	*pool = (struct arena_pool){.kept_max = kept_max};
	large_pool_init(&pool->large, CONFIG_LARGE_BLOCKS_KEPT_BYTES);
}

void arena_pool_fini(struct arena_pool *pool)
{
	while (pool->free) {
		struct arena_block *block = pool->free;

		pool->free = block->next;
		free(block);
	}
	pool->free_count = 0;
	large_pool_fini(&pool->large);
}

void arena_init(struct arena *arena, struct arena_pool *pool, size_t max_bytes)
{
	*arena = (struct arena){.pool = pool, .max_bytes = max_bytes};
}

static void give_block(struct arena_pool *pool, struct arena_block *block)
{
	if (block->size != ARENA_BLOCK_BYTES || pool->free_count >= pool->kept_max) {
		large_give(&pool->large, block, block->size);
		return;
	}
	block->next = pool->free;
	pool->free = block;
	pool->free_count++;
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		give_block(arena->pool, block);
	}
	arena->next = arena->end = NULL;
	arena->used_bytes = 0;
}

/* A block of `size` bytes, counted against the bound; NULL beyond it. */
static struct arena_block *take_block(struct arena *arena, size_t size)
{
	struct arena_pool *pool = arena->pool;
	size_t block_bytes = size;
	struct arena_block *block;

	if (size > arena->max_bytes - arena->used_bytes)
		return NULL;
	if (size == ARENA_BLOCK_BYTES && pool->free) {
		block = pool->free;
		pool->free = block->next;
		pool->free_count--;
	} else {
		block = large_take(&pool->large, &block_bytes);
		if (!block)
			return NULL;
	}
	block->size = block_bytes;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->used_bytes += size;
	return block;
}

static void *alloc_from_new_block(struct arena *arena, size_t size)
{
	size_t left = arena->max_bytes - arena->used_bytes, block_bytes = sizeof(struct arena_block) + size;
	bool shared = block_bytes <= ARENA_BLOCK_BYTES;
	struct arena_block *block;

	if (shared && block_bytes <= left)
		block_bytes = left < ARENA_BLOCK_BYTES ? left : ARENA_BLOCK_BYTES; /* the last one may be shorter */
	block = take_block(arena, block_bytes);
	if (!block)
		return NULL;
	if (shared) {
		arena->next = block->bytes + size;
		arena->end = (char *)block + block_bytes;
	}
	return block->bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	char *memory = arena->next;

	if (size > arena->max_bytes) /* also keeps the rounding from wrapping round */
		return NULL;
	size = size ? (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1) : ALIGN_BYTES;
	if ((size_t)(arena->end - arena->next) < size)
		return alloc_from_new_block(arena, size);
	arena->next += size;
	return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size);

	return memory ? memset(memory, 0, size) : NULL;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
	char *copy = bytes.size < SIZE_MAX ? arena_alloc(arena, bytes.size + 1) : NULL;

	if (!copy)
		return slice_of(NULL, 0);
	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = '\0';
	return slice_of(copy, bytes.size);
}
