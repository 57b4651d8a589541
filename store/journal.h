/*
 * A shard's journal: a ring of records from one thread (the shard) to another (the writer) in a file that is mapped
 * into memory, so that what was appended survives the death of the process. The file's blocks are written when it is
 * made: a full disk cannot turn a store into SIGBUS (on a file system that writes in place).
 *
 *   file:   a page of header (magic, version, capacity, generation, checksum), then `capacity` bytes of ring
 *   record: u32 size, u32 kind, u64 checksum, payload, padding to 16 bytes; never split at the ring's end
 *
 * A position counts bytes since the generation began and never goes back; its place in the ring is position % capacity.
 * A checksum covers payload, size, kind, generation and position, so what an earlier lap or run left can never pass for
 * a record. Where the writer has got to is not in the file: it lies in the database beside what it took.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "core/slice.h"

struct journal;

enum { JOURNAL_BYTES_MIN = 128 << 10, JOURNAL_RECORD_BYTES_MAX = 32 << 10 };

/*
 * An empty journal of a new generation. With a path: that file, reused when it has the right size, else made anew; what
 * it held is lost. Without: memory only. `bytes` is rounded up to whole pages.
 */
int journal_open(struct journal **journal, const char *path, size_t bytes, uint64_t generation);

/* What an earlier run left at `path`; journal_recover() follows. -EBADMSG: not a journal. */
int journal_load(struct journal **journal, const char *path);

/*
 * Takes up after `tail`, which the database remembers: the head is where the first record that does not check out
 * begins. 0, or -EBADMSG for a position that no record ends at in any journal.
 */
int journal_recover(struct journal *journal, uint64_t tail);

void journal_close(struct journal *journal);

/* The shard's side: room for `bytes` (NULL: full), then how many were used. Returns the position behind the record. */
char *journal_reserve(struct journal *journal, size_t bytes);
uint64_t journal_append(struct journal *journal, size_t bytes);

/* The writer's side: the record at *position, which moves behind it; false at the head. */
bool journal_next(const struct journal *journal, uint64_t *position, struct slice *record);
void journal_release(struct journal *journal, uint64_t position); /* all before it is committed */

uint64_t journal_generation(const struct journal *journal);
uint64_t journal_head(const struct journal *journal);
uint64_t journal_tail(const struct journal *journal);
size_t journal_used(const struct journal *journal); /* any thread */
size_t journal_capacity(const struct journal *journal);

#endif
