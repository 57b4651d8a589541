/*
 * What the sources of the io_uring ring share (ring_open.c, ring_buffers.c, ring_accept.c, ring_close.c, ring_uring.c);
 * for them alone.
 *
 * user_data is the op's address, or one of the small values below. Each op carries a magic word, checked when its
 * completion comes back, and cleared when its last callback has been chosen.
 */
#ifndef CORE_RING_URING_H
#define CORE_RING_URING_H

#include "core/pool.h"
#include "core/ring.h"

#include <assert.h>
#include <liburing.h>

enum {
	OP_MAGIC = 0x52494e47,
	BUFFER_GROUP = 0,
	COMPLETION_BATCH = 256,
	RING_SHUTDOWNS = 256,      /* beyond it they are allocations */
	COMPLETIONS_PER_ENTRY = 8, /* multishot operations complete more often than they are submitted */
};

enum user_data { USER_DATA_IGNORED = 1, USER_DATA_WOKEN = 2, USER_DATA_EVENT = 3, USER_DATA_LIMIT = 16 };

enum op_kind { OP_ACCEPT = 1, OP_ACCEPT_SLOT, OP_CONNECT, OP_RECEIVE, OP_SEND, OP_SHUTDOWN };

/* A shutdown under way: see ring_close.c. */
struct ring_shutdown {
	struct op op;
	struct list link;
	bool close, reset; /* what is to follow */
};

struct ring {
	struct io_uring uring;
	struct io_uring_buf_ring *buffer_ring;
	struct buffer *buffers;
	char *buffer_memory;
	size_t buffer_memory_bytes;
	uint32_t buffer_count, buffer_bytes, buffers_held, buffers_added;
	struct buffer *spare;         /* neither held nor with the kernel, last come first */
	uint32_t stock, stock_wanted; /* with the kernel: see ring_buffers.c */
	uint32_t calm_turns;
	bool stock_ran_dry;
	uint32_t features;
	int event;             /* eventfd, for wake-ups from threads without a ring */
	uint64_t event_count;  /* what the read of `event` fills in */
	struct list starved;   /* receives that wait for buffers */
	struct list shutdowns; /* under way */
	struct pool shutdown_pool;
	struct list local; /* ops that were cancelled while they were not with the kernel */
	struct ring_counts counts;
};

static inline struct io_uring_sqe *next_entry(struct ring *ring)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

	while (!entry) { /* full: the kernel takes all entries at each submit, so the next try succeeds */
		ring->counts.enters++;
		io_uring_submit(&ring->uring);
		entry = io_uring_get_sqe(&ring->uring);
	}
	return entry;
}

/* An operation nobody waits for: only its failure completes, and is dropped. */
static inline void finish_ignored(struct io_uring_sqe *entry)
{
	io_uring_sqe_set_data64(entry, USER_DATA_IGNORED);
	entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static inline void op_start(struct ring *ring, struct op *op, enum op_kind kind, int socket)
{
	assert(op->done);
	assert(!op->in_flight);
	op->in_flight = true;
	op->kind = (uint8_t)kind;
	op->socket = socket;
	op->cancelled = false;
	op->parked = false;
	op->gentle = false;
	op->magic = OP_MAGIC;
	op->ring = ring;
}

static inline void op_end(struct ring *ring, struct op *op, int result, struct buffer *buffer)
{
	assert(op->in_flight);
	op->in_flight = false;
	op->magic = 0;
	ring->counts.completions++;
	op->done(op, result, 0, buffer);
}

/* ring_buffers.c */
int ring_make_buffers(struct ring *ring);
void ring_free_buffers(struct ring *ring);
void ring_publish_buffers(struct ring *ring); /* before each turn: fills up the kernel's stock */
struct buffer *ring_take_buffer(struct ring *ring, uint32_t cqe_flags, int size);

/* ring_close.c */
void ring_end_shutdowns(
	struct ring *ring); /* when the kernel has let go of the ring: closes what is still to be closed */

/* ring_accept.c */
void ring_cancel_accept(struct ring *ring, struct op *op);

#endif
