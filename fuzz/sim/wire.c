/* See wire.h. */
#include "fuzz/sim/wire.h"

#include <stdlib.h>

enum { HEAD_MAX = 65536, LINE_MAX_BYTES = 64 };

static enum wire_found bad(struct wire *wire, const char *problem)
{
	wire->problem = problem;
	return WIRE_BAD;
}

/* The line that begins at `at`, without its end; *next is behind that. NULL data: there is none. */
static struct slice line_at(struct slice head, size_t at, size_t *next)
{
	const char *end = at < head.size ? memmem(head.data + at, head.size - at, "\r\n", 2) : NULL;

	if (!end)
		return slice_of(NULL, 0);
	*next = (size_t)(end - head.data) + 2;
	return slice_of(head.data + at, (size_t)(end - head.data) - at);
}

static struct slice header_from(struct slice head, size_t *at, const char *name)
{
	size_t size = strlen(name);
	struct slice line;

	while ((line = line_at(head, *at, at)).size) {
		if (line.size <= size || line.data[size] != ':' || strncasecmp(line.data, name, size) != 0)
			continue;
		line = slice_after(line, size + 1);
		while (line.size && line.data[0] == ' ')
			line = slice_after(line, 1);
		return line;
	}
	return slice_of(NULL, 0);
}

struct slice wire_header(const struct wire *wire, const char *name)
{
	size_t at = 0;
	struct slice head = bytes_slice(&wire->head);

	if (!line_at(head, 0, &at).data)
		return slice_of(NULL, 0);
	return header_from(head, &at, name);
}

bool wire_begun(const struct wire *wire)
{
	return wire->state == WIRE_IN_HEAD ? wire->head.size > 0 : wire->state != WIRE_ENDED;
}

void wire_free(struct wire *wire)
{
	bytes_free(&wire->head);
	bytes_free(&wire->line);
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool lines_are_good(struct slice head, size_t at)
{
	struct slice line;

	while ((line = line_at(head, at, &at)).size) {
		size_t name = 0;

		while (name < line.size && is_token(line.data[name]))
			name++;
		if (name == 0 || name == line.size || line.data[name] != ':')
			return false;
		for (size_t i = name; i < line.size; i++)
			if ((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t')
				return false;
	}
	return true;
}

static bool first_line_is_good(struct wire *wire, struct slice line)
{
	if (wire->requests)
		return line.size > 13 && memcmp(line.data, "POST /", 6) == 0 &&
		       memcmp(line.data + line.size - 9, " HTTP/1.1", 9) == 0;
	if (line.size < 13 || memcmp(line.data, "HTTP/1.1 ", 9) != 0 || line.data[12] != ' ')
		return false;
	wire->status = 0;
	for (unsigned i = 9; i < 12; i++) {
		if (line.data[i] < '0' || line.data[i] > '9')
			return false;
		wire->status = wire->status * 10 + (unsigned)(line.data[i] - '0');
	}
	return wire->status >= 100 && wire->status < 600;
}

static bool read_length(struct wire *wire, struct slice value)
{
	wire->left = 0;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9' || i > 12)
			return false;
		wire->left = wire->left * 10 + (size_t)(value.data[i] - '0');
	}
	return value.size > 0;
}

static enum wire_found read_head(struct wire *wire)
{
	struct slice head = bytes_slice(&wire->head), line, value;
	size_t at = 0, second;

	line = line_at(head, 0, &at);
	if (!first_line_is_good(wire, line))
		return bad(wire, "the first line is malformed");
	if (!lines_are_good(head, at))
		return bad(wire, "a header line is malformed");
	second = at;
	value = header_from(head, &second, "content-length");
	wire->has_length = value.data;
	wire->left = 0;
	if (value.data && (!read_length(wire, value) || header_from(head, &second, "content-length").data))
		return bad(wire, "Content-Length is malformed, or there twice");
	value = wire_header(wire, "transfer-encoding");
	wire->chunked = value.data;
	if (value.data && (wire->has_length || !slice_equal(value, SLICE("chunked"))))
		return bad(wire, "Transfer-Encoding is not chunked, or has a length beside it");
	wire->close = slice_equal_nocase(wire_header(wire, "connection"), SLICE("close"));
	wire->no_body = wire->status / 100 == 1 || wire->status == 204;
	if (!wire->requests && !wire->no_body && !wire->has_length && !wire->chunked)
		return bad(wire, "the answer has no framing");
	wire->state = wire->chunked ? WIRE_IN_SIZE : WIRE_IN_LENGTH;
	return WIRE_HEAD;
}

/* Until the empty line is there. */
static enum wire_found take_head(struct wire *wire, struct slice *bytes)
{
	while (bytes->size) {
		size_t searched = wire->head.size > 3 ? wire->head.size - 3 : 0, old = wire->head.size, taken;
		const char *end;

		bytes_add(&wire->head, *bytes);
		end = memmem(wire->head.data + searched, wire->head.size - searched, "\r\n\r\n", 4);
		if (!end) {
			*bytes = slice_of(NULL, 0);
			return wire->head.size > HEAD_MAX ? bad(wire, "the head has no end") : WIRE_MORE;
		}
		taken = (size_t)(end - wire->head.data) + 4 - old;
		wire->head.size = old + taken;
		*bytes = slice_after(*bytes, taken);
		return read_head(wire);
	}
	return WIRE_MORE;
}

static enum wire_found take_piece(struct wire *wire, struct slice *bytes, struct slice *piece)
{
	size_t size = bytes->size < wire->left ? bytes->size : wire->left;

	*piece = slice_of(bytes->data, size);
	*bytes = slice_after(*bytes, size);
	wire->left -= size;
	return WIRE_BODY;
}

/* A line of the chunked framing into wire->line; false: more is to come. */
static bool take_line(struct wire *wire, struct slice *bytes)
{
	while (bytes->size && wire->line.size < LINE_MAX_BYTES) {
		bytes_add(&wire->line, slice_of(bytes->data, 1));
		*bytes = slice_after(*bytes, 1);
		if (wire->line.size >= 2 && memcmp(wire->line.data + wire->line.size - 2, "\r\n", 2) == 0)
			return true;
	}
	return wire->line.size >= LINE_MAX_BYTES;
}

static enum wire_found take_size(struct wire *wire)
{
	char *end;

	bytes_add(&wire->line, slice_of("", 1));
	wire->left = strtoul(wire->line.data, &end, 16);
	if (end == wire->line.data || memcmp(end, "\r\n", 2) != 0 || wire->line.data[0] == '-' ||
		wire->line.data[0] == '+' || wire->line.data[0] == ' ')
		return bad(wire, "a chunk's size is malformed");
	wire->state = wire->left ? WIRE_IN_CHUNK : WIRE_IN_TRAILER;
	return WIRE_MORE;
}

static enum wire_found take_chunked(struct wire *wire, struct slice *bytes, struct slice *piece)
{
	while (bytes->size) {
		if (wire->state == WIRE_IN_CHUNK) {
			take_piece(wire, bytes, piece);
			if (wire->left == 0)
				wire->state = WIRE_BEHIND_CHUNK;
			return WIRE_BODY;
		}
		if (!take_line(wire, bytes))
			return WIRE_MORE;
		if (wire->state == WIRE_IN_SIZE) {
			if (take_size(wire) == WIRE_BAD)
				return WIRE_BAD;
		} else if (wire->line.size != 2) {
			return bad(wire, "what follows a chunk is not an empty line");
		} else if (wire->state == WIRE_IN_TRAILER) {
			wire->line.size = 0;
			wire->state = WIRE_ENDED;
			return WIRE_END;
		} else {
			wire->state = WIRE_IN_SIZE;
		}
		wire->line.size = 0;
	}
	return WIRE_MORE;
}

enum wire_found wire_next(struct wire *wire, struct slice *bytes, struct slice *piece)
{
	if (wire->state == WIRE_ENDED) {
		wire->state = WIRE_IN_HEAD;
		wire->head.size = 0;
	}
	if (wire->state == WIRE_IN_HEAD)
		return take_head(wire, bytes);
	if (wire->state != WIRE_IN_LENGTH)
		return take_chunked(wire, bytes, piece);
	if (wire->no_body || wire->left == 0) {
		wire->state = WIRE_ENDED;
		return WIRE_END;
	}
	return bytes->size ? take_piece(wire, bytes, piece) : WIRE_MORE;
}
