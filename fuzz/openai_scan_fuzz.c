/*
 * Fuzzes the scan of usual stream events (libFuzzer's entry point): whatever it takes, the JSON view reads and edits
 * the same way.
 */
#include "core/buffer.h"
#include "proto/openai/tests/openai_scan_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DOCUMENT_MAX_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_parser *p;
	char *document;

	if (size > DOCUMENT_MAX_BYTES)
		return 0;
	p = json_parser_open(DOCUMENT_MAX_BYTES);
	document = malloc(size + BUFFER_PADDING_BYTES);
	assert(p && document);
	if (size)
		memcpy(document, data, size);
	memset(document + size, '"', BUFFER_PADDING_BYTES); /* readable, and must mean nothing */
	(void)scan_check(p, slice_of(document, size));
	free(document);
	json_parser_close(p);
	return 0;
}
