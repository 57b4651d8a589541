/*
 * Actors' ends of connections. Sends are queued, and go into the network from an event of their own; what arrives is
 * read at once unless the actor has paused. Callbacks run from those events alone, and may close their peer: each is
 * followed by a look whether it still is there.
 */
#include "core/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECE_BYTES = 64 << 10 };

static void call(struct sim_end *end)
{
	if (!end->closed && !sim_event_waits(&end->attention))
		sim_after(end->connection->sim, &end->attention, 0);
}

/* Gives the memory back to the actor; the end goes on alone while it has something to send. */
static struct sim_peer *release(struct sim_end *end)
{
	struct sim_peer *peer = end->peer;

	end->peer = NULL;
	if (peer)
		peer->end = NULL;
	return peer;
}

static void flush(struct sim_end *end)
{
	size_t size = sim_end_room(end);

	if (end->dead) {
		end->out_size = 0;
		return;
	}
	if (size > end->out_size)
		size = end->out_size;
	if (size > 0) {
		sim_end_write(end, end->out + end->out_start, size);
		end->out_start += size;
		end->out_size -= size;
	}
	if (end->out_size > 0)
		return;
	end->out_start = 0;
	if (end->shut_wanted)
		sim_end_shut_write(end);
}

static void read_all(struct sim_end *end)
{
	const char *bytes;

	while (end->peer && !end->paused && sim_end_readable(end) > 0) {
		size_t size = sim_end_read(end, PIECE_BYTES, &bytes);

		if (end->peer->received)
			end->peer->received(end->peer, bytes, size);
	}
}

static void tell_end(struct sim_end *end)
{
	struct sim_peer *peer = end->peer;
	int status;

	if (!peer || end->paused || sim_end_readable(end) > 0)
		return;
	status = sim_end_status(end);
	if (status < 0) {
		release(end);
		sim_end_close(end, false);
	} else if (status == 0 || end->told_end) {
		return;
	}
	end->told_end = true;
	if (peer->closed)
		peer->closed(peer, status < 0 ? status : 0);
}

static void tell_drained(struct sim_end *end)
{
	if (!end->peer || !end->drain_wanted || end->out_size > 0)
		return;
	end->drain_wanted = false;
	if (end->peer->drained)
		end->peer->drained(end->peer);
}

static void attend(struct sim_end *end)
{
	if (end->closed || !end->established)
		return;
	flush(end);
	if (!end->peer) { /* closed by its actor: what was queued has its way, what comes is not wanted */
		if (end->out_size == 0 || sim_end_readable(end) > 0)
			sim_end_close(end, false);
		return;
	}
	tell_drained(end);
	read_all(end);
	if (!end->closed)
		tell_end(end);
}

static void on_attention(struct sim_event *event)
{
	attend(container_of(event, struct sim_end, attention));
}

/* An actor hears of it from an event, because this may be inside a shard's turn. */
static void on_notify(struct sim_end *end)
{
	call(end);
}

static void on_connected(struct sim_end *end, int result)
{
	struct sim_peer *peer = end->peer;

	if (result < 0)
		release(end);
	else
		call(end);
	if (peer && peer->connected)
		peer->connected(peer, result);
}

void sim_peer_adopt(struct sim_peer *peer, struct sim_end *end)
{
	assert(!peer->end);
	peer->end = end;
	end->peer = peer;
	end->notify = on_notify;
	end->connected = on_connected;
	end->attention.run = on_attention;
}

void sim_peer_connect(struct sim_peer *peer, struct sim_host *host, const struct sockaddr_storage *address)
{
	sim_peer_adopt(peer, sim_connection_start(host, (const struct sockaddr *)address));
}

static void make_room(struct sim_end *end, size_t size)
{
	size_t needed = end->out_size + size;

	if (end->out_start + needed <= end->out_capacity)
		return;
	if (end->out_start) {
		memmove(end->out, end->out + end->out_start, end->out_size);
		end->out_start = 0;
	}
	if (needed <= end->out_capacity)
		return;
	while (end->out_capacity < needed)
		end->out_capacity = end->out_capacity ? end->out_capacity * 2 : 1024;
	end->out = sim_grow(end->out, end->out_capacity);
}

int sim_peer_send(struct sim_peer *peer, const void *bytes, size_t size)
{
	struct sim_end *end = peer->end;

	if (!end || end->dead || end->shut_wanted)
		return -EPIPE;
	make_room(end, size);
	memcpy(end->out + end->out_start + end->out_size, bytes, size);
	end->out_size += size;
	end->drain_wanted = true;
	call(end);
	return 0;
}

size_t sim_peer_unsent(const struct sim_peer *peer)
{
	return peer->end ? peer->end->out_size : 0;
}

size_t sim_peer_unread(const struct sim_peer *peer)
{
	return peer->end ? sim_end_readable(peer->end) : 0;
}

void sim_peer_shutdown(struct sim_peer *peer)
{
	if (!peer->end)
		return;
	peer->end->shut_wanted = true;
	call(peer->end);
}

void sim_peer_close(struct sim_peer *peer)
{
	struct sim_end *end = peer->end;

	if (!end)
		return;
	release(end);
	if (end->dead || !end->established || end->out_size == 0 || sim_end_readable(end) > 0)
		sim_end_close(end, false);
	else
		call(end);
}

void sim_peer_reset(struct sim_peer *peer)
{
	struct sim_end *end = peer->end;

	if (!end)
		return;
	release(end);
	sim_end_close(end, true);
}

bool sim_peer_open(const struct sim_peer *peer)
{
	return peer->end && !peer->end->dead;
}

void sim_peer_pause(struct sim_peer *peer)
{
	if (peer->end)
		peer->end->paused = true;
}

void sim_peer_resume(struct sim_peer *peer)
{
	if (!peer->end)
		return;
	peer->end->paused = false;
	call(peer->end);
}

void sim_peer_stall(struct sim_peer *peer, uint64_t delay_ns)
{
	if (peer->end)
		sim_end_hold(peer->end, delay_ns);
}
