/*
 * What the sources of the simulated ring share: ring_sim.c (the ring's side: starting, submitting, completing),
 * ring_sim_open.c (its beginning and end), ring_sim_socket.c (the kernel's side: sockets and what they do with
 * operations), ring_sim_buffers.c (the pool). For them alone.
 *
 * As with the real one, nothing reaches the kernel before it is submitted, sockets move when their ring turns, and
 * callbacks run from ring_turn() only.
 */
#ifndef CORE_RING_SIM_H
#define CORE_RING_SIM_H

#include "core/sim/sim_internal.h"

enum { OP_MAGIC = 0x52494e47 };

enum op_kind { OP_ACCEPT = 1, OP_CONNECT, OP_RECEIVE, OP_SEND };

enum submission_kind { SUBMIT_OP, SUBMIT_CANCEL, SUBMIT_SHUTDOWN, SUBMIT_CLOSE, SUBMIT_WAKE };

struct submission {
	enum submission_kind kind;
	struct op *op; /* a cancel's is compared, never looked into: it may have ended since */
	int socket;
	int how;       /* shutdown's; close's reset */
	size_t target; /* a wake's ring */
	const struct iovec *iov;
	unsigned iov_count;
};

struct completion {
	struct op *op;
	int result;
	bool more;
	struct buffer *buffer;
	struct sockaddr_in peer; /* of an accepted connection */
};

struct completions {
	struct completion *items;
	size_t count, capacity;
};

struct ring {
	struct list link; /* in its process */
	struct sim *sim;
	struct sim_process *process;
	struct sim_shard *runner; /* NULL: turned by hand */
	size_t id;
	bool enabled, woken;
	struct submission *submissions;
	uint32_t submission_count, entry_count;
	struct completions posted, running;
	struct list ready;   /* sockets that may have something for an operation */
	struct list starved; /* receives that wait for buffers */
	struct list local;   /* cancelled while they were not with the kernel */
	uint32_t in_flight;
	uint32_t features;
	/* The pool: the kernel's buffers in the order in which it takes them; those that came back since the last
	 * submit. */
	struct buffer *buffers;
	char *buffer_memory;
	size_t buffer_stride;
	uint32_t buffer_count, buffer_bytes, buffers_held;
	uint32_t *free_indexes;
	uint32_t free_first, free_count;
	struct buffer *returned;
	struct ring_counts counts;
};

/* An iovec that is being sent. */
struct sending {
	struct op *op;
	const struct iovec *iov;
	unsigned iov_count;
	size_t total, done;
	uint64_t hash;
	struct sim_event late; /* its completion */
};

struct sim_socket {
	struct list link; /* in its process */
	int number;
	struct ring *ring;
	struct sim_process *process;
	struct sim_end *end; /* NULL: listening, or not connected */
	bool listens;
	struct sim_listening listening;
	bool closing;                          /* ring_close_socket() was called */
	unsigned in_flight;                    /* operations whose last callback has not run */
	struct op *accept, *connect, *receive; /* with the kernel */
	struct sending sending;
	struct list ready_link;
	struct sim_event shut; /* a shutdown on its way: the kernel hands it to a worker */
	int shut_how;
};

/* ring_sim.c */
void ring_sim_post(struct ring *ring, const struct completion *completion);

/* ring_sim_socket.c */
struct sim_socket *sim_socket_open(struct ring *ring);
struct sim_socket *sim_socket_find(const struct sim *sim, int number); /* NULL: not open */
void sim_socket_listen(struct sim_socket *socket);                     /* on the port that is set in `listening` */
void sim_socket_close(struct sim_socket *socket, bool reset);
void sim_socket_start(struct sim_socket *socket, const struct submission *submission);
void sim_socket_cancel(struct sim_socket *socket, const struct op *op);
void sim_socket_shutdown(struct sim_socket *socket, int how);
void sim_socket_ready(struct sim_socket *socket);
void sim_socket_progress(struct sim_socket *socket);
void sim_socket_kill(struct sim_socket *socket);

/* ring_sim_buffers.c */
int ring_sim_make_buffers(struct ring *ring);
void ring_sim_free_buffers(struct ring *ring);
void ring_sim_publish_buffers(struct ring *ring);
struct buffer *ring_sim_take_buffer(struct ring *ring); /* NULL: none is with the kernel */
void ring_sim_fill_buffer(
	struct buffer *buffer, uint32_t size); /* after the bytes: what may be read but means nothing */

#endif
