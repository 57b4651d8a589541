/*
 * The courier: a thread, a shard without listeners, whose HTTP client makes the calls that no request waits for
 * (webhooks), so that these cost the shards of requests one letter each way. Jobs come as letters to its shard and run
 * in its thread.
 *
 *   courier_open() -> letters to courier->shard -> courier_drain(), courier_drained() -> courier_stop() ->
 * courier_close()
 */
#ifndef ROUTE_COURIER_H
#define ROUTE_COURIER_H

#include "core/shard.h"
#include "proto/http/http_client.h"

#include <stdatomic.h>

struct gateway;
struct log_writer;

struct courier {
	struct shard shard;
	struct gateway *gateway;
	struct http_client *client;
	struct tls_worker *tls; /* NULL without CONFIG_TLS */
	struct log_writer *log; /* NULL: no log */
	struct list webhooks;   /* under way: route/money/webhook.h */
	struct timer drain_timer;
	struct letter drain_letter;
	bool client_closed;
	atomic_bool drained;
};

/* Starts the thread. `gateway` outlives it; what it has of log and resolver is used from its thread. */
int courier_open(struct courier **courier, struct gateway *gateway, uint32_t ring_without, char *why, size_t why_bytes);

/* Ends its connections once every gateway shard has drained. Any thread, once. */
void courier_drain(struct courier *courier);
bool courier_drained(const struct courier *courier); /* any thread */

void courier_stop(struct courier *courier);  /* after the shards' threads; drained */
void courier_close(struct courier *courier); /* NULL is nothing */

#endif
