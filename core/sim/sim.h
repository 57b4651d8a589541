/*
 * The simulated world: machines, processes and a network in virtual time, under one seeded scheduler, in one thread.
 * The gateway's own code runs in it unchanged; what it links instead of the real thing are the twins ring_sim,
 * shard_sim, clock_sim, rand_system_sim and resolve_sim. One seed replays one history: nothing here depends on an
 * address, on the real clock or on the environment.
 *
 *   sim_open() -> hosts, names, actors -> sim_process_start(), sim_process_enter(), open shards and start them,
 *   sim_process_leave() -> sim_step() until what was wanted has happened -> sim_close()
 *
 * Two kinds of inhabitants:
 *   a process  runs shards (shard_start()) over rings (ring_open()), and may be killed;
 *   an actor   is a plain struct of the scenario with events and peers (ends of connections) on a host.
 * Callbacks of actors run from sim_step() only, never from inside a call that the actor makes.
 */
#ifndef CORE_SIM_H
#define CORE_SIM_H

#include "core/list.h"
#include "core/rand.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

struct sim;
struct sim_host;
struct sim_process;
struct sim_end;

/* Probabilities are of 65,536: this one is always. */
enum { SIM_ALWAYS = 65536, SIM_NEVER = 0 };

struct sim_network_faults {
	uint32_t split;             /* a segment ends at any byte, instead of bringing all there is */
	uint32_t stall;             /* a segment waits for stall_min_ns..stall_max_ns on top of its delay */
	uint32_t reset;             /* a connection breaks as a segment would arrive: both ends see a reset */
	uint32_t reset_loses;       /* a reset that arrives takes along what its receiver has not read */
	uint32_t connect_refused;   /* -ECONNREFUSED */
	uint32_t connect_timed_out; /* -ETIMEDOUT, after connect_timeout_ns */
	uint32_t connect_reset;     /* connected, then reset before the first byte */
	uint64_t stall_min_ns, stall_max_ns;
	uint64_t connect_timeout_ns;
};

/* What a kernel may do and seldom does. None of it is an error of the gateway's. */
struct sim_ring_faults {
	uint32_t shuffle;         /* completions of a turn come in another order (each operation's own order is kept) */
	uint32_t accept_no_files; /* accept ends with -EMFILE; the connection waits on */
	uint32_t accept_aborted;  /* accept ends with -ECONNABORTED; the connection is gone */
	uint32_t receive_restart; /* a multishot receive ends after a good read, and is started again by the ring */
	uint32_t receive_short;   /* a read brings less than there was */
	uint32_t receive_starved; /* a read finds no buffer although there are some */
	uint32_t send_short;      /* the socket takes only a part at first, though it has room */
	uint32_t send_late;       /* a send completes after its bytes have left, perhaps after they have arrived */
	uint32_t cancel_late;     /* a cancelled operation does what it still can before it ends */
	uint32_t wake_spurious;   /* a sleeping shard runs for no reason */
	uint32_t shard_late;      /* a shard that could run is not run for up to shard_late_ns */
	uint64_t send_late_ns;    /* at most */
	uint64_t shard_late_ns;   /* at most */
};

struct sim_options {
	uint64_t wall_ns;                    /* Unix time of every host at the start; 0: 2026-01-01 */
	uint64_t delay_min_ns, delay_max_ns; /* of a segment and of each leg of a handshake; both 0: 20 us .. 500 us */
	uint64_t turn_min_ns, turn_max_ns;   /* virtual time that a shard's turn takes; both 0: 1 us .. 20 us */
	uint32_t window_min_bytes, window_max_bytes; /* sent and not read, a direction; both 0: 4 KiB .. 256 KiB */
	uint64_t resolve_min_ns, resolve_max_ns;     /* until a name is answered; both 0: 100 us .. 50 ms */
	struct sim_network_faults network;
	struct sim_ring_faults ring;
	/*
	 * Called when another process becomes current (NULL: none), so that what else belongs to a process, such as its
	 * disk, can follow.
	 */
	void (*entered)(struct sim_process *process);
};

/* NULL for `options`: no faults, the defaults above. NULL when there is no memory. */
struct sim *sim_open(uint64_t seed, const struct sim_options *options);

/*
 * Frees the world: rings and sockets of processes that were not closed, killed or not, and what the scenario gave to
 * sim_keep(). Actors' structs are the scenario's, and hear nothing of it.
 */
void sim_close(struct sim *sim);

uint64_t sim_now_ns(const struct sim *sim); /* monotonic, the same on all hosts; never 0 */
uint64_t sim_wall_ns(const struct sim_host *host);
void sim_step_wall(struct sim_host *host, int64_t by_ns);

/* For the scenario's own choices. Drawing from it is part of the history. */
struct rand *sim_rand(struct sim *sim);
bool sim_chance(struct sim *sim, uint32_t of_65536);
uint64_t sim_between(struct sim *sim, uint64_t least, uint64_t most); /* both included */

/* The faults in force; a scenario changes them as it goes. */
struct sim_network_faults *sim_network_faults(struct sim *sim);
struct sim_ring_faults *sim_ring_faults(struct sim *sim);

/* ---- Outages ---- */

/*
 * Nothing that `from` sends reaches `to` for so long, nor what is under way: it arrives some time after. Both
 * directions are two calls; another call for the same pair counts from now. Who connects meanwhile waits for the same,
 * or gives up after connect_timeout_ns.
 */
void sim_path_cut(struct sim_host *from, struct sim_host *to, uint64_t duration_ns);

/* Its processes do not run for so long; kernel and clocks do: what comes is taken, and waits. */
void sim_host_wedge(struct sim_host *host, uint64_t duration_ns);

/* No fault at all from now on, and all paths are open; what has begun runs its course. For a scenario's end, when all
 * must come to rest. */
void sim_calm(struct sim *sim);

/* ---- Scheduler ---- */

/*
 * Lets one thing happen: a shard's turn, a delivery, an event of an actor; chosen by the seed among all that can. When
 * nothing can, time jumps to the next thing. False when nothing will ever happen again: every shard sleeps for ever and
 * no event is left. (A shard with an armed timer keeps the world going.)
 */
bool sim_step(struct sim *sim);

/* Steps until the time is `until_ns`, and leaves it there. */
void sim_run_until(struct sim *sim, uint64_t until_ns);

/* Steps until done(user) is true, but not beyond `until_ns`; whether it became true. */
bool sim_run(struct sim *sim, uint64_t until_ns, bool (*done)(void *user), void *user);

/* Embedded in its owner; zeroed is valid. Runs once for each sim_after(). */
struct sim_event {
	void (*run)(struct sim_event *event);
	/* The world's own. */
	uint64_t at_ns, order;
	size_t place; /* in the heap, from 1; 0: not waiting */
};

/* event->run() happens `delay_ns` from now; an event that waits is moved. */
void sim_after(struct sim *sim, struct sim_event *event, uint64_t delay_ns);
void sim_event_cancel(struct sim *sim, struct sim_event *event); /* one that does not wait is let be */

static inline bool sim_event_waits(const struct sim_event *event)
{
	return event->place != 0;
}

/* ---- Hosts and processes ---- */

/* `name` is for the trace; it and `ipv4` are copied. Within a host, 127.0.0.1 is the host itself. */
struct sim_host *sim_host_add(struct sim *sim, const char *name, const char *ipv4);
void sim_host_address(const struct sim_host *host, uint16_t port, struct sockaddr_storage *address);
const char *sim_host_name(const struct sim_host *host);

struct sim_process *sim_process_start(struct sim_host *host);
struct sim_host *sim_process_host(const struct sim_process *process);
void *sim_process_user(const struct sim_process *process);
void sim_process_set_user(struct sim_process *process, void *user); /* for options->entered */

/*
 * The current process is where rings are opened, shards started, clocks read and names asked for: the one thread-local
 * of the simulation. The scheduler enters a shard's process for its turn and comes back to what was current. Enter may
 * be nested; leave returns to the process before.
 */
void sim_process_enter(struct sim_process *process);
void sim_process_leave(void);
struct sim_process *sim_process_current(void);

/*
 * SIGKILL. Its shards never run again, its rings vanish without callbacks, its sockets close as the kernel closes them:
 * what a completed or running send had handed over may still arrive, any prefix of it. To be called from outside its
 * turns. The process's memory is not freed: give what holds it to sim_keep().
 */
void sim_process_kill(struct sim_process *process);
bool sim_process_killed(const struct sim_process *process);

/* What the process has open; an orderly end leaves 0 of each (a socket is gone once its close was submitted). */
unsigned sim_process_sockets(const struct sim_process *process);
unsigned sim_process_rings(const struct sim_process *process);
unsigned sim_process_shards(const struct sim_process *process); /* started and not joined */

/* The world keeps `memory` reachable, and calls release(memory) in sim_close(); NULL: it only keeps it. */
int sim_keep(struct sim *sim, void *memory, void (*release)(void *memory));

/* ---- Names ---- */

/*
 * What the resolver answers from now on: addresses, IPv4 or IPv6 in text, separated by spaces (an IPv6 address is known
 * to nobody: connecting gives -ENETUNREACH). `result` < 0 (-ENOENT, -ETIMEDOUT, -EIO): it fails so; addresses may then
 * be NULL. A name that was never set is -ENOENT.
 */
int sim_name_set(struct sim *sim, const char *name, int result, const char *addresses, uint32_t ttl_s);

/* ---- Actors' connections ---- */

/*
 * One end of a connection, embedded in its actor; zeroed except for the callbacks, each of which may be NULL. It
 * belongs to the world from sim_peer_connect() (or from being returned by `accept`) until closed() with an error, a
 * connected() with an error, sim_peer_close() or sim_peer_reset(); after those nothing is called and the memory is the
 * actor's again.
 */
struct sim_peer {
	void (*connected)(struct sim_peer *peer, int result); /* 0 or -errno; of sim_peer_connect() only */
	void (*received)(struct sim_peer *peer, const char *bytes, size_t size);
	/* 0: the other side sends no more, this one still may. -errno (-ECONNRESET, -EPIPE): the connection is over. */
	void (*closed)(struct sim_peer *peer, int result);
	void (*drained)(struct sim_peer *peer); /* all that was queued by sim_peer_send() has gone into the network */
	void *user;
	/* The world's own. */
	struct sim_end *end;
};

struct sim_listener {
	/* A connection comes: returns the peer to be its end here, or NULL to reset it. */
	struct sim_peer *(*accept)(struct sim_listener *listener, const struct sockaddr_storage *from);
	void *user;
	/* The world's own. */
	struct sim_host *host;
	uint16_t port;
	struct list link;
};

int sim_listen(struct sim_listener *listener, struct sim_host *host, uint16_t port); /* 0 or -EADDRINUSE */
void sim_listener_close(struct sim_listener *listener);

void sim_peer_connect(struct sim_peer *peer, struct sim_host *host, const struct sockaddr_storage *address);

/* Queues a copy, without bound: look at sim_peer_unsent(). Nothing happens on a connection that is over or shut. */
int sim_peer_send(struct sim_peer *peer, const void *bytes, size_t size);
size_t sim_peer_unsent(const struct sim_peer *peer); /* queued, and not yet taken by the network */
size_t sim_peer_unread(const struct sim_peer *peer); /* arrived, and kept back by a pause */

void sim_peer_shutdown(struct sim_peer *peer); /* sends no more once what is queued has gone; still receives */
void sim_peer_close(struct sim_peer *peer);    /* as close(): what is queued goes; what comes now meets a reset */
void sim_peer_reset(struct sim_peer *peer);    /* RST: drops what is unsent; of what is under way any prefix arrives */
bool sim_peer_open(const struct sim_peer *peer); /* connected or connecting, and not over */

void sim_peer_pause(struct sim_peer *peer); /* reads no more: the window fills, then the other side's sends stand */
void sim_peer_resume(struct sim_peer *peer);

/* Nothing passes in either direction until `delay_ns` from now; UINT64_MAX: for ever. */
void sim_peer_stall(struct sim_peer *peer, uint64_t delay_ns);

/* ---- Trace ---- */

/* Every event leaves a record in a ring of the last SIM_TRACE_RECORDS and goes into a hash of the whole history. */
enum { SIM_TRACE_RECORDS = 4096 };

/* The scenario's own record: `what` is a static string; `a` and `b` mean what it says. `host` may be NULL. */
void sim_note(struct sim *sim, const struct sim_host *host, const char *what, uint64_t a, uint64_t b);
void sim_trace_print(const struct sim *sim, FILE *file);
uint64_t sim_trace_hash(const struct sim *sim);
uint64_t sim_trace_count(const struct sim *sim); /* records ever made */

#endif
