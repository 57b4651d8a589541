/* Server-sent events as they arrive: a stream in reads of 4 KiB, so that some events are split; the cost is of one
 * event. */
#include "bench/micro/micro.h"

#include "core/text.h"
#include "proto/http/sse.h"

enum { EVENTS = 64, READ_BYTES = 4096, EVENT_BYTES_MAX = 1024 };

struct events {
	struct slice stream;
	char memory[2 * EVENT_BYTES_MAX];
	char bytes[EVENTS * EVENT_BYTES_MAX];
};

static void *open_events(void)
{
	struct events *events = calloc(1, sizeof(*events));
	struct slice event = micro_event();
	struct text t;

	if (!events || !event.data)
		goto out;
	t = text_over(events->bytes, sizeof(events->bytes));
	for (unsigned i = 0; i < EVENTS; i++) {
		text_literal(&t, "data: ");
		text_add(&t, event);
		text_literal(&t, "\n\n");
	}
	micro_expect(!t.full, "making a stream");
	events->stream = text_slice(&t);
	free((char *)event.data);
	return events;
out:
	free((char *)event.data);
	free(events);
	return NULL;
}

static unsigned read_stream(struct events *events)
{
	struct slice left = events->stream;
	struct sse_parser parser;
	struct sse_event event;
	unsigned count = 0;

	sse_init(&parser, events->memory, EVENT_BYTES_MAX);
	while (left.size) {
		struct slice piece = slice_of(left.data, left.size < READ_BYTES ? left.size : READ_BYTES);

		left = slice_after(left, piece.size);
		while (sse_next(&parser, &piece, &event) == SSE_EVENT)
			count++;
	}
	return count;
}

static void run_events(void *state, uint64_t times)
{
	while (times--)
		micro_expect(read_stream(state) == EVENTS, "reading a stream");
}

const struct micro micro_sse[] = {
	{"sse", "an event of a stream", open_events, run_events, free, EVENTS, NULL},
	{.name = NULL},
};
