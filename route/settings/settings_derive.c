/* What follows from other fields. Runs after wrong fields as well, so each string may be missing. */
#include "core/ulid.h"
#include "route/fleet/catalog_known.h"
#include "route/settings/settings_load.h"
#include "route/settings/settings_tables.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

static char *copy_string(struct settings_load *load, const char *text)
{
	return config_copy(load->walk.memory, slice_of_string(text));
}

static void derive_listener(struct settings_load *load)
{
	struct settings *settings = load->settings;

	if (settings->listener_count)
		return;
	settings->listeners = config_alloc(load->walk.memory, 1, sizeof(*settings->listeners));
	if (!settings->listeners)
		return;
	settings->listener_count = 1;
	parse_address(SLICE("0.0.0.0:8080"), &settings->listeners[0].address, load->walk.memory);
}

/* The four plans exist unless they are redefined. */
static void derive_plans(struct settings_load *load)
{
	static const struct {
		const char *id;
		struct limit_settings limits;
	} standard[] = {
		{"free", {.rpm = 20, .tpm = 40000, .rpd = 1000}},
		{"starter", {.rpm = 100, .tpm = 200000, .rpd = 10000}},
		{"pro", {.rpm = 500, .tpm = 1000000, .rpd = 100000}},
		{"enterprise", {.rpm = 0}},
	};
	struct settings *settings = load->settings;
	unsigned i, j, declared = settings->plan_count, standard_count = sizeof(standard) / sizeof(standard[0]);
	struct plan_settings *plans = config_alloc(load->walk.memory, declared + standard_count, sizeof(*plans));

	if (!plans)
		return;
	if (declared)
		memcpy(plans, settings->plans, declared * sizeof(*plans));
	for (i = 0; i < standard_count; i++) {
		for (j = 0; j < declared && !(plans[j].id && strcmp(plans[j].id, standard[i].id) == 0); j++)
			;
		if (j == declared)
			plans[settings->plan_count++] =
				(struct plan_settings){copy_string(load, standard[i].id), standard[i].limits};
	}
	settings->plans = plans;
}

/* The workspace `default` exists without being declared. */
static void derive_workspace(struct settings_load *load)
{
	struct settings *settings = load->settings;
	unsigned i, declared = settings->workspace_count;
	struct workspace_settings *workspaces;

	for (i = 0; i < declared; i++)
		if (settings->workspaces[i].id && strcmp(settings->workspaces[i].id, "default") == 0)
			return;
	workspaces = config_alloc(load->walk.memory, declared + 1, sizeof(*workspaces));
	if (!workspaces)
		return;
	if (declared)
		memcpy(workspaces, settings->workspaces, declared * sizeof(*workspaces));
	schema_read(&load->walk, &workspace_schema, NULL, NULL, &workspaces[declared]);
	workspaces[declared].id = copy_string(load, "default");
	workspaces[declared].built_in = true;
	settings->workspaces = workspaces;
	settings->workspace_count++;
}

/* Bedrock's host has the region of its first credential. */
static char *bedrock_url(struct settings_load *load, const struct provider_settings *provider)
{
	const char *region = provider->credential_count ? provider->credentials[0].region : NULL;
	char url[160];

	snprintf(url, sizeof(url), "https://bedrock-runtime.%s.amazonaws.com", region ? region : "us-east-1");
	return copy_string(load, url);
}

static char *default_url(struct settings_load *load, const struct provider_settings *provider)
{
	static const char *const urls[PROVIDER_KIND_COUNT] = {
		[PROVIDER_OPENAI] = "https://api.openai.com/v1",
		[PROVIDER_ANTHROPIC] = "https://api.anthropic.com/v1",
		[PROVIDER_GEMINI] = "https://generativelanguage.googleapis.com/v1beta",
		[PROVIDER_MISTRAL] = "https://api.mistral.ai/v1",
		[PROVIDER_COHERE] = "https://api.cohere.com/v2",
		[PROVIDER_GROQ] = "https://api.groq.com/openai/v1",
		[PROVIDER_TOGETHER] = "https://api.together.ai/v1",
	};

	if (provider->kind == PROVIDER_BEDROCK)
		return bedrock_url(load, provider);
	return urls[provider->kind] ? copy_string(load, urls[provider->kind]) : NULL;
}

static void derive_provider(struct settings_load *load, struct provider_settings *provider)
{
	struct url_parts parts;

	if (!provider->base_url)
		provider->base_url = default_url(load, provider);
	if (!provider->base_url || !url_split(slice_of_string(provider->base_url), &parts))
		return;
	if (parts.path.size && parts.path.data[parts.path.size - 1] == '/')
		parts.path.size--;
	/* Azure's surface of paths that end so has versions only for who asks for one. */
	if (!provider->api_version && provider->kind == PROVIDER_AZURE && !slice_ends_with(parts.path, SLICE("/v1")))
		provider->api_version = copy_string(load, "2024-10-21");
	provider->host = config_copy(load->walk.memory, parts.host);
	provider->path_prefix = config_copy(load->walk.memory, parts.path);
	provider->port = parts.port;
	provider->tls = parts.https;
}

/* What the provider calls it, when nothing is said: the id without "PROVIDER/" before it. */
static char *default_upstream_model(const struct model_settings *model, const char *provider_name)
{
	size_t size = strlen(provider_name);

	if (strncmp(model->id, provider_name, size) == 0 && model->id[size] == '/')
		return model->id + size + 1;
	return model->id;
}

static void derive_deployments(struct settings_load *load, struct model_settings *model)
{
	unsigned i;

	if (model->provider_name && model->deployment_count == 0) {
		model->deployments = config_alloc(load->walk.memory, 1, sizeof(*model->deployments));
		if (!model->deployments)
			return;
		model->deployment_count = 1;
		model->deployments[0] = (struct deployment_settings){
			.provider_name = model->provider_name, .weight = 1, .upstream_model = model->upstream_model};
	}
	for (i = 0; i < model->deployment_count; i++) {
		struct deployment_settings *deployment = &model->deployments[i];

		if (!deployment->upstream_model)
			deployment->upstream_model = model->upstream_model;
		if (!deployment->upstream_model && model->id && deployment->provider_name)
			deployment->upstream_model = default_upstream_model(model, deployment->provider_name);
	}
}

/* What the built-in catalog knows of the model that is called first; NULL: nothing. */
static const struct catalog_row *known_model(const struct settings_load *load, const struct model_settings *model)
{
	const struct deployment_settings *first = model->deployment_count ? model->deployments : NULL;
	const struct settings *settings = load->settings;

	if (!first || !first->provider_name || !first->upstream_model)
		return NULL;
	for (unsigned i = 0; i < settings->provider_count; i++)
		if (settings->providers[i].name && strcmp(settings->providers[i].name, first->provider_name) == 0)
			return catalog_known(settings->providers[i].kind, first->upstream_model);
	return NULL;
}

static void derive_capabilities(
	struct settings_load *load, struct model_settings *model, const struct catalog_row *known)
{
	enum { NAMES_MAX = 32 };
	const char *names[NAMES_MAX];
	unsigned count = catalog_list_capabilities(known, names, NAMES_MAX);
	char **list = config_alloc(load->walk.memory, count, sizeof(*list));

	if (!list)
		return;
	for (unsigned i = 0; i < count; i++)
		list[i] = copy_string(load, names[i]);
	model->capabilities = (struct strings){.count = count, .list = list};
}

/* What the configuration says wins, each field by itself. */
static void derive_known(struct settings_load *load, struct model_settings *model)
{
	const struct catalog_row *known = known_model(load, model);

	if (!known)
		return;
	catalog_fill_price(known, &model->price);
	if (!model->context_window)
		model->context_window = known->context_window;
	if (!model->max_output_tokens)
		model->max_output_tokens = known->max_output_tokens;
	if (!model->has_quality && known->quality_milli)
		model->quality_milli = known->quality_milli;
	if (model->capabilities.count == 0)
		derive_capabilities(load, model, known);
}

static void derive_model(struct settings_load *load, struct model_settings *model)
{
	struct price_settings *price = &model->price;
	const char *slash = model->id ? strrchr(model->id, '/') : NULL;

	if (!model->slug && model->id)
		model->slug = copy_string(load, slash ? slash + 1 : model->id);
	derive_deployments(load, model);
	derive_known(load, model);
	if (!price->has_cached_input)
		price->cached_input_pusd = price->input_pusd;
	if (price->above_input_pusd < 0)
		price->above_input_pusd = price->input_pusd;
	if (price->above_cached_input_pusd < 0)
		price->above_cached_input_pusd =
			price->has_cached_input ? price->cached_input_pusd : price->above_input_pusd;
	if (price->above_output_pusd < 0)
		price->above_output_pusd = price->output_pusd;
}

/* SHA-256("key" NUL workspace NUL name): the same on every node, after a restart and with a new secret. */
static void derive_key(struct settings_load *load, struct key_settings *key)
{
	struct ulid ulid;
	uint8_t digest[32];
	size_t workspace_size, name_size, size;
	char *text;

	if (!key->workspace || !key->name)
		return;
	workspace_size = strlen(key->workspace);
	name_size = strlen(key->name);
	size = 4 + workspace_size + 1 + name_size;
	text = config_alloc(load->scratch, size, 1);
	if (!text)
		return;
	memcpy(text, "key", 4);
	memcpy(text + 4, key->workspace, workspace_size + 1);
	memcpy(text + 4 + workspace_size + 1, key->name, name_size);
	if (wc_Sha256Hash((const uint8_t *)text, (word32)size, digest) != 0) {
		load->scratch->failed = true; /* the only way that it fails */
		return;
	}
	memcpy(ulid.bytes, digest, sizeof(ulid.bytes));
	memcpy(key->id, "vk_", 3);
	ulid_print(&ulid, key->id + 3);
	key->id[3 + ULID_TEXT_BYTES] = 0;
}

static void derive_routing(struct settings_load *load)
{
	const struct config_node *node = config_member(load->root, "routing");

	assert(routing_schema.count <= 8 * sizeof(load->settings->routing.declared));
	for (unsigned i = 0; i < routing_schema.count; i++)
		if (!config_is_null(config_member(node, routing_schema.fields[i].name)))
			load->settings->routing.declared |= UINT32_C(1) << i;
}

void settings_derive(struct settings_load *load)
{
	struct settings *settings = load->settings;
	unsigned i;

	derive_listener(load);
	derive_plans(load);
	derive_workspace(load);
	derive_routing(load);
	for (i = 0; i < settings->provider_count; i++)
		derive_provider(load, &settings->providers[i]);
	for (i = 0; i < settings->model_count; i++)
		derive_model(load, &settings->models[i]);
	for (i = 0; i < settings->key_count; i++)
		derive_key(load, &settings->keys[i]);
}
