/*
 * A whole HTTP/1.1 response (RFC 9112) in memory: status, framing, body. Strict: what is not framed exactly is refused.
 */
#include "tools/http_get.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct framing {
	bool chunked, has_length;
	size_t length;
};

/* Digits of `base` up to `end`; SIZE_MAX when there are none, others, or too many. */
static size_t number(const char *text, const char *end, int base)
{
	char copy[24], *stop;
	size_t size = (size_t)(end - text);
	unsigned long long value;

	if (size == 0 || size >= sizeof(copy) || strspn(text, "0123456789abcdefABCDEF") < size)
		return SIZE_MAX;
	memcpy(copy, text, size);
	copy[size] = '\0';
	errno = 0;
	value = strtoull(copy, &stop, base);
	return errno || *stop || value > HTTP_GET_BYTES_MAX ? SIZE_MAX : (size_t)value;
}

/* One header line, [line, end). False when its value makes no sense. */
static bool read_header(const char *line, const char *end, struct framing *framing)
{
	static const char length_name[] = "content-length:", coding_name[] = "transfer-encoding:";

	if (strncasecmp(line, length_name, sizeof(length_name) - 1) == 0) {
		line += sizeof(length_name) - 1;
		while (line < end && (*line == ' ' || *line == '\t'))
			line++;
		framing->length = number(line, end, 10);
		framing->has_length = true;
		return framing->length != SIZE_MAX;
	}
	if (strncasecmp(line, coding_name, sizeof(coding_name) - 1) == 0) {
		line += sizeof(coding_name) - 1;
		while (line < end && (*line == ' ' || *line == '\t'))
			line++;
		framing->chunked = end - line == 7 && strncasecmp(line, "chunked", 7) == 0;
		return framing->chunked;
	}
	return true;
}

/* Moves the chunks' data together at `body`; -EPROTO, -EMSGSIZE, or 0. */
static int join_chunks(char *body, const char *end, size_t *body_bytes)
{
	const char *at = body;

	*body_bytes = 0;
	for (;;) {
		const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2), *extension;
		size_t size;

		if (!line_end)
			return -EMSGSIZE;
		extension = memchr(at, ';', (size_t)(line_end - at));
		size = number(at, extension ? extension : line_end, 16);
		if (size == SIZE_MAX)
			return -EPROTO;
		at = line_end + 2;
		if (size == 0)
			return 0; /* trailers mean nothing to us */
		if ((size_t)(end - at) < size + 2)
			return -EMSGSIZE;
		memmove(body + *body_bytes, at, size);
		*body_bytes += size;
		at += size;
		if (memcmp(at, "\r\n", 2) != 0)
			return -EPROTO;
		at += 2;
	}
}

static int read_head(const char *bytes, const char *head_end, struct http_answer *answer, struct framing *framing)
{
	const char *line = memmem(bytes, (size_t)(head_end - bytes), "\r\n", 2);

	if (line - bytes < 12 || memcmp(bytes, "HTTP/1.", 7) != 0 || bytes[8] != ' ')
		return -EPROTO;
	answer->status = (unsigned)number(bytes + 9, bytes + 12, 10);
	if (answer->status < 200 || answer->status > 599)
		return -EPROTO;
	while (line + 2 < head_end) {
		const char *end;

		line += 2;
		end = memmem(line, (size_t)(head_end - line), "\r\n", 2);
		if (!read_header(line, end, framing))
			return -EPROTO;
		line = end;
	}
	return framing->chunked && framing->has_length ? -EPROTO : 0;
}

int http_answer_parse(char *bytes, size_t size, struct http_answer *answer, const char **why)
{
	struct framing framing = {.chunked = false};
	char *body = memmem(bytes, size, "\r\n\r\n", 4);
	int rc = body ? read_head(bytes, body + 2, answer, &framing) : -EMSGSIZE;

	*why = "what answered does not speak HTTP";
	if (rc < 0)
		return rc;
	body += 4;
	answer->body_bytes = size - (size_t)(body - bytes);
	if (framing.chunked) {
		rc = join_chunks(body, bytes + size, &answer->body_bytes);
	} else if (framing.has_length) {
		rc = answer->body_bytes < framing.length ? -EMSGSIZE : 0;
		answer->body_bytes = framing.length;
	}
	if (rc == -EMSGSIZE)
		*why = "the answer ended early";
	if (rc < 0)
		return rc;
	memmove(bytes, body, answer->body_bytes);
	memset(bytes + answer->body_bytes, 0, HTTP_GET_PADDING);
	answer->body = bytes;
	return 0;
}

void http_answer_fini(struct http_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
}
