/* JSON: a request's view with what the gateway reads of it, the edits on its way to the provider, and an event's scan.
 */
#include "bench/micro/micro.h"

#include "proto/openai/openai.h"
#include "proto/openai/openai_scan.h"

enum { SMALL_BYTES = 1500, LARGE_BYTES = 200 * 1000, DOCUMENT_MAX_BYTES = 1 << 20 };

static const struct slice upstream_model = {"\"gpt-4o-mini-2024-07-18\"", 24};

struct document {
	struct json_parser *json;
	struct slice bytes;
	char added[64];
};

static void close_document(void *state)
{
	struct document *d = state;

	json_parser_close(d->json);
	free((char *)d->bytes.data);
	free(d);
}

static void *open_document(struct slice bytes)
{
	struct document *d = calloc(1, sizeof(*d));

	if (!d) {
		free((char *)bytes.data);
		return NULL;
	}
	d->bytes = bytes;
	d->json = json_parser_open(DOCUMENT_MAX_BYTES);
	if (d->json && bytes.data)
		return d;
	close_document(d);
	return NULL;
}

static void *open_small(void)
{
	return open_document(micro_request(SMALL_BYTES));
}

static void *open_large(void)
{
	return open_document(micro_request(LARGE_BYTES));
}

static void read_request(struct document *d, struct openai_request *request)
{
	struct openai_problem problem;
	struct json_error error;
	int rc = json_parse(d->json, d->bytes, &error);

	if (rc == 0)
		rc = openai_read_request(d->json, OPENAI_CHAT, request, &problem);
	micro_expect(rc == 0, "reading a request");
}

static void run_view(void *state, uint64_t times)
{
	struct openai_request request;

	while (times--) {
		read_request(state, &request);
		micro_use(&request);
	}
}

/* The view is made once: edits only read it. */
static void run_edits(void *state, uint64_t times)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct document *d = state;
	struct openai_request request;
	struct json_edits edits;
	size_t size = 0;

	read_request(d, &request);
	while (times--) {
		json_edits_init(&edits);
		openai_edit_request(d->json, &request, upstream_model, d->added, &edits);
		micro_use(iov + json_edited(&edits, d->bytes, iov, &size));
	}
	micro_expect(size != d->bytes.size, "editing a request");
}

static void *open_event(void)
{
	return open_document(micro_event());
}

static void run_scan(void *state, uint64_t times)
{
	struct iovec iov[OPENAI_SCAN_PIECES];
	struct document *d = state;
	struct openai_scan scan;
	size_t size;

	while (times--) {
		micro_expect(openai_scan_chunk(d->bytes, &scan), "scanning an event");
		micro_use(iov + openai_scan_edit(&scan, d->bytes, upstream_model, true, iov, &size));
	}
}

const struct micro micro_json[] = {
	{"json-1.5k", "view of a request of 1.5 kB", open_small, run_view, close_document, 1, NULL},
	{"json-200k", "view of a request of 200 kB", open_large, run_view, close_document, 1, NULL},
	{"edits", "edits of a request with a view", open_small, run_edits, close_document, 1, NULL},
	{"event", "scan and edit of an event", open_event, run_scan, close_document, 1, NULL},
	{.name = NULL},
};
