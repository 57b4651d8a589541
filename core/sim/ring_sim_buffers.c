/*
 * The simulated ring's receive buffers. One that has gone home is poisoned: under AddressSanitizer any touch is an
 * error, otherwise what it held is overwritten, so that use after giving shows.
 */
#include "core/sim/ring_sim.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { POISON = 0xdb, STRIDE_ALIGN = 64 };

static void put_free(struct ring *ring, struct buffer *buffer)
{
	ring->free_indexes[(ring->free_first + ring->free_count++) & (ring->buffer_count - 1)] = buffer->index;
}

static void release_buffer(struct buffer *buffer)
{
	struct ring *ring = buffer->pool;

	assert(ring->buffers_held > 0);
	ring->buffers_held--;
	memset(buffer->data, POISON, buffer->used_bytes);
	ASAN_POISON_MEMORY_REGION(buffer->data, ring->buffer_stride);
	buffer->next = ring->returned;
	ring->returned = buffer;
}

void ring_sim_publish_buffers(struct ring *ring)
{
	for (struct buffer *buffer; (buffer = ring->returned);) {
		ring->returned = buffer->next;
		put_free(ring, buffer);
	}
}

int ring_sim_make_buffers(struct ring *ring)
{
	ring->buffer_stride =
		((size_t)ring->buffer_bytes + BUFFER_PADDING_BYTES + STRIDE_ALIGN - 1) & ~(size_t)(STRIDE_ALIGN - 1);
	ring->buffers = calloc(ring->buffer_count, sizeof(*ring->buffers));
	ring->free_indexes = calloc(ring->buffer_count, sizeof(*ring->free_indexes));
	ring->buffer_memory = malloc(ring->buffer_stride * ring->buffer_count);
	if (!ring->buffers || !ring->free_indexes || !ring->buffer_memory)
		return -ENOMEM;
	for (uint32_t i = 0; i < ring->buffer_count; i++) {
		ring->buffers[i] = (struct buffer){.data = ring->buffer_memory + ring->buffer_stride * i,
			.capacity_bytes = ring->buffer_bytes,
			.release = release_buffer,
			.pool = ring,
			.index = i};
		put_free(ring, &ring->buffers[i]);
	}
	ASAN_POISON_MEMORY_REGION(ring->buffer_memory, ring->buffer_stride * ring->buffer_count);
	return 0;
}

void ring_sim_free_buffers(struct ring *ring)
{
	if (ring->buffer_memory)
		ASAN_UNPOISON_MEMORY_REGION(ring->buffer_memory, ring->buffer_stride * ring->buffer_count);
	free(ring->buffer_memory);
	free(ring->free_indexes);
	free(ring->buffers);
}

struct buffer *ring_sim_take_buffer(struct ring *ring)
{
	struct buffer *buffer;

	if (ring->free_count == 0)
		return NULL;
	buffer = &ring->buffers[ring->free_indexes[ring->free_first]];
	ring->free_first = (ring->free_first + 1) & (ring->buffer_count - 1);
	ring->free_count--;
	assert(buffer->references == 0);
	ASAN_UNPOISON_MEMORY_REGION(buffer->data, ring->buffer_stride);
	return buffer;
}

void ring_sim_fill_buffer(struct buffer *buffer, uint32_t size)
{
	static const char garbage[] =
		"\"}]}\r\n\r\n0\r\n\r\ndata: {\"id\":\"\\u00ff\xff\xfe{[\"}\n\nHTTP/1.1 500 \r\n\r\n\"}]";

	buffer->references = 1;
	buffer->used_bytes = size;
	memcpy(buffer->data + size, garbage,
		sizeof(garbage) < BUFFER_PADDING_BYTES ? sizeof(garbage) : BUFFER_PADDING_BYTES);
}
