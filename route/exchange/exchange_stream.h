/* Streams between their parts, exchange_stream*.c. */
#ifndef ROUTE_EXCHANGE_STREAM_H
#define ROUTE_EXCHANGE_STREAM_H

#include "route/exchange/exchange.h"

/* exchange_stream.c: the attempt has failed; another may follow. */
void relay_fail(struct exchange *e, enum attempt_failure kind, struct slice message);
void relay_provider_error(struct exchange *e, json_ref error); /* it says so itself; the view holds its event */

/* exchange_stream_send.c: bytes that gather until relay_flush(), which every callback ends with. */
void relay_send(struct exchange *e, struct slice bytes);
void relay_flush(struct exchange *e);
/* Lets what was held go: from here on the client sees this candidate. -ENOMEM. */
int relay_let_go(struct exchange *e);
/* `lead` goes before an event's data; empty: the bytes are whole events. What is no content may be held. -ENOMEM. */
int relay_send_event(
	struct exchange *e, struct slice lead, const struct iovec *iov, unsigned count, size_t size, bool content);
/* Memory in the arena for `wanted` bytes of what was sent, that begins with what is there; false: there is none. */
bool relay_grow(struct exchange *e, struct text *sent, size_t wanted);
void relay_keepalive(struct timer *timer); /* of keepalive_timer */

/* exchange_stream_end.c */
/* What the client's own usage chunk carries besides; empty for other events. */
struct slice relay_usage_members(struct exchange *e, bool wanted);
/* The provider said that this is all. `last`: the dialect's last event. */
void relay_end(struct exchange *e, struct slice last);
/* The same, where the gateway knows what comes last. */
void relay_end_marker(struct exchange *e);
/* What came of an answer that breaks off, into e->attempt->usage: as its provider counted it so far, or as it came
 * through. */
void relay_count_delivered(struct exchange *e);

#endif
