/* Who calls and where to: the look-up of a key, and the plan of an exchange among a hundred models. */
#include "bench/micro/micro.h"

#include "route/exchange/exchange.h"

#include <stdio.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
	MODELS = 100,
	KEYS = 10000,
	YAML_BYTES = 64 << 10,
	SECRET_BYTES = 24,
	REQUEST_BYTES = 1500,
	VIEW_BYTES_MAX = 1 << 20
};

static const char opening[] = "listen: [{ address: 127.0.0.1:0 }]\n"
			      "admin: { master_key: bench-master-key-0123456789abcdef }\n"
			      "providers:\n"
			      "  - name: openai\n"
			      "    kind: openai\n"
			      "    base_url: http://127.0.0.1:1/v1\n"
			      "    credentials: [{ name: first, api_key: sk-1 }, { name: second, api_key: sk-2 }]\n"
			      "keys:\n"
			      "  - { name: bench, secret: gw_virt_bench, workspace: default }\n"
			      "models:\n";

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	fprintf(stderr, "micro: line %u, column %u: %s\n", line, column, message);
}

static void keep_quiet(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context, (void)line, (void)column, (void)message;
}

/* The exchange of a request that was read, with no more around it than its plan looks at. A plan that comes to look at
 * more needs it here: bench/tests/run, in `make test`, runs every step once. */
struct planning {
	struct exchange exchange;
	struct gateway_shard gateway_shard;
	struct shard shard;
	struct shard_config shard_config;
	struct fleet *fleet;
	struct gateway_config *config;
	struct slice request;
};

static struct gateway_config *make_config(struct fleet *fleet)
{
	char why[256];
	struct text yaml = text_over(malloc(YAML_BYTES), YAML_BYTES);
	struct settings *settings = NULL;

	if (!yaml.data)
		return NULL;
	text_string(&yaml, opening);
	for (unsigned i = 0; i < MODELS; i++) {
		text_literal(&yaml, "  - { id: openai/model-");
		text_u64(&yaml, i);
		text_literal(&yaml, ", provider: openai, upstream_model: model-");
		text_u64(&yaml, i);
		if (i == MODELS / 2)
			text_literal(&yaml, ", aliases: [gpt-4o-mini]");
		text_literal(&yaml, ", price: { input: 0.15, output: 0.60 } }\n");
	}
	if (!yaml.full)
		settings = settings_parse(text_slice(&yaml), complain, keep_quiet, NULL);
	free(yaml.data);
	return settings ? gateway_config_make(settings, fleet, NULL, why, sizeof(why)) : NULL;
}

static void close_plan(void *state)
{
	struct planning *plan = state;

	if (plan->config)
		gateway_config_give(&plan->config);
	fleet_close(plan->fleet);
	json_parser_close(plan->gateway_shard.json);
	free((char *)plan->request.data);
	free(plan);
}

static bool read_request(struct planning *plan)
{
	struct exchange *e = &plan->exchange;
	struct openai_problem problem;
	struct json_error error;

	if (json_parse(plan->gateway_shard.json, plan->request, &error) < 0 ||
		openai_read_request(plan->gateway_shard.json, OPENAI_CHAT, &e->asked, &problem) < 0)
		return false;
	e->model_name = e->asked.model;
	return true;
}

static void *open_plan(void)
{
	struct planning *plan = calloc(1, sizeof(*plan));
	struct exchange *e;

	if (!plan)
		return NULL;
	if (fleet_open(&plan->fleet, 1) == 0)
		plan->config = make_config(plan->fleet);
	plan->request = micro_request(REQUEST_BYTES);
	plan->gateway_shard.json = json_parser_open(VIEW_BYTES_MAX);
	if (!plan->config || !plan->request.data || !plan->gateway_shard.json || !read_request(plan)) {
		close_plan(plan);
		return NULL;
	}
	rand_seed(&plan->shard.rand, 1);
	plan->gateway_shard.shard = &plan->shard;
	plan->shard_config.config = plan->config;
	e = &plan->exchange;
	e->gateway_shard = &plan->gateway_shard;
	e->config = &plan->shard_config;
	e->key = &plan->config->settings->keys[0];
	e->api = API_CHAT_COMPLETIONS;
	e->dialect = dialect_of(plan->config->settings->providers[0].kind); /* the client's: nothing is translated */
	return plan;
}

static void run_plan(void *state, uint64_t times)
{
	struct planning *plan = state;
	struct exchange *e = &plan->exchange;

	while (times--)
		micro_expect(exchange_plan(e) && e->plan.candidate_count == 2, "planning");
}

struct callers {
	struct settings settings;
	struct key_index *index;
	struct key_cache cache;
	char secrets[KEYS][SECRET_BYTES];
	struct key_settings keys[KEYS];
};

static void close_callers(void *state)
{
	struct callers *callers = state;

	key_index_free(callers->index);
	free(callers);
}

static void *open_callers(void)
{
	struct callers *callers = calloc(1, sizeof(*callers));

	if (!callers)
		return NULL;
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(callers->secrets[i], SECRET_BYTES, "gw_virt_%08u", i);
		wc_Sha256Hash((const byte *)callers->secrets[i], (word32)strlen(callers->secrets[i]),
			callers->keys[i].secret_sha256);
	}
	callers->settings = (struct settings){.key_count = KEYS, .keys = callers->keys};
	callers->index = key_index_make(&callers->settings);
	if (callers->index)
		return callers;
	close_callers(callers);
	return NULL;
}

static void find(struct callers *callers, unsigned i)
{
	struct slice secret = slice_of_string(callers->secrets[i]);

	micro_expect(key_find(callers->index, &callers->cache, secret, 1) == &callers->keys[i], "finding a key");
}

static void run_known_key(void *state, uint64_t times)
{
	while (times--)
		find(state, 0);
}

/* Each in turn: by the time that it comes again, the cache has forgotten it. */
static void run_new_keys(void *state, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		find(state, (unsigned)(i % KEYS));
}

const struct micro micro_route[] = {
	{"key-known", "look-up of a key that the shard has seen", open_callers, run_known_key, close_callers, 1, NULL},
	{"key-new", "look-up of one that it has not, of 10,000", open_callers, run_new_keys, close_callers, 1, NULL},
	{"plan", "plan of a call, of 100 models", open_plan, run_plan, close_plan, 1, NULL},
	{.name = NULL},
};
