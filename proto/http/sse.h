/*
 * Server-sent events (WHATWG HTML, "Server-sent events"): a parser that takes bytes split anywhere and yields whole
 * events, and the writer's helpers. An event that lies whole in the given bytes is yielded in place; one that was split
 * is joined in memory of a bounded capacity, which bounds an event.
 */
#ifndef PROTO_SSE_H
#define PROTO_SSE_H

#include "core/arena.h"
#include "core/text.h"

struct sse_event {
	struct slice name; /* of `event:`; empty when none */
	struct slice data; /* `data:` lines joined by LF; .data is NULL when there was no data line */
	bool comment;      /* a comment line; its text is in `data` */
};

struct sse_parser {
	struct text pending; /* what came of an event that is not complete, lines ended by LF */
	struct arena *arena; /* where `pending` grows; NULL: it has its memory */
	size_t event_max;    /* that it grows to */
	size_t line;         /* where in `pending` its last line, which is not complete, begins */
	struct text joined;  /* data lines joined; same bound */
	bool skip_lf;        /* the last byte was a CR that ended a line: a LF that follows belongs to it */
	bool begun;          /* past the optional byte order mark */
};

/* SSE_BROKEN is of streams that are framed otherwise: text is never that. */
enum sse_result { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE, SSE_NO_MEMORY, SSE_BROKEN };

/* `memory` of 2 * capacity bytes stays the caller's. */
void sse_init(struct sse_parser *parser, char *memory, size_t capacity);

/*
 * The same, of memory that is taken when an event is split, and as much as that needs, BUFFER_PADDING_BYTES behind it.
 * `joined`, of `capacity` bytes, may be that of many parsers: what it holds is good until the next call to any of them.
 */
void sse_init_growing(struct sse_parser *parser, struct arena *arena, char *joined, size_t capacity);

/*
 * Takes from the front of *bytes. SSE_EVENT: one event, valid until the next call (its slices may point into the bytes
 * given); call again. SSE_MORE: all bytes are consumed. Comments are yielded as events of their own. Fields other than
 * `event` and `data` are dropped. SSE_TOO_LARGE: an event passed the capacity; SSE_NO_MEMORY: there was none to join it
 * in. After either the parser is of no more use.
 */
enum sse_result sse_next(struct sse_parser *parser, struct slice *bytes, struct sse_event *event);

/* True when the stream may end here: nothing of an event is pending. */
bool sse_at_boundary(const struct sse_parser *parser);

#endif
