/*
 * Fuzzes the parser of server-sent events: a stream read at once, byte by byte and in drawn pieces yields the same
 * events, each with the same fields, whether its memory is there or grows. The capacity is ample, so that no event is
 * too large in one way alone; with a small one, as a choice, nothing is compared and only memory is watched.
 *
 * An input: a byte of choices, a byte that seeds the pieces, then the stream.
 */
#include "fuzz/input.h"
#include "proto/http/sse.h"

enum { STREAM_MAX_BYTES = 4096, SMALL_CAPACITY = 24 };

static void note_event(struct text *record, const struct sse_event *event)
{
	note(record, event->comment ? SLICE("#") : SLICE("e"));
	note(record, event->name);
	note(record, event->data.data ? SLICE("d") : SLICE("-"));
	note(record, event->data);
}

/* Each piece lies in memory of its own that is gone before the next. */
static void read_stream(struct slice stream, struct cuts cuts, size_t capacity, bool growing, struct text *record)
{
	char *memory = malloc(2 * capacity);
	enum sse_result result = SSE_MORE;
	struct sse_parser parser;
	struct arena_pool pool;
	struct arena arena;

	assert(memory);
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool, SIZE_MAX);
	if (growing)
		sse_init_growing(&parser, &arena, memory, capacity);
	else
		sse_init(&parser, memory, capacity);
	while (stream.size && result == SSE_MORE) {
		struct slice piece = slice_of(stream.data, cuts_next(&cuts, stream.size)), bytes;
		char *copy = copy_of(piece);
		struct sse_event event;

		bytes = slice_of(copy, piece.size);
		while ((result = sse_next(&parser, &bytes, &event)) == SSE_EVENT)
			note_event(record, &event);
		assert(result == SSE_TOO_LARGE || bytes.size == 0);
		free(copy);
		stream = slice_after(stream, piece.size);
	}
	assert(result == SSE_MORE || capacity == SMALL_CAPACITY);
	note(record, sse_at_boundary(&parser) ? SLICE("end") : SLICE("cut"));
	arena_fini(&arena);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	bool small = input_byte(&input) & 1;
	uint8_t seed = input_byte(&input);
	struct slice stream = input_rest(&input);
	size_t capacity = small ? SMALL_CAPACITY : 2 * stream.size + 1;
	size_t room = 16 * stream.size + 64;
	char *memory = malloc(2 * room);
	struct text whole = text_over(memory, room), pieces = text_over(memory + room, room);

	assert(memory);
	if (stream.size && stream.size <= STREAM_MAX_BYTES) {
		read_stream(stream, cuts_none(), capacity, false, &whole);
		read_stream(stream, cuts_drawn(seed), capacity, true, &pieces);
		if (!small)
			expect_same(&whole, &pieces);
		pieces.size = 0;
		read_stream(stream, cuts_bytes(), capacity, true, &pieces);
		if (!small)
			expect_same(&whole, &pieces);
	}
	free(memory);
	return 0;
}
