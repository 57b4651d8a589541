/* What shards share: configurations by reference, and letters that carry an operator's wishes to every shard. */
#include "route/gateway.h"

#include "core/kconfig.h"
#include "route/gateway_shard.h"
#include "route/gateway_tls.h"

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
	config->references = 1;
	config->keys = key_index_make(settings);
	config->catalog = catalog_make(settings);
	config->fleet = fleet_view_make(fleet, settings);
	if (!config->keys || !config->catalog || !config->fleet ||
		(CONFIG(TLS) && gateway_tls_make(&config->tls, settings, tickets, why, why_bytes) < 0))
		gateway_config_give(&config);
	return config;
}

struct gateway_config *gateway_config_borrow(struct gateway_config *config)
{
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	return config;
}

void gateway_config_give(struct gateway_config **config)
{
	struct gateway_config *c = *config;

	*config = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
		return;
	fleet_view_free(c->fleet);
	if (c->catalog)
		catalog_free(c->catalog);
	if (c->keys)
		key_index_free(c->keys);
	free(c->limits);
	if (CONFIG(TLS))
		gateway_tls_free(c->tls);
	settings_free(c->settings);
	free(c);
}

struct wish {
	struct letter letter;
	struct gateway_shard *gateway_shard;
	struct gateway_config *config;
	void (*grant)(struct wish *wish);
};

static void wish_opened(struct letter *letter)
{
	struct wish *wish = container_of(letter, struct wish, letter);

	wish->grant(wish);
	free(wish);
}

static void grant_reload(struct wish *wish)
{
	gateway_shard_configure(wish->gateway_shard, wish->config);
	gateway_config_give(&wish->config);
}

static void grant_drain(struct wish *wish)
{
	gateway_shard_drain(wish->gateway_shard);
}

static void grant_abort(struct wish *wish)
{
	gateway_shard_abort(wish->gateway_shard);
}

static int tell_all(struct gateway *gateway, void (*grant)(struct wish *wish), struct gateway_config *config)
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
		wish->config = config ? gateway_config_borrow(config) : NULL;
		shard_post(gs->shard, &wish->letter, NULL);
	}
	return err;
}

int gateway_reload(struct gateway *gateway, struct gateway_config *config)
{
	return tell_all(gateway, grant_reload, config);
}

int gateway_drain(struct gateway *gateway)
{
	atomic_store(&gateway->draining, true);
	return tell_all(gateway, grant_drain, NULL);
}

int gateway_abort(struct gateway *gateway)
{
	return tell_all(gateway, grant_abort, NULL);
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
	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (gs && !atomic_load(&gs->drained))
			return false;
	}
	return true;
}
