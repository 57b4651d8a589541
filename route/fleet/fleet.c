/* The registry of deployments, and a configuration's view of it: see fleet.h. Views are made under a lock: by the
 * control thread, and by the tenancy's. */
#include "route/fleet/fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct fleet {
	pthread_mutex_t making; /* of views: by the control thread, and by the tenancy's */
	unsigned shard_count, deployment_count;
	struct fleet_provider *providers;
	struct fleet_credential *credentials;
	struct fleet_deployment *deployments;
};

int fleet_open(struct fleet **fleet, unsigned shard_count)
{
	*fleet = calloc(1, sizeof(**fleet));
	if (!*fleet)
		return -ENOMEM;
	(*fleet)->shard_count = shard_count;
	pthread_mutex_init(&(*fleet)->making, NULL);
	return 0;
}

void fleet_close(struct fleet *fleet)
{
	if (!fleet)
		return;
	while (fleet->deployments) {
		struct fleet_deployment *d = fleet->deployments;

		fleet->deployments = d->next;
		free(d->states);
		free(d);
	}
	while (fleet->credentials) {
		struct fleet_credential *c = fleet->credentials;

		fleet->credentials = c->next;
		free(c->states);
		free(c);
	}
	while (fleet->providers) {
		struct fleet_provider *p = fleet->providers;

		fleet->providers = p->next;
		free(p);
	}
	pthread_mutex_destroy(&fleet->making);
	free(fleet);
}

static struct fleet_provider *provider_of(struct fleet *fleet, const char *name)
{
	size_t size = strlen(name) + 1;
	struct fleet_provider *p = fleet->providers;

	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof(*p) + size);
	if (!p)
		return NULL;
	memcpy(p->name, name, size);
	p->next = fleet->providers;
	fleet->providers = p;
	return p;
}

static struct fleet_credential *credential_of(struct fleet *fleet, const char *provider, const char *name)
{
	size_t size = strlen(provider) + 1 + strlen(name) + 1;
	struct fleet_credential *made = calloc(1, sizeof(*made) + size), *c = fleet->credentials;

	if (!made)
		return NULL;
	snprintf(made->name, size, "%s/%s", provider, name);
	while (c && strcmp(c->name, made->name) != 0)
		c = c->next;
	if (!c)
		made->states = calloc(fleet->shard_count, sizeof(*made->states));
	if (c || !made->states) {
		free(made);
		return c;
	}
	made->next = fleet->credentials;
	fleet->credentials = made;
	return made;
}

/* The one of that name; NULL when memory is out. */
static struct fleet_deployment *deployment_named(struct fleet *fleet, struct slice name)
{
	struct fleet_deployment *d = fleet->deployments;

	while (d && !slice_equal(slice_of_string(d->name), name))
		d = d->next;
	if (d)
		return d;
	d = calloc(1, sizeof(*d) + name.size + 1);
	if (d)
		d->states = calloc(fleet->shard_count, sizeof(*d->states));
	if (!d || !d->states) {
		free(d);
		return NULL;
	}
	memcpy(d->name, name.data, name.size);
	d->owner = fleet->deployment_count++ % fleet->shard_count;
	d->next = fleet->deployments;
	fleet->deployments = d;
	return d;
}

static struct fleet_deployment *deployment_of(
	struct fleet *fleet, struct fleet_provider *provider, struct fleet_credential *credential, const char *model)
{
	size_t size = strlen(credential->name) + 1 + strlen(model) + 1;
	struct fleet_deployment *d;
	char *name = malloc(size);

	if (!name)
		return NULL;
	snprintf(name, size, "%s/%s", credential->name, model);
	d = deployment_named(fleet, slice_of_string(name));
	free(name);
	if (d) {
		d->provider = provider;
		d->credential = credential;
	}
	return d;
}

int fleet_disable(struct fleet *fleet, struct slice name)
{
	struct fleet_deployment *d = deployment_named(fleet, name);

	if (!d)
		return -ENOMEM;
	atomic_store(&d->disabled, true);
	return 0;
}

void fleet_deployment_id(const char *name, char id[static FLEET_ID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	XXH128_canonical_t hash;

	XXH128_canonicalFromHash(&hash, XXH3_128bits(name, strlen(name)));
	for (unsigned i = 0; i < FLEET_ID_BYTES / 2; i++) {
		id[2 * i] = digits[hash.digest[i] >> 4];
		id[2 * i + 1] = digits[hash.digest[i] & 15];
	}
}

/*
 * The share of a deployment's weight that one of its credentials has. A scale keeps what a division would lose: weights
 * are at most 1000 each, so that the product stays far below what balance_choose() takes.
 */
static uint64_t weight_of(const struct deployment_settings *deployment, const struct provider_settings *provider,
	const struct credential_settings *credential)
{
	enum { SCALE = 65536 };
	uint64_t sum = 0;

	if (!credential || deployment->credential || credential->workspace)
		return (uint64_t)deployment->weight * SCALE;
	for (unsigned i = 0; i < provider->credential_count; i++)
		sum += provider->credentials[i].workspace ? 0 : provider->credentials[i].weight;
	if (sum == 0)
		return credential == provider->credentials ? (uint64_t)deployment->weight * SCALE : 0;
	return (uint64_t)deployment->weight * SCALE * credential->weight / sum;
}

static uint32_t calls_max(const struct provider_settings *provider)
{
	uint32_t gpu = provider->has_gpu ? provider->gpu_max_concurrency : 0, own = provider->max_concurrency;

	return own == 0 || (gpu && gpu < own) ? gpu : own;
}

static bool add_option(struct fleet *fleet, struct fleet_view *view, const struct deployment_settings *deployment,
	const struct provider_settings *provider, unsigned index)
{
	const char *credential = index < provider->credential_count ? provider->credentials[index].name : "none";
	struct fleet_provider *p = provider_of(fleet, provider->name);
	struct fleet_credential *c = credential_of(fleet, provider->name, credential);
	struct fleet_deployment *d = p && c ? deployment_of(fleet, p, c, deployment->upstream_model) : NULL;
	struct fleet_option *option = &view->options[view->option_count];

	if (!d)
		return false;
	option->deployment = deployment;
	option->provider = provider;
	option->credential = index < provider->credential_count ? &provider->credentials[index] : NULL;
	option->of = d;
	option->weight = weight_of(deployment, provider, option->credential);
	option->calls_max = calls_max(provider);
	option->filled_first = provider->has_gpu;
	view->option_count++;
	for (unsigned i = 0; i < view->deployment_count; i++)
		if (view->deployments[i] == d)
			return true;
	view->deployments[view->deployment_count++] = d;
	return true;
}

/* Credentials that every workspace may use; a provider that needs none has one option without. */
static bool add_common(struct fleet *fleet, struct fleet_view *view, const struct deployment_settings *deployment,
	const struct provider_settings *provider)
{
	unsigned common = 0;

	for (unsigned i = 0; i < provider->credential_count; i++) {
		const struct credential_settings *credential = &provider->credentials[i];

		if (credential->workspace)
			continue;
		common++;
		if (deployment->credential && strcmp(deployment->credential, credential->name) != 0)
			continue;
		if (!add_option(fleet, view, deployment, provider, i))
			return false;
	}
	return common || add_option(fleet, view, deployment, provider, provider->credential_count);
}

static bool has_option(const struct fleet_view *view, unsigned first, const struct deployment_settings *deployment,
	const struct credential_settings *credential)
{
	for (unsigned i = first; i < view->option_count; i++)
		if (view->options[i].credential == credential &&
			strcmp(view->options[i].deployment->upstream_model, deployment->upstream_model) == 0)
			return true;
	return false;
}

/* Workspaces' own credentials, whatever the deployment's is called; once for each model, `first` is its first option.
 */
static bool add_own(struct fleet *fleet, struct fleet_view *view, unsigned first,
	const struct deployment_settings *deployment, const struct provider_settings *provider)
{
	for (unsigned i = 0; i < provider->credential_count; i++)
		if (provider->credentials[i].workspace &&
			!has_option(view, first, deployment, &provider->credentials[i]) &&
			!add_option(fleet, view, deployment, provider, i))
			return false;
	return true;
}

static bool add_deployment(
	struct fleet *fleet, struct fleet_view *view, unsigned first, const struct deployment_settings *deployment)
{
	const struct provider_settings *provider = &view->settings->providers[deployment->provider];

	return add_common(fleet, view, deployment, provider) && add_own(fleet, view, first, deployment, provider);
}

static bool fill_locked(struct fleet *fleet, struct fleet_view *view)
{
	const struct settings *settings = view->settings;

	for (unsigned m = 0; m < settings->model_count; m++) {
		view->first_option[m] = view->option_count;
		for (unsigned d = 0; d < settings->models[m].deployment_count; d++)
			if (!add_deployment(fleet, view, view->first_option[m], &settings->models[m].deployments[d]))
				return false;
	}
	view->first_option[settings->model_count] = view->option_count;
	return true;
}

static bool fill(struct fleet *fleet, struct fleet_view *view)
{
	bool filled;

	pthread_mutex_lock(&fleet->making);
	filled = fill_locked(fleet, view);
	pthread_mutex_unlock(&fleet->making);
	return filled;
}

static size_t options_max(const struct settings *settings)
{
	size_t count = 1;

	for (unsigned m = 0; m < settings->model_count; m++)
		for (unsigned d = 0; d < settings->models[m].deployment_count; d++) {
			unsigned credentials =
				settings->providers[settings->models[m].deployments[d].provider].credential_count;

			count += credentials + 1;
		}
	return count;
}

struct fleet_view *fleet_view_make(struct fleet *fleet, const struct settings *settings)
{
	struct fleet_view *view = calloc(1, sizeof(*view));
	size_t most = options_max(settings);

	if (!view)
		return NULL;
	view->settings = settings;
	view->rules = (struct breaker_rules){
		.consecutive_failures = settings->routing.more.breaker.consecutive_failures,
		.error_rate_milli = settings->routing.more.breaker.error_rate_milli,
		.min_requests = settings->routing.more.breaker.min_requests,
		.window_ns = settings->routing.more.breaker.window_ns,
		.open_ns = settings->routing.more.breaker.open_ns,
	};
	view->rules_apart = view->rules;
	view->rules_apart.min_requests = UINT32_MAX;
	view->options = calloc(most, sizeof(*view->options));
	view->deployments = calloc(most, sizeof(struct fleet_deployment *));
	view->first_option = calloc(settings->model_count + 1, sizeof(*view->first_option));
	view->budgets = calloc((size_t)settings->model_count * fleet->shard_count + 1, sizeof(*view->budgets));
	view->hedges = calloc((size_t)settings->model_count * fleet->shard_count + 1, sizeof(*view->hedges));
	if (!view->hedges || !view->options || !view->deployments || !view->first_option || !view->budgets ||
		!fill(fleet, view)) {
		fleet_view_free(view);
		return NULL;
	}
	return view;
}

void fleet_view_free(struct fleet_view *view)
{
	if (!view)
		return;
	free(view->hedges);
	free(view->budgets);
	free(view->first_option);
	free(view->deployments);
	free(view->options);
	free(view);
}

struct fleet_deployment *fleet_view_find(const struct fleet_view *view, struct slice name)
{
	for (unsigned i = 0; i < view->deployment_count; i++)
		if (slice_equal(slice_of_string(view->deployments[i]->name), name))
			return view->deployments[i];
	return NULL;
}
