/* The control thread, from its start to its end: see control.h. */
#include "route/gateway/control.h"

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
	struct control *control = container_of(timer, struct control, drain_timer);

	if (shards_drained(control->gateway) && !control->client_closed) {
		assert(list_empty(&control->webhooks)); /* a shard waits for its own */
		control->client_closed = true;
		http_client_close(control->client);
	}
	if (control->client_closed && http_client_idle(control->client))
		atomic_store(&control->drained, true);
	else
		timer_arm(&control->shard.timers, timer, shard_now_ns(&control->shard) + DRAIN_LOOK_NS);
}

static void on_drain(struct letter *letter)
{
	look_at_drain(&container_of(letter, struct control, drain_letter)->drain_timer);
}

bool control_drained(const struct control *control)
{
	return atomic_load(&control->drained);
}

void control_drain(struct control *control)
{
	if (control_drained(control))
		return;
	control->drain_letter.open = on_drain;
	shard_post(&control->shard, &control->drain_letter, NULL);
}

static int open_parts(struct control *control)
{
	int rc = http_client_open(&control->client, &control->shard, IDLE_CONNECTIONS_MAX, IDLE_CONNECTION_NS);

	if (rc == 0 && CONFIG(TLS))
		rc = tls_worker_open(&control->tls, &control->shard);
	if (rc == 0 && control->gateway->log) {
		control->log = log_writer_open(control->gateway->log);
		rc = control->log ? 0 : -ENOMEM;
	}
	return rc;
}

int control_open(struct control **control, struct gateway *gateway, uint32_t ring_without, char *why, size_t why_bytes)
{
	struct control *made = calloc(1, sizeof(*made));
	struct shard_options options = {.name = "control",
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
	*control = made;
	rc = open_parts(made);
	if (rc == 0)
		rc = shard_start(&made->shard);
	if (rc < 0)
		snprintf(why, why_bytes, "cannot start the control thread: %s", strerror(-rc));
	atomic_store(&made->drained, rc < 0);
	return rc;
}

void control_stop(struct control *control)
{
	if (!control->shard.running)
		return;
	shard_stop(&control->shard);
	shard_join(&control->shard);
}

void control_close(struct control *control)
{
	if (!control)
		return;
	if (control->client && !control->client_closed) /* it has never had a shard to call for */
		http_client_close(control->client);
	if (control->client)
		http_client_free(control->client);
	if (CONFIG(TLS) && control->tls)
		tls_worker_close(control->tls);
	shard_close(&control->shard);
	free(control);
}
