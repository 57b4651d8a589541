/* The decoder of http_chunked.h: a state machine over single bytes for the framing, whole runs for the data. */
#include "proto/http/http_chunked.h"

enum {
	EXTENSION_MAX_BYTES = 256, /* of one chunk; nobody sends any,
			and unbounded ones are an attack (CVE-2023-39326) */
	SIZE_DIGITS_MAX = 16,      /* 64 bits; leading zeros count */
};

void http_chunked_init(struct http_chunked *chunked, uint64_t body_max_bytes, uint32_t trailers_max_bytes)
{
	*chunked = (struct http_chunked){
		.state = HTTP_CHUNK_SIZE,
		.extras_max = trailers_max_bytes,
		.body_left = body_max_bytes,
	};
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum http_chunked_result size_byte(struct http_chunked *d, char c)
{
	int value = hex_value(c);

	if (value >= 0) {
		if (++d->digits > SIZE_DIGITS_MAX)
			return HTTP_CHUNKED_BAD;
		d->chunk_left = d->chunk_left << 4 | (unsigned)value;
		return HTTP_CHUNKED_MORE;
	}
	if (!d->digits)
		return HTTP_CHUNKED_BAD;
	/* White space in front of the line's end is refused as well: no sender needs it, and parsers differ over it. */
	if (c != '\r' && c != ';')
		return HTTP_CHUNKED_BAD;
	d->state = c == '\r' ? HTTP_CHUNK_SIZE_LF : HTTP_CHUNK_EXTENSION;
	d->extras = 0;
	return d->chunk_left > d->body_left ? HTTP_CHUNKED_TOO_LARGE : HTTP_CHUNKED_MORE;
}

static bool text_byte(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static enum http_chunked_result extension_byte(struct http_chunked *d, char c)
{
	if (c == '\r')
		d->state = HTTP_CHUNK_SIZE_LF;
	else if (!text_byte(c))
		return HTTP_CHUNKED_BAD;
	else if (++d->extras > EXTENSION_MAX_BYTES)
		return HTTP_CHUNKED_TOO_LONG;
	return HTTP_CHUNKED_MORE;
}

static enum http_chunked_result size_end(struct http_chunked *d, char c)
{
	if (c != '\n')
		return HTTP_CHUNKED_BAD;
	d->digits = 0;
	d->extras = 0;
	d->state = d->chunk_left ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER_START;
	return HTTP_CHUNKED_MORE;
}

/* Trailers are dropped, but must look like fields: a line without a name is somebody's smuggled bytes. */
static enum http_chunked_result trailer_byte(struct http_chunked *d, char c)
{
	if (d->state == HTTP_CHUNK_TRAILER_START) {
		if (c == '\r') {
			d->state = HTTP_CHUNK_LAST_LF;
			return HTTP_CHUNKED_MORE;
		}
		if (c == ' ' || c == '\t' || c == ':')
			return HTTP_CHUNKED_BAD;
		d->state = HTTP_CHUNK_TRAILER;
		d->named = false;
	}
	if (++d->extras > d->extras_max)
		return HTTP_CHUNKED_TOO_LONG;
	if (c == '\r') {
		d->state = HTTP_CHUNK_TRAILER_LF;
		return d->named ? HTTP_CHUNKED_MORE : HTTP_CHUNKED_BAD;
	}
	if (c == ':')
		d->named = true;
	return text_byte(c) ? HTTP_CHUNKED_MORE : HTTP_CHUNKED_BAD;
}

static enum http_chunked_result expect_byte(struct http_chunked *d, char c, char expected, enum http_chunked_state next)
{
	if (c != expected)
		return HTTP_CHUNKED_BAD;
	d->state = next;
	return next == HTTP_CHUNK_DONE ? HTTP_CHUNKED_END : HTTP_CHUNKED_MORE;
}

static enum http_chunked_result framing_byte(struct http_chunked *d, char c)
{
	switch (d->state) {
	case HTTP_CHUNK_SIZE:
		return size_byte(d, c);
	case HTTP_CHUNK_EXTENSION:
		return extension_byte(d, c);
	case HTTP_CHUNK_SIZE_LF:
		return size_end(d, c);
	case HTTP_CHUNK_DATA_CR:
		return expect_byte(d, c, '\r', HTTP_CHUNK_DATA_LF);
	case HTTP_CHUNK_DATA_LF:
		return expect_byte(d, c, '\n', HTTP_CHUNK_SIZE);
	case HTTP_CHUNK_TRAILER_START:
	case HTTP_CHUNK_TRAILER:
		return trailer_byte(d, c);
	case HTTP_CHUNK_TRAILER_LF:
		return expect_byte(d, c, '\n', HTTP_CHUNK_TRAILER_START);
	case HTTP_CHUNK_LAST_LF:
		return expect_byte(d, c, '\n', HTTP_CHUNK_DONE);
	case HTTP_CHUNK_DATA:
	case HTTP_CHUNK_DONE:
		break;
	}
	return HTTP_CHUNKED_BAD;
}

static void take_data(struct http_chunked *d, struct slice *bytes, struct slice *piece)
{
	size_t size = d->chunk_left < bytes->size ? (size_t)d->chunk_left : bytes->size;

	*piece = slice_of(bytes->data, size);
	*bytes = slice_after(*bytes, size);
	d->chunk_left -= size;
	d->body_left -= size;
	if (!d->chunk_left)
		d->state = HTTP_CHUNK_DATA_CR;
}

enum http_chunked_result http_chunked_next(struct http_chunked *d, struct slice *bytes, struct slice *piece)
{
	while (bytes->size) {
		enum http_chunked_result result;

		if (d->state == HTTP_CHUNK_DATA) {
			take_data(d, bytes, piece);
			return HTTP_CHUNKED_PIECE;
		}
		result = framing_byte(d, bytes->data[0]);
		*bytes = slice_after(*bytes, 1);
		if (result != HTTP_CHUNKED_MORE)
			return result;
	}
	return HTTP_CHUNKED_MORE;
}
