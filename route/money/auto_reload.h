/*
 * Auto-reload: a workspace's balance that falls below its threshold asks the workspace's webhook to charge, and is
 * credited when that says yes. The webhook is told an id, which is the number that the transaction will have: so a
 * charge that was made and not credited, because the gateway ended in between, is asked for again under the same id,
 * and the transaction is written once.
 */
#ifndef ROUTE_AUTO_RELOAD_H
#define ROUTE_AUTO_RELOAD_H

#include "route/money/budget.h"
#include "route/money/webhook.h"

/* On the shard that counts the balance, after it changed or was too small. */
void auto_reload_look(
	struct webhook_shard *own, const struct workspace_settings *workspace, struct balance_meter *balance);

#endif
