/* What the scan takes has to be what the JSON view makes of it. Shared by the unit test and the fuzzer. */
#ifndef PROTO_TESTS_OPENAI_SCAN_CHECK_H
#define PROTO_TESTS_OPENAI_SCAN_CHECK_H

#include "proto/openai/openai.h"
#include "proto/openai/openai_scan.h"

#include <assert.h>
#include <stdlib.h>

static inline char *scan_check_join(const struct iovec *iov, unsigned count, size_t size)
{
	char *joined = (char *)malloc(size + 1);
	size_t at = 0;

	assert(joined);
	for (unsigned i = 0; i < count; at += iov[i++].iov_len)
		memcpy(joined + at, iov[i].iov_base, iov[i].iov_len);
	assert(at == size);
	return joined;
}

static inline void scan_check_edits(
	const struct json_parser *p, const struct openai_chunk *chunk, const struct openai_scan *scan, bool keep_usage)
{
	const struct slice model_json = SLICE("\"provider/model\"");
	struct iovec viewed[2 * JSON_EDITS_MAX + 1], scanned[OPENAI_SCAN_PIECES];
	size_t viewed_bytes, scanned_bytes;
	unsigned viewed_count, scanned_count;
	struct json_edits edits;
	char *a, *b;

	json_edits_init(&edits);
	openai_edit_chunk(p, chunk, model_json, keep_usage, slice_of(NULL, 0), &edits);
	assert(!edits.full);
	viewed_count = json_edited(&edits, json_document(p), viewed, &viewed_bytes);
	scanned_count = openai_scan_edit(scan, json_document(p), model_json, keep_usage, scanned, &scanned_bytes);
	assert(scanned_count <= OPENAI_SCAN_PIECES);
	a = scan_check_join(viewed, viewed_count, viewed_bytes);
	b = scan_check_join(scanned, scanned_count, scanned_bytes);
	assert(slice_equal(slice_of(a, viewed_bytes), slice_of(b, scanned_bytes)));
	free(a);
	free(b);
}

/* Whether the scan took the document, which is padded; ends the program when the view disagrees with what it took. */
static inline bool scan_check(struct json_parser *p, struct slice document)
{
	struct json_error error;
	struct openai_chunk chunk;
	struct openai_scan scan;

	if (!openai_scan_chunk(document, &scan))
		return false;
	assert(json_parse(p, document, &error) == 0 && openai_read_chunk(p, &chunk) == 0);
	assert(chunk.error == JSON_NONE && chunk.gateway == JSON_NONE && chunk.model != JSON_NONE);
	assert(!chunk.usage.present && !chunk.usage_only && !chunk.finish_reason.data);
	assert(chunk.output_bytes == scan.output_bytes && chunk.content == (scan.output_bytes > 0));
	assert(slice_equal(json_raw(p, chunk.model), scan.model));
	scan_check_edits(p, &chunk, &scan, true);
	scan_check_edits(p, &chunk, &scan, false);
	return true;
}

#endif
