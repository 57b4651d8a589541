/*
 * All that this folder asks of the file system besides the database: who may use a data_dir, which names are in it, and
 * files of a fixed size that are mapped. Two implementations are chosen at link time: disk_posix.c and disk_sim.c.
 *
 * Calls return 0 or -errno. None keeps a descriptor but the lock.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_lock;

/*
 * Keeps other processes out of `data_dir` until it is unlocked or this process ends. With `make` the directory is made
 * when it is missing (one level, mode 0700) and is on the disk with its name. -EBUSY: another process has it. `why`
 * tells.
 */
int disk_lock(struct disk_lock **lock, const char *data_dir, bool make, char *why, size_t why_bytes);
void disk_unlock(struct disk_lock *lock);

/*
 * Calls `each` with the names in a directory, in any order, until it returns other than 0, which is returned then. It
 * may remove the file that it was given.
 */
int disk_each_name(const char *directory, int (*each)(void *context, const char *name), void *context);

/* Names made, replaced and removed in `directory` before are on the disk then; until then a power cut may undo each. */
int disk_sync_names(const char *directory);

/*
 * A file of `bytes`, all of its blocks written: `head` at its beginning, then zeros. What `path` named before is
 * replaced. A failure or a crash leaves the file whole or not there; its bytes are on the disk, its name not yet.
 */
int disk_make(const char *path, size_t bytes, const void *head, size_t head_bytes);

/* Overwrites the beginning of a file; all of the file is on the disk then. */
int disk_write_head(const char *path, const void *head, size_t head_bytes);

/* Reads the beginning of a file and how long it is in all. -EBADMSG: shorter than `head_bytes`. */
int disk_read_head(const char *path, void *head, size_t head_bytes, uint64_t *file_bytes);

int disk_remove(const char *path);

/*
 * `bytes` of a file as memory, shared with the kernel: what is stored there survives the death of the process at once,
 * a power cut page by page in no order. NULL path: memory alone, zeros. disk_warm(): the first `bytes` will be written
 * soon, so that their faults come now; it may do nothing.
 */
int disk_map(char **map, const char *path, size_t bytes);
void disk_warm(char *map, size_t bytes);
void disk_unmap(char *map, size_t bytes);

#endif
