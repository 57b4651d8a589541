/*
 * Webhooks: a POST of JSON to an address that a workspace names, signed, tried again with growing pauses. They run on a
 * shard beside its calls: nothing waits for them, and what is not delivered when the gateway ends is in the log alone.
 */
#ifndef ROUTE_WEBHOOK_H
#define ROUTE_WEBHOOK_H

#include "core/list.h"
#include "route/settings/settings.h"

struct gateway_shard;

struct webhook_shard {
	struct gateway_shard *gateway_shard;
	struct list pending;
	unsigned count;
	unsigned storing; /* letters to the store that follow from one */
	bool closed;
};

enum { WEBHOOK_BODY_BYTES = 1536, WEBHOOK_SIGNATURE_BYTES = 64 };

void webhook_shard_init(struct webhook_shard *own, struct gateway_shard *gateway_shard);

/* Once for each that was sent. taken: the answer was 2xx. */
typedef void webhook_done(struct webhook_shard *own, void *context, bool taken);

/* The body is copied. False: it is not sent, and done() is not called. */
bool webhook_send(struct webhook_shard *own, const struct workspace_settings *workspace, const char *address,
	struct slice body, webhook_done *done, void *context);

/* Gives up what is pending. True when nothing is left that a letter could come back to. */
bool webhook_shard_close(struct webhook_shard *own);

/* hex(HMAC-SHA256(body)) under the workspace's key, which is HMAC-SHA256("webhook" NUL workspace) under the master key. */
bool webhook_sign(struct slice master_key, struct slice workspace, struct slice body,
	char signature[static WEBHOOK_SIGNATURE_BYTES]);

/* How long after the n-th failure, from 1, it is tried again; 0: not any more. */
uint64_t webhook_pause_ns(unsigned failures);

#endif
