/* Checks across fields: references, uniqueness, exclusion. Every complaint points at the field that is to be changed.
 */
#include "core/kconfig.h"
#include "core/nearest.h"
#include "core/text.h"
#include "route/dialects/dialect.h"
#include "route/auto/rules.h"
#include "route/settings/settings_load.h"

#include <stdlib.h>

/* Names of one kind with where they were given. */
struct names {
	const char *what;
	struct named_place {
		const char *name;
		const struct config_node *node; /* NULL: built in */
	} * list;
	unsigned count;
};

static const struct config_entry *next_entry(const struct config_entry *entry)
{
	return entry ? entry->next : NULL;
}

static const struct config_node *value_of(const struct config_entry *entry)
{
	return entry ? entry->value : NULL;
}

static struct names make_names(struct settings_load *load, const char *what, unsigned count_max)
{
	return (struct names){.what = what, .list = config_alloc(load->scratch, count_max, sizeof(struct named_place))};
}

/* `member` of `node`, when given, is where a complaint points. */
static void add_name(struct names *names, const char *name, const struct config_node *node, const char *member)
{
	const struct config_node *place = config_member(node, member);

	if (name && names->list)
		names->list[names->count++] = (struct named_place){name, place ? place : node};
}

static bool knows(const struct names *names, const char *name)
{
	unsigned i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->list[i].name, name) == 0)
			return true;
	return false;
}

/* Complains at `node` (or its member) when `name` is not among `names`. */
static bool refer(struct settings_load *load, const struct names *names, const char *name,
	const struct config_node *node, const char *member)
{
	struct nearest nearest;
	unsigned i;

	if (!name || knows(names, name))
		return true;
	nearest_begin(&nearest, slice_of_string(name));
	for (i = 0; i < names->count; i++)
		nearest_offer(&nearest, names->list[i].name);
	settings_error(load, node, member, "there is no %s \"%.128s\" (%s%s%s)", names->what, name,
		nearest.best ? "did you mean \"" : "expected one that is declared here",
		nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
	return false;
}

/* The same for a list of names. */
static void refer_each(struct settings_load *load, const struct names *names, const struct strings *strings,
	const struct config_node *list)
{
	const struct config_entry *entry;
	unsigned i;

	if (!list || list->kind != CONFIG_LIST || list->count != strings->count)
		return; /* told already, or a default */
	for (i = 0, entry = list->first; i < strings->count; i++, entry = entry->next)
		refer(load, names, strings->list[i], entry->value, NULL);
}

static int compare_places(const void *left, const void *right)
{
	const struct named_place *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	if (!a->node || !b->node)
		return !a->node ? -1 : 1;
	if (a->node->line != b->node->line)
		return a->node->line < b->node->line ? -1 : 1;
	return a->node->column < b->node->column ? -1 : a->node->column > b->node->column;
}

static void check_unique(struct settings_load *load, struct names *names, bool shown)
{
	unsigned i;

	if (names->count == 0)
		return;
	qsort(names->list, names->count, sizeof(names->list[0]), compare_places);
	for (i = 1; i < names->count; i++) {
		const struct named_place *before = &names->list[i - 1], *now = &names->list[i];

		if (strcmp(before->name, now->name) == 0)
			settings_error(load, now->node, NULL, "%s %s%.128s%sis already on line %u (expected another)",
				names->what, shown ? "\"" : "", shown ? now->name : "", shown ? "\" " : "",
				before->node ? before->node->line : 0);
	}
}

static void check_credential(struct settings_load *load, const struct provider_settings *provider,
	const struct credential_settings *credential, const struct config_node *node)
{
	bool has_key = !config_is_null(config_member(node, "api_key"));

	if (provider->kind != PROVIDER_BEDROCK && !has_key)
		settings_error(load, node, NULL, "\"api_key\" is missing (it is required)");
	if (provider->kind == PROVIDER_BEDROCK && !has_key && config_is_null(config_member(node, "access_key_id")))
		settings_error(
			load, node, NULL, "\"access_key_id\" is missing (it, or an api_key, is required for bedrock)");
	if (provider->kind == PROVIDER_BEDROCK && !has_key && config_is_null(config_member(node, "secret_access_key")))
		settings_error(load, node, NULL, "\"secret_access_key\" is missing (it is required for bedrock)");
	if (has_key && credential->access_key_id)
		settings_error(
			load, node, "access_key_id", "access_key_id stands beside api_key (expected one of them)");
	else if (provider->kind != PROVIDER_BEDROCK && credential->access_key_id)
		settings_error(load, node, "access_key_id", "access_key_id belongs to bedrock (expected api_key)");
}

static void check_credentials(
	struct settings_load *load, const struct provider_settings *provider, const struct config_node *node)
{
	const struct config_node *list = config_member(node, "credentials");
	const struct config_entry *entry = list && list->kind == CONFIG_LIST ? list->first : NULL;
	struct names names = make_names(load, "credential", provider->credential_count);
	unsigned i;

	for (i = 0; i < provider->credential_count; i++, entry = next_entry(entry)) {
		check_credential(load, provider, &provider->credentials[i], value_of(entry));
		add_name(&names, provider->credentials[i].name, value_of(entry), "name");
	}
	check_unique(load, &names, true);
	if (!list && provider->kind != PROVIDER_OPENAI_COMPATIBLE)
		settings_error(load, node, NULL, "\"credentials\" is missing (kind %s needs at least one)",
			provider_kind_name(provider->kind));
	else if (provider->credential_count == 0 && provider->kind != PROVIDER_OPENAI_COMPATIBLE)
		settings_error(load, node, "credentials", "credentials is empty (kind %s needs at least one)",
			provider_kind_name(provider->kind));
}

static void check_provider(
	struct settings_load *load, const struct provider_settings *provider, const struct config_node *node)
{
	if (!dialect_of(provider->kind))
		settings_error(load, node, "kind", "kind %s is not in this build (expected %s)",
			provider_kind_name(provider->kind),
			"openai, gemini, mistral, cohere, groq, together, bedrock, azure or openai_compatible");
	if (!provider->base_url && config_is_null(config_member(node, "base_url")))
		settings_error(load, node, NULL, "\"base_url\" is missing (kind %s has no default)",
			provider_kind_name(provider->kind));
	if (provider->tls && !CONFIG(TLS))
		settings_warning(load, node, "base_url",
			"%s needs TLS, which is not in this build: calls to provider %s will fail", provider->base_url,
			provider->name ? provider->name : "");
	check_credentials(load, provider, node);
}

static void check_providers(struct settings_load *load, struct names *names)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "providers");
	unsigned i;

	*names = make_names(load, "provider", settings->provider_count);
	for (i = 0; i < settings->provider_count; i++, entry = next_entry(entry)) {
		check_provider(load, &settings->providers[i], value_of(entry));
		add_name(names, settings->providers[i].name, value_of(entry), "name");
	}
	check_unique(load, names, true);
}

static const struct provider_settings *find_provider(const struct settings *settings, const char *name)
{
	unsigned i;

	for (i = 0; i < settings->provider_count; i++)
		if (settings->providers[i].name && strcmp(settings->providers[i].name, name) == 0)
			return &settings->providers[i];
	return NULL;
}

static void check_deployment(struct settings_load *load, const struct names *providers,
	struct deployment_settings *deployment, const struct config_node *node)
{
	const struct provider_settings *provider;
	struct names credentials;
	unsigned i;

	if (!deployment->provider_name || !refer(load, providers, deployment->provider_name, node, "provider"))
		return;
	provider = find_provider(load->settings, deployment->provider_name);
	deployment->provider = (unsigned)(provider - load->settings->providers);
	credentials = make_names(load, "credential", provider->credential_count);
	for (i = 0; i < provider->credential_count; i++)
		add_name(&credentials, provider->credentials[i].name, NULL, "name");
	refer(load, &credentials, deployment->credential, node, "credential");
}

static void check_deployments(struct settings_load *load, const struct names *providers, struct model_settings *model,
	const struct config_node *node)
{
	const struct config_node *list = config_member(node, "deployments");
	const struct config_entry *entry = list && list->kind == CONFIG_LIST ? list->first : NULL;
	unsigned i;

	if (entry && model->provider_name)
		settings_error(
			load, node, "provider", "provider and deployments are both given (expected one of them)");
	if (model->deployment_count == 0)
		settings_error(load, node, NULL,
			"this model has neither \"provider\" nor \"deployments\" (expected one of them)");
	for (i = 0; i < model->deployment_count; i++, entry = next_entry(entry))
		check_deployment(load, providers, &model->deployments[i], entry ? entry->value : node);
}

static void check_price(struct settings_load *load, const struct model_settings *model, const struct config_node *node)
{
	const struct config_node *price = config_member(node, "price");

	if (price && price->kind == CONFIG_MAP && price->count == 0)
		settings_error(
			load, price, NULL, "price is empty (expected at least input or output; null: the catalog's)");
	if (!model->price.known && model->id)
		settings_warning(load, node, NULL,
			"model %s has no price: its cost counts as 0, and keys with a budget are refused it",
			model->id);
}

static void check_reserved(struct settings_load *load, const char *name, const struct config_node *node)
{
	if (name && (strcmp(name, "auto") == 0 || strncmp(name, "pr/", 3) == 0))
		settings_error(load, node, NULL, "\"%.128s\" is reserved (expected another name)", name);
}

/* Ids and aliases share one space of names. */
static void name_models(struct settings_load *load, struct names *names)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "models");
	unsigned i, j, count = settings->model_count;

	for (i = 0; i < settings->model_count; i++)
		count += settings->models[i].aliases.count;
	*names = make_names(load, "model", count);
	for (i = 0; i < settings->model_count; i++, entry = next_entry(entry)) {
		const struct model_settings *model = &settings->models[i];
		const struct config_node *aliases = config_member(value_of(entry), "aliases"),
					 *id = config_member(value_of(entry), "id");
		const struct config_entry *alias = aliases ? aliases->first : NULL;

		add_name(names, model->id, value_of(entry), "id");
		check_reserved(load, model->id, id);
		for (j = 0; j < model->aliases.count; j++, alias = next_entry(alias)) {
			add_name(names, model->aliases.list[j], value_of(alias), "");
			check_reserved(load, model->aliases.list[j], value_of(alias));
		}
	}
	check_unique(load, names, true);
}

static void check_slugs(struct settings_load *load)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "models");
	struct names slugs = make_names(load, "slug", settings->model_count);
	unsigned i;

	for (i = 0; i < settings->model_count; i++, entry = next_entry(entry))
		if (settings->models[i].hosted)
			add_name(&slugs, settings->models[i].slug, value_of(entry), "slug");
	check_unique(load, &slugs, true);
}

/* A decision looks at each of them, and has a bound. */
static void check_model_count(struct settings_load *load)
{
	const struct config_entry *entry = settings_entries(load, "models");

	if (load->settings->model_count <= SETTINGS_MODELS_MAX)
		return;
	for (unsigned i = 0; i < SETTINGS_MODELS_MAX; i++)
		entry = next_entry(entry);
	settings_error(load, value_of(entry), NULL,
		"models holds %u (expected at most %u), of which this is the first too many",
		load->settings->model_count, (unsigned)SETTINGS_MODELS_MAX);
}

static void check_models(struct settings_load *load, const struct names *providers, struct names *models)
{
	struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "models");
	unsigned i, j;

	check_model_count(load);
	name_models(load, models);
	check_slugs(load);
	for (i = 0; i < settings->model_count; i++, entry = next_entry(entry)) {
		struct model_settings *model = &settings->models[i];
		const struct config_node *node = value_of(entry), *fallback = config_member(node, "fallback");

		check_deployments(load, providers, model, node);
		check_price(load, model, node);
		if (model->free_tokens_per_month && !model->hosted)
			settings_error(load, node, "free_tokens_per_month",
				"'free_tokens_per_month' is of hosted models alone (expected hosted: true)");
		refer_each(load, models, &model->fallback, fallback);
		for (j = 0; j < model->fallback.count; j++)
			if (model->id && strcmp(model->fallback.list[j], model->id) == 0)
				settings_error(load, fallback, NULL,
					"model %.128s falls back to itself (expected another)", model->id);
	}
}

static void check_workspaces(struct settings_load *load, struct names *workspaces)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "workspaces");
	struct names plans = make_names(load, "plan", settings->plan_count);
	unsigned i, j;

	*workspaces = make_names(load, "workspace", settings->workspace_count);
	for (i = 0; i < settings->plan_count; i++)
		add_name(&plans, settings->plans[i].id, NULL, "");
	for (i = 0; i < settings->workspace_count; i++, entry = next_entry(entry)) {
		const struct workspace_settings *workspace = &settings->workspaces[i];
		bool served = !workspace->residency;

		refer(load, &plans, workspace->plan, value_of(entry), "plan");
		add_name(workspaces, workspace->id, value_of(entry), "id");
		for (j = 0; j < settings->provider_count && !served; j++)
			served = settings->providers[j].region &&
				 strcmp(settings->providers[j].region, workspace->residency) == 0;
		if (!served)
			settings_warning(load, value_of(entry), "residency",
				"no provider has the region %s: nothing can serve this workspace",
				workspace->residency);
	}
	check_unique(load, workspaces, true);
}

static void check_teams(struct settings_load *load, const struct names *workspaces, struct names *teams)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "teams");
	unsigned i;

	*teams = make_names(load, "team", settings->team_count);
	for (i = 0; i < settings->team_count; i++, entry = next_entry(entry)) {
		refer(load, workspaces, settings->teams[i].workspace, value_of(entry), "workspace");
		add_name(teams, settings->teams[i].id, value_of(entry), "id");
	}
	check_unique(load, teams, true);
}

static void check_key_team(struct settings_load *load, const struct names *teams, const struct key_settings *key,
	const struct config_node *node)
{
	const struct settings *settings = load->settings;
	unsigned i;

	if (!key->team || !key->workspace || !refer(load, teams, key->team, node, "team"))
		return;
	for (i = 0; i < settings->team_count; i++) {
		const struct team_settings *team = &settings->teams[i];

		if (team->id && team->workspace && strcmp(team->id, key->team) == 0 &&
			strcmp(team->workspace, key->workspace) != 0)
			settings_error(load, node, "team",
				"team %s belongs to workspace %s (expected one of workspace %s)", team->id,
				team->workspace, key->workspace);
	}
}

/* True when there is a digest to compare: exactly one of the two was given, and nothing was wrong with it. */
static bool check_key_secret(struct settings_load *load, const struct key_settings *key, const struct config_node *node)
{
	static const uint8_t none[sizeof(key->secret_sha256)];
	bool plain = !config_is_null(config_member(node, "secret")),
	     digest = !config_is_null(config_member(node, "secret_sha256"));

	if (plain && digest)
		settings_error(
			load, node, "secret_sha256", "secret and secret_sha256 are both given (expected one of them)");
	else if (!plain && !digest)
		settings_error(load, node, NULL,
			"this key has neither \"secret\" nor \"secret_sha256\" (expected one of them)");
	return plain != digest && memcmp(key->secret_sha256, none, sizeof(none)) != 0;
}

static const char *print_digest(struct settings_load *load, const uint8_t digest[static 32])
{
	char *hex = config_alloc(load->scratch, 65, 1);
	struct text text = text_over(hex, hex ? 64 : 0);

	text_hex(&text, digest, 32);
	return hex;
}

static void check_keys(struct settings_load *load, const struct names *workspaces, const struct names *teams)
{
	const struct settings *settings = load->settings;
	const struct config_entry *entry = settings_entries(load, "keys");
	struct names ids = make_names(load, "a key of this name and workspace", settings->key_count);
	struct names secrets = make_names(load, "a key of this secret", settings->key_count);
	unsigned i;

	for (i = 0; i < settings->key_count; i++, entry = next_entry(entry)) {
		const struct key_settings *key = &settings->keys[i];
		const struct config_node *node = value_of(entry);

		refer(load, workspaces, key->workspace, node, "workspace");
		check_key_team(load, teams, key, node);
		if (check_key_secret(load, key, node))
			add_name(&secrets, print_digest(load, key->secret_sha256), node,
				!config_is_null(config_member(node, "secret")) ? "secret" : "secret_sha256");
		if (key->id[0])
			add_name(&ids, key->id, node, "name");
	}
	check_unique(load, &ids, false);
	check_unique(load, &secrets, false);
}

static void check_rules(struct settings_load *load, const struct names *models, const struct config_node *node)
{
	const struct routing_features *routing = &load->settings->routing.more;
	const struct config_node *list = config_member(node, "rules");
	const struct config_entry *entry = list ? list->first : NULL;
	unsigned shadowed_by;

	for (unsigned i = 0; i < routing->rule_count; i++, entry = next_entry(entry)) {
		const char *model = routing->rules[i].use_model;

		if (model && strcmp(model, "auto") != 0)
			refer(load, models, model, config_member(value_of(entry), "use"), "model");
		if (rules_unreachable(routing->rules, i + 1, i, &shadowed_by) > i)
			continue;
		if (shadowed_by == i)
			settings_warning(load, value_of(entry), NULL,
				"rule %u is never reached: its own conditions exclude each other", i + 1);
		else
			settings_warning(load, value_of(entry), NULL,
				"rule %u is never reached: rule %u matches all that it does", i + 1, shadowed_by + 1);
	}
}

static void check_routing(struct settings_load *load, const struct names *providers, const struct names *models)
{
	const struct settings *settings = load->settings;
	const struct config_node *node = config_member(load->root, "routing");

	check_rules(load, models, node);

	if (config_member(node, "default_model") && settings->routing.default_model &&
		strcmp(settings->routing.default_model, "auto") != 0)
		refer(load, models, settings->routing.default_model, node, "default_model");
	if (config_member(node, "baseline_model") && settings->routing.baseline_model &&
		!knows(models, settings->routing.baseline_model))
		settings_warning(load, node, "baseline_model", "there is no model %s here: savings are not computed",
			settings->routing.baseline_model);
	refer_each(load, models, &settings->routing.fallback_chain, config_member(node, "fallback_chain"));
	refer_each(
		load, providers, &settings->routing.more.allowed_providers, config_member(node, "allowed_providers"));
	refer_each(
		load, providers, &settings->routing.more.blocked_providers, config_member(node, "blocked_providers"));
}

/* Listeners share their port between shards, so two of the same address would share its connections by chance. */
static void check_admin_address(struct settings_load *load)
{
	const struct settings *settings = load->settings;
	unsigned i;

	for (i = 0; settings->admin_has_address && i < settings->listener_count; i++)
		if (memcmp(&settings->admin_address, &settings->listeners[i].address,
			    sizeof(settings->admin_address)) == 0)
			settings_error(load, config_member(load->root, "admin"), "address",
				"address is one of 'listen' as well (expected one of its own; null: every listener)");
}

static void check_rest(struct settings_load *load, const struct names *models, const struct names *workspaces)
{
	const struct settings *settings = load->settings;
	const struct config_node *listen = config_member(load->root, "listen");
	const struct config_node *semantic = config_member(config_member(load->root, "cache"), "semantic");
	const struct config_entry *entry = settings_entries(load, "projects");
	struct names projects = make_names(load, "project", settings->project_count);
	unsigned i;

	check_admin_address(load);
	if (listen && listen->kind == CONFIG_LIST && listen->count == 0)
		settings_error(load, listen, NULL, "listen is empty (expected at least one address)");
	refer(load, models, settings->cache.embedding_model, semantic, "embedding_model");
	for (i = 0; i < settings->project_count; i++, entry = next_entry(entry)) {
		refer(load, workspaces, settings->projects[i].workspace, value_of(entry), "workspace");
		add_name(&projects, settings->projects[i].id, value_of(entry), "id");
	}
	check_unique(load, &projects, true);
}

void settings_check(struct settings_load *load)
{
	struct names providers, models, workspaces, teams;

	check_providers(load, &providers);
	check_models(load, &providers, &models);
	check_workspaces(load, &workspaces);
	check_teams(load, &workspaces, &teams);
	check_keys(load, &workspaces, &teams);
	check_routing(load, &providers, &models);
	check_rest(load, &models, &workspaces);
	settings_check_projects(load);
}
