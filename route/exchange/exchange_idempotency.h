/*
 * Idempotency-Key: the same key with the same request gets the first answer for a day, in place of another call. One
 * request at a time has a key of its caller's: it is claimed in the sealed store before anything is bought, holds the
 * answer once there is one, and is free again when the request came to nothing else than an error.
 */
#ifndef ROUTE_EXCHANGE_IDEMPOTENCY_H
#define ROUTE_EXCHANGE_IDEMPOTENCY_H

#include "route/exchange/exchange.h"

/* Of the answer that is kept; a longer stream is not, and its key is free again. */
enum { IDEMPOTENCY_STREAM_BYTES_MAX = 4 * 1024 * 1024 };

/* False: the request has no such key. Else then(exchange) follows if the key is free; or an answer was given. */
bool idempotency_claim(struct exchange *exchange, void (*then)(struct exchange *exchange));

/* What a stream has sent. */
void idempotency_note(struct exchange *exchange, struct slice bytes);

/* Keeps a successful answer, or what a stream sent and these last bytes: then(exchange) follows. False: nothing is to
 * be kept. */
bool idempotency_keep(
	struct exchange *exchange, const struct iovec *iov, unsigned count, void (*then)(struct exchange *exchange));

/* The client's request is over: a key whose answer is not kept is free again. */
void idempotency_release(struct exchange *exchange);

#endif
