/*
 * How the C library's allocator takes memory from the kernel. What a shard does not take from arenas and pools it takes
 * from there, and a shard makes no system call but its ring's: so each thread's heap is mapped whole, when the thread
 * first allocates, and is kept.
 */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

/* Once, before the first thread is made; `threads` is how many there will be at most, each with a heap that it shares
 * with none. */
void heap_set_up(unsigned threads);

/* Gives back what start-up took and freed. */
void heap_settle(void);

#endif
