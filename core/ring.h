/*
 * One thread's completion queue: sockets and wake-ups. Two implementations are chosen at link time: ring_uring.c (Linux
 * io_uring) and the simulation's. A ring belongs to the thread that runs ring_turn(); only ring_wake() is called from
 * others.
 *
 * An operation is a `struct op` embedded in its owner. From the call that starts it until its last callback the kernel
 * owns the op and the memory it names; the owner outlives that. Callbacks run from ring_turn(), never from inside a
 * starting call. Results are those of the system call: >= 0, or -errno.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/buffer.h"
#include "core/list.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct ring;
struct op;

enum op_flags {
	OP_MORE = 1, /* the operation goes on: another callback will follow */
};

enum {
	RING_ACCEPTS = 16,              /* that wait on a listener: how many one turn can take at least */
	RING_RECEIVE_BYTES = 64 * 1024, /* of one socket in a turn, where the kernel bounds it; else some 64 buffers */
};

/* `buffer` is set for a receive that brought bytes: the callback owns one reference to it. */
typedef void op_done(struct op *op, int result, uint32_t flags, struct buffer *buffer);

struct op {
	op_done *done;
	bool in_flight;
	int socket; /* of the operation; for a connect, the new one once done has result 0 */
	/* The ring's own. */
	uint8_t kind, stage;
	bool cancelled, parked; /* parked: not with the kernel; linked into one of the ring's lists */
	bool gentle;            /* a receive of one buffer at a time */
	uint32_t magic;
	struct list link;
	struct ring *ring;
	union {
		struct msghdr message;
		struct {
			const struct sockaddr *address;
			socklen_t address_bytes;
		} connect;
	};
};

enum ring_feature {                   /* newer than Linux 6.1; each can be masked, and has a path without it */
	RING_NO_SQARRAY = 1 << 0,     /* 6.6: submissions need no index array */
	RING_SOCKET_OPTIONS = 1 << 1, /* 6.7: socket options are set through the ring */
	RING_RECEIVE_LIMIT = 1 << 2,  /* 6.17: a multishot receive ends after RING_RECEIVE_BYTES */
};

struct ring_options {
	uint32_t entry_count;  /* submission queue; a power of two */
	uint32_t buffer_count; /* receive buffers; a power of two, <= 32768 */
	uint32_t buffer_bytes; /* capacity of each */
	uint32_t without;      /* mask of enum ring_feature */
};

/* Translates a list such as "no_sqarray,socket_options" (or "all") to a mask; -EINVAL for an unknown name. */
int ring_features_parse(const char *list, uint32_t *mask);

/* Their names as "a,b", as many as fit, with a NUL. */
void ring_features_name(uint32_t features, char *text, size_t text_bytes);

/* What the running kernel offers less what was masked. */
uint32_t ring_features(const struct ring *ring);

/*
 * Opens a ring, disabled: the thread that will run it calls ring_enable() first. On failure `why` tells a person what
 * is wrong and what cures it.
 */
int ring_open(struct ring **ring, const struct ring_options *options, char *why, size_t why_bytes);
int ring_enable(struct ring *ring);
void ring_close(struct ring *ring); /* every operation has ended */

/*
 * Submits what was started, waits for completions until `until_ns` (monotonic; 0: do not wait, UINT64_MAX: for ever),
 * runs their callbacks. *now_ns is set to the monotonic time after the wait, before the first callback. Returns how
 * many callbacks ran, or -errno.
 */
int ring_turn(struct ring *ring, uint64_t until_ns, uint64_t *now_ns);

/* Makes `ring`'s ring_turn() return soon; from any thread. `from` is the caller's own ring, or NULL. */
void ring_wake(struct ring *ring, struct ring *from);

/*
 * A listening TCP socket, or -errno; close it with ring_close_socket(). A system call: at set-up only. Sockets that it
 * accepts have TCP_NODELAY, as have those of ring_connect().
 */
int ring_listen(struct ring *ring, const struct sockaddr_storage *address, int backlog, bool reuse_port);

/*
 * 0 when nobody listens on `address`, -EADDRINUSE when somebody does, sharing its port or not: two listeners that share
 * one would each get a part of the connections, and neither would know. Or why it cannot be had.
 */
int ring_try_address(const struct sockaddr_storage *address);

/*
 * Accepts until told to stop: `op.done` is called with OP_MORE and each new socket in `result`, and `peer` says who it
 * is. Ends (no OP_MORE) on cancel or error; the owner starts it again. Clients that gave up before are passed over.
 */
struct accepting {
	struct op op;
	const struct sockaddr_storage *peer; /* until `done` returns */
	/* The ring's own. */
	struct accept_slot {
		struct op op;
		struct accepting *accepting;
		struct sockaddr_storage address;
		socklen_t address_bytes;
	} slots[RING_ACCEPTS];
	unsigned waiting_count;
	int result;
	bool stopping;
};

void ring_accept(struct ring *ring, struct accepting *accepting, int listener);

/* Makes a TCP socket and connects it. `done` has 0 and op->socket, or -errno and no socket. `address` stays until done.
 */
void ring_connect(struct ring *ring, struct op *op, const struct sockaddr *address, socklen_t address_bytes);

/*
 * Multishot receive into the ring's buffers. result > 0: bytes at buffer->data; 0: the peer has shut its side; < 0:
 * -errno. An empty pool is the ring's own matter: it starts again when buffers come back, unseen by the owner.
 */
void ring_receive(struct ring *ring, struct op *op, int socket);

/* The same for a peer that may be faster than we: one buffer a turn, until one comes that is not full. */
void ring_receive_gently(struct ring *ring, struct op *op, int socket);

/*
 * Sends all of `iov` or fails: `result` is then -errno, or less than all: how much had gone before. The ring copies
 * nothing: vector and bytes stay untouched until done, or until ring_cancel(), which is submitted before the kernel
 * looks at them again.
 */
void ring_send(struct ring *ring, struct op *op, int socket, const struct iovec *iov, unsigned count);

void ring_shutdown(struct ring *ring, int socket, int how);

/* Ends an operation early: its callback comes with -ECANCELED, or with what it had become by then. */
void ring_cancel(struct ring *ring, struct op *op);

/* Closes a socket that has no operation in flight; with `reset` the peer sees a RST and what was unsent is dropped. */
void ring_close_socket(struct ring *ring, int socket, bool reset);

/* Counters since start, for metrics and benchmarks. */
struct ring_counts {
	uint64_t enters, completions, receives, sends;
	uint64_t starved; /* turns in which receives waited, all buffers being out */
};
struct ring_counts ring_counts(const struct ring *ring);

/* Buffers that are not with the kernel. */
uint32_t ring_buffers_held(const struct ring *ring);

#endif
