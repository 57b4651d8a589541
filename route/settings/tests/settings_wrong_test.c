/*
 * Wrong configurations: each complaint, at its line and column. A wrong one stands alone or after a base; its lines
 * count from where it begins.
 */
#include "route/settings/tests/told.h"

#include "route/settings/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the above first. */
#include <cmocka.h>

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
	{"routing: { rules: [{ when: { bucket: simple }, use: { model: no-such } }] }",
		"1:62: there is no model \"no-such\""},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_all_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
