/* Forms that pass while they come: see exchange_upload.c. */
#ifndef ROUTE_EXCHANGE_UPLOAD_H
#define ROUTE_EXCHANGE_UPLOAD_H

#include "route/exchange/exchange.h"

/* The head is there, and nothing refuses it so far: watches the body of a form that may pass as it comes. */
void exchange_upload_watch(struct exchange *exchange);

/* It passes, and more of it is to come. */
bool exchange_is_uploading(const struct exchange *exchange);

/* Of a body that is watched or passes: `piece` of it came. */
void exchange_upload_body(struct exchange *exchange, struct slice piece);

/* The plan is made. False: it will have to wait for the whole form after all. */
bool exchange_upload_decide(struct exchange *exchange);

/* A body that passed is whole. */
void exchange_upload_whole(struct exchange *exchange);

/* For the call: what follows the recording's head, `*size` bytes of it. */
void exchange_upload_attach(struct exchange *exchange, size_t *size);
void exchange_upload_room(struct exchange *exchange); /* it has taken what there was */

/* The provider answers well. True: it has not all, so that its answer waits for the rest. */
bool exchange_upload_answered(struct exchange *exchange);

#endif
