/* See invariants.h. */
#include "fuzz/sim/invariants.h"

#include <stdlib.h>

#include "fuzz/sim/bytes.h"
#include "fuzz/sim/client.h"
#include "fuzz/sim/provider.h"
#include "fuzz/sim/race.h"
#include "fuzz/sim/request.h"
#include "route/gateway/gateway_shard.h"

enum when { AFTER_EVENT, AT_REST, CLOSED, AT_END };

struct invariant {
	const char *name;
	enum when when;
	bool (*holds)(struct scenario *s, struct gate *gate, char *how, size_t how_bytes);
};

/* ---- After each event ---- */

/* From a call's end until the providers must have heard of it: through the network twice, and both late. */
static uint64_t cancel_bound_ns(const struct scenario *s)
{
	return 3 * NS_PER_S + 8 * scenario_held_up_ns(s) + 8 * sim_ring_faults(s->sim)->shard_late_ns;
}

static bool upstreams_are_cancelled(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	uint64_t now_ns = sim_now_ns(s->sim);

	(void)gate;
	while (s->left.looked_at < s->left.count) {
		const struct call *call = book_call(&s->book, s->left.calls[s->left.looked_at]);

		if (call->ended_ns + cancel_bound_ns(s) > now_ns)
			return true;
		s->left.looked_at++;
		for (uint32_t n = 1; n <= call->attempt_count; n++) {
			if (n == call->served_by && call->outcome == OUTCOME_WHOLE)
				continue;
			if (!book_attempt(&s->book, call->id, n)->open)
				continue;
			snprintf(how, how_bytes, "attempt %u of call %u goes on %llu ms after its client %s", n,
				call->id, (unsigned long long)((now_ns - call->ended_ns) / NS_PER_MS),
				call->outcome == OUTCOME_LEFT ? "left" : "was answered");
			return false;
		}
	}
	return true;
}

enum { BETWEEN_BYTES = 384 << 10 }; /* what a stream may hold in the gateway: output, receive buffers, an event */

/* A slow reader holds back its own provider: what was read from that and not delivered is bounded. */
static bool memory_is_bounded(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	if (!s->terms.flood || sim_trace_count(s->sim) % 64)
		return true;
	for (unsigned i = 0; i < s->terms.client_count; i++) {
		const struct call *call = client_waiting(s->clients[i]);
		uint64_t taken;

		if (!call || !call_is_stream(call))
			continue;
		for (unsigned p = 0; p < PROVIDERS; p++) {
			taken = provider_sent_bytes(s->providers[p], call->id);
			/* Twice a window of 256 KiB lies in the network. */
			if (taken <= call->answer_bytes + BETWEEN_BYTES + 2 * (256 << 10))
				continue;
			snprintf(how, how_bytes,
				"%llu bytes of call %u were taken from its provider, its client has %llu",
				(unsigned long long)taken, call->id, (unsigned long long)call->answer_bytes);
			return false;
		}
	}
	return true;
}

static bool exchanges_are_bounded(struct scenario *s, struct gate *unused, char *how, size_t how_bytes)
{
	(void)unused;
	for (unsigned g = 0; g < s->terms.gate_count; g++) {
		struct gate *gate = s->gates[g];
		uint32_t count = 0;

		for (unsigned i = 0; gate->node && i < s->terms.shard_count; i++) {
			const struct gateway_shard *gs = atomic_load(&node_gateway(gate->node)->shards[i]);

			count += gs ? gs->exchange_count : 0;
		}
		if (count <= 16 * s->terms.client_count)
			continue;
		snprintf(how, how_bytes, "%u requests live in %s, of %u clients", count, gate->name,
			s->terms.client_count);
		return false;
	}
	return true;
}

/* ---- A drained gateway ---- */

static bool buffers_are_home(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	for (unsigned i = 0; i < s->terms.shard_count; i++) {
		uint32_t held = ring_buffers_held(node_shard(gate->node, i)->ring);

		if (held == 0)
			continue;
		snprintf(how, how_bytes, "%s, shard %u: %u receive buffers are out", gate->name, i, held);
		return false;
	}
	return true;
}

static bool timers_are_disarmed(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	for (unsigned i = 0; i < s->terms.shard_count; i++) {
		uint32_t armed = node_shard(gate->node, i)->timers.armed_count;

		if (armed == 0)
			continue;
		snprintf(how, how_bytes, "%s, shard %u: %u timers are armed", gate->name, i, armed);
		return false;
	}
	return true;
}

static bool exchanges_are_home(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	for (unsigned i = 0; i < s->terms.shard_count; i++) {
		const struct gateway_shard *gs = atomic_load(&node_gateway(gate->node)->shards[i]);

		if (gs->exchange_count == 0)
			continue;
		snprintf(how, how_bytes, "%s, shard %u: %u requests live", gate->name, i, gs->exchange_count);
		return false;
	}
	return true;
}

/* What was counted as in flight has ended. */
static bool limits_are_home(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	uint64_t in_flight = limit_book_in_flight(node_gateway(gate->node)->limits);

	(void)s;
	if (in_flight == 0)
		return true;
	snprintf(how, how_bytes, "%s: a limit counts %llu requests in flight", gate->name,
		(unsigned long long)in_flight);
	return false;
}

/* What was reserved was settled or given back. */
static bool money_is_home(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	int64_t reserved_nusd = limit_book_reserved_nusd(node_gateway(gate->node)->limits);

	(void)s;
	if (reserved_nusd == 0)
		return true;
	snprintf(how, how_bytes, "%s: a budget has %lld nano-USD reserved", gate->name, (long long)reserved_nusd);
	return false;
}

static bool process_is_clean(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	unsigned sockets = sim_process_sockets(gate->process), rings = sim_process_rings(gate->process),
		 shards = sim_process_shards(gate->process);

	(void)s;
	snprintf(how, how_bytes, "%s left %u sockets, %u rings, %u shards", gate->name, sockets, rings, shards);
	return sockets + rings + shards == 0;
}

/* ---- The end ---- */

static bool upstreams_are_closed(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	for (unsigned i = 0; i < PROVIDERS; i++) {
		if (provider_connections(s->providers[i]) == 0)
			continue;
		snprintf(how, how_bytes, "provider %u still has %u connections", i,
			provider_connections(s->providers[i]));
		return false;
	}
	return true;
}

static bool no_exchange_is_lost(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	for (size_t i = 0; i < s->book.call_count; i++) {
		const struct call *call = &s->book.calls[i];

		if (call->outcome != OUTCOME_WAITING)
			continue;
		snprintf(how, how_bytes, "call %u (%s), sent %llu ms ago, has no answer", call->id,
			call_kind_name(call->kind),
			(unsigned long long)((sim_now_ns(s->sim) - call->sent_ns) / NS_PER_MS));
		return false;
	}
	return true;
}

static bool answers_have_receipts(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	for (size_t i = 0; i < s->book.call_count; i++) {
		const struct call *call = &s->book.calls[i];

		if (call->receipt_count || !call->decided || call->outcome != OUTCOME_WHOLE ||
			!invariants_receipt_due(s, call))
			continue;
		snprintf(how, how_bytes, "call %u (%s) was answered with %u, and has no receipt", call->id,
			call_kind_name(call->kind), call->status);
		return false;
	}
	return true;
}

static bool receipts_come_once(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	for (size_t i = 0; i < s->book.call_count; i++) {
		const struct call *call = &s->book.calls[i];

		if (call->receipt_count <= 1)
			continue;
		snprintf(how, how_bytes, "call %u (%s) has %u receipts", call->id, call_kind_name(call->kind),
			call->receipt_count);
		return false;
	}
	return true;
}

/*
 * The life in which it was served, from 1: a handshake that the network held back may outlive the process that was to
 * have the connection, and be taken by the next.
 */
static unsigned life_of(const struct gate *gate, const struct call *call)
{
	unsigned life = call->life;

	while (life < gate->life_count && gate->lives[life - 1].end != LIFE_GOES_ON &&
		gate->lives[life - 1].ended_ns < call->sent_ns)
		life++;
	return life;
}

static bool ended_well(const struct gate *gate, const struct call *call)
{
	return gate->lives[life_of(gate, call) - 1].end == LIFE_DRAINED;
}

/* What a provider was asked for was bought, whoever has left since. */
static bool calls_have_receipts(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	if (s->was_full)
		return true;
	for (size_t i = 0; i < s->book.call_count; i++) {
		const struct call *call = &s->book.calls[i];

		if (call->receipt_count || call->attempt_count == 0 || !ended_well(s->gates[call->gate], call) ||
			!invariants_receipt_due(s, call))
			continue;
		snprintf(how, how_bytes, "call %u (%s) was made to a provider %u times, and has no receipt", call->id,
			call_kind_name(call->kind), call->attempt_count);
		return false;
	}
	return true;
}

static bool limits_hold(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	return race_limits_hold(s, how, how_bytes);
}

static bool demand_is_met(struct scenario *s, struct gate *gate, char *how, size_t how_bytes)
{
	(void)gate;
	return race_demand_is_met(s, how, how_bytes);
}

static const struct invariant invariants[] = {
	{"an upstream is cancelled when its client left or is answered", AFTER_EVENT, upstreams_are_cancelled},
	{"memory is bounded", AFTER_EVENT, memory_is_bounded},
	{"requests are bounded", AFTER_EVENT, exchanges_are_bounded},
	{"every buffer comes home", AT_REST, buffers_are_home},
	{"every timer comes home", AT_REST, timers_are_disarmed},
	{"every request comes home", AT_REST, exchanges_are_home},
	{"every limit's place comes home", AT_REST, limits_are_home},
	{"every reservation comes home", AT_REST, money_is_home},
	{"sockets and rings are closed", CLOSED, process_is_clean},
	{"upstream connections are closed", AT_END, upstreams_are_closed},
	{"no exchange is lost", AT_END, no_exchange_is_lost},
	{"receipts come once", AT_END, receipts_come_once},
	{"every answer has its receipt", AT_END, answers_have_receipts},
	{"every call to a provider has its receipt", AT_END, calls_have_receipts},
	{"limits hold in every window", AT_END, limits_hold},
	{"limits admit what they may", AT_END, demand_is_met},
};

static void look(struct scenario *s, struct gate *gate, enum when when)
{
	char how[BROKEN_BYTES];

	for (size_t i = 0; i < sizeof(invariants) / sizeof(*invariants); i++)
		if (invariants[i].when == when && !invariants[i].holds(s, gate, how, sizeof(how)))
			scenario_break(s, invariants[i].name, "%s", how);
}

void invariants_after_event(struct scenario *s)
{
	look(s, NULL, AFTER_EVENT);
}

void invariants_at_rest(struct gate *gate)
{
	look(gate->scenario, gate, AT_REST);
}

void invariants_closed(struct gate *gate)
{
	look(gate->scenario, gate, CLOSED);
}

void invariants_at_end(struct scenario *s)
{
	look(s, NULL, AT_END);
}

/* ---- A call's end ---- */

static bool gate_was_disturbed(const struct scenario *s, const struct call *call)
{
	const struct gate *gate = s->gates[call->gate];

	return gate->life_count != call->life || gate->state != GATE_UP ||
	       gate->lives[call->life - 1].end != LIFE_GOES_ON;
}

static bool gate_was_killed(const struct scenario *s, const struct call *call)
{
	const struct life *life = &s->gates[call->gate]->lives[call->life - 1];

	return life->end == LIFE_KILLED || life->end == LIFE_POWER_CUT || life->aborted;
}

/* A request on an idle connection may cross with the gateway's closing it; it has to be sent once more by its client.
 */
static bool may_have_crossed(const struct scenario *s, const struct call *call)
{
	return !call->answer_begun && (call->reused || gate_was_disturbed(s, call));
}

void invariants_call_broken(struct scenario *s, const struct call *call)
{
	if (s->terms.resets || scenario_is_held_up(s) || call->spoilt || gate_was_killed(s, call) ||
		may_have_crossed(s, call))
		return;
	scenario_break(s, "no exchange is lost", "call %u (%s): its connection was closed %s", call->id,
		call_kind_name(call->kind), call->answer_begun ? "in the middle of its answer" : "without an answer");
}

static bool is_trouble(unsigned status)
{
	return status == 400 || status == 413 || status == 422 || status == 429 || status == 502 || status == 503 ||
	       status == 504;
}

static bool status_is_explained(const struct scenario *s, const struct call *call)
{
	const struct terms *t = &s->terms;
	bool trouble = t->misery || t->bad_names || t->outages || scenario_is_held_up(s) || t->resets || call->spoilt;

	if (call->status == 503 && (s->was_full || gate_was_disturbed(s, call)))
		return true;
	if (call->status == 408)
		return scenario_is_held_up(s) || call->spoilt;
	if (call->status == 402 && t->budget_nusd && call->attempt_count == 0)
		return call_is_served(call);
	if (call->status == 429 && (t->calls_a_day || t->race.on) && call->attempt_count == 0)
		return call_is_served(call);
	if (call->kind == CALL_RECEIPT && call->status == 404)
		return s->was_full || gate_was_disturbed(s, call) || call->life > 1;
	return call_is_served(call) && trouble && is_trouble(call->status);
}

#define IN_TIME_NS (700 * NS_PER_MS)

/* Where nothing holds it up: so a letter that nobody opens shows, before another one wakes its reader by chance. */
static bool has_to_come_in_time(const struct scenario *s, const struct call *call)
{
	const struct terms *t = &s->terms;

	return !scenario_is_held_up(s) && !t->flood && !s->was_full && !call->spoilt && !call->pipelined &&
	       !gate_was_disturbed(s, call) && !sim_ring_faults(s->sim)->receive_starved;
}

/* Behind the provider's last byte, or behind the request when it went to none. */
static void check_time(struct scenario *s, const struct call *call)
{
	const struct attempt *attempt = book_attempt(&s->book, call->id, call->served_by);
	uint64_t since_ns = attempt ? attempt->whole_ns : call->sent_ns;

	if ((call_is_served(call) && (!attempt || !attempt->whole_ns)) || !has_to_come_in_time(s, call) ||
		call->ended_ns - since_ns <= IN_TIME_NS)
		return;
	scenario_break(s, "answers come in time", "call %u (%s): %llu ms after %s", call->id,
		call_kind_name(call->kind), (unsigned long long)((call->ended_ns - since_ns) / NS_PER_MS),
		attempt ? "its provider's last byte" : "the request");
}

/* None of its attempts may go on for long, but for the one whose answer it has. */
static void look_at_upstreams_of(struct scenario *s, const struct call *call)
{
	if (s->left.count == s->left.capacity) {
		s->left.capacity = s->left.capacity ? 2 * s->left.capacity : 64;
		s->left.calls = sim_grown(s->left.calls, s->left.capacity * sizeof(*s->left.calls));
	}
	s->left.calls[s->left.count++] = call->id;
}

void invariants_call_whole(struct scenario *s, const struct call *call)
{
	unsigned expected = request_expected_status(call->kind);

	check_time(s, call);
	if (call->attempt_count > 1)
		look_at_upstreams_of(s, call);
	if (call->status != expected && !status_is_explained(s, call))
		scenario_break(s, "statuses are what the contract says", "call %u (%s) got %u, not %u", call->id,
			call_kind_name(call->kind), call->status, expected);
}

void invariants_call_left(struct scenario *s, const struct call *call)
{
	/* Else the gateway may not read on, and so not hear of it, before it has answered the first. */
	if (!call->pipelined)
		look_at_upstreams_of(s, call);
}

void invariants_free(struct scenario *s)
{
	free(s->left.calls);
}

static bool power_was_cut_since(const struct gate *gate, unsigned life)
{
	for (unsigned i = life - 1; i < gate->life_count; i++)
		if (gate->lives[i].end == LIFE_POWER_CUT)
			return true;
	return false;
}

/* A power cut, then or later, takes what only `power` keeps; a death what `relaxed` has not committed within a second.
 */
bool invariants_receipt_due(const struct scenario *s, const struct call *call)
{
	const struct gate *gate = s->gates[call->gate];
	unsigned number = life_of(gate, call);
	const struct life *life = &gate->lives[number - 1];

	if ((call->status >= 400 || call->error_event) && s->was_full)
		return false; /* it was told that the store could not take it, or of a failure, which it then stays */
	if (s->terms.durability == DURABILITY_POWER)
		return true;
	if (power_was_cut_since(gate, number))
		return false;
	if (s->terms.durability == DURABILITY_PROCESS)
		return true;
	/* Within a second of the process's own: a machine that stands still commits nothing. */
	return !s->was_full &&
	       (life->end != LIFE_KILLED || call->ended_ns + NS_PER_S + scenario_held_up_ns(s) < life->ended_ns);
}
