/*
 * Settings of the features above plain relaying: routing by rules, cache, guardrails, lockout, cluster, defined
 * endpoints. They are read and checked like all others; what a build cannot do is refused while it is loaded.
 */
#ifndef ROUTE_SETTINGS_FEATURES_H
#define ROUTE_SETTINGS_FEATURES_H

#include "core/config_values.h"
#include "core/zone.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum route_priority { PRIORITY_COST, PRIORITY_LATENCY, PRIORITY_QUALITY };
enum route_bucket { BUCKET_SIMPLE, BUCKET_STANDARD, BUCKET_COMPLEX };
enum { ROUTE_BUCKETS = 3 };

struct comparison_settings { /* -1: not asked */
	int64_t gt, gte, lt, lte, eq;
};

struct day_span { /* minutes since midnight; from > to spans midnight; they are never the same */
	uint16_t from_minute, to_minute;
	const struct zone *zone; /* NULL: UTC */
	const char *zone_name;   /* likewise */
};

struct rule_settings {
	struct comparison_settings input_tokens, monthly_spend_percent;
	int8_t has_schema, has_tools, has_images; /* 0, 1; -1: either */
	int8_t bucket;                            /* enum route_bucket; -1: any */
	bool has_time_of_day;
	struct day_span time_of_day;
	char *model;  /* as asked for; NULL: any */
	char *region; /* of the node; NULL: any */
	unsigned tag_count;
	struct named_value *tags;
	char *use_model;     /* NULL: as asked for */
	int8_t use_priority; /* enum route_priority; -1: as asked for */
};

struct routing_features {
	enum route_priority default_priority;
	uint32_t quality_threshold_milli, max_latency_ms, shadow_percent;
	struct strings allowed_providers, blocked_providers, allowed_models, blocked_models;
	bool stream_recovery_continue;
	struct {
		uint32_t consecutive_failures, error_rate_milli, min_requests;
		uint64_t window_ns, open_ns;
	} breaker;
	bool hedge;
	uint32_t hedge_after_percentile;
	unsigned rule_count;
	struct rule_settings *rules;
};

struct cache_settings {
	bool enabled, semantic;
	uint64_t ttl_s, max_bytes;
	struct strings exclude_models;
	uint32_t similarity_threshold_ppm, semantic_entries_max;
	char *embedding_model;
};

enum pii_action { PII_REDACT, PII_BLOCK, PII_FLAG };
enum pii_type { PII_EMAIL = 1, PII_PHONE = 2, PII_SSN = 4, PII_CREDIT_CARD = 8, PII_API_KEY = 16 };

struct pii_pattern {
	char *name, *pattern;
};

struct guardrail_settings {
	bool pii_detection, pii_responses;
	enum pii_action pii_action;
	uint32_t pii_types; /* enum pii_type */
	unsigned pii_custom_count;
	struct pii_pattern *pii_custom;
};

struct lockout_settings {
	uint32_t failures;
	uint64_t window_ns, lock_ns;
};

enum cluster_budget { CLUSTER_BUDGET_STRICT, CLUSTER_BUDGET_BOUNDED, CLUSTER_BUDGET_OBSERVE };
enum cluster_cut_off { CLUSTER_SHARE, CLUSTER_DENY, CLUSTER_OPEN };

struct cluster_settings {
	bool enabled, has_advertise;
	char *node, *home;
	struct sockaddr_storage bind, advertise;
	struct strings join, keys;
	uint32_t max_nodes, epsilon_percent, lease_wait_ms, datagram_bytes;
	uint64_t max_stale_ns;
	enum cluster_budget budget_mode;
	enum cluster_cut_off limits_cut_off;
};

struct endpoint_settings {
	char *slug, *model, *system_prompt, *user_template;
	char *input_schema, *output_schema; /* JSON Schema; NULL: none */
	bool streaming, sessions;
	uint64_t session_ttl_s;
	uint32_t session_messages_max, session_tokens_max;
	struct strings failover;                                         /* provider/credential */
	uint64_t rpm, rph;                                               /* 0: none */
	uint64_t request_tokens_max;                                     /* 0: none */
	int64_t daily_nusd, weekly_nusd, monthly_nusd, per_request_nusd; /* -1: none */
	uint32_t reserve_output_tokens;
	unsigned rule_count;
	struct rule_settings *rules;
};

struct project_settings {
	char *id, *workspace;
	unsigned endpoint_count;
	struct endpoint_settings *endpoints;
};

#endif
