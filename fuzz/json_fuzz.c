/*
 * Fuzzes the JSON view and its edits (libFuzzer's entry point). Whatever comes, parser and locator agree on whether it is a
 * document; and when it is an object, it is still one without the members that the first byte chooses and with one inserted.
 */
#include "core/buffer.h"
#include "proto/json.h"
#include "proto/json_error.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DOCUMENT_MAX_BYTES = 1 << 16 };

/* Room for a document, with padding that must mean nothing. */
static char *padded(size_t size)
{
	char *document = malloc(size + BUFFER_PADDING_BYTES);

	assert(document);
	memset(document + size, '"', BUFFER_PADDING_BYTES);
	return document;
}

static void walk(const struct json_parser *p, json_ref value, size_t size)
{
	struct slice raw = json_raw(p, value), document = json_document(p);
	uint32_t children = 0;

	assert(raw.data >= document.data && raw.size > 0 && raw.data + raw.size <= document.data + size);
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v), children++)
		walk(p, v, size);
	assert(children == json_count(p, value));
}

static void edit(const struct json_parser *p, unsigned choice)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct json_parser *again = json_parser_open(2 * DOCUMENT_MAX_BYTES);
	struct json_error error;
	struct json_edits edits;
	size_t size, at = 0;
	unsigned count;
	uint32_t left = 1;
	char *edited;

	assert(again);
	json_edits_init(&edits);
	json_insert(&edits, p, 0, SLICE("\"inserted\":[]"));
	for (json_ref v = json_first(p, 0); v != JSON_NONE; v = json_next(p, v), choice = choice >> 1 | choice << 7) {
		if ((choice & 1) && edits.count < JSON_EDITS_MAX - 1)
			json_remove(&edits, p, 0, v);
		else
			left++;
	}
	assert(!edits.full);
	count = json_edited(&edits, json_document(p), iov, &size);
	edited = padded(size);
	for (unsigned i = 0; i < count; at += iov[i++].iov_len)
		memcpy(edited + at, iov[i].iov_base, iov[i].iov_len);
	assert(at == size && json_parse(again, slice_of(edited, size), &error) == 0);
	assert(json_count(again, 0) == left);
	free(edited);
	json_parser_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_error error = { 0 }, explained = { 0 };
	struct json_parser *p;
	char *document;
	int result;

	if (size < 1 || size > DOCUMENT_MAX_BYTES)
		return 0;
	p = json_parser_open(DOCUMENT_MAX_BYTES);
	assert(p);
	document = padded(size - 1);
	memcpy(document, data + 1, size - 1);
	result = json_parse(p, slice_of(document, size - 1), &error);
	assert(result == json_explain(slice_of(document, size - 1), &explained));
	assert(error.offset == explained.offset && error.offset <= size - 1);
	if (result == 0) {
		walk(p, 0, size - 1);
		if (json_type(p, 0) == JSON_OBJECT)
			edit(p, data[0]);
	}
	free(document);
	json_parser_close(p);
	return 0;
}
