/*
 * The world's insides, shared by sim*.c and the twins (ring_sim.c, shard_sim.c, clock_sim.c, resolve_sim.c); for nobody
 * else.
 *
 * All that will happen waits in one heap of events, by time and then by a number drawn when it was put there. Whatever
 * two hosts do at once therefore happens in an order that the seed chose.
 */
#ifndef CORE_SIM_INTERNAL_H
#define CORE_SIM_INTERNAL_H

#include <assert.h>
#include <string.h>

#include "core/clock.h"
#include "core/shard.h"
#include "core/sim/sim.h"

struct sim_connection;
struct sim_socket;

struct sim_trace_record {
	uint64_t at_ns, a, b;
	const struct sim_host *host;
	const char *what;
};

struct sim {
	uint64_t now_ns, start_ns;
	struct sim_options options;
	struct rand rand;     /* the world's own choices */
	struct rand scenario; /* sim_rand() */
	struct rand system;   /* rand_system() */
	struct sim_event **heap;
	size_t heap_count, heap_capacity;
	bool stepping;
	struct list hosts, connections, kept, names;
	struct list paths;   /* that were cut: sim_path.c */
	struct list ended;   /* connections to be freed when the step is over */
	struct ring **rings; /* by id; NULL: closed */
	size_t ring_count, ring_capacity;
	struct sim_socket *
		*sockets; /* by number; NULL: closed. Numbers are never used again: a stale one is found out. */
	size_t socket_count, socket_capacity;
	uint32_t host_count, process_count, connection_count;
	struct sim_trace_record trace[SIM_TRACE_RECORDS];
	uint64_t trace_count, trace_hash;
};

struct sim_host {
	struct list link;
	struct sim *sim;
	char name[32];
	struct in_addr address;
	uint32_t index;
	uint16_t last_port; /* given to a connection from here */
	int64_t wall_offset_ns;
	uint64_t wedged_until_ns;
	struct list listeners; /* of actors */
	struct list listening; /* sockets of processes */
	struct list processes;
};

struct sim_process {
	struct list link;
	struct sim_host *host;
	uint32_t index;
	bool killed;
	void *user;
	struct list shards, rings, sockets, queries;
	unsigned shard_count, ring_count, socket_count;
};

/* For the world's own memory; without any there is no world, and nothing to tell. */
void *sim_allocate(size_t size);
void *sim_grow(void *memory, size_t size);

/* Grows an array of pointers to hold one more. */
void *sim_array_room(void *array, size_t count, size_t *capacity);

static inline bool sim_draw(struct sim *sim, uint32_t of_65536)
{
	return of_65536 && rand_u64(&sim->rand) >> 48 < of_65536;
}

static inline uint64_t sim_draw_between(struct sim *sim, uint64_t least, uint64_t most)
{
	return most <= least ? least : least + rand_below(&sim->rand, most - least + 1);
}

static inline uint64_t sim_hash(uint64_t hash, const void *bytes, size_t size)
{
	const char *next = bytes;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), next += sizeof(word)) {
		memcpy(&word, next, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	word = size;
	memcpy(&word, next, size);
	hash = (hash ^ word ^ (uint64_t)size << 56) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

/* ---- Connections: sim_flow.c, sim_connection.c ---- */

/* What one end has said and the other has not read: read <= arrived <= written <= read + window. */
struct sim_flow {
	struct sim_connection *connection;
	char *bytes; /* a ring of `capacity`, which grows up to the window */
	size_t capacity;
	uint32_t window;
	uint64_t read, arrived, written;
	bool fin_sent, fin_arrived;
	bool lost;              /* a reset has cut it: what is written from now on goes nowhere */
	struct sim_event event; /* the next arrival */
};

struct sim_end {
	struct sim_connection *connection;
	unsigned side;
	bool established;
	bool closed; /* nobody owns it any more */
	bool shut_read;
	bool dead;              /* a reset came: nothing passes any more */
	int error;              /* what the reset gives to the next call */
	struct sim_event reset; /* a RST that is on its way here */
	struct list queue_link; /* in a listening socket's queue */
	/* The owner's. */
	void (*notify)(struct sim_end *end); /* there is something to read, room to write, or an error */
	void (*connected)(struct sim_end *end, int result);
	struct sim_socket *socket;
	struct sim_peer *peer;
	/* An actor's end only: sim_peer.c. */
	struct sim_event attention;
	char *out;
	size_t out_start, out_size, out_capacity;
	bool paused, told_end, shut_wanted, drain_wanted;
};

enum sim_handshake { SIM_SYN, SIM_SYN_ACK, SIM_ACK, SIM_ESTABLISHED, SIM_FAILED };

struct sim_connection {
	struct list link;
	struct sim *sim;
	uint32_t index;
	struct sim_host *hosts[2]; /* [1] NULL: no such host */
	struct sockaddr_in addresses[2];
	struct sim_end ends[2];   /* [0] connected, [1] accepted */
	struct sim_flow flows[2]; /* [i]: from ends[i] */
	enum sim_handshake handshake;
	int failure;
	unsigned tries;
	uint64_t begun_ns, held_until_ns;
	struct sim_event step; /* of the handshake */
	bool ended;
};

/* A process's listening socket. */
struct sim_listening {
	struct list link; /* in its host */
	uint16_t port;
	bool reuse_port;
	unsigned backlog, count;
	struct list queue; /* ends that nobody has accepted */
	void (*arrived)(struct sim_listening *listening);
};

/* The connecting end; its owner sets notify and connected at once. */
struct sim_end *sim_connection_start(struct sim_host *host, const struct sockaddr *address);
struct sim_end *sim_listening_take(struct sim_listening *listening); /* NULL: none waits */
void sim_listening_close(struct sim_listening *listening);
bool sim_port_taken(const struct sim_host *host, uint16_t port, bool reuse_port);

static inline struct sim_flow *sim_end_out(struct sim_end *end)
{
	return &end->connection->flows[end->side];
}

static inline struct sim_flow *sim_end_in(struct sim_end *end)
{
	return &end->connection->flows[!end->side];
}

static inline size_t sim_end_readable(struct sim_end *end)
{
	return (size_t)(sim_end_in(end)->arrived - sim_end_in(end)->read);
}

/* 1: nothing more will come; 0: it goes on; -errno, once. To be asked when nothing is readable. */
int sim_end_status(struct sim_end *end);

/* Up to `size` bytes in one piece, which stay until somebody writes; they count as read. */
size_t sim_end_read(struct sim_end *end, size_t size, const char **bytes);

size_t sim_end_room(struct sim_end *end);
int sim_end_write_status(struct sim_end *end); /* 0: may write when there is room; else -errno */
void sim_end_write(struct sim_end *end, const char *bytes, size_t size); /* no more than there is room */
void sim_end_shut_write(struct sim_end *end);

/* As close(2): a reset instead of the end when something is unread. The end is its owner's no more. */
void sim_end_close(struct sim_end *end, bool reset);

void sim_end_hold(struct sim_end *end, uint64_t delay_ns); /* nothing passes in either direction until then */

/* Between sim_flow.c and sim_connection.c. */
void sim_flow_init(struct sim_flow *flow, struct sim_connection *connection);
void sim_end_init(struct sim_end *end, struct sim_connection *connection, unsigned side);
void sim_end_establish(struct sim_end *end);
void sim_connection_abandon(struct sim_connection *connection); /* during its handshake */
void sim_connection_end(struct sim_connection *connection);

/* What was to arrive from one host at another waits anew, for the path as it is now. */
void sim_flows_plan_again(struct sim *sim, const struct sim_host *from, const struct sim_host *to);

/* How long what is sent now waits for the path: 0 when nothing is wrong with it. Drawn. */
uint64_t sim_path_wait_ns(struct sim *sim, const struct sim_host *from, const struct sim_host *to);
void sim_paths_heal(struct sim *sim);

void sim_free_ended(struct sim *sim);
void sim_connection_free(struct sim_connection *connection);

/* ---- Actors' ends: sim_peer.c ---- */

void sim_peer_adopt(struct sim_peer *peer, struct sim_end *end);

/* ---- Twins ---- */

struct sim_shard {
	struct list link;
	struct shard *shard;
	struct sim_process *process;
	struct sim_event event;
	enum { SIM_SHARD_NEW, SIM_SHARD_AWAKE, SIM_SHARD_ASLEEP, SIM_SHARD_CALLED, SIM_SHARD_STOPPED } state;
	bool turning;
	uint64_t until_ns;
};

void sim_shard_call(struct sim_shard *shard); /* its ring has something for it */
void sim_shard_kill(struct sim_shard *shard);

/* The first half of ring_turn(), also when it is called alone: what was started goes to the kernel. */
void ring_sim_submit(struct ring *ring);
bool ring_sim_ready(const struct ring *ring);
void ring_sim_set_runner(struct ring *ring, struct sim_shard *runner);
struct sim_shard *ring_sim_runner(const struct ring *ring);

/* Of a process: what the kernel closes, and the memory of the rings that it leaves behind. */
void ring_sim_kill(struct sim_process *process);
void ring_sim_free(struct sim_process *process);

/* Questions that nobody will answer. */
void resolve_sim_kill(struct sim_process *process);

/* One name of the world's table. */
struct sim_name {
	struct list link;
	char *name;
	char *addresses;
	int result;
	uint32_t ttl_s;
};
const struct sim_name *sim_name_find(const struct sim *sim, const char *name);

#endif
