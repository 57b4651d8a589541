/* The table of role and action, cell by cell: a line for each action, a column for each role. */
#include "route/tenancy/roles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
	enum admin_action action;
	const char *allowed; /* owner, admin, developer, billing, viewer */
} table[] = {
	{ACTION_CHANGE_TOKENS, "y...."},
	{ACTION_VIEW, "yyyyy"},
	{ACTION_VIEW_RECEIPTS, "yyyyy"},
	{ACTION_VIEW_CONTENT, "yyynn"},
	{ACTION_VIEW_TENANTS, "yyyyy"},
	{ACTION_VIEW_SPEND, "yyyyy"},
	{ACTION_VIEW_BALANCE, "yy.y."},
	{ACTION_VIEW_AUDIT, "yy..."},
	{ACTION_VIEW_TOKENS, "yy..."},
	{ACTION_CHANGE_KEYS, "yyy.."},
	{ACTION_CHANGE_TEAMS, "yy..."},
	{ACTION_CHANGE_WORKSPACES, "yy..."},
	{ACTION_CHANGE_PROJECTS, "yyy.."},
	{ACTION_CHANGE_CONNECTIONS, "yy..."},
	{ACTION_CHANGE_ROUTING, "yy..."},
	{ACTION_CHANGE_ALERTS, "yy.y."},
	{ACTION_CHANGE_BALANCE, "yy.y."},
	{ACTION_OPERATE, "yy..."},
};

static void each_cell(void **state)
{
	static const enum admin_role roles[] = {ROLE_OWNER, ROLE_ADMIN, ROLE_DEVELOPER, ROLE_BILLING, ROLE_VIEWER};

	(void)state;
	assert_int_equal(sizeof(table) / sizeof(table[0]), ACTION_COUNT);
	assert_int_equal(sizeof(roles) / sizeof(roles[0]), ROLE_COUNT);
	for (unsigned a = 0; a < ACTION_COUNT; a++) {
		assert_int_equal(table[a].action, a);
		for (unsigned r = 0; r < ROLE_COUNT; r++)
			if (role_may(roles[r], table[a].action) != (table[a].allowed[r] == 'y'))
				fail_msg("action %u, role %s", a, role_name(roles[r]));
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(role_name(ROLE_OWNER), "owner");
	assert_string_equal(role_name(ROLE_ADMIN), "admin");
	assert_string_equal(role_name(ROLE_DEVELOPER), "developer");
	assert_string_equal(role_name(ROLE_BILLING), "billing");
	assert_string_equal(role_name(ROLE_VIEWER), "viewer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
