/*
 * What routing adds to a request of `auto`: the chat read from its view, analysed and scored, ten or fifty models
 * ranked, and the deployments of those that fit planned, with their times, calls and breakers drawn anew for each.
 * Beside the usual figure there are its middle and its 99th percentile, by the clock.
 */
#include "bench/micro/micro.h"

#include "route/exchange/exchange.h"

#include "core/clock.h"

#include <stdio.h>

enum {
	YAML_BYTES = 32 << 10,
	REQUEST_BYTES = 1500,
	VIEW_BYTES_MAX = 1 << 20,
	SAMPLES = 1 << 16,
	PART = 1 << 11,
	CHANGES = 8
};

struct routing {
	struct exchange exchange;
	struct gateway_shard gateway_shard;
	struct shard shard;
	struct shard_config shard_config;
	struct http_request request;
	struct fleet *fleet;
	struct gateway_config *config;
	struct slice body;
	unsigned models;
	uint64_t now_ns, count;
	uint32_t took_ns[SAMPLES]; /* of the latest */
};

static void keep_quiet(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context, (void)line, (void)column, (void)message;
}

static void print_models(struct text *yaml, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		text_literal(yaml, "  - { id: m");
		text_u64(yaml, i);
		text_literal(yaml, ", provider: p, upstream_model: m, price: { input: 0.");
		text_u64(yaml, 10 + i * 7 % 80);
		text_literal(yaml, ", output: 1 }, quality: 0.");
		text_u64(yaml, 30 + i * 11 % 65);
		text_literal(yaml, ", context_window: 128000 }\n");
	}
}

static struct gateway_config *make_config(struct fleet *fleet, unsigned models)
{
	struct text yaml = text_over(malloc(YAML_BYTES), YAML_BYTES);
	struct settings *settings = NULL;
	char why[256];

	if (!yaml.data)
		return NULL;
	text_literal(&yaml, "admin: { master_key: bench-master-key-0123456789abcdef }\n"
			    "keys: [{ name: bench, secret: gw_virt_bench, workspace: default }]\n"
			    "providers: [{ name: p, kind: openai, base_url: 'http://127.0.0.1:1/v1',\n"
			    "  credentials: [{ name: a, api_key: sk-1 }, { name: b, api_key: sk-2 }] }]\n"
			    "models:\n");
	print_models(&yaml, models);
	if (!yaml.full)
		settings = settings_parse(text_slice(&yaml), keep_quiet, keep_quiet, NULL);
	free(yaml.data);
	return settings ? gateway_config_make(settings, fleet, NULL, why, sizeof(why)) : NULL;
}

static void close_routing(void *state)
{
	struct routing *r = state;

	if (r->config)
		gateway_config_give(&r->config);
	fleet_close(r->fleet);
	json_parser_close(r->gateway_shard.json);
	analysis_terms_free(r->gateway_shard.terms);
	free((char *)r->body.data);
	free(r);
}

static void set_exchange(struct routing *r)
{
	struct exchange *e = &r->exchange;

	r->gateway_shard.shard = &r->shard;
	r->shard_config.config = r->config;
	e->gateway_shard = &r->gateway_shard;
	e->config = &r->shard_config;
	e->key = &r->config->settings->keys[0];
	e->api = API_CHAT_COMPLETIONS;
	e->dialect = &dialect_openai;
	e->request = &r->request;
	e->model_name = SLICE("auto");
	r->request.body = r->body;
	r->now_ns = NS_PER_S;
}

static void *open_routing(unsigned models)
{
	struct routing *r = calloc(1, sizeof(*r));
	struct openai_problem problem;
	struct json_error error;

	if (!r)
		return NULL;
	r->models = models;
	arena_pool_init(&r->shard.arenas, 16);
	rand_seed(&r->shard.rand, 1);
	if (fleet_open(&r->fleet, 1) == 0)
		r->config = make_config(r->fleet, models);
	r->body = micro_request(REQUEST_BYTES);
	r->gateway_shard.json = json_parser_open(VIEW_BYTES_MAX);
	r->gateway_shard.terms = analysis_terms_make();
	if (!r->config || !r->body.data || !r->gateway_shard.json || !r->gateway_shard.terms ||
		json_parse(r->gateway_shard.json, r->body, &error) < 0 ||
		openai_read_request(r->gateway_shard.json, OPENAI_CHAT, &r->exchange.asked, &problem) < 0) {
		close_routing(r);
		return NULL;
	}
	set_exchange(r);
	return r;
}

/* Some deployments have become faster, slower, busier, or have broken. */
static void draw_states(struct routing *r)
{
	const struct fleet_view *view = r->config->fleet;
	struct rand *rand = &r->shard.rand;

	for (unsigned i = 0; i < CHANGES; i++) {
		struct deployment_state *s = view->options[rand_below(rand, view->option_count)].of->states;

		peak_ewma_add(&s->ewma[BALANCE_UNARY][0], rand_below(rand, 2 * NS_PER_S), r->now_ns);
		s->in_flight = (uint32_t)rand_below(rand, 32);
		s->breaker.state = rand_below(rand, 10) ? BREAKER_CLOSED : BREAKER_OPEN;
		s->breaker.until_ns = r->now_ns + rand_below(rand, NS_PER_S);
	}
}

static void decide(struct routing *r)
{
	struct exchange *e = &r->exchange;
	uint64_t began_ns;

	r->now_ns += NS_PER_MS;
	r->shard.now_ns = r->now_ns;
	draw_states(r);
	arena_init(&e->arena, &r->shard.arenas, EXCHANGE_ARENA_BYTES_MAX);
	e->chat = NULL;
	e->chat_read = false;
	began_ns = clock_monotonic_ns();
	micro_expect(exchange_candidates(e) && e->route_choice.automatic &&
			     e->plan.candidate_count + e->plan.verdict_count > 0, /* all may have broken */
		"routing");
	r->took_ns[r->count++ % SAMPLES] = (uint32_t)(clock_monotonic_ns() - began_ns);
	arena_fini(&e->arena);
}

static void run_routing(void *state, uint64_t times)
{
	while (times--)
		decide(state);
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of the latest `count` decisions the given percentile; sorts them. */
static uint32_t percentile(uint32_t *took_ns, unsigned count, unsigned percent)
{
	qsort(took_ns, count, sizeof(*took_ns), compare);
	return took_ns[(uint64_t)count * percent / 100];
}

/*
 * What interrupts this processor (a timer, another machine on it) comes in bursts, of which all decisions' 99th
 * percentile tells more than of routing: so besides there is the middle one of the 99th percentiles of parts.
 */
static void tell_routing(const void *state)
{
	const struct routing *r = state;
	unsigned count = r->count < SAMPLES ? (unsigned)r->count : SAMPLES, parts = count / PART;
	uint32_t *took_ns = malloc(count * sizeof(*took_ns)), of_parts[SAMPLES / PART];

	if (!took_ns)
		return;
	memcpy(took_ns, r->took_ns, count * sizeof(*took_ns));
	for (unsigned i = 0; i < parts; i++)
		of_parts[i] = percentile(took_ns + i * PART, PART, 99);
	if (parts)
		printf("auto of %u models: p50 %.1f us, p99 %.1f us of %u decisions; in parts of %u, in the middle, "
		       "p99 %.1f us\n",
			r->models, percentile(took_ns, count, 50) / 1000.0, percentile(took_ns, count, 99) / 1000.0,
			count, PART, percentile(of_parts, parts, 50) / 1000.0);
	free(took_ns);
}

static void *open_ten(void)
{
	return open_routing(10);
}

static void *open_fifty(void)
{
	return open_routing(50);
}

const struct micro micro_routing[] = {
	{"routing-auto-10", "a decision of `auto`, of 10 models in drawn states", open_ten, run_routing, close_routing,
		1, tell_routing},
	{"routing-auto-50", "the same of 50", open_fifty, run_routing, close_routing, 1, tell_routing},
	{.name = NULL},
};
