/*
 * What the targets that read JSON share: a document in memory whose padding must mean nothing, and an edit put
 * together.
 */
#ifndef FUZZ_DOCUMENT_H
#define FUZZ_DOCUMENT_H

#include "core/buffer.h"
#include "fuzz/input.h"
#include "proto/json/json.h"

enum { DOCUMENT_MAX_BYTES = 1 << 14 };

/* Room for a document. The padding would end a string, so that reading on in it shows. */
static inline char *padded(size_t size)
{
	char *document = malloc(size + BUFFER_PADDING_BYTES);

	assert(document);
	memset(document + size, '"', BUFFER_PADDING_BYTES);
	return document;
}

static inline char *padded_copy(struct slice bytes)
{
	char *document = padded(bytes.size);

	if (bytes.size)
		memcpy(document, bytes.data, bytes.size);
	return document;
}

/* The edited document, parsed by `again`; the caller frees it. */
static inline char *edited_document(struct json_edits *edits, const struct json_parser *p, struct json_parser *again)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct json_error error;
	size_t size, at = 0;
	unsigned count;
	char *edited;

	assert(!edits->full);
	count = json_edited(edits, json_document(p), iov, &size);
	edited = padded(size);
	for (unsigned i = 0; i < count; at += iov[i++].iov_len)
		memcpy(edited + at, iov[i].iov_base, iov[i].iov_len);
	assert(at == size && json_parse(again, slice_of(edited, size), &error) == 0);
	return edited;
}

#endif
