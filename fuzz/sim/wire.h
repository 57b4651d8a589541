/*
 * HTTP/1.1 as actors read it: strictly, by rules of its own, so that what the gateway writes wrongly is seen. One
 * message after the other; the reader says what it found and where a message is not well-formed.
 */
#ifndef FUZZ_SIM_WIRE_H
#define FUZZ_SIM_WIRE_H

#include "fuzz/sim/bytes.h"

enum wire_found { WIRE_MORE, WIRE_HEAD, WIRE_BODY, WIRE_END, WIRE_BAD };

struct wire { /* zeroed is ready; `requests` says what is read */
	bool requests;
	bool no_body; /* set by its owner at WIRE_HEAD: the answer to a HEAD */
	enum {
		WIRE_IN_HEAD,
		WIRE_IN_LENGTH,
		WIRE_IN_SIZE,
		WIRE_IN_CHUNK,
		WIRE_BEHIND_CHUNK,
		WIRE_IN_TRAILER,
		WIRE_ENDED
	} state;
	struct bytes head; /* the whole of it, with the empty line */
	struct bytes line; /* a chunk's size, so far */
	size_t left;       /* of the body or the chunk */
	unsigned status;   /* of an answer */
	bool chunked, has_length, close;
	const char *problem; /* with WIRE_BAD */
};

/* Takes from *bytes. With WIRE_BODY *piece is a piece of the body. */
enum wire_found wire_next(struct wire *wire, struct slice *bytes, struct slice *piece);

struct slice wire_header(const struct wire *wire, const char *name); /* NULL data: not there */
bool wire_begun(const struct wire *wire);                            /* a message has begun and has not ended */
void wire_free(struct wire *wire);

#endif
