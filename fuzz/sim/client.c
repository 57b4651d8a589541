/* See client.h. */
#include "fuzz/sim/client.h"

#include <assert.h>
#include <stdlib.h>

#include "core/kconfig.h"
#include "fuzz/sim/answer.h"
#include "fuzz/sim/gate.h"
#include "fuzz/sim/invariants.h"
#include "fuzz/sim/line.h"
#include "fuzz/sim/race.h"
#include "fuzz/sim/request.h"
#include "fuzz/sim/seal.h"

enum { PIPELINE_MAX = 4, REFUSALS_MAX = 200, CONNECTED_MAX = 40 };

/* What a client does wrong with what it asked last. */
enum misdeed {
	MISDEED_NONE,
	MISDEED_LEAVE_LATER,    /* after a time */
	MISDEED_LEAVE_AT_BYTES, /* in the middle of the answer */
	MISDEED_REST_LATER,     /* sends a part, and the rest after a time */
	MISDEED_REST_NEVER,
	MISDEED_READ_SLOWLY,
	MISDEEDS
};

struct client {
	struct scenario *scenario;
	unsigned index;
	struct sim_host *host;
	struct line line;
	struct tls_target *targets[GATES_MAX];
	struct sim_event next;    /* to connect or to ask */
	struct sim_event conduct; /* of the misdeed */
	bool connected, closing;  /* closing: no more requests on this connection */
	unsigned gate, life, on_connection;
	unsigned left, refusals;
	struct wire wire;
	struct answer answer;
	uint32_t queue[PIPELINE_MAX];
	unsigned queued;
	enum misdeed misdeed;
	uint64_t leave_at_bytes;
	struct bytes rest;
	uint32_t last;  /* in a race: its last call, and one; 0: none */
	uint32_t found; /* a call whose receipt has to be found; 0: none yet, so call 0 is never asked about */
};

static void on_next(struct sim_event *event);
static void on_conduct(struct sim_event *event);
static void on_connected(struct line *line, int result);
static void on_received(struct line *line, const char *bytes, size_t size);
static void on_closed(struct line *line, int result);

struct client *client_open(struct scenario *s, unsigned index)
{
	struct client *client = sim_grown(NULL, sizeof(*client));
	char name[16], address[16];

	*client = (struct client){.scenario = s, .index = index, .left = s->terms.requests_each};
	snprintf(name, sizeof(name), "client%u", index);
	snprintf(address, sizeof(address), "10.0.0.%u", index + 1);
	client->host = sim_host_add(s->sim, name, address);
	client->line =
		(struct line){.connected = on_connected, .received = on_received, .closed = on_closed, .user = client};
	client->next.run = on_next;
	client->conduct.run = on_conduct;
	return client;
}

void client_free(struct client *client)
{
	sim_event_cancel(client->scenario->sim, &client->next);
	sim_event_cancel(client->scenario->sim, &client->conduct);
	if (line_is_there(&client->line))
		line_reset(&client->line);
	for (unsigned i = 0; CONFIG(TLS) && i < GATES_MAX; i++)
		trust_target_close(client->targets[i]);
	wire_free(&client->wire);
	answer_free(&client->answer);
	bytes_free(&client->rest);
	free(client);
}

static struct call *call_at(const struct client *client, unsigned place)
{
	return &client->scenario->book.calls[client->queue[place]];
}

bool client_is_done(const struct client *client)
{
	return client->left == 0 && client->queued == 0;
}

struct sim_host *client_host(const struct client *client)
{
	return client->host;
}

const struct call *client_waiting(const struct client *client)
{
	return client->queued ? call_at(client, 0) : NULL;
}

static struct call *last_of(const struct client *client)
{
	return client->last ? book_call(&client->scenario->book, client->last - 1) : NULL;
}

/* In a race: after this call. */
static void race_on(struct client *client, struct call *last)
{
	uint64_t pause_ns;

	if (sim_event_waits(&client->next))
		return; /* its connection ended while it waited */
	pause_ns = race_pause_ns(client->scenario, last);
	if (pause_ns == UINT64_MAX)
		client->left = 0;
	sim_after(client->scenario->sim, &client->next, pause_ns == UINT64_MAX ? 0 : pause_ns);
}

static void think(struct client *client)
{
	struct scenario *s = client->scenario;
	uint64_t most_ns = 20 * NS_PER_MS;

	if (is_race(s)) {
		race_on(client, last_of(client));
		return;
	}
	if (chance(s, 6000))
		most_ns = chance(s, 32768) ? 2 * NS_PER_S : s->terms.keepalive_ms * NS_PER_MS * 2;
	sim_after(s->sim, &client->next, pick(s, 0, most_ns));
}

void client_start(struct client *client)
{
	think(client);
}

/* ---- The connection's end, as the calls on it see it ---- */

static void forget_connection(struct client *client)
{
	client->connected = client->closing = false;
	client->queued = 0;
	client->misdeed = MISDEED_NONE;
	sim_event_cancel(client->scenario->sim, &client->conduct);
	wire_free(&client->wire);
	client->wire = (struct wire){.requests = false};
	answer_free(&client->answer);
	client->rest.size = 0;
}

static void end_calls(struct client *client, enum call_outcome outcome)
{
	for (unsigned i = 0; i < client->queued; i++) {
		struct call *call = call_at(client, i);

		call->outcome = outcome;
		call->ended_ns = sim_now_ns(client->scenario->sim);
		sim_note(client->scenario->sim, client->host, outcome == OUTCOME_LEFT ? "leaves" : "broken", call->id,
			call->answer_bytes);
		if (outcome == OUTCOME_LEFT)
			invariants_call_left(client->scenario, call);
		else
			invariants_call_broken(client->scenario, call);
	}
	forget_connection(client);
	think(client);
}

static void leave(struct client *client)
{
	struct scenario *s = client->scenario;

	if (chance(s, 32768))
		line_reset(&client->line);
	else if (s->terms.client_tls && chance(s, 32768))
		line_cut(&client->line);
	else
		line_close(&client->line);
	end_calls(client, OUTCOME_LEFT);
}

static void on_closed(struct line *line, int result)
{
	struct client *client = line->user;

	if (result == 0)
		line_close(line);
	end_calls(client, OUTCOME_BROKEN);
}

/* ---- Asking ---- */

static void on_connected(struct line *line, int result)
{
	struct client *client = line->user;

	if (result < 0) {
		if (++client->refusals >= REFUSALS_MAX)
			client->left = 0;
		sim_after(client->scenario->sim, &client->next, pick(client->scenario, 0, NS_PER_S));
		return;
	}
	client->refusals = 0;
	client->connected = true;
	client->on_connection = 0;
	client->life = client->scenario->gates[client->gate]->life_count;
	sim_after(client->scenario->sim, &client->next, 0);
}

static struct tls_target *target_of(struct client *client)
{
	struct tls_target **target = &client->targets[client->gate];

	if (!*target)
		*target = trust_target_open(client->scenario->trust);
	return *target;
}

static void connect_to_gate(struct client *client)
{
	struct scenario *s = client->scenario;
	struct sockaddr_storage address;

	client->gate = (unsigned)pick(s, 0, s->terms.gate_count - 1);
	sim_host_address(s->gates[client->gate]->host, GATE_PORT, &address);
	if (CONFIG(TLS) && s->terms.client_tls)
		client->line.seal = seal_connect(s->trust, target_of(client));
	line_connect(&client->line, s->sim, client->host, &address);
}

static enum misdeed draw_misdeed(struct client *client, const struct call *call, unsigned count)
{
	struct scenario *s = client->scenario;
	enum misdeed misdeed;

	if (call_is_stream(call) && s->terms.flood && chance(s, 32768))
		return MISDEED_READ_SLOWLY;
	if (!chance(s, s->terms.mischief))
		return MISDEED_NONE;
	misdeed = (enum misdeed)pick(s, MISDEED_NONE + 1, MISDEEDS - 1);
	if (count > 1 && (misdeed == MISDEED_REST_LATER || misdeed == MISDEED_REST_NEVER))
		return MISDEED_NONE;
	return misdeed;
}

static void begin_misdeed(struct client *client, struct call *call, struct bytes *bytes)
{
	struct scenario *s = client->scenario;

	switch (client->misdeed) {
	case MISDEED_LEAVE_LATER:
		sim_after(s->sim, &client->conduct, pick(s, 0, chance(s, 10000) ? NS_PER_S : 20 * NS_PER_MS));
		break;
	case MISDEED_LEAVE_AT_BYTES:
		client->leave_at_bytes = pick(s, 1, 4000);
		break;
	case MISDEED_REST_LATER:
	case MISDEED_REST_NEVER: {
		size_t first = pick(s, 0, bytes->size - 1);

		call->spoilt = true;
		call->sent_whole = false;
		client->closing = true;
		bytes_add(&client->rest, slice_after(bytes_slice(bytes), first));
		bytes->size = first;
		sim_after(s->sim, &client->conduct, pick(s, 0, 2 * s->terms.client_body_ms * NS_PER_MS));
		break;
	}
	case MISDEED_READ_SLOWLY:
		for (unsigned i = 0; i < client->queued; i++)
			call_at(client, i)->spoilt = true;
		break;
	default:
		break;
	}
}

static void on_conduct(struct sim_event *event)
{
	struct client *client = container_of(event, struct client, conduct);

	switch (client->misdeed) {
	case MISDEED_LEAVE_LATER:
	case MISDEED_REST_NEVER:
		leave(client);
		break;
	case MISDEED_REST_LATER:
		line_send(&client->line, client->rest.data, client->rest.size);
		client->rest.size = 0;
		if (client->queued)
			call_at(client, 0)->sent_whole = true;
		break;
	case MISDEED_READ_SLOWLY:
		sim_peer_resume(&client->line.peer);
		break;
	default:
		break;
	}
}

static bool ask_one(struct client *client, bool last, struct bytes *bytes)
{
	struct scenario *s = client->scenario;
	enum call_kind kind = is_race(s) ? race_draw_kind(s, last_of(client)) : request_draw_kind(s);
	struct call *call = book_call_add(&s->book, kind);
	const char *about = "";

	if (call->kind == CALL_RECEIPT && (!client->found || s->book.calls[client->found].gate != client->gate))
		call->kind = CALL_HEALTH;
	if (call->kind == CALL_RECEIPT)
		about = s->book.calls[client->found].request_id;
	call->gate = client->gate;
	call->life = client->life;
	call->sent_whole = true;
	call->spoilt = call->kind == CALL_TOO_LARGE || call->kind == CALL_BAD_HTTP;
	call->reused = client->on_connection++ > 0;
	call->sent_ns = sim_now_ns(s->sim);
	/* What is refused may end the connection, so nothing is sent behind it. */
	if (call->spoilt || call->kind == CALL_UNKNOWN_KEY || !call_is_served(call))
		last = true;
	client->closing = client->closing || call->kind == CALL_BAD_HTTP || (last && chance(s, 5000));
	request_write(s, call, about, client->closing, bytes);
	client->queue[client->queued++] = call->id;
	sim_note(s->sim, client->host, "asks", call->id, call->kind);
	client->left--;
	client->last = call->id + 1;
	call->pipelined = !last;
	return last;
}

static void ask(struct client *client)
{
	struct scenario *s = client->scenario;
	unsigned count = !is_race(s) && chance(s, 5000) ? (unsigned)pick(s, 2, PIPELINE_MAX) : 1;
	struct bytes bytes = {0};
	struct call *first;

	for (unsigned i = 0; i < count && client->left; i++)
		if (ask_one(client, i + 1 == count || client->left == 1, &bytes))
			break;
	first = call_at(client, 0);
	for (unsigned i = 0; i < client->queued; i++)
		call_at(client, i)->pipelined = client->queued > 1;
	client->misdeed = draw_misdeed(client, first, client->queued);
	begin_misdeed(client, first, &bytes);
	if (bytes.size)
		line_send(&client->line, bytes.data, bytes.size);
	bytes_free(&bytes);
}

static void on_next(struct sim_event *event)
{
	struct client *client = container_of(event, struct client, next);

	if (client->queued)
		return;
	if (client->connected && (client->left == 0 || client->closing || client->on_connection >= CONNECTED_MAX)) {
		line_close(&client->line);
		forget_connection(client);
	}
	if (client->left == 0)
		return;
	if (client->connected)
		ask(client);
	else if (!line_is_there(&client->line))
		connect_to_gate(client);
}

/* ---- Answers ---- */

static void end_call(struct client *client)
{
	struct scenario *s = client->scenario;
	struct call *call = call_at(client, 0);

	call->ended_ns = sim_now_ns(s->sim);
	answer_end(s, call, &client->answer);
	sim_note(s->sim, client->host, "has", call->id, call->status);
	invariants_call_whole(s, call);
	if (call->decided && call->status == 200)
		client->found = call->id;
	client->queued--;
	memmove(client->queue, client->queue + 1, client->queued * sizeof(*client->queue));
	if (client->misdeed == MISDEED_LEAVE_AT_BYTES)
		client->misdeed = MISDEED_NONE;
	if (client->wire.close)
		client->closing = true;
	if (client->queued && client->wire.close) {
		/* What was sent behind it will not be answered. */
		for (unsigned i = 0; i < client->queued; i++)
			call_at(client, i)->spoilt = true;
		return;
	}
	if (client->queued)
		return;
	client->misdeed = MISDEED_NONE;
	sim_event_cancel(s->sim, &client->conduct);
	sim_peer_resume(&client->line.peer);
	think(client);
}

static bool after_piece(struct client *client)
{
	struct scenario *s = client->scenario;

	if (client->misdeed == MISDEED_LEAVE_AT_BYTES && call_at(client, 0)->answer_bytes >= client->leave_at_bytes) {
		leave(client);
		return false;
	}
	if (client->misdeed == MISDEED_READ_SLOWLY && !sim_event_waits(&client->conduct)) {
		sim_peer_pause(&client->line.peer);
		sim_after(s->sim, &client->conduct,
			pick(s, 0, chance(s, 4000) ? 2 * s->terms.write_stall_ms * NS_PER_MS : 30 * NS_PER_MS));
	}
	return true;
}

static void on_received(struct line *line, const char *bytes, size_t size)
{
	struct client *client = line->user;
	struct scenario *s = client->scenario;
	struct slice rest = slice_of(bytes, size), piece;

	if (!client->queued)
		scenario_break(s, client->closing ? "nothing is sent after close" : "nothing is answered twice",
			"client %u got %zu bytes that it did not ask for", client->index, size);
	while (!s->broken && client->queued) {
		struct call *call = call_at(client, 0);

		switch (wire_next(&client->wire, &rest, &piece)) {
		case WIRE_MORE:
			return;
		case WIRE_HEAD:
			answer_head(s, call, &client->answer, &client->wire);
			break;
		case WIRE_BODY:
			answer_body(s, call, &client->answer, piece);
			if (!after_piece(client))
				return;
			break;
		case WIRE_END:
			end_call(client);
			break;
		case WIRE_BAD:
			scenario_break(s, "answers are well-formed", "call %u (%s): %s", call->id,
				call_kind_name(call->kind), client->wire.problem);
			return;
		}
	}
	if (!s->broken && rest.size)
		scenario_break(s, "nothing is answered twice", "client %u got %zu bytes behind its last answer",
			client->index, rest.size);
}
