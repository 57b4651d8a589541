/* HTTP/1.1 response framing (RFC 9112 section 6). */
#include "bench/loadgen/response.h"

void response_init(struct response *response)
{
	response->stage = RESPONSE_HEAD;
	response->status = 0;
	response->close = false;
	response->left = 0;
	response->line_bytes = response->head_bytes = 0;
}

/* The value of a header, or a slice with NULL data. */
static struct slice header(struct slice head, struct slice name)
{
	const char *line = memchr(head.data, '\n', head.size);

	while (line) {
		struct slice rest = slice_after(head, (size_t)(line + 1 - head.data));
		const char *end = memchr(rest.data, '\n', rest.size);

		if (end && rest.size > name.size && rest.data[name.size] == ':' &&
			slice_equal_nocase(slice_of(rest.data, name.size), name)) {
			const char *value = rest.data + name.size + 1;

			while (*value == ' ')
				value++;
			while (end > value && (end[-1] == '\r' || end[-1] == ' '))
				end--;
			return slice_of(value, (size_t)(end - value));
		}
		line = end;
	}
	return slice_of(NULL, 0);
}

static bool read_decimal(struct slice s, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9' || *value > UINT64_MAX / 100)
			return false;
		*value = *value * 10 + (uint64_t)(s.data[i] - '0');
	}
	return s.size > 0;
}

static enum response_step begin_body(struct response *response)
{
	struct slice head = slice_of(response->head, response->head_bytes), length;
	uint64_t status;

	if (!slice_starts_with(head, SLICE("HTTP/1.1 ")) || !read_decimal(slice_of(head.data + 9, 3), &status))
		return RESPONSE_BAD;
	response->status = (unsigned)status;
	response->head_bytes = 0;
	if (status < 200)
		return RESPONSE_MORE;
	response->close = slice_equal_nocase(header(head, SLICE("connection")), SLICE("close"));
	if (slice_equal_nocase(header(head, SLICE("transfer-encoding")), SLICE("chunked"))) {
		response->stage = RESPONSE_CHUNK_SIZE;
		return RESPONSE_MORE;
	}
	length = header(head, SLICE("content-length"));
	if (length.data) {
		response->stage = RESPONSE_LENGTH;
		if (!read_decimal(length, &response->left))
			return RESPONSE_BAD;
		return response->left == 0 ? RESPONSE_DONE : RESPONSE_MORE;
	}
	if (status == 204 || status == 304)
		return RESPONSE_DONE;
	response->close = true;
	response->stage = RESPONSE_UNTIL_END;
	return RESPONSE_MORE;
}

static enum response_step read_head(struct response *response, struct slice *bytes)
{
	size_t before = response->head_bytes, room = RESPONSE_HEAD_MAX - before;
	size_t taken = bytes->size < room ? bytes->size : room;
	size_t from = before > 3 ? before - 3 : 0;
	const char *end;

	memcpy(response->head + before, bytes->data, taken);
	end = memmem(response->head + from, before + taken - from, "\r\n\r\n", 4);
	if (!end) {
		response->head_bytes += taken;
		*bytes = slice_after(*bytes, taken);
		return response->head_bytes == RESPONSE_HEAD_MAX ? RESPONSE_BAD : RESPONSE_MORE;
	}
	response->head_bytes = (size_t)(end + 4 - response->head);
	*bytes = slice_after(*bytes, response->head_bytes - before);
	return begin_body(response);
}

static enum response_step take_body(struct response *response, struct slice *bytes, struct slice *body)
{
	size_t taken = bytes->size < response->left ? bytes->size : (size_t)response->left;

	*body = slice_of(bytes->data, taken);
	*bytes = slice_after(*bytes, taken);
	response->left -= taken;
	if (response->left == 0 && response->stage == RESPONSE_CHUNK)
		response->stage = RESPONSE_CHUNK_END;
	return RESPONSE_BODY;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a chunk's size line; what follows the digits up to the LF is let pass. */
static enum response_step read_size(struct response *response, char c)
{
	int digit = hex_value(c);

	if (c == '\n') {
		if (response->line_bytes == 0)
			return RESPONSE_BAD;
		response->line_bytes = 0;
		response->stage = response->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
	} else if (digit < 0) {
		return c == '\r' && response->line_bytes > 0 ? RESPONSE_MORE : RESPONSE_BAD;
	} else {
		if (++response->line_bytes > 15)
			return RESPONSE_BAD;
		response->left = response->left * 16 + (uint64_t)digit;
	}
	return RESPONSE_MORE;
}

static enum response_step read_framing(struct response *response, char c)
{
	if (response->stage == RESPONSE_CHUNK_SIZE)
		return read_size(response, c);
	if (response->stage == RESPONSE_CHUNK_END) {
		if (c == '\n')
			response->stage = RESPONSE_CHUNK_SIZE;
		return c == '\r' || c == '\n' ? RESPONSE_MORE : RESPONSE_BAD;
	}
	if (c != '\n') {
		response->line_bytes += c != '\r';
		return RESPONSE_MORE;
	}
	if (response->line_bytes == 0)
		return RESPONSE_DONE;
	response->line_bytes = 0;
	return RESPONSE_MORE;
}

enum response_step response_next(struct response *response, struct slice *bytes, struct slice *body)
{
	enum response_step step = RESPONSE_MORE;

	if (response->stage == RESPONSE_LENGTH && response->left == 0)
		return RESPONSE_DONE;
	while (bytes->size > 0 && step == RESPONSE_MORE) {
		switch (response->stage) {
		case RESPONSE_HEAD:
			step = read_head(response, bytes);
			break;
		case RESPONSE_LENGTH:
		case RESPONSE_CHUNK:
			return take_body(response, bytes, body);
		case RESPONSE_UNTIL_END:
			*body = *bytes;
			*bytes = slice_after(*bytes, bytes->size);
			return RESPONSE_BODY;
		case RESPONSE_CHUNK_SIZE:
		case RESPONSE_CHUNK_END:
		case RESPONSE_TRAILER:
			step = read_framing(response, *bytes->data);
			*bytes = slice_after(*bytes, 1);
			break;
		}
	}
	return step;
}
