/* See line.h. */
#include "fuzz/sim/line.h"

#include <errno.h>

#include "core/kconfig.h"
#include "fuzz/sim/seal.h"

static bool is_sealed(const struct line *line)
{
	return CONFIG(TLS) && line->seal;
}

/* The memory is the actor's again: who is about to look at it has to know. */
static void let_go(struct line *line)
{
	if (is_sealed(line))
		seal_free(line->seal);
	line->seal = NULL;
	line->open = line->ended = false;
	if (line->gone)
		*line->gone = true;
	line->gone = NULL;
}

static void send_all(struct line *line, struct bytes *out)
{
	if (out->size)
		sim_peer_send(&line->peer, out->data, out->size);
	bytes_free(out);
}

/* It is over, by what came or did not. */
static void fail(struct line *line)
{
	bool told = line->open || !line->connected;

	sim_peer_close(&line->peer);
	let_go(line);
	if (told)
		line->closed(line, -ECONNRESET);
	else
		line->connected(line, -EPROTO);
}

static void tell(struct line *line, enum seal_state state, const struct bytes *plain)
{
	bool gone = false;

	line->gone = &gone;
	if (state != SEAL_SHAKING && state != SEAL_FAILED && !line->open) {
		line->open = true;
		sim_note(line->sim, line->host, seal_is_resumed(line->seal) ? "resumed" : "sealed", 0, 0);
		if (line->connected)
			line->connected(line, 0);
	}
	if (!gone && plain->size)
		line->received(line, plain->data, plain->size);
	if (!gone && state == SEAL_ENDED) {
		line->ended = true;
		line->closed(line, 0);
	}
	if (!gone && state == SEAL_FAILED)
		fail(line);
	if (!gone)
		line->gone = NULL;
}

static void feed(struct line *line, struct slice sealed)
{
	struct bytes plain = {0}, out = {0};
	enum seal_state state;

	if (!CONFIG(TLS))
		return; /* nothing is sealed */
	state = seal_feed(line->seal, sealed, &plain, &out);
	send_all(line, &out);
	tell(line, state, &plain);
	bytes_free(&plain);
}

static void on_connected(struct sim_peer *peer, int result)
{
	struct line *line = peer->user;

	if (result == 0 && is_sealed(line)) {
		feed(line, slice_of(NULL, 0));
		return;
	}
	if (result < 0)
		let_go(line);
	line->connected(line, result);
}

static void on_received(struct sim_peer *peer, const char *bytes, size_t size)
{
	struct line *line = peer->user;

	if (!is_sealed(line))
		line->received(line, bytes, size);
	else if (!line->ended)
		feed(line, slice_of(bytes, size));
}

static void on_closed(struct sim_peer *peer, int result)
{
	struct line *line = peer->user;

	if (result == 0 && line->ended)
		return;
	if (result == 0 && is_sealed(line)) {
		fail(line);
		return;
	}
	if (result < 0) {
		bool told = !is_sealed(line) || line->open || !line->connected;

		let_go(line);
		if (!told) {
			line->connected(line, result);
			return;
		}
	}
	line->closed(line, result);
}

static void set_up(struct line *line, struct sim *sim, struct sim_host *host)
{
	line->sim = sim;
	line->host = host;
	line->open = line->ended = false;
	line->gone = NULL;
	line->peer = (struct sim_peer){
		.connected = on_connected, .received = on_received, .closed = on_closed, .user = line};
}

void line_connect(struct line *line, struct sim *sim, struct sim_host *host, const struct sockaddr_storage *address)
{
	set_up(line, sim, host);
	sim_peer_connect(&line->peer, host, address);
}

struct sim_peer *line_accept(struct line *line, struct sim *sim, struct sim_host *host)
{
	set_up(line, sim, host);
	return &line->peer;
}

int line_send(struct line *line, const void *bytes, size_t size)
{
	struct bytes out = {0};

	if (!is_sealed(line) || !line_is_there(line))
		return sim_peer_send(&line->peer, bytes, size);
	seal_write(line->seal, slice_of(bytes, size), &out);
	send_all(line, &out);
	return 0;
}

void line_close(struct line *line)
{
	struct bytes out = {0};

	if (is_sealed(line) && line_is_there(line)) {
		seal_end(line->seal, &out);
		send_all(line, &out);
	}
	line_cut(line);
}

void line_reset(struct line *line)
{
	sim_peer_reset(&line->peer);
	let_go(line);
}

void line_cut(struct line *line)
{
	sim_peer_close(&line->peer);
	let_go(line);
}
