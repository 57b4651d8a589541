/*
 * Fuzzes the parser of AWS event streams: a stream read at once, byte by byte and in drawn pieces yields the same
 * messages and ends the same way. So that checksums do not keep everything out, the stream may be framed here: the
 * input is then cut into headers and payloads at its newlines.
 *
 * An input: a byte of choices (1: small messages alone, 2: frame), a byte that seeds the pieces, then the stream.
 */
#include "fuzz/input.h"
#include "proto/bedrock/event_stream.h"

enum { STREAM_MAX_BYTES = 4096, MESSAGE_MAX = 65536, SMALL_MESSAGE_MAX = 48 };

static void note_message(struct text *record, const struct event_stream_message *message)
{
	char memory[16 * STREAM_MAX_BYTES];
	struct text json = text_over(memory, sizeof(memory));

	note(record, message->type);
	note(record, message->name);
	note(record, message->error_message);
	note(record, message->payload);
	event_stream_print(message, &json);
	assert(!json.full);
}

/* Each piece lies in memory of its own that is gone before the next. */
static void read_stream(struct slice bytes, struct cuts cuts, size_t message_max, struct text *record)
{
	enum event_stream_result result = EVENT_STREAM_MORE;
	struct event_stream stream;
	struct arena_pool pool;
	struct arena arena;

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool, SIZE_MAX);
	event_stream_init(&stream, &arena, message_max);
	while (bytes.size && result == EVENT_STREAM_MORE) {
		struct slice piece = slice_of(bytes.data, cuts_next(&cuts, bytes.size)), given;
		char *copy = copy_of(piece);
		struct event_stream_message message;

		given = slice_of(copy, piece.size);
		while ((result = event_stream_next(&stream, &given, &message)) == EVENT_STREAM_MESSAGE)
			note_message(record, &message);
		assert(result != EVENT_STREAM_MORE || given.size == 0);
		assert(result != EVENT_STREAM_NO_MEMORY);
		free(copy);
		bytes = slice_after(bytes, piece.size);
	}
	note_number(record, result);
	arena_fini(&arena);
}

static struct slice line_of(struct slice *bytes)
{
	const char *end = bytes->size ? memchr(bytes->data, '\n', bytes->size) : NULL;
	struct slice line = slice_of(bytes->data, end ? (size_t)(end - bytes->data) : bytes->size);

	*bytes = slice_after(*bytes, line.size + (end != NULL));
	return line;
}

static struct slice framed(struct slice bytes, struct text *out)
{
	while (bytes.size) {
		struct slice headers = line_of(&bytes);

		event_stream_frame(headers, line_of(&bytes), out);
	}
	assert(!out->full);
	return text_slice(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { ROOM = 64 * STREAM_MAX_BYTES };
	struct input input = {data, data + size};
	uint8_t choices = input_byte(&input), seed = input_byte(&input);
	size_t message_max = choices & 1 ? SMALL_MESSAGE_MAX : MESSAGE_MAX;
	struct slice stream = input_take(&input, STREAM_MAX_BYTES);
	char *memory = malloc(3 * ROOM);
	struct text whole = text_over(memory, ROOM), pieces = text_over(memory + ROOM, ROOM);
	struct text frames = text_over(memory + 2 * (size_t)ROOM, ROOM);

	assert(memory);
	if (choices & 2)
		stream = framed(stream, &frames);
	read_stream(stream, cuts_none(), message_max, &whole);
	read_stream(stream, cuts_drawn(seed), message_max, &pieces);
	expect_same(&whole, &pieces);
	pieces.size = 0;
	read_stream(stream, cuts_bytes(), message_max, &pieces);
	expect_same(&whole, &pieces);
	free(memory);
	return 0;
}
