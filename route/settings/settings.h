/*
 * What an operator configured, typed and checked: the documented configuration as structs. Loaded from YAML by
 * settings_load(), read-only afterwards, shared by all shards, replaced whole on reload. Strings are NUL-terminated and
 * belong to the settings.
 */
#ifndef ROUTE_SETTINGS_H
#define ROUTE_SETTINGS_H

#include "core/config_values.h"
#include "core/log.h"
#include "core/slice.h"
#include "route/settings/settings_features.h"
#include "store/store.h"

#include <sys/socket.h>

enum provider_kind {
	PROVIDER_OPENAI,
	PROVIDER_ANTHROPIC,
	PROVIDER_GEMINI,
	PROVIDER_MISTRAL,
	PROVIDER_COHERE,
	PROVIDER_GROQ,
	PROVIDER_TOGETHER,
	PROVIDER_BEDROCK,
	PROVIDER_AZURE,
	PROVIDER_OPENAI_COMPATIBLE,
	PROVIDER_KIND_COUNT
};

struct listener_settings {
	struct sockaddr_storage address;
	bool has_tls;
	char *tls_cert, *tls_key, *tls_min_version, *tls_client_ca;
	unsigned tls_more_count; /* certificates for other names */
	struct key_pair_settings {
		char *cert, *key;
	} * tls_more;
};

struct limit_settings {
	uint64_t rpm, rph, rpd, tpm, concurrency; /* 0: none */
	bool smooth;
};

struct credential_settings {
	char *name, *api_key;
	char *access_key_id, *secret_access_key, *session_token, *region; /* bedrock */
	char *api_version; /* of a connection at azure; NULL: the provider's */
	unsigned weight;
	struct limit_settings limits; /* rpm and tpm alone */
	const char *workspace;        /* whose own it is, and before others for it; NULL: for everybody */
};

struct provider_settings {
	char *name, *base_url, *region, *api_version;
	enum provider_kind kind;
	unsigned credential_count;
	struct credential_settings *credentials;
	uint64_t connect_ns, head_ns, first_token_ns, idle_ns, total_ns; /* head_ns 0: total_ns */
	uint32_t max_concurrency;
	char *tls_ca, *tls_server_name;
	bool tls_insecure;
	bool has_gpu;
	int64_t gpu_price_per_hour_nusd;
	uint32_t gpu_max_concurrency;
	/* Derived from base_url. */
	char *host, *path_prefix; /* prefix without the last "/" */
	uint16_t port;
	bool tls;
};

struct price_settings { /* pico-USD a token (1 USD per million tokens is 1e6 pico-USD a token) */
	bool known;
	int64_t input_pusd, cached_input_pusd, output_pusd, cache_write_pusd, reasoning_pusd;
	bool has_cached_input, has_cache_write, has_reasoning, has_above;
	int64_t image_nusd, per_minute_nusd, per_million_chars_nusd;
	uint64_t above_tokens; /* 0: no tier */
	int64_t above_input_pusd, above_cached_input_pusd, above_output_pusd;
};

struct deployment_settings {
	unsigned provider;   /* index into settings->providers */
	char *provider_name; /* as written */
	char *credential;    /* NULL: any of the provider's */
	char *upstream_model;
	unsigned weight;
};

struct model_settings {
	char *id, *slug;                      /* slug: never NULL, by default what follows the id's last "/" */
	char *provider_name, *upstream_model; /* the short form of a single deployment, as written; may be NULL */
	unsigned deployment_count;            /* at least 1 */
	struct deployment_settings *deployments;
	struct strings fallback, aliases, capabilities; /* capabilities.count 0: null */
	struct price_settings price;
	uint32_t context_window, max_output_tokens; /* 0: not known */
	uint32_t quality_milli;
	bool has_quality; /* said, and not the default */
	bool hosted;
	uint64_t free_tokens_per_month;
};

struct budget_settings { /* -1: none */
	int64_t daily_nusd, weekly_nusd, monthly_nusd, per_request_nusd;
	uint32_t reserve_output_tokens;
};

struct tag_budget_settings {
	char *tag; /* "name=value", as in X-Gateway-Tags */
	struct budget_settings budget;
};

/* So many at most in a workspace: as many may hold one request, which has several tags. */
enum { TAG_BUDGETS_MAX = 8 };

struct plan_settings {
	char *id;
	struct limit_settings limits;
};

struct workspace_settings {
	bool built_in; /* `default`, which nobody declared */
	char *id, *plan;
	struct budget_settings budget;
	struct limit_settings limits; /* besides the plan's */
	unsigned tag_budget_count;
	struct tag_budget_settings *tag_budgets;
	uint32_t platform_fee_ppm; /* parts per million */
	uint32_t alert_threshold_percent;
	char *alert_webhook_url;
	struct strings allow_ips;
	char *residency;
	uint32_t receipts_days, audit_days, responses_ttl_s;
	bool store_prompts, store_responses, conversation_store;
	int64_t auto_reload_threshold_nusd, auto_reload_amount_nusd; /* -1: none */
	char *auto_reload_webhook_url;
};

struct team_settings {
	char *id, *workspace;
	struct budget_settings budget;
	struct limit_settings limits;
};

enum key_scope {
	SCOPE_CHAT = 1,
	SCOPE_RESPONSES = 2,
	SCOPE_EMBEDDINGS = 4,
	SCOPE_MODERATIONS = 8,
	SCOPE_IMAGES = 16,
	SCOPE_AUDIO = 32,
	SCOPE_MODELS = 64,
	SCOPE_ENDPOINTS = 128,
	SCOPE_RECEIPTS = 256
};

struct key_settings {
	char *name, *workspace, *team, *environment;
	uint8_t secret_sha256[32];
	char id[3 + 26 + 1]; /* vk_ + ULID, derived as the contract's section 3 says */
	struct strings models, endpoints, allow_ips;
	uint32_t scopes; /* enum key_scope */
	struct limit_settings limits;
	struct budget_settings budget;
	uint64_t expires_at_ns; /* wall; 0: never */
	unsigned tag_count;
	struct named_value *tags;
	/* Of the admin API, which keeps its word over what is declared. */
	const struct workspace_settings *home; /* found once; NULL: not yet */
	bool disabled;
	uint64_t revoked_at_ns; /* wall; 0: it is not */
	uint8_t previous_sha256[32];
	uint64_t previous_until_ns; /* wall, when the secret before the last rotation ends; 0: there is none */
};

enum admin_role { ROLE_VIEWER, ROLE_BILLING, ROLE_DEVELOPER, ROLE_ADMIN, ROLE_OWNER, ROLE_COUNT };

struct admin_token_settings {
	char *name;
	enum admin_role role;
	struct strings allow_ips;
	uint64_t expires_at_ns; /* wall; 0: never */
	char id[4 + 26 + 1];    /* tok_ + ULID */
	uint8_t secret_sha256[32];
};

/* A workspace's own credential at a provider. */
struct connection_settings {
	char *name, *workspace, *provider, *api_key;
	char *access_key_id, *secret_access_key, *session_token, *region; /* bedrock */
	char *api_version;                                                /* azure; NULL: the provider's */
	char *sealed; /* its secrets, as they are kept: route/tenancy/connection.h */
	bool disabled;
	char id[5 + 26 + 1]; /* conn_ + ULID */
};

enum { SETTINGS_MODELS_MAX = 4096 };

struct settings {
	unsigned listener_count;
	struct listener_settings *listeners;
	char *admin_master_key;
	bool admin_has_address;
	struct sockaddr_storage admin_address;
	struct strings admin_allow_ips;
	char *data_dir;
	enum durability durability;
	unsigned shards;
	char *region;
	enum log_level log_level;
	enum log_format log_format;
	bool log_access;
	struct {
		uint32_t max_head_bytes, max_headers;
		uint64_t max_body_bytes;
		uint64_t head_timeout_ns, body_timeout_ns, keepalive_timeout_ns, write_stall_timeout_ns, keepalive_ns;
		uint32_t max_connections, max_connections_per_ip;
		uint32_t max_tls_handshakes_per_s, max_tls_handshakes_per_s_per_ip; /* of a shard */
		struct strings trusted_proxies;
		struct limit_settings limits_per_ip;
	} http;
	uint64_t drain_timeout_ns;
	unsigned provider_count, model_count, plan_count, workspace_count, team_count, key_count;
	struct provider_settings *providers;
	struct model_settings *models;
	struct plan_settings *plans;
	struct workspace_settings *workspaces;
	struct team_settings *teams;
	struct key_settings *keys;
	unsigned admin_token_count; /* made through the admin API alone */
	struct admin_token_settings *admin_tokens;
	unsigned connection_count; /* likewise */
	struct connection_settings *connections;
	struct {
		char *default_model, *baseline_model;
		uint32_t max_attempts, retry_budget_percent;
		bool fallback_enabled, score_always;
		struct strings fallback_chain;
		struct routing_features more;
		uint32_t declared; /* rows of routing_schema that the file gives, as bits */
	} routing;
	bool metrics;
	char *otlp_endpoint;
	struct cache_settings cache;
	struct guardrail_settings guardrails;
	struct lockout_settings lockout;
	struct cluster_settings cluster;
	unsigned project_count;
	struct project_settings *projects;
};

/* Where load errors go, one call each, in order of position; `line` and `column` count from 1 (0: the whole file). */
typedef void settings_complain(void *context, unsigned line, unsigned column, const char *message);

/* NULL when anything was wrong (all of it was told). What does not prevent is told by `warn`. Free with settings_free.
 */
struct settings *settings_load(const char *path, settings_complain *complain, settings_complain *warn, void *context);
struct settings *settings_parse(struct slice yaml, settings_complain *complain, settings_complain *warn, void *context);
void settings_free(struct settings *settings);

const char *provider_kind_name(enum provider_kind kind);

/* What an endpoint refers to and is not there. False: *complaint says which of its members, and why. */
struct endpoint_complaint {
	const char *member;
	char message[320];
};
bool settings_check_endpoint(const struct settings *settings, const struct endpoint_settings *endpoint,
	struct endpoint_complaint *complaint);
/* The same of the rows of routing_schema in the set. */
bool settings_check_routing(const struct settings *settings, uint32_t rows, struct endpoint_complaint *complaint);
const char *settings_same_slug(const struct project_settings *project); /* that two of its endpoints have; NULL: none */

/* Capabilities of models, as configurations say them; ends with NULL. */
extern const char *const capability_names[];

#endif
