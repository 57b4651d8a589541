/* A scenario's terms: what is drawn at its start, how it is told, and the gateway's configuration by it. */
#include "fuzz/sim/scenario.h"

#include "core/kconfig.h"
#include "fuzz/sim/bytes.h"
#include "fuzz/sim/certificates.h"
#include "fuzz/sim/tongue.h"
#include "fuzz/sim/gate.h"
#include "fuzz/sim/race.h"
#include "fuzz/sim/request.h"

enum { SELDOM = 6000, MISCHIEF_SOME = 3000, HALF = 32768 }; /* of 65,536 */
enum { CLIENTS_USUAL_MAX = 12 };

/* So wide that they refuse nobody: what is counted has to come home from every shard all the same. */
#define LIMITS_OF_ADDRESSES ", limits_per_ip: { rpm: 1000000, tpm: 1000000000, concurrency: 1000 }"
#define LIMITS_OF_CREDENTIAL ", limits: { rpm: 1000000, tpm: 1000000000 }"

const struct model_terms model_terms[MODELS] = {
	[MODEL_ONE] = {"sim/one", {"one-at-0", NULL}, 150000, 75000, 600000},
	[MODEL_TWO] = {"sim/two", {NULL, "two-at-1"}, 3000000, 3000000, 15000000},
	[MODEL_BOTH] = {"sim/both", {"both-at-0", "both-at-1"}, 100000, 100000, 400000},
	[MODEL_EMBED] = {"sim/embed", {NULL, "embed-at-1"}, 20000, 20000, 0},
	[MODEL_MODERATE] = {"sim/moderate", {"moderate-at-0", NULL}, 0, 0, 0},
};

int64_t scenario_cost_nusd(const struct scenario *s, unsigned model, const struct figures *f)
{
	const struct model_terms *m = &model_terms[model];
	__int128 pusd = (__int128)(f->prompt - f->cached) * m->input_pusd + (__int128)f->cached * m->cached_pusd +
			(__int128)f->completion * m->output_pusd;
	__int128 whole = pusd * (100 + s->terms.fee_percent);

	return (int64_t)((whole + 99999) / 100000);
}

/* ---- Configuration ---- */

static const char *durability_name(enum durability durability)
{
	return durability == DURABILITY_POWER ? "power" : durability == DURABILITY_RELAXED ? "relaxed" : "process";
}

static void print_credential(struct bytes *yaml, const struct tongue *tongue, unsigned index, char which)
{
	if (tongue->signs)
		bytes_print(
			yaml, "access_key_id: up-key-%u-%c, secret_access_key: sim, region: eu-west-1", index, which);
	else
		bytes_print(yaml, "api_key: up-key-%u-%c", index, which);
}

static void print_provider(const struct scenario *s, unsigned index, const char *where, struct bytes *yaml)
{
	const struct terms *t = &s->terms;
	const struct tongue *tongue = tongue_named(t->provider_tongues[index]);

	bytes_print(yaml, "  - name: p%u\n    kind: %s\n    base_url: %s://%s\n    credentials: [{ name: first, ",
		index, tongue->kind, t->provider_tls ? "https" : "http", where);
	print_credential(yaml, tongue, index, 'a');
	bytes_print(yaml, "%s, weight: 3 }, { name: second, ", t->calls_at_once ? LIMITS_OF_CREDENTIAL : "");
	print_credential(yaml, tongue, index, 'b');
	bytes_print(yaml, " }]\n    timeouts: { connect_ms: %u, first_token_ms: %u, idle_ms: %u, total_ms: %u",
		t->connect_ms, t->first_token_ms, t->idle_ms, t->total_ms);
	if (t->head_ms)
		bytes_print(yaml, ", head_ms: %u", t->head_ms);
	bytes_add(yaml, SLICE(" }\n"));
	if (CONFIG(TLS) && t->provider_tls)
		bytes_print(yaml, "    tls: { ca: %s, server_name: " CERTIFIED_PROVIDER " }\n",
			certificates_issuer(s->certificates));
}

static void print_listener(const struct scenario *s, const struct gate *gate, struct bytes *yaml)
{
	enum certificate_name shown = gate->reload_count % 2 ? CERTIFICATE_GATE_NEXT : CERTIFICATE_GATE;
	enum certificate_name of_key = gate->wrong_key ? CERTIFICATE_STRANGER : shown;

	bytes_print(yaml, "listen: [{ address: 0.0.0.0:%u", GATE_PORT);
	if (CONFIG(TLS) && s->terms.client_tls)
		bytes_print(yaml, ", tls: { cert: %s, key: %s }", certificates_chain(s->certificates, shown),
			certificates_key(s->certificates, of_key));
	bytes_add(yaml, SLICE(" }]\n"));
}

static void print_models(const struct race_terms *race, struct bytes *yaml)
{
	bytes_add(yaml,
		SLICE("models:\n"
		      "  - { id: sim/one, provider: p0, upstream_model: one-at-0, fallback: [sim/two], price: { input: "
		      "0.15, cached_input: 0.075, output: 0.60 } }\n"
		      "  - { id: sim/two, provider: p1, upstream_model: two-at-1, price: { input: 3, output: 15 } }\n"
		      "  - { id: sim/embed, provider: p1, upstream_model: embed-at-1, price: { input: 0.02, output: 0 "
		      "} }\n"
		      "  - { id: sim/moderate, provider: p0, upstream_model: moderate-at-0, price: { input: 0, output: "
		      "0 } }\n"));
	bytes_print(yaml,
		"  - { id: sim/both, hosted: %s, free_tokens_per_month: %llu, deployments: [{ provider: p0, "
		"upstream_model: both-at-0 }, { provider: p1, upstream_model: both-at-1, weight: 2 }], price: { input: "
		"0.1, output: 0.4 } }\n",
		race->hosted ? "true" : "false", (unsigned long long)race->free_tokens);
}

static void print_keys(const struct terms *t, struct bytes *yaml)
{
	bytes_print(yaml,
		"keys:\n  - { name: all, secret: %s, limits: { rpd: %u, concurrency: %u } }\n"
		"  - { name: two, secret: %s, models: [\"sim/two\"] }\n",
		KEY_OF_ALL, t->calls_a_day, t->calls_at_once, KEY_OF_TWO);
}

/* A second attempt beside the first counts as one. */
static void print_routing(const struct terms *t, struct bytes *yaml)
{
	if (t->hedge_percent)
		bytes_print(yaml,
			"routing: { retries: { max_attempts: %u }, hedge: { enabled: true, after_percentile: %u } }\n",
			t->attempts + 1, t->hedge_percent);
	else
		bytes_print(yaml, "routing: { retries: { max_attempts: %u } }\n", t->attempts);
}

void scenario_configuration(const struct scenario *s, unsigned gate, struct bytes *yaml)
{
	const struct terms *t = &s->terms;

	print_listener(s, s->gates[gate], yaml);
	bytes_print(yaml,
		"admin: { master_key: %s }\ndata_dir: /data\ndurability: "
		"%s\nshards: %u\n"
		"log: { access: false }\ndrain_timeout_ms: %u\n",
		MASTER_KEY, durability_name(t->durability), t->shard_count, t->drain_ms);
	bytes_print(yaml,
		"http: { max_body_bytes: %u, head_timeout_ms: %u, body_timeout_ms: %u, keepalive_timeout_ms: %u,"
		" write_stall_timeout_ms: %u, keepalive_ms: %u%s }\n",
		BODY_MAX_BYTES, t->client_head_ms, t->client_body_ms, t->keepalive_ms, t->write_stall_ms, t->comment_ms,
		t->calls_at_once ? LIMITS_OF_ADDRESSES : "");
	bytes_add(yaml, SLICE("providers:\n"));
	print_provider(s, 0, "provider.sim:8000/v1", yaml);
	print_provider(s, 1, "10.0.2.2:8000/v1", yaml);
	print_models(&t->race, yaml);
	bytes_print(yaml, "workspaces: [{ id: default, plan: enterprise, platform_fee_percent: %u", t->fee_percent);
	if (t->budget_nusd && !t->race.on)
		bytes_print(yaml, ", budget: { daily_usd: %lld.%09lld, reserve_output_tokens: %u }",
			(long long)(t->budget_nusd / 1000000000), (long long)(t->budget_nusd % 1000000000),
			SIM_OUTPUT_RESERVED);
	bytes_print(yaml, " }]\n");
	print_routing(t, yaml);
	if (t->race.on)
		race_print_key(s, yaml);
	else
		print_keys(t, yaml);
}

/* ---- What is drawn at the start ---- */

static unsigned one_of(struct scenario *s, unsigned a, unsigned b, unsigned c)
{
	unsigned choices[] = {a, b, c};

	return choices[pick(s, 0, 2)];
}

void terms_draw_timeouts(struct scenario *s)
{
	struct terms *t = &s->terms;

	t->connect_ms = (unsigned)pick(s, 1000, 3000);
	t->head_ms = chance(s, HALF) ? 0 : (unsigned)pick(s, 3000, 8000);
	t->first_token_ms = (unsigned)pick(s, 3000, 20000);
	t->idle_ms = (unsigned)pick(s, 2000, 20000);
	t->total_ms = (unsigned)pick(s, 8000, 40000);
	t->attempts = (unsigned)pick(s, 1, 4);
	t->client_head_ms = one_of(s, 1500, 5000, 10000);
	t->client_body_ms = one_of(s, 1500, 5000, 10000);
	t->keepalive_ms = one_of(s, 1000, 5000, 75000);
	t->comment_ms = one_of(s, 5, 1000, 15000);
	t->write_stall_ms = one_of(s, 2000, 10000, 30000);
	t->drain_ms = one_of(s, 500, 5000, 30000);
}

/*
 * Some seeds have limits. They are drawn from the seed alone, so that the histories of the others are what they were. A
 * clock that steps makes days of its own.
 */
static void draw_limits(struct scenario *s)
{
	struct rand rand;

	rand_seed(&rand, ~s->seed);
	if (s->seed % 8 != 5 || s->terms.clock_steps)
		return;
	s->terms.calls_a_day = 20 + (unsigned)rand_below(&rand, 400);
	s->terms.calls_at_once = 1 + (unsigned)rand_below(&rand, CLIENTS_USUAL_MAX);
}

/*
 * Some seeds have a budget, of a few calls or of most. What providers count there stays within what is reserved: a
 * stream that is cut short for money is for other tests.
 */
static void draw_budget(struct scenario *s)
{
	struct rand rand;

	rand_seed(&rand, ~s->seed);
	if (s->seed % 8 != 1 || s->terms.clock_steps)
		return;
	s->terms.budget_nusd = (int64_t)(40000000 + rand_below(&rand, 200000000));
	/* So that money is given back for calls that nobody got, and what was spent is read from the store again. */
	s->terms.bad_names = s->terms.outages = s->terms.drains = true;
	s->terms.flood = 0;
}

/* A quarter of the seeds; what of it comes from the seed alone, for the same reason. */
static void draw_tls(struct scenario *s)
{
	if (!CONFIG(TLS) || s->seed % 4 != 2)
		return;
	s->terms.client_tls = s->seed / 4 % 3 != 0;
	s->terms.provider_tls = s->seed / 4 % 3 != 1;
}

/* A fifth of the seeds. */
static void draw_outages(struct scenario *s)
{
	if (s->seed % 5 != 4)
		return;
	s->terms.cuts = s->seed / 5 % 3 != 0;
	s->terms.wedges = s->seed / 5 % 3 != 1;
}

/* A third of the seeds. */
static void draw_tongues(struct scenario *s)
{
	struct rand rand;

	rand_seed(&rand, ~s->seed);
	s->terms.mixed = s->seed % 3 == 1;
	for (unsigned i = 0; s->terms.mixed && i < PROVIDERS; i++)
		s->terms.provider_tongues[i] = tongue_of_providers(rand_u64(&rand) >> 32);
}

/*
 * A seventh of the seeds, but those with limits or a budget, in which calls go alone: so many calls that the times of a
 * deployment are known and second attempts are saved up (hedge.h), and some answers that come late.
 */
static void draw_hedging(struct scenario *s)
{
	struct terms *t = &s->terms;
	struct rand rand;

	rand_seed(&rand, ~s->seed);
	if (s->seed % 7 != 3 || t->calls_a_day || t->budget_nusd)
		return;
	t->hedge_percent = 50 + (unsigned)rand_below(&rand, 46);
	t->shard_count = 1 + t->shard_count / 3;
	t->client_count = CLIENTS_USUAL_MAX;
	t->requests_each = 60 + (unsigned)rand_below(&rand, 60);
	if (t->mischief >
		MISCHIEF_SOME) /* of so many calls too many would come with an unknown key, and be throttled */
		t->mischief = MISCHIEF_SOME;
}

static void draw_terms(struct scenario *s)
{
	struct terms *t = &s->terms;
	bool calm = chance(s, 10000);

	t->gate_count = (unsigned)pick(s, 1, GATES_MAX);
	t->client_count = (unsigned)pick(s, 1, CLIENTS_USUAL_MAX);
	t->shard_count = (unsigned)pick(s, 1, 3);
	t->requests_each = (unsigned)pick(s, 5, 60);
	t->durability = (enum durability)pick(s, DURABILITY_PROCESS, DURABILITY_RELAXED);
	t->buffer_count = 64u << pick(s, 0, 3);
	t->buffer_bytes = 2048u << pick(s, 0, 3);
	t->journal_bytes = 256 << 10;
	t->fee_percent = one_of(s, 0, 2, 7); /* not for a reload to change: what calls cost is worked out at the end */
	t->misery = calm ? 0 : one_of(s, 0, 3000, 16000);
	t->mischief = one_of(s, 0, MISCHIEF_SOME, 12000);
	t->flood = chance(s, SELDOM) ? 8000 : 0;
	t->resets = !calm && chance(s, HALF / 2);
	t->stalls = !calm && chance(s, HALF / 2);
	t->crashes = chance(s, HALF);
	t->drains = chance(s, HALF);
	t->reloads = chance(s, HALF);
	t->full_disks = !calm && chance(s, SELDOM);
	t->bad_names = !calm && chance(s, SELDOM * 2);
	t->outages = !calm && chance(s, SELDOM * 2);
	t->clock_steps = chance(s, SELDOM);
	terms_draw_timeouts(s);
	draw_limits(s);
	draw_budget(s);
	draw_tls(s);
	draw_tongues(s);
	draw_outages(s);
	draw_hedging(s);
}

static void draw_faults(struct scenario *s)
{
	struct sim_network_faults *network = sim_network_faults(s->sim);
	struct sim_ring_faults *ring = sim_ring_faults(s->sim);

	network->split = one_of(s, 0, 6000, 40000);
	network->stall = s->terms.stalls ? 400 : 0;
	network->stall_min_ns = NS_PER_MS;
	network->stall_max_ns = 2 * NS_PER_S;
	network->connect_timeout_ns = 20 * NS_PER_S;
	if (s->terms.resets) {
		network->reset = one_of(s, 0, 100, 1000);
		network->reset_loses = HALF;
		network->connect_refused = network->connect_timed_out = 300;
		network->connect_reset = 600;
		ring->accept_aborted = 600;
	}
	ring->shuffle = one_of(s, 0, HALF, SIM_ALWAYS);
	ring->accept_no_files = one_of(s, 0, 0, 2000);
	ring->receive_restart = one_of(s, 0, 3000, 20000);
	ring->receive_short = one_of(s, 0, 3000, 20000);
	ring->receive_starved = one_of(s, 0, 0, 3000);
	ring->send_short = one_of(s, 0, 3000, 20000);
	ring->send_late = one_of(s, 0, 3000, 30000);
	ring->cancel_late = one_of(s, 0, HALF, SIM_ALWAYS);
	ring->wake_spurious = one_of(s, 0, 1000, 20000);
	ring->shard_late = one_of(s, 0, 0, 500);
}

void terms_draw(struct scenario *s)
{
	draw_terms(s);
	draw_faults(s);
	if (s->seed >= RACES_FROM)
		race_draw(s);
}

void terms_print(const struct scenario *s, FILE *file)
{
	const struct terms *t = &s->terms;

	if (t->race.on)
		race_print(s, file);
	if (t->hedge_percent)
		fprintf(file, "a second attempt after the time of %u %% of the answers; ", t->hedge_percent);
	fprintf(file,
		"%u gates of %u shards, durability %s; %u clients with %u requests each; misery %u, mischief %u, flood "
		"%u; providers speak %s and %s;%s%s%s%s%s%s%s%s%s%s%s%s%s\n",
		t->gate_count, t->shard_count, durability_name(t->durability), t->client_count, t->requests_each,
		t->misery, t->mischief, t->flood, tongue_named(t->provider_tongues[0])->kind,
		tongue_named(t->provider_tongues[1])->kind, t->client_tls ? " TLS of clients" : "",
		t->provider_tls ? " TLS of providers" : "", t->resets ? " resets" : "", t->stalls ? " stalls" : "",
		t->crashes ? " crashes" : "", t->drains ? " drains" : "", t->reloads ? " reloads" : "",
		t->full_disks ? " full disks" : "", t->bad_names ? " bad names" : "", t->outages ? " outages" : "",
		t->clock_steps ? " clock steps" : "", t->cuts ? " cuts" : "", t->wedges ? " wedges" : "");
}
