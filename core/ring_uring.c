/*
 * The ring on Linux io_uring (liburing): its operations, and its turn.
 *
 * A turn: submit everything that was started and wait in one io_uring_enter; copy completions out in batches; run their
 * callbacks. Completions are copied before callbacks run, because a callback may submit and thereby move the queue.
 *
 * Receive buffers are one provided-buffer group. A receive that finds the group empty ends with -ENOBUFS; its op waits
 * in `starved` and starts again once buffers have come back. Left alone, a multishot receive takes up to 64 buffers in
 * a turn (two times the kernel's 32 tries), all of them before its owner can say that it is too much: hence the limit,
 * and gentle receives.
 */
#include "core/ring_uring.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/kconfig.h"

enum connect_stage { CONNECT_SOCKET, CONNECT_OPTION, CONNECT_CONNECT };

static const int option_on = 1;

void ring_connect(struct ring *ring, struct op *op, const struct sockaddr *address, socklen_t address_bytes)
{
	struct io_uring_sqe *entry = next_entry(ring);

	op_start(ring, op, OP_CONNECT, -1);
	op->connect.address = address;
	op->connect.address_bytes = address_bytes;
	op->stage = CONNECT_SOCKET;
	io_uring_prep_socket(entry, address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP, 0);
	io_uring_sqe_set_data(entry, op);
}

/* The option first, then the connect: both are started by completions of the step before. */
static void connect_step(struct ring *ring, struct op *op)
{
	struct io_uring_sqe *entry;

	if (op->stage == CONNECT_SOCKET) {
		op->stage = CONNECT_OPTION;
		if (ring->features & RING_SOCKET_OPTIONS) {
			entry = next_entry(ring);
			io_uring_prep_cmd_sock(entry, SOCKET_URING_OP_SETSOCKOPT, op->socket, IPPROTO_TCP, TCP_NODELAY,
				(void *)(uintptr_t)&option_on, sizeof(option_on));
			io_uring_sqe_set_data(entry, op);
			return;
		}
		setsockopt(op->socket, IPPROTO_TCP, TCP_NODELAY, &option_on, sizeof(option_on));
	}
	op->stage = CONNECT_CONNECT;
	entry = next_entry(ring);
	io_uring_prep_connect(entry, op->socket, op->connect.address, op->connect.address_bytes);
	io_uring_sqe_set_data(entry, op);
}

static void on_connect_completed(struct ring *ring, struct op *op, int result)
{
	if (result >= 0 && op->stage == CONNECT_SOCKET)
		op->socket = result;
	if (result >= 0 && op->cancelled && op->stage != CONNECT_CONNECT)
		result = -ECANCELED;
	if (result >= 0 && op->stage != CONNECT_CONNECT) {
		connect_step(ring, op);
		return;
	}
	if (result < 0 && op->socket >= 0) {
		ring_close_socket(ring, op->socket, false);
		op->socket = -1;
	}
	op_end(ring, op, result < 0 ? result : 0, NULL);
}

static void submit_receive(struct ring *ring, struct op *op)
{
	struct io_uring_sqe *entry = next_entry(ring);

	if (op->gentle) {
		io_uring_prep_recv(entry, op->socket, NULL, 0, 0);
	} else {
		io_uring_prep_recv_multishot(entry, op->socket, NULL, 0, 0);
		if (ring->features & RING_RECEIVE_LIMIT)
			entry->optlen = RING_RECEIVE_BYTES;
	}
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = BUFFER_GROUP;
	io_uring_sqe_set_data(entry, op);
}

void ring_receive(struct ring *ring, struct op *op, int socket)
{
	op_start(ring, op, OP_RECEIVE, socket);
	submit_receive(ring, op);
}

void ring_receive_gently(struct ring *ring, struct op *op, int socket)
{
	op_start(ring, op, OP_RECEIVE, socket);
	op->gentle = true;
	submit_receive(ring, op);
}

void ring_send(struct ring *ring, struct op *op, int socket, const struct iovec *iov, unsigned count)
{
	struct io_uring_sqe *entry = next_entry(ring);

	assert(count > 0);
	assert(count <= 1024);
	op_start(ring, op, OP_SEND, socket);
	ring->counts.sends++;
	/* MSG_WAITALL: the kernel itself continues a short send (Linux 5.19). */
	if (count == 1) {
		io_uring_prep_send(entry, socket, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_WAITALL);
	} else {
		op->message = (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
		io_uring_prep_sendmsg(entry, socket, &op->message, MSG_NOSIGNAL | MSG_WAITALL);
	}
	io_uring_sqe_set_data(entry, op);
}

void ring_cancel(struct ring *ring, struct op *op)
{
	struct io_uring_sqe *entry;

	assert(op->in_flight);
	if (op->cancelled)
		return;
	op->cancelled = true;
	if (op->kind == OP_ACCEPT) {
		ring_cancel_accept(ring, op);
		return;
	}
	if (op->parked) {
		list_remove(&op->link);
		list_append(&ring->local, &op->link);
		return;
	}
	entry = next_entry(ring);
	io_uring_prep_cancel(entry, op, 0);
	finish_ignored(entry);
}

void ring_wake(struct ring *ring, struct ring *from)
{
	struct io_uring_sqe *entry;
	uint64_t one = 1;
	ssize_t written;

	if (from && from != ring) {
		entry = next_entry(from);
		io_uring_prep_msg_ring(entry, ring->uring.ring_fd, 0, USER_DATA_WOKEN, 0);
		finish_ignored(entry);
		return;
	}
	do
		written = write(ring->event, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

/* ---- The turn ---- */

static void await_event(struct ring *ring)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_read(entry, ring->event, &ring->event_count, sizeof(ring->event_count), 0);
	io_uring_sqe_set_data64(entry, USER_DATA_EVENT);
}

int ring_enable(struct ring *ring)
{
	int rc = io_uring_enable_rings(&ring->uring);

	if (rc < 0)
		return rc;
	io_uring_register_ring_fd(&ring->uring); /* saves a table look-up an enter; not essential */
	await_event(ring);
	return 0;
}

static void on_received(struct ring *ring, struct op *op, int result, uint32_t flags)
{
	bool more = flags & IORING_CQE_F_MORE;
	struct buffer *buffer = NULL;

	if (flags & IORING_CQE_F_BUFFER) {
		buffer = ring_take_buffer(ring, flags, result > 0 ? result : 0);
		if (result <= 0)
			buffer_give(&buffer);
	}
	if (result == -ENOBUFS && !op->cancelled) {
		assert(!more);
		ring->stock_ran_dry = true;
		op->parked = true;
		list_append(&ring->starved, &op->link);
		return;
	}
	if (result == -ENOBUFS)
		result = -ECANCELED;
	if (result == -EINVAL && !op->gentle && (ring->features & RING_RECEIVE_LIMIT)) {
		ring->features &= ~(uint32_t)RING_RECEIVE_LIMIT;
		submit_receive(ring, op);
		return;
	}
	if (result > 0) {
		ring->counts.receives++;
		op->gentle = op->gentle && (uint32_t)result == ring->buffer_bytes;
		/* A receive may end after a good read, at its limit or for the kernel's own reasons: it goes on unseen.
		 */
		if (!more && !op->cancelled) {
			submit_receive(ring, op);
			more = true;
		}
	}
	if (!more) {
		op_end(ring, op, result, buffer);
		return;
	}
	ring->counts.completions++;
	op->done(op, result, OP_MORE, buffer);
}

static void on_completed(struct ring *ring, uint64_t user_data, int result, uint32_t flags)
{
	struct op *op;

	if (user_data == USER_DATA_EVENT)
		await_event(ring);
	if (user_data < USER_DATA_LIMIT)
		return;
	op = (struct op *)(uintptr_t)user_data;
	assert(op->magic == OP_MAGIC);
	switch ((enum op_kind)op->kind) {
	case OP_CONNECT:
		on_connect_completed(ring, op, result);
		break;
	case OP_RECEIVE:
		on_received(ring, op, result, flags);
		break;
	case OP_ACCEPT_SLOT:
	case OP_SEND:
	case OP_SHUTDOWN:
		op_end(ring, op, result, NULL);
		break;
	case OP_ACCEPT: /* its slots complete, never itself */
		assert(false);
	}
}

/* At most what was there at the start: an op that parks again waits for the next turn. */
static void restart_starved(struct ring *ring)
{
	uint32_t free_count = ring->stock;

	for (struct list *link; free_count > 0 && (link = list_take_first(&ring->starved)); free_count--) {
		struct op *op = container_of(link, struct op, link);

		op->parked = false;
		submit_receive(ring, op);
	}
	ring->counts.starved += !list_empty(&ring->starved) && ring->buffers_held == ring->buffer_count;
}

static unsigned run_local(struct ring *ring)
{
	unsigned count = 0;

	for (struct list *link; (link = list_take_first(&ring->local)); count++) {
		struct op *op = container_of(link, struct op, link);

		op->parked = false;
		op_end(ring, op, -ECANCELED, NULL);
	}
	return count;
}

/*
 * What CONFIG_VALGRIND is for: looks once a millisecond. poll() on the ring would not do: it is not told of what other
 * rings post.
 */
static int look_until(struct ring *ring, uint64_t until_ns)
{
	static const struct timespec pause = {.tv_nsec = (long)NS_PER_MS};
	int rc;

	while ((rc = io_uring_submit_and_get_events(&ring->uring)) >= 0 && !io_uring_cq_ready(&ring->uring) &&
		clock_monotonic_ns() < until_ns)
		nanosleep(&pause, NULL);
	return rc;
}

/* Submits and waits. Interrupted and timed out are fine: both mean that the turn is over. */
static int submit_and_wait(struct ring *ring, uint64_t until_ns)
{
	struct io_uring_cqe *cqe;
	uint64_t now_ns = until_ns == UINT64_MAX || until_ns == 0 ? 0 : clock_monotonic_ns();
	int rc;

	ring->counts.enters++;
	if (until_ns <= now_ns || !list_empty(&ring->local)) {
		rc = io_uring_submit_and_get_events(&ring->uring);
	} else if (CONFIG(VALGRIND)) {
		rc = look_until(ring, until_ns);
	} else if (until_ns == UINT64_MAX) {
		rc = io_uring_submit_and_wait(&ring->uring, 1);
	} else {
		uint64_t wait_ns = until_ns - now_ns;
		struct __kernel_timespec timeout = {
			.tv_sec = (long long)(wait_ns / NS_PER_S), .tv_nsec = (long long)(wait_ns % NS_PER_S)};

		rc = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &timeout, NULL);
	}
	return rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY ? 0 : rc;
}

int ring_turn(struct ring *ring, uint64_t until_ns, uint64_t *now_ns)
{
	struct {
		uint64_t user_data;
		int result;
		uint32_t flags;
	} batch[COMPLETION_BATCH];
	struct io_uring_cqe *cqes[COMPLETION_BATCH];
	unsigned count, total = 0;
	int rc;

	ring_publish_buffers(ring);
	restart_starved(ring);
	rc = submit_and_wait(ring, until_ns);
	*now_ns = clock_monotonic_ns();
	if (rc < 0)
		return rc;
	total += run_local(ring);
	do {
		count = io_uring_peek_batch_cqe(&ring->uring, cqes, COMPLETION_BATCH);
		for (unsigned i = 0; i < count; i++) {
			batch[i].user_data = cqes[i]->user_data;
			batch[i].result = cqes[i]->res;
			batch[i].flags = cqes[i]->flags;
		}
		io_uring_cq_advance(&ring->uring, count);
		for (unsigned i = 0; i < count; i++)
			on_completed(ring, batch[i].user_data, batch[i].result, batch[i].flags);
		total += count;
		/* What a full batch left behind is taken in this turn; what comes meanwhile waits for the next. */
	} while (count == COMPLETION_BATCH && total < 16 * COMPLETION_BATCH);
	return (int)total;
}
