/*
 * Where wolfSSL's allocations lie: in memory that no core dump holds, wiped when it is freed. Each thread has a heap of
 * its own, without locks; what another thread frees joins that thread's. Memory is mapped 64 MiB at a time, the first
 * when the thread prepares, and is kept: steady work makes no system call.
 *
 * In a build with sanitizers each allocation is the C library's, so that they see what lies beyond its end; then it is
 * wiped, but may be in a core dump.
 */
#ifndef TLS_SECRET_HEAP_H
#define TLS_SECRET_HEAP_H

#include <stddef.h>

/* Has wolfSSL allocate here; before anything else of it. */
void secret_heap_set_up(void);

/* Maps this thread's heap, so that it does not later. */
void secret_heap_prepare(void);

/* As malloc(), free() and realloc(). */
void *secret_heap_take(size_t bytes);
void secret_heap_give(void *memory);
void *secret_heap_resize(void *memory, size_t bytes);

#endif
