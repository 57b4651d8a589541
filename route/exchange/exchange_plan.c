/*
 * The plan of an exchange: from the model that was named, its fallbacks or the request's own chain, and the request's
 * hints, to candidates and verdicts (route/fleet/plan.h), and the refusal when none is left.
 */
#include "route/fleet/affinity.h"
#include "route/exchange/exchange.h"

#include <limits.h>

#define NONE slice_of(NULL, 0)

json_ref exchange_hint(const struct exchange *e, struct slice name)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value;

	if (e->asked.hints == JSON_NONE || json_type(json, e->asked.hints) != JSON_OBJECT)
		return JSON_NONE;
	value = json_member(json, e->asked.hints, name);
	return value != JSON_NONE && json_type(json, value) == JSON_NULL ? JSON_NONE : value;
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

/*
 * The providers' ranks: what is preferred in its order, then all others; what the hints or the routing exclude not at
 * all. *ranks is NULL where that says nothing. False when memory is out.
 */
static bool rank_providers(struct exchange *e, const uint8_t **ranks)
{
	const struct settings *settings = e->config->config->settings;
	const struct json_parser *json = e->gateway_shard->json;
	json_ref exclude = exchange_hint(e, SLICE("exclude_providers")),
		 prefer = exchange_hint(e, SLICE("prefer_providers"));
	uint8_t *made;

	*ranks = NULL;
	if (exclude == JSON_NONE && prefer == JSON_NONE && settings->routing.more.allowed_providers.count == 0 &&
		settings->routing.more.blocked_providers.count == 0)
		return true;
	made = arena_alloc(&e->arena, settings->provider_count);
	if (!made)
		return false;
	for (unsigned i = 0; i < settings->provider_count; i++) {
		const char *name = settings->providers[i].name;
		unsigned place = place_in(json, prefer, name);

		made[i] = place < PLAN_PROVIDER_UNRANKED ? (uint8_t)place : PLAN_PROVIDER_UNRANKED;
		if (place_in(json, exclude, name) != UINT_MAX || !routing_allows_provider(settings, name))
			made[i] = PLAN_PROVIDER_EXCLUDED;
	}
	*ranks = made;
	return true;
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
static void add_declared(struct exchange *e, const struct plan_request *request, const struct strings *names)
{
	for (unsigned i = 0; i < names->count; i++) {
		const struct model_settings *model =
			catalog_find(e->config->config->catalog, slice_of_string(names->list[i]));

		if (!model)
			continue;
		if (may_use(e, model))
			plan_model(&e->plan, request, model);
		else
			plan_verdict(&e->plan, model, VERDICT_NOT_ALLOWED);
	}
}

/* The request's own chain: what it names has to exist and to be allowed. */
static bool add_chain(struct exchange *e, const struct plan_request *request)
{
	const struct json_parser *json = e->gateway_shard->json;

	for (json_ref m = json_first(json, e->asked.chain); m != JSON_NONE; m = json_next(json, m)) {
		struct slice name = json_string(json, m);
		const struct model_settings *model = catalog_find(e->config->config->catalog, name);

		if (!model)
			return refuse_unknown(e, name, SLICE("x-fallback-chain"));
		if (!may_use(e, model))
			return refuse_not_allowed(e, SLICE("x-fallback-chain"));
		plan_model(&e->plan, request, model);
	}
	return true;
}

static bool add_fallbacks(struct exchange *e, const struct plan_request *request, const struct model_settings *model)
{
	const struct settings *settings = e->config->config->settings;
	const struct json_parser *json = e->gateway_shard->json;

	if (e->asked.chain != JSON_NONE && json_type(json, e->asked.chain) == JSON_ARRAY)
		return add_chain(e, request);
	if (!settings->routing.fallback_enabled)
		return true;
	add_declared(e, request, &model->fallback);
	add_declared(e, request, &settings->routing.fallback_chain);
	return true;
}

/* The hints that are acted on are lists of strings. */
static bool check_hint(struct exchange *e, struct slice name, struct slice param)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref list = exchange_hint(e, name);
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

static const struct slice no_deployment = {"No deployment of this model can serve the call at the moment.", 61};

#define FOR_NOW(verdict) (1u << (verdict))
#define LIMITED_FOR_NOW (FOR_NOW(VERDICT_COOLING) | FOR_NOW(VERDICT_LIMITED))
#define ANY_FOR_NOW                                                                                                    \
	(LIMITED_FOR_NOW | FOR_NOW(VERDICT_BREAKER_OPEN) | FOR_NOW(VERDICT_NO_CREDENTIAL) | FOR_NOW(VERDICT_DISABLED))

/* Nobody is left for reasons that pass: what a call would have come to, had it been made. */
void exchange_refuse_for_now(struct exchange *e)
{
	uint32_t given = e->plan.verdicts_given & ANY_FOR_NOW;
	struct api_error error = {.status = 503,
		.type = SLICE("overloaded"),
		.code = SLICE("no_deployment"),
		.message = no_deployment,
		.retry_after_s = exchange_retry_after_s(e)};

	if (given == FOR_NOW(VERDICT_NO_CREDENTIAL)) {
		error.status = 502;
		error.type = SLICE("upstream_error");
		error.code = SLICE("upstream_auth_error");
		error.retry_after_s = 0;
		error.message =
			SLICE("The provider did not accept the gateway's credential. Tell the gateway's operator.");
		exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
		return;
	}
	if (e->plan.again_ns && !(given & ~LIMITED_FOR_NOW)) {
		error.status = 429;
		error.type = SLICE("rate_limit_exceeded");
		error.code = SLICE("upstream_rate_limited");
		error.message = SLICE("The provider's rate limit is reached. Try again later.");
	}
	exchange_refuse(e, &error, NONE);
}

/* Why no candidate is left, where that does not pass: by the verdict on the first that was left aside. */
static const struct {
	enum receipt_verdict verdict;
	unsigned status;
	struct slice type, code, message, param;
} refusals[] = {
	{VERDICT_NO_CAPABILITY, 400, {"invalid_request_error", 21}, {"unsupported_feature", 19},
		{"This model does not offer this API. Use another model.", 54}, {"model", 5}},
	{VERDICT_TOO_SMALL_CONTEXT, 400, {"invalid_request_error", 21}, {"context_length_exceeded", 23},
		{"The prompt and the answer asked for are longer than any model here takes. Send less.", 84},
		{"messages", 8}},
	{VERDICT_BELOW_QUALITY, 400, {"invalid_request_error", 21}, {"no_model_fits", 13},
		{"No model that may serve this request has the quality asked for. Ask for less.", 77},
		{"x-routing-hints.min_quality_score", 33}},
	{VERDICT_NOT_ALLOWED, 403, {"permission_error", 16}, {"model_not_allowed", 17},
		{"This API key may use no model here. Ask its owner for one that may.", 67}, {"model", 5}},
	{VERDICT_RESIDENCY, 403, {"permission_error", 16}, {"residency", 9},
		{"No provider in this workspace's region serves this model. Use another model.", 76}, {NULL, 0}},
};

/* The hints may be what excludes all; else the configuration does. */
static bool hints_exclude(const struct exchange *e)
{
	json_ref exclude = exchange_hint(e, SLICE("exclude_providers"));

	return exclude != JSON_NONE && json_first(e->gateway_shard->json, exclude) != JSON_NONE;
}

static void refuse_for_good(struct exchange *e, enum receipt_verdict verdict)
{
	struct api_error error = {.status = 0};

	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].verdict == verdict)
			error = (struct api_error){.status = refusals[i].status,
				.type = refusals[i].type,
				.code = refusals[i].code,
				.message = refusals[i].message,
				.param = refusals[i].param};
	if (verdict == VERDICT_EXCLUDED && hints_exclude(e))
		error = (struct api_error){.status = 400,
			.type = SLICE("invalid_request_error"),
			.code = SLICE("providers_excluded"),
			.message = SLICE("The hints exclude every provider of this model. Exclude fewer, or use "
					 "another model."),
			.param = exclude_param};
	if (verdict == VERDICT_NO_CAPABILITY && e->problem.code.data) {
		error.param = e->problem.param;
		error.code = e->problem.code;
		error.message = e->problem.message;
	}
	if (error.status)
		exchange_refuse(e, &error, NONE);
	else
		exchange_refuse_overloaded(e, SLICE("no_deployment"), no_deployment);
}

static void refuse_all(struct exchange *e)
{
	if (e->api == API_COUNT_TOKENS && e->plan.verdict_count && e->plan.verdicts[0].verdict == VERDICT_NO_CAPABILITY)
		exchange_estimate_count(e);
	else if (e->plan.verdicts_given & ANY_FOR_NOW)
		exchange_refuse_for_now(e);
	else if (e->plan.verdict_count)
		refuse_for_good(e, e->plan.verdicts[0].verdict);
	else
		refuse_for_good(e, e->route_choice.automatic ? VERDICT_NOT_ALLOWED : VERDICT_LIMITED);
}

static void tell_verdicts(struct exchange *e)
{
	for (unsigned i = 0; i < e->plan.verdict_count; i++)
		e->receipt.candidates[i] = e->plan.verdicts[i];
	e->receipt.candidate_count = e->plan.verdict_count;
}

static bool can_serve(void *context, const struct exchange_candidate *candidate)
{
	return exchange_can_serve(context, candidate);
}

static bool refuse_out_of_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return false;
}

/* The model that was named, by the request or by a rule, and what may serve in its place. */
static bool plan_named(struct exchange *e, const struct plan_request *request)
{
	const struct model_settings *model = catalog_find(e->config->config->catalog, e->route_choice.model);

	if (!model)
		return refuse_unknown(e, e->route_choice.model, SLICE("model"));
	if (!may_use(e, model))
		return refuse_not_allowed(e, SLICE("model"));
	plan_model(&e->plan, request, model);
	return e->shadow || add_fallbacks(e, request, model);
}

/* A prompt's beginning: what the system says, and what was said first. */
static struct slice conversation_of(const struct exchange *e)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref said = json_member(json, 0, e->api == API_RESPONSES ? SLICE("input") : SLICE("messages"));
	struct slice raw = said == JSON_NONE ? NONE : json_raw(json, said);

	return slice_of(raw.data, raw.size < AFFINITY_PROMPT_BYTES ? raw.size : AFFINITY_PROMPT_BYTES);
}

bool exchange_candidates(struct exchange *e)
{
	struct shard *shard = e->gateway_shard->shard;
	struct plan_request request = {
		.view = e->config->config->fleet,
		.shard = shard->index,
		.now_ns = shard_now_ns(shard),
		.rand = &shard->rand,
		.api = e->api,
		.stream = e->stream,
		.tokens = exchange_tokens_about(e),
		.residency = e->workspace ? e->workspace->residency : NULL,
		.workspace = e->workspace ? e->workspace->id : NULL,
		.conversation = conversation_of(e),
		.can_serve = can_serve,
		.context = e,
	};

	plan_begin(&e->plan);
	if (!check_hint(e, SLICE("exclude_providers"), exclude_param) ||
		!check_hint(e, SLICE("prefer_providers"), prefer_param))
		return false;
	if (!exchange_route(e))
		return false;
	if (!rank_providers(e, &request.provider_ranks))
		return refuse_out_of_memory(e);
	if (e->route_choice.automatic && !exchange_plan_auto(e, &request))
		return refuse_out_of_memory(e);
	if (!e->route_choice.automatic && !plan_named(e, &request))
		return false;
	plan_end(&e->plan);
	if (exchange_has_failover(e))
		exchange_order_failover(e);
	return true;
}

bool exchange_plan(struct exchange *e)
{
	if (!exchange_candidates(e))
		return false;
	tell_verdicts(e);
	if (e->plan.candidate_count == 0)
		refuse_all(e);
	return e->plan.candidate_count > 0;
}
