/* Tables: plans, workspaces, teams, keys: who may spend how much. */
#include "route/settings/settings_tables.h"

static const char *const environment_names[] = {"prod", "dev", NULL};

/* In the order of enum key_scope's bits. */
static const char *const scope_names[] = {
	"chat", "responses", "embeddings", "moderations", "images", "audio", "models", "endpoints", "receipts", NULL};

#define ROW_LIMIT(n, m)                                                                                                \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(struct limit_settings, m), .max = INT64_C(1000000000000),  \
		.fallback = "0"                                                                                        \
	}

static const struct schema_field limit_fields[] = {
	ROW_LIMIT("rpm", rpm),
	ROW_LIMIT("rph", rph),
	ROW_LIMIT("rpd", rpd),
	ROW_LIMIT("tpm", tpm),
	ROW_LIMIT("concurrency", concurrency),
	ROW_BOOL("smooth", struct limit_settings, smooth, "false"),
};
const struct schema limit_schema = SCHEMA(limit_fields);

static const struct schema_field budget_fields[] = {
	ROW_USD("daily_usd", struct budget_settings, daily_nusd),
	ROW_USD("weekly_usd", struct budget_settings, weekly_nusd),
	ROW_USD("monthly_usd", struct budget_settings, monthly_nusd),
	ROW_USD("per_request_usd", struct budget_settings, per_request_nusd),
	ROW_INT("reserve_output_tokens", struct budget_settings, reserve_output_tokens, 1, 10000000, "1024"),
};
const struct schema budget_schema = SCHEMA(budget_fields);

#define ROW_LIMITS(s)                                                                                                  \
	{                                                                                                              \
		.name = "limits", .type = SCHEMA_OBJECT, .offset = offsetof(s, limits), .object = &limit_schema        \
	}
#define ROW_BUDGET(s)                                                                                                  \
	{                                                                                                              \
		.name = "budget", .type = SCHEMA_OBJECT, .offset = offsetof(s, budget), .object = &budget_schema       \
	}
#define ROW_NAME(n, s, m, d)                                                                                           \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(s, m), .check = check_name, .expected = EXPECTED_NAME,      \
		.fallback = (d)                                                                                        \
	}
#define ROW_ID(n, s, m)                                                                                                \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(s, m), .check = check_name, .expected = EXPECTED_NAME,      \
		.required = true                                                                                       \
	}
#define ROW_URL(n, s, m)                                                                                               \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(s, m), .check = check_url, .expected = EXPECTED_URL         \
	}

static const struct schema_field alert_fields[] = {
	ROW_INT("threshold_percent", struct workspace_settings, alert_threshold_percent, 1, 100, "80"),
	ROW_URL("webhook_url", struct workspace_settings, alert_webhook_url),
};
static const struct schema alert_schema = SCHEMA(alert_fields);

#define ROW_KEPT_NUMBER(n, m, hi, d)                                                                                   \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(struct workspace_settings, m), .min = 1, .max = (hi),      \
		.fallback = (d)                                                                                        \
	}
#define ROW_KEPT(n, d)                                                                                                 \
	{                                                                                                              \
		.name = #n, .type = SCHEMA_BOOL, MEMBER(struct workspace_settings, n), .fallback = (d)                 \
	}

static const struct schema_field retention_fields[] = {
	ROW_KEPT_NUMBER("receipts_days", receipts_days, 3650, "90"),
	ROW_INT("audit_days", struct workspace_settings, audit_days, 7, 365, "365"),
	ROW_KEPT(store_prompts, "false"),
	ROW_KEPT(store_responses, "false"),
	ROW_KEPT(conversation_store, "true"),
	ROW_KEPT_NUMBER("responses_ttl_seconds", responses_ttl_s, 31536000, "86400"),
};
static const struct schema retention_schema = SCHEMA(retention_fields);

static const struct schema_field auto_reload_fields[] = {
	ROW_USD("threshold_usd", struct workspace_settings, auto_reload_threshold_nusd),
	ROW_USD("amount_usd", struct workspace_settings, auto_reload_amount_nusd),
	ROW_URL("webhook_url", struct workspace_settings, auto_reload_webhook_url),
};
static const struct schema auto_reload_schema = SCHEMA(auto_reload_fields);

static const struct schema_field tag_budget_fields[] = {
	{.name = "tag",
		.type = SCHEMA_STRING,
		MEMBER(struct tag_budget_settings, tag),
		.check = check_tag,
		.expected = EXPECTED_TAG,
		.required = true},
	ROW_BUDGET(struct tag_budget_settings),
};
static const struct schema tag_budget_schema = SCHEMA(tag_budget_fields);

static const struct schema_field workspace_fields[] = {
	ROW_ID("id", struct workspace_settings, id),
	ROW_NAME("plan", struct workspace_settings, plan, "enterprise"),
	ROW_BUDGET(struct workspace_settings),
	ROW_LIMITS(struct workspace_settings),
	{.name = "tag_budgets",
		.type = SCHEMA_LIST,
		MEMBER(struct workspace_settings, tag_budgets),
		.count_offset = offsetof(struct workspace_settings, tag_budget_count),
		.item_size = sizeof(struct tag_budget_settings),
		.object = &tag_budget_schema,
		.max = TAG_BUDGETS_MAX,
		.expected = "a list of at most 8 maps { tag, budget }"},
	{.name = "platform_fee_percent",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct workspace_settings, platform_fee_ppm),
		.digits = 4,
		.max = 1000000,
		.fallback = "0"},
	{.name = "alerts", .type = SCHEMA_OBJECT, .object = &alert_schema},
	ROW_NETWORKS("allow_ips", struct workspace_settings, allow_ips),
	ROW_NAME("residency", struct workspace_settings, residency, NULL),
	{.name = "retention", .type = SCHEMA_OBJECT, .object = &retention_schema},
	{.name = "auto_reload", .type = SCHEMA_OBJECT, .object = &auto_reload_schema},
};
const struct schema workspace_schema = SCHEMA(workspace_fields);

static const struct schema_field team_fields[] = {
	ROW_ID("id", struct team_settings, id),
	ROW_NAME("workspace", struct team_settings, workspace, "default"),
	ROW_BUDGET(struct team_settings),
	ROW_LIMITS(struct team_settings),
};
const struct schema team_schema = SCHEMA(team_fields);

/* Secrets are first and what an operator switches is last: a declared key has no switch, and the admin API makes
 * secrets. */
enum { KEY_SECRET_FIELDS = 2, KEY_SWITCH_FIELDS = 1 };
static const struct schema_field key_fields[] = {
	{.name = "secret",
		.type = SCHEMA_PARSED,
		MEMBER(struct key_settings, secret_sha256),
		.parse = parse_secret,
		.expected = EXPECTED_SECRET,
		.secret = true},
	{.name = "secret_sha256",
		.type = SCHEMA_PARSED,
		MEMBER(struct key_settings, secret_sha256),
		.parse = parse_sha256_hex,
		.expected = EXPECTED_SHA256,
		.secret = true},
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct key_settings, name),
		.required = true,
		.check = check_label,
		.expected = EXPECTED_LABEL},
	ROW_NAME("workspace", struct key_settings, workspace, "default"),
	ROW_NAME("team", struct key_settings, team, NULL),
	{.name = "environment",
		.type = SCHEMA_STRING,
		MEMBER(struct key_settings, environment),
		.names = environment_names},
	{.name = "models",
		.type = SCHEMA_STRINGS,
		MEMBER(struct key_settings, models),
		.min = 1,
		.max = 256,
		.fallback = "*"},
	{.name = "endpoints",
		.type = SCHEMA_STRINGS,
		MEMBER(struct key_settings, endpoints),
		.min = 1,
		.max = 256,
		.fallback = "*"},
	{.name = "scopes",
		.type = SCHEMA_FLAGS,
		MEMBER(struct key_settings, scopes),
		.names = scope_names,
		.fallback = "chat responses embeddings moderations images audio models endpoints receipts"},
	ROW_LIMITS(struct key_settings),
	ROW_BUDGET(struct key_settings),
	ROW_NETWORKS("allow_ips", struct key_settings, allow_ips),
	{.name = "expires_at",
		.type = SCHEMA_PARSED,
		MEMBER(struct key_settings, expires_at_ns),
		.parse = parse_rfc3339,
		.print = print_time_or_null,
		.expected = EXPECTED_RFC3339},
	{.name = "tags",
		.type = SCHEMA_PAIRS,
		MEMBER(struct key_settings, tags),
		.count_offset = offsetof(struct key_settings, tag_count)},
	ROW_BOOL("disabled", struct key_settings, disabled, "false"),
};
enum { KEY_FIELDS = sizeof(key_fields) / sizeof(key_fields[0]) };
const struct schema key_schema = {key_fields, KEY_FIELDS - KEY_SWITCH_FIELDS};
const struct schema key_admin_schema = {key_fields + KEY_SECRET_FIELDS, KEY_FIELDS - KEY_SECRET_FIELDS};

const char *const admin_role_names[] = {"viewer", "billing", "developer", "admin", "owner", NULL};

static const struct schema_field token_fields[] = {
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct admin_token_settings, name),
		.required = true,
		.check = check_label,
		.expected = EXPECTED_LABEL},
	{.name = "role",
		.type = SCHEMA_ENUM,
		MEMBER(struct admin_token_settings, role),
		.required = true,
		.names = admin_role_names},
	ROW_NETWORKS("allow_ips", struct admin_token_settings, allow_ips),
	{.name = "expires_at",
		.type = SCHEMA_PARSED,
		MEMBER(struct admin_token_settings, expires_at_ns),
		.parse = parse_rfc3339,
		.print = print_time_or_null,
		.expected = EXPECTED_RFC3339},
};
const struct schema token_schema = SCHEMA(token_fields);

#define ROW_CONNECTION_SECRET(n)                                                                                       \
	{                                                                                                              \
		.name = #n, .type = SCHEMA_STRING, MEMBER(struct connection_settings, n), .check = check_secret,       \
		.expected = EXPECTED_SECRET, .secret = true                                                            \
	}
enum { CONNECTION_SECRETS = 4 };

/* What is written and never read comes first. */
static const struct schema_field connection_fields[] = {
	ROW_CONNECTION_SECRET(api_key),
	ROW_CONNECTION_SECRET(access_key_id),
	ROW_CONNECTION_SECRET(secret_access_key),
	ROW_CONNECTION_SECRET(session_token),
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct connection_settings, name),
		.required = true,
		.check = check_label,
		.expected = EXPECTED_LABEL},
	ROW_NAME("workspace", struct connection_settings, workspace, "default"),
	{.name = "provider",
		.type = SCHEMA_STRING,
		MEMBER(struct connection_settings, provider),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "region",
		.type = SCHEMA_STRING,
		MEMBER(struct connection_settings, region),
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "api_version",
		.type = SCHEMA_STRING,
		MEMBER(struct connection_settings, api_version),
		.check = check_name,
		.expected = EXPECTED_NAME},
	ROW_BOOL("disabled", struct connection_settings, disabled, "false"),
};
const struct schema connection_input_schema = SCHEMA(connection_fields);
const struct schema connection_schema = {connection_fields + CONNECTION_SECRETS,
	sizeof(connection_fields) / sizeof(connection_fields[0]) - CONNECTION_SECRETS};
