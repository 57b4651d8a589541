/*
 * Connections: from the SYN until nobody owns an end, and the listeners that they come to.
 *
 * The handshake has three legs, each with its delay. The connecting end is established after the second, the accepting
 * one after the third: only then does anything arrive there.
 */
#include "core/sim/sim_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum { PORT_FIRST = 32768, PORT_COUNT = 28232, SYN_TRIES = 6 };

#define SYN_RETRY_NS NS_PER_S         /* doubles with each try */
#define UNREACHABLE_NS (3 * NS_PER_S) /* Linux: until nobody has answered ARP */

/* ---- Who listens ---- */

static struct sim_listener *find_listener(const struct sim_host *host, uint16_t port)
{
	for (struct list *link = host->listeners.next; link != &host->listeners; link = link->next) {
		struct sim_listener *listener = container_of(link, struct sim_listener, link);

		if (listener->port == port)
			return listener;
	}
	return NULL;
}

/* One of those that share the port; the kernel chooses by a hash of the connection. */
static struct sim_listening *find_listening(const struct sim_host *host, uint16_t port)
{
	struct sim_listening *chosen = NULL;
	unsigned count = 0;

	for (struct list *link = host->listening.next; link != &host->listening; link = link->next) {
		struct sim_listening *listening = container_of(link, struct sim_listening, link);

		if (listening->port == port && rand_below(&host->sim->rand, ++count) == 0)
			chosen = listening;
	}
	return chosen;
}

bool sim_port_taken(const struct sim_host *host, uint16_t port, bool reuse_port)
{
	if (find_listener(host, port))
		return true;
	for (struct list *link = host->listening.next; link != &host->listening; link = link->next) {
		const struct sim_listening *listening = container_of(link, struct sim_listening, link);

		if (listening->port == port && !(reuse_port && listening->reuse_port))
			return true;
	}
	return false;
}

int sim_listen(struct sim_listener *listener, struct sim_host *host, uint16_t port)
{
	assert(listener->accept);
	if (sim_port_taken(host, port, false))
		return -EADDRINUSE;
	listener->host = host;
	listener->port = port;
	list_append(&host->listeners, &listener->link);
	return 0;
}

void sim_listener_close(struct sim_listener *listener)
{
	list_remove(&listener->link);
	listener->host = NULL;
}

struct sim_end *sim_listening_take(struct sim_listening *listening)
{
	struct list *link = list_take_first(&listening->queue);

	if (!link)
		return NULL;
	listening->count--;
	return container_of(link, struct sim_end, queue_link);
}

void sim_listening_close(struct sim_listening *listening)
{
	list_remove(&listening->link);
	for (struct sim_end *end; (end = sim_listening_take(listening));)
		sim_end_close(end, true);
}

/* ---- The end of it ---- */

void sim_connection_end(struct sim_connection *c)
{
	assert(!c->ended);
	c->ended = true;
	for (unsigned i = 0; i < 2; i++) {
		sim_event_cancel(c->sim, &c->flows[i].event);
		sim_event_cancel(c->sim, &c->ends[i].reset);
		sim_event_cancel(c->sim, &c->ends[i].attention);
	}
	sim_event_cancel(c->sim, &c->step);
	list_remove(&c->link);
	list_append(&c->sim->ended, &c->link);
}

void sim_connection_abandon(struct sim_connection *c)
{
	if (!c->ended)
		sim_connection_end(c);
}

void sim_connection_free(struct sim_connection *c)
{
	list_remove(&c->link);
	for (unsigned i = 0; i < 2; i++) {
		free(c->flows[i].bytes);
		free(c->ends[i].out);
	}
	free(c);
}

/* Callbacks above may still look at an end that they closed; after the step nobody does. */
void sim_free_ended(struct sim *sim)
{
	while (!list_empty(&sim->ended))
		sim_connection_free(container_of(sim->ended.next, struct sim_connection, link));
}

/* ---- The handshake ---- */

static void fail_after(struct sim_connection *c, int failure, uint64_t delay_ns)
{
	c->handshake = SIM_FAILED;
	c->failure = failure;
	sim_after(c->sim, &c->step, delay_ns);
}

static void next_leg(struct sim_connection *c, enum sim_handshake leg)
{
	unsigned from = leg == SIM_SYN_ACK;
	const struct sim_options *o = &c->sim->options;
	uint64_t delay_ns = sim_draw_between(c->sim, o->delay_min_ns, o->delay_max_ns), wait_ns;

	if (sim_draw(c->sim, o->network.stall))
		delay_ns += sim_draw_between(c->sim, o->network.stall_min_ns, o->network.stall_max_ns);
	wait_ns = sim_path_wait_ns(c->sim, c->hosts[from], c->hosts[!from]);
	if (wait_ns > o->network.connect_timeout_ns && leg != SIM_ACK) {
		fail_after(c, -ETIMEDOUT, o->network.connect_timeout_ns);
		return;
	}
	c->handshake = leg;
	sim_after(c->sim, &c->step, delay_ns + wait_ns);
}

static void on_syn(struct sim_connection *c)
{
	uint16_t port = ntohs(c->addresses[1].sin_port);
	const struct sim_options *o = &c->sim->options;
	struct sim_listening *listening = find_listening(c->hosts[1], port);

	if (!listening && !find_listener(c->hosts[1], port)) {
		fail_after(c, -ECONNREFUSED, sim_draw_between(c->sim, o->delay_min_ns, o->delay_max_ns));
	} else if (!listening || listening->count < listening->backlog) {
		next_leg(c, SIM_SYN_ACK);
	} else if (c->tries < SYN_TRIES) {
		sim_note(c->sim, c->hosts[1], "SYN dropped", c->index, port);
		sim_after(c->sim, &c->step, SYN_RETRY_NS << c->tries++);
	} else {
		fail_after(c, -ETIMEDOUT, SYN_RETRY_NS << SYN_TRIES);
	}
}

static void send_reset_back(struct sim_connection *c)
{
	struct sim_end *end = &c->ends[1];

	end->established = true;
	if (!end->closed)
		sim_end_close(end, true);
}

static void on_syn_ack(struct sim_connection *c)
{
	struct sim_end *end = &c->ends[0];

	next_leg(c, SIM_ACK);
	sim_note(c->sim, c->hosts[0], "connected", c->index, 0);
	sim_end_establish(end);
	if (end->connected)
		end->connected(end, 0);
}

static void on_ack(struct sim_connection *c)
{
	uint16_t port = ntohs(c->addresses[1].sin_port);
	struct sim_listener *listener = find_listener(c->hosts[1], port);
	struct sim_listening *listening = find_listening(c->hosts[1], port);
	struct sim_peer *peer = NULL;
	struct sim_end *end = &c->ends[1];

	c->handshake = SIM_ESTABLISHED;
	sim_note(c->sim, c->hosts[1], "connection", c->index, port);
	if (sim_draw(c->sim, c->sim->options.network.connect_reset) || (!listener && !listening)) {
		send_reset_back(c);
		return;
	}
	if (listening) {
		sim_end_establish(end);
		list_append(&listening->queue, &end->queue_link);
		listening->count++;
		listening->arrived(listening);
		return;
	}
	peer = listener->accept(listener, (const struct sockaddr_storage *)&c->addresses[0]);
	if (!peer) {
		send_reset_back(c);
		return;
	}
	sim_peer_adopt(peer, end);
	sim_end_establish(end);
}

static void on_failed(struct sim_connection *c)
{
	struct sim_end *end = &c->ends[0];

	sim_note(c->sim, c->hosts[0], "not connected", c->index, (uint64_t)-c->failure);
	end->closed = true;
	sim_connection_end(c);
	if (end->connected)
		end->connected(end, c->failure);
}

static void on_step(struct sim_event *event)
{
	struct sim_connection *c = container_of(event, struct sim_connection, step);

	switch (c->handshake) {
	case SIM_SYN:
		on_syn(c);
		break;
	case SIM_SYN_ACK:
		on_syn_ack(c);
		break;
	case SIM_ACK:
		on_ack(c);
		break;
	case SIM_FAILED:
		on_failed(c);
		break;
	case SIM_ESTABLISHED:
		break;
	}
}

static struct sim_host *find_host(struct sim_host *from, struct in_addr address)
{
	if (ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET)
		return from;
	for (struct list *link = from->sim->hosts.next; link != &from->sim->hosts; link = link->next) {
		struct sim_host *host = container_of(link, struct sim_host, link);

		if (host->address.s_addr == address.s_addr)
			return host;
	}
	return NULL;
}

static uint16_t take_port(struct sim_host *host)
{
	host->last_port = (uint16_t)(PORT_FIRST + (host->last_port - PORT_FIRST + 1) % PORT_COUNT);
	return host->last_port;
}

static void set_out(struct sim_connection *c)
{
	const struct sim_options *o = &c->sim->options;
	uint64_t round_ns = 2 * sim_draw_between(c->sim, o->delay_min_ns, o->delay_max_ns);

	if (c->addresses[1].sin_family != AF_INET)
		fail_after(c, -ENETUNREACH, 0);
	else if (!c->hosts[1])
		fail_after(c, -EHOSTUNREACH, UNREACHABLE_NS);
	else if (sim_draw(c->sim, o->network.connect_refused))
		fail_after(c, -ECONNREFUSED, round_ns);
	else if (sim_draw(c->sim, o->network.connect_timed_out))
		fail_after(c, -ETIMEDOUT, o->network.connect_timeout_ns);
	else
		next_leg(c, SIM_SYN);
}

struct sim_end *sim_connection_start(struct sim_host *host, const struct sockaddr *address)
{
	struct sim *sim = host->sim;
	struct sim_connection *c = sim_allocate(sizeof(*c));

	c->sim = sim;
	c->index = sim->connection_count++;
	c->hosts[0] = host;
	c->step.run = on_step;
	if (address->sa_family == AF_INET) {
		memcpy(&c->addresses[1], address, sizeof(c->addresses[1]));
		c->hosts[1] = find_host(host, c->addresses[1].sin_addr);
	}
	c->addresses[0] = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr = c->hosts[1] == host ? c->addresses[1].sin_addr : host->address,
		.sin_port = htons(take_port(host))};
	for (unsigned i = 0; i < 2; i++) {
		sim_end_init(&c->ends[i], c, i);
		sim_flow_init(&c->flows[i], c);
	}
	list_append(&sim->connections, &c->link);
	sim_note(sim, host, "connecting", c->index, ntohs(c->addresses[1].sin_port));
	set_out(c);
	return &c->ends[0];
}
