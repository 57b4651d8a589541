/* What each role of the admin API may do: one table, which the routes' rows refer to. Pure. */
#ifndef ROUTE_ROLES_H
#define ROUTE_ROLES_H

#include "route/settings/settings.h"

enum admin_action {
	ACTION_CHANGE_TOKENS, /* first, and its owner's alone: what a route forgets to say is the strictest */
	ACTION_VIEW,          /* status, deployments, metrics, routing, cluster */
	ACTION_VIEW_RECEIPTS,
	ACTION_VIEW_CONTENT, /* prompts and answers that were kept */
	ACTION_VIEW_TENANTS, /* keys, teams, workspaces */
	ACTION_VIEW_SPEND,
	ACTION_VIEW_BALANCE,
	ACTION_VIEW_AUDIT,
	ACTION_VIEW_TOKENS,
	ACTION_CHANGE_KEYS,
	ACTION_CHANGE_TEAMS,
	ACTION_CHANGE_WORKSPACES,
	ACTION_CHANGE_PROJECTS,
	ACTION_CHANGE_CONNECTIONS,
	ACTION_CHANGE_ROUTING, /* routing, cache, guardrails, recommendations */
	ACTION_CHANGE_ALERTS,
	ACTION_CHANGE_BALANCE, /* deposits, refunds */
	ACTION_OPERATE,        /* deployments, drain, reload */
	ACTION_COUNT
};

bool role_may(enum admin_role role, enum admin_action action);
const char *role_name(enum admin_role role);

#endif
