/* The courier thread, from its start to its end: see courier.h. */
#include "route/gateway/courier.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "core/log.h"
#include "route/gateway/gateway_shard.h"
#include "tls/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RING_ENTRIES = 64,
	RING_BUFFERS = 16,
	RING_BUFFER_BYTES = 4096,
	IDLE_CONNECTIONS_MAX = 4, /* of an address */
};

#define IDLE_CONNECTION_NS (10 * NS_PER_S)
#define DRAIN_LOOK_NS (5 * NS_PER_MS)

static bool shards_drained(const struct gateway *gateway)
{
	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (gs && !atomic_load(&gs->drained))
			return false;
	}
	return true;
}

static void look_at_drain(struct timer *timer)
{
	struct courier *courier = container_of(timer, struct courier, drain_timer);

	if (shards_drained(courier->gateway) && !courier->client_closed) {
		assert(list_empty(&courier->webhooks)); /* a shard waits for its own */
		courier->client_closed = true;
		http_client_close(courier->client);
	}
	if (courier->client_closed && http_client_idle(courier->client))
		atomic_store(&courier->drained, true);
	else
		timer_arm(&courier->shard.timers, timer, shard_now_ns(&courier->shard) + DRAIN_LOOK_NS);
}

static void on_drain(struct letter *letter)
{
	look_at_drain(&container_of(letter, struct courier, drain_letter)->drain_timer);
}

bool courier_drained(const struct courier *courier)
{
	return atomic_load(&courier->drained);
}

void courier_drain(struct courier *courier)
{
	if (courier_drained(courier))
		return;
	courier->drain_letter.open = on_drain;
	shard_post(&courier->shard, &courier->drain_letter, NULL);
}

static int open_parts(struct courier *courier)
{
	int rc = http_client_open(&courier->client, &courier->shard, IDLE_CONNECTIONS_MAX, IDLE_CONNECTION_NS);

	if (rc == 0 && CONFIG(TLS))
		rc = tls_worker_open(&courier->tls, &courier->shard);
	if (rc == 0 && courier->gateway->log) {
		courier->log = log_writer_open(courier->gateway->log);
		rc = courier->log ? 0 : -ENOMEM;
	}
	return rc;
}

int courier_open(struct courier **courier, struct gateway *gateway, uint32_t ring_without, char *why, size_t why_bytes)
{
	struct courier *made = calloc(1, sizeof(*made));
	struct shard_options options = {.name = "courier",
		.cpu = -1,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = RING_BUFFERS,
			.buffer_bytes = RING_BUFFER_BYTES,
			.without = ring_without}};
	int rc;

	snprintf(why, why_bytes, "out of memory");
	if (!made)
		return -ENOMEM;
	made->gateway = gateway;
	list_init(&made->webhooks);
	timer_init(&made->drain_timer, look_at_drain);
	rand_system(&options.seed, sizeof(options.seed));
	rc = shard_open(&made->shard, &options, why, why_bytes);
	if (rc < 0) {
		free(made);
		return rc;
	}
	*courier = made;
	rc = open_parts(made);
	if (rc == 0)
		rc = shard_start(&made->shard);
	if (rc < 0)
		snprintf(why, why_bytes, "cannot start the courier: %s", strerror(-rc));
	atomic_store(&made->drained, rc < 0);
	return rc;
}

void courier_stop(struct courier *courier)
{
	if (!courier->shard.running)
		return;
	shard_stop(&courier->shard);
	shard_join(&courier->shard);
}

void courier_close(struct courier *courier)
{
	if (!courier)
		return;
	if (courier->client && !courier->client_closed) /* it has never had a shard to call for */
		http_client_close(courier->client);
	if (courier->client)
		http_client_free(courier->client);
	if (CONFIG(TLS) && courier->tls)
		tls_worker_close(courier->tls);
	shard_close(&courier->shard);
	free(courier);
}
