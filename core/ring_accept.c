/*
 * Accepting. A multishot accept cannot say who connected, and asking costs a system call a connection; so a
 * listener has several single accepts waiting, each with room for its peer's address, which together behave as one
 * multishot operation. A connection wakes one of them (the kernel waits with EPOLLEXCLUSIVE); one that ends starts
 * again, and takes what is queued at once.
 */
#include "core/ring_uring.h"

#include <errno.h>

static void wait_for_one(struct ring *ring, struct accept_slot *slot)
{
	struct accepting *a = slot->accepting;
	struct io_uring_sqe *entry = next_entry(ring);

	op_start(ring, &slot->op, OP_ACCEPT_SLOT, a->op.socket);
	a->waiting_count++;
	slot->address_bytes = sizeof(slot->address);
	io_uring_prep_accept(
		entry, a->op.socket, (struct sockaddr *)&slot->address, &slot->address_bytes, SOCK_CLOEXEC);
	io_uring_sqe_set_data(entry, &slot->op);
}

/* Ends the whole with `result`, once what waits has come back. */
static void stop_accepting(struct ring *ring, struct accepting *a, int result)
{
	if (a->stopping)
		return;
	a->stopping = true;
	a->result = result;
	for (unsigned i = 0; i < RING_ACCEPTS; i++)
		if (a->slots[i].op.in_flight)
			ring_cancel(ring, &a->slots[i].op);
}

static void on_slot_done(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct accept_slot *slot = container_of(op, struct accept_slot, op);
	struct accepting *a = slot->accepting;
	struct ring *ring = op->ring;

	(void)flags;
	(void)buffer;
	a->waiting_count--;
	if (result >= 0) {
		a->peer = &slot->address;
		a->op.done(&a->op, result, OP_MORE, NULL);
		a->peer = NULL;
	} else if (result != -ECONNABORTED) { /* that was the client's doing, and is over */
		stop_accepting(ring, a, result);
	}
	if (!a->stopping)
		wait_for_one(ring, slot);
	else if (a->waiting_count == 0)
		op_end(ring, &a->op, a->result, NULL);
}

void ring_accept(struct ring *ring, struct accepting *a, int listener)
{
	op_start(ring, &a->op, OP_ACCEPT, listener);
	a->peer = NULL;
	a->stopping = false;
	for (unsigned i = 0; i < RING_ACCEPTS; i++) {
		a->slots[i].accepting = a;
		a->slots[i].op.done = on_slot_done;
		wait_for_one(ring, &a->slots[i]);
	}
}

void ring_cancel_accept(struct ring *ring, struct op *op)
{
	stop_accepting(ring, container_of(op, struct accepting, op), -ECANCELED);
}
