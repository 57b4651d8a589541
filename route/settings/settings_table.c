/* Tables: the root, and what concerns this node: listeners, administration, log, HTTP. */
#include "core/kconfig.h"
#include "proto/http/http.h"
#include "route/gateway/gateway.h"
#include "route/settings/settings_tables.h"

static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const durabilities[] = {"process", "power", "relaxed", NULL};  /* enum durability */
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL}; /* enum log_level */
static const char *const log_formats[] = {"json", "human", NULL};                 /* enum log_format */

static const struct schema_field key_pair_fields[] = {
	{.name = "cert",
		.type = SCHEMA_STRING,
		MEMBER(struct key_pair_settings, cert),
		.min = 1,
		.max = 4096,
		.required = true},
	{.name = "key",
		.type = SCHEMA_STRING,
		MEMBER(struct key_pair_settings, key),
		.min = 1,
		.max = 4096,
		.required = true},
};
static const struct schema key_pair_schema = SCHEMA(key_pair_fields);

static const struct schema_field tls_fields[] = {
	{.name = "cert",
		.type = SCHEMA_STRING,
		MEMBER(struct listener_settings, tls_cert),
		.min = 1,
		.max = 4096,
		.required = true},
	{.name = "key",
		.type = SCHEMA_STRING,
		MEMBER(struct listener_settings, tls_key),
		.min = 1,
		.max = 4096,
		.required = true},
	{.name = "min_version",
		.type = SCHEMA_STRING,
		MEMBER(struct listener_settings, tls_min_version),
		.names = tls_versions,
		.fallback = "1.3"},
	ROW_TEXT("client_ca", struct listener_settings, tls_client_ca),
	ROW_ITEMS("certificates", SCHEMA_LIST, struct listener_settings, tls_more, tls_more_count, key_pair_schema),
};
static const struct schema tls_schema = SCHEMA(tls_fields);

static const struct schema_field listener_fields[] = {
	{.name = "address",
		.type = SCHEMA_PARSED,
		MEMBER(struct listener_settings, address),
		.parse = parse_address,
		.fallback = "0.0.0.0:8080",
		.expected = EXPECTED_ADDRESS},
	{.name = "tls",
		.type = SCHEMA_OBJECT,
		.object = &tls_schema,
		PRESENT(struct listener_settings, has_tls),
		.build = CONFIG(TLS) ? SCHEMA_BUILT : SCHEMA_LACKS},
};
static const struct schema listener_schema = SCHEMA(listener_fields);

static const struct schema_field admin_fields[] = {
	{.name = "master_key",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, admin_master_key),
		.min = 16,
		.max = 256,
		.required = true,
		.secret = true,
		.expected = "16..256 bytes"},
	{.name = "address",
		.type = SCHEMA_PARSED,
		MEMBER(struct settings, admin_address),
		.parse = parse_address,
		PRESENT(struct settings, admin_has_address),
		.expected = EXPECTED_ADDRESS},
	ROW_NETWORKS("allow_ips", struct settings, admin_allow_ips),
};
static const struct schema admin_schema = SCHEMA(admin_fields);

static const struct schema_field log_fields[] = {
	{.name = "level",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, log_level),
		.names = log_levels,
		.fallback = "info"},
	{.name = "format",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, log_format),
		.names = log_formats,
		.fallback = "json"},
	ROW_BOOL("access", struct settings, log_access, "true"),
};
static const struct schema log_schema = SCHEMA(log_fields);

static const struct schema_field http_fields[] = {
	ROW_INT("max_head_bytes", struct settings, http.max_head_bytes, 1024, 1 << 20, "32768"),
	ROW_INT("max_headers", struct settings, http.max_headers, 8, HTTP_HEADERS_MAX, "100"),
	ROW_INT("max_body_bytes", struct settings, http.max_body_bytes, 1024, 1 << 30, "33554432"),
	ROW_MS("head_timeout_ms", struct settings, http.head_timeout_ns, 1, "10000"),
	ROW_MS("body_timeout_ms", struct settings, http.body_timeout_ns, 1, "30000"),
	ROW_MS("keepalive_timeout_ms", struct settings, http.keepalive_timeout_ns, 1, "75000"),
	ROW_MS("write_stall_timeout_ms", struct settings, http.write_stall_timeout_ns, 1, "30000"),
	ROW_INT("max_connections", struct settings, http.max_connections, 1, 10000000, "100000"),
	ROW_INT("max_connections_per_ip", struct settings, http.max_connections_per_ip, 1, 10000000, "10000"),
	ROW_INT("max_tls_handshakes_per_second", struct settings, http.max_tls_handshakes_per_s, 1, 10000000, "1000"),
	ROW_INT("max_tls_handshakes_per_second_per_ip", struct settings, http.max_tls_handshakes_per_s_per_ip, 1,
		10000000, "250"),
	ROW_NETWORKS("trusted_proxies", struct settings, http.trusted_proxies),
	{.name = "limits_per_ip",
		.type = SCHEMA_OBJECT,
		.offset = offsetof(struct settings, http.limits_per_ip),
		.object = &limit_schema},
	ROW_MS("keepalive_ms", struct settings, http.keepalive_ns, 1, "15000"),
};
static const struct schema http_schema = SCHEMA(http_fields);

static const struct schema_field root_fields[] = {
	ROW_ITEMS("listen", SCHEMA_LIST, struct settings, listeners, listener_count, listener_schema),
	ROW_PART("admin", admin_schema),
	{.name = "data_dir",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, data_dir),
		.min = 1,
		.max = 4096,
		.fallback = "./data"},
	{.name = "durability",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, durability),
		.names = durabilities,
		.fallback = "process"},
	ROW_INT("shards", struct settings, shards, 0, GATEWAY_SHARDS_MAX, "0"),
	{.name = "region",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, region),
		.check = check_name,
		.expected = EXPECTED_NAME,
		.fallback = "eu-west"},
	ROW_PART("log", log_schema),
	ROW_PART("http", http_schema),
	ROW_MS("drain_timeout_ms", struct settings, drain_timeout_ns, 0, "30000"),
	ROW_ITEMS("providers", SCHEMA_LIST, struct settings, providers, provider_count, provider_schema),
	ROW_ITEMS("models", SCHEMA_LIST, struct settings, models, model_count, model_schema),
	{.name = "plans",
		.type = SCHEMA_NAMED,
		MEMBER(struct settings, plans),
		.count_offset = offsetof(struct settings, plan_count),
		.item_size = sizeof(struct plan_settings),
		.item_offset = offsetof(struct plan_settings, limits),
		.object = &limit_schema},
	ROW_ITEMS("workspaces", SCHEMA_LIST, struct settings, workspaces, workspace_count, workspace_schema),
	ROW_ITEMS("teams", SCHEMA_LIST, struct settings, teams, team_count, team_schema),
	ROW_ITEMS("keys", SCHEMA_LIST, struct settings, keys, key_count, key_schema),
	ROW_PART("routing", routing_schema),
	ROW_PART("cache", cache_schema),
	ROW_PART("guardrails", guardrail_schema),
	ROW_PART("lockout", lockout_schema),
	ROW_PART("telemetry", telemetry_schema),
	ROW_PART("cluster", cluster_schema),
	ROW_ITEMS("projects", SCHEMA_LIST, struct settings, projects, project_count, project_schema),
};
const struct schema settings_schema = SCHEMA(root_fields);
