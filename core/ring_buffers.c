/*
 * A ring's receive buffers: one provided-buffer group, in memory mapped at start and untouched until the kernel fills
 * it.
 *
 * The kernel uses buffers in the order in which it was given them. Were it given all, each receive would go to the one
 * that lies longest and has left every cache; so it is given a stock that suffices for a turn, of those that came back
 * last. The stock doubles when a turn runs it dry, and shrinks slowly.
 */
#include "core/ring_uring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STOCK_LEAST = 64, STOCK_CALM_TURNS = 1024 };

static void offer_buffer(struct ring *ring, struct buffer *buffer)
{
	io_uring_buf_ring_add(ring->buffer_ring, buffer->data, buffer->capacity_bytes, (unsigned short)buffer->index,
		io_uring_buf_ring_mask(ring->buffer_count), (int)ring->buffers_added++);
	ring->stock++;
}

static void keep_buffer(struct ring *ring, struct buffer *buffer)
{
	buffer->next = ring->spare;
	ring->spare = buffer;
}

static void release_buffer(struct buffer *buffer)
{
	struct ring *ring = buffer->pool;

	assert(ring->buffers_held > 0);
	ring->buffers_held--;
	keep_buffer(ring, buffer);
}

static void adapt_stock(struct ring *ring)
{
	uint32_t least = ring->buffer_count < STOCK_LEAST ? ring->buffer_count : STOCK_LEAST;

	if (ring->stock_ran_dry) {
		ring->stock_wanted =
			ring->stock_wanted < ring->buffer_count / 2 ? 2 * ring->stock_wanted : ring->buffer_count;
		ring->calm_turns = 0;
		ring->stock_ran_dry = false;
	} else if (++ring->calm_turns >= STOCK_CALM_TURNS) {
		ring->stock_wanted -= ring->stock_wanted / 8;
		ring->calm_turns = 0;
	}
	if (ring->stock_wanted < least)
		ring->stock_wanted = least;
}

void ring_publish_buffers(struct ring *ring)
{
	adapt_stock(ring);
	while (ring->stock < ring->stock_wanted && ring->spare) {
		struct buffer *buffer = ring->spare;

		ring->spare = buffer->next;
		offer_buffer(ring, buffer);
	}
	if (ring->buffers_added) {
		io_uring_buf_ring_advance(ring->buffer_ring, (int)ring->buffers_added);
		ring->buffers_added = 0;
	}
}

int ring_make_buffers(struct ring *ring)
{
	size_t stride = ((size_t)ring->buffer_bytes + BUFFER_PADDING_BYTES + 63) & ~(size_t)63;
	int rc = 0;

	ring->buffers = calloc(ring->buffer_count, sizeof(*ring->buffers));
	if (!ring->buffers)
		return -ENOMEM;
	ring->buffer_memory_bytes = stride * ring->buffer_count;
	ring->buffer_memory =
		mmap(NULL, ring->buffer_memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->buffer_memory == MAP_FAILED) {
		ring->buffer_memory = NULL;
		return -ENOMEM;
	}
	ring->buffer_ring = io_uring_setup_buf_ring(&ring->uring, ring->buffer_count, BUFFER_GROUP, 0, &rc);
	if (!ring->buffer_ring)
		return rc;
	for (uint32_t i = ring->buffer_count; i-- > 0;) {
		ring->buffers[i] = (struct buffer){.data = ring->buffer_memory + stride * i,
			.capacity_bytes = ring->buffer_bytes,
			.release = release_buffer,
			.pool = ring,
			.index = i};
		keep_buffer(ring, &ring->buffers[i]);
	}
	ring_publish_buffers(ring);
	return 0;
}

void ring_free_buffers(struct ring *ring)
{
	if (ring->buffer_ring)
		io_uring_free_buf_ring(&ring->uring, ring->buffer_ring, ring->buffer_count, BUFFER_GROUP);
	if (ring->buffer_memory)
		munmap(ring->buffer_memory, ring->buffer_memory_bytes);
	free(ring->buffers);
}

struct buffer *ring_take_buffer(struct ring *ring, uint32_t cqe_flags, int size)
{
	uint32_t index = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
	struct buffer *buffer;

	assert(index < ring->buffer_count);
	buffer = &ring->buffers[index];
	assert(buffer->references == 0);
	assert(ring->stock > 0);
	ring->stock--;
	buffer->references = 1;
	buffer->used_bytes = (uint32_t)size;
	ring->buffers_held++;
	return buffer;
}
