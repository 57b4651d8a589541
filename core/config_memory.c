/* Memory of one configuration: a chain of pieces, wiped and freed together. */
#include "core/config_memory.h"

#include <assert.h>
#include <stdlib.h>

struct config_piece {
	struct config_piece *next;
	size_t size; /* of what follows */
};

static_assert(sizeof(struct config_piece) % 16 == 0, "what follows a piece's head is aligned to 16");

void config_memory_init(struct config_memory *memory, size_t max_bytes)
{
	*memory = (struct config_memory){.max_bytes = max_bytes};
}

void config_memory_fini(struct config_memory *memory)
{
	struct config_piece *piece = memory->pieces;

	while (piece) {
		struct config_piece *next = piece->next;

		explicit_bzero(piece + 1, piece->size);
		free(piece);
		piece = next;
	}
	*memory = (struct config_memory){0};
}

void *config_alloc(struct config_memory *memory, size_t count, size_t size)
{
	struct config_piece *piece;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > memory->max_bytes - memory->used_bytes) {
		memory->failed = true;
		return NULL;
	}
	piece = calloc(1, sizeof(*piece) + bytes);
	if (!piece) {
		memory->failed = true;
		return NULL;
	}
	piece->size = bytes;
	piece->next = memory->pieces;
	memory->pieces = piece;
	memory->used_bytes += bytes;
	return piece + 1;
}

char *config_copy(struct config_memory *memory, struct slice text)
{
	char *copy = config_alloc(memory, text.size + 1, 1);

	if (copy && text.size)
		memcpy(copy, text.data, text.size);
	return copy;
}
