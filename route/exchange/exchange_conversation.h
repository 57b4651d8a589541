/* Conversations of the Responses API (exchange_conversation.c): for the parts of the machine that meet them. */
#ifndef ROUTE_EXCHANGE_CONVERSATION_H
#define ROUTE_EXCHANGE_CONVERSATION_H

#include "route/exchange/exchange.h"

enum conversation_result {
	CONVERSATION_READY,
	CONVERSATION_AWAITED, /* what was said before is asked for: then(exchange) follows, with another body */
	CONVERSATION_REFUSED
};

/* The view holds the request. */
enum conversation_result exchange_converse(struct exchange *exchange, void (*then)(struct exchange *exchange));

/* Leaves out what a provider that speaks the API itself could not read: another's reasoning. 0; -ENOMEM. */
int conversation_edit_input(struct exchange *exchange, struct json_edits *edits);
/* Who keeps nothing here has nothing kept by a provider that speaks the API itself. */
bool conversation_forgets(const struct exchange *exchange);
/* What its answers, of which the view holds one, say of a conversation that it does not know. */
void conversation_edit_answer(struct exchange *exchange, json_ref response, struct json_edits *edits);
void conversation_frame(const struct exchange *exchange, struct chat_frame *frame);

/*
 * Keeps a whole answer, or one that is the member `response` of an event: then(exchange) follows when it is kept, or
 * when it could not be (conversation_lost()). False: nothing is to be kept, or it is lost already.
 */
bool exchange_keep_answer(struct exchange *exchange, const struct iovec *iov, unsigned count, bool event,
	void (*then)(struct exchange *exchange));
bool conversation_lost(const struct exchange *exchange);

/* What was found as the shard's view, in the arena. 0, or -errno. */
int conversation_parse(struct exchange *exchange, struct slice bytes);

/* Whose it is: workspace and key, which no id of either can run together. NULL data: no memory. */
struct slice conversation_owner(struct exchange *exchange);

/* Starts `op` for a response of the caller's, under HOLD_QUERY. False: no memory. */
bool conversation_ask(struct exchange *exchange, struct store_sealed *op, enum store_sealed_kind kind, struct slice id);

#endif
