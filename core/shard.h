/*
 * A shard: one thread, its ring, timers, arenas and randomness. Service threads (control, store) are shards without
 * listeners. All that a floor above keeps for a shard hangs off `user[]`, so nothing is global.
 *
 *   shard_open() -> fill in user data and start operations in `on_start` -> shard_start() -> ... shard_stop() ->
 * shard_close()
 *
 * A turn: submit and wait, completions, timers that expired, letters, then each `turn_end` hook in order (flush what
 * the turn gathered; the next turn submits it).
 */
#ifndef CORE_SHARD_H
#define CORE_SHARD_H

#include "core/arena.h"
#include "core/mailbox.h"
#include "core/rand.h"
#include "core/ring.h"
#include "core/timer.h"

#include <pthread.h>

struct shard;

/* Called once at the end of the turn in which it was requested; embedded in its owner, which withdraws it before it
 * dies. */
struct turn_hook {
	void (*run)(struct turn_hook *hook);
	struct list link;
};

static inline void turn_hook_init(struct turn_hook *hook, void (*run)(struct turn_hook *hook))
{
	hook->run = run;
	list_init(&hook->link);
}

static inline void turn_hook_withdraw(struct turn_hook *hook)
{
	list_remove(&hook->link);
}

struct shard {
	struct ring *ring;
	struct timers timers;
	struct arena_pool arenas;
	struct rand rand;
	struct mailbox mailbox;
	struct list turn_end;    /* hooks to run at the end of this turn */
	uint64_t now_ns;         /* monotonic, read once a turn */
	uint64_t wall_offset_ns; /* wall = monotonic + offset; read once a second */
	uint64_t wall_read_ns;
	unsigned index;
	int cpu; /* pinned there; -1: not pinned */
	bool stopping;
	const char *name;                      /* thread name, static */
	void (*on_start)(struct shard *shard); /* in the shard's thread, before its first turn */
	void *user;                            /* what the floors above keep for this shard */
	pthread_t thread;
	bool running;
	struct letter stop_letter;
};

struct shard_options {
	const char *name;
	unsigned index;
	int cpu;
	uint64_t seed;
	struct ring_options ring;
	uint32_t arena_blocks_kept;
	void (*on_start)(struct shard *shard);
	void *user;
};

int shard_open(struct shard *shard, const struct shard_options *options, char *why, size_t why_bytes);
int shard_start(struct shard *shard); /* makes the thread, which turns it until it is stopped */

/*
 * A turn has two halves, and other threads run between them. shard_sleep() says that this shard will look at its
 * mailbox again only when it is woken; it returns until when the turn may wait, or 0: not at all. shard_turn() takes
 * that, waits and works; with 0 it may be called alone.
 */
uint64_t shard_sleep(struct shard *shard);
void shard_turn(struct shard *shard, uint64_t until_ns);

void shard_stop(struct shard *shard); /* from any thread: the loop ends after its turn */
void shard_join(struct shard *shard);
void shard_close(struct shard *shard); /* after join: ring and memory */

static inline uint64_t shard_now_ns(const struct shard *shard)
{
	return shard->now_ns;
}

static inline uint64_t shard_wall_ns(const struct shard *shard)
{
	return shard->now_ns + shard->wall_offset_ns;
}

/* Posts a letter to `shard`, waking it when it sleeps. `from` is the caller's shard, or NULL. */
void shard_post(struct shard *shard, struct letter *letter, struct shard *from);

/* Asks for hook->run() at the end of this turn (of the next one, when asked by a hook); asking twice is once. */
void shard_at_turn_end(struct shard *shard, struct turn_hook *hook);

#endif
