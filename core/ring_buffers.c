/*
 * A ring's receive buffers: one provided-buffer group, in memory mapped at start and untouched until the kernel fills it.
 */
#include "core/ring_uring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static void offer_buffer(struct ring *ring, struct buffer *buffer)
{
	io_uring_buf_ring_add(ring->buffer_ring, buffer->data, buffer->capacity_bytes, (unsigned short)buffer->index,
			      io_uring_buf_ring_mask(ring->buffer_count), (int)ring->buffers_added++);
}

static void release_buffer(struct buffer *buffer)
{
	struct ring *ring = buffer->pool;

	assert(ring->buffers_held > 0);
	ring->buffers_held--;
	offer_buffer(ring, buffer);
}

void ring_publish_buffers(struct ring *ring)
{
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
	ring->buffer_memory = mmap(NULL, ring->buffer_memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->buffer_memory == MAP_FAILED) {
		ring->buffer_memory = NULL;
		return -ENOMEM;
	}
	ring->buffer_ring = io_uring_setup_buf_ring(&ring->uring, ring->buffer_count, BUFFER_GROUP, 0, &rc);
	if (!ring->buffer_ring)
		return rc;
	for (uint32_t i = 0; i < ring->buffer_count; i++) {
		ring->buffers[i] = (struct buffer){ .data = ring->buffer_memory + stride * i,
						    .capacity_bytes = ring->buffer_bytes,
						    .release = release_buffer,
						    .pool = ring,
						    .index = i };
		offer_buffer(ring, &ring->buffers[i]);
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
	buffer->references = 1;
	buffer->used_bytes = (uint32_t)size;
	ring->buffers_held++;
	return buffer;
}
