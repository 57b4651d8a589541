/* Settings: defaults, a whole configuration, the forms that fields take, and what is told without preventing. */
#include "route/settings/tests/told.h"

#include "route/settings/settings_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the above first. */
#include <cmocka.h>

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
						    : ((const struct sockaddr_in *)address)->sin_port);
}

static void test_defaults(void **state)
{
	struct told errors = {.first_line = 1}, warnings = {.first_line = 1};
	struct settings *settings = parse("admin: { master_key: 0123456789abcdef }", &errors, &warnings);
	const struct workspace_settings *workspace;

	(void)state;
	assert_string_equal(errors.text, "");
	assert_non_null(settings);
	assert_int_equal(settings->listener_count, 1);
	assert_int_equal(settings->listeners[0].address.ss_family, AF_INET);
	assert_int_equal(port_of(&settings->listeners[0].address), 8080);
	assert_false(settings->listeners[0].has_tls);
	assert_false(settings->admin_has_address);
	assert_string_equal(settings->data_dir, "./data");
	assert_int_equal(settings->durability, DURABILITY_PROCESS);
	assert_int_equal(settings->shards, 0);
	assert_string_equal(settings->region, "eu-west");
	assert_int_equal(settings->log_level, LOG_INFO);
	assert_int_equal(settings->log_format, LOG_JSON);
	assert_true(settings->log_access);
	assert_int_equal(settings->http.max_head_bytes, 32768);
	assert_int_equal(settings->http.max_headers, 100);
	assert_int_equal(settings->http.max_body_bytes, 33554432);
	assert_int_equal(settings->http.head_timeout_ns, UINT64_C(10000000000));
	assert_int_equal(settings->http.body_timeout_ns, UINT64_C(30000000000));
	assert_int_equal(settings->http.keepalive_timeout_ns, UINT64_C(75000000000));
	assert_int_equal(settings->http.write_stall_timeout_ns, UINT64_C(30000000000));
	assert_int_equal(settings->http.max_connections, 100000);
	assert_int_equal(settings->http.max_connections_per_ip, 10000);
	assert_int_equal(settings->http.max_tls_handshakes_per_s, 1000);
	assert_int_equal(settings->http.max_tls_handshakes_per_s_per_ip, 250);
	assert_int_equal(settings->http.keepalive_ns, UINT64_C(15000000000));
	assert_int_equal(settings->drain_timeout_ns, UINT64_C(30000000000));
	assert_int_equal(settings->plan_count, 4);
	assert_string_equal(settings->plans[0].id, "free");
	assert_int_equal(settings->plans[0].limits.tpm, 40000);
	assert_int_equal(settings->plans[2].limits.rpd, 100000);
	assert_int_equal(settings->workspace_count, 1);
	workspace = &settings->workspaces[0];
	assert_string_equal(workspace->id, "default");
	assert_string_equal(workspace->plan, "enterprise");
	assert_int_equal(workspace->budget.daily_nusd, -1);
	assert_int_equal(workspace->budget.reserve_output_tokens, 1024);
	assert_int_equal(workspace->receipts_days, 90);
	assert_int_equal(workspace->audit_days, 365);
	assert_true(workspace->conversation_store);
	assert_int_equal(workspace->responses_ttl_s, 86400);
	assert_int_equal(workspace->alert_threshold_percent, 80);
	assert_int_equal(workspace->auto_reload_amount_nusd, -1);
	assert_string_equal(settings->routing.default_model, "auto");
	assert_string_equal(settings->routing.baseline_model, "openai/gpt-4o");
	assert_true(settings->routing.fallback_enabled);
	assert_int_equal(settings->routing.max_attempts, 3);
	assert_int_equal(settings->routing.retry_budget_percent, 20);
	assert_int_equal(settings->routing.more.quality_threshold_milli, 800);
	assert_int_equal(settings->routing.more.breaker.error_rate_milli, 500);
	assert_int_equal(settings->routing.more.breaker.open_ns, UINT64_C(30000000000));
	assert_int_equal(settings->routing.more.hedge_after_percentile, 95);
	assert_int_equal(settings->cache.ttl_s, 3600);
	assert_int_equal(settings->cache.similarity_threshold_ppm, 950000);
	assert_int_equal(settings->guardrails.pii_types, 31);
	assert_int_equal(settings->lockout.lock_ns, UINT64_C(900000000000));
	assert_int_equal(port_of(&settings->cluster.bind), 7946);
	assert_int_equal(settings->cluster.datagram_bytes, 1200);
	assert_true(settings->metrics);
	settings_free(settings);
}

/* The documented configuration, without what this build lacks. */
static const char example[] =
	"listen:\n"
	"  - address: 0.0.0.0:8080\n"
	"  - address: \"[::1]:8443\"\n"
	"admin:\n"
	"  master_key: ${TOLLGATE_MASTER_KEY}\n"
	"  address: null\n"
	"  allow_ips: []\n"
	"data_dir: ./data\n"
	"durability: process\n"
	"shards: 0\n"
	"region: eu-west\n"
	"log: { level: info, format: json, access: true }\n"
	"http:\n"
	"  { max_head_bytes: 32768, max_headers: 100, max_body_bytes: 33554432, head_timeout_ms: 10000, "
	"body_timeout_ms: 30000,\n"
	"    keepalive_timeout_ms: 75000, write_stall_timeout_ms: 30000, max_connections: 100000, "
	"max_connections_per_ip: 10000,\n"
	"    max_tls_handshakes_per_second: 1000, max_tls_handshakes_per_second_per_ip: 250,\n"
	"    trusted_proxies: [], keepalive_ms: 15000 }\n"
	"drain_timeout_ms: 30000\n"
	"providers:\n"
	"  - name: openai\n"
	"    kind: openai\n"
	"    base_url: https://api.openai.com/v1\n"
	"    region: us\n"
	"    credentials:\n"
	"      - { name: primary, api_key: \"${OPENAI_API_KEY}\", weight: 1, limits: { rpm: 0, tpm: 0 } }\n"
	"    timeouts: { connect_ms: 2000, head_ms: null, first_token_ms: 60000, idle_ms: 60000, "
	"total_ms: 600000 }\n"
	"    max_concurrency: 0\n"
	"    tls: { ca: null, server_name: null, insecure: false }\n"
	"  - name: gpu0\n"
	"    kind: openai_compatible\n"
	"    base_url: http://127.0.0.1:8000/v1\n"
	"    gpu: { price_per_hour_usd: 3.50, max_concurrency: 32 }\n"
	"models:\n"
	"  - id: openai/gpt-4o-mini\n"
	"    provider: openai\n"
	"    deployments: []\n"
	"    fallback: []\n"
	"    upstream_model: gpt-4o-mini\n"
	"    aliases: [gpt-4o-mini]\n"
	"    slug: null\n"
	"    price: { input: 0.15, cached_input: 0.075, output: 0.60 }\n"
	"    context_window: 128000\n"
	"    max_output_tokens: 16384\n"
	"    quality: 0.72\n"
	"    capabilities: null\n"
	"    hosted: false\n"
	"    free_tokens_per_month: 0\n"
	"plans:\n"
	"  free: { rpm: 20, tpm: 40000, rpd: 1000 }\n"
	"  starter: { rpm: 100, tpm: 200000, rpd: 10000 }\n"
	"  pro: { rpm: 500, tpm: 1000000, rpd: 100000 }\n"
	"  enterprise: { rpm: 0, tpm: 0, rpd: 0 }\n"
	"workspaces:\n"
	"  - id: default\n"
	"    plan: enterprise\n"
	"    budget: { daily_usd: null, weekly_usd: null, monthly_usd: null, per_request_usd: null, "
	"reserve_output_tokens: 1024 }\n"
	"    platform_fee_percent: 0\n"
	"    alerts: { threshold_percent: 80, webhook_url: null }\n"
	"    allow_ips: []\n"
	"    residency: null\n"
	"    retention: { receipts_days: 90, audit_days: 365, store_prompts: false, store_responses: "
	"false, conversation_store: true, responses_ttl_seconds: 86400 }\n"
	"    auto_reload: { threshold_usd: null, amount_usd: null, webhook_url: null }\n"
	"teams:\n"
	"  - { id: search, workspace: default, budget: {}, limits: {} }\n"
	"keys:\n"
	"  - name: demo\n"
	"    secret: ${DEMO_KEY}\n"
	"    workspace: default\n"
	"    team: null\n"
	"    environment: null\n"
	"    models: [\"*\"]\n"
	"    endpoints: [\"*\"]\n"
	"    scopes: [chat, responses, embeddings, moderations, images, audio, models, endpoints, "
	"receipts]\n"
	"    limits: { rpm: 0, rph: 0, rpd: 0, tpm: 0, concurrency: 0, smooth: false }\n"
	"    budget: {}\n"
	"    allow_ips: []\n"
	"    expires_at: null\n"
	"    tags: {}\n"
	"routing:\n"
	"  default_model: auto\n"
	"  default_priority: cost\n"
	"  quality_threshold: 0.8\n"
	"  max_latency_ms: 3000\n"
	"  allowed_providers: []\n"
	"  blocked_providers: []\n"
	"  allowed_models: []\n"
	"  blocked_models: []\n"
	"  baseline_model: openai/gpt-4o\n"
	"  fallback_enabled: true\n"
	"  score_always: false\n"
	"  stream_recovery: none\n"
	"  shadow_percent: 0\n"
	"  fallback_chain: []\n"
	"  retries: { max_attempts: 3, budget_percent: 20 }\n"
	"  breaker: { consecutive_failures: 5, error_rate: 0.5, min_requests: 20, window_ms: 10000, "
	"open_ms: 30000 }\n"
	"  hedge: { enabled: false, after_percentile: 95 }\n"
	"  rules: []\n"
	"cache:\n"
	"  cache_enabled: false\n"
	"  ttl_seconds: 3600\n"
	"  exclude_models: []\n"
	"  max_bytes: 1073741824\n"
	"  semantic: { enabled: false, similarity_threshold: 0.95, embedding_model: null, max_entries: "
	"100000 }\n"
	"guardrails:\n"
	"  pii_detection_enabled: false\n"
	"  pii_action: redact\n"
	"  pii_types: [email, phone, ssn, credit_card, api_key]\n"
	"  pii_custom: []\n"
	"  pii_responses: false\n"
	"lockout: { failures: 10, window_s: 60, lock_s: 900 }\n"
	"telemetry: { otlp_endpoint: null, metrics: true }\n"
	"cluster: { enabled: false, node: null, bind: 0.0.0.0:7946, advertise: null, join: [], keys: [], "
	"home: null, max_nodes: 16,\n"
	"           budget_mode: strict, epsilon_percent: 2, limits_cut_off: share, max_stale_s: 0, "
	"lease_wait_ms: 300, datagram_bytes: 1200 }\n"
	"projects:\n"
	"  - id: 7d0f2f7e-8a53-4e0c-9a6e-1f7b7f5a2c11\n"
	"    workspace: default\n"
	"    endpoints: []\n";

static void test_example(void **state)
{
	struct told errors = {.first_line = 1}, warnings = {.first_line = 1};
	struct settings *settings;
	const struct provider_settings *provider;
	const struct model_settings *model;
	const struct key_settings *key;

	(void)state;
	setenv("TOLLGATE_MASTER_KEY", "0123456789abcdef", 1);
	setenv("OPENAI_API_KEY", "sk-one", 1);
	setenv("DEMO_KEY", "abc", 1);
	settings = parse(example, &errors, &warnings);
	unsetenv("TOLLGATE_MASTER_KEY");
	unsetenv("OPENAI_API_KEY");
	unsetenv("DEMO_KEY");
	if (!settings)
		fail_msg("%s", errors.text);
	assert_int_equal(settings->listener_count, 2);
	assert_int_equal(settings->listeners[1].address.ss_family, AF_INET6);
	assert_int_equal(port_of(&settings->listeners[1].address), 8443);
	assert_string_equal(settings->admin_master_key, "0123456789abcdef");
	assert_int_equal(settings->provider_count, 2);
	provider = &settings->providers[0];
	assert_int_equal(provider->kind, PROVIDER_OPENAI);
	assert_string_equal(provider->host, "api.openai.com");
	assert_int_equal(provider->port, 443);
	assert_true(provider->tls);
	assert_string_equal(provider->path_prefix, "/v1");
	assert_string_equal(provider->credentials[0].api_key, "sk-one");
	assert_int_equal(provider->head_ns, 0);
	assert_int_equal(provider->total_ns, UINT64_C(600000000000));
	provider = &settings->providers[1];
	assert_string_equal(provider->host, "127.0.0.1");
	assert_int_equal(provider->port, 8000);
	assert_false(provider->tls);
	assert_true(provider->has_gpu);
	assert_int_equal(provider->gpu_price_per_hour_nusd, 3500000000);
	model = &settings->models[0];
	assert_string_equal(model->slug, "gpt-4o-mini");
	assert_int_equal(model->deployment_count, 1);
	assert_int_equal(model->deployments[0].provider, 0);
	assert_string_equal(model->deployments[0].upstream_model, "gpt-4o-mini");
	assert_true(model->price.known);
	assert_int_equal(model->price.input_pusd, 150000);
	assert_int_equal(model->price.cached_input_pusd, 75000);
	assert_int_equal(model->price.output_pusd, 600000);
	assert_int_equal(model->quality_milli, 720);
	assert_int_equal(settings->plan_count, 4);
	assert_int_equal(settings->workspace_count, 1);
	key = &settings->keys[0];
	assert_memory_equal(key->secret_sha256, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23", 16);
	assert_string_equal(key->id, "vk_54SDG2R20K5QM0EWKRH0Z5KDMZ");
	assert_int_equal(key->scopes, 511);
	assert_string_equal(key->models.list[0], "*");
	settings_free(settings);
}

/* The forms that single fields take. */
static void test_values(void **state)
{
	static const char yaml[] =
		"admin: { master_key: 0123456789abcdef, address: '[::]:0', allow_ips: [10.0.0.0/8, '::1', 1.2.3.4] }\n"
		"shards: ${TOLLGATE_TEST_UNSET:-3}\n"
		"data_dir: $${literal}\n"
		"region: ~\n"
		"providers:\n"
		"  - { name: p, kind: openai_compatible, base_url: 'http://[::1]:81/a/b/' }\n"
		"models:\n"
		"  - id: p/x/y\n"
		"    deployments: [{ provider: p, weight: 0 }, { provider: p, upstream_model: z }]\n"
		"    price: { input: 2.50, output: 10, above: { tokens: 200000, input: 5 } }\n"
		"workspaces: [{ id: w, platform_fee_percent: 5.5, budget: { monthly_usd: 0.000000001 } }]\n"
		"plans: { free: { rpm: 1 }, own: {} }\n"
		"keys:\n"
		"  - { name: k, workspace: w, secret: a, scopes: [models, chat], expires_at: "
		"2000-02-29T23:59:59.5+01:00,\n"
		"      tags: { team: search } }\n";
	struct told errors = {.first_line = 1}, warnings = {.first_line = 1};
	struct settings *settings = parse(yaml, &errors, &warnings);

	(void)state;
	if (!settings)
		fail_msg("%s", errors.text);
	assert_true(settings->admin_has_address);
	assert_int_equal(settings->admin_address.ss_family, AF_INET6);
	assert_int_equal(settings->admin_allow_ips.count, 3);
	assert_int_equal(settings->shards, 3);
	assert_string_equal(settings->data_dir, "${literal}");
	assert_string_equal(settings->region, "eu-west");
	assert_string_equal(settings->providers[0].host, "::1");
	assert_int_equal(settings->providers[0].port, 81);
	assert_string_equal(settings->providers[0].path_prefix, "/a/b");
	assert_string_equal(settings->models[0].slug, "y");
	assert_int_equal(settings->models[0].deployment_count, 2);
	assert_int_equal(settings->models[0].deployments[0].weight, 0);
	assert_string_equal(settings->models[0].deployments[0].upstream_model, "x/y");
	assert_string_equal(settings->models[0].deployments[1].upstream_model, "z");
	assert_int_equal(settings->models[0].price.input_pusd, 2500000);
	assert_int_equal(settings->models[0].price.cached_input_pusd, 2500000);
	assert_int_equal(settings->models[0].price.above_input_pusd, 5000000);
	assert_int_equal(settings->models[0].price.above_output_pusd, 10000000);
	assert_int_equal(settings->workspace_count, 2);
	assert_int_equal(settings->workspaces[0].platform_fee_ppm, 55000);
	assert_int_equal(settings->workspaces[0].budget.monthly_nusd, 1);
	assert_int_equal(settings->plan_count, 5);
	assert_int_equal(settings->plans[0].limits.rpm, 1);
	assert_int_equal(settings->plans[0].limits.tpm, 0);
	assert_int_equal(settings->keys[0].scopes, SCOPE_CHAT | SCOPE_MODELS);
	assert_int_equal(settings->keys[0].expires_at_ns, UINT64_C(951865199500000000));
	assert_string_equal(settings->keys[0].tags[0].value, "search");
	settings_free(settings);
}

/* Defaults that are spelled out are no wishes. */
static void test_no_warnings(void **state)
{
	static const char yaml[] =
		"workspaces: [{ id: default, plan: free, budget: { daily_usd: null, reserve_output_tokens: 1024 },\n"
		"  retention: { receipts_days: 30, audit_days: 30, store_prompts: true, store_responses: true,\n"
		"    conversation_store: false, responses_ttl_seconds: 60 }, alerts: { threshold_percent: 80 } }]\n"
		"plans: { free: { rpm: 20, tpm: 40000, rpd: 1000 }, enterprise: { rpm: 0 } }\n"
		"keys: [{ name: k, secret: a, limits: { rpm: 6, tpm: 100, concurrency: 2, smooth: true }, budget: {} "
		"}]\n"
		"routing: { default_model: auto, default_priority: cost, quality_threshold: 0.800, max_latency_ms: "
		"3000,\n"
		"  breaker: { consecutive_failures: 6, error_rate: 0.4, open_ms: 5 }, retries: { budget_percent: 30 } "
		"}\n"
		"lockout: { failures: 10, window_s: 60, lock_s: 900 }\n";
	struct told told = {.first_line = 1};
	char whole[4096];
	struct settings *settings;

	(void)state;
	snprintf(whole, sizeof(whole), "%s%s", base, yaml);
	settings = settings_parse(slice_of_string(whole), tell, tell, &told);
	assert_string_equal(told.text, "");
	assert_non_null(settings);
	settings_free(settings);
}

/* As many models as a decision looks at, and one more, which is named by its place. */
static void test_too_many_models(void **state)
{
	enum { YAML_BYTES = 1 << 20 };
	char *yaml = malloc(YAML_BYTES);

	(void)state;
	assert_non_null(yaml);
	for (unsigned more = 0; more < 2; more++) {
		struct told told = {.first_line = 1};
		struct text text = text_over(yaml, YAML_BYTES);
		struct settings *settings;

		text_string(&text, base);
		for (unsigned i = 1; i < SETTINGS_MODELS_MAX + more; i++) { /* the base has one */
			text_literal(&text, "  - { id: m");
			text_u64(&text, i);
			text_literal(&text, ", provider: p, upstream_model: u }\n");
		}
		assert_false(text.full);
		settings = settings_parse(text_slice(&text), tell, tell, &told);
		if (more && (settings || told.count != 1 ||
				    !strstr(told.text, "models holds 4097 (expected at most 4096)")))
			fail_msg("told: %s", told.text);
		if (!more && !settings)
			fail_msg("told: %s", told.text);
		settings_free(settings);
	}
	free(yaml);
}

/* What is accepted without effect, or is likely a mistake, is told without preventing. */
static void test_warnings(void **state)
{
	static const struct {
		const char *part, *expected;
	} rows[] = {
		{"workspaces: [{ id: w, residency: mars }]", "no provider has the region mars"},
		{"routing: { rules: [{ when: { has_tools: true }, use: { priority: cost } }, "
		 "{ when: { has_tools: true, bucket: simple }, use: { priority: quality } }] }",
			"rule 2 is never reached: rule 1 matches all that it does"},
		{"routing: { rules: [{ when: { monthly_spend_pct: { gte: 50 } }, use: { priority: cost } }, "
		 "{ when: { monthly_spend_pct: { gt: 80 }, has_images: true }, use: { priority: quality } }] }",
			"rule 2 is never reached: rule 1 matches all that it does"},
		{"routing: { rules: [{ when: { input_tokens: { gt: 50, lt: 51 } }, use: { priority: cost } }] }",
			"rule 1 is never reached: its own conditions exclude each other"},
		{"routing: { baseline_model: x }", "there is no model x here"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told = {.first_line = 1};
		char yaml[2048];
		struct settings *settings;

		snprintf(yaml, sizeof(yaml), "%s%s", base, rows[i].part);
		settings = settings_parse(slice_of_string(yaml), tell, tell, &told);
		assert_non_null(settings);
		settings_free(settings);
		if (told.count != 1 || !strstr(told.text, rows[i].expected))
			fail_msg("%s\nexpected: %s\ntold: %s", rows[i].part, rows[i].expected, told.text);
	}
}

/* Any cut of a good configuration is refused or read, never a fault (the sanitizers watch). */
static void test_cuts(void **state)
{
	size_t size;

	(void)state;
	for (size = 0; size < sizeof(example); size += 7) {
		struct told told = {.first_line = 1};
		struct settings *settings = settings_parse(slice_of(example, size), tell, NULL, &told);

		assert_true(told.count > 0);
		assert_null(settings);
	}
}

/* Nested aliases would grow without bound. */
static void test_alias_bomb(void **state)
{
	char yaml[2048] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
	struct told told = {.first_line = 1};
	unsigned i, j;

	(void)state;
	for (i = 1; i < 9; i++) {
		size_t used = strlen(yaml);

		used += (size_t)snprintf(yaml + used, sizeof(yaml) - used, "a%u: &a%u [", i, i);
		for (j = 0; j < 10; j++)
			used += (size_t)snprintf(
				yaml + used, sizeof(yaml) - used, "*a%u%s", i - 1, j < 9 ? ", " : "]\n");
	}
	assert_null(settings_parse(slice_of_string(yaml), tell, NULL, &told));
	assert_non_null(strstr(told.text, "the configuration is too large"));
}

static void test_files(void **state)
{
	struct told told = {.first_line = 1};

	(void)state;
	assert_null(settings_load("/nonexistent/tollgate.yaml", tell, NULL, &told));
	assert_non_null(strstr(told.text, "0: cannot be read: No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_too_many_models),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_no_warnings),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
