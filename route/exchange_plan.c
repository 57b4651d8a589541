/*
 * The plan of an exchange: which deployments with which credentials may serve the model that was named, in the order in
 * which they are tried. The first of a group is drawn by weight, the others follow as declared; within a model, those
 * of the providers that the request prefers come first.
 */
#include "route/exchange.h"

#include <limits.h>

#define NONE slice_of(NULL, 0)

static void add_verdict(struct exchange *e, const struct model_settings *model, enum receipt_verdict verdict)
{
	struct receipt *receipt = &e->receipt;

	if (receipt->candidate_count < RECEIPT_CANDIDATES_MAX)
		receipt->candidates[receipt->candidate_count++] =
			(struct receipt_candidate){slice_of_string(model->id), verdict};
}

static void add_candidate(struct exchange *e, const struct exchange_candidate *candidate)
{
	if (e->candidate_count < EXCHANGE_CANDIDATES_MAX)
		e->candidates[e->candidate_count++] = *candidate;
}

/* A list in the request's hints; JSON_NONE: not given. */
static json_ref hint(const struct exchange *e, struct slice name)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref list;

	if (e->asked.hints == JSON_NONE || json_type(json, e->asked.hints) != JSON_OBJECT)
		return JSON_NONE;
	list = json_member(json, e->asked.hints, name);
	return list != JSON_NONE && json_type(json, list) == JSON_NULL ? JSON_NONE : list;
}

/* Where `name` stands in a list of strings; UINT_MAX: not there. */
static unsigned place_in(const struct json_parser *json, json_ref list, const char *name)
{
	unsigned place = 0;

	if (list == JSON_NONE)
		return UINT_MAX;
	for (json_ref m = json_first(json, list); m != JSON_NONE; m = json_next(json, m), place++)
		if (slice_equal(json_string(json, m), slice_of_string(name)))
			return place;
	return UINT_MAX;
}

static bool is_excluded(const struct exchange *e, const struct provider_settings *provider)
{
	return place_in(e->gateway_shard->json, hint(e, SLICE("exclude_providers")), provider->name) != UINT_MAX ||
	       !routing_allows_provider(e->config->config->settings, provider->name);
}

/* Stable: what is preferred alike, or not at all, stays in its order. At most 16 candidates. */
static void put_preferred_first(struct exchange *e, unsigned first)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref prefer = hint(e, SLICE("prefer_providers"));
	unsigned at;

	if (prefer == JSON_NONE)
		return;
	for (unsigned i = first + 1; i < e->candidate_count; i++) {
		struct exchange_candidate moved = e->candidates[i];
		unsigned place = place_in(json, prefer, moved.provider->name);

		for (at = i; at > first && place_in(json, prefer, e->candidates[at - 1].provider->name) > place; at--)
			e->candidates[at] = e->candidates[at - 1];
		e->candidates[at] = moved;
	}
}

/* The credentials of one deployment: the named one, or all of the provider's. */
static void add_credentials(struct exchange *e, struct exchange_candidate *candidate)
{
	const struct provider_settings *provider = candidate->provider;
	const char *named = candidate->deployment->credential;
	uint64_t weights = 0, drawn;
	unsigned first = 0;

	if (provider->credential_count == 0) {
		add_candidate(e, candidate);
		return;
	}
	for (unsigned i = 0; i < provider->credential_count; i++)
		weights += provider->credentials[i].weight;
	drawn = weights ? rand_below(&e->gateway_shard->shard->rand, weights) : 0;
	while (first + 1 < provider->credential_count && drawn >= provider->credentials[first].weight)
		drawn -= provider->credentials[first++].weight;
	for (unsigned i = 0; i < provider->credential_count; i++) {
		/* The drawn one, then the others in order. */
		unsigned at = i == 0 ? first : i <= first ? i - 1 : i;

		candidate->credential = &provider->credentials[at];
		if (!named || strcmp(named, candidate->credential->name) == 0)
			add_candidate(e, candidate);
	}
}

static enum receipt_verdict judge(struct exchange *e, const struct exchange_candidate *candidate)
{
	const struct provider_settings *provider = candidate->provider;

	if (!candidate->dialect || !candidate->dialect->paths[e->api])
		return VERDICT_NO_CAPABILITY;
	if (e->workspace && e->workspace->residency &&
		(!provider->region || strcmp(e->workspace->residency, provider->region) != 0))
		return VERDICT_RESIDENCY;
	if (is_excluded(e, provider))
		return VERDICT_EXCLUDED;
	return exchange_can_serve(e, candidate) ? VERDICT_CHOSEN : VERDICT_NO_CAPABILITY;
}

static void add_deployment(
	struct exchange *e, const struct model_settings *model, const struct deployment_settings *deployment)
{
	struct exchange_candidate candidate = {.model = model, .deployment = deployment};
	enum receipt_verdict verdict;

	candidate.provider = &e->config->config->settings->providers[deployment->provider];
	candidate.dialect = dialect_of(candidate.provider->kind);
	verdict = judge(e, &candidate);
	if (verdict == VERDICT_CHOSEN)
		add_credentials(e, &candidate);
	else
		add_verdict(e, model, verdict);
}

static const char *api_capability(enum receipt_api api)
{
	switch (api) {
	case API_COMPLETIONS:
		return "completions";
	case API_EMBEDDINGS:
		return "embeddings";
	case API_MODERATIONS:
		return "moderations";
	default:
		return "chat";
	}
}

/* A model that says nothing of its capabilities has all that its provider's kind has. */
static bool model_can(const struct model_settings *model, const char *capability)
{
	if (model->capabilities.count == 0)
		return true;
	for (unsigned i = 0; i < model->capabilities.count; i++)
		if (strcmp(model->capabilities.list[i], capability) == 0)
			return true;
	return false;
}

static void add_model(struct exchange *e, const struct model_settings *model)
{
	uint64_t weights = 0, drawn;
	unsigned first = 0, before = e->candidate_count;

	if (!model_can(model, api_capability(e->api)) || (e->stream && !model_can(model, "streaming"))) {
		add_verdict(e, model, VERDICT_NO_CAPABILITY);
		return;
	}
	for (unsigned i = 0; i < model->deployment_count; i++)
		weights += model->deployments[i].weight;
	drawn = weights ? rand_below(&e->gateway_shard->shard->rand, weights) : 0;
	while (first + 1 < model->deployment_count && drawn >= model->deployments[first].weight)
		drawn -= model->deployments[first++].weight;
	for (unsigned i = 0; i < model->deployment_count; i++)
		add_deployment(e, model, &model->deployments[i == 0 ? first : i <= first ? i - 1 : i]);
	put_preferred_first(e, before);
}

static bool refuse_unknown(struct exchange *e, struct slice name, struct slice param)
{
	struct api_error error = {
		.status = 404, .type = SLICE("not_found_error"), .code = SLICE("model_not_found"), .param = param};
	size_t capacity = name.size + 1024;
	struct text message = text_over(arena_alloc(&e->arena, capacity), capacity);
	struct text near = text_over(arena_alloc(&e->arena, 768), 768);

	error.message = SLICE("There is no model of this name. GET /v1/models lists them.");
	if (message.data && near.data) {
		text_literal(&message, "There is no model \"");
		text_add(&message, name);
		if (catalog_suggest(e->config->config->catalog, name, &near) && !near.full) {
			text_literal(&message, "\". Near names: ");
			text_add(&message, text_slice(&near));
			text_literal(&message, ". GET /v1/models lists all.");
		} else {
			text_literal(&message, "\". GET /v1/models lists what there is.");
		}
		error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, NONE);
	return false;
}

/* What a key may use and the routing of this gateway leaves in use. */
static bool may_use(const struct exchange *e, const struct model_settings *model)
{
	struct slice id = slice_of_string(model->id);

	return key_allows_model(e->key, id) && routing_allows_model(e->config->config->settings, id);
}

static bool refuse_not_allowed(struct exchange *e, struct slice param)
{
	struct api_error error = {.status = 403,
		.type = SLICE("permission_error"),
		.code = SLICE("model_not_allowed"),
		.message = SLICE("This API key may not use this model. GET /v1/models lists those it may."),
		.param = param};

	exchange_refuse(e, &error, NONE);
	return false;
}

/* Fallbacks of the configuration: those that this key may not use are left out, and say so on the receipt. */
static void add_declared(struct exchange *e, const struct strings *names)
{
	for (unsigned i = 0; i < names->count; i++) {
		const struct model_settings *model =
			catalog_find(e->config->config->catalog, slice_of_string(names->list[i]));

		if (!model)
			continue;
		if (may_use(e, model))
			add_model(e, model);
		else
			add_verdict(e, model, VERDICT_NOT_ALLOWED);
	}
}

/* The request's own chain: what it names has to exist and to be allowed. */
static bool add_chain(struct exchange *e)
{
	const struct json_parser *json = e->gateway_shard->json;

	for (json_ref m = json_first(json, e->asked.chain); m != JSON_NONE; m = json_next(json, m)) {
		struct slice name = json_string(json, m);
		const struct model_settings *model = catalog_find(e->config->config->catalog, name);

		if (!model)
			return refuse_unknown(e, name, SLICE("x-fallback-chain"));
		if (!may_use(e, model))
			return refuse_not_allowed(e, SLICE("x-fallback-chain"));
		add_model(e, model);
	}
	return true;
}

static bool add_fallbacks(struct exchange *e, const struct model_settings *model)
{
	const struct settings *settings = e->config->config->settings;
	const struct json_parser *json = e->gateway_shard->json;

	if (e->asked.chain != JSON_NONE && json_type(json, e->asked.chain) == JSON_ARRAY)
		return add_chain(e);
	if (!settings->routing.fallback_enabled)
		return true;
	add_declared(e, &model->fallback);
	add_declared(e, &settings->routing.fallback_chain);
	return true;
}

/* The hints that are acted on are lists of strings. */
static bool check_hint(struct exchange *e, struct slice name, struct slice param)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref list = hint(e, name);
	bool good = list == JSON_NONE || json_type(json, list) == JSON_ARRAY;
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("invalid_type"),
		.message = SLICE("This routing hint has to be an array of provider names."),
		.param = param};

	for (json_ref m = good && list != JSON_NONE ? json_first(json, list) : JSON_NONE; m != JSON_NONE;
		m = json_next(json, m))
		good = good && json_type(json, m) == JSON_STRING;
	if (!good)
		exchange_refuse(e, &error, NONE);
	return good;
}

static const struct slice exclude_param = {"x-routing-hints.exclude_providers", 33};
static const struct slice prefer_param = {"x-routing-hints.prefer_providers", 32};

/* Says why no candidate is left, by the verdict on the first. */
static void refuse_all(struct exchange *e)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref exclude = hint(e, SLICE("exclude_providers"));
	enum receipt_verdict verdict = e->receipt.candidate_count ? e->receipt.candidates[0].verdict : VERDICT_LIMITED;
	struct api_error error = {.status = 400, .type = SLICE("invalid_request_error")};

	if (verdict == VERDICT_NO_CAPABILITY && e->problem.code.data) {
		error.param = e->problem.param;
		error.code = e->problem.code;
		error.message = e->problem.message;
	} else if (verdict == VERDICT_NO_CAPABILITY) {
		error.param = SLICE("model");
		error.code = SLICE("unsupported_feature");
		error.message = SLICE("This model does not offer this API. Use another model.");
	} else if (verdict == VERDICT_RESIDENCY) {
		error.status = 403;
		error.type = SLICE("permission_error");
		error.code = SLICE("residency");
		error.message = SLICE("No provider in this workspace's region serves this model. Use another model.");
	} else if (verdict == VERDICT_EXCLUDED && exclude != JSON_NONE && json_first(json, exclude) != JSON_NONE) {
		error.param = exclude_param;
		error.code = SLICE("providers_excluded");
		error.message = SLICE("The hints exclude every provider of this model. Exclude fewer, or use another "
				      "model.");
	} else {
		exchange_refuse_overloaded(e, SLICE("no_deployment"),
			SLICE("No deployment of this model can serve the call at the moment."));
		return;
	}
	exchange_refuse(e, &error, NONE);
}

bool exchange_plan(struct exchange *e)
{
	const struct model_settings *model = catalog_find(e->config->config->catalog, e->model_name);

	if (!check_hint(e, SLICE("exclude_providers"), exclude_param) ||
		!check_hint(e, SLICE("prefer_providers"), prefer_param))
		return false;
	if (!model)
		return refuse_unknown(e, e->model_name, SLICE("model"));
	if (!may_use(e, model))
		return refuse_not_allowed(e, SLICE("model"));
	add_model(e, model);
	if (!add_fallbacks(e, model))
		return false;
	if (e->candidate_count == 0)
		refuse_all(e);
	return e->candidate_count > 0;
}
