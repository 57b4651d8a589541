/*
 * The ring on Linux io_uring (liburing).
 *
 * A turn: submit everything that was started and wait in one io_uring_enter; copy completions out in batches; run their
 * callbacks. Completions are copied before callbacks run, because a callback may submit and thereby move the queue.
 *
 * user_data is the op's address, or one of the small values below. Each op carries a magic word, checked when its completion
 * comes back, and cleared when its last callback has been chosen.
 *
 * Receive buffers are one provided-buffer group. A receive that finds the group empty ends with -ENOBUFS; its op waits in
 * `starved` and starts again once buffers have come back.
 */
#include "core/ring.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"

enum {
	OP_MAGIC = 0x52494e47,
	BUFFER_GROUP = 0,
	COMPLETION_BATCH = 256,
	COMPLETIONS_PER_ENTRY = 8, /* multishot operations complete more often than they are submitted */
};

enum user_data { USER_DATA_IGNORED = 1, USER_DATA_WOKEN = 2, USER_DATA_EVENT = 3, USER_DATA_LIMIT = 16 };

enum op_kind { OP_ACCEPT = 1, OP_CONNECT, OP_RECEIVE, OP_SEND };

enum connect_stage { CONNECT_SOCKET, CONNECT_OPTION, CONNECT_CONNECT };

struct ring {
	struct io_uring uring;
	struct io_uring_buf_ring *buffer_ring;
	struct buffer *buffers;
	char *buffer_memory;
	size_t buffer_memory_bytes;
	uint32_t buffer_count, buffer_bytes, buffers_held, buffers_added;
	uint32_t features;
	int event;              /* eventfd, for wake-ups from threads without a ring */
	uint64_t event_count;   /* what the read of `event` fills in */
	struct list starved;    /* receives that wait for buffers */
	struct list local;      /* ops that were cancelled while they were not with the kernel */
	struct ring_counts counts;
};

static const int option_on = 1;
static const struct linger option_linger_reset = { .l_onoff = 1, .l_linger = 0 };

static struct io_uring_sqe *next_entry(struct ring *ring)
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
static void finish_ignored(struct io_uring_sqe *entry)
{
	io_uring_sqe_set_data64(entry, USER_DATA_IGNORED);
	entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void op_start(struct ring *ring, struct op *op, enum op_kind kind, int socket)
{
	assert(op->done);
	assert(!op->in_flight);
	op->in_flight = true;
	op->kind = (uint8_t)kind;
	op->socket = socket;
	op->cancelled = false;
	op->parked = false;
	op->magic = OP_MAGIC;
	op->ring = ring;
}

static void op_end(struct ring *ring, struct op *op, int result, struct buffer *buffer)
{
	assert(op->in_flight);
	op->in_flight = false;
	op->magic = 0;
	ring->counts.completions++;
	op->done(op, result, 0, buffer);
}

/* ---- Receive buffers ---- */

static void offer_buffer(struct ring *ring, struct buffer *buffer)
{
	io_uring_buf_ring_add(ring->buffer_ring, buffer->data, buffer->capacity_bytes, (unsigned short)buffer->index,
			      io_uring_buf_ring_mask(ring->buffer_count), (int)ring->buffers_added++);
}

static void release_buffer(struct buffer *buffer)
{
	struct ring *ring = buffer->pool;

	assert(ring->buffers_held > 0);
	ring->buffers_held--;
	offer_buffer(ring, buffer);
}

static void publish_buffers(struct ring *ring)
{
	if (ring->buffers_added) {
		io_uring_buf_ring_advance(ring->buffer_ring, (int)ring->buffers_added);
		ring->buffers_added = 0;
	}
}

static int make_buffers(struct ring *ring)
{
	size_t stride = ((size_t)ring->buffer_bytes + BUFFER_PADDING_BYTES + 63) & ~(size_t)63;
	int rc = 0;

	ring->buffers = calloc(ring->buffer_count, sizeof(*ring->buffers));
	if (!ring->buffers)
		return -ENOMEM;
	ring->buffer_memory_bytes = stride * ring->buffer_count;
	ring->buffer_memory = mmap(NULL, ring->buffer_memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->buffer_memory == MAP_FAILED) {
		ring->buffer_memory = NULL;
		return -ENOMEM;
	}
	ring->buffer_ring = io_uring_setup_buf_ring(&ring->uring, ring->buffer_count, BUFFER_GROUP, 0, &rc);
	if (!ring->buffer_ring)
		return rc;
	for (uint32_t i = 0; i < ring->buffer_count; i++) {
		ring->buffers[i] = (struct buffer){ .data = ring->buffer_memory + stride * i,
						    .capacity_bytes = ring->buffer_bytes,
						    .release = release_buffer,
						    .pool = ring,
						    .index = i };
		offer_buffer(ring, &ring->buffers[i]);
	}
	publish_buffers(ring);
	return 0;
}

static struct buffer *take_buffer(struct ring *ring, uint32_t cqe_flags, int size)
{
	uint32_t index = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
	struct buffer *buffer;

	assert(index < ring->buffer_count);
	buffer = &ring->buffers[index];
	assert(buffer->references == 0);
	buffer->references = 1;
	buffer->used_bytes = (uint32_t)size;
	ring->buffers_held++;
	return buffer;
}

/* ---- Opening and closing ---- */

static int probe_features(struct ring *ring, uint32_t without, unsigned setup_flags)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
	/* Socket commands (6.7) cannot be probed by opcode; FIXED_FD_INSTALL (6.8) can, and implies them. */
	enum { OPCODE_AFTER_SOCKET_OPTIONS = IORING_OP_FIXED_FD_INSTALL };

	if (!probe)
		return -ENOSYS;
	ring->features = 0;
	if (setup_flags & IORING_SETUP_NO_SQARRAY)
		ring->features |= RING_NO_SQARRAY;
	if (io_uring_opcode_supported(probe, OPCODE_AFTER_SOCKET_OPTIONS))
		ring->features |= RING_SOCKET_OPTIONS;
	ring->features &= ~without;
	io_uring_free_probe(probe);
	return 0;
}

static int open_queue(struct ring *ring, const struct ring_options *options, struct io_uring_params *params)
{
	int rc = -EINVAL;

	for (int with_array = options->without & RING_NO_SQARRAY ? 1 : 0; rc == -EINVAL && with_array <= 1; with_array++) {
		*params = (struct io_uring_params){ .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
							     IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
							     IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
						    .cq_entries = options->entry_count * COMPLETIONS_PER_ENTRY };
		if (!with_array)
			params->flags |= IORING_SETUP_NO_SQARRAY;
		rc = io_uring_queue_init_params(options->entry_count, &ring->uring, params);
	}
	return rc;
}

static void explain_open(int rc, char *why, size_t why_bytes)
{
	static const struct {
		int error;
		const char *text;
	} causes[] = {
		{ -ENOSYS, "this kernel has no io_uring; Linux 6.1 or newer is needed" },
		{ -EPERM, "io_uring is forbidden here: check the sysctl kernel.io_uring_disabled, or the container's seccomp profile" },
		{ -EINVAL, "this kernel's io_uring is too old; Linux 6.1 or newer is needed" },
		{ -ENOMEM, "no memory may be locked for io_uring: raise RLIMIT_MEMLOCK (LimitMEMLOCK=infinity, or the container's memlock=-1)" },
		{ -EMFILE, "too many open files: raise RLIMIT_NOFILE" },
	};

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i].error == rc) {
			snprintf(why, why_bytes, "io_uring: %s", causes[i].text);
			return;
		}
	}
	snprintf(why, why_bytes, "io_uring: %s", strerror(-rc));
}

int ring_open(struct ring **out, const struct ring_options *options, char *why, size_t why_bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	struct io_uring_params params;
	int rc = -ENOMEM;

	assert((options->buffer_count & (options->buffer_count - 1)) == 0);
	assert(options->buffer_count > 0);
	assert(options->buffer_count <= 32768);
	if (!ring)
		goto fail;
	ring->event = -1;
	ring->uring.ring_fd = -1;
	ring->buffer_count = options->buffer_count;
	ring->buffer_bytes = options->buffer_bytes;
	list_init(&ring->starved);
	list_init(&ring->local);
	rc = open_queue(ring, options, &params);
	if (rc < 0) {
		ring->uring.ring_fd = -1;
		goto fail;
	}
	rc = probe_features(ring, options->without, params.flags);
	if (rc < 0)
		goto fail;
	rc = make_buffers(ring);
	if (rc < 0)
		goto fail;
	ring->event = eventfd(0, EFD_CLOEXEC);
	if (ring->event < 0) {
		rc = -errno;
		goto fail;
	}
	*out = ring;
	return 0;
fail:
	explain_open(rc, why, why_bytes);
	ring_close(ring);
	return rc;
}

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

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->buffer_ring)
		io_uring_free_buf_ring(&ring->uring, ring->buffer_ring, ring->buffer_count, BUFFER_GROUP);
	if (ring->uring.ring_fd >= 0)
		io_uring_queue_exit(&ring->uring);
	if (ring->event >= 0)
		close(ring->event);
	if (ring->buffer_memory)
		munmap(ring->buffer_memory, ring->buffer_memory_bytes);
	free(ring->buffers);
	free(ring);
}

uint32_t ring_features(const struct ring *ring)
{
	return ring->features;
}

struct ring_counts ring_counts(const struct ring *ring)
{
	return ring->counts;
}

uint32_t ring_buffers_held(const struct ring *ring)
{
	return ring->buffers_held;
}

/* ---- Operations ---- */

int ring_listen(struct ring *ring, const struct sockaddr_storage *address, int backlog, bool reuse_port)
{
	socklen_t size = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int listener = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	int rc;

	(void)ring;
	if (listener < 0)
		return -errno;
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &option_on, sizeof(option_on)) < 0 ||
	    (reuse_port && setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &option_on, sizeof(option_on)) < 0) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &option_on, sizeof(option_on)) < 0 ||
	    bind(listener, (const struct sockaddr *)address, size) < 0 || listen(listener, backlog) < 0)
		goto fail;
	return listener;
fail:
	rc = -errno;
	close(listener);
	return rc;
}

static void submit_accept(struct ring *ring, struct op *op)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_multishot_accept(entry, op->socket, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data(entry, op);
}

void ring_accept(struct ring *ring, struct op *op, int listener)
{
	op_start(ring, op, OP_ACCEPT, listener);
	submit_accept(ring, op);
}

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

	io_uring_prep_recv_multishot(entry, op->socket, NULL, 0, 0);
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = BUFFER_GROUP;
	io_uring_sqe_set_data(entry, op);
}

void ring_receive(struct ring *ring, struct op *op, int socket)
{
	op_start(ring, op, OP_RECEIVE, socket);
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
		op->message = (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };
		io_uring_prep_sendmsg(entry, socket, &op->message, MSG_NOSIGNAL | MSG_WAITALL);
	}
	io_uring_sqe_set_data(entry, op);
}

void ring_shutdown(struct ring *ring, int socket, int how)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_shutdown(entry, socket, how);
	finish_ignored(entry);
}

void ring_cancel(struct ring *ring, struct op *op)
{
	struct io_uring_sqe *entry;

	assert(op->in_flight);
	if (op->cancelled)
		return;
	op->cancelled = true;
	if (op->parked) {
		list_remove(&op->link);
		list_append(&ring->local, &op->link);
		return;
	}
	entry = next_entry(ring);
	io_uring_prep_cancel(entry, op, 0);
	finish_ignored(entry);
}

void ring_close_socket(struct ring *ring, int socket, bool reset)
{
	struct io_uring_sqe *entry;

	assert(socket >= 0);
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

static void on_received(struct ring *ring, struct op *op, int result, uint32_t flags)
{
	bool more = flags & IORING_CQE_F_MORE;
	struct buffer *buffer = NULL;

	if (flags & IORING_CQE_F_BUFFER) {
		buffer = take_buffer(ring, flags, result > 0 ? result : 0);
		if (result <= 0)
			buffer_give(&buffer);
	}
	if (result == -ENOBUFS && !op->cancelled) {
		assert(!more);
		ring->counts.starved++;
		op->parked = true;
		list_append(&ring->starved, &op->link);
		return;
	}
	if (result == -ENOBUFS)
		result = -ECANCELED;
	if (result > 0) {
		ring->counts.receives++;
		/* A multishot receive may end for the kernel's own reasons after a good read: it goes on unseen. */
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

static void on_accepted(struct ring *ring, struct op *op, int result, uint32_t flags)
{
	if (!(flags & IORING_CQE_F_MORE)) {
		op_end(ring, op, result, NULL);
		return;
	}
	ring->counts.completions++;
	op->done(op, result, OP_MORE, NULL);
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
	case OP_ACCEPT:
		on_accepted(ring, op, result, flags);
		break;
	case OP_CONNECT:
		on_connect_completed(ring, op, result);
		break;
	case OP_RECEIVE:
		on_received(ring, op, result, flags);
		break;
	case OP_SEND:
		op_end(ring, op, result, NULL);
		break;
	}
}

/* At most what was there at the start: an op that parks again waits for the next turn. */
static void restart_starved(struct ring *ring)
{
	uint32_t free_count = ring->buffer_count - ring->buffers_held;

	for (struct list *link; free_count > 0 && (link = list_take_first(&ring->starved)); free_count--) {
		struct op *op = container_of(link, struct op, link);

		op->parked = false;
		submit_receive(ring, op);
	}
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

/* Submits and waits. Interrupted and timed out are fine: both mean that the turn is over. */
static int submit_and_wait(struct ring *ring, uint64_t until_ns)
{
	struct io_uring_cqe *cqe;
	uint64_t now_ns = until_ns == UINT64_MAX || until_ns == 0 ? 0 : clock_monotonic_ns();
	int rc;

	ring->counts.enters++;
	if (until_ns <= now_ns || !list_empty(&ring->local)) {
		rc = io_uring_submit_and_get_events(&ring->uring);
	} else if (until_ns == UINT64_MAX) {
		rc = io_uring_submit_and_wait(&ring->uring, 1);
	} else {
		uint64_t wait_ns = until_ns - now_ns;
		struct __kernel_timespec timeout = { .tv_sec = (long long)(wait_ns / NS_PER_S),
						     .tv_nsec = (long long)(wait_ns % NS_PER_S) };

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

	publish_buffers(ring);
	if (!list_empty(&ring->starved))
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
		publish_buffers(ring);
		/* What a full batch left behind is taken in this turn; what comes meanwhile waits for the next. */
	} while (count == COMPLETION_BATCH && total < 16 * COMPLETION_BATCH);
	return (int)total;
}
