/*
 * The writer: the thread that empties the shards' journals into the database. What it does for a turn is writer_run();
 * when, is decided by letters and one timer:
 *
 *   process, relaxed: while there is work it looks every DRAIN_NS, in between when a journal is a quarter full; after
 * IDLE_NS without work it sleeps, and the next append wakes it power:            each append posts its ticket; a group
 * is what had come by the end of the turn, and tickets go back when it is synced failing:          every RETRY_NS the
 * database is opened again and the same group tried; meanwhile journals fill
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/commit.h"
#include "store/store.h"

struct writer;

/* One shard's way to the writer. */
struct port {
	/* The shard's: written once when the writer sleeps or falls behind, not for each record. */
	_Alignas(64) struct journal *journal;
	size_t quarter_bytes, nearly_full_bytes;
	struct writer *writer;
	struct letter nudge;
	atomic_bool nudged;      /* `nudge` is on its way; set by the shard, cleared by the writer */
	atomic_bool nearly_full; /* counted in writer->nearly_full_count; set by the shard, cleared by the writer */
	/* The writer's: tickets in the order of their positions. */
	_Alignas(64) struct store_ticket *first, *last;
};

struct writer {
	struct shard shard;
	struct kv *kv;
	struct commit *commit;
	enum durability durability;
	unsigned port_count;
	struct port *ports;
	struct journal **journals; /* of the ports, in their order */
	struct timer timer;
	struct turn_hook at_turn_end;
	uint64_t worked_ns; /* when it last found something */
	uint64_t retry_ns;  /* while failing: not before */
	atomic_bool asleep; /* no timer is armed: an append must nudge */
	atomic_bool failing;
	atomic_uint nearly_full_count;
	/* For store_counts(); written by the writer. */
	_Atomic uint64_t receipts, groups, bytes, failed_commits;
	_Atomic int64_t spend_nusd;
};

struct writer_options {
	struct kv *kv;
	struct commit *commit;     /* goes over to the writer's thread; closed by its owner after the thread ended */
	struct journal **journals; /* likewise */
	unsigned journal_count;
	enum durability durability;
	uint32_t ring_without;
};

int writer_open(struct writer *writer, const struct writer_options *options, char *why, size_t why_bytes);
int writer_start(struct writer *writer);

/* Ends the thread, then commits what is left, synced. 0, or -EIO: it stays in the journals. */
int writer_stop(struct writer *writer);
void writer_close(struct writer *writer);

/* On a shard; see store_append(). */
int writer_append(
	struct writer *writer, struct shard *shard, const struct receipt *receipt, struct store_ticket *ticket);
bool writer_writable(const struct writer *writer);

/* In the writer's thread: rows of others than receipts, synced. 0, or -EIO: a restart may find them or not. */
int writer_write(struct writer *writer, struct kv_batch *batch);

/* In the writer's thread: commits all that is there, unless failing. */
void writer_run(struct writer *writer);

/* Likewise, and then writes the counters' rows, for who reads them. */
void writer_run_counters(struct writer *writer);

/* In the writer's thread: what another wrote there failed with -EIO; from here on it is as when a commit does. */
void writer_failed(struct writer *writer);

#endif
