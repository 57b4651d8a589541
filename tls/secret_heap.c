/*
 * See secret_heap.h. Blocks come in classes of size, sixteen for each doubling, so that a block is at most a sixteenth
 * larger than asked for; freed ones wait in a list of their class. What is too large for a class is a mapping of its
 * own: certificates and issuers, at set-up.
 *
 * wolfSSL's hooks know no context, so the thread's heap is thread-local. A thread's end leaves its free blocks unused:
 * threads that speak TLS live as long as the program.
 */
#include "tls/secret_heap.h"

#include "core/kconfig.h"
#include "tls/secret.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/memory.h>

enum {
	GRAIN_BYTES = 16,
	GRAINS_EVEN = 16, /* classes up to 256 bytes: one for each grain */
	EVEN_LOG = 8,
	STEPS_LOG = 4,
	LARGEST_LOG = 16,
	CLASSES = GRAINS_EVEN + ((LARGEST_LOG - EVEN_LOG) << STEPS_LOG),
	CLASS_OWN_MAPPING = CLASSES,
	REGION_BYTES = 64 << 20,
};

/* Before each block; as long as malloc()'s alignment. */
struct head {
	size_t bytes; /* asked for */
	uint32_t class;
	uint32_t unused;
};
_Static_assert(sizeof(struct head) == GRAIN_BYTES, "what follows a head is aligned");

struct free_block {
	struct free_block *next;
};

struct secret_heap {
	struct free_block *free[CLASSES];
	char *next; /* of the region, not carved yet */
	size_t left_bytes;
};

static _Thread_local struct secret_heap heap;

/* The class whose blocks hold `bytes`, and what they hold. */
static unsigned class_of(size_t bytes, size_t *block_bytes)
{
	unsigned log, step;

	if (bytes <= 1 << EVEN_LOG) {
		size_t grains = bytes ? (bytes + GRAIN_BYTES - 1) / GRAIN_BYTES : 1;

		*block_bytes = grains * GRAIN_BYTES;
		return (unsigned)grains - 1;
	}
	if (bytes > (size_t)1 << LARGEST_LOG) {
		*block_bytes = bytes;
		return CLASS_OWN_MAPPING;
	}
	log = (unsigned)(63 - __builtin_clzll(bytes - 1));
	step = (unsigned)((bytes - 1) >> (log - STEPS_LOG)) & ((1 << STEPS_LOG) - 1);
	*block_bytes = (size_t)((1 << STEPS_LOG) + step + 1) << (log - STEPS_LOG);
	return GRAINS_EVEN + ((log - EVEN_LOG) << STEPS_LOG) + step;
}

static void *carve(size_t bytes)
{
	void *block;

	if (heap.left_bytes < bytes) {
		char *region = secret_take(REGION_BYTES);

		if (!region)
			return NULL;
		heap.next = region;
		heap.left_bytes = REGION_BYTES;
	}
	block = heap.next;
	heap.next += bytes;
	heap.left_bytes -= bytes;
	return block;
}

static struct head *head_of(void *memory)
{
	return (struct head *)memory - 1;
}

void *secret_heap_take(size_t bytes)
{
	size_t block_bytes;
	unsigned class = class_of(bytes, &block_bytes);
	struct free_block *block = class < CLASSES ? heap.free[class] : NULL;
	struct head *head;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	if (block && !CONFIG(SANITIZE)) {
		heap.free[class] = block->next;
		head_of(block)->bytes = bytes;
		return block;
	}
	if (CONFIG(SANITIZE))
		head = malloc(sizeof(*head) + bytes);
	else if (class == CLASS_OWN_MAPPING)
		head = secret_take(sizeof(*head) + bytes);
	else
		head = carve(sizeof(*head) + block_bytes);
	if (!head)
		return NULL;
	*head = (struct head){.bytes = bytes, .class = class};
	return head + 1;
}

void secret_heap_give(void *memory)
{
	struct head *head = memory ? head_of(memory) : NULL;
	struct free_block *block = memory;

	if (!memory)
		return;
	explicit_bzero(memory, head->bytes);
	if (CONFIG(SANITIZE)) {
		free(head);
	} else if (head->class == CLASS_OWN_MAPPING) {
		secret_give(head, sizeof(*head) + head->bytes);
	} else {
		block->next = heap.free[head->class];
		heap.free[head->class] = block;
	}
}

void *secret_heap_resize(void *memory, size_t bytes)
{
	size_t kept = memory ? head_of(memory)->bytes : 0;
	void *larger = secret_heap_take(bytes);

	if (!larger)
		return NULL;
	if (memory)
		memcpy(larger, memory, kept < bytes ? kept : bytes);
	secret_heap_give(memory);
	return larger;
}

void secret_heap_set_up(void)
{
	int rc = wolfSSL_SetAllocators(secret_heap_take, secret_heap_give, secret_heap_resize);

	assert(rc == 0);
}

void secret_heap_prepare(void)
{
	secret_heap_give(secret_heap_take(1));
}
