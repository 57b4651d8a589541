/*
 * A simulated machine's disk: disk.h and kv.h in memory, for a process that is killed and a machine that loses its
 * power. What links disk_sim.o and kv_sim.o instead of disk_posix.o and kv_rocksdb.o runs on it unchanged. No thread,
 * no system call: one seed, one history.
 *
 * What it may lose is what a real machine may lose, and nothing else:
 *   a mapped file   each page of 4 KiB is what it was at some moment since the file was synced
 *   names           each is what it was at some moment since its directory was synced
 *   a database      a prefix of its batches, which holds the last synced one
 * A process that dies loses none of it.
 */
#ifndef STORE_DISK_SIM_H
#define STORE_DISK_SIM_H

#include "core/list.h"
#include "core/rand.h"
#include "core/slice.h"

struct sim_disk;

/* Draws a seed of its own from `rand`, which is not kept. */
struct sim_disk *sim_disk_open(struct rand *rand);
void sim_disk_close(struct sim_disk *disk); /* with all that is still open on it */

/* The disk that disk.h and kv.h mean from now on, until another is named; NULL: none. */
void sim_disk_use(struct sim_disk *disk);
struct sim_disk *sim_disk_current(void);

/*
 * The process is no more: its locks are free, its maps go into the files as they are. Memory that it had from here is
 * poisoned; closing what it had open is still allowed, and is the only use.
 */
void sim_disk_process_died(struct sim_disk *disk);

/* The process died, and what was not synced is lost, by the seed. */
void sim_disk_cut_power(struct sim_disk *disk);

/*
 * The disk stops at the call that changes it after `calls` more: as if the process died there, or with `power` as if
 * the power went there. The process does not notice: what it does from then on is forgotten by the
 * sim_disk_process_died() or sim_disk_cut_power() that has to follow. So a crash lies between two steps of a function
 * that simulation cannot divide.
 */
void sim_disk_stop_after(struct sim_disk *disk, uint64_t calls, bool power);
bool sim_disk_stopped(const struct sim_disk *disk); /* what is promised now will not be kept */

/*
 * Full: files cannot be made, the database's writes fail. As with RocksDB a failed batch may be there or not when the
 * database is opened again, and while the disk is full that may fail too.
 */
void sim_disk_fill(struct sim_disk *disk, bool full);

/* ---- For kv_sim.c ---- */

/* Something of a process: ended, but not freed, when that dies; freed with the disk if not before. */
struct sim_handle {
	struct list link;
	struct sim_disk *disk; /* NULL: its process is dead */
	void (*end)(struct sim_handle *handle);
	void (*free)(struct sim_handle *handle);
};

void sim_handle_open(struct sim_handle *handle, void (*end)(struct sim_handle *), void (*free)(struct sim_handle *));
void sim_handle_close(struct sim_handle *handle); /* ends it unless it is ended, and frees it */

/* A call that changes the disk is about to: pages are written back meanwhile, and a stop may lie here. */
void sim_disk_touch(struct sim_disk *disk);
bool sim_disk_full(const struct sim_disk *disk);
struct rand *sim_disk_rand(struct sim_disk *disk);

/*
 * The database at `path`, made when missing and kept from other writers until it is released, or (not `write`) as it is
 * found. NULL: there is none, or it has a writer: `why` tells.
 */
struct sim_rows *sim_disk_rows(struct sim_disk *disk, const char *path, bool write, char *why, size_t why_bytes);
void sim_disk_rows_release(struct sim_disk *disk, const char *path);

/* Memory that is there: a simulation without memory ends. */
void *sim_alloc(size_t bytes);

#endif
