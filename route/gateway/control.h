/*
 * The control thread's outgoing calls: a shard without listeners, whose HTTP client makes the calls that no request
 * waits for (webhooks), so that these cost the shards of requests one letter each way. Other floors' jobs come to it as
 * letters and run in its thread.
 *
 *   control_open() -> letters to control_shard() -> gateway_drain() -> control_drained() -> control_stop() ->
 * control_close()
 */
#ifndef ROUTE_CONTROL_H
#define ROUTE_CONTROL_H

#include "core/shard.h"
#include "proto/http/http_client.h"

#include <stdatomic.h>

struct gateway;
struct log_writer;

struct control {
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
int control_open(struct control **control, struct gateway *gateway, uint32_t ring_without, char *why, size_t why_bytes);

/* Ends its connections once every gateway shard has drained. Any thread, once. */
void control_drain(struct control *control);
bool control_drained(const struct control *control); /* any thread */

void control_stop(struct control *control);  /* after the shards' threads; drained */
void control_close(struct control *control); /* NULL is nothing */

#endif
