/*
 * What the shards of one gateway share. All of it is set before the first shard starts and read-only afterwards, but
 * for the drain flag and the table of shards (for counters and for letters).
 *
 *   gateway_config_make() -> fill in struct gateway -> in each shard's on_start: gateway_shard_open()
 *   -> tenancy_reload(), any number of times -> gateway_drain() -> gateway_drained() -> shard_stop(), shard_join()
 *   -> gateway_shard_close() for each -> shard_close()
 */
#ifndef ROUTE_GATEWAY_H
#define ROUTE_GATEWAY_H

#include "core/resolve.h"
#include "route/fleet/catalog.h"
#include "route/fleet/fleet.h"
#include "route/tenancy/keys.h"
#include "route/settings/settings.h"
#include "store/store.h"

#include <stdatomic.h>

#ifndef TOLLGATE_VERSION
#define TOLLGATE_VERSION "0.1.0"
#endif

struct courier;
struct endpoint_table;
struct gateway_shard;
struct gateway_tls;
struct limit_book;
struct limit_table;
struct lockout;
struct tenancy;
struct tls_tickets;

/*
 * Settings and what is derived from them; replaced whole on reload. Each shard that uses it holds one reference. When
 * only keys, teams, workspaces or tokens changed, catalog, fleet and certificates are those of `base`, which it holds;
 * with connections the fleet is its own.
 */
struct gateway_config {
	struct settings *settings;
	struct gateway_config *base; /* NULL: all of it is its own */
	void (*settings_free)(struct settings *settings);
	struct key_index *keys;
	struct catalog *catalog;
	struct endpoint_table *endpoints; /* its own, also over a base */
	struct fleet_view *fleet;
	struct gateway_tls *tls;    /* NULL without CONFIG_TLS */
	struct limit_table *limits; /* NULL: nothing is limited */
	_Atomic uint32_t references;
};

enum { GATEWAY_SHARDS_MAX = 256 };

struct gateway {
	struct store *store;
	struct resolver *resolver; /* NULL: only literal addresses in base_url */
	struct log *log;           /* NULL: no log */
	struct limit_book *limits; /* what was used; every configuration's table points into it */
	struct lockout *lockout;   /* NULL: nobody is ever locked out */
	struct slice node;         /* this node's name in receipts */
	uint64_t started_wall_ns;
	struct tls_tickets *tickets;     /* NULL: no tickets for TLS clients */
	_Atomic int64_t tls_not_after_s; /* when the first certificate in force ends; INT64_MAX: there is none */
	struct fleet *fleet;
	struct courier *courier; /* NULL: no webhook is called */
	struct tenancy *tenancy; /* NULL: keys are what the configuration declares */
	unsigned shard_count;
	atomic_bool draining;
	_Atomic(struct gateway_shard *) shards[GATEWAY_SHARDS_MAX]; /* by shard->index; set by gateway_shard_open() */
};

/*
 * Takes over `settings` (also when it fails), and reads the certificates that they name. The caller holds the first
 * reference. NULL and `why`: memory is out, or a certificate cannot be used.
 */
struct gateway_config *gateway_config_make(
	struct settings *settings, struct fleet *fleet, const struct tls_tickets *tickets, char *why, size_t why_bytes);

/*
 * The same with other keys, teams, workspaces and tokens, and with more credentials when it has other providers'
 * settings; takes over `settings`, also when it fails. NULL: memory is out.
 */
struct gateway_config *gateway_config_make_over(struct gateway_config *base, struct fleet *fleet,
	struct settings *settings, void (*settings_free)(struct settings *settings));
struct gateway_config *gateway_config_borrow(struct gateway_config *config);
void gateway_config_give(struct gateway_config **config);

/*
 * Requests in flight end; new ones for a provider are refused, while /readyz says why. When nothing is left in flight,
 * the shards stop accepting. From the control thread, once.
 */
int gateway_drain(struct gateway *gateway);

/* Breaks off what is still in flight after the drain's time is over. */
int gateway_abort(struct gateway *gateway);

/* While draining: no shard has a request in flight. Any thread. */
bool gateway_quiet(const struct gateway *gateway);

/* Every shard has finished and closed its connections: its thread may be stopped. */
bool gateway_drained(const struct gateway *gateway);

#endif
