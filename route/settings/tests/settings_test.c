/*
 * Settings: defaults, a whole configuration, and tables of wrong ones. A wrong one stands alone or after a base; its
 * lines count from where it begins.
 */
#include "route/settings/settings.h"

#include "route/settings/settings_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first. */
#include <cmocka.h>

enum { TOLD_MAX = 8192 };

/* What each row stands on: nothing is wrong with it, and it leaves every other part to its default. */
static const char base[] = "admin: { master_key: 0123456789abcdef }\n"
			   "providers:\n"
			   "  - { name: p, base_url: 'http://h/v1', credentials: [{ name: c, api_key: k }] }\n"
			   "  - { name: q, kind: openai_compatible, base_url: 'http://h/v1' }\n"
			   "models:\n"
			   "  - { id: m, provider: p, price: { input: 1 } }\n";

struct told {
	unsigned first_line; /* what counts as line 1 */
	unsigned count, last_line, last_column;
	bool ordered;
	char text[TOLD_MAX];
};

static void tell(void *context, unsigned line, unsigned column, const char *message)
{
	struct told *told = context;
	size_t used = strlen(told->text);

	told->ordered = (told->count == 0 || told->ordered) &&
			(line > told->last_line || (line == told->last_line && column >= told->last_column));
	told->last_line = line;
	told->last_column = column;
	told->count++;
	snprintf(told->text + used, sizeof(told->text) - used, "%d:%u: %s\n", (int)line - (int)told->first_line + 1,
		column, message);
}

static struct settings *parse(const char *yaml, struct told *errors, struct told *warnings)
{
	errors->first_line = warnings->first_line = 1;
	return settings_parse(slice_of_string(yaml), tell, tell, errors);
}

struct wrong {
	const char *part, *expected; /* LINE:COLUMN: and the beginning of the message */
};

/* Each in a file of its own. */
static const struct wrong wrong_files[] = {
	/* YAML itself. */
	{"a: [1, 2", "2:1: did not find expected ',' or ']'"},
	{"a: b: c", "1:5: mapping values are not allowed"},
	{"\ta: 1", "1:1: found character that cannot start any token"},
	{"a: &x [*x]", "1:8: the alias \"x\" holds itself"},
	{"a: *nobody", "1:4: nothing is anchored as \"nobody\""},
	{"a: 1\n---\nb: 2", "2:1: a second document"},
	{"? [a]\n: 1", "1:3: a list cannot be a name"},
	{"a: \"\\0\"", "1:4: the value holds a NUL"},
	{"a: '", "1:"},
	{"a: \xff", "0:0: invalid leading UTF-8"},
	{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:33: nested too deeply"},
	{"just text", "1:1: a text will not do here (expected a map)"},
	{"[]", "1:1: a list will not do here (expected a map)"},
	{"admin: {}", "1:8: \"master_key\" is missing"},
	{"shards: 1", "1:1: \"master_key\" is missing"},
	{"admin: { master_key: 0123456789abcdef, address: 127.0.0.1:9 }\nlisten: [{ address: 127.0.0.1:9 }]",
		"1:49: address is one of 'listen' as well"},
	{"admin: { master_key: 0123456789abcdef, address: 0.0.0.0:8080 }", "1:49: address is one of 'listen' as well"},
	{"admin: { master_key: short }", "1:22: master_key: the value will not do (expected 16..256 bytes)"},
};

/* Each after the base. */
static const struct wrong wrong_parts[] = {
	{"region: a\nregion: b", "2:1: \"region\" is given twice"},
	{"region: !!str a", "1:9: the tag"},
	/* Variables. */
	{"region: ${TOLLGATE_TEST_UNSET}", "1:9: environment variable TOLLGATE_TEST_UNSET is not set"},
	{"region: ${}", "1:9: \"${}\" does not name a variable"},
	{"region: ${1A}", "1:9: \"${1A}\" does not name a variable"},
	{"region: ${A", "1:9: \"${\" is never closed"},
	{"shards: ${TOLLGATE_TEST_UNSET:-many}", "1:9: shards: \"many\" will not do (expected a whole number 0..256)"},
	/* Names of fields. */
	{"regoin: a", "1:1: unknown field \"regoin\" (did you mean \"region\"?)"},
	{"zzzzz: a", "1:1: unknown field \"zzzzz\" (expected one of the documented ones)"},
	{"http: { max_header: 5 }", "1:9: unknown field \"max_header\" (did you mean \"max_headers\"?)"},
	{"http:\n  keepalive: 5", "2:3: unknown field \"keepalive\" (did you mean \"keepalive_ms\"?)"},
	/* Types and ranges. */
	{"shards: 5x", "1:9: shards: \"5x\" will not do (expected a whole number 0..256)"},
	{"shards: 257", "1:9: shards: \"257\" will not do"},
	{"shards: -1", "1:9: shards: \"-1\" will not do"},
	{"shards: 1.0", "1:9: shards: \"1.0\" will not do"},
	{"shards: 99999999999999999999", "1:9: shards: \"99999999999999999999\" will not do"},
	{"shards: '4'", "1:9: shards: \"4\" will not do"},
	{"shards: [4]", "1:9: shards: a list will not do"},
	{"shards: {}", "1:9: shards: a map will not do"},
	{"shards: 0x10", "1:9: shards: \"0x10\" will not do"},
	{"region: [a]", "1:9: region: a list will not do (expected 1..64 letters"},
	{"region: a b", "1:9: region: \"a b\" will not do"},
	{"data_dir: ''", "1:11: data_dir: \"\" will not do (expected a text of 1..4096 bytes)"},
	{"log: { access: yes }", "1:16: access: \"yes\" will not do (expected true or false)"},
	{"log: { level: wran }",
		"1:15: level: \"wran\" will not do (did you mean \"warn\"? expected one of debug info"},
	{"log: 5", "1:6: a text will not do here (expected a map)"},
	{"durability: fast", "1:13: durability: \"fast\" will not do (expected one of process power relaxed)"},
	{"listen: {}", "1:9: listen: a map will not do (expected a list of maps)"},
	{"listen: []", "1:9: listen is empty"},
	{"listen: [x]", "1:10: a text will not do here (expected a map)"},
	{"listen: [{ address: localhost:80 }]", "1:21: address: \"localhost:80\" will not do (expected ADDRESS:PORT"},
	{"listen: [{ address: 1.2.3.4 }]", "1:21: address: \"1.2.3.4\" will not do"},
	{"listen: [{ address: '::1:80' }]", "1:21: address: \"::1:80\" will not do"},
	{"listen: [{ address: '[1.2.3.4]:80' }]", "1:21: address: \"[1.2.3.4]:80\" will not do"},
	{"listen: [{ address: 1.2.3.4:65536 }]", "1:21: address: \"1.2.3.4:65536\" will not do"},
#ifndef CONFIG_TLS
	{"listen: [{ tls: { cert: a, key: b } }]", "1:17: tls is not in this build"},
#endif
	{"listen: [{ tls: { cert: a, min_version: 1.1 } }]", "1:17: \"key\" is missing"},
	{"http: { max_headers: 129 }", "1:22: max_headers: \"129\" will not do (expected a whole number 8..128)"},
	{"http: { trusted_proxies: [10.0.0.0/33] }", "1:27: trusted_proxies: \"10.0.0.0/33\" will not do"},
	{"http: { trusted_proxies: [fd00::/129] }", "1:27: trusted_proxies: \"fd00::/129\" will not do"},
	{"http: { trusted_proxies: [10.0.0/8] }", "1:27: trusted_proxies: \"10.0.0/8\" will not do"},
	{"http: { trusted_proxies: 10.0.0.0/8 }", "1:26: trusted_proxies: \"10.0.0.0/8\" will not do"},
	{"http: { head_timeout_ms: 0 }",
		"1:26: head_timeout_ms: \"0\" will not do (expected a whole number 1..86400000)"},
	{"drain_timeout_ms: 86400001", "1:19: drain_timeout_ms: \"86400001\" will not do"},
	/* Workspaces, teams, plans. */
	{"workspaces: [{ plan: free }]", "1:14: \"id\" is missing"},
	{"workspaces: [{ id: w, plan: fre }]", "1:29: there is no plan \"fre\" (did you mean \"free\"?)"},
	{"workspaces: [{ id: w }, { id: w }]", "1:31: workspace \"w\" is already on line"},
	{"workspaces: [{ id: w, platform_fee_percent: 5.00001 }]",
		"1:45: platform_fee_percent: \"5.00001\" will not do "
		"(expected a number 0..100 with at most 4 decimals)"},
	{"workspaces: [{ id: w, budget: { daily_usd: -1 } }]", "1:44: daily_usd: \"-1\" will not do"},
	{"workspaces: [{ id: w, budget: { daily_usd: 1e3 } }]", "1:44: daily_usd: \"1e3\" will not do"},
	{"workspaces: [{ id: w, budget: { daily_usd: .5 } }]", "1:44: daily_usd: \".5\" will not do"},
	{"workspaces: [{ id: w, budget: { daily_usd: 5. } }]", "1:44: daily_usd: \"5.\" will not do"},
	{"workspaces: [{ id: w, retention: { audit_days: 6 } }]", "1:48: audit_days: \"6\" will not do"},
	{"workspaces: [{ id: w, alerts: { webhook_url: 'ftp://h/' } }]", "1:46: webhook_url: \"ftp://h/\" will not do"},
	{"workspaces: [{ id: w, alerts: { webhook_url: 'http://h:0/' } }]", "1:46: webhook_url: \"http://h:0/\" will"},
	{"teams: [{ id: t, workspace: defualt }]",
		"1:29: there is no workspace \"defualt\" (did you mean \"default\"?)"},
	{"teams: [{ id: t }, { id: t }]", "1:26: team \"t\" is already on line"},
	{"plans: { free: { rpn: 1 } }", "1:18: unknown field \"rpn\" (did you mean"},
	{"plans: { free: 5 }", "1:16: a text will not do here"},
	/* Keys. */
	{"keys: [{ secret: s }]", "1:8: \"name\" is missing"},
	{"keys: [{ name: k }]", "1:8: this key has neither \"secret\" nor \"secret_sha256\""},
	{"keys: [{ name: k, secret: 'a b' }]", "1:27: secret: the value will not do (expected 1..256 printable"},
	{"keys: [{ name: k, secret_sha256: abc }]", "1:34: secret_sha256: the value will not do (expected 64 hex"},
	{"keys:\n- { name: k, secret: a }\n- { name: k, secret: b }",
		"3:11: a key of this name and workspace is already"},
	{"keys:\n- { name: k, secret: a }\n- { name: l, secret: a }", "3:22: a key of this secret is already on line"},
	{"keys: [{ name: k, secret: a, team: t }]", "1:36: there is no team \"t\""},
	{"keys: [{ name: k, secret: a, workspace: w }]", "1:41: there is no workspace \"w\""},
	{"workspaces: [{ id: w }]\nteams: [{ id: t, workspace: w }]\nkeys: [{ name: k, secret: a, team: t }]",
		"3:36: team t belongs to workspace w"},
	{"keys: [{ name: k, secret: a, scopes: [chat, chatt] }]",
		"1:45: scopes: \"chatt\" will not do (did you mean \"chat\"?"},
	{"keys: [{ name: k, secret: a, environment: test }]",
		"1:43: environment: \"test\" will not do (expected one of prod"},
	{"keys: [{ name: k, secret: a, expires_at: 2026-02-29T00:00:00Z }]", "1:42: expires_at: \"2026-02-29T00"},
	{"keys: [{ name: k, secret: a, expires_at: tomorrow }]", "1:42: expires_at: \"tomorrow\" will not do"},
	{"keys: [{ name: k, secret: a, expires_at: 2026-01-01 }]", "1:42: expires_at: \"2026-01-01\" will not do"},
	{"keys: [{ name: k, secret: a, tags: { a: [b] } }]", "1:41: tags.a: a list will not do"},
	{"keys: [{ name: k, secret: a, allow_ips: ['::g'] }]", "1:42: allow_ips: \"::g\" will not do"},
	{"keys: [{ name: k, secret: a, secret_sha256: "
	 "0000000000000000000000000000000000000000000000000000000000000001 }]",
		"1:45: secret and secret_sha256 are both given"},
	/* Routing and the rest. */
	{"routing: { default_model: n }", "1:27: there is no model \"n\" (did you mean \"m\"?)"},
	{"routing: { fallback_chain: [m, nn] }", "1:32: there is no model \"nn\""},
	{"routing: { allowed_providers: [p, pq] }", "1:35: there is no provider \"pq\" (did you mean \"p\"?)"},
	{"routing: { quality_threshold: 1.5 }", "1:31: quality_threshold: \"1.5\" will not do (expected a number 0..1"},
	{"routing: { retries: { max_attempts: 0 } }", "1:37: max_attempts: \"0\" will not do"},
	{"routing: { rules: [{ when: { bucket: simple }, use: { model: no-such } }] }", "1:62: there is no model \"no-such\""},
	{"routing: { rules: [{ when: { time_of_day: 25:00-06:00 }, use: { priority: cost } }] }",
		"1:43: time_of_day: \"25:00-06:00\" will not do (expected " EXPECTED_DAY_SPAN ")"},
	{"routing: { rules: [{ when: { time_of_day: 22:00-06:00 Mars/Base }, use: { priority: cost } }] }",
		"1:43: time_of_day: \"22:00-06:00 Mars/Base\" will not do (expected " EXPECTED_DAY_SPAN ")"},
	{"routing: { rules: [{ when: { time_of_day: 22:00-22:00 }, use: { priority: cost } }] }",
		"1:43: time_of_day: \"22:00-22:00\" will not do (expected " EXPECTED_DAY_SPAN ")"},
	{"routing: { rules: [{ use: { priority: cheap } }] }",
		"1:39: priority: \"cheap\" will not do (expected one of cost latency quality)"},
	{"cache: { cache_enabled: true }", "1:25: cache_enabled is not in this build"},
	{"cache: { semantic: { embedding_model: n } }", "1:39: there is no model \"n\""},
	{"guardrails: { pii_detection_enabled: true }", "1:38: pii_detection_enabled is not in this build"},
	{"guardrails: { pii_types: [emails] }", "1:27: pii_types: \"emails\" will not do (did you mean \"email\"?"},
	{"cluster: { enabled: true }", "1:21: enabled is not in this build"},
	{"cluster: { join: [nowhere] }", "1:19: join: \"nowhere\" will not do (expected HOST:PORT)"},
	{"telemetry: { otlp_endpoint: 'http://h/' }", "1:29: otlp_endpoint is not in this build"},
	{"projects: [{ id: x, endpoints: [{ slug: a/b }] }]", "1:41: slug: \"a/b\" will not do"},
	{"projects: [{ id: x, endpoints: [{ slug: s }, { slug: s }] }]", "1:32: slug \"s\" is there twice"},
	{"projects: [{ id: x, endpoints: [{ slug: s, model: nn }] }]", "1:51: there is no model \"nn\""},
	{"projects: [{ id: x, endpoints: [{ slug: s, failover: [p/d] }] }]", "1:54: there is no credential \"p/d\""},
	{"projects: [{ id: x, endpoints: [{ slug: s, user_template: 'a {{inptu}}' }] }]",
		"1:59: user_template: \"a {{inptu}}\" will not do (expected a text whose every {{...}} is {{input}}"},
	{"projects: [{ id: x, workspace: w }]", "1:32: there is no workspace \"w\""},
};

/* Providers and models, each after the master key alone. */
static const char master_key[] = "admin: { master_key: 0123456789abcdef }\n";

static const struct wrong wrong_upstreams[] = {
	{"providers: [{ base_url: 'http://h' }]", "1:13: \"name\" is missing"},
	{"providers: [{ name: a/b }]", "1:21: name: \"a/b\" will not do"},
	{"providers: [{ name: a }]", "1:13: \"credentials\" is missing (kind openai needs"},
	{"providers: [{ name: a, credentials: [] }]", "1:37: credentials is empty"},
	{"providers: [{ name: a, credentials: [{ name: c }] }]", "1:38: \"api_key\" is missing"},
	{"providers: [{ name: a, credentials: [{ api_key: x }, { api_key: y }] }]",
		"1:54: credential \"default\" is already"},
	{"providers: [{ name: a, credentials: [{ api_key: [x] }] }]", "1:49: api_key: a list will not do"},
	{"providers: [{ name: a, kind: openapi }]", "1:30: kind: \"openapi\" will not do (did you mean \"openai\"?"},
	{"providers: [{ name: a, kind: bedrock, credentials: [{ secret_access_key: x }] }]",
		"1:53: \"access_key_id\" is missing (it, or an api_key, is required for bedrock)"},
	{"providers: [{ name: a, kind: bedrock, credentials: [{ access_key_id: x }] }]",
		"1:53: \"secret_access_key\" is missing (it is required for bedrock)"},
	{"providers: [{ name: a, kind: bedrock, credentials: [{ api_key: y, access_key_id: x }] }]",
		"1:82: access_key_id stands beside api_key"},
	{"providers: [{ name: a, kind: openai_compatible }]", "1:13: \"base_url\" is missing"},
	{"providers: [{ name: a, kind: openai_compatible, base_url: h }]", "1:59: base_url: \"h\" will not do"},
	{"providers: [{ name: a, kind: openai_compatible, base_url: 'http://' }]",
		"1:59: base_url: \"http://\" will not"},
	{"providers: [{ name: a, kind: openai_compatible, base_url: 'http://u@h' }]", "1:59: base_url: \"http://u@h\""},
	{"providers: [{ name: a, kind: openai_compatible, base_url: 'http://h?x' }]", "1:59: base_url: \"http://h?x\""},
	{"providers: [{ name: a, kind: openai_compatible, base_url: 'http://h:99999' }]",
		"1:59: base_url: \"http://h:99"},
	{"providers:\n- &a { name: a, kind: openai_compatible, base_url: 'http://h' }\n- *a",
		"2:14: provider \"a\" is already"},
	{"providers: [{ name: a, timeouts: { connect_ms: null, idle_ms: 0 } }]", "1:63: idle_ms: \"0\" will not do"},
#ifndef CONFIG_TLS
	{"providers: [{ name: a, tls: { ca: ca.pem } }]", "1:35: ca is not in this build"},
	{"providers: [{ name: a, tls: { server_name: h } }]", "1:44: server_name is not in this build"},
	{"providers: [{ name: a, tls: { insecure: true } }]", "1:41: insecure is not in this build"},
#endif
	{"listen: [{ tls: { cert: a, key: b, certificates: [{ cert: c }] } }]", "1:51: \"key\" is missing"},
	{"models: [{ provider: a }]", "1:10: \"id\" is missing"},
	{"models: [{ id: m }]", "1:10: this model has neither"},
	{"models: [{ id: m, provider: a }]", "1:29: there is no provider \"a\" (expected one that is declared here)"},
	{"models: [{ id: auto, provider: a }]", "1:16: \"auto\" is reserved"},
	{"models: [{ id: pr/x, provider: a }]", "1:16: \"pr/x\" is reserved"},
	{"models: [{ id: 'a b', provider: a }]", "1:16: id: \"a b\" will not do"},
	{"models: [{ id: m, aliases: [n] }, { id: n }]", "1:41: model \"n\" is already on line"},
	{"models: [{ id: m, aliases: [m] }]", "1:29: model \"m\" is already on line"},
	{"models: [{ id: m, fallback: [m] }]", "1:29: model m falls back to itself"},
	{"models: [{ id: mm, fallback: [mn] }]", "1:31: there is no model \"mn\" (did you mean \"mm\"?)"},
	{"models: [{ id: m, price: {} }]", "1:26: price is empty"},
	{"models: [{ id: m, price: { input: 0.0000001 } }]",
		"1:35: input: \"0.0000001\" will not do (expected a number 0..1000000 "
		"with at most 6 decimals)"},
	{"models: [{ id: m, price: { above: { input: 1 } } }]", "1:35: \"tokens\" is missing"},
	{"models: [{ id: m, quality: 1.01 }]", "1:28: quality: \"1.01\" will not do"},
	{"models: [{ id: m, capabilities: [chat, fly] }]", "1:40: capabilities: \"fly\" will not do"},
	{"models: [{ id: m, context_window: 0 }]", "1:35: context_window: \"0\" will not do"},
	{"models: [{ id: m, deployments: [{ weight: 1 }] }]", "1:33: \"provider\" is missing"},
	{"models: [{ id: m, provider: a, deployments: [{ provider: a }] }]",
		"1:29: provider and deployments are both given"},
	{"providers: [{ name: a, kind: openai_compatible, base_url: 'http://h', credentials: [{ name: one, api_key: x "
	 "}] }]\n"
	 "models: [{ id: m, deployments: [{ provider: a, credential: two }] }]",
		"2:60: there is no credential \"two\""},
	{"models: [{ id: a/s, provider: p, hosted: true }, { id: b/s, provider: p, hosted: true }]",
		"1:50: slug \"s\" is already on line"},
};

/* False, with a message, when the row's complaint is not told at its place. */
static bool is_told(const struct wrong *row, const char *before)
{
	struct told told = {.first_line = 1};
	char yaml[4096], found[256];
	struct settings *settings;
	const char *c;

	snprintf(yaml, sizeof(yaml), "%s%s", before, row->part);
	for (c = before; *c; c++)
		told.first_line += *c == '\n';
	settings = settings_parse(slice_of_string(yaml), tell, NULL, &told);
	settings_free(settings);
	snprintf(found, sizeof(found), "\n%s", row->expected);
	if (!settings && told.ordered &&
		(strncmp(told.text, row->expected, strlen(row->expected)) == 0 || strstr(told.text, found)))
		return true;
	print_error("%s\n  expected: %s\n  told: %s\n", row->part, row->expected, settings ? "nothing" : told.text);
	return false;
}

static void test_wrong(void **state)
{
	static const struct {
		const struct wrong *rows;
		size_t count;
		const char *before;
	} tables[] = {
		{wrong_files, sizeof(wrong_files) / sizeof(wrong_files[0]), ""},
		{wrong_parts, sizeof(wrong_parts) / sizeof(wrong_parts[0]), base},
		{wrong_upstreams, sizeof(wrong_upstreams) / sizeof(wrong_upstreams[0]), master_key},
	};
	unsigned untold = 0;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (j = 0; j < tables[i].count; j++)
			untold += !is_told(&tables[i].rows[j], tables[i].before);
	assert_int_equal(untold, 0);
}

/* Everything that is wrong is told in one run, in order, and once. */
static void test_all_errors(void **state)
{
	static const char yaml[] = "shards: x\n"
				   "admin: { master_key: short }\n"
				   "regoin: a\n"
				   "keys:\n"
				   "  - &k { name: k, secret: s, team: t }\n"
				   "models: [{ id: m, provider: nobody, price: { input: -1 } }]\n"
				   "region: ${TOLLGATE_TEST_UNSET}\n";
	struct told told = {.first_line = 1};

	(void)state;
	assert_null(settings_parse(slice_of_string(yaml), tell, NULL, &told));
	assert_true(told.ordered);
	assert_int_equal(told.count, 8); /* the unset variable's text is no region either */
	assert_non_null(strstr(told.text, "1:9: shards"));
	assert_non_null(strstr(told.text, "\n5:36: there is no team"));
	assert_non_null(strstr(told.text, "\n6:29: there is no provider"));
	assert_null(strstr(told.text, "short"));
}

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
		"  breaker: { consecutive_failures: 6, error_rate: 0.4, open_ms: 5 }, retries: { budget_percent: 30 } }\n"
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
		if (more && (settings || told.count != 1 || !strstr(told.text, "models holds 4097 (expected at most 4096)")))
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
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_all_errors),
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
