/* The table of role and action: see roles.h. */
#include "route/tenancy/roles.h"

#include "route/settings/settings_tables.h"

#include <assert.h>

#define OWNER (1u << ROLE_OWNER)
#define ADMIN (OWNER | 1u << ROLE_ADMIN)
#define DEVELOPER (ADMIN | 1u << ROLE_DEVELOPER)
#define BILLING (ADMIN | 1u << ROLE_BILLING)
#define ALL (DEVELOPER | BILLING | 1u << ROLE_VIEWER)

static const unsigned char allowed[ACTION_COUNT] = {
	[ACTION_CHANGE_TOKENS] = OWNER,
	[ACTION_VIEW] = ALL,
	[ACTION_VIEW_RECEIPTS] = ALL,
	[ACTION_VIEW_CONTENT] = DEVELOPER,
	[ACTION_VIEW_TENANTS] = ALL,
	[ACTION_VIEW_SPEND] = ALL,
	[ACTION_VIEW_BALANCE] = BILLING,
	[ACTION_VIEW_AUDIT] = ADMIN,
	[ACTION_VIEW_TOKENS] = ADMIN,
	[ACTION_CHANGE_KEYS] = DEVELOPER,
	[ACTION_CHANGE_TEAMS] = ADMIN,
	[ACTION_CHANGE_WORKSPACES] = ADMIN,
	[ACTION_CHANGE_PROJECTS] = DEVELOPER,
	[ACTION_CHANGE_CONNECTIONS] = ADMIN,
	[ACTION_CHANGE_ROUTING] = ADMIN,
	[ACTION_CHANGE_ALERTS] = BILLING,
	[ACTION_CHANGE_BALANCE] = BILLING,
	[ACTION_OPERATE] = ADMIN,
};

static_assert(ROLE_COUNT <= 8, "a role is a bit of a byte");

bool role_may(enum admin_role role, enum admin_action action)
{
	assert(role < ROLE_COUNT && action < ACTION_COUNT);
	return allowed[action] >> role & 1;
}

const char *role_name(enum admin_role role)
{
	assert(role < ROLE_COUNT);
	return admin_role_names[role];
}
