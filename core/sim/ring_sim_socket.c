/*
 * The kernel's side of the simulated ring: sockets, and what they do with the operations that were submitted to them. A
 * socket that may have something to do is put into its ring's list of ready ones, and moves when that ring turns.
 */
#include "core/sim/ring_sim.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NUMBER_FIRST = 1000,
	WORKER_NS = 20000, /* until a worker of the kernel's has got to its task, at most */
	READS_A_TURN = 32, /* Linux: a multishot receive yields after as many (MULTISHOT_MAX_RETRY) */
};

static struct sim *world(const struct sim_socket *socket)
{
	return socket->process->host->sim;
}

static bool draw(const struct sim_socket *socket, uint32_t of_65536)
{
	return sim_draw(world(socket), of_65536);
}

static void complete(struct sim_socket *socket, struct op *op, int result)
{
	ring_sim_post(socket->ring, &(struct completion){.op = op, .result = result});
}

/* ---- Sockets ---- */

static void on_late_sent(struct sim_event *event);
static void on_shut(struct sim_event *event);

struct sim_socket *sim_socket_open(struct ring *ring)
{
	struct sim *sim = ring->sim;
	struct sim_socket *socket = sim_allocate(sizeof(*socket));

	socket->number = NUMBER_FIRST + (int)sim->socket_count;
	socket->ring = ring;
	socket->process = ring->process;
	socket->sending.late.run = on_late_sent;
	socket->shut.run = on_shut;
	list_init(&socket->ready_link);
	list_init(&socket->listening.link);
	list_init(&socket->listening.queue);
	list_append(&socket->process->sockets, &socket->link);
	socket->process->socket_count++;
	sim->sockets = sim_array_room(sim->sockets, sim->socket_count, &sim->socket_capacity);
	sim->sockets[sim->socket_count++] = socket;
	return socket;
}

struct sim_socket *sim_socket_find(const struct sim *sim, int number)
{
	size_t index = (size_t)(number - NUMBER_FIRST);

	return number >= NUMBER_FIRST && index < sim->socket_count ? sim->sockets[index] : NULL;
}

static void forget(struct sim_socket *socket)
{
	world(socket)->sockets[socket->number - NUMBER_FIRST] = NULL;
	sim_event_cancel(world(socket), &socket->sending.late);
	sim_event_cancel(world(socket), &socket->shut);
	list_remove(&socket->ready_link);
	list_remove(&socket->link);
	socket->process->socket_count--;
	free(socket);
}

void sim_socket_close(struct sim_socket *socket, bool reset)
{
	if (socket->listens)
		sim_listening_close(&socket->listening);
	else if (socket->end)
		sim_end_close(socket->end, reset);
	forget(socket);
}

void sim_socket_ready(struct sim_socket *socket)
{
	if (!socket->ring || !list_empty(&socket->ready_link))
		return;
	if (!socket->receive && !socket->accept && !socket->sending.op)
		return; /* nobody waits: what is started later looks for itself */
	list_append(&socket->ring->ready, &socket->ready_link);
	if (socket->ring->runner)
		sim_shard_call(socket->ring->runner);
}

static void on_notify(struct sim_end *end)
{
	sim_socket_ready(end->socket);
}

static void own(struct sim_socket *socket, struct sim_end *end)
{
	socket->end = end;
	end->socket = socket;
	end->notify = on_notify;
}

/* ---- Connect ---- */

static void on_connected(struct sim_end *end, int result)
{
	struct sim_socket *socket = end->socket;
	struct op *op = socket->connect;

	socket->connect = NULL;
	if (result < 0)
		socket->end = NULL;
	complete(socket, op, result);
}

static void start_connect(struct sim_socket *socket, struct op *op)
{
	socket->connect = op;
	own(socket, sim_connection_start(socket->process->host, op->connect.address));
	socket->end->connected = on_connected;
}

/* ---- Accept ---- */

static void accept_one(struct sim_socket *socket, struct sim_end *end)
{
	struct sim_socket *accepted = sim_socket_open(socket->ring);

	own(accepted, end);
	ring_sim_post(socket->ring, &(struct completion){.op = socket->accept,
					    .result = accepted->number,
					    .more = true,
					    .peer = end->connection->addresses[0]});
}

static void progress_accept(struct sim_socket *socket)
{
	const struct sim_ring_faults *faults = &world(socket)->options.ring;
	struct sim_end *end;

	while (socket->accept && socket->listening.count > 0) {
		if (draw(socket, faults->accept_no_files)) {
			complete(socket, socket->accept, -EMFILE);
			socket->accept = NULL;
			return;
		}
		end = sim_listening_take(&socket->listening);
		if (draw(socket, faults->accept_aborted))
			sim_end_close(end, true); /* the ring passes over it */
		else
			accept_one(socket, end);
	}
}

static void on_arrived(struct sim_listening *listening)
{
	sim_socket_ready(container_of(listening, struct sim_socket, listening));
}

void sim_socket_listen(struct sim_socket *socket)
{
	socket->listens = true;
	socket->listening.arrived = on_arrived;
	list_append(&socket->process->host->listening, &socket->listening.link);
}

/* ---- Receive ---- */

static void end_receive(struct sim_socket *socket, int result)
{
	complete(socket, socket->receive, result);
	socket->receive = NULL;
}

static struct buffer *take_buffer(struct sim_socket *socket)
{
	if (draw(socket, world(socket)->options.ring.receive_starved))
		return NULL;
	return ring_sim_take_buffer(socket->ring);
}

static uint32_t fill(struct sim_socket *socket, struct buffer *buffer)
{
	size_t size = sim_end_readable(socket->end), done = 0;
	const char *bytes;

	if (size > buffer->capacity_bytes)
		size = buffer->capacity_bytes;
	if (size > 1 && draw(socket, world(socket)->options.ring.receive_short))
		size = (size_t)sim_draw_between(world(socket), 1, size - 1);
	while (done < size) {
		size_t piece = sim_end_read(socket->end, size - done, &bytes);

		memcpy(buffer->data + done, bytes, piece);
		done += piece;
	}
	ring_sim_fill_buffer(buffer, (uint32_t)size);
	return (uint32_t)size;
}

/* One completion; whether the operation goes on and may bring another at once. */
static bool receive_once(struct sim_socket *socket)
{
	bool goes_on = !draw(socket, world(socket)->options.ring.receive_restart);
	struct buffer *buffer;
	int status;

	if (sim_end_readable(socket->end) == 0) {
		status = sim_end_status(socket->end);
		if (status != 0)
			end_receive(socket, status < 0 ? status : 0);
		return false;
	}
	buffer = take_buffer(socket);
	if (!buffer) {
		end_receive(socket, -ENOBUFS);
		return false;
	}
	ring_sim_post(socket->ring,
		&(struct completion){
			.op = socket->receive, .result = (int)fill(socket, buffer), .more = goes_on, .buffer = buffer});
	if (!goes_on)
		socket->receive = NULL;
	return goes_on;
}

static void progress_receive(struct sim_socket *socket)
{
	for (unsigned i = 0; i < READS_A_TURN; i++)
		if (!socket->receive || !receive_once(socket))
			return;
	sim_socket_ready(socket);
}

/* ---- Send ---- */

static uint64_t hash_memory(const struct sending *sending)
{
	uint64_t hash = sim_hash(0, sending->iov, sizeof(*sending->iov) * sending->iov_count);

	for (unsigned i = 0; i < sending->iov_count; i++)
		hash = sim_hash(hash, sending->iov[i].iov_base, sending->iov[i].iov_len);
	return hash;
}

static void end_send(struct sim_socket *socket, int result)
{
	struct sending *sending = &socket->sending;
	struct op *op = sending->op;

	sending->op = NULL;
	complete(socket, op, result);
}

/* A part that was taken counts, whatever came after it (Linux: io_send() with MSG_WAITALL). */
static void fail_send(struct sim_socket *socket, int error)
{
	end_send(socket, socket->sending.done > 0 ? (int)socket->sending.done : error);
}

static void on_late_sent(struct sim_event *event)
{
	struct sim_socket *socket = container_of(event, struct sim_socket, sending.late);

	end_send(socket, (int)socket->sending.total);
}

/*
 * Vector and bytes stay untouched until the last of them is taken, or until the cancel: that is submitted before the
 * kernel looks at them again (a send goes on in the thread that enters, and only behind what that submits).
 */
static void write_some(struct sim_socket *socket, size_t size)
{
	struct sending *sending = &socket->sending;
	size_t skip = sending->done;

	assert(sending->done + size < sending->total || hash_memory(sending) == sending->hash);
	sending->done += size;
	for (const struct iovec *iov = sending->iov; size > 0; iov++) {
		size_t piece = iov->iov_len - (skip < iov->iov_len ? skip : iov->iov_len);

		if (piece > size)
			piece = size;
		if (piece > 0)
			sim_end_write(socket->end, (const char *)iov->iov_base + skip, piece);
		size -= piece;
		skip -= skip < iov->iov_len ? skip : iov->iov_len;
	}
}

static void finish_send(struct sim_socket *socket)
{
	struct sim *sim = world(socket);
	const struct sim_ring_faults *faults = &sim->options.ring;

	if (draw(socket, faults->send_late))
		sim_after(sim, &socket->sending.late, sim_draw_between(sim, 0, faults->send_late_ns));
	else
		end_send(socket, (int)socket->sending.total);
}

static void progress_send(struct sim_socket *socket)
{
	struct sending *sending = &socket->sending;
	size_t size, left = sending->total - sending->done;
	int status;
	bool cut = false;

	if (!sending->op || sim_event_waits(&sending->late))
		return;
	status = sim_end_write_status(socket->end);
	if (status < 0) {
		fail_send(socket, status);
		return;
	}
	size = sim_end_room(socket->end);
	if (size > left)
		size = left;
	if (size > 1 && draw(socket, world(socket)->options.ring.send_short)) {
		size = (size_t)sim_draw_between(world(socket), 1, size - 1);
		cut = true;
	}
	write_some(socket, size);
	if (sending->done == sending->total)
		finish_send(socket);
	else if (cut)
		sim_socket_ready(socket);
}

static void start_send(struct sim_socket *socket, const struct submission *submission)
{
	struct sending *sending = &socket->sending;

	assert(!sending->op); /* two at once would mix their bytes */
	sending->op = submission->op;
	sending->iov = submission->iov;
	sending->iov_count = submission->iov_count;
	sending->done = 0;
	sending->total = 0;
	for (unsigned i = 0; i < sending->iov_count; i++)
		sending->total += sending->iov[i].iov_len;
	sending->hash = hash_memory(sending);
	progress_send(socket);
}

/* ---- What the ring asks ---- */

void sim_socket_start(struct sim_socket *socket, const struct submission *submission)
{
	struct op *op = submission->op;

	switch ((enum op_kind)op->kind) {
	case OP_ACCEPT:
		assert(socket->listens);
		assert(!socket->accept);
		socket->accept = op;
		sim_socket_ready(socket);
		break;
	case OP_CONNECT:
		start_connect(socket, op);
		break;
	case OP_RECEIVE:
		assert(!socket->receive);
		socket->receive = op;
		sim_socket_ready(socket);
		break;
	case OP_SEND:
		start_send(socket, submission);
		break;
	}
}

void sim_socket_progress(struct sim_socket *socket)
{
	bool send_first = draw(socket, SIM_ALWAYS / 2);

	if (socket->listens) {
		progress_accept(socket);
		return;
	}
	if (send_first)
		progress_send(socket);
	progress_receive(socket);
	if (!send_first)
		progress_send(socket);
}

static void cancel_connect(struct sim_socket *socket)
{
	complete(socket, socket->connect, -ECANCELED);
	socket->connect = NULL;
	sim_end_close(socket->end, false);
	socket->end = NULL;
}

/* Nothing to be found: the operation's result is on its way already, and the cancel comes too late. */
void sim_socket_cancel(struct sim_socket *socket, const struct op *op)
{
	if (draw(socket, world(socket)->options.ring.cancel_late) && !socket->connect) {
		if (socket->listens)
			progress_accept(socket);
		else
			progress_receive(socket);
	}
	if (socket->receive == op) {
		end_receive(socket, -ECANCELED);
	} else if (socket->accept == op) {
		complete(socket, socket->accept, -ECANCELED);
		socket->accept = NULL;
	} else if (socket->connect == op) {
		cancel_connect(socket);
	} else if (socket->sending.op == op && !sim_event_waits(&socket->sending.late)) {
		fail_send(socket, -ECANCELED);
	}
}

static void on_shut(struct sim_event *event)
{
	struct sim_socket *socket = container_of(event, struct sim_socket, shut);

	if (!socket->end)
		return;
	if (socket->shut_how != SHUT_WR)
		socket->end->shut_read = true;
	if (socket->shut_how != SHUT_RD)
		sim_end_shut_write(socket->end);
	sim_socket_ready(socket);
}

/* Later than what is submitted with it, but for a close, which waits for it. */
void sim_socket_shutdown(struct sim_socket *socket, int how)
{
	socket->shut_how = how;
	if (!sim_event_waits(&socket->shut))
		sim_after(world(socket), &socket->shut, sim_draw_between(world(socket), 0, WORKER_NS));
}

/* A send that was running had been given to the kernel, which may have taken any part of it. */
void sim_socket_kill(struct sim_socket *socket)
{
	struct sending *sending = &socket->sending;

	socket->ring = NULL;
	if (sending->op && !sending->op->cancelled && !sim_event_waits(&sending->late) && socket->end &&
		sim_end_write_status(socket->end) == 0) {
		size_t size = sim_end_room(socket->end), left = sending->total - sending->done;

		write_some(socket, (size_t)sim_draw_between(world(socket), 0, size < left ? size : left));
	}
	sim_socket_close(socket, false);
}
