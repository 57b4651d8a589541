/*
 * Fuzzes the decoder of chunked bodies. The bytes are decoded at once, byte by byte, in drawn pieces, and by a second
 * decoder that is written for being plain: it has all bytes and reads them as RFC 9112 section 7.1 writes the grammar
 * down. All agree on the body, the bytes that follow it, and the fault.
 *
 * An input: a byte of choices, a byte that seeds the pieces, then the bytes.
 */
#include "fuzz/input.h"
#include "proto/http/http_chunked.h"

enum { BYTES_MAX = 8192, EXTENSION_MAX = 256, SIZE_DIGITS_MAX = 16 };

struct bounds {
	uint64_t body_max;
	uint32_t trailers_max;
};

static struct bounds bounds_of(unsigned choices)
{
	return (struct bounds){choices & 1 ? 50 : BYTES_MAX, choices & 2 ? 30 : BYTES_MAX};
}

/*
 * The bytes behind the coding are `left`. After a fault they and the body do not matter; nor does it which of two
 * faults in one byte is told, that it is no text or one too many.
 */
static void note_result(struct text *record, enum http_chunked_result result, struct slice body, size_t left)
{
	bool good = result == HTTP_CHUNKED_END || result == HTTP_CHUNKED_MORE;

	if (result == HTTP_CHUNKED_TOO_LONG)
		result = HTTP_CHUNKED_BAD;
	note_number(record, result);
	note(record, good ? body : SLICE(""));
	note_number(record, good ? left : 0);
}

static void decode(const struct bounds *bounds, struct slice bytes, struct cuts cuts, struct text *record)
{
	char *memory = malloc(bytes.size);
	struct text body = text_over(memory, bytes.size);
	enum http_chunked_result result = HTTP_CHUNKED_MORE;
	struct http_chunked chunked;

	assert(memory);
	http_chunked_init(&chunked, bounds->body_max, bounds->trailers_max);
	while (bytes.size && (result == HTTP_CHUNKED_MORE || result == HTTP_CHUNKED_PIECE)) {
		size_t size = cuts_next(&cuts, bytes.size);
		char *copy = copy_of(slice_of(bytes.data, size));
		struct slice given = slice_of(copy, size), piece;

		while ((result = http_chunked_next(&chunked, &given, &piece)) == HTTP_CHUNKED_PIECE) {
			assert(piece.size > 0 && piece.data >= copy && piece.data + piece.size <= copy + size);
			text_add(&body, piece);
			assert(!body.full && body.size <= bounds->body_max);
		}
		assert(result != HTTP_CHUNKED_MORE || given.size == 0);
		bytes = slice_after(bytes, size - given.size);
		free(copy);
	}
	note_result(record, result, text_slice(&body), bytes.size);
	free(memory);
}

struct plain {
	struct slice left;
	struct text *body;
	struct bounds bounds;
	uint64_t extras;
};

static int hex_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static enum http_chunked_result plain_literal(struct plain *plain, char c)
{
	if (!plain->left.size)
		return HTTP_CHUNKED_MORE;
	if (plain->left.data[0] != c)
		return HTTP_CHUNKED_BAD;
	plain->left = slice_after(plain->left, 1);
	return HTTP_CHUNKED_END;
}

static enum http_chunked_result plain_line_end(struct plain *plain)
{
	enum http_chunked_result result = plain_literal(plain, '\r');

	return result == HTTP_CHUNKED_END ? plain_literal(plain, '\n') : result;
}

/* Text up to the CR; *colon tells whether there was one in it. */
static enum http_chunked_result plain_text(struct plain *plain, uint64_t most, bool *colon)
{
	for (; plain->left.size && plain->left.data[0] != '\r'; plain->left = slice_after(plain->left, 1)) {
		unsigned char c = (unsigned char)plain->left.data[0];

		if (++plain->extras > most)
			return HTTP_CHUNKED_TOO_LONG;
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return HTTP_CHUNKED_BAD;
		*colon |= c == ':';
	}
	return plain->left.size ? HTTP_CHUNKED_END : HTTP_CHUNKED_MORE;
}

static enum http_chunked_result plain_size(struct plain *plain, uint64_t *size)
{
	unsigned digits = 0;
	bool colon = false;

	*size = 0;
	for (; plain->left.size && hex_of(plain->left.data[0]) >= 0; plain->left = slice_after(plain->left, 1)) {
		if (++digits > SIZE_DIGITS_MAX)
			return HTTP_CHUNKED_BAD;
		*size = *size * 16 + (unsigned)hex_of(plain->left.data[0]);
	}
	if (!plain->left.size)
		return HTTP_CHUNKED_MORE;
	if (!digits || (plain->left.data[0] != '\r' && plain->left.data[0] != ';'))
		return HTTP_CHUNKED_BAD;
	if (*size > plain->bounds.body_max - plain->body->size)
		return HTTP_CHUNKED_TOO_LARGE;
	plain->extras = 0;
	if (plain->left.data[0] == ';') {
		enum http_chunked_result result;

		plain->left = slice_after(plain->left, 1);
		result = plain_text(plain, EXTENSION_MAX, &colon);
		if (result != HTTP_CHUNKED_END)
			return result;
	}
	return plain_line_end(plain);
}

static enum http_chunked_result plain_data(struct plain *plain, uint64_t size)
{
	size_t taken = size < plain->left.size ? (size_t)size : plain->left.size;

	text_add(plain->body, slice_of(plain->left.data, taken));
	plain->left = slice_after(plain->left, taken);
	return taken < size ? HTTP_CHUNKED_MORE : plain_line_end(plain);
}

static enum http_chunked_result plain_trailers(struct plain *plain)
{
	plain->extras = 0;
	while (plain->left.size && plain->left.data[0] != '\r') {
		enum http_chunked_result result;
		bool colon = false;

		if (strchr(" \t:", plain->left.data[0]) && plain->left.data[0])
			return HTTP_CHUNKED_BAD;
		result = plain_text(plain, plain->bounds.trailers_max, &colon);
		if (result != HTTP_CHUNKED_END)
			return result;
		if (++plain->extras > plain->bounds.trailers_max) /* its CR */
			return HTTP_CHUNKED_TOO_LONG;
		result = colon ? plain_line_end(plain) : HTTP_CHUNKED_BAD;
		if (result != HTTP_CHUNKED_END)
			return result;
	}
	return plain_line_end(plain);
}

static enum http_chunked_result plain_coding(struct plain *plain)
{
	enum http_chunked_result result;
	uint64_t size;

	do {
		result = plain_size(plain, &size);
		if (result == HTTP_CHUNKED_END && size)
			result = plain_data(plain, size);
	} while (result == HTTP_CHUNKED_END && size);
	return result == HTTP_CHUNKED_END ? plain_trailers(plain) : result;
}

static void decode_plainly(const struct bounds *bounds, struct slice bytes, struct text *record)
{
	char *memory = malloc(bytes.size);
	struct text body = text_over(memory, bytes.size);
	struct plain plain = {.left = bytes, .body = &body, .bounds = *bounds};
	enum http_chunked_result result;

	assert(memory);
	result = plain_coding(&plain);
	note_result(record, result, text_slice(&body), plain.left.size);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	struct bounds bounds = bounds_of(input_byte(&input));
	uint8_t seed = input_byte(&input);
	struct slice bytes = input_rest(&input);
	size_t room = bytes.size + 64;
	char *memory = malloc(2 * room);
	struct text whole = text_over(memory, room), other = text_over(memory + room, room);

	assert(memory);
	if (bytes.size && bytes.size <= BYTES_MAX) {
		decode_plainly(&bounds, bytes, &whole);
		decode(&bounds, bytes, cuts_none(), &other);
		expect_same(&whole, &other);
		other.size = 0;
		decode(&bounds, bytes, cuts_drawn(seed), &other);
		expect_same(&whole, &other);
		other.size = 0;
		decode(&bounds, bytes, cuts_bytes(), &other);
		expect_same(&whole, &other);
	}
	free(memory);
	return 0;
}
