/*
 * The simulated world itself: one seed is one history; bytes arrive once and in order however they split; a process
 * that is killed closes as a kernel closes it; connections fail as they are told to.
 */
#include "core/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/shard.h"

#include <cmocka.h>

enum { PORT = 80, SEEDS = 60, SIZE = 200000, CHUNK = 7001 };

#define DEADLINE_NS (3600 * NS_PER_S)

static const struct sim_options rough = {
	.network = {.split = SIM_ALWAYS / 2, .stall = SIM_ALWAYS / 50, .reset_loses = SIM_ALWAYS / 2},
	.ring = {.shuffle = SIM_ALWAYS / 2,
		.accept_no_files = SIM_ALWAYS / 50,
		.accept_aborted = SIM_ALWAYS / 50,
		.receive_restart = SIM_ALWAYS / 8,
		.receive_short = SIM_ALWAYS / 8,
		.receive_starved = SIM_ALWAYS / 8,
		.send_short = SIM_ALWAYS / 8,
		.send_late = SIM_ALWAYS / 8,
		.cancel_late = SIM_ALWAYS / 2,
		.wake_spurious = SIM_ALWAYS / 8,
		.shard_late = SIM_ALWAYS / 50},
};

static char pattern(uint64_t position)
{
	return (char)(position * 31 + position / 251);
}

/* ---- An echo server on a shard: what it receives it sends back, a connection at a time ---- */

struct echo_connection {
	struct echo *echo;
	struct op receive, send;
	struct iovec iov;
	struct buffer *first, *last; /* received and not yet sent back; the first is being sent */
	int socket;
	bool ended;
};

struct echo {
	struct shard shard;
	struct accepting accepting;
	struct sim_process *process;
	struct echo_connection connection;
	struct letter close;
	int listener;
	unsigned accept_ends;
};

static void send_next(struct echo_connection *c)
{
	if (c->send.in_flight || !c->first)
		return;
	c->iov = (struct iovec){.iov_base = c->first->data, .iov_len = c->first->used_bytes};
	ring_send(c->echo->shard.ring, &c->send, c->socket, &c->iov, 1);
}

static void close_when_done(struct echo_connection *c)
{
	if (!c->ended || c->first || c->send.in_flight || c->receive.in_flight || c->socket < 0)
		return;
	ring_close_socket(c->echo->shard.ring, c->socket, false);
	c->socket = -1;
}

static void on_echo_sent(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct echo_connection *c = container_of(op, struct echo_connection, send);
	struct buffer *sent = c->first;

	(void)flags;
	(void)buffer;
	c->first = sent->next;
	if (!c->first)
		c->last = NULL;
	if (result != (int)sent->used_bytes) { /* over: nothing of the rest can go */
		for (struct buffer *next; c->first; c->first = next) {
			next = c->first->next;
			buffer_give(&c->first);
		}
		c->last = NULL;
	}
	buffer_give(&sent);
	send_next(c);
	close_when_done(c);
}

static void on_echo_received(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct echo_connection *c = container_of(op, struct echo_connection, receive);

	(void)result;
	if (buffer) {
		buffer->next = NULL;
		if (c->last)
			c->last->next = buffer;
		else
			c->first = buffer;
		c->last = buffer;
		send_next(c);
	}
	if (!(flags & OP_MORE))
		c->ended = true;
	close_when_done(c);
}

static void on_echo_accepted(struct op *op, int result, uint32_t flags, struct buffer *buffer)
{
	struct echo *e = container_of(op, struct echo, accepting.op);
	struct echo_connection *c = &e->connection;

	(void)buffer;
	if (!(flags & OP_MORE)) {
		e->accept_ends++;
		if (result != -ECANCELED)
			ring_accept(e->shard.ring, &e->accepting, e->listener);
		return;
	}
	if (c->socket >= 0) { /* one at a time */
		ring_close_socket(e->shard.ring, result, true);
		return;
	}
	*c = (struct echo_connection){.echo = e, .socket = result};
	c->receive.done = on_echo_received;
	c->send.done = on_echo_sent;
	ring_receive(e->shard.ring, &c->receive, result);
}

static void on_echo_start(struct shard *shard)
{
	struct echo *e = container_of(shard, struct echo, shard);
	struct sockaddr_storage address = {0};

	((struct sockaddr_in *)&address)->sin_family = AF_INET;
	((struct sockaddr_in *)&address)->sin_port = htons(PORT);
	e->listener = ring_listen(shard->ring, &address, 4, true);
	assert_true(e->listener >= 0);
	e->accepting.op.done = on_echo_accepted;
	ring_accept(shard->ring, &e->accepting, e->listener);
}

static void start_shard(struct shard *shard, void (*on_start)(struct shard *), unsigned index)
{
	const struct shard_options options = {.name = "shard",
		.index = index,
		.cpu = -1,
		.seed = index,
		.on_start = on_start,
		.ring = {.entry_count = 8, .buffer_count = 16, .buffer_bytes = 1024}};
	char why[256] = "";

	assert_int_equal(shard_open(shard, &options, why, sizeof(why)), 0);
	assert_int_equal(shard_start(shard), 0);
}

static struct echo *start_echo(struct sim *sim, struct sim_host *host)
{
	struct echo *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	assert_int_equal(sim_keep(sim, e, free), 0);
	e->connection.socket = -1;
	e->process = sim_process_start(host);
	sim_process_enter(e->process);
	start_shard(&e->shard, on_echo_start, 0);
	sim_process_leave();
	return e;
}

/* ---- A client: sends a pattern in chunks, and checks what comes back ---- */

struct client {
	struct sim *sim;
	struct sim_host *host;
	struct sim_peer peer;
	struct sim_event next;
	struct sockaddr_storage address;
	uint64_t sent, received;
	unsigned tries;
	int ended; /* 1: by the other side's end; -errno */
};

static void send_chunk(struct sim_event *event)
{
	struct client *c = container_of(event, struct client, next);
	char chunk[CHUNK];
	size_t size = c->sent + CHUNK > SIZE ? (size_t)(SIZE - c->sent) : CHUNK;

	if (!sim_peer_open(&c->peer))
		return;
	for (size_t i = 0; i < size; i++)
		chunk[i] = pattern(c->sent + i);
	sim_peer_send(&c->peer, chunk, size);
	c->sent += size;
	if (c->sent == SIZE)
		sim_peer_shutdown(&c->peer);
	else
		sim_after(c->sim, &c->next, sim_between(c->sim, 0, NS_PER_MS));
}

static void on_client_connected(struct sim_peer *peer, int result)
{
	struct client *c = peer->user;

	if (result < 0)
		c->ended = result;
	else
		sim_after(c->sim, &c->next, 0);
}

static void on_client_received(struct sim_peer *peer, const char *bytes, size_t size)
{
	struct client *c = peer->user;

	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], pattern(c->received + i));
	c->received += size;
	if (sim_chance(c->sim, SIM_ALWAYS / 8)) { /* a slow reader */
		sim_peer_pause(peer);
		sim_peer_resume(peer);
	}
}

static void on_client_closed(struct sim_peer *peer, int result)
{
	struct client *c = peer->user;

	c->ended = result < 0 ? result : 1;
	sim_peer_close(peer);
}

static void start_client(struct client *c, struct sim *sim, struct sim_host *from, struct sim_host *to)
{
	*c = (struct client){.sim = sim, .host = from};
	c->peer = (struct sim_peer){.connected = on_client_connected,
		.received = on_client_received,
		.closed = on_client_closed,
		.user = c};
	c->next.run = send_chunk;
	sim_host_address(to, PORT, &c->address);
	sim_peer_connect(&c->peer, from, &c->address);
}

static bool client_ended(void *user)
{
	return ((struct client *)user)->ended != 0;
}

/* ---- Tests ---- */

struct world {
	struct sim *sim;
	struct sim_host *node, *elsewhere;
	struct echo *echo;
	struct client client;
};

/* Steps until the shard has run on_start and so listens. */
static void open_world(struct world *w, uint64_t seed, const struct sim_options *options)
{
	w->sim = sim_open(seed, options);
	assert_non_null(w->sim);
	w->node = sim_host_add(w->sim, "node", "10.0.0.1");
	w->elsewhere = sim_host_add(w->sim, "client", "10.0.1.1");
	w->echo = start_echo(w->sim, w->node);
	sim_run_until(w->sim, sim_now_ns(w->sim) + NS_PER_S);
}

static void on_close_letter(struct letter *letter)
{
	struct echo *e = container_of(letter, struct echo, close);

	ring_cancel(e->shard.ring, &e->accepting.op);
}

static bool accept_ended(void *user)
{
	return !((struct echo *)user)->accepting.op.in_flight;
}

static void stop_echo(struct world *w)
{
	struct echo *e = w->echo;

	sim_calm(w->sim);
	e->close.open = on_close_letter;
	shard_post(&e->shard, &e->close, NULL);
	assert_true(sim_run(w->sim, sim_now_ns(w->sim) + NS_PER_S, accept_ended, e));
	assert_true(e->connection.socket < 0);
	sim_process_enter(e->process);
	ring_close_socket(e->shard.ring, e->listener, false);
	shard_stop(&e->shard);
	shard_join(&e->shard);
	assert_int_equal(ring_buffers_held(e->shard.ring), 0);
	shard_close(&e->shard);
	sim_process_leave();
	assert_int_equal(sim_process_sockets(e->process), 0);
	assert_int_equal(sim_process_rings(e->process), 0);
	assert_int_equal(sim_process_shards(e->process), 0);
}

static uint64_t history(uint64_t seed, uint64_t *received)
{
	struct world w;
	uint64_t hash;

	open_world(&w, seed, &rough);
	start_client(&w.client, w.sim, w.elsewhere, w.node);
	assert_true(sim_run(w.sim, sim_now_ns(w.sim) + DEADLINE_NS, client_ended, &w.client));
	assert_true(w.client.ended == 1 || w.client.ended == -ECONNRESET); /* an accept that is aborted resets */
	*received = w.client.received;
	if (w.client.ended == 1)
		assert_int_equal(w.client.received, SIZE);
	sim_run_until(w.sim, sim_now_ns(w.sim) + 60 * NS_PER_S);
	stop_echo(&w);
	hash = sim_trace_hash(w.sim);
	sim_close(w.sim);
	return hash;
}

static void bytes_come_back_once_and_in_order(void **state)
{
	uint64_t received, whole = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		history(seed, &received);
		whole += received == SIZE;
	}
	assert_true(whole > SEEDS / 2);
}

static void one_seed_is_one_history(void **state)
{
	uint64_t received[2], hash, other = 0;
	void *between;

	(void)state;
	for (uint64_t seed = 100; seed < 105; seed++) {
		hash = history(seed, &received[0]);
		between = malloc(seed * 1000); /* other addresses */
		assert_true(history(seed, &received[1]) == hash);
		free(between);
		assert_int_equal(received[0], received[1]);
		assert_true(hash != other);
		other = hash;
	}
}

/* However the connection breaks, and whoever still writes then: what arrives has no gap. */
static void broken_connections_bring_a_prefix(void **state)
{
	struct sim_options options = rough;
	unsigned broken = 0;

	(void)state;
	options.network.reset = SIM_ALWAYS / 40;
	for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
		struct world w;

		open_world(&w, seed, &options);
		start_client(&w.client, w.sim, w.elsewhere, w.node);
		assert_true(sim_run(w.sim, sim_now_ns(w.sim) + DEADLINE_NS, client_ended, &w.client));
		broken += w.client.ended < 0;
		sim_run_until(w.sim, sim_now_ns(w.sim) + 60 * NS_PER_S);
		sim_event_cancel(w.sim, &w.client.next);
		stop_echo(&w);
		sim_close(w.sim);
	}
	assert_true(broken > SEEDS / 2);
}

/* At any moment: the client gets a prefix of what the server had, and then hears of the end. */
static void killed_process_closes_its_sockets(void **state)
{
	unsigned cut_short = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct world w;

		open_world(&w, seed, &rough);
		start_client(&w.client, w.sim, w.elsewhere, w.node);
		for (uint64_t steps = sim_between(w.sim, 1, 1500); steps > 0 && !w.client.ended; steps--)
			assert_true(sim_step(w.sim));
		sim_process_kill(w.echo->process);
		assert_true(sim_process_killed(w.echo->process));
		assert_int_equal(sim_process_sockets(w.echo->process), 0);
		sim_run(w.sim, sim_now_ns(w.sim) + DEADLINE_NS, client_ended, &w.client);
		assert_true(w.client.ended == 1 || w.client.ended == -ECONNRESET || w.client.ended == -ECONNREFUSED ||
			    w.client.ended == -EPIPE);
		cut_short += w.client.received < SIZE;
		sim_event_cancel(w.sim, &w.client.next);
		start_client(&w.client, w.sim, w.elsewhere, w.node);
		assert_true(sim_run(w.sim, sim_now_ns(w.sim) + DEADLINE_NS, client_ended, &w.client));
		assert_int_equal(w.client.ended, -ECONNREFUSED);
		sim_close(w.sim);
	}
	assert_true(cut_short > SEEDS / 4);
}

static int connect_with(const struct sim_network_faults *faults, const char *address)
{
	struct world w;
	int ended;

	open_world(&w, 3, &(struct sim_options){.network = *faults});
	start_client(&w.client, w.sim, w.elsewhere, w.node);
	if (address) {
		struct sockaddr_in to = {
			.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = inet_addr(address)};

		sim_peer_reset(&w.client.peer); /* before it has connected */
		memcpy(&w.client.address, &to, sizeof(to));
		sim_peer_connect(&w.client.peer, w.elsewhere, &w.client.address);
	}
	assert_true(sim_run(w.sim, sim_now_ns(w.sim) + DEADLINE_NS, client_ended, &w.client));
	ended = w.client.ended;
	stop_echo(&w);
	sim_close(w.sim);
	return ended;
}

static void connections_fail_as_told(void **state)
{
	(void)state;
	assert_int_equal(connect_with(&(struct sim_network_faults){0}, NULL), 1);
	assert_int_equal(
		connect_with(&(struct sim_network_faults){.connect_refused = SIM_ALWAYS}, NULL), -ECONNREFUSED);
	assert_int_equal(connect_with(&(struct sim_network_faults){.connect_timed_out = SIM_ALWAYS}, NULL), -ETIMEDOUT);
	assert_int_equal(connect_with(&(struct sim_network_faults){.connect_reset = SIM_ALWAYS}, NULL), -ECONNRESET);
	assert_int_equal(connect_with(&(struct sim_network_faults){.reset = SIM_ALWAYS}, NULL), -ECONNRESET);
	assert_int_equal(connect_with(&(struct sim_network_faults){0}, "10.9.9.9"), -EHOSTUNREACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_back_once_and_in_order),
		cmocka_unit_test(one_seed_is_one_history),
		cmocka_unit_test(broken_connections_bring_a_prefix),
		cmocka_unit_test(killed_process_closes_its_sockets),
		cmocka_unit_test(connections_fail_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
