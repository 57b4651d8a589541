/*
 * Alerts: what a workspace's webhook is told when a budget comes near its end, and when it has got there; each once in the
 * budget's window. A POST of JSON, signed, tried again with growing pauses. It runs on the shard that counts the budget,
 * beside its calls: nothing waits for it, and what is not delivered when the gateway ends is in the log alone.
 */
#ifndef ROUTE_ALERT_H
#define ROUTE_ALERT_H

#include "core/list.h"
#include "route/budget.h"

struct gateway_shard;

struct alert_shard {
	struct gateway_shard *gateway_shard;
	struct list pending;
	unsigned count, asking; /* asking: the resolver has their letter */
	bool closed;
};

void alert_shard_init(struct alert_shard *own, struct gateway_shard *gateway_shard);

/* Whose budget it is. */
struct alert_subject {
	const struct workspace_settings *workspace;
	const char *key_id, *team; /* of the call that got it there */
};

/* After something was booked, or refused for want of room: tells what was reached just now. */
void alert_budget(struct alert_shard *own, const struct alert_subject *subject, const struct budget_scope *scope,
	uint32_t day, const struct budget_refusal *refusal);

/* Gives up what is pending. True when nothing is left that a letter could come back to. */
bool alert_shard_close(struct alert_shard *own);

/* hex(HMAC-SHA256(body)) under the workspace's key, which is HMAC-SHA256("webhook" NUL workspace) under the master key. */
enum { ALERT_SIGNATURE_BYTES = 64 };
bool alert_sign(struct slice master_key, struct slice workspace, struct slice body,
	char signature[static ALERT_SIGNATURE_BYTES]);

/* How long after the n-th failure, from 1, it is tried again; 0: not any more. */
uint64_t alert_pause_ns(unsigned failures);

#endif
