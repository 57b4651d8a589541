/*
 * Shutting and closing sockets. The kernel hands a shutdown to a worker, which looks its descriptor up only when it
 * gets to it (io_shutdown_prep forces that; seen on Linux 6.x): if the socket was closed meanwhile and its number given
 * to another, the other would be shut. So a close waits until the socket's shutdown has come home.
 */
#include "core/ring_uring.h"

#include <unistd.h>

static const struct linger option_linger_reset = {.l_onoff = 1, .l_linger = 0};

static void close_now(struct ring *ring, int socket, bool reset)
{
	struct io_uring_sqe *entry;

	if (reset && (ring->features & RING_SOCKET_OPTIONS)) {
		entry = next_entry(ring);
		io_uring_prep_cmd_sock(entry, SOCKET_URING_OP_SETSOCKOPT, socket, SOL_SOCKET, SO_LINGER,
			(void *)(uintptr_t)&option_linger_reset, sizeof(option_linger_reset));
		finish_ignored(entry);
	} else if (reset) {
		setsockopt(socket, SOL_SOCKET, SO_LINGER, &option_linger_reset, sizeof(option_linger_reset));
	}
	entry = next_entry(ring);
	io_uring_prep_close(entry, socket);
	finish_ignored(entry);
}

/* Few are under way at a time: a worker takes microseconds for one. */
static struct ring_shutdown *find(struct ring *ring, int socket)
{
	for (struct list *link = ring->shutdowns.next; link != &ring->shutdowns; link = link->next) {
		struct ring_shutdown *shutdown = container_of(link, struct ring_shutdown, link);

		if (shutdown->op.socket == socket)
			return shutdown;
	}
	return NULL;
}

static void on_shut(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct ring_shutdown *shutdown = container_of(op, struct ring_shutdown, op);
	struct ring *ring = op->ring;

	(void)result; /* the peer may have been faster */
	(void)flags;
	(void)buffer;
	list_remove(&shutdown->link);
	if (shutdown->close)
		close_now(ring, op->socket, shutdown->reset);
	pool_give(&ring->shutdown_pool, shutdown);
}

void ring_shutdown(struct ring *ring, int socket, int how)
{
	struct io_uring_sqe *entry;
	struct ring_shutdown *shutdown;

	if (find(ring, socket))
		return;
	shutdown = pool_take(&ring->shutdown_pool);
	if (!shutdown)
		return; /* without memory the close is what ends the stream */
	*shutdown = (struct ring_shutdown){.op.done = on_shut};
	op_start(ring, &shutdown->op, OP_SHUTDOWN, socket);
	list_append(&ring->shutdowns, &shutdown->link);
	entry = next_entry(ring);
	io_uring_prep_shutdown(entry, socket, how);
	io_uring_sqe_set_data(entry, &shutdown->op);
}

void ring_close_socket(struct ring *ring, int socket, bool reset)
{
	struct ring_shutdown *shutdown = find(ring, socket);

	assert(socket >= 0);
	if (!shutdown) {
		close_now(ring, socket, reset);
		return;
	}
	assert(!shutdown->close);
	shutdown->close = true;
	shutdown->reset = reset;
}

void ring_end_shutdowns(struct ring *ring)
{
	struct list *link;

	while ((link = list_take_first(&ring->shutdowns))) {
		struct ring_shutdown *shutdown = container_of(link, struct ring_shutdown, link);

		if (shutdown->close)
			close(shutdown->op.socket);
		pool_give(&ring->shutdown_pool, shutdown);
	}
	pool_close(&ring->shutdown_pool);
}
