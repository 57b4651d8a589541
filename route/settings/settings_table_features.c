/* Tables: routing with its rules, cache, guardrails, lockout, telemetry, cluster, projects with their endpoints. */
#include "route/endpoints/template.h"
#include "route/settings/settings_tables.h"

static const char *const priority_names[] = {"cost", "latency", "quality", NULL};  /* enum route_priority */
static const char *const bucket_names[] = {"simple", "standard", "complex", NULL}; /* enum route_bucket */
static const char *const recovery_names[] = {"none", "continue", NULL};
static const char *const pii_actions[] = {"redact", "block", "flag", NULL}; /* enum pii_action */
static const char *const pii_types[] = {
	"email", "phone", "ssn", "credit_card", "api_key", NULL};                 /* enum pii_type's bits */
static const char *const budget_modes[] = {"strict", "bounded", "observe", NULL}; /* enum cluster_budget */
static const char *const cut_off_modes[] = {"share", "deny", "open", NULL};       /* enum cluster_cut_off */

#define ROW_COMPARE(n)                                                                                                 \
	{                                                                                                              \
		.name = #n, .type = SCHEMA_INTEGER, MEMBER(struct comparison_settings, n), .max = INT32_MAX,           \
		.absent = -1                                                                                           \
	}

static const struct schema_field comparison_fields[] = {
	ROW_COMPARE(gt),
	ROW_COMPARE(gte),
	ROW_COMPARE(lt),
	ROW_COMPARE(lte),
	ROW_COMPARE(eq),
};
static const struct schema comparison_schema = SCHEMA(comparison_fields);

static const struct schema_field when_fields[] = {
	{.name = "input_tokens",
		.type = SCHEMA_OBJECT,
		.offset = offsetof(struct rule_settings, input_tokens),
		.object = &comparison_schema},
	{.name = "has_schema", .type = SCHEMA_BOOL, MEMBER(struct rule_settings, has_schema), .absent = -1},
	{.name = "has_tools", .type = SCHEMA_BOOL, MEMBER(struct rule_settings, has_tools), .absent = -1},
	{.name = "has_images", .type = SCHEMA_BOOL, MEMBER(struct rule_settings, has_images), .absent = -1},
	{.name = "monthly_spend_pct",
		.type = SCHEMA_OBJECT,
		.offset = offsetof(struct rule_settings, monthly_spend_percent),
		.object = &comparison_schema},
	{.name = "time_of_day",
		.type = SCHEMA_PARSED,
		MEMBER(struct rule_settings, time_of_day),
		.parse = parse_day_span,
		.print = print_day_span,
		PRESENT(struct rule_settings, has_time_of_day),
		.expected = EXPECTED_DAY_SPAN},
	ROW_TEXT("model", struct rule_settings, model),
	ROW_TEXT("region", struct rule_settings, region),
	{.name = "key_tag",
		.type = SCHEMA_PAIRS,
		MEMBER(struct rule_settings, tags),
		.count_offset = offsetof(struct rule_settings, tag_count)},
	{.name = "bucket",
		.type = SCHEMA_ENUM,
		MEMBER(struct rule_settings, bucket),
		.names = bucket_names,
		.absent = -1},
};
static const struct schema when_schema = SCHEMA(when_fields);

static const struct schema_field use_fields[] = {
	ROW_TEXT("model", struct rule_settings, use_model),
	{.name = "priority",
		.type = SCHEMA_ENUM,
		MEMBER(struct rule_settings, use_priority),
		.names = priority_names,
		.absent = -1},
};
static const struct schema use_schema = SCHEMA(use_fields);

static const struct schema_field rule_fields[] = {
	ROW_PART("when", when_schema),
	{.name = "use", .type = SCHEMA_OBJECT, .object = &use_schema, .required = true},
};
static const struct schema rule_schema = SCHEMA(rule_fields);

#define MORE(m) MEMBER(struct settings, routing.more.m)

static const struct schema_field retry_fields[] = {
	ROW_INT("max_attempts", struct settings, routing.max_attempts, 1, 20, "3"),
	{.name = "budget_percent",
		.type = SCHEMA_INTEGER,
		MEMBER(struct settings, routing.retry_budget_percent),
		.max = 100,
		.fallback = "20"},
};
static const struct schema retry_schema = SCHEMA(retry_fields);

static const struct schema_field breaker_fields[] = {
	ROW_INT("consecutive_failures", struct settings, routing.more.breaker.consecutive_failures, 1, 1000000, "5"),
	{.name = "error_rate",
		.type = SCHEMA_DECIMAL,
		MORE(breaker.error_rate_milli),
		.digits = 3,
		.max = 1000,
		.fallback = "0.5"},
	ROW_INT("min_requests", struct settings, routing.more.breaker.min_requests, 1, 1000000, "20"),
	ROW_MS("window_ms", struct settings, routing.more.breaker.window_ns, 1, "10000"),
	ROW_MS("open_ms", struct settings, routing.more.breaker.open_ns, 1, "30000"),
};
static const struct schema breaker_schema = SCHEMA(breaker_fields);

static const struct schema_field hedge_fields[] = {
	{.name = "enabled", .type = SCHEMA_BOOL, MORE(hedge), .fallback = "false"},
	{.name = "after_percentile",
		.type = SCHEMA_INTEGER,
		MORE(hedge_after_percentile),
		.min = 1,
		.max = 99,
		.fallback = "95"},
};
static const struct schema hedge_schema = SCHEMA(hedge_fields);

static const struct schema_field routing_fields[] = {
	{.name = "default_model",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, routing.default_model),
		.check = check_model_id,
		.expected = EXPECTED_MODEL_ID,
		.fallback = "auto"},
	{.name = "default_priority",
		.type = SCHEMA_ENUM,
		MORE(default_priority),
		.names = priority_names,
		.fallback = "cost"},
	{.name = "quality_threshold",
		.type = SCHEMA_DECIMAL,
		MORE(quality_threshold_milli),
		.digits = 3,
		.max = 1000,
		.fallback = "0.8"},
	{.name = "max_latency_ms",
		.type = SCHEMA_INTEGER,
		MORE(max_latency_ms),
		.min = 1,
		.max = 86400000,
		.fallback = "3000"},
	ROW_NAMES("allowed_providers", struct settings, routing.more.allowed_providers),
	ROW_NAMES("blocked_providers", struct settings, routing.more.blocked_providers),
	ROW_NAMES("allowed_models", struct settings, routing.more.allowed_models),
	ROW_NAMES("blocked_models", struct settings, routing.more.blocked_models),
	{.name = "baseline_model",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, routing.baseline_model),
		.check = check_model_id,
		.expected = EXPECTED_MODEL_ID,
		.fallback = "openai/gpt-4o"},
	ROW_BOOL("fallback_enabled", struct settings, routing.fallback_enabled, "true"),
	{.name = "score_always",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, routing.score_always),
		.fallback = "false"},
	{.name = "stream_recovery",
		.type = SCHEMA_ENUM,
		MORE(stream_recovery_continue),
		.names = recovery_names,
		.fallback = "none"},
	{.name = "shadow_percent", .type = SCHEMA_INTEGER, MORE(shadow_percent), .max = 100, .fallback = "0"},
	ROW_NAMES("fallback_chain", struct settings, routing.fallback_chain),
	ROW_PART("retries", retry_schema),
	ROW_PART("breaker", breaker_schema),
	ROW_PART("hedge", hedge_schema),
	{.name = "rules",
		.type = SCHEMA_LIST,
		MORE(rules),
		.count_offset = offsetof(struct settings, routing.more.rule_count),
		.item_size = sizeof(struct rule_settings),
		.object = &rule_schema},
};
const struct schema routing_schema = SCHEMA(routing_fields);

static const struct schema_field semantic_fields[] = {
	{.name = "enabled",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, cache.semantic),
		.fallback = "false",
		.build = SCHEMA_LACKS},
	{.name = "similarity_threshold",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct settings, cache.similarity_threshold_ppm),
		.digits = 6,
		.max = 1000000,
		.fallback = "0.95"},
	ROW_TEXT("embedding_model", struct settings, cache.embedding_model),
	ROW_INT("max_entries", struct settings, cache.semantic_entries_max, 1, 100000000, "100000"),
};
static const struct schema semantic_schema = SCHEMA(semantic_fields);

static const struct schema_field cache_fields[] = {
	{.name = "cache_enabled",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, cache.enabled),
		.fallback = "false",
		.build = SCHEMA_LACKS},
	ROW_INT("ttl_seconds", struct settings, cache.ttl_s, 1, 31536000, "3600"),
	ROW_NAMES("exclude_models", struct settings, cache.exclude_models),
	ROW_INT("max_bytes", struct settings, cache.max_bytes, 0, INT64_C(1) << 44, "1073741824"),
	ROW_PART("semantic", semantic_schema),
};
const struct schema cache_schema = SCHEMA(cache_fields);

static const struct schema_field pattern_fields[] = {
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct pii_pattern, name),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "pattern",
		.type = SCHEMA_STRING,
		MEMBER(struct pii_pattern, pattern),
		.required = true,
		.min = 1,
		.max = 1024},
};
static const struct schema pattern_schema = SCHEMA(pattern_fields);

static const struct schema_field guardrail_fields[] = {
	{.name = "pii_detection_enabled",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, guardrails.pii_detection),
		.fallback = "false",
		.build = SCHEMA_LACKS},
	{.name = "pii_action",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, guardrails.pii_action),
		.names = pii_actions,
		.fallback = "redact"},
	{.name = "pii_types",
		.type = SCHEMA_FLAGS,
		MEMBER(struct settings, guardrails.pii_types),
		.names = pii_types,
		.fallback = "email phone ssn credit_card api_key"},
	ROW_ITEMS("pii_custom", SCHEMA_LIST, struct settings, guardrails.pii_custom, guardrails.pii_custom_count,
		pattern_schema),
	{.name = "pii_responses",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, guardrails.pii_responses),
		.fallback = "false",
		.build = SCHEMA_LACKS},
};
const struct schema guardrail_schema = SCHEMA(guardrail_fields);

#define ROW_SECONDS(n, m, d)                                                                                           \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(struct settings, m), .min = 1, .max = 31536000,            \
		.unit = 1000000000, .fallback = (d)                                                                    \
	}

static const struct schema_field lockout_fields[] = {
	{.name = "failures",
		.type = SCHEMA_INTEGER,
		MEMBER(struct settings, lockout.failures),
		.max = 1000000,
		.fallback = "10"},
	ROW_SECONDS("window_s", lockout.window_ns, "60"),
	ROW_SECONDS("lock_s", lockout.lock_ns, "900"),
};
const struct schema lockout_schema = SCHEMA(lockout_fields);

static const struct schema_field telemetry_fields[] = {
	{.name = "otlp_endpoint",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, otlp_endpoint),
		.check = check_url,
		.expected = EXPECTED_URL,
		.build = SCHEMA_LACKS},
	ROW_BOOL("metrics", struct settings, metrics, "true"),
};
const struct schema telemetry_schema = SCHEMA(telemetry_fields);

static const struct schema_field cluster_fields[] = {
	{.name = "enabled",
		.type = SCHEMA_BOOL,
		MEMBER(struct settings, cluster.enabled),
		.fallback = "false",
		.build = SCHEMA_LACKS},
	{.name = "node",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, cluster.node),
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "bind",
		.type = SCHEMA_PARSED,
		MEMBER(struct settings, cluster.bind),
		.parse = parse_address,
		.fallback = "0.0.0.0:7946",
		.expected = EXPECTED_ADDRESS},
	{.name = "advertise",
		.type = SCHEMA_PARSED,
		MEMBER(struct settings, cluster.advertise),
		.parse = parse_address,
		PRESENT(struct settings, cluster.has_advertise),
		.expected = EXPECTED_ADDRESS},
	{.name = "join",
		.type = SCHEMA_STRINGS,
		MEMBER(struct settings, cluster.join),
		.check = check_peer,
		.expected = EXPECTED_PEER},
	{.name = "keys",
		.type = SCHEMA_STRINGS,
		MEMBER(struct settings, cluster.keys),
		.min = 1,
		.max = 256,
		.secret = true},
	{.name = "home",
		.type = SCHEMA_STRING,
		MEMBER(struct settings, cluster.home),
		.check = check_name,
		.expected = EXPECTED_NAME},
	ROW_INT("max_nodes", struct settings, cluster.max_nodes, 1, 1024, "16"),
	{.name = "budget_mode",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, cluster.budget_mode),
		.names = budget_modes,
		.fallback = "strict"},
	ROW_INT("epsilon_percent", struct settings, cluster.epsilon_percent, 0, 100, "2"),
	{.name = "limits_cut_off",
		.type = SCHEMA_ENUM,
		MEMBER(struct settings, cluster.limits_cut_off),
		.names = cut_off_modes,
		.fallback = "share"},
	{.name = "max_stale_s",
		.type = SCHEMA_INTEGER,
		MEMBER(struct settings, cluster.max_stale_ns),
		.max = 31536000,
		.unit = 1000000000,
		.fallback = "0"},
	ROW_INT("lease_wait_ms", struct settings, cluster.lease_wait_ms, 0, 60000, "300"),
	ROW_INT("datagram_bytes", struct settings, cluster.datagram_bytes, 512, 65507, "1200"),
};
const struct schema cluster_schema = SCHEMA(cluster_fields);

static const struct schema_field session_fields[] = {
	ROW_BOOL("enabled", struct endpoint_settings, sessions, "false"),
	ROW_INT("ttl_seconds", struct endpoint_settings, session_ttl_s, 1, 31536000, "3600"),
	ROW_INT("max_messages", struct endpoint_settings, session_messages_max, 1, 100000, "50"),
	ROW_INT("max_tokens", struct endpoint_settings, session_tokens_max, 1, 100000000, "8000"),
};
static const struct schema session_schema = SCHEMA(session_fields);

static const struct schema_field endpoint_limit_fields[] = {
	ROW_INT("rpm", struct endpoint_settings, rpm, 0, INT32_MAX, "0"),
	ROW_INT("rph", struct endpoint_settings, rph, 0, INT32_MAX, "0"),
};
static const struct schema endpoint_limit_schema = SCHEMA(endpoint_limit_fields);

static const struct schema_field endpoint_budget_fields[] = {
	ROW_INT("max_tokens_per_request", struct endpoint_settings, request_tokens_max, 1, INT32_MAX, NULL),
	ROW_USD("daily_usd", struct endpoint_settings, daily_nusd),
	ROW_USD("weekly_usd", struct endpoint_settings, weekly_nusd),
	ROW_USD("monthly_usd", struct endpoint_settings, monthly_nusd),
	ROW_USD("per_request_usd", struct endpoint_settings, per_request_nusd),
	ROW_INT("reserve_output_tokens", struct endpoint_settings, reserve_output_tokens, 1, 10000000, "1024"),
};
static const struct schema endpoint_budget_schema = SCHEMA(endpoint_budget_fields);

#define ROW_TEMPLATE(n, m)                                                                                             \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(struct endpoint_settings, m), .check = template_check,      \
		.expected = EXPECTED_TEMPLATE                                                                          \
	}

static const struct schema_field endpoint_fields[] = {
	{.name = "slug",
		.type = SCHEMA_STRING,
		MEMBER(struct endpoint_settings, slug),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "model",
		.type = SCHEMA_STRING,
		MEMBER(struct endpoint_settings, model),
		.check = check_model_id,
		.expected = EXPECTED_MODEL_ID,
		.fallback = "auto"},
	ROW_TEMPLATE("system_prompt", system_prompt),
	ROW_TEMPLATE("user_template", user_template),
	{.name = "input_schema", .type = SCHEMA_ANY, MEMBER(struct endpoint_settings, input_schema)},
	{.name = "output_schema", .type = SCHEMA_ANY, MEMBER(struct endpoint_settings, output_schema)},
	ROW_BOOL("streaming_enabled", struct endpoint_settings, streaming, "true"),
	ROW_PART("sessions", session_schema),
	ROW_NAMES("failover", struct endpoint_settings, failover),
	ROW_PART("limits", endpoint_limit_schema),
	ROW_PART("budget", endpoint_budget_schema),
	ROW_ITEMS("rules", SCHEMA_LIST, struct endpoint_settings, rules, rule_count, rule_schema),
};
const struct schema endpoint_schema = SCHEMA(endpoint_fields);

static const struct schema_field project_fields[] = {
	{.name = "id",
		.type = SCHEMA_STRING,
		MEMBER(struct project_settings, id),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "workspace",
		.type = SCHEMA_STRING,
		MEMBER(struct project_settings, workspace),
		.check = check_name,
		.expected = EXPECTED_NAME,
		.fallback = "default"},
	{.name = "endpoints",
		.type = SCHEMA_LIST,
		MEMBER(struct project_settings, endpoints),
		.count_offset = offsetof(struct project_settings, endpoint_count),
		.item_size = sizeof(struct endpoint_settings),
		.object = &endpoint_schema},
};
const struct schema project_schema = SCHEMA(project_fields);
