/*
 * Sessions of endpoints: what was said in a session is kept here, sealed, within the bounds of its endpoint and until
 * its time is over, and goes in front of what the next call says. A session belongs to the key that opened it. Of calls
 * that run at the same time in one session the last to end is what it goes on from.
 */
#ifndef ROUTE_EXCHANGE_SESSION_H
#define ROUTE_EXCHANGE_SESSION_H

#include "route/exchange/exchange_conversation.h"

/* What a call of an endpoint goes on from. AWAITED: then(exchange) follows, and this is asked again. */
enum conversation_result session_begin(struct exchange *exchange, void (*then)(struct exchange *exchange));

/* What was said before, as messages without the list's brackets; and where the request that is made says the rest. */
struct slice session_history(const struct exchange *exchange);
void session_note_said(struct exchange *exchange, struct slice messages);

/* Keeps a whole answer, as it is rendered, or a stream's text: then(exchange) follows. False: there is nothing to keep.
 */
bool session_keep(struct exchange *exchange, void (*then)(struct exchange *exchange));
bool session_lost(const struct exchange *exchange); /* it should have been kept, and could not be */

void session_print_header(const struct exchange *exchange, struct text *headers);

#endif
