/*
 * The two directions of a connection: bytes under way, arrived, read; their end; and the reset that takes them away.
 *
 * A flow has at most one arrival waiting. When it happens, all that was written by then comes at once, or, by the seed,
 * a part of it: so segments split and coalesce at any byte.
 */
#include "core/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { CAPACITY_LEAST = 1 << 12 };

static struct sim_end *reader(struct sim_flow *flow)
{
	struct sim_end *ends = flow->connection->ends;

	return &ends[flow == &flow->connection->flows[0] ? 1 : 0];
}

static struct sim_end *other(struct sim_end *end)
{
	return &end->connection->ends[!end->side];
}

static void tell(struct sim_end *end)
{
	if (!end->closed && end->notify)
		end->notify(end);
}

/* ---- The ring of bytes ---- */

static size_t piece_at(const struct sim_flow *flow, uint64_t position, size_t size)
{
	size_t until_wrap = flow->capacity - (size_t)(position & (flow->capacity - 1));

	return size < until_wrap ? size : until_wrap;
}

static char *byte_at(struct sim_flow *flow, uint64_t position)
{
	return flow->bytes + (position & (flow->capacity - 1));
}

static void grow(struct sim_flow *flow, size_t needed)
{
	struct sim_flow old = *flow;

	if (needed <= flow->capacity)
		return;
	if (!flow->capacity)
		flow->capacity = CAPACITY_LEAST;
	while (flow->capacity < needed)
		flow->capacity *= 2;
	flow->bytes = sim_allocate(flow->capacity);
	for (uint64_t at = old.read; at < old.written;) {
		size_t size = piece_at(&old, at, piece_at(flow, at, (size_t)(old.written - at)));

		memcpy(byte_at(flow, at), byte_at(&old, at), size);
		at += size;
	}
	free(old.bytes);
}

/* ---- Arrival ---- */

/* For the path from one end to the other. */
static uint64_t wait_ns(const struct sim_end *from, const struct sim_end *to)
{
	const struct sim_connection *c = to->connection;

	return sim_path_wait_ns(c->sim, c->hosts[from->side], c->hosts[to->side]);
}

static void plan(struct sim_flow *flow)
{
	struct sim_connection *c = flow->connection;
	struct sim *sim = c->sim;
	const struct sim_options *o = &sim->options;
	struct sim_end *to = reader(flow);
	uint64_t delay_ns;

	if (sim_event_waits(&flow->event) || !to->established || to->dead || c->held_until_ns == UINT64_MAX)
		return;
	if (flow->arrived == flow->written && (!flow->fin_sent || flow->fin_arrived))
		return;
	delay_ns = sim_draw_between(sim, o->delay_min_ns, o->delay_max_ns);
	if (sim_draw(sim, o->network.stall))
		delay_ns += sim_draw_between(sim, o->network.stall_min_ns, o->network.stall_max_ns);
	if (c->held_until_ns > sim->now_ns)
		delay_ns += c->held_until_ns - sim->now_ns;
	sim_after(sim, &flow->event, delay_ns + wait_ns(other(to), to));
}

void sim_flows_plan_again(struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
	for (struct list *link = sim->connections.next; link != &sim->connections; link = link->next) {
		struct sim_connection *c = container_of(link, struct sim_connection, link);

		for (unsigned i = 0; i < 2; i++) {
			if (c->hosts[i] != from || c->hosts[!i] != to || !sim_event_waits(&c->flows[i].event))
				continue;
			sim_event_cancel(sim, &c->flows[i].event);
			plan(&c->flows[i]);
		}
	}
}

static uint64_t hash_arrived(struct sim_flow *flow, uint64_t from)
{
	uint64_t hash = 0;

	for (uint64_t at = from; at < flow->arrived;) {
		size_t size = piece_at(flow, at, (size_t)(flow->arrived - at));

		hash = sim_hash(hash, byte_at(flow, at), size);
		at += size;
	}
	return hash;
}

static void send_reset(struct sim_end *to);

/* Bytes for a socket that was closed: the kernel answers with a reset. */
static void arrive_at_closed(struct sim_flow *flow)
{
	if (flow->arrived < flow->written)
		send_reset(&flow->connection->ends[flow == &flow->connection->flows[1]]);
	flow->read = flow->arrived = flow->written;
	flow->fin_arrived = flow->fin_sent;
}

static void arrive(struct sim_event *event)
{
	struct sim_flow *flow = container_of(event, struct sim_flow, event);
	struct sim_end *to = reader(flow);
	struct sim *sim = flow->connection->sim;
	uint64_t from = flow->arrived, size = flow->written - from;

	if (to->closed) {
		arrive_at_closed(flow);
		return;
	}
	if (sim_draw(sim, sim->options.network.reset)) {
		sim_note(sim, flow->connection->hosts[to->side], "broken", flow->connection->index, to->side);
		send_reset(to);
		send_reset(other(to));
		return;
	}
	if (size > 1 && sim_draw(sim, sim->options.network.split))
		size = sim_draw_between(sim, 1, size - 1);
	flow->arrived += size;
	if (flow->fin_sent && flow->arrived == flow->written && (size == 0 || sim_draw(sim, SIM_ALWAYS / 2)))
		flow->fin_arrived = true;
	sim_note(sim, flow->connection->hosts[to->side], flow->fin_arrived ? "arrived, end" : "arrived",
		(uint64_t)flow->connection->index << 32 | size, hash_arrived(flow, from));
	plan(flow);
	tell(to);
}

void sim_flow_init(struct sim_flow *flow, struct sim_connection *connection)
{
	const struct sim_options *o = &connection->sim->options;
	uint32_t most = o->window_max_bytes;

	/* Small windows and large ones alike: each halving is as likely. */
	while (most / 2 >= o->window_min_bytes && most > 1 && rand_u64(&connection->sim->rand) >> 63)
		most /= 2;
	flow->connection = connection;
	flow->window = (uint32_t)sim_draw_between(connection->sim, o->window_min_bytes, most);
	flow->event.run = arrive;
}

/* ---- Reset ---- */

/* What is under way from a reset end: any prefix of it still arrives. */
static void cut(struct sim *sim, struct sim_flow *flow)
{
	if (flow->lost)
		return;
	flow->written = flow->arrived + sim_draw_between(sim, 0, flow->written - flow->arrived);
	flow->fin_sent = flow->fin_arrived;
	flow->lost = true;
	sim_event_cancel(sim, &flow->event);
}

static void send_reset(struct sim_end *to)
{
	struct sim_connection *c = to->connection;
	const struct sim_options *o = &c->sim->options;
	uint64_t delay_ns = sim_draw_between(c->sim, o->delay_min_ns, o->delay_max_ns);

	cut(c->sim, sim_end_in(to));
	if (to->dead || sim_event_waits(&to->reset) || c->held_until_ns == UINT64_MAX)
		return;
	if (c->held_until_ns > c->sim->now_ns)
		delay_ns += c->held_until_ns - c->sim->now_ns;
	sim_after(c->sim, &to->reset, delay_ns + wait_ns(other(to), to));
}

static void on_reset(struct sim_event *event)
{
	struct sim_end *end = container_of(event, struct sim_end, reset);
	struct sim_flow *in = sim_end_in(end), *out = sim_end_out(end);
	struct sim *sim = end->connection->sim;

	if (end->closed)
		return;
	sim_note(sim, end->connection->hosts[end->side], "reset", end->connection->index, end->side);
	end->dead = true;
	/* Linux: in CLOSE_WAIT a reset reads as a broken pipe (tcp_reset()). */
	end->error = in->fin_arrived ? -EPIPE : -ECONNRESET;
	in->arrived = in->written;
	if (sim_draw(sim, sim->options.network.reset_loses))
		in->read = in->arrived;
	cut(sim, out);
	if (end->side == 1 && !end->established)
		sim_connection_abandon(end->connection);
	tell(end);
}

void sim_end_init(struct sim_end *end, struct sim_connection *connection, unsigned side)
{
	end->connection = connection;
	end->side = side;
	end->reset.run = on_reset;
	list_init(&end->queue_link);
}

/* ---- What an owner does ---- */

void sim_end_establish(struct sim_end *end)
{
	end->established = true;
	plan(sim_end_in(end));
	plan(sim_end_out(end));
}

static int take_error(struct sim_end *end)
{
	int error = end->error;

	end->error = 0;
	return error;
}

int sim_end_status(struct sim_end *end)
{
	if (end->error)
		return take_error(end);
	return end->dead || end->shut_read || sim_end_in(end)->fin_arrived;
}

size_t sim_end_read(struct sim_end *end, size_t size, const char **bytes)
{
	struct sim_flow *flow = sim_end_in(end);
	size_t readable = sim_end_readable(end), piece = piece_at(flow, flow->read, size < readable ? size : readable);
	bool was_full = flow->written - flow->read >= flow->window;

	*bytes = byte_at(flow, flow->read);
	flow->read += piece;
	if (was_full)
		tell(other(end));
	return piece;
}

size_t sim_end_room(struct sim_end *end)
{
	struct sim_flow *flow = sim_end_out(end);
	uint64_t used = flow->written - flow->read;

	return used < flow->window ? flow->window - (size_t)used : 0;
}

int sim_end_write_status(struct sim_end *end)
{
	if (end->error)
		return take_error(end);
	return end->dead || sim_end_out(end)->fin_sent ? -EPIPE : 0;
}

void sim_end_write(struct sim_end *end, const char *bytes, size_t size)
{
	struct sim_flow *flow = sim_end_out(end);

	assert(size <= sim_end_room(end));
	assert(!flow->fin_sent);
	if (flow->lost)
		return; /* its end has not heard of the reset yet */
	grow(flow, (size_t)(flow->written - flow->read) + size);
	while (size > 0) {
		size_t piece = piece_at(flow, flow->written, size);

		memcpy(byte_at(flow, flow->written), bytes, piece);
		flow->written += piece;
		bytes += piece;
		size -= piece;
	}
	plan(flow);
}

void sim_end_shut_write(struct sim_end *end)
{
	struct sim_flow *flow = sim_end_out(end);

	if (flow->fin_sent || flow->lost || end->dead)
		return;
	flow->fin_sent = true;
	plan(flow);
}

void sim_end_close(struct sim_end *end, bool reset)
{
	struct sim_connection *c = end->connection;

	assert(!end->closed);
	reset = reset || sim_end_readable(end) > 0;
	sim_note(c->sim, c->hosts[end->side], reset ? "closed, reset" : "closed", c->index, end->side);
	end->closed = true;
	end->notify = NULL;
	sim_event_cancel(c->sim, &end->attention);
	if (!end->established) {
		sim_connection_abandon(c);
		return;
	}
	if (other(end)->closed) {
		sim_connection_end(c);
		return;
	}
	if (reset && !end->dead)
		send_reset(other(end));
	else
		sim_end_shut_write(end);
	sim_event_cancel(c->sim, &end->reset);
}

void sim_end_hold(struct sim_end *end, uint64_t delay_ns)
{
	struct sim_connection *c = end->connection;

	c->held_until_ns = delay_ns > UINT64_MAX - c->sim->now_ns ? UINT64_MAX : c->sim->now_ns + delay_ns;
	for (unsigned i = 0; i < 2; i++) {
		sim_event_cancel(c->sim, &c->flows[i].event);
		plan(&c->flows[i]);
	}
}
