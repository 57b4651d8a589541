/*
 * The allocator is glibc's. A thread's heap is a reserved 64 MiB, made usable page by page with an mprotect() for
 * nearly every page (100 in the first seconds of a load). With the padding below the whole of it is usable at once:
 * address space, no memory, which is taken page by page as it is touched. A thread that needs more gets the next 64 MiB
 * with three calls. Padding also keeps heaps from shrinking, and what is freed within one stays touched: so what is
 * large does not belong here (core/large.h).
 *
 * Where the kernel gives huge pages to whoever did not ask, the first byte of a heap would cost 2 MiB: so it is told
 * not to.
 */
#include "core/heap.h"

#include <malloc.h>
#include <sys/prctl.h>

enum {
	HEAP_BYTES = 64 << 20, /* glibc's HEAP_MAX_SIZE on 64-bit machines */
	MAPPED_ALONE_BYTES =
		1 << 20, /* from here on an allocation for which a heap has no room is a mapping of its own */
};

void heap_set_up(unsigned threads)
{
	mallopt(M_TOP_PAD, HEAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, HEAP_BYTES);
	mallopt(M_MMAP_THRESHOLD, MAPPED_ALONE_BYTES);
	mallopt(M_ARENA_MAX, (int)threads); /* by default 8 a processor, and then they are shared, with locks */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

void heap_settle(void)
{
	malloc_trim(0);
}
