/* From a deployment and a credential to the bytes of a call: the request head. Pure. */
#ifndef ROUTE_UPSTREAM_H
#define ROUTE_UPSTREAM_H

#include "core/text.h"
#include "route/dialects/dialect.h"

#include <sys/uio.h>

struct upstream_request {
	const struct provider_settings *provider;
	const struct credential_settings *credential; /* NULL: the provider has none */
	const struct dialect *dialect;
	enum receipt_api api;
	struct slice model; /* the provider's name of it, where paths have it */
	bool stream;
	size_t body_bytes;
	struct slice content_type; /* NULL data: JSON */
	const struct iovec *body;  /* for those that sign it, and the time */
	unsigned body_count;
	uint64_t wall_ns;
	struct slice list_path;   /* whole: what is listed in place of a call; NULL data: it is a call */
	struct slice traceparent; /* passed on; empty when absent */
	struct slice tracestate;
	struct slice anthropic_version, anthropic_beta; /* the client's own, where its body goes on as it is */
};

enum { UPSTREAM_HEAD_BYTES = 4096 }; /* ends at `full` when names and keys are longer than anybody's */

/* A name as a segment of a path: what is not unreserved (RFC 3986, 2.3) is percent-encoded. */
void upstream_add_segment(struct text *head, struct slice name);

/* The content type of the streams that a provider of that dialect sends. */
struct slice upstream_stream_type(const struct dialect *dialect);

/* Request line, headers and the empty line. */
void upstream_head(const struct upstream_request *request, struct text *head);

#endif
