/* See intruder.h. */
#include "fuzz/sim/intruder.h"

#include <stdlib.h>

#include "core/kconfig.h"
#include "fuzz/sim/bytes.h"
#include "fuzz/sim/gate.h"
#include "fuzz/sim/line.h"
#include "fuzz/sim/seal.h"

enum intrusion {
	INTRUSION_HTTP, /* in clear text */
	INTRUSION_GARBAGE,
	INTRUSION_SILENT,
	INTRUSION_BREAKS, /* begins as it should, and breaks off at some time */
	INTRUSIONS
};

enum { GARBAGE_MAX_BYTES = 4000 };
#define PATIENCE_NS (13 * NS_PER_S) /* longer than the longest head_timeout_ms that terms.c draws */

struct intruder {
	struct scenario *scenario;
	struct sim_host *host;
	struct line line;
	struct sim_event event; /* to come again, to break off, or to lose patience */
	struct tls_target *target;
	enum intrusion intrusion;
	unsigned gate, life, left;
	struct bytes answer;
};

static void come_again(struct intruder *intruder)
{
	sim_after(intruder->scenario->sim, &intruder->event, pick(intruder->scenario, 0, NS_PER_S));
}

/* ---- What the gateway does ---- */

static bool is_disturbed(const struct intruder *intruder)
{
	const struct scenario *s = intruder->scenario;
	const struct gate *gate = s->gates[intruder->gate];

	return scenario_is_held_up(s) || s->terms.resets || gate->life_count != intruder->life ||
	       gate->state != GATE_UP;
}

static void check_answer(const struct intruder *intruder)
{
	if (intruder->intrusion == INTRUSION_HTTP && !is_disturbed(intruder) &&
		!slice_starts_with(bytes_slice(&intruder->answer), SLICE("HTTP/1.1 400 ")))
		scenario_break(intruder->scenario, "plain HTTP on a TLS port is told so", "it got %zu bytes: %.*s",
			intruder->answer.size, (int)intruder->answer.size, intruder->answer.data);
}

static void on_received(struct line *line, const char *bytes, size_t size)
{
	struct intruder *intruder = line->user;

	bytes_add(&intruder->answer, slice_of(bytes, size));
}

static void on_closed(struct line *line, int result)
{
	struct intruder *intruder = line->user;

	if (result == 0) {
		check_answer(intruder);
		line_close(line);
	}
	come_again(intruder);
}

/* ---- What it does ---- */

static void send_garbage(struct intruder *intruder)
{
	char garbage[GARBAGE_MAX_BYTES];
	size_t size = (size_t)pick(intruder->scenario, 1, sizeof(garbage));

	for (size_t i = 0; i < size; i++)
		garbage[i] = (char)pick(intruder->scenario, 0, 255);
	if (chance(intruder->scenario, 32768))
		garbage[0] = 0x16; /* a record of a handshake */
	line_send(&intruder->line, garbage, size);
}

static void on_connected(struct line *line, int result)
{
	struct intruder *intruder = line->user;
	struct scenario *s = intruder->scenario;

	if (result < 0) {
		come_again(intruder);
		return;
	}
	if (intruder->intrusion == INTRUSION_HTTP)
		line_send(line, "GET /healthz HTTP/1.1\r\nHost: gate\r\n\r\n", 37);
	else if (intruder->intrusion == INTRUSION_GARBAGE)
		send_garbage(intruder);
	if (intruder->intrusion != INTRUSION_BREAKS)
		sim_after(s->sim, &intruder->event, PATIENCE_NS);
}

static void connect_to_gate(struct intruder *intruder)
{
	struct scenario *s = intruder->scenario;
	struct sockaddr_storage address;

	intruder->left--;
	intruder->gate = (unsigned)pick(s, 0, s->terms.gate_count - 1);
	intruder->life = s->gates[intruder->gate]->life_count;
	intruder->intrusion = (enum intrusion)pick(s, 0, INTRUSIONS - 1);
	intruder->answer.size = 0;
	if (CONFIG(TLS) && intruder->intrusion == INTRUSION_BREAKS) {
		intruder->line.seal = seal_connect(s->trust, intruder->target);
		sim_after(s->sim, &intruder->event, pick(s, 0, 2 * NS_PER_MS));
	}
	sim_host_address(s->gates[intruder->gate]->host, GATE_PORT, &address);
	line_connect(&intruder->line, s->sim, intruder->host, &address);
}

static void lose_patience(struct intruder *intruder)
{
	struct scenario *s = intruder->scenario;

	if (intruder->intrusion != INTRUSION_BREAKS && !is_disturbed(intruder))
		scenario_break(s, "what is no handshake is ended", "%s: intrusion %d is still there",
			s->gates[intruder->gate]->name, intruder->intrusion);
	if (chance(s, 32768))
		line_reset(&intruder->line);
	else
		line_cut(&intruder->line);
	come_again(intruder);
}

static void on_event(struct sim_event *event)
{
	struct intruder *intruder = container_of(event, struct intruder, event);

	if (line_is_there(&intruder->line))
		lose_patience(intruder);
	else if (intruder->left && !intruder->scenario->ending)
		connect_to_gate(intruder);
}

struct intruder *intruder_open(struct scenario *s)
{
	struct intruder *intruder = sim_grown(NULL, sizeof(*intruder));

	*intruder = (struct intruder){.scenario = s, .left = (unsigned)pick(s, 0, 20)};
	intruder->host = sim_host_add(s->sim, "intruder", "10.0.5.1");
	intruder->line = (struct line){
		.connected = on_connected, .received = on_received, .closed = on_closed, .user = intruder};
	intruder->event.run = on_event;
	if (CONFIG(TLS))
		intruder->target = trust_target_open(s->trust);
	come_again(intruder);
	return intruder;
}

void intruder_free(struct intruder *intruder)
{
	if (!intruder)
		return;
	sim_event_cancel(intruder->scenario->sim, &intruder->event);
	if (line_is_there(&intruder->line))
		line_reset(&intruder->line);
	if (CONFIG(TLS))
		trust_target_close(intruder->target);
	bytes_free(&intruder->answer);
	free(intruder);
}
