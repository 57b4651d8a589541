/* A shard and its turn: see shard.h for the order. What runs the turns is shard_thread.c. */
#include "core/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static void read_wall(struct shard *shard)
{
	shard->wall_offset_ns = clock_wall_ns() - shard->now_ns;
	shard->wall_read_ns = shard->now_ns;
}

static void on_stop_letter(struct letter *letter)
{
	container_of(letter, struct shard, stop_letter)->stopping = true;
}

int shard_open(struct shard *shard, const struct shard_options *options, char *why, size_t why_bytes)
{
	int rc;

	memset(shard, 0, sizeof(*shard));
	shard->name = options->name;
	shard->index = options->index;
	shard->cpu = options->cpu;
	shard->on_start = options->on_start;
	shard->user = options->user;
	shard->stop_letter.open = on_stop_letter;
	rc = ring_open(&shard->ring, &options->ring, why, why_bytes);
	if (rc < 0)
		return rc;
	shard->now_ns = clock_monotonic_ns();
	read_wall(shard);
	timers_init(&shard->timers, shard->now_ns);
	arena_pool_init(&shard->arenas, options->arena_blocks_kept);
	rand_seed(&shard->rand, options->seed);
	mailbox_init(&shard->mailbox);
	list_init(&shard->turn_end);
	return 0;
}

static void run_turn_end(struct shard *shard)
{
	struct list hooks;

	/* A hook may ask for another one: that runs at the end of the next turn, so the loop has an end. */
	if (list_empty(&shard->turn_end))
		return;
	list_init(&hooks);
	hooks.next = shard->turn_end.next;
	hooks.prev = shard->turn_end.prev;
	hooks.next->prev = &hooks;
	hooks.prev->next = &hooks;
	list_init(&shard->turn_end);
	for (struct list *link; (link = list_take_first(&hooks));) {
		struct turn_hook *hook = container_of(link, struct turn_hook, link);

		hook->run(hook);
	}
}

uint64_t shard_sleep(struct shard *shard)
{
	if (!list_empty(&shard->turn_end) || !mailbox_sleep(&shard->mailbox))
		return 0;
	return timers_next_ns(&shard->timers);
}

void shard_turn(struct shard *shard, uint64_t until_ns)
{
	int rc = ring_turn(shard->ring, until_ns, &shard->now_ns);

	mailbox_awake(&shard->mailbox);
	if (rc < 0) {
		fprintf(stderr, "tollgate: %s: io_uring_enter: %s\n", shard->name, strerror(-rc));
		abort(); /* nothing on this shard can go on without its ring */
	}
	if (shard->now_ns - shard->wall_read_ns >= NS_PER_S)
		read_wall(shard);
	timers_run(&shard->timers, shard->now_ns);
	mailbox_open_all(&shard->mailbox);
	run_turn_end(shard);
}

/*
 * Wakes it whatever the mailbox says: a shard that ended may have taken on to wake this one in a turn that it did not
 * live to submit.
 */
void shard_stop(struct shard *shard)
{
	mailbox_post(&shard->mailbox, &shard->stop_letter);
	ring_wake(shard->ring, NULL);
}

void shard_close(struct shard *shard)
{
	assert(!shard->running);
	ring_close(shard->ring);
	arena_pool_fini(&shard->arenas);
	shard->ring = NULL;
}

void shard_post(struct shard *shard, struct letter *letter, struct shard *from)
{
	assert(letter->open);
	if (mailbox_post(&shard->mailbox, letter))
		ring_wake(shard->ring, from ? from->ring : NULL);
}

void shard_at_turn_end(struct shard *shard, struct turn_hook *hook)
{
	assert(hook->run);
	if (list_empty(&hook->link))
		list_append(&shard->turn_end, &hook->link);
}
