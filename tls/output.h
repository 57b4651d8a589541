/*
 * Records on their way to the socket: sealed bytes in chunks that a shard's connections share. A connection holds
 * chunks only while something of its is unsent.
 */
#ifndef TLS_OUTPUT_H
#define TLS_OUTPUT_H

#include "core/slice.h"

#include <sys/uio.h>

struct tls_chunk;

struct tls_output_pool {
	struct tls_chunk *free;
	unsigned free_count;
};

enum {
	TLS_CHUNK_BYTES = 16384 + 512, /* one full record with its head, type, tag, and room for a small one */
	TLS_FLIGHT_CHUNKS = 4, /* of one send: 64 KB amortise its completion; the reader's progress still shows */
};

struct tls_output {
	struct tls_chunk *first, *last; /* waiting */
	struct tls_chunk *flying;       /* given to a send */
	size_t waiting_bytes, flying_bytes;
	struct iovec vectors[TLS_FLIGHT_CHUNKS];
};

void tls_output_pool_fini(struct tls_output_pool *pool);

/* Copies behind what waits; -ENOMEM, and nothing was added. */
int tls_output_add(struct tls_output_pool *pool, struct tls_output *output, struct slice bytes);

/* Puts what waits, as far as it fits, into `vectors` for one send; how many. Its end is told by tls_output_landed(). */
unsigned tls_output_take(struct tls_output *output);
void tls_output_landed(struct tls_output_pool *pool, struct tls_output *output);
void tls_output_drop(struct tls_output_pool *pool, struct tls_output *output); /* no send is in flight */

#endif
