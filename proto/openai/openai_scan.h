/*
 * The usual event of a stream, read without a JSON view: a chunk of one choice whose members are known and plain. What
 * is taken is valid JSON and means what openai_read_chunk() and openai_edit_chunk() make of it: some content, or none,
 * of a delta; no usage, error or finish reason. All else is refused, which says nothing but that the view has to be
 * asked. Pure.
 */
#ifndef PROTO_OPENAI_SCAN_H
#define PROTO_OPENAI_SCAN_H

#include "core/slice.h"

#include <sys/uio.h>

struct openai_scan {
	struct slice model;    /* the value, quoted */
	struct slice usage;    /* the member that is null, and one comma; empty at the document's end: there is none */
	uint64_t output_bytes; /* 0: nothing that a reader sees */
};

/* `document` has BUFFER_PADDING_BYTES readable bytes behind it. The slices lie in it. */
bool openai_scan_chunk(struct slice document, struct openai_scan *scan);

/* What the client gets, in at most OPENAI_SCAN_PIECES; their count. *size is the sum of their sizes. */
enum { OPENAI_SCAN_PIECES = 4 };
unsigned openai_scan_edit(const struct openai_scan *scan, struct slice document, struct slice model_json,
	bool keep_usage, struct iovec *iov, size_t *size);

#endif
