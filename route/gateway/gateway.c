/* What shards share: configurations by reference, and letters that carry an operator's wishes to every shard. */
#include "route/gateway/gateway.h"

#include "core/kconfig.h"
#include "route/endpoints/endpoint_table.h"
#include "route/gateway/courier.h"
#include "route/gateway/gateway_shard.h"
#include "route/gateway/gateway_tls.h"
#include "route/tenancy/tenancy.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct gateway_config *gateway_config_make(
	struct settings *settings, struct fleet *fleet, const struct tls_tickets *tickets, char *why, size_t why_bytes)
{
	struct gateway_config *config = calloc(1, sizeof(*config));

	snprintf(why, why_bytes, "out of memory");
	if (!config) {
		settings_free(settings);
		return NULL;
	}
	config->settings = settings;
	config->settings_free = settings_free;
	config->references = 1;
	config->keys = key_index_make(settings);
	config->endpoints = endpoint_table_make(settings);
	config->catalog = catalog_make(settings);
	config->fleet = fleet_view_make(fleet, settings);
	if (!config->keys || !config->endpoints || !config->catalog || !config->fleet ||
		(CONFIG(TLS) && gateway_tls_make(&config->tls, settings, tickets, why, why_bytes) < 0))
		gateway_config_give(&config);
	return config;
}

struct gateway_config *gateway_config_make_over(struct gateway_config *base, struct fleet *fleet,
	struct settings *settings, void (*settings_free_over)(struct settings *settings))
{
	struct gateway_config *config = calloc(1, sizeof(*config));
	bool own_fleet = settings->providers != base->settings->providers;

	if (!config) {
		settings_free_over(settings);
		return NULL;
	}
	*config = (struct gateway_config){.settings = settings,
		.settings_free = settings_free_over,
		.base = gateway_config_borrow(base),
		.references = 1,
		.keys = key_index_make(settings),
		.endpoints = endpoint_table_make(settings),
		.catalog = base->catalog,
		.fleet = own_fleet ? fleet_view_make(fleet, settings) : base->fleet,
		.tls = base->tls};
	if (!config->keys || !config->endpoints || !config->fleet)
		gateway_config_give(&config);
	return config;
}

struct gateway_config *gateway_config_borrow(struct gateway_config *config)
{
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	return config;
}

static void free_own(struct gateway_config *config)
{
	fleet_view_free(config->fleet);
	if (config->catalog)
		catalog_free(config->catalog);
	if (CONFIG(TLS))
		gateway_tls_free(config->tls);
}

/* Of itself for its base, which has none. */
void gateway_config_give(struct gateway_config **config)
{
	struct gateway_config *c = *config;

	*config = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
		return;
	if (!c->base)
		free_own(c);
	else if (c->fleet != c->base->fleet)
		fleet_view_free(c->fleet);
	if (c->keys)
		key_index_free(c->keys);
	endpoint_table_free(c->endpoints);
	free(c->limits);
	c->settings_free(c->settings);
	gateway_config_give(&c->base);
	free(c);
}

struct wish {
	struct letter letter;
	struct gateway_shard *gateway_shard;
	void (*grant)(struct wish *wish);
};

static void wish_opened(struct letter *letter)
{
	struct wish *wish = container_of(letter, struct wish, letter);

	wish->grant(wish);
	free(wish);
}

static void grant_drain(struct wish *wish)
{
	gateway_shard_drain(wish->gateway_shard);
}

static void grant_abort(struct wish *wish)
{
	gateway_shard_abort(wish->gateway_shard);
}

static int tell_all(struct gateway *gateway, void (*grant)(struct wish *wish))
{
	int err = 0;

	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		struct gateway_shard *gs = atomic_load(&gateway->shards[i]);
		struct wish *wish = gs ? calloc(1, sizeof(*wish)) : NULL;

		if (gs && !wish)
			err = -ENOMEM;
		if (!wish)
			continue;
		wish->letter.open = wish_opened;
		wish->gateway_shard = gs;
		wish->grant = grant;
		shard_post(gs->shard, &wish->letter, NULL);
	}
	return err;
}

int gateway_drain(struct gateway *gateway)
{
	atomic_store(&gateway->draining, true);
	if (gateway->courier)
		courier_drain(gateway->courier);
	return tell_all(gateway, grant_drain);
}

int gateway_abort(struct gateway *gateway)
{
	return tell_all(gateway, grant_abort);
}

bool gateway_quiet(const struct gateway *gateway)
{
	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (gs && !atomic_load(&gs->quiet))
			return false;
	}
	return true;
}

bool gateway_drained(const struct gateway *gateway)
{
	if (gateway->tenancy && !tenancy_settled(gateway->tenancy))
		return false;
	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (gs && !atomic_load(&gs->drained))
			return false;
	}
	return !gateway->courier || courier_drained(gateway->courier);
}
