/* Opening and closing the gateway's part on a shard, its origins' addresses, and what it does once a second. */
#include "route/gateway/gateway_shard.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "route/exchange/exchange.h"
#include "route/gateway/gateway_tls.h"
#include "route/gateway/service.h"
#include "tls/server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LISTEN_BACKLOG = 4096,
	IDLE_UPSTREAMS_MAX = 1024,
	RESOLVE_AGAIN_MIN_S = 5,
	RESOLVE_AGAIN_MAX_S = 300,
	JSON_DOCUMENT_SLACK_BYTES = 1 << 20
};
#define IDLE_UPSTREAM_NS (60 * NS_PER_S)
#define DRAIN_LOOK_NS (5 * NS_PER_MS)

static int say_why(char *why, size_t why_bytes, const char *what, int err)
{
	snprintf(why, why_bytes, "%s: %s", what, strerror(-err));
	return err;
}

/* ---- configurations and their origins ---- */

static void config_free(struct shard_config *config)
{
	struct shard *shard = config->owner->shard;
	struct shard_config *root = config->root;

	for (unsigned i = 0; !root && i < config->origin_count; i++)
		timer_disarm(&shard->timers, &config->origins[i].again);
	list_remove(&config->link);
	gateway_config_give(&config->config);
	if (!root)
		free(config->origins);
	free(config);
	if (root)
		shard_config_give(root);
}

static bool config_is_asking(const struct shard_config *config)
{
	for (unsigned i = 0; !config->root && i < config->origin_count; i++)
		if (config->origins[i].asking)
			return true;
	return false;
}

static bool any_config_is_asking(const struct gateway_shard *gs)
{
	for (struct list *l = gs->configs.next; l != &gs->configs; l = l->next)
		if (config_is_asking(container_of(l, struct shard_config, link)))
			return true;
	return false;
}

/* A retired configuration goes with its last exchange and its last question to the resolver. */
static void config_free_if_unused(struct shard_config *config)
{
	if (config->retired && config->exchanges == 0 && !config_is_asking(config))
		config_free(config);
}

void shard_config_give(struct shard_config *config)
{
	assert(config->exchanges > 0);
	config->exchanges--;
	config_free_if_unused(config);
}

static struct shard_config *config_of(struct gateway_origin *origin)
{
	struct gateway_shard *gs = origin->shard;

	for (struct list *l = gs->configs.next; l != &gs->configs; l = l->next) {
		struct shard_config *config = container_of(l, struct shard_config, link);

		if (!config->root && origin >= config->origins && origin < config->origins + config->origin_count)
			return config;
	}
	assert(false);
	return NULL;
}

static void resolved(struct resolve_query *query)
{
	struct gateway_origin *origin = container_of(query, struct gateway_origin, query);
	struct gateway_shard *gs = origin->shard;
	struct shard_config *config = config_of(origin);
	uint64_t again_s = query->ttl_s;

	origin->asking = false;
	/* Calls that began before a drain or a reload may wait for it. */
	http_origin_set_addresses(origin->origin, query->addresses, query->result == 0 ? query->count : 0);
	if (config->retired || gs->draining) {
		config_free_if_unused(config);
		return;
	}
	if (query->result != 0 || again_s < RESOLVE_AGAIN_MIN_S)
		again_s = RESOLVE_AGAIN_MIN_S;
	if (again_s > RESOLVE_AGAIN_MAX_S)
		again_s = RESOLVE_AGAIN_MAX_S;
	timer_arm(&gs->shard->timers, &origin->again, shard_now_ns(gs->shard) + again_s * NS_PER_S);
}

static void ask_resolver(struct gateway_origin *origin)
{
	struct resolve_query *query = &origin->query;
	size_t size = strlen(origin->provider->host);

	if (size > RESOLVE_NAME_MAX || !origin->shard->gateway->resolver) {
		http_origin_set_addresses(origin->origin, NULL, 0); /* calls to it fail as unresolved */
		return;
	}
	memset(query, 0, sizeof(*query));
	query->shard = origin->shard->shard;
	query->done = resolved;
	query->port = origin->provider->port;
	memcpy(query->name, origin->provider->host, size + 1);
	origin->asking = true;
	resolve_start(origin->shard->gateway->resolver, query);
}

static void again_expired(struct timer *timer)
{
	ask_resolver(container_of(timer, struct gateway_origin, again));
}

static int find_origin(
	struct gateway_shard *gs, struct gateway_origin *origin, const struct gateway_config *config, struct slice host)
{
	const struct provider_settings *provider = origin->provider;
	struct slice name = provider->tls_server_name ? slice_of_string(provider->tls_server_name) : host;
	char memory[GATEWAY_TRUST_BYTES];
	struct text trust = text_over(memory, sizeof(memory));

	if (CONFIG(TLS) && provider->tls)
		gateway_tls_trust(provider, &trust);
	origin->origin = http_client_origin(gs->client, host, provider->port, text_slice(&trust));
	if (!origin->origin)
		return -ENOMEM;
	if (CONFIG(TLS) && provider->tls)
		return http_origin_set_tls(origin->origin, gs->tls,
			gateway_tls_client(config->tls, (unsigned)(provider - config->settings->providers)), name);
	return 0;
}

static int origin_open(struct gateway_shard *gs, struct gateway_origin *origin, const struct gateway_config *config,
	const struct provider_settings *provider)
{
	struct slice host = slice_of_string(provider->host);
	struct sockaddr_storage address;
	int err;

	origin->shard = gs;
	origin->provider = provider;
	timer_init(&origin->again, again_expired);
	err = find_origin(gs, origin, config, host);
	if (err)
		return err;
	if (resolve_literal(host, provider->port, &address))
		http_origin_set_addresses(origin->origin, &address, 1);
	else
		ask_resolver(origin);
	return 0;
}

/* `c` is zeroed memory. */
static struct shard_config *config_open(struct gateway_shard *gs, struct gateway_config *config, struct shard_config *c)
{
	const struct settings *settings = config->settings;

	if (!c)
		return NULL;
	c->owner = gs;
	c->config = gateway_config_borrow(config);
	list_init(&c->link);
	list_append(&gs->configs, &c->link);
	c->origins = calloc(settings->provider_count ? settings->provider_count : 1, sizeof(*c->origins));
	while (c->origins && c->origin_count < settings->provider_count) {
		unsigned i = c->origin_count++;

		if (origin_open(gs, &c->origins[i], config, &settings->providers[i]) < 0)
			break;
	}
	if (!c->origins || c->origin_count < settings->provider_count ||
		(c->origin_count && !c->origins[c->origin_count - 1].origin)) {
		c->retired = true;
		config_free_if_unused(c);
		return NULL;
	}
	return c;
}

static struct http_server_options server_options(const struct gateway_shard *gs, const struct settings *settings)
{
	uint32_t shards = gs->gateway->shard_count ? gs->gateway->shard_count : 1;

	return (struct http_server_options){
		.limits = {settings->http.max_head_bytes, settings->http.max_headers, settings->http.max_body_bytes},
		.head_timeout_ns = settings->http.head_timeout_ns,
		.body_timeout_ns = settings->http.body_timeout_ns,
		.keepalive_timeout_ns = settings->http.keepalive_timeout_ns,
		.write_stall_timeout_ns = settings->http.write_stall_timeout_ns,
		.max_connections = (settings->http.max_connections + shards - 1) / shards,
		.max_connections_per_ip = settings->http.max_connections_per_ip,
	};
}

static void ration_handshakes(struct gateway_shard *gs, const struct settings *settings)
{
	if (CONFIG(TLS))
		tls_worker_configure(gs->tls, settings->http.max_tls_handshakes_per_s,
			settings->http.max_tls_handshakes_per_s_per_ip);
}

/* Connections that are accepted from now on see the new ones. Listeners are found by address: they do not change here.
 */
static void show_certificates(struct gateway_shard *gs, const struct gateway_config *config)
{
	const struct settings *new = config->settings;

	for (unsigned i = 0; CONFIG(TLS) && i < gs->listener_count; i++) {
		struct gateway_listener *own = &gs->listeners[i];

		for (unsigned j = 0; own->tls.server && j < new->listener_count; j++) {
			if (!new->listeners[j].has_tls ||
				memcmp(&own->address, &new->listeners[j].address, sizeof(own->address)) != 0)
				continue;
			tls_server_give(&own->tls.server);
			own->tls.server = tls_server_borrow(gateway_tls_server(config->tls, j));
		}
	}
}

static const struct gateway_config *base_of(const struct gateway_config *config)
{
	return config->base ? config->base : config;
}

/* Other keys alone: origins, certificates and bounds stay. */
static struct shard_config *config_open_over(
	struct gateway_shard *gs, struct gateway_config *config, struct shard_config *c)
{
	struct shard_config *root = gs->config->root ? gs->config->root : gs->config;

	*c = (struct shard_config){.config = gateway_config_borrow(config),
		.root = root,
		.origins = root->origins,
		.origin_count = root->origin_count,
		.owner = gs};
	root->exchanges++;
	list_init(&c->link);
	list_append(&gs->configs, &c->link);
	return c;
}

static void retire(struct shard_config *config, bool with_root)
{
	struct shard_config *root = config->root;

	if (root && with_root)
		root->retired = true; /* it goes with the last that uses its origins */
	config->retired = root || with_root;
	config_free_if_unused(config);
}

int gateway_shard_configure(struct gateway_shard *gs, struct gateway_config *config, struct shard_config *spare)
{
	struct shard_config *old = gs->config, *new;
	bool same_base = base_of(old->config) == base_of(config);
	struct http_server_options options;

	new = same_base ? config_open_over(gs, config, spare) : config_open(gs, config, spare);
	if (!new)
		return -ENOMEM;
	gs->config = new;
	key_cache_wipe(&gs->keys); /* it points into the old index */
	if (!same_base) {
		options = server_options(gs, config->settings);
		show_certificates(gs, config);
		ration_handshakes(gs, config->settings);
		http_server_configure(gs->server, &options);
		if (gs->admin_server)
			http_server_configure(gs->admin_server, &options);
	}
	retire(old, !same_base);
	return 0;
}

/* ---- once a second ---- */

/* Of both servers: what metrics tell is the shard's. */
static struct http_server_counts server_counts(const struct gateway_shard *gs)
{
	struct http_server_counts all = http_server_counts(gs->server), admin;

	if (!gs->admin_server)
		return all;
	admin = http_server_counts(gs->admin_server);
	all.accepted += admin.accepted;
	all.connections += admin.connections;
	all.bad_requests += admin.bad_requests;
	all.refused_connections += admin.refused_connections;
	all.bytes_in += admin.bytes_in;
	all.bytes_out += admin.bytes_out;
	return all;
}

static bool servers_are_idle(const struct gateway_shard *gs)
{
	return http_server_idle(gs->server) && (!gs->admin_server || http_server_idle(gs->admin_server));
}

static void copy_tls_counts(struct gateway_metrics *m, const struct tls_counts *counts)
{
	for (unsigned side = 0; side < TLS_SIDE_COUNT; side++) {
		metric_set(&m->tls_full[side], counts->full[side]);
		metric_set(&m->tls_resumed[side], counts->resumed[side]);
		for (unsigned cause = 0; cause < TLS_CAUSE_COUNT; cause++)
			metric_set(&m->tls_failed[side][cause], counts->failed[side][cause]);
	}
	metric_set(&m->tls_delayed, counts->delayed);
}

static void copy_counts(struct gateway_shard *gs)
{
	struct http_server_counts server = server_counts(gs);
	struct http_client_counts client = http_client_counts(gs->client);
	struct ring_counts ring = ring_counts(gs->shard->ring);
	struct gateway_metrics *m = &gs->metrics;

	metric_set(&m->accepted, server.accepted);
	metric_set(&m->connections, server.connections);
	metric_set(&m->bad_requests, server.bad_requests);
	metric_set(&m->refused_connections, server.refused_connections);
	metric_set(&m->bytes_in, server.bytes_in);
	metric_set(&m->bytes_out, server.bytes_out);
	metric_set(&m->upstream_connects, client.connects);
	metric_set(&m->upstream_reused, client.reused);
	metric_set(&m->upstream_retried, client.retried);
	metric_set(&m->upstream_connections, client.connections);
	metric_set(&m->ring_enters, ring.enters);
	metric_set(&m->ring_completions, ring.completions);
	metric_set(&m->ring_starved, ring.starved);
	if (CONFIG(TLS))
		copy_tls_counts(m, &gs->tls->counts);
}

static void close_doors(struct gateway_shard *gs)
{
	gs->closing = true;
	http_server_drain(gs->server);
	if (gs->admin_server)
		http_server_drain(gs->admin_server);
}

/*
 * Shards share their listeners' ports, so they go on accepting until none of them has work: a connection given to a
 * shard that has stopped would wait in vain while another finishes.
 */
static void look_at_drain(struct gateway_shard *gs)
{
	if (!gs->closing) {
		atomic_store(&gs->quiet, gs->exchange_count == 0);
		if (!gateway_quiet(gs->gateway))
			return;
		close_doors(gs);
	}
	if (!servers_are_idle(gs) || gs->exchange_count > 0 || any_config_is_asking(gs) ||
		!list_empty(&gs->limits.leases) || !list_empty(&gs->limits.owing) || gs->limits.telling)
		return;
	if (!webhook_shard_close(&gs->webhooks))
		return;
	if (!gs->client_closed) {
		gs->client_closed = true;
		http_client_close(gs->client);
	}
	if (http_client_idle(gs->client)) {
		fleet_reporter_close(&gs->reporter); /* what it would tell concerns nobody any more */
		atomic_store(&gs->drained, true);
	}
}

static void second_expired(struct timer *timer)
{
	struct gateway_shard *gs = container_of(timer, struct gateway_shard, second);

	copy_counts(gs);
	if (gs->draining)
		look_at_drain(gs);
	if (!atomic_load(&gs->drained))
		timer_arm(
			&gs->shard->timers, timer, shard_now_ns(gs->shard) + (gs->draining ? DRAIN_LOOK_NS : NS_PER_S));
}

void gateway_shard_drain(struct gateway_shard *gs)
{
	if (gs->draining)
		return;
	gs->draining = true;
	for (unsigned i = 0; i < gs->config->origin_count; i++)
		timer_disarm(&gs->shard->timers, &gs->config->origins[i].again);
	http_server_wind_down(gs->server);
	if (gs->admin_server)
		http_server_wind_down(gs->admin_server);
	timer_arm(&gs->shard->timers, &gs->second, shard_now_ns(gs->shard) + 1);
}

void gateway_shard_abort(struct gateway_shard *gs)
{
	if (!http_server_idle(gs->server))
		http_server_abort(gs->server);
	if (gs->admin_server && !http_server_idle(gs->admin_server))
		http_server_abort(gs->admin_server);
}

/* ---- opening and closing ---- */

static int open_parts(struct gateway_shard *gs, const struct settings *settings, char *why, size_t why_bytes)
{
	struct http_server_options options = server_options(gs, settings);
	int err = 0;

	gs->event_joined = calloc(1, GATEWAY_STREAM_EVENT_BYTES + BUFFER_PADDING_BYTES);
	gs->event_written = malloc(GATEWAY_STREAM_WRITTEN_BYTES);
	if (!gs->event_joined || !gs->event_written)
		return say_why(why, why_bytes, "cannot have memory for streams", -ENOMEM);
	gs->terms = analysis_terms_make();
	gs->json = json_parser_open(settings->http.max_body_bytes + JSON_DOCUMENT_SLACK_BYTES);
	if (!gs->json || !gs->terms)
		return say_why(why, why_bytes, "cannot open the JSON parser", -ENOMEM);
	if (CONFIG(TLS))
		err = tls_worker_open(&gs->tls, gs->shard);
	if (err)
		return say_why(why, why_bytes, "cannot prepare TLS", err);
	ration_handshakes(gs, settings);
	err = http_client_open(&gs->client, gs->shard, IDLE_UPSTREAMS_MAX, IDLE_UPSTREAM_NS);
	if (err)
		return say_why(why, why_bytes, "cannot open the HTTP client", err);
	err = http_server_open(&gs->server, gs->shard, &options, &gateway_service, gs);
	if (err)
		return say_why(why, why_bytes, "cannot open the HTTP server", err);
	if (settings->admin_has_address)
		err = http_server_open(&gs->admin_server, gs->shard, &options, &gateway_admin_service, gs);
	if (err)
		return say_why(why, why_bytes, "cannot open the admin API's HTTP server", err);
	if (gs->gateway->log) {
		gs->log = log_writer_open(gs->gateway->log);
		if (!gs->log)
			return say_why(why, why_bytes, "cannot open the log", -ENOMEM);
	}
	return 0;
}

static int listen_on(struct gateway_shard *gs, struct http_server *server, const struct sockaddr_storage *address,
	struct tls_listener *tls)
{
	int listener = ring_listen(gs->shard->ring, address, LISTEN_BACKLOG, true);

	return listener < 0 ? listener : http_server_listen(server, listener, tls);
}

static int open_listeners(struct gateway_shard *gs, const struct gateway_config *config)
{
	const struct settings *settings = config->settings;

	gs->listeners = calloc(settings->listener_count ? settings->listener_count : 1, sizeof(*gs->listeners));
	if (!gs->listeners)
		return -ENOMEM;
	gs->listener_count = settings->listener_count;
	for (unsigned i = 0; i < gs->listener_count; i++) {
		gs->listeners[i].address = settings->listeners[i].address;
		gs->listeners[i].tls.worker = gs->tls;
		if (CONFIG(TLS) && settings->listeners[i].has_tls)
			gs->listeners[i].tls.server = tls_server_borrow(gateway_tls_server(config->tls, i));
	}
	return 0;
}

static int listen_on_all(struct gateway_shard *gs, const struct gateway_config *config, char *why, size_t why_bytes)
{
	const struct settings *settings = config->settings;
	int err = open_listeners(gs, config);

	if (err)
		return say_why(why, why_bytes, "cannot listen", err);
	for (unsigned i = 0; i < settings->listener_count; i++) {
		err = listen_on(gs, gs->server, &settings->listeners[i].address,
			settings->listeners[i].has_tls ? &gs->listeners[i].tls : NULL);
		if (err < 0) {
			snprintf(why, why_bytes, "cannot listen on address %u of 'listen': %s", i + 1, strerror(-err));
			return err;
		}
	}
	if (gs->admin_server)
		err = listen_on(gs, gs->admin_server, &settings->admin_address, NULL);
	return err < 0 ? say_why(why, why_bytes, "cannot listen on admin.address", err) : 0;
}

static void free_all(struct gateway_shard *gs)
{
	while (gs->free) {
		struct exchange *e = gs->free;

		gs->free = e->next_free;
		free(e);
	}
	for (unsigned i = 0; CONFIG(TLS) && i < gs->listener_count; i++)
		tls_server_give(&gs->listeners[i].tls.server);
	free(gs->listeners);
	if (CONFIG(TLS))
		tls_worker_close(gs->tls);
	free(gs->event_joined);
	free(gs->event_written);
	key_cache_wipe(&gs->keys);
	if (gs->json)
		json_parser_close(gs->json);
	analysis_terms_free(gs->terms);
	free(gs);
}

int gateway_shard_open(struct gateway_shard **gateway_shard, struct gateway *gateway, struct shard *shard,
	struct gateway_config *config, char *why, size_t why_bytes)
{
	struct gateway_shard *gs = calloc(1, sizeof(*gs));
	int err;

	assert(shard->index < GATEWAY_SHARDS_MAX);
	if (!gs)
		return say_why(why, why_bytes, "cannot open a shard", -ENOMEM);
	gs->gateway = gateway;
	gs->shard = shard;
	list_init(&gs->configs);
	timer_init(&gs->second, second_expired);
	webhook_shard_init(&gs->webhooks, gs);
	limit_shard_init(&gs->limits, gs);
	fleet_reporter_init(&gs->reporter, shard);
	err = open_parts(gs, config->settings, why, why_bytes);
	if (err)
		return err;
	gs->config = config_open(gs, config, calloc(1, sizeof(struct shard_config)));
	if (!gs->config)
		return say_why(why, why_bytes, "cannot prepare the providers", -ENOMEM);
	timer_arm(&shard->timers, &gs->second, shard_now_ns(shard) + NS_PER_S);
	atomic_store(&gateway->shards[shard->index], gs);
	*gateway_shard = gs;
	return listen_on_all(gs, config, why, why_bytes);
}

void gateway_shard_close(struct gateway_shard *gs)
{
	assert(atomic_load(&gs->drained));
	fleet_reporter_close(&gs->reporter);
	atomic_store(&gs->gateway->shards[gs->shard->index], NULL);
	http_server_close(gs->server);
	http_server_close(gs->admin_server);
	http_client_free(gs->client);
	retire(gs->config, true);
	free_all(gs);
}
