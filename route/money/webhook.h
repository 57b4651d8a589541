/*
 * Webhooks: a POST of JSON to an address that a workspace names, signed, tried again with growing pauses. They are
 * called from the courier's thread, and what becomes of them is told to the shard that sent them: nothing waits for
 * them, and what is not delivered when the gateway ends is in the log alone.
 */
#ifndef ROUTE_WEBHOOK_H
#define ROUTE_WEBHOOK_H

#include "core/mailbox.h"
#include "route/settings/settings.h"

struct gateway_shard;

/* What a shard has sent and not heard of; its thread's. */
struct webhook_shard {
	struct gateway_shard *gateway_shard;
	unsigned count;
	struct letter give_up; /* to the courier's thread, once, while closing */
	bool giving_up;
	unsigned storing; /* letters to the store that follow from one */
	bool closed;
};

enum { WEBHOOK_BODY_BYTES = 1536, WEBHOOK_SIGNATURE_BYTES = 64 };

void webhook_shard_init(struct webhook_shard *own, struct gateway_shard *gateway_shard);

/* Once for each that was sent. taken: the answer was 2xx. */
typedef void webhook_done(struct webhook_shard *own, void *context, bool taken);

/* The body is copied. False: it is not sent, and done() is not called. With a NULL `done` nobody wants to know. */
bool webhook_send(struct webhook_shard *own, const struct workspace_settings *workspace, const char *address,
	struct slice body, webhook_done *done, void *context);

/* Gives up what is pending. True when nothing is left that a letter could come back to. */
bool webhook_shard_close(struct webhook_shard *own);

/* hex(HMAC-SHA256(body)) under the workspace's key, which is HMAC-SHA256("webhook" NUL workspace) under the master key.
 */
bool webhook_sign(struct slice master_key, struct slice workspace, struct slice body,
	char signature[static WEBHOOK_SIGNATURE_BYTES]);

/* How long after the n-th failure, from 1, it is tried again; 0: not any more. */
uint64_t webhook_pause_ns(unsigned failures);

#endif
