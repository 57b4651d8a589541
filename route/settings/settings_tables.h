/* The tables of the configuration: the contract's fields, types, ranges and defaults. Data; the walk is core/schema.h.
 */
#ifndef ROUTE_SETTINGS_TABLES_H
#define ROUTE_SETTINGS_TABLES_H

#include "core/schema.h"
#include "route/settings/settings.h"
#include "route/settings/settings_text.h"

/* All of it: into struct settings. */
extern const struct schema settings_schema;

/* Parts that several tables share, or that another file holds. */
extern const struct schema provider_schema, model_schema;
extern const struct schema limit_schema, budget_schema, workspace_schema, team_schema, key_schema, key_admin_schema,
	token_schema, connection_schema, connection_input_schema;
extern const struct schema routing_schema, cache_schema, guardrail_schema, lockout_schema, telemetry_schema,
	cluster_schema, project_schema, endpoint_schema; /* routing, cache ... cluster: offsets in struct settings */

extern const char *const provider_kind_names[], *const admin_role_names[];

/* Where a member lies in its struct. */
#define MEMBER(s, m) .offset = offsetof(s, m), .size = sizeof(((s *)NULL)->m)
#define PRESENT(s, m) .present_at = offsetof(s, m) + 1

/* Rows that come often. */
#define ROW_TEXT(n, s, m)                                                                                              \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(s, m), .min = 1, .max = 4096                                \
	}
#define ROW_BOOL(n, s, m, d)                                                                                           \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_BOOL, MEMBER(s, m), .fallback = (d)                                        \
	}
#define ROW_INT(n, s, m, lo, hi, d)                                                                                    \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(s, m), .min = (lo), .max = (hi), .fallback = (d)           \
	}
#define ROW_MS(n, s, m, lo, d)                                                                                         \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(s, m), .min = (lo), .max = 86400000, .unit = 1000000,      \
		.fallback = (d)                                                                                        \
	}
#define ROW_USD(n, s, m)                                                                                               \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_DECIMAL, MEMBER(s, m), .digits = 9, .max = 1000000000000000000,            \
		.absent = -1                                                                                           \
	}
#define ROW_NETWORKS(n, s, m)                                                                                          \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRINGS, MEMBER(s, m), .check = check_network,                             \
		.expected = EXPECTED_NETWORK                                                                           \
	}
#define ROW_NAMES(n, s, m)                                                                                             \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRINGS, MEMBER(s, m), .min = 1, .max = 256                                \
	}
#define ROW_PART(n, part)                                                                                              \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_OBJECT, .object = &(part)                                                  \
	}
#define ROW_ITEMS(n, t, s, m, c, table)                                                                                \
	{                                                                                                              \
		.name = (n), .type = (t), MEMBER(s, m), .count_offset = offsetof(s, c),                                \
		.item_size = sizeof(*((s *)NULL)->m), .object = &(table)                                               \
	}

#endif
