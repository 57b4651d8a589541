/* Opening and closing simulated rings, and what becomes of those of a process that is killed. */
#include "core/sim/ring_sim.h"

#include <errno.h>
#include <stdlib.h>

static void register_ring(struct ring *ring)
{
	struct sim *sim = ring->sim;

	sim->rings = sim_array_room(sim->rings, sim->ring_count, &sim->ring_capacity);
	ring->id = sim->ring_count++;
	sim->rings[ring->id] = ring;
	list_append(&ring->process->rings, &ring->link);
	ring->process->ring_count++;
}

static void free_ring(struct ring *ring)
{
	list_remove(&ring->link);
	ring_sim_free_buffers(ring);
	free(ring->submissions);
	free(ring->posted.items);
	free(ring->running.items);
	free(ring);
}

int ring_open(struct ring **out, const struct ring_options *options, char *why, size_t why_bytes)
{
	struct sim_process *process = sim_process_current();
	struct ring *ring = calloc(1, sizeof(*ring));

	assert(process);
	assert((options->buffer_count & (options->buffer_count - 1)) == 0);
	assert(options->buffer_count > 0);
	assert(options->buffer_count <= 32768);
	if (!ring)
		goto no_memory;
	ring->sim = process->host->sim;
	ring->process = process;
	ring->entry_count = options->entry_count;
	ring->buffer_count = options->buffer_count;
	ring->buffer_bytes = options->buffer_bytes;
	ring->features = (RING_NO_SQARRAY | RING_SOCKET_OPTIONS) & ~options->without;
	list_init(&ring->link);
	list_init(&ring->ready);
	list_init(&ring->starved);
	list_init(&ring->local);
	ring->submissions = calloc(ring->entry_count, sizeof(*ring->submissions));
	if (!ring->submissions || ring_sim_make_buffers(ring) < 0)
		goto no_memory;
	register_ring(ring);
	*out = ring;
	return 0;
no_memory:
	snprintf(why, why_bytes, "no memory for the simulated ring");
	if (ring)
		free_ring(ring);
	return -ENOMEM;
}

int ring_enable(struct ring *ring)
{
	assert(!ring->enabled);
	ring->enabled = true;
	return 0;
}

/* What was not submitted is lost, as it is when the real one exits. */
void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	assert(ring->in_flight == 0);
	for (struct list *link = ring->process->sockets.next; link != &ring->process->sockets; link = link->next) {
		struct sim_socket *socket = container_of(link, struct sim_socket, link);

		if (socket->ring == ring)
			socket->ring = NULL;
	}
	ring->sim->rings[ring->id] = NULL;
	ring->process->ring_count--;
	free_ring(ring);
}

void ring_sim_kill(struct sim_process *process)
{
	for (struct list *link = process->rings.next; link != &process->rings; link = link->next)
		process->host->sim->rings[container_of(link, struct ring, link)->id] = NULL;
	while (!list_empty(&process->sockets))
		sim_socket_kill(container_of(process->sockets.next, struct sim_socket, link));
	process->ring_count = 0;
}

void ring_sim_free(struct sim_process *process)
{
	while (!list_empty(&process->rings))
		free_ring(container_of(process->rings.next, struct ring, link));
}

uint32_t ring_features(const struct ring *ring)
{
	return ring->features;
}

struct ring_counts ring_counts(const struct ring *ring)
{
	return ring->counts;
}

uint32_t ring_buffers_held(const struct ring *ring)
{
	return ring->buffers_held;
}

void ring_sim_set_runner(struct ring *ring, struct sim_shard *runner)
{
	ring->runner = runner;
}

struct sim_shard *ring_sim_runner(const struct ring *ring)
{
	return ring->runner;
}
