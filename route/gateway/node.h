/*
 * A gateway as one process runs it: store, resolver and shards, and the order in which they open and close. What the
 * process gets from outside (signals, a configuration file, processors) is its caller's, so that the program and the
 * simulation run the same.
 *
 *   node_open() -> node_start_shard() for each, then wait until it started and look at node_start_result()
 *   -> node_reload(), any number of times -> gateway_drain() -> gateway_drained() -> node_stop() -> node_close()
 *
 * When a step fails, what is open is drained and closed the same way. All calls are the control thread's.
 */
#ifndef ROUTE_NODE_H
#define ROUTE_NODE_H

#include "route/gateway/gateway.h"

struct node;

struct node_options {
	const char *name;                     /* in receipts; outlives the node */
	const char *secret, *previous_secret; /* of sealed content (store/sealed.h); NULL: none */
	struct settings *settings;            /* goes over to the node, also when opening fails */
	unsigned shard_count;
	size_t journal_bytes; /* of each shard */
	struct ring_options ring;
	uint32_t arena_blocks_kept;
	int log_fd; /* -1: no log */
	/* In the shard's thread, once for each shard that was started. */
	void (*shard_started)(void *context);
	void *context;
};

/* *node is NULL only when memory is out: what was opened before a failure waits for node_close(). */
int node_open(struct node **node, const struct node_options *options, char *why, size_t why_bytes);

/* Opens shard `index` and starts it, pinned to `cpu` unless that is -1. */
int node_start_shard(struct node *node, unsigned index, int cpu, char *why, size_t why_bytes);

/* After options.shard_started: 0, or -errno and `why`. */
int node_start_result(const struct node *node, unsigned index, char *why, size_t why_bytes);

/*
 * Takes `settings` over, reads certificates again, and sends them on their way to the shards. -ENOMEM, -EINVAL: nothing
 * changes, and `why` says what is wrong.
 */
int node_reload(struct node *node, struct settings *settings, char *why, size_t why_bytes);
const struct settings *node_settings(const struct node *node);
const struct gateway_tls *node_tls(const struct node *node); /* of these settings */

/* Drained: ends the shards' threads, then resolver and store. */
void node_stop(struct node *node);
void node_close(struct node *node);

struct gateway *node_gateway(struct node *node);
struct shard *node_shard(struct node *node, unsigned index); /* NULL: not open */

#endif
