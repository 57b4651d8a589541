/* See gateway_tls.h. */
#include "route/gateway/gateway_tls.h"

#include "core/clock.h"
#include "route/gateway/gateway_shard.h"
#include "tls/client.h"
#include "tls/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY_S = 86400, WARN_DAYS = 30 };

struct gateway_tls {
	unsigned listener_count, provider_count;
	struct tls_server **servers;
	struct tls_client **clients;
	struct tls_client *webhook; /* NULL: none */
};

static int make_server(struct tls_server **server, const struct listener_settings *listener,
	const struct tls_tickets *tickets, char *why, size_t why_bytes)
{
	struct tls_server_options options = {.pair_count = 1 + listener->tls_more_count,
		.allow_12 = listener->tls_min_version && strcmp(listener->tls_min_version, "1.2") == 0,
		.client_ca = listener->tls_client_ca,
		.tickets = tickets};
	struct tls_key_pair *pairs = calloc(options.pair_count, sizeof(*pairs));
	int rc;

	if (!pairs) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	pairs[0] = (struct tls_key_pair){listener->tls_cert, listener->tls_key};
	for (unsigned i = 0; i < listener->tls_more_count; i++)
		pairs[i + 1] = (struct tls_key_pair){listener->tls_more[i].cert, listener->tls_more[i].key};
	options.pairs = pairs;
	rc = tls_server_make(server, &options, why, why_bytes);
	free(pairs);
	return rc;
}

static int make_servers(struct gateway_tls *tls, const struct settings *settings, const struct tls_tickets *tickets,
	char *why, size_t why_bytes)
{
	char reason[512] = "";

	for (unsigned i = 0; i < settings->listener_count; i++) {
		int rc = 0;

		if (settings->listeners[i].has_tls)
			rc = make_server(&tls->servers[i], &settings->listeners[i], tickets, reason, sizeof(reason));
		if (rc) {
			snprintf(why, why_bytes, "tls of address %u of 'listen': %s", i + 1, reason);
			return rc;
		}
	}
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_trust(const struct provider_settings *a, const struct provider_settings *b)
{
	return a->tls && b->tls && a->tls_insecure == b->tls_insecure && same_text(a->tls_ca, b->tls_ca);
}

/* The system's store is 220 KB of issuers: providers that trust the same share one. */
static struct tls_client *find_client(const struct gateway_tls *tls, const struct settings *settings, unsigned before)
{
	for (unsigned i = 0; i < before; i++)
		if (tls->clients[i] && same_trust(&settings->providers[i], &settings->providers[before]))
			return tls->clients[i];
	return NULL;
}

static int make_clients(struct gateway_tls *tls, const struct settings *settings, char *why, size_t why_bytes)
{
	char reason[512] = "";

	for (unsigned i = 0; i < settings->provider_count; i++) {
		const struct provider_settings *provider = &settings->providers[i];
		struct tls_client_options options = {.ca = provider->tls_ca, .insecure = provider->tls_insecure};
		struct tls_client *shared = find_client(tls, settings, i);
		int rc;

		if (!provider->tls)
			continue;
		if (shared) {
			tls->clients[i] = tls_client_borrow(shared);
			continue;
		}
		rc = tls_client_make(&tls->clients[i], &options, reason, sizeof(reason));
		if (rc) {
			snprintf(why, why_bytes, "tls of provider %s: %s", provider->name, reason);
			return rc;
		}
	}
	return 0;
}

struct tls_client *gateway_tls_webhook(const struct gateway_tls *tls)
{
	return tls ? tls->webhook : NULL;
}

static bool is_https(const char *url)
{
	return url && strncmp(url, "https:", 6) == 0;
}

static bool has_webhook(const struct settings *settings)
{
	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (is_https(settings->workspaces[i].alert_webhook_url) ||
			is_https(settings->workspaces[i].auto_reload_webhook_url))
			return true;
	return false;
}

/* A provider's, where one trusts the system's issuers as well. */
static int make_webhook(struct gateway_tls *tls, const struct settings *settings, char *why, size_t why_bytes)
{
	const struct tls_client_options options = {.ca = NULL};

	for (unsigned i = 0; i < settings->provider_count && !tls->webhook; i++)
		if (tls->clients[i] && !settings->providers[i].tls_ca && !settings->providers[i].tls_insecure)
			tls->webhook = tls_client_borrow(tls->clients[i]);
	if (tls->webhook || !has_webhook(settings))
		return 0;
	return tls_client_make(&tls->webhook, &options, why, why_bytes);
}

int gateway_tls_make(struct gateway_tls **out, const struct settings *settings, const struct tls_tickets *tickets,
	char *why, size_t why_bytes)
{
	struct gateway_tls *tls = calloc(1, sizeof(*tls));
	int rc = -ENOMEM;

	snprintf(why, why_bytes, "out of memory");
	if (!tls)
		return rc;
	tls->listener_count = settings->listener_count;
	tls->provider_count = settings->provider_count;
	tls->servers = calloc(settings->listener_count + 1, sizeof(struct tls_server *));
	tls->clients = calloc(settings->provider_count + 1, sizeof(struct tls_client *));
	if (tls->servers && tls->clients)
		rc = make_servers(tls, settings, tickets, why, why_bytes);
	if (!rc)
		rc = make_clients(tls, settings, why, why_bytes);
	if (!rc)
		rc = make_webhook(tls, settings, why, why_bytes);
	if (rc)
		gateway_tls_free(tls);
	else
		*out = tls;
	return rc;
}

void gateway_tls_free(struct gateway_tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; tls->servers && i < tls->listener_count; i++)
		tls_server_give(&tls->servers[i]);
	for (unsigned i = 0; tls->clients && i < tls->provider_count; i++)
		tls_client_give(&tls->clients[i]);
	if (tls->webhook)
		tls_client_give(&tls->webhook);
	free(tls->servers);
	free(tls->clients);
	free(tls);
}

struct tls_server *gateway_tls_server(const struct gateway_tls *tls, unsigned listener)
{
	return tls->servers[listener];
}

struct tls_client *gateway_tls_client(const struct gateway_tls *tls, unsigned provider)
{
	return tls->clients[provider];
}

void gateway_tls_trust(const struct provider_settings *provider, struct text *trust)
{
	text_string(trust, provider->tls_insecure ? "anybody" : provider->tls_ca ? "ca " : "system");
	if (provider->tls_ca && !provider->tls_insecure)
		text_string(trust, provider->tls_ca);
	if (provider->tls_server_name) {
		text_char(trust, '\n');
		text_string(trust, provider->tls_server_name);
	}
}

int64_t gateway_tls_not_after_s(const struct gateway_tls *tls)
{
	int64_t first_s = INT64_MAX;

	for (unsigned i = 0; i < tls->listener_count; i++) {
		int64_t one_s = tls->servers[i] ? tls_server_not_after_s(tls->servers[i]) : INT64_MAX;

		if (one_s < first_s)
			first_s = one_s;
	}
	return first_s;
}

void gateway_tls_warn(const struct gateway_tls *tls, const struct settings *settings, int64_t now_s,
	void (*say)(void *context, const char *line), void *context)
{
	char line[4352];

	for (unsigned i = 0; i < tls->listener_count; i++) {
		int64_t left_s = tls->servers[i] ? tls_server_not_after_s(tls->servers[i]) - now_s : INT64_MAX;

		if (left_s >= WARN_DAYS * DAY_S)
			continue;
		if (left_s < 0)
			snprintf(line, sizeof(line), "tls of address %u of 'listen': a certificate has expired (%s)",
				i + 1, settings->listeners[i].tls_cert);
		else
			snprintf(line, sizeof(line),
				"tls of address %u of 'listen': a certificate expires in %d days (%s)", i + 1,
				(int)(left_s / DAY_S), settings->listeners[i].tls_cert);
		say(context, line);
	}
}

/* ---- metrics ---- */

static const char *const side_names[TLS_SIDE_COUNT] = {"server", "client"};

static void add_sample(
	struct text *text, const char *name, const char *side, const char *label, const char *value, uint64_t number)
{
	text_string(text, name);
	text_literal(text, "{side=\"");
	text_string(text, side);
	text_literal(text, "\",");
	text_string(text, label);
	text_literal(text, "=\"");
	text_string(text, value);
	text_literal(text, "\"} ");
	text_u64(text, number);
	text_char(text, '\n');
}

static void print_expiry(const struct gateway *gateway, struct text *text)
{
	int64_t not_after_s = atomic_load(&gateway->tls_not_after_s), now_s = (int64_t)(clock_wall_ns() / NS_PER_S);

	if (not_after_s == INT64_MAX)
		return;
	text_literal(text,
		"# HELP tollgate_tls_certificate_days_left Until the first of the listeners' certificates ends.\n"
		"# TYPE tollgate_tls_certificate_days_left gauge\n"
		"tollgate_tls_certificate_days_left ");
	if (not_after_s < now_s)
		text_char(text, '-');
	text_u64(text, (uint64_t)llabs(not_after_s - now_s) / DAY_S);
	text_char(text, '\n');
}

void gateway_tls_print(const struct gateway *gateway, struct text *text)
{
	text_literal(text, "# HELP tollgate_tls_handshakes_total TLS handshakes that ended well.\n"
			   "# TYPE tollgate_tls_handshakes_total counter\n");
	for (unsigned side = 0; side < TLS_SIDE_COUNT; side++) {
		add_sample(text, "tollgate_tls_handshakes_total", side_names[side], "kind", "full",
			gateway_sum(gateway, offsetof(struct gateway_metrics, tls_full) + side * sizeof(metric)));
		add_sample(text, "tollgate_tls_handshakes_total", side_names[side], "kind", "resumed",
			gateway_sum(gateway, offsetof(struct gateway_metrics, tls_resumed) + side * sizeof(metric)));
	}
	text_literal(text, "# HELP tollgate_tls_failures_total TLS connections that failed, by cause.\n"
			   "# TYPE tollgate_tls_failures_total counter\n");
	for (unsigned side = 0; side < TLS_SIDE_COUNT; side++)
		for (unsigned cause = 1; cause < TLS_CAUSE_COUNT; cause++)
			add_sample(text, "tollgate_tls_failures_total", side_names[side], "cause",
				tls_cause_name(cause),
				gateway_sum(gateway, offsetof(struct gateway_metrics, tls_failed) +
							     (side * TLS_CAUSE_COUNT + cause) * sizeof(metric)));
	text_literal(text,
		"# HELP tollgate_tls_handshakes_delayed_total Steps of TLS handshakes that waited for their turn.\n"
		"# TYPE tollgate_tls_handshakes_delayed_total counter\n"
		"tollgate_tls_handshakes_delayed_total ");
	text_u64(text, gateway_sum(gateway, offsetof(struct gateway_metrics, tls_delayed)));
	text_char(text, '\n');
	print_expiry(gateway, text);
}
