/*
 * Fuzzes the parser of server-sent events (libFuzzer's entry point): a stream read whole, and read in pieces of a size that the
 * first byte chooses, yields the same events. The capacity is ample, so that no event is too large in one way alone.
 */
#include "proto/sse.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX_BYTES = 4096, CAPACITY = 2 * STREAM_MAX_BYTES, RECORD_BYTES = 16 * STREAM_MAX_BYTES };

static void put(struct text *record, struct slice s)
{
	uint32_t size = (uint32_t)s.size;

	text_add(record, slice_of(&size, sizeof(size)));
	text_add(record, s);
}

/* Reads the stream in pieces, each in memory of its own that is gone before the next. */
static void read_stream(const uint8_t *data, size_t size, size_t piece, struct text *record)
{
	char *memory = malloc(2 * CAPACITY);
	struct sse_parser parser;

	assert(memory);
	sse_init(&parser, memory, CAPACITY);
	for (size_t at = 0; at < size; at += piece) {
		size_t taken = size - at < piece ? size - at : piece;
		char *copy = malloc(taken);
		struct slice bytes;
		struct sse_event event;
		enum sse_result result;

		assert(copy);
		memcpy(copy, data + at, taken);
		bytes = slice_of(copy, taken);
		while ((result = sse_next(&parser, &bytes, &event)) == SSE_EVENT) {
			put(record, event.comment ? SLICE("#") : SLICE("e"));
			put(record, event.name);
			put(record, event.data.data ? SLICE("d") : SLICE("-"));
			put(record, event.data);
		}
		assert(result == SSE_MORE && bytes.size == 0);
		free(copy);
	}
	put(record, sse_at_boundary(&parser) ? SLICE("end") : SLICE("cut"));
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *memory = malloc(2 * RECORD_BYTES);
	struct text whole = text_over(memory, RECORD_BYTES), pieces = text_over(memory + RECORD_BYTES, RECORD_BYTES);

	assert(memory);
	if (size > 1 && size <= STREAM_MAX_BYTES) {
		read_stream(data + 1, size - 1, size - 1, &whole);
		read_stream(data + 1, size - 1, 1 + data[0] % 16u, &pieces);
		assert(whole.size == pieces.size && memcmp(whole.data, pieces.data, whole.size) == 0);
	}
	free(memory);
	return 0;
}
