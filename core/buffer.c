/* Copies of receive buffers, for whoever keeps one while others wait for it. */
#include "core/buffer.h"

#include <stdlib.h>
#include <string.h>

struct copy {
	struct buffer buffer;
	char data[];
};

static void release_copy(struct buffer *buffer)
{
	free((struct copy *)buffer->pool);
}

struct buffer *buffer_keep(struct buffer *buffer, struct slice *bytes)
{
	struct copy *copy;

	if (buffer->release == release_copy)
		return buffer_borrow(buffer);
	copy = malloc(sizeof(*copy) + bytes->size + BUFFER_PADDING_BYTES);
	if (!copy)
		return buffer_borrow(buffer);
	copy->buffer = (struct buffer){.data = copy->data,
		.capacity_bytes = (uint32_t)bytes->size,
		.references = 1,
		.release = release_copy,
		.pool = copy,
		.used_bytes = (uint32_t)bytes->size};
	memcpy(copy->data, bytes->data, bytes->size);
	memset(copy->data + bytes->size, 0, BUFFER_PADDING_BYTES);
	bytes->data = copy->data;
	return &copy->buffer;
}
