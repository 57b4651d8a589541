/*
 * The queue of http_server_output.h. A piece is taken into a send whole, or, when the send would be too large, its
 * front is: then it stays first in the queue with its data moved on, and its memory outlives the send because pieces
 * leave in order.
 */
#include "proto/http/http_server_output.h"

#include <assert.h>
#include <stdlib.h>

enum kind { KIND_CHUNK, KIND_LARGE, KIND_REFERENCE };

struct output_piece {
	struct output_piece *next;
	enum kind kind;
	const char *data; /* not yet taken */
	size_t size;
	char *room, *end; /* where bytes may be appended; both NULL in a reference */
	char memory[];
};

enum { KEPT_MAX = 512 }; /* free pieces of each kind that stay: 2 MiB of chunks */

static void give_piece(struct output_pool *pool, struct output_piece *piece)
{
	if (piece->kind == KIND_CHUNK && pool->chunk_count < KEPT_MAX) {
		piece->next = pool->chunks;
		pool->chunks = piece;
		pool->chunk_count++;
	} else if (piece->kind == KIND_REFERENCE && pool->reference_count < KEPT_MAX) {
		piece->next = pool->references;
		pool->references = piece;
		pool->reference_count++;
	} else {
		free(piece);
	}
}

static void give_pieces(struct output_pool *pool, struct output_piece *piece)
{
	while (piece) {
		struct output_piece *next = piece->next;

		give_piece(pool, piece);
		piece = next;
	}
}

static void free_pieces(struct output_piece *piece)
{
	while (piece) {
		struct output_piece *next = piece->next;

		free(piece);
		piece = next;
	}
}

void output_pool_fini(struct output_pool *pool)
{
	free_pieces(pool->chunks);
	free_pieces(pool->references);
	*pool = (struct output_pool){0};
}

static struct output_piece *take_chunk(struct output_pool *pool, size_t size)
{
	size_t capacity = size > OUTPUT_CHUNK_BYTES ? size : OUTPUT_CHUNK_BYTES;
	struct output_piece *piece = size > OUTPUT_CHUNK_BYTES ? NULL : pool->chunks;

	if (piece) {
		pool->chunks = piece->next;
		pool->chunk_count--;
	} else {
		piece = malloc(sizeof(*piece) + capacity);
		if (!piece)
			return NULL;
		piece->kind = size > OUTPUT_CHUNK_BYTES ? KIND_LARGE : KIND_CHUNK;
	}
	piece->room = piece->memory;
	piece->end = piece->memory + capacity;
	piece->data = piece->memory;
	piece->size = 0;
	return piece;
}

static struct output_piece *take_reference(struct output_pool *pool)
{
	struct output_piece *piece = pool->references;

	if (piece) {
		pool->references = piece->next;
		pool->reference_count--;
		return piece;
	}
	piece = malloc(sizeof(*piece));
	if (piece)
		*piece = (struct output_piece){.kind = KIND_REFERENCE};
	return piece;
}

static void append(struct output *output, struct output_piece *piece)
{
	piece->next = NULL;
	if (output->last)
		output->last->next = piece;
	else
		output->first = piece;
	output->last = piece;
}

void output_init(struct output *output)
{
	memset(output, 0, offsetof(struct output, vectors));
}

void output_drop(struct output_pool *pool, struct output *output)
{
	give_pieces(pool, output->flying);
	give_pieces(pool, output->first);
	output_init(output);
}

char *output_reserve(struct output_pool *pool, struct output *output, size_t size)
{
	struct output_piece *piece = output->last;

	if (output->failed)
		return NULL;
	if (piece && (size_t)(piece->end - piece->room) >= size)
		return piece->room;
	piece = take_chunk(pool, size);
	if (!piece) {
		output->failed = true;
		return NULL;
	}
	append(output, piece);
	return piece->room;
}

void output_commit(struct output *output, size_t size)
{
	struct output_piece *piece = output->last;

	assert((size_t)(piece->end - piece->room) >= size);
	piece->room += size;
	piece->size += size;
	output->waiting_bytes += size;
}

void output_copy(struct output_pool *pool, struct output *output, struct slice bytes)
{
	struct output_piece *last = output->last;
	size_t room = last ? (size_t)(last->end - last->room) : 0;
	size_t fits = bytes.size < room ? bytes.size : room;
	char *to;

	if (output->failed)
		return;
	if (fits) {
		memcpy(last->room, bytes.data, fits);
		output_commit(output, fits);
	}
	bytes = slice_after(bytes, fits);
	if (!bytes.size)
		return;
	to = output_reserve(pool, output, bytes.size);
	if (!to)
		return;
	memcpy(to, bytes.data, bytes.size);
	output_commit(output, bytes.size);
}

void output_refer(struct output_pool *pool, struct output *output, struct slice bytes)
{
	struct output_piece *piece;

	if (output->failed || !bytes.size)
		return;
	piece = take_reference(pool);
	if (!piece) {
		output->failed = true;
		return;
	}
	piece->data = bytes.data;
	piece->size = bytes.size;
	append(output, piece);
	output->waiting_bytes += bytes.size;
}

unsigned output_take(struct output *output)
{
	unsigned count = 0;
	size_t left = OUTPUT_FLIGHT_BYTES;

	assert(!output->flying_bytes);
	while (output->first && count < OUTPUT_VECTORS && left) {
		struct output_piece *piece = output->first;
		size_t size = piece->size < left ? piece->size : left;

		if (size)
			output->vectors[count++] = (struct iovec){(void *)(uintptr_t)piece->data, size};
		left -= size;
		output->flying_bytes += size;
		piece->data += size;
		piece->size -= size;
		if (piece->size)
			break;
		output->first = piece->next;
		if (!output->first)
			output->last = NULL;
		piece->next = output->flying;
		output->flying = piece;
	}
	output->waiting_bytes -= output->flying_bytes;
	return count;
}

void output_landed(struct output_pool *pool, struct output *output)
{
	give_pieces(pool, output->flying);
	output->flying = NULL;
	output->flying_bytes = 0;
}
