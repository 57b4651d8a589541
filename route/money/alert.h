/*
 * Alerts: the log, and a workspace's webhook, are told when a budget comes near its end and when it has got there; each
 * once in the budget's window, by the shard that counts it.
 */
#ifndef ROUTE_ALERT_H
#define ROUTE_ALERT_H

#include "route/money/budget.h"
#include "route/money/webhook.h"

/* Whose budget it is. */
struct alert_subject {
	const struct workspace_settings *workspace;
	const char *key_id, *team, *endpoint; /* of the call that got it there; the last two may be NULL */
};

/* After something was booked, or refused for want of room: tells what was reached just now. */
void alert_budget(struct webhook_shard *own, const struct alert_subject *subject, const struct budget_scope *scope,
	uint32_t day, const struct budget_refusal *refusal);

#endif
