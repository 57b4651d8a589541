/*
 * Classes of blocks and their lists: see large.h. Where the bound is reached, the class that was wanted longest ago
 * gives its blocks up, so that what a former load left does not keep the present one from being served.
 */
#include "core/large.h"

#include "core/kconfig.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096 };

struct large_block {
	struct large_block *next;
};

/* The sanitizers and valgrind know the ends of what malloc() gave, and no others. */
static bool is_heap_block(size_t bytes)
{
	return bytes < LARGE_LEAST_BYTES || CONFIG(SANITIZE) || CONFIG(VALGRIND);
}

static size_t class_bytes(unsigned class)
{
	return (size_t)LARGE_LEAST_BYTES << class;
}

/* LARGE_CLASSES: it is too large to be kept. */
static unsigned class_for(size_t bytes)
{
	unsigned class = 0;

	while (class < LARGE_CLASSES && class_bytes(class) < bytes)
		class ++;
	return class;
}

static void *map(size_t bytes)
{
	void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return block == MAP_FAILED ? NULL : block;
}

void large_pool_init(struct large_pool *pool, size_t kept_max_bytes)
{
	*pool = (struct large_pool){.kept_max_bytes = kept_max_bytes};
	if (!is_heap_block(LARGE_LEAST_BYTES))
		pool->reserve = map(kept_max_bytes);
	pool->reserve_bytes = pool->reserve ? kept_max_bytes : 0;
}

/* The next piece of the reserve; NULL: it is used up, or has not that much left. */
static void *take_reserve(struct large_pool *pool, size_t bytes)
{
	char *block = pool->reserve;

	if (bytes > pool->reserve_bytes)
		return NULL;
	pool->reserve += bytes;
	pool->reserve_bytes -= bytes;
	return block;
}

static struct large_block *pop(struct large_pool *pool, unsigned class)
{
	struct large_block *block = pool->free[class];

	pool->free[class] = block->next;
	pool->kept_bytes -= class_bytes(class);
	return block;
}

void large_pool_fini(struct large_pool *pool)
{
	for (unsigned class = 0; class < LARGE_CLASSES; class ++)
		while (pool->free[class])
			munmap(pop(pool, class), class_bytes(class));
	if (pool->reserve_bytes)
		munmap(pool->reserve, pool->reserve_bytes);
}

void *large_take(struct large_pool *pool, size_t *bytes)
{
	unsigned class = class_for(*bytes);
	void *block = NULL;

	if (*bytes > PTRDIFF_MAX - PAGE_BYTES)
		return NULL;
	if (is_heap_block(*bytes))
		return malloc(*bytes);
	if (class < LARGE_CLASSES) {
		*bytes = class_bytes(class);
		pool->used_at[class] = ++pool->takes;
		block = pool->free[class] ? pop(pool, class) : take_reserve(pool, *bytes);
	} else {
		*bytes = (*bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
	}
	return block ? block : map(*bytes);
}

/* The class with free blocks that was wanted longest ago, if that is before `class` was; else `class`. */
static unsigned stalest(const struct large_pool *pool, unsigned class)
{
	unsigned found = class;

	for (unsigned other = 0; other < LARGE_CLASSES; other++)
		if (pool->free[other] && pool->used_at[other] < pool->used_at[found])
			found = other;
	return found;
}

/* Whether a block of `class` may be kept, if need be instead of others. */
static bool make_room(struct large_pool *pool, unsigned class)
{
	if (class_bytes(class) > pool->kept_max_bytes)
		return false;
	while (pool->kept_bytes + class_bytes(class) > pool->kept_max_bytes) {
		unsigned stale = stalest(pool, class);

		if (stale == class)
			return false;
		munmap(pop(pool, stale), class_bytes(stale));
	}
	return true;
}

void large_give(struct large_pool *pool, void *block, size_t bytes)
{
	unsigned class = class_for(bytes);
	struct large_block *kept = block;

	if (!block)
		return;
	if (is_heap_block(bytes)) {
		free(block);
	} else if (class < LARGE_CLASSES && make_room(pool, class)) {
		kept->next = pool->free[class];
		pool->free[class] = kept;
		pool->kept_bytes += bytes;
	} else {
		munmap(block, bytes);
	}
}
