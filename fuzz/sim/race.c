/* See race.h. */
#include "fuzz/sim/race.h"

#include "fuzz/sim/bytes.h"
#include "fuzz/sim/gate.h"
#include "fuzz/sim/request.h"

enum {
	HALF = 32768,              /* of 65,536 */
	REFUSALS_OF_MONEY_MAX = 3, /* then a client knows */
	CALL_TOKENS_MAX = 1300,    /* more than a call reserves: a body of 3,000 bytes, and OUTPUT_MAX */
	CALL_TOKENS_MEAN = 350,
	OUTPUT_MAX = 500,
	CALL_MEAN_NUSD = 120000,
	DEPOSITS_MAX = 60,
	DEPOSIT_NUSD = 50 * CALL_MEAN_NUSD, /* less than the limits would let through */
};
#define MINUTE_NS (60 * NS_PER_S)

/* ---- what is drawn ---- */

/* Which of the limits is the first to refuse. */
enum binding { BINDS_REQUESTS, BINDS_TOKENS, BINDS_BOTH, BINDINGS };

static void draw_limits(struct scenario *s, struct race_terms *race)
{
	unsigned most = chance(s, HALF) ? 60 : chance(s, HALF) ? 300 : 900;
	enum binding binding = (enum binding)pick(s, BINDS_REQUESTS, BINDINGS - 1);

	race->calls_a_minute = (unsigned)pick(s, 5, most);
	race->tokens_a_minute = (uint64_t)race->calls_a_minute * CALL_TOKENS_MEAN + CALL_TOKENS_MAX;
	race->met = binding == BINDS_REQUESTS ? RACE_REQUESTS : binding == BINDS_TOKENS ? RACE_TOKENS : RACE_NOTHING;
	if (binding == BINDS_REQUESTS)
		race->tokens_a_minute = (uint64_t)race->calls_a_minute * CALL_TOKENS_MAX;
	if (binding == BINDS_TOKENS)
		race->calls_a_minute = (unsigned)race->tokens_a_minute / 20; /* more than any call is as small as */
	/* What is given back may be had by whoever asks next, before the time that others were told. */
	race->spends_all = binding == BINDS_TOKENS || chance(s, HALF);
}

/* What makes all wait for seconds makes none of the demand that is to be met. */
static void draw_weather(struct scenario *s, struct terms *t)
{
	struct sim_network_faults *network = sim_network_faults(s->sim);

	network->reset = network->connect_refused = network->connect_timed_out = network->connect_reset = SIM_NEVER;
	network->stall = sim_ring_faults(s->sim)->accept_no_files = sim_ring_faults(s->sim)->accept_aborted = SIM_NEVER;
	t->keepalive_ms = 75000;
	t->misery = t->mischief = t->flood = 0;
	t->resets = t->stalls = t->cuts = t->wedges = t->drains = false;
	t->full_disks = t->bad_names = t->outages = t->clock_steps = false;
	t->client_tls = t->provider_tls = t->mixed = false;
	t->provider_tongues[0] = t->provider_tongues[1] = TONGUE_OPENAI;
	t->crashes = chance(s, HALF);
	t->reloads = chance(s, HALF);
	t->durability = DURABILITY_PROCESS;
}

void race_draw(struct scenario *s)
{
	struct terms *t = &s->terms;
	struct race_terms *race = &t->race;

	draw_weather(s, t);
	*race = (struct race_terms){.on = true};
	t->gate_count = 1;
	t->client_count = RACERS;
	t->shard_count = (unsigned)pick(s, 1, 8);
	t->buffer_count = 512;
	t->requests_each = 1000000; /* it ends with the time */
	t->calls_a_day = t->calls_at_once = t->hedge_percent = 0;
	draw_limits(s, race);
	race->begins_ns = sim_now_ns(s->sim);
	race->ramp_ns = chance(s, HALF) ? 0 : pick(s, 1, 60) * NS_PER_S;
	race->ends_ns = race->begins_ns + pick(s, 70, 140) * NS_PER_S;
	t->budget_nusd = INT64_C(1000000) * 1000000;
	if (chance(s, HALF)) /* some of what the limits would let through */
		t->budget_nusd =
			(int64_t)(pick(s, 1, 20) * CALL_MEAN_NUSD * (race->tokens_a_minute / CALL_TOKENS_MEAN)) / 10;
	if (chance(s, HALF / 2)) {
		race->hosted = true;
		race->free_tokens = chance(s, HALF) ? pick(s, 1, 50) * CALL_TOKENS_MEAN : 0;
	}
}

enum call_kind race_draw_kind(struct scenario *s, const struct call *last)
{
	bool poor = s->terms.race.hosted && (!last || last->status == 402) && s->race.deposits < DEPOSITS_MAX;

	if (poor && chance(s, HALF / 4)) {
		s->race.deposits++;
		return CALL_DEPOSIT;
	}
	return chance(s, HALF) ? CALL_CHAT : CALL_CHAT_STREAM;
}

int64_t race_deposited_nusd(const struct scenario *s)
{
	return (int64_t)s->race.deposits * DEPOSIT_NUSD;
}

/* Of some it is said twice that they were made. */
void race_write_deposit(struct scenario *s, const struct call *call, struct bytes *json)
{
	bytes_print(json, "{\"amount_usd\":0.%09d,\"reference\":\"sim-%u\"}", DEPOSIT_NUSD,
		chance(s, HALF / 8) ? call->id - 1 : call->id);
}

void race_print_key(const struct scenario *s, struct bytes *yaml)
{
	const struct terms *t = &s->terms;

	bytes_print(yaml,
		"keys: [{ name: all, secret: %s, limits: { rpm: %u, tpm: %llu }, budget: { monthly_usd: %lld.%09lld } "
		"}]\n",
		KEY_OF_ALL, t->race.calls_a_minute, (unsigned long long)t->race.tokens_a_minute,
		(long long)(t->budget_nusd / 1000000000), (long long)(t->budget_nusd % 1000000000));
}

void race_print(const struct scenario *s, FILE *file)
{
	const struct race_terms *race = &s->terms.race;

	fprintf(file,
		"a race of %llu s, the start %llu s long: %u requests and %llu tokens a minute, %lld nano-USD; %s\n",
		(unsigned long long)((race->ends_ns - race->begins_ns) / NS_PER_S),
		(unsigned long long)(race->ramp_ns / NS_PER_S), race->calls_a_minute,
		(unsigned long long)race->tokens_a_minute, (long long)s->terms.budget_nusd,
		race->spends_all ? "providers count what was reserved" : "providers count less than what was reserved");
	if (race->hosted)
		fprintf(file, "the model is paid from the balance, but for %llu tokens\n",
			(unsigned long long)race->free_tokens);
}

/* ---- what a client does ---- */

static uint64_t pause_after_ns(struct scenario *s, const struct call *last)
{
	switch (last->outcome == OUTCOME_WHOLE ? last->status : 0) {
	case 429:
		return last->retry_after_s * NS_PER_S + (chance(s, HALF) ? pick(s, 0, 50 * NS_PER_MS) : 0);
	case 402:
		return pick(s, 50 * NS_PER_MS, NS_PER_S);
	case 200:
		return chance(s, HALF) ? 0 : pick(s, 0, 20 * NS_PER_MS);
	default:
		return pick(s, 0, 100 * NS_PER_MS);
	}
}

uint64_t race_pause_ns(struct scenario *s, struct call *last)
{
	const struct race_terms *race = &s->terms.race;
	uint64_t pause_ns = last ? pause_after_ns(s, last) : pick(s, 0, race->ramp_ns);

	if (last && last->outcome == OUTCOME_WHOLE && last->status == 402) {
		s->race.refused_money++;
		if (s->race.refused_money > REFUSALS_OF_MONEY_MAX * RACERS)
			return UINT64_MAX;
	}
	return s->ending || sim_now_ns(s->sim) + pause_ns > race->ends_ns ? UINT64_MAX : pause_ns;
}

void race_draw_output(struct scenario *s, struct call *call)
{
	call->output_max = (unsigned)pick(s, 1, OUTPUT_MAX);
}

/* As the contract says what is reserved: four bytes of the request are a token, and then what it may answer. */
void race_note_body(struct call *call, size_t body_bytes)
{
	call->prompt_guess = (unsigned)((body_bytes + 3) / 4);
}

void race_draw_figures(struct scenario *s, const struct call *call, struct figures *f)
{
	bool all = s->terms.race.spends_all;

	*f = (struct figures){.prompt = all ? call->prompt_guess : (int64_t)pick(s, 1, call->prompt_guess),
		.completion = all ? call->output_max : (int64_t)pick(s, 1, call->output_max)};
}

/* ---- what is counted ---- */

static int64_t tokens_of(const struct figures *f)
{
	return f->prompt + f->completion;
}

void race_note_arrival(struct scenario *s, struct call *call, const struct attempt *attempt)
{
	if (attempt->number == 1)
		call->asked_ns = sim_now_ns(s->sim);
	call->used_tokens = (unsigned)tokens_of(&attempt->figures);
	s->race.spent_nusd += scenario_cost_nusd(s, attempt->model, &attempt->figures);
	if (s->terms.race.free_tokens)
		return; /* which of them were free is in the receipts alone */
	if (s->race.spent_nusd > s->terms.budget_nusd)
		scenario_break(s, "spend stays within the budget", "call %u takes it to %lld nano-USD, of %lld",
			call->id, (long long)s->race.spent_nusd, (long long)s->terms.budget_nusd);
	/* A balance is the sum of the ledger: what a death cut off is not charged. */
	if (s->terms.race.hosted && s->gates[0]->life_count == 1 && s->race.spent_nusd > race_deposited_nusd(s))
		scenario_break(s, "no balance falls below nothing",
			"call %u takes it to %lld nano-USD, of %lld paid in", call->id, (long long)s->race.spent_nusd,
			(long long)race_deposited_nusd(s));
}

static uint64_t amount(const struct call *call, bool tokens)
{
	return tokens ? call->used_tokens : 1;
}

/* What was certainly admitted in the minute that begins as the call at `first` is sent, by the same process. */
static uint64_t admitted_from(const struct book *book, size_t first, bool tokens)
{
	const struct call *from = &book->calls[first];
	uint64_t sum = 0;

	for (size_t i = first; i < book->call_count && book->calls[i].sent_ns <= from->sent_ns + MINUTE_NS; i++) {
		const struct call *call = &book->calls[i];

		if (call->asked_ns && call->asked_ns <= from->sent_ns + MINUTE_NS && call->life == from->life)
			sum += amount(call, tokens);
	}
	return sum;
}

static bool limit_holds(struct scenario *s, bool tokens, uint64_t limit, char *how, size_t how_bytes)
{
	for (size_t i = 0; i < s->book.call_count; i++) {
		uint64_t sum = s->book.calls[i].asked_ns ? admitted_from(&s->book, i, tokens) : 0;

		if (sum <= limit)
			continue;
		snprintf(how, how_bytes, "%llu %s were admitted in the minute from call %zu on, of %llu",
			(unsigned long long)sum, tokens ? "tokens" : "requests", i, (unsigned long long)limit);
		return false;
	}
	return true;
}

bool race_limits_hold(struct scenario *s, char *how, size_t how_bytes)
{
	const struct race_terms *race = &s->terms.race;

	return !race->on || (limit_holds(s, false, race->calls_a_minute, how, how_bytes) &&
				    limit_holds(s, true, race->tokens_a_minute, how, how_bytes));
}

/* What may have been admitted between the two. */
static uint64_t admitted_between(const struct book *book, uint64_t from_ns, uint64_t to_ns, bool tokens)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < book->call_count && book->calls[i].sent_ns <= to_ns; i++)
		if (book->calls[i].asked_ns >= from_ns)
			sum += amount(&book->calls[i], tokens);
	return sum;
}

static uint64_t largest_tokens(const struct book *book)
{
	uint64_t most = 1;

	for (size_t i = 0; i < book->call_count; i++)
		if (book->calls[i].used_tokens > most)
			most = book->calls[i].used_tokens;
	return most;
}

/* Longer than a window, a slot and a lease by what a refused client may come late (its time is told in whole seconds,
 * and it dawdles), and by what so few clients need to use up all that there is. */
static uint64_t demand_ns(uint64_t requests)
{
	return MINUTE_NS + NS_PER_S + 20 * NS_PER_MS + 1100 * NS_PER_MS + NS_PER_S + requests * 4 * NS_PER_MS;
}

bool race_demand_is_met(struct scenario *s, char *how, size_t how_bytes)
{
	const struct race_terms *race = &s->terms.race;
	bool tokens = race->met == RACE_TOKENS;
	uint64_t limit = tokens ? race->tokens_a_minute : race->calls_a_minute;
	uint64_t spare = (s->terms.shard_count - 1) + (tokens ? largest_tokens(&s->book) - 1 : 0);
	uint64_t length_ns = demand_ns(tokens ? limit / CALL_TOKENS_MEAN : limit),
		 due = limit > spare ? limit - spare : 0;

	if (!race->on || race->met == RACE_NOTHING || s->race.refused_money || s->gates[0]->life_count > 1)
		return true;
	for (uint64_t at_ns = race->begins_ns + race->ramp_ns; at_ns + length_ns < race->ends_ns;
		at_ns += NS_PER_S / 4) {
		uint64_t sum = admitted_between(&s->book, at_ns, at_ns + length_ns, tokens);

		if (sum >= due)
			continue;
		snprintf(how, how_bytes, "%llu %s were admitted in the %llu ms from %llu ms on, with demand for %llu",
			(unsigned long long)sum, tokens ? "tokens" : "requests",
			(unsigned long long)(length_ns / NS_PER_MS),
			(unsigned long long)((at_ns - race->begins_ns) / NS_PER_MS), (unsigned long long)limit);
		return false;
	}
	return true;
}
