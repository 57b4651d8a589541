/* See scenario.h. */
#include "fuzz/sim/scenario.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "core/kconfig.h"
#include "fuzz/sim/bytes.h"
#include "fuzz/sim/client.h"
#include "fuzz/sim/gate.h"
#include "fuzz/sim/intruder.h"
#include "fuzz/sim/invariants.h"
#include "fuzz/sim/provider.h"
#include "fuzz/sim/race.h"
#include "fuzz/sim/seal.h"
#include "fuzz/sim/words.h"

enum { HALF = 32768 }; /* of 65,536 */
#define OUTAGE_MAX_NS (8 * NS_PER_S)

uint64_t pick(struct scenario *s, uint64_t least, uint64_t most)
{
	return sim_between(s->sim, least, most);
}

bool chance(struct scenario *s, uint32_t of_65536)
{
	return sim_chance(s->sim, of_65536);
}

void scenario_break(struct scenario *s, const char *invariant, const char *format, ...)
{
	va_list arguments;

	if (s->broken)
		return;
	s->broken = invariant;
	va_start(arguments, format);
	vsnprintf(s->how, sizeof(s->how), format, arguments);
	va_end(arguments);
	sim_note(s->sim, NULL, "BROKEN", 0, 0);
}

void scenario_text(struct bytes *text, uint32_t call, size_t bytes)
{
	size_t start = text->size;

	bytes_print(text, "sim-%u ", call);
	words_add(text, start, call, bytes);
}

/* ---- Weather: what befalls the world while it runs ---- */

enum weather {
	WEATHER_CRASH,
	WEATHER_DRAIN,
	WEATHER_RELOAD,
	WEATHER_FULL_DISK,
	WEATHER_BAD_NAME,
	WEATHER_OUTAGE,
	WEATHER_CLOCK,
	WEATHERS_OFTEN, /* the others have seeds of their own */
	WEATHER_CUT = WEATHERS_OFTEN,
	WEATHER_WEDGE,
	WEATHERS
};

static void set_name(struct scenario *s, bool good)
{
	static const int results[] = {-ENOENT, -ETIMEDOUT, -EIO};
	uint32_t ttl_s = (uint32_t)pick(s, 1, 30);

	if (!good)
		s->was_unresolved = true;
	sim_name_set(s->sim, "provider.sim", good ? 0 : results[pick(s, 0, 2)],
		chance(s, HALF) ? "10.0.2.1" : "fd00::1 10.0.2.1", ttl_s);
}

static void crash(struct scenario *s, struct gate *gate)
{
	bool power = chance(s, HALF) && !is_race(s); /* a budget holds by what `process` promises */

	if (chance(s, HALF)) {
		gate_stop_after(gate, pick(s, 0, 40), power);
		return;
	}
	if (!gate->process)
		return;
	gate_kill(gate, power);
	gate_start_after(gate, pick(s, 0, 2 * NS_PER_S));
}

static void fill_disk(struct scenario *s, struct gate *gate)
{
	bool full = !sim_disk_full(gate->disk);

	s->was_full = true;
	sim_note(s->sim, gate->host, full ? "disk full" : "disk has room", 0, 0);
	sim_disk_fill(gate->disk, full);
}

bool scenario_is_held_up(const struct scenario *s)
{
	return s->terms.stalls || s->terms.cuts || s->terms.wedges;
}

uint64_t scenario_held_up_ns(const struct scenario *s)
{
	uint64_t stall_ns = s->terms.stalls ? sim_network_faults(s->sim)->stall_max_ns : 0;

	return stall_ns + (s->terms.cuts || s->terms.wedges ? 2 * OUTAGE_MAX_NS : 0);
}

/* One direction or both, for an instant or for longer than most timeouts. */
static uint64_t draw_outage_ns(struct scenario *s)
{
	return pick(s, 0, chance(s, HALF) ? NS_PER_S : OUTAGE_MAX_NS);
}

static void cut_off(struct scenario *s, struct gate *gate)
{
	bool provider = chance(s, HALF);
	struct sim_host *other = provider ? provider_host(s->providers[pick(s, 0, PROVIDERS - 1)])
					  : client_host(s->clients[pick(s, 0, s->terms.client_count - 1)]);
	unsigned ways = (unsigned)pick(s, 1, 3);

	if (ways & 1)
		sim_path_cut(gate->host, other, draw_outage_ns(s));
	if (ways & 2)
		sim_path_cut(other, gate->host, draw_outage_ns(s));
}

static void act(struct scenario *s, enum weather weather)
{
	struct gate *gate = s->gates[pick(s, 0, s->terms.gate_count - 1)];
	const struct terms *t = &s->terms;

	switch (weather) {
	case WEATHER_CRASH:
		if (t->crashes)
			crash(s, gate);
		break;
	case WEATHER_DRAIN:
		if (t->drains)
			gate_drain(gate);
		break;
	case WEATHER_RELOAD:
		if (t->reloads) {
			terms_draw_timeouts(s);
			gate_reload(gate);
		}
		break;
	case WEATHER_FULL_DISK:
		if (t->full_disks)
			fill_disk(s, gate);
		break;
	case WEATHER_BAD_NAME:
		if (t->bad_names)
			set_name(s, chance(s, HALF));
		break;
	case WEATHER_OUTAGE:
		if (t->outages)
			provider_set_down(s->providers[pick(s, 0, PROVIDERS - 1)], chance(s, HALF));
		break;
	case WEATHER_CLOCK:
		if (t->clock_steps)
			sim_step_wall(
				gate->host, (int64_t)pick(s, 0, 7200) * (int64_t)NS_PER_S - 3600 * (int64_t)NS_PER_S);
		break;
	case WEATHER_CUT:
		if (t->cuts)
			cut_off(s, gate);
		break;
	case WEATHER_WEDGE:
		if (t->wedges)
			sim_host_wedge(gate->host, draw_outage_ns(s));
		break;
	case WEATHERS:
		break;
	}
}

static void on_weather(struct sim_event *event)
{
	struct scenario *s = container_of(event, struct scenario, weather);

	if (s->ending || s->weather_left-- == 0)
		return;
	if (s->terms.crashes && chance(s, HALF / 2))
		act(s, WEATHER_CRASH);
	act(s, (enum weather)pick(s, 0, (s->terms.cuts || s->terms.wedges ? WEATHERS : WEATHERS_OFTEN) - 1));
	sim_after(s->sim, &s->weather, pick(s, 0, NS_PER_S));
}

/* ---- A run ---- */

/* For scenario_print_current(), which a signal calls. */
static _Thread_local struct scenario *current;

static void open_world(struct scenario *s)
{
	const struct sim_options options = {.entered = gate_entered};

	s->sim = sim_open(s->seed, &options);
	assert(s->sim);
	terms_draw(s);
	if (CONFIG(TLS) && (s->terms.client_tls || s->terms.provider_tls))
		s->trust = trust_open(s->sim, s->certificates);
	set_name(s, true);
	s->was_unresolved = false;
	for (unsigned i = 0; i < PROVIDERS; i++)
		s->providers[i] = provider_open(s, i);
	for (unsigned i = 0; i < s->terms.gate_count; i++) {
		s->gates[i] = gate_open(s, i);
		gate_start_after(s->gates[i], pick(s, 0, 10 * NS_PER_MS));
	}
	for (unsigned i = 0; i < s->terms.client_count; i++) {
		s->clients[i] = client_open(s, i);
		client_start(s->clients[i]);
	}
	if (s->terms.client_tls)
		s->intruder = intruder_open(s);
	s->weather_left = (unsigned)pick(s, 0, 40);
	s->weather.run = on_weather;
	sim_after(s->sim, &s->weather, pick(s, 0, NS_PER_S));
}

static void close_world(struct scenario *s)
{
	for (unsigned i = 0; i < s->terms.client_count; i++)
		client_free(s->clients[i]);
	intruder_free(s->intruder);
	for (unsigned i = 0; i < PROVIDERS; i++)
		provider_free(s->providers[i]);
	/* What still runs when an invariant was broken is of no more interest. */
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		if (s->gates[i]->process)
			gate_kill(s->gates[i], false);
	sim_event_cancel(s->sim, &s->weather);
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		sim_event_cancel(s->sim, &s->gates[i]->look);
	if (CONFIG(TLS))
		trust_close(s->trust);
	sim_close(s->sim);
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		gate_free(s->gates[i]);
	book_free(&s->book);
	invariants_free(s);
}

/* Steps until `done`, or for `most_ns`; false: it did not come to that, or an invariant is broken. */
static bool run_until(struct scenario *s, uint64_t most_ns, bool (*done)(const struct scenario *))
{
	uint64_t until_ns = sim_now_ns(s->sim) + most_ns;

	while (!s->broken && !done(s)) {
		if (sim_now_ns(s->sim) > until_ns || !sim_step(s->sim))
			return false;
		for (unsigned i = 0; i < s->terms.gate_count; i++)
			gate_look_at_disk(s->gates[i]);
		invariants_after_event(s);
	}
	return !s->broken;
}

static bool clients_are_done(const struct scenario *s)
{
	for (unsigned i = 0; i < s->terms.client_count; i++)
		if (!client_is_done(s->clients[i]))
			return false;
	return true;
}

static bool gates_are_up(const struct scenario *s)
{
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		if (!gate_is_up(s->gates[i]))
			return false;
	return true;
}

static bool gates_are_down(const struct scenario *s)
{
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		if (s->gates[i]->state != GATE_DOWN || s->gates[i]->process)
			return false;
	return true;
}

static bool never(const struct scenario *s)
{
	(void)s;
	return false;
}

/* No new trouble, and what was taken away is given back. */
static void calm_down(struct scenario *s)
{
	s->ending = true;
	sim_calm(s->sim);
	set_name(s, true);
	for (unsigned i = 0; i < PROVIDERS; i++)
		provider_set_down(s->providers[i], false);
	for (unsigned i = 0; i < s->terms.gate_count; i++) {
		sim_disk_fill(s->gates[i]->disk, false);
		gate_stop_after(s->gates[i], UINT64_MAX, false);
		gate_start_after(s->gates[i], 0);
	}
}

static uint64_t check_stores(struct scenario *s)
{
	uint64_t receipts = 0;

	for (unsigned i = 0; i < s->terms.gate_count && !s->broken; i++)
		if (s->gates[i]->life_count)
			receipts += receipts_check(s, s->gates[i]);
	return receipts;
}

static void say_waiting(struct scenario *s)
{
	for (unsigned i = 0; i < s->terms.client_count; i++) {
		const struct call *call = client_waiting(s->clients[i]);

		if (call)
			scenario_break(s, "no exchange is lost", "client %u waits for call %u (%s), sent %llu ms ago",
				i, call->id, call_kind_name(call->kind),
				(unsigned long long)((sim_now_ns(s->sim) - call->sent_ns) / NS_PER_MS));
	}
	scenario_break(s, "the world comes to rest", "clients do not get done");
}

/* The life of the world; returns how many receipts it left. */
static uint64_t live(struct scenario *s)
{
	if (!run_until(s, 600 * NS_PER_S, clients_are_done) && s->broken)
		return 0;
	calm_down(s);
	if (!run_until(s, 600 * NS_PER_S, clients_are_done)) {
		say_waiting(s);
		return 0;
	}
	if (!run_until(s, 600 * NS_PER_S, gates_are_up)) {
		scenario_break(s, "the world comes to rest", "a gateway does not get up");
		return 0;
	}
	s->closing = true;
	for (unsigned i = 0; i < s->terms.gate_count; i++)
		gate_drain(s->gates[i]);
	if (!run_until(s, 600 * NS_PER_S, gates_are_down)) {
		scenario_break(s, "a drain ends", "a gateway did not get done");
		return 0;
	}
	run_until(s, 10 * NS_PER_S, never); /* what is under way arrives */
	s->ended_ns = sim_now_ns(s->sim);
	if (s->broken)
		return 0;
	uint64_t receipts = check_stores(s);

	invariants_at_end(s);
	return receipts;
}

static void sum_up(const struct scenario *s, struct verdict *verdict)
{
	verdict->requests = s->book.call_count;
	for (size_t i = 0; i < s->book.call_count; i++)
		verdict->served += s->book.calls[i].outcome == OUTCOME_WHOLE && s->book.calls[i].status == 200;
	for (unsigned g = 0; g < s->terms.gate_count; g++)
		for (unsigned l = 0; l < s->gates[g]->life_count; l++)
			verdict->crashes += s->gates[g]->lives[l].end >= LIFE_KILLED;
	verdict->outrun = s->outrun;
	verdict->events = sim_trace_count(s->sim);
	verdict->hash = sim_trace_hash(s->sim);
	snprintf(verdict->broken, sizeof(verdict->broken), "%s", s->broken ? s->broken : "");
	snprintf(verdict->how, sizeof(verdict->how), "%s", s->how);
}

struct verdict scenario_run(uint64_t seed, const struct certificates *certificates, FILE *trace, bool always)
{
	struct scenario *s = sim_grown(NULL, sizeof(*s));
	struct verdict verdict = {0};

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->certificates = certificates;
	current = s;
	open_world(s);
	verdict.receipts = live(s);
	sum_up(s, &verdict);
	if (trace && (always || s->broken)) {
		terms_print(s, trace);
		sim_trace_print(s->sim, trace);
	}
	close_world(s);
	current = NULL;
	free(s);
	return verdict;
}

void scenario_print_current(FILE *file)
{
	if (current && current->sim)
		sim_trace_print(current->sim, file);
}
