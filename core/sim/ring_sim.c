/*
 * The ring over the simulated world: ring.h with the freedom that io_uring has. Its checks are stricter than the real
 * one's: a socket that is used after its close, closed under an operation, or given two sends at once, is an assertion.
 */
#include "core/sim/ring_sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum { SHUFFLE_REACH = 16, PORT_ANY_FIRST = 20000 };

/* ---- Starting ---- */

static struct sim_socket *open_socket(const struct ring *ring, int number)
{
	struct sim_socket *socket = sim_socket_find(ring->sim, number);

	assert(socket);
	assert(socket->process == ring->process);
	assert(!socket->closing);
	return socket;
}

static void submit_queued(struct ring *ring);

static void queue(struct ring *ring, struct submission submission)
{
	if (ring->submission_count == ring->entry_count)
		submit_queued(ring);
	ring->submissions[ring->submission_count++] = submission;
}

static void start(struct ring *ring, struct op *op, enum op_kind kind, int number)
{
	struct sim_socket *socket = open_socket(ring, number);

	assert(op->done);
	assert(!op->in_flight);
	assert(!socket->ring || socket->ring == ring);
	socket->ring = ring;
	socket->in_flight++;
	ring->in_flight++;
	op->in_flight = true;
	op->kind = (uint8_t)kind;
	op->socket = number;
	op->cancelled = false;
	op->parked = false;
	op->magic = OP_MAGIC;
	op->ring = ring;
}

static void end(struct ring *ring, struct op *op, int result, struct buffer *buffer)
{
	struct sim_socket *socket = sim_socket_find(ring->sim, op->socket);

	assert(op->in_flight);
	if (socket)
		socket->in_flight--;
	ring->in_flight--;
	op->in_flight = false;
	op->magic = 0;
	ring->counts.completions++;
	op->done(op, result, 0, buffer);
}

/* Port 0 is any that is free; the simulation has no call to ask which, so it goes to nobody. */
static uint16_t choose_port(const struct sim_host *host, uint16_t port)
{
	for (uint16_t any = PORT_ANY_FIRST; port == 0; any++)
		if (!sim_port_taken(host, any, false))
			port = any;
	return port;
}

int ring_listen(struct ring *ring, const struct sockaddr_storage *address, int backlog, bool reuse_port)
{
	struct sim_host *host = ring->process->host;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	struct sim_socket *socket;
	uint16_t port;

	if (address->ss_family != AF_INET)
		return -EAFNOSUPPORT;
	port = choose_port(host, ntohs(v4->sin_port));
	if (sim_port_taken(host, port, reuse_port))
		return -EADDRINUSE;
	socket = sim_socket_open(ring);
	socket->listening.port = port;
	socket->listening.reuse_port = reuse_port;
	socket->listening.backlog = backlog > 0 ? (unsigned)backlog : 1;
	sim_socket_listen(socket);
	return socket->number;
}

void ring_accept(struct ring *ring, struct accepting *accepting, int listener)
{
	accepting->peer = NULL;
	start(ring, &accepting->op, OP_ACCEPT, listener);
	queue(ring, (struct submission){.kind = SUBMIT_OP, .op = &accepting->op, .socket = listener});
}

void ring_connect(struct ring *ring, struct op *op, const struct sockaddr *address, socklen_t address_bytes)
{
	int number = sim_socket_open(ring)->number;

	start(ring, op, OP_CONNECT, number);
	op->connect.address = address;
	op->connect.address_bytes = address_bytes;
	queue(ring, (struct submission){.kind = SUBMIT_OP, .op = op, .socket = number});
}

void ring_receive(struct ring *ring, struct op *op, int socket)
{
	start(ring, op, OP_RECEIVE, socket);
	queue(ring, (struct submission){.kind = SUBMIT_OP, .op = op, .socket = socket});
}

/* A turn brings one buffer of a socket at most here, always. */
void ring_receive_gently(struct ring *ring, struct op *op, int socket)
{
	ring_receive(ring, op, socket);
}

void ring_send(struct ring *ring, struct op *op, int socket, const struct iovec *iov, unsigned count)
{
	assert(count > 0);
	assert(count <= 1024);
	start(ring, op, OP_SEND, socket);
	ring->counts.sends++;
	queue(ring, (struct submission){.kind = SUBMIT_OP, .op = op, .socket = socket, .iov = iov, .iov_count = count});
}

void ring_shutdown(struct ring *ring, int socket, int how)
{
	open_socket(ring, socket);
	queue(ring, (struct submission){.kind = SUBMIT_SHUTDOWN, .socket = socket, .how = how});
}

void ring_cancel(struct ring *ring, struct op *op)
{
	assert(op->in_flight);
	assert(op->magic == OP_MAGIC);
	if (op->cancelled)
		return;
	op->cancelled = true;
	if (op->parked) {
		list_remove(&op->link);
		list_append(&ring->local, &op->link);
		return;
	}
	queue(ring, (struct submission){.kind = SUBMIT_CANCEL, .op = op, .socket = op->socket});
}

void ring_close_socket(struct ring *ring, int number, bool reset)
{
	struct sim_socket *socket = open_socket(ring, number);

	assert(socket->in_flight == 0);
	socket->closing = true;
	queue(ring, (struct submission){.kind = SUBMIT_CLOSE, .socket = number, .how = reset});
}

static void wake(struct ring *ring)
{
	ring->woken = true;
	if (ring->runner)
		sim_shard_call(ring->runner);
}

void ring_wake(struct ring *ring, struct ring *from)
{
	if (from && from != ring)
		queue(from, (struct submission){.kind = SUBMIT_WAKE, .target = ring->id});
	else
		wake(ring);
}

/* ---- Submitting ---- */

static void submit(struct ring *ring, const struct submission *s)
{
	struct sim_socket *socket = sim_socket_find(ring->sim, s->socket);

	switch (s->kind) {
	case SUBMIT_OP:
		sim_socket_start(socket, s);
		break;
	case SUBMIT_CANCEL:
		if (socket)
			sim_socket_cancel(socket, s->op);
		break;
	case SUBMIT_SHUTDOWN:
		sim_socket_shutdown(socket, s->how);
		break;
	case SUBMIT_CLOSE:
		sim_socket_close(socket, s->how);
		break;
	case SUBMIT_WAKE:
		if (ring->sim->rings[s->target])
			wake(ring->sim->rings[s->target]);
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
		queue(ring, (struct submission){.kind = SUBMIT_OP, .op = op, .socket = op->socket});
	}
}

static void submit_queued(struct ring *ring)
{
	for (uint32_t i = 0; i < ring->submission_count; i++)
		submit(ring, &ring->submissions[i]);
	ring->submission_count = 0;
}

void ring_sim_submit(struct ring *ring)
{
	assert(ring->enabled);
	ring->counts.enters++;
	ring_sim_publish_buffers(ring);
	if (!list_empty(&ring->starved))
		restart_starved(ring);
	submit_queued(ring);
}

/* ---- Completing ---- */

void ring_sim_post(struct ring *ring, const struct completion *completion)
{
	struct completions *posted = &ring->posted;

	if (posted->count == posted->capacity) {
		posted->capacity = posted->capacity ? posted->capacity * 2 : 16;
		posted->items = sim_grow(posted->items, posted->capacity * sizeof(*posted->items));
	}
	posted->items[posted->count++] = *completion;
	if (ring->runner)
		sim_shard_call(ring->runner);
}

bool ring_sim_ready(const struct ring *ring)
{
	return ring->posted.count > 0 || ring->woken || !list_empty(&ring->ready) || !list_empty(&ring->local);
}

static void on_received(struct ring *ring, const struct completion *c)
{
	struct op *op = c->op;
	bool more = c->more;

	if (c->buffer)
		ring->buffers_held++;
	if (c->result == -ENOBUFS && !op->cancelled) {
		op->parked = true;
		list_append(&ring->starved, &op->link);
		return;
	}
	if (c->result > 0) {
		ring->counts.receives++;
		if (!more && !op->cancelled) { /* ended for the kernel's own reasons: it goes on unseen */
			queue(ring, (struct submission){.kind = SUBMIT_OP, .op = op, .socket = op->socket});
			more = true;
		}
	}
	if (!more) {
		end(ring, op, c->result == -ENOBUFS ? -ECANCELED : c->result, c->buffer);
		return;
	}
	ring->counts.completions++;
	op->done(op, c->result, OP_MORE, c->buffer);
}

static void on_accepted(struct ring *ring, const struct completion *c)
{
	struct accepting *accepting = container_of(c->op, struct accepting, op);
	struct sockaddr_storage peer = {0};

	if (!c->more) {
		end(ring, c->op, c->result, NULL);
		return;
	}
	memcpy(&peer, &c->peer, sizeof(c->peer));
	accepting->peer = &peer;
	ring->counts.completions++;
	c->op->done(c->op, c->result, OP_MORE, NULL);
	accepting->peer = NULL;
}

static void on_connected(struct ring *ring, const struct completion *c)
{
	struct op *op = c->op;
	int number = op->socket;

	if (c->result < 0) {
		struct sim_socket *socket = open_socket(ring, number);

		socket->closing = true;
		queue(ring, (struct submission){.kind = SUBMIT_CLOSE, .socket = number});
		socket->in_flight--;
		op->socket = -1;
	}
	end(ring, op, c->result, NULL);
}

static void on_completed(struct ring *ring, const struct completion *c)
{
	static const char *const names[] = {[OP_ACCEPT] = "done: accept",
		[OP_CONNECT] = "done: connect",
		[OP_RECEIVE] = "done: receive",
		[OP_SEND] = "done: send"};

	assert(c->op->magic == OP_MAGIC);
	sim_note(ring->sim, ring->process->host, names[c->op->kind], (uint64_t)c->op->socket, (uint64_t)c->result);
	switch ((enum op_kind)c->op->kind) {
	case OP_ACCEPT:
		on_accepted(ring, c);
		break;
	case OP_CONNECT:
		on_connected(ring, c);
		break;
	case OP_RECEIVE:
		on_received(ring, c);
		break;
	case OP_SEND:
		end(ring, c->op, c->result, NULL);
		break;
	}
}

/* Moves another one to the front of what is left; one operation's completions keep their order. */
static void shuffle(struct ring *ring, struct completion *items, size_t count)
{
	size_t reach = count < SHUFFLE_REACH ? count : SHUFFLE_REACH, chosen, i = 0;
	struct completion moved;

	if (reach < 2 || !sim_draw(ring->sim, ring->sim->options.ring.shuffle))
		return;
	chosen = (size_t)rand_below(&ring->sim->rand, reach);
	while (items[i].op != items[chosen].op)
		i++;
	moved = items[i];
	memmove(items + 1, items, i * sizeof(*items));
	items[0] = moved;
}

static unsigned run_completions(struct ring *ring)
{
	struct completions batch = ring->posted;

	ring->posted = ring->running;
	ring->posted.count = 0;
	ring->running = batch;
	for (size_t i = 0; i < batch.count; i++) {
		shuffle(ring, batch.items + i, batch.count - i);
		on_completed(ring, &batch.items[i]);
	}
	ring->running.count = 0;
	return (unsigned)batch.count;
}

static unsigned run_local(struct ring *ring)
{
	unsigned count = 0;

	for (struct list *link; (link = list_take_first(&ring->local)); count++) {
		struct op *op = container_of(link, struct op, link);

		op->parked = false;
		end(ring, op, -ECANCELED, NULL);
	}
	return count;
}

static void move_sockets(struct ring *ring)
{
	struct list ready;

	list_init(&ready);
	for (struct list *link; (link = list_take_first(&ring->ready));)
		list_append(&ready, link);
	for (struct list *link; (link = list_take_first(&ready));)
		sim_socket_progress(container_of(link, struct sim_socket, ready_link));
}

/* A ring that is turned by hand runs the world while it waits. */
static void wait_by_hand(struct ring *ring, uint64_t until_ns)
{
	struct sim *sim = ring->sim;

	while (!ring_sim_ready(ring) && sim->now_ns < until_ns) {
		if (sim->heap_count && sim->heap[0]->at_ns <= until_ns) {
			sim_step(sim);
			continue;
		}
		assert(until_ns != UINT64_MAX); /* nothing will ever happen */
		sim_run_until(sim, until_ns);
	}
}

int ring_turn(struct ring *ring, uint64_t until_ns, uint64_t *now_ns)
{
	unsigned count;

	ring_sim_submit(ring);
	ring->counts.starved += !list_empty(&ring->starved) && ring->buffers_held == ring->buffer_count;
	if (!ring->runner && !ring->sim->stepping)
		wait_by_hand(ring, until_ns);
	*now_ns = ring->sim->now_ns;
	ring->woken = false;
	move_sockets(ring);
	count = run_local(ring);
	count += run_completions(ring);
	sim_note(ring->sim, ring->process->host, "turn", ring->id, count);
	return (int)count;
}
