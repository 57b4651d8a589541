/*
 * Reference-counted receive buffer. A shard's buffers never leave their shard, so the count is not atomic. Whoever
 * keeps a slice into a buffer beyond the callback that delivered it borrows the buffer, and gives it back when done;
 * the last one to give returns it to where it came from (the ring's pool, or a TLS stream's own).
 */
#ifndef CORE_BUFFER_H
#define CORE_BUFFER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/slice.h"

enum {
	BUFFER_PADDING_BYTES = 64, /* readable behind capacity: simdjson reads past a document's end */
	/*
	 * How many of a shard's buffers one part of it may keep beyond the callbacks that delivered them; what it needs
	 * of more it copies. A part without a bound would in the end keep all, and nobody would receive until a call
	 * ends.
	 */
	BUFFERS_KEPT_MAX = CONFIG_RECEIVE_BUFFERS / 8,
};

struct buffer {
	char *data; /* capacity_bytes, then BUFFER_PADDING_BYTES that may be read but mean nothing */
	uint32_t capacity_bytes;
	uint32_t references;
	void (*release)(struct buffer *buffer); /* called when the last reference is given */
	void *pool;                             /* the releaser's own */
	uint32_t index;                         /* the releaser's own */
	uint32_t used_bytes;                    /* received into it */
	struct buffer *next;                    /* for whoever queues it; one queue at a time */
};

static inline struct buffer *buffer_borrow(struct buffer *buffer)
{
	assert(buffer->references > 0);
	buffer->references++;
	return buffer;
}

/*
 * Like buffer_borrow(), for who may keep it long: what the ring received into is copied, so that the ring has its
 * buffer back, and `bytes`, a slice into it, then lies in the copy. Without memory for one it is borrowed all the same.
 */
struct buffer *buffer_keep(struct buffer *buffer, struct slice *bytes);

/* Gives a reference back and clears the caller's pointer; NULL is let pass. */
static inline void buffer_give(struct buffer **buffer)
{
	struct buffer *b = *buffer;

	*buffer = NULL;
	if (!b)
		return;
	assert(b->references > 0);
	if (--b->references == 0)
		b->release(b);
}

#endif
