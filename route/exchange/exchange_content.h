/*
 * Prompts and answers, kept where a workspace says so (`retention.store_prompts`, `store_responses`) and nowhere else:
 * sealed, apart from the receipt, under its id and for as long. Nothing waits for them, and what finds no room is
 * counted
 * (`tollgate_content_lost_total`); a call's promise is its receipt's alone.
 *
 *   value: u8 version, u8 flags, u32 bytes of the request, the request, the answer
 *
 * An answer that was streamed is kept as its text, of several the first. What is longer than CONTENT_BYTES_MAX is cut,
 * and says so.
 */
#ifndef ROUTE_EXCHANGE_CONTENT_H
#define ROUTE_EXCHANGE_CONTENT_H

#include "route/exchange/exchange.h"

enum {
	CONTENT_BYTES_MAX = 1 << 20, /* of a request, of an answer, and of the events of a stream */
	CONTENT_WAITING_MAX = 64,    /* of a shard: each is memory until the store has it */
};

/* What a stream has sent. */
void content_note(struct exchange *exchange, struct slice bytes);

/* Of what a stream has sent, its text; NULL data: none, or it was longer than what is noted. */
struct slice content_streamed_text(struct exchange *exchange);

/* With the receipt. */
void content_keep(struct exchange *exchange);

/* What was kept of a request whose id is `id_text`. */
struct sealed_name content_name(struct slice workspace, struct slice id_text);

/* As it is read back: slices point into the value. -EBADMSG: no such value. */
struct content_view {
	struct slice request, answer; /* NULL data: not kept */
	bool request_cut, answer_cut, streamed;
};
int content_read(struct slice value, struct content_view *view);

#endif
