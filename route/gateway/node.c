/* The order in which a gateway's parts open and close: see node.h. */
#include "route/gateway/node.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "route/gateway/courier.h"
#include "route/gateway/gateway_shard.h"
#include "route/gateway/gateway_tls.h"
#include "route/tenancy/lockout.h"
#include "route/tenancy/tenancy.h"
#include "tls/ticket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct node_shard {
	struct shard shard;
	struct node *node;
	struct gateway_shard *gateway_shard;
	int result;
	char why[256];
	bool open;
};

struct node {
	struct gateway gateway;
	struct node_options options;   /* but for the settings, which are the configuration's */
	struct gateway_config *config; /* of the configuration alone: what is in force is the tenancy's */
	struct node_shard *shards;
};

/* What a configuration needs of what lasts longer; in the tenancy's thread, once that runs. */
static int bind_config(void *context, struct gateway_config *config)
{
	struct node *node = context;

	config->limits = limit_book_bind(node->gateway.limits, config->settings, node->gateway.store);
	return config->limits ? 0 : -ENOMEM;
}

static bool disable(void *context, struct slice id, struct slice name)
{
	struct node *node = context;

	(void)id;
	return fleet_disable(node->gateway.fleet, name) == 0;
}

static int open_services(struct node *node, char *why, size_t why_bytes)
{
	const struct settings *settings = node->config->settings;
	struct store_options options = {.data_dir = settings->data_dir,
		.durability = settings->durability,
		.shard_count = node->options.shard_count,
		.journal_bytes = node->options.journal_bytes,
		.ring_without = node->options.ring.without,
		.node = node->options.name,
		.secret = node->options.secret,
		.previous_secret = node->options.previous_secret};
	struct tenancy_options tenancy = {
		.bind = bind_config, .context = node, .ring_without = node->options.ring.without};
	int rc = 0;

	if (node->options.log_fd >= 0)
		rc = log_open(&node->gateway.log, settings->log_level, settings->log_format, node->options.log_fd);
	if (rc < 0) {
		snprintf(why, why_bytes, "log: %s", strerror(-rc));
		return rc;
	}
	rc = store_open(&node->gateway.store, &options, why, why_bytes);
	if (rc < 0)
		return rc;
	rc = records_read(node->gateway.store, RECORDS_DISABLED, slice_of(NULL, 0), false, disable, node);
	if (rc < 0) {
		snprintf(why, why_bytes, "the store cannot be read: %s", strerror(-rc));
		return rc;
	}
	node->gateway.limits = limit_book_open(node->options.shard_count);
	node->gateway.lockout = lockout_open();
	if (!node->gateway.limits || !node->gateway.lockout) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	tenancy.gateway = &node->gateway;
	tenancy.base = node->config;
	rc = tenancy_open(&node->gateway.tenancy, &tenancy, why, why_bytes);
	if (rc < 0)
		return rc;
	rc = resolver_open(&node->gateway.resolver, why, why_bytes);
	return rc < 0 ? rc
		      : courier_open(
				&node->gateway.courier, &node->gateway, node->options.ring.without, why, why_bytes);
}

static void learn_expiry(struct node *node)
{
	int64_t not_after_s = CONFIG(TLS) ? gateway_tls_not_after_s(node->config->tls) : INT64_MAX;

	atomic_store(&node->gateway.tls_not_after_s, not_after_s);
}

int node_open(struct node **node, const struct node_options *options, char *why, size_t why_bytes)
{
	struct node *made = calloc(1, sizeof(*made));

	assert(options->shard_count > 0 && options->shard_count <= GATEWAY_SHARDS_MAX);
	*node = made;
	snprintf(why, why_bytes, "out of memory");
	if (!made) {
		settings_free(options->settings);
		return -ENOMEM;
	}
	made->options = *options;
	made->options.settings = NULL;
	made->gateway.node = slice_of_string(options->name);
	made->gateway.shard_count = options->shard_count;
	made->gateway.started_wall_ns = clock_wall_ns();
	if (CONFIG(TLS))
		made->gateway.tickets = tls_tickets_make();
	if (fleet_open(&made->gateway.fleet, options->shard_count) < 0) {
		settings_free(options->settings);
		return -ENOMEM;
	}
	made->config =
		gateway_config_make(options->settings, made->gateway.fleet, made->gateway.tickets, why, why_bytes);
	made->shards = calloc(options->shard_count, sizeof(*made->shards));
	if (!made->config || !made->shards)
		return made->config ? -ENOMEM : -EINVAL;
	learn_expiry(made);
	return open_services(made, why, why_bytes);
}

static void on_start(struct shard *shard)
{
	struct node_shard *own = container_of(shard, struct node_shard, shard);
	struct node *node = own->node;

	own->result = gateway_shard_open(&own->gateway_shard, &node->gateway, shard,
		tenancy_config(node->gateway.tenancy), own->why, sizeof(own->why));
	tenancy_shard_started(node->gateway.tenancy);
	node->options.shard_started(node->options.context);
}

int node_start_shard(struct node *node, unsigned index, int cpu, char *why, size_t why_bytes)
{
	struct node_shard *own = &node->shards[index];
	struct shard_options options = {.name = "shard",
		.index = index,
		.cpu = cpu,
		.ring = node->options.ring,
		.arena_blocks_kept = node->options.arena_blocks_kept,
		.on_start = on_start};
	int rc;

	assert(index < node->options.shard_count && !own->open);
	rand_system(&options.seed, sizeof(options.seed));
	own->node = node;
	rc = shard_open(&own->shard, &options, why, why_bytes);
	if (rc < 0)
		return rc;
	own->open = true;
	rc = shard_start(&own->shard);
	if (rc < 0)
		snprintf(why, why_bytes, "thread: %s", strerror(-rc));
	return rc;
}

int node_start_result(const struct node *node, unsigned index, char *why, size_t why_bytes)
{
	const struct node_shard *own = &node->shards[index];

	if (own->result < 0)
		snprintf(why, why_bytes, "%s", own->why);
	return own->result;
}

const struct settings *node_settings(const struct node *node)
{
	return node->config->settings;
}

const struct gateway_tls *node_tls(const struct node *node)
{
	return node->config->tls;
}

int node_reload(struct node *node, struct settings *settings, char *why, size_t why_bytes)
{
	struct gateway_config *config =
		gateway_config_make(settings, node->gateway.fleet, node->gateway.tickets, why, why_bytes);

	if (!config)
		return -EINVAL;
	if (tenancy_reload(node->gateway.tenancy, gateway_config_borrow(config)) < 0) {
		struct gateway_config *borrowed = config;

		snprintf(why, why_bytes, "out of memory");
		gateway_config_give(&borrowed);
		gateway_config_give(&config);
		return -ENOMEM;
	}
	if (node->gateway.log)
		log_set(node->gateway.log, settings->log_level, settings->log_format);
	gateway_config_give(&node->config);
	node->config = config;
	learn_expiry(node);
	return 0;
}

void node_stop(struct node *node)
{
	for (unsigned i = 0; node->shards && i < node->options.shard_count; i++) {
		struct node_shard *own = &node->shards[i];

		if (own->shard.running) {
			shard_stop(&own->shard);
			shard_join(&own->shard);
		}
	}
	if (node->gateway.courier)
		courier_stop(node->gateway.courier);
	if (node->gateway.tenancy)
		tenancy_stop(node->gateway.tenancy);
	if (node->gateway.resolver)
		resolver_close(node->gateway.resolver);
	if (node->gateway.store)
		store_close(node->gateway.store);
	node->gateway.resolver = NULL;
	node->gateway.store = NULL;
}

void node_close(struct node *node)
{
	for (unsigned i = 0; node->shards && i < node->options.shard_count; i++) {
		struct node_shard *own = &node->shards[i];

		if (own->gateway_shard)
			gateway_shard_close(own->gateway_shard);
		if (own->open)
			shard_close(&own->shard);
	}
	courier_close(node->gateway.courier);
	tenancy_close(node->gateway.tenancy);
	gateway_config_give(&node->config);
	fleet_close(node->gateway.fleet);
	if (node->gateway.limits)
		limit_book_close(node->gateway.limits);
	lockout_close(node->gateway.lockout);
	if (CONFIG(TLS))
		tls_tickets_free(node->gateway.tickets);
	if (node->gateway.log)
		log_close(node->gateway.log);
	free(node->shards);
	free(node);
}

struct gateway *node_gateway(struct node *node)
{
	return &node->gateway;
}

struct shard *node_shard(struct node *node, unsigned index)
{
	assert(index < node->options.shard_count);
	return node->shards[index].open ? &node->shards[index].shard : NULL;
}
