/*
 * Shards under the simulation's scheduler, in place of threads. A turn has two events: the work, which takes some
 * virtual time, and going to sleep. Other shards run between and after them; one that sleeps runs again only for a
 * completion, for its deadline, or when it is woken, so that a lost wake-up is seen as a letter that stays unopened.
 */
#include "core/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

static struct sim *world(const struct sim_shard *s)
{
	return s->process->host->sim;
}

static uint64_t pause_ns(const struct sim_shard *s)
{
	struct sim *sim = world(s);
	const struct sim_ring_faults *faults = &sim->options.ring;
	uint64_t ns = sim_draw_between(sim, sim->options.turn_min_ns, sim->options.turn_max_ns);

	return sim_draw(sim, faults->shard_late) ? ns + sim_draw_between(sim, 0, faults->shard_late_ns) : ns;
}

static void call_in(struct sim_shard *s, uint64_t delay_ns)
{
	s->state = SIM_SHARD_CALLED;
	sim_after(world(s), &s->event, delay_ns);
}

/* The half that ends in the wait: what was started is submitted before it. */
static void go_to_sleep(struct sim_shard *s)
{
	struct sim *sim = world(s);

	sim_process_enter(s->process);
	s->until_ns = shard_sleep(s->shard);
	s->state = SIM_SHARD_ASLEEP;
	ring_sim_submit(s->shard->ring);
	sim_process_leave();
	if (s->until_ns <= sim->now_ns || ring_sim_ready(s->shard->ring))
		call_in(s, pause_ns(s));
	else if (sim_draw(sim, sim->options.ring.wake_spurious))
		call_in(s, sim_draw_between(sim, 0, NS_PER_MS));
	else if (s->until_ns != UINT64_MAX)
		sim_after(sim, &s->event, s->until_ns - sim->now_ns);
}

static void work(struct sim_shard *s)
{
	struct shard *shard = s->shard;

	sim_process_enter(s->process);
	s->turning = true;
	if (s->state == SIM_SHARD_NEW) {
		ring_enable(shard->ring);
		if (shard->on_start)
			shard->on_start(shard);
	} else {
		shard_turn(shard, s->until_ns);
	}
	s->turning = false;
	sim_process_leave();
	s->state = shard->stopping ? SIM_SHARD_STOPPED : SIM_SHARD_AWAKE;
}

static void on_event(struct sim_event *event)
{
	struct sim_shard *s = container_of(event, struct sim_shard, event);
	uint64_t wedged_until_ns = s->process->host->wedged_until_ns;

	if (wedged_until_ns > world(s)->now_ns) {
		sim_after(world(s), event, wedged_until_ns - world(s)->now_ns);
		return;
	}
	if (s->state == SIM_SHARD_AWAKE) {
		go_to_sleep(s);
		return;
	}
	work(s);
	if (s->state == SIM_SHARD_AWAKE)
		sim_after(world(s), &s->event, pause_ns(s));
}

void sim_shard_call(struct sim_shard *s)
{
	if (s->state == SIM_SHARD_ASLEEP)
		call_in(s, pause_ns(s));
}

static void forget(struct sim_shard *s)
{
	assert(!s->turning);
	sim_event_cancel(world(s), &s->event);
	list_remove(&s->link);
	free(s);
}

void sim_shard_kill(struct sim_shard *s)
{
	forget(s);
}

int shard_start(struct shard *shard)
{
	struct sim_process *process = sim_process_current();
	struct sim_shard *s = calloc(1, sizeof(*s));

	assert(process);
	assert(!shard->running);
	if (!s)
		return -ENOMEM;
	s->shard = shard;
	s->process = process;
	s->event.run = on_event;
	s->state = SIM_SHARD_NEW;
	list_append(&process->shards, &s->link);
	process->shard_count++;
	ring_sim_set_runner(shard->ring, s);
	shard->running = true;
	sim_after(process->host->sim, &s->event, pause_ns(s));
	return 0;
}

/* The caller waits, so the shard's turns follow each other at once; the rest of the world stands still meanwhile. */
void shard_join(struct shard *shard)
{
	struct sim_shard *s;

	if (!shard->running)
		return;
	s = ring_sim_runner(shard->ring);
	assert(!s->turning);
	while (s->state != SIM_SHARD_STOPPED) {
		s->until_ns = 0;
		work(s);
	}
	s->process->shard_count--;
	ring_sim_set_runner(shard->ring, NULL);
	forget(s);
	shard->running = false;
}
