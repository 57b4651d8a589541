/*
 * HTTP/1.1 messages as slices (RFC 9112): what server and client share. Slices point into the receive buffer or the
 * message's own copy, and live as long as the request or call that carries the message.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include "core/slice.h"

enum http_method { HTTP_METHOD_OTHER, HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS };

struct http_header {
	struct slice name, value; /* value without surrounding white space */
};

enum { HTTP_HEADERS_MAX = 128 }; /* ceiling of http.max_headers */

struct http_head {
	enum http_method method; /* requests */
	struct slice method_name;
	struct slice target;      /* as sent: path and query */
	struct slice path, query; /* query without '?' */
	uint16_t status;          /* responses */
	uint8_t minor_version;    /* HTTP/1.x */
	bool keep_alive;          /* what Connection and version ask for */
	bool expect_continue;
	bool chunked;
	bool has_length;
	uint64_t content_length; /* valid with has_length */
	unsigned header_count;
	struct http_header headers[HTTP_HEADERS_MAX];
};

struct http_limits {
	uint32_t max_head_bytes, max_headers;
	uint64_t max_body_bytes;
};

/* The first header of that name, ASCII case ignored; .data is NULL when there is none. */
struct slice http_header(const struct http_head *head, struct slice name);

/* The standard phrase, "Unknown" for what has none. */
struct slice http_reason(unsigned status);

enum { HTTP_DATE_BYTES = 29 };

/* "Sun, 06 Nov 1994 08:49:37 GMT", without NUL; for years up to 9999. */
void http_date(uint64_t unix_s, char text[static HTTP_DATE_BYTES]);

#endif
