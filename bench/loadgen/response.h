/*
 * Reads HTTP/1.1 responses from bytes split anywhere: content-length, chunked, or to the connection's end. It trusts
 * the server as a load generator may, and still refuses what it cannot frame.
 */
#ifndef BENCH_LOADGEN_RESPONSE_H
#define BENCH_LOADGEN_RESPONSE_H

#include "core/slice.h"

enum response_stage {
	RESPONSE_HEAD,
	RESPONSE_LENGTH,
	RESPONSE_UNTIL_END,
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
};

enum { RESPONSE_HEAD_MAX = 8192 };

struct response {
	enum response_stage stage;
	unsigned status;
	bool close;        /* the server will close the connection */
	uint64_t left;     /* of the body or the chunk */
	size_t line_bytes; /* of the chunk size line or trailer so far */
	size_t head_bytes;
	char head[RESPONSE_HEAD_MAX];
};

enum response_step { RESPONSE_MORE, RESPONSE_BODY, RESPONSE_DONE, RESPONSE_BAD };

void response_init(struct response *response);

/* Takes from the front of *bytes. RESPONSE_BODY: *body is the next of the body, in place; call again, as after it more
 * follows. */
enum response_step response_next(struct response *response, struct slice *bytes, struct slice *body);

#endif
