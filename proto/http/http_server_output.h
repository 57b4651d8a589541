/*
 * What a request has still to send: a queue of pieces, copied into chunks or referring to the caller's memory, and the
 * part of it that a send has in flight. Chunks come from the shard's free list and go back when the send has ended.
 */
#ifndef PROTO_HTTP_SERVER_OUTPUT_H
#define PROTO_HTTP_SERVER_OUTPUT_H

#include "core/slice.h"

#include <sys/uio.h>

struct output_piece;

struct output_pool {
	struct output_piece *chunks, *references; /* free */
	unsigned chunk_count, reference_count;
};

enum {
	OUTPUT_CHUNK_BYTES = 4096 - 48, /* with its header below a page: a head and the usual answer fit */
	OUTPUT_VECTORS = 32,
	OUTPUT_FLIGHT_BYTES = 256 * 1024, /* of one send: a slow reader shows progress by ends of sends */
};

struct output {
	struct output_piece *first, *last; /* waiting */
	struct output_piece *flying;       /* given back when the send ends */
	size_t waiting_bytes, flying_bytes;
	bool failed; /* memory was out: what is queued has a gap and must not be sent */
	struct iovec vectors[OUTPUT_VECTORS];
};

void output_pool_fini(struct output_pool *pool);

void output_init(struct output *output);
void output_drop(struct output_pool *pool, struct output *output); /* no send is in flight */

/* Contiguous room for `size` bytes, or NULL (and `failed`); then commit how many of them were written. */
char *output_reserve(struct output_pool *pool, struct output *output, size_t size);
void output_commit(struct output *output, size_t size);

void output_copy(struct output_pool *pool, struct output *output, struct slice bytes);
void output_refer(struct output_pool *pool, struct output *output, struct slice bytes);

/* Puts what waits into `vectors` for one send; how many. The send's end is told by output_landed(). */
unsigned output_take(struct output *output);
void output_landed(struct output_pool *pool, struct output *output);

#endif
