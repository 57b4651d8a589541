/* See output.h. Two lists: a chunk that a send refers to is never written to again. */
#include "tls/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct tls_chunk {
	struct tls_chunk *next;
	size_t size;
	char bytes[TLS_CHUNK_BYTES];
};

enum { CHUNKS_KEPT = 64 }; /* 1 MB a shard */

static void give(struct tls_output_pool *pool, struct tls_chunk *chunks)
{
	while (chunks) {
		struct tls_chunk *next = chunks->next;

		if (pool->free_count < CHUNKS_KEPT) {
			chunks->next = pool->free;
			pool->free = chunks;
			pool->free_count++;
		} else {
			free(chunks);
		}
		chunks = next;
	}
}

static struct tls_chunk *take(struct tls_output_pool *pool)
{
	struct tls_chunk *chunk = pool->free;

	if (chunk) {
		pool->free = chunk->next;
		pool->free_count--;
	} else {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
	}
	chunk->next = NULL;
	chunk->size = 0;
	return chunk;
}

void tls_output_pool_fini(struct tls_output_pool *pool)
{
	for (struct tls_chunk *chunk = pool->free, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*pool = (struct tls_output_pool){0};
}

static int add_chunk(struct tls_output_pool *pool, struct tls_output *output)
{
	struct tls_chunk *chunk = take(pool);

	if (!chunk)
		return -ENOMEM;
	if (output->last)
		output->last->next = chunk;
	else
		output->first = chunk;
	output->last = chunk;
	return 0;
}

/* wolfSSL gives at most a record, so at most one chunk is added and a failure leaves nothing half done. */
int tls_output_add(struct tls_output_pool *pool, struct tls_output *output, struct slice bytes)
{
	while (bytes.size) {
		size_t room = output->last ? TLS_CHUNK_BYTES - output->last->size : 0;
		size_t fits = bytes.size < room ? bytes.size : room;
		bool whole = bytes.size <= TLS_CHUNK_BYTES && fits < bytes.size;

		if (!fits || whole) {
			if (add_chunk(pool, output) < 0)
				return -ENOMEM;
			continue;
		}
		memcpy(output->last->bytes + output->last->size, bytes.data, fits);
		output->last->size += fits;
		output->waiting_bytes += fits;
		bytes = slice_after(bytes, fits);
	}
	return 0;
}

unsigned tls_output_take(struct tls_output *output)
{
	unsigned count = 0;
	struct tls_chunk *last = NULL;

	assert(!output->flying);
	output->flying = output->first;
	while (output->first && count < TLS_FLIGHT_CHUNKS) {
		last = output->first;
		output->vectors[count++] = (struct iovec){last->bytes, last->size};
		output->flying_bytes += last->size;
		output->first = last->next;
	}
	if (last)
		last->next = NULL;
	if (!output->first)
		output->last = NULL;
	output->waiting_bytes -= output->flying_bytes;
	return count;
}

void tls_output_landed(struct tls_output_pool *pool, struct tls_output *output)
{
	give(pool, output->flying);
	output->flying = NULL;
	output->flying_bytes = 0;
}

void tls_output_drop(struct tls_output_pool *pool, struct tls_output *output)
{
	tls_output_landed(pool, output);
	give(pool, output->first);
	output->first = output->last = NULL;
	output->waiting_bytes = 0;
}
