/*
 * The gateway's part on one shard: its HTTP server and client, its JSON view, the configuration in force, its
 * exchanges. Everything here belongs to the shard's thread but `metrics` (read by any) and `drained`.
 */
#ifndef ROUTE_GATEWAY_SHARD_H
#define ROUTE_GATEWAY_SHARD_H

#include "core/shard.h"
#include "proto/http/http_client.h"
#include "proto/http/http_server.h"
#include "proto/json/json.h"
#include "route/auto/analysis.h"
#include "route/gateway/gateway.h"
#include "route/gateway/gateway_metrics.h"
#include "route/money/alert.h"
#include "route/limits/limits.h"

struct exchange;

/* One provider as this shard reaches it. */
struct gateway_origin {
	struct http_origin *origin;
	const struct provider_settings *provider;
	struct resolve_query query;
	struct timer again; /* resolves once more when the answer's time to live is over */
	struct gateway_shard *shard;
	bool asking;
};

/*
 * A configuration as this shard uses it; freed when it was replaced and its last exchange has ended. One that differs
 * from another in keys alone has that one's origins, and counts as an exchange of it.
 */
struct shard_config {
	struct gateway_config *config;
	struct shard_config *root;      /* whose origins it has; NULL: its own */
	struct gateway_origin *origins; /* by the provider's index */
	unsigned origin_count;
	uint32_t exchanges;
	bool retired;
	struct gateway_shard *owner;
	struct list link;
};

/* An address that was listened on when the shard opened. */
struct gateway_listener {
	struct sockaddr_storage address;
	struct tls_listener tls; /* no server: plain */
};

enum {
	REFUSAL_SLOTS = 256,
	GATEWAY_STREAM_EVENT_BYTES = 256 * 1024,
	GATEWAY_STREAM_WRITTEN_BYTES = 2 * GATEWAY_STREAM_EVENT_BYTES, /* an event as it is translated */
	GATEWAY_GATHERED_BYTES = 16384,
	GATEWAY_EXCHANGES_KEPT = 1024
};

/* How many receipts of refusals a key got in the current second (contract, section 6). */
struct refusal_slot {
	const void *key;
	uint32_t kind, second, count;
};

struct gateway_shard {
	struct gateway *gateway;
	struct shard *shard;
	struct http_server *server;
	struct http_server *admin_server; /* of admin.address; NULL: `server` has the admin API too */
	struct tls_worker *tls;           /* NULL without CONFIG_TLS */
	struct gateway_listener *listeners;
	unsigned listener_count;
	struct http_client *client;
	struct json_parser *json;
	struct log_writer *log;      /* NULL: no log */
	struct shard_config *config; /* in force for new requests */
	struct list configs;         /* all that live, the one in force last */
	struct key_cache keys;
	struct analysis_terms *terms;
	struct gateway_metrics metrics;
	struct exchange *free; /* kept for reuse */
	uint32_t free_count, exchange_count;
	uint32_t kept_answers; /* that lie in receive buffers, so far */
	/* An event on its way through, of whichever stream; what they hold is gone when its callback returns. */
	char *event_joined;                    /* GATEWAY_STREAM_EVENT_BYTES, and the padding */
	char *event_written;                   /* GATEWAY_STREAM_WRITTEN_BYTES */
	char gathered[GATEWAY_GATHERED_BYTES]; /* events on their way out; empty between callbacks */
	size_t gathered_size;
	unsigned content_waiting; /* for the store */
	unsigned shadow_count;    /* under way */
	struct refusal_slot refusals[REFUSAL_SLOTS];
	struct limit_shard limits;
	struct webhook_shard webhooks;
	struct fleet_reporter reporter;
	struct timer second; /* copies counts, watches the drain */
	uint32_t turn_listeners;
	bool draining, closing, client_closed; /* in this order */
	atomic_bool quiet;                     /* while draining: no exchange here */
	atomic_bool drained;
};

/*
 * In the shard's thread, from its on_start: opens server and client, listens on every address of the settings and
 * starts to resolve the providers. Borrows `config`. On failure `why` tells a person what is wrong; when *gateway_shard
 * was set nevertheless (an address could not be listened on), it is drained and closed like one that was opened.
 */
int gateway_shard_open(struct gateway_shard **gateway_shard, struct gateway *gateway, struct shard *shard,
	struct gateway_config *config, char *why, size_t why_bytes);

/* After the shard's thread was joined and gateway_drained() was true. */
void gateway_shard_close(struct gateway_shard *gateway_shard);

/* One exchange less uses it; an old one with none left is freed. */
void shard_config_give(struct shard_config *config);

/*
 * In the shard's thread: `config` is in force for requests that begin from now on. `spare` is memory for it, taken
 * over. -ENOMEM: the old one stays; never when the two have the same base.
 */
int gateway_shard_configure(
	struct gateway_shard *gateway_shard, struct gateway_config *config, struct shard_config *spare);

/* In the shard's thread; the control thread reaches these through route/gateway/gateway.h. */
void gateway_shard_drain(struct gateway_shard *gateway_shard);
void gateway_shard_abort(struct gateway_shard *gateway_shard);

#endif
