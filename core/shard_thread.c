/* A shard in a thread of its own: its loop, from shard_start() to shard_join(). The simulation has another
 * (shard_sim.c). */
#include "core/shard.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pin(const struct shard *shard)
{
	cpu_set_t set;

	if (shard->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)shard->cpu, &set);
	/* A container may forbid it; the shard then runs wherever it is put. */
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *shard_main(void *argument)
{
	struct shard *shard = argument;
	int rc = ring_enable(shard->ring);

	if (rc < 0) {
		fprintf(stderr, "tollgate: %s: enabling io_uring: %s\n", shard->name, strerror(-rc));
		abort();
	}
	pin(shard);
	if (shard->on_start)
		shard->on_start(shard);
	while (!shard->stopping)
		shard_turn(shard, shard_sleep(shard));
	return NULL;
}

int shard_start(struct shard *shard)
{
	int rc = pthread_create(&shard->thread, NULL, shard_main, shard);
	char name[16];

	if (rc != 0)
		return -rc;
	shard->running = true;
	snprintf(name, sizeof(name), "%s/%u", shard->name, shard->index % 1000);
	pthread_setname_np(shard->thread, name);
	return 0;
}

void shard_join(struct shard *shard)
{
	if (!shard->running)
		return;
	pthread_join(shard->thread, NULL);
	shard->running = false;
}
