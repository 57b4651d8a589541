/*
 * Chunked transfer coding (RFC 9112 section 7.1), decoded: bytes split anywhere in, pieces of the body out. Extensions
 * and trailers are skipped within bounds; line ends are CR LF and nothing else. Pure.
 */
#ifndef PROTO_HTTP_CHUNKED_H
#define PROTO_HTTP_CHUNKED_H

#include "core/slice.h"

enum http_chunked_state {
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_EXTENSION,
	HTTP_CHUNK_SIZE_LF,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_DATA_CR,
	HTTP_CHUNK_DATA_LF,
	HTTP_CHUNK_TRAILER_START,
	HTTP_CHUNK_TRAILER,
	HTTP_CHUNK_TRAILER_LF,
	HTTP_CHUNK_LAST_LF,
	HTTP_CHUNK_DONE,
};

struct http_chunked {
	enum http_chunked_state state;
	uint8_t digits;  /* of the size, so far */
	bool named;      /* the trailer line has its colon */
	uint32_t extras; /* bytes of this chunk's extension, or of all trailers */
	uint32_t extras_max;
	uint64_t chunk_left; /* bytes of the chunk still to come */
	uint64_t body_left;  /* bytes that the limit still allows */
};

enum http_chunked_result {
	HTTP_CHUNKED_MORE,
	HTTP_CHUNKED_PIECE,
	HTTP_CHUNKED_END,
	HTTP_CHUNKED_BAD,       /* not the coding */
	HTTP_CHUNKED_TOO_LARGE, /* a chunk passes the body's limit; told by its size alone */
	HTTP_CHUNKED_TOO_LONG,  /* extension or trailers pass their bound */
};

void http_chunked_init(struct http_chunked *chunked, uint64_t body_max_bytes, uint32_t trailers_max_bytes);

/* Takes from the front of *bytes; call again after PIECE. */
enum http_chunked_result http_chunked_next(struct http_chunked *chunked, struct slice *bytes, struct slice *piece);

#endif
