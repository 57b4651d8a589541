/*
 * AWS event streams (application/vnd.amazon.eventstream): a parser that takes bytes split anywhere and yields whole
 * messages whose checksums hold, and a writer for one. All integers are big-endian:
 *
 *   4 total length | 4 length of the headers | 4 CRC-32 of these eight | headers | payload | 4 CRC-32 of all before it
 *   a header: 1 length of the name | name | 1 type | value, whose size the type tells or its first two bytes
 *
 * A message that lies whole in the given bytes is yielded in place; one that was split is joined in memory of a bounded
 * size, which bounds a message.
 */
#ifndef PROTO_EVENT_STREAM_H
#define PROTO_EVENT_STREAM_H

#include "core/arena.h"
#include "core/text.h"

struct event_stream_message {
	struct slice type;          /* "event", "exception", "error"; NULL data: not said */
	struct slice name;          /* of the event or the exception, the error's code; NULL data: not said */
	struct slice error_message; /* of an "error", which has no payload */
	struct slice payload;
};

struct event_stream {
	struct text pending; /* what came of a message that is not complete; or the one yielded last, while `yielded` */
	struct arena *arena; /* where `pending` grows */
	size_t message_max;
	bool yielded;
};

enum event_stream_result {
	EVENT_STREAM_MORE,
	EVENT_STREAM_MESSAGE,
	EVENT_STREAM_BROKEN, /* a checksum or a length is wrong: where the next message begins is not known */
	EVENT_STREAM_TOO_LARGE,
	EVENT_STREAM_NO_MEMORY
};

void event_stream_init(struct event_stream *stream, struct arena *arena, size_t message_max);

/*
 * Takes from the front of *bytes. EVENT_STREAM_MESSAGE: one message, valid until the next call; call again.
 * EVENT_STREAM_MORE: all bytes are consumed. After any other the parser is of no more use.
 */
enum event_stream_result event_stream_next(
	struct event_stream *stream, struct slice *bytes, struct event_stream_message *message);

/*
 * {"NAME":PAYLOAD}, as the member of a union that the message is. {"error":{"type":NAME,"exception":PAYLOAD}} of an
 * exception, {"error":{"type":NAME,"message":...}} of an error.
 */
void event_stream_print(const struct event_stream_message *message, struct text *json);

/* One message around headers that are written already. */
void event_stream_frame(struct slice headers, struct slice payload, struct text *out);
/* One message, with an application/json payload where `payload` is not empty; `type` and `name` are short. */
void event_stream_write(struct slice type, struct slice name, struct slice payload, struct text *out);

#endif
