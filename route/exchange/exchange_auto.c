/*
 * A request's route where it is the gateway's to choose: its score and bucket, the rule that applies, and for `auto`
 * the order of all models that may serve it. What was decided, and why, goes into the receipt.
 */
#include "route/exchange/exchange.h"

#include "route/auto/decision.h"
#include "route/auto/rank.h"
#include "route/auto/rules.h"
#include "route/auto/score.h"

#include <math.h>

#define NONE slice_of(NULL, 0)

enum {
	REASON_BYTES = 320,
	OUTPUT_TOKENS_USUAL = 500,             /* of an answer whose length is not bounded, for what it will cost */
	TOLD_MAX = RECEIPT_CANDIDATES_MAX / 2, /* of those that are left aside */
	RANKED_MAX = RECEIPT_CANDIDATES_MAX + TOLD_MAX
};

/* ---- what the request is like --------------------------------------------------------------------------------- */

/* The last message of the user's that has text, all of its texts; else the last that anybody said. */
static const struct chat_message *last_said(const struct chat *chat)
{
	const struct chat_message *last = NULL, *last_of_user = NULL;

	for (const struct chat_message *message = chat->messages; message; message = message->next)
		for (const struct chat_part *part = message->parts.first; part; part = part->next)
			if (part->kind == CHAT_TEXT && part->text.size) {
				last = message;
				if (message->role == CHAT_USER)
					last_of_user = message;
				break;
			}
	return last_of_user ? last_of_user : last;
}

/* One text as it stands; several joined by line ends in the arena, or the last of them where memory is out. */
static struct slice text_of(struct exchange *e, const struct chat_message *message)
{
	struct text joined = text_over(NULL, 0);
	struct slice only = NONE;
	size_t size = 0;
	unsigned count = 0;

	for (const struct chat_part *part = message ? message->parts.first : NULL; part; part = part->next)
		if (part->kind == CHAT_TEXT && part->text.size) {
			only = part->text;
			size += part->text.size + 1;
			count++;
		}
	if (count > 1)
		joined = text_over(arena_alloc(&e->arena, size), size);
	if (!joined.data)
		return only;
	for (const struct chat_part *part = message->parts.first; part; part = part->next)
		if (part->kind == CHAT_TEXT && part->text.size) {
			text_add(&joined, part->text);
			text_char(&joined, '\n');
		}
	return text_slice(&joined);
}

static struct analysis_shape shape_of(const struct exchange *e, const struct chat *chat)
{
	struct analysis_shape shape = {.prompt_bytes = e->request->body.size,
		.max_tokens = chat->max_tokens > 0 ? (uint64_t)chat->max_tokens : 0,
		.schema = chat->format != CHAT_FORMAT_TEXT};

	for (const struct chat_message *message = chat->messages; message; message = message->next) {
		shape.message_count++;
		for (const struct chat_part *part = message->parts.first; part; part = part->next)
			shape.image_count += part->kind == CHAT_IMAGE;
	}
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next)
		shape.tool_count++;
	return shape;
}

/* What cannot be read as a chat is for a provider to refuse; until then it is neither easy nor hard. */
static void score_request(struct exchange *e)
{
	const struct chat *chat = exchange_chat(e);
	struct analysis_shape shape;
	struct analysis *analysis;

	e->route_choice.score.bucket = BUCKET_STANDARD;
	analysis = chat ? arena_alloc(&e->arena, sizeof(*analysis)) : NULL;
	if (!analysis)
		return;
	shape = shape_of(e, chat);
	analyse(analysis, e->gateway_shard->terms, text_of(e, last_said(chat)), &shape);
	score_analysis(analysis, &e->route_choice.score);
	e->route_choice.scored = true;
}

/* ---- rules ---------------------------------------------------------------------------------------------------- */

static bool has_images(const struct chat *chat)
{
	for (const struct chat_message *message = chat->messages; message; message = message->next)
		for (const struct chat_part *part = message->parts.first; part; part = part->next)
			if (part->kind == CHAT_IMAGE)
				return true;
	return false;
}

/* The endpoint's own come first. */
static const struct rule_settings *match(struct exchange *e, const struct rule_facts *facts)
{
	const struct routing_features *routing = &e->config->config->settings->routing.more;
	const struct endpoint_settings *endpoint = e->endpoint ? e->endpoint->settings : NULL;
	const struct rule_settings *rule = endpoint ? rules_match(endpoint->rules, endpoint->rule_count, facts) : NULL;

	if (rule) {
		e->route_choice.rule = (unsigned)(rule - endpoint->rules) + 1;
		return rule;
	}
	rule = rules_match(routing->rules, routing->rule_count, facts);
	if (rule)
		e->route_choice.rule = (unsigned)(rule - routing->rules) + 1;
	return rule;
}

static bool has_rules(const struct exchange *e)
{
	return e->config->config->settings->routing.more.rule_count ||
	       (e->endpoint && e->endpoint->settings->rule_count);
}

static bool rules_score(const struct exchange *e)
{
	const struct routing_features *routing = &e->config->config->settings->routing.more;

	return rules_need_score(routing->rules, routing->rule_count) ||
	       (e->endpoint && rules_need_score(e->endpoint->settings->rules, e->endpoint->settings->rule_count));
}

static void apply_rules(struct exchange *e)
{
	const struct chat *chat = has_rules(e) ? exchange_chat(e) : NULL;
	const struct rule_settings *rule;
	struct rule_facts facts = {.model = e->model_name,
		.region = slice_of_string(e->config->config->settings->region),
		.input_tokens = exchange_tokens_about(e),
		.bucket = e->route_choice.score.bucket,
		.wall_ns = e->received_wall_ns,
		.key = e->key};

	if (!has_rules(e))
		return;
	facts.monthly_spend_percent = exchange_month_percent(e);
	facts.has_tools = chat && chat->tools;
	facts.has_images = chat && has_images(chat);
	facts.has_schema = chat && chat->format == CHAT_FORMAT_JSON_SCHEMA;
	rule = match(e, &facts);
	if (!rule)
		return;
	if (rule->use_priority >= 0)
		e->route_choice.priority = (enum route_priority)rule->use_priority;
	if (rule->use_model)
		e->route_choice.model = slice_of_string(rule->use_model);
}

/* ---- hints ---------------------------------------------------------------------------------------------------- */

static bool refuse_hint(struct exchange *e, struct slice param, struct slice message)
{
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("invalid_value"),
		.message = message,
		.param = param};

	exchange_refuse(e, &error, NONE);
	return false;
}

static bool read_priority(struct exchange *e)
{
	static const struct slice names[] = {{"cost", 4}, {"latency", 7}, {"quality", 7}};
	json_ref value = exchange_hint(e, SLICE("priority"));

	if (value == JSON_NONE)
		return true;
	for (unsigned i = 0; i < 3; i++)
		if (json_type(e->gateway_shard->json, value) == JSON_STRING &&
			slice_equal(json_string(e->gateway_shard->json, value), names[i])) {
			e->route_choice.priority = i;
			return true;
		}
	return refuse_hint(e, SLICE("x-routing-hints.priority"),
		SLICE("This routing hint has to be \"cost\", \"latency\" or \"quality\"."));
}

static bool read_number(struct exchange *e, struct slice name, double most, double *number)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value = exchange_hint(e, name);

	if (value == JSON_NONE)
		return true;
	return (json_type(json, value) == JSON_INTEGER || json_type(json, value) == JSON_NUMBER) &&
	       json_number(json, value, number) && *number >= 0 && *number <= most;
}

static bool read_hints(struct exchange *e)
{
	double latency_ms = NAN, quality = NAN;

	if (!read_priority(e))
		return false;
	if (!read_number(e, SLICE("max_latency_ms"), 3600000, &latency_ms))
		return refuse_hint(e, SLICE("x-routing-hints.max_latency_ms"),
			SLICE("This routing hint has to be a number of milliseconds, 0 to 3600000."));
	if (!read_number(e, SLICE("min_quality_score"), 1, &quality))
		return refuse_hint(e, SLICE("x-routing-hints.min_quality_score"),
			SLICE("This routing hint has to be a number from 0 to 1."));
	if (!isnan(latency_ms))
		e->route_choice.latency_ns = (uint64_t)(latency_ms * NS_PER_MS);
	if (!isnan(quality)) {
		e->route_choice.quality_milli = (uint32_t)(quality * 1000);
		e->route_choice.quality_asked = true;
	}
	return true;
}

bool exchange_route(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	const struct routing_features *routing = &settings->routing.more;
	struct route_choice *choice = &e->route_choice;

	*choice = (struct route_choice){.model = e->model_name,
		.priority = routing->default_priority,
		.latency_ns = (uint64_t)routing->max_latency_ms * NS_PER_MS,
		.score.bucket = BUCKET_STANDARD};
	if (!exchange_is_chat(e) || e->shadow)
		return true;
	if (slice_equal(e->model_name, SLICE("auto")) || settings->routing.score_always || rules_score(e))
		score_request(e);
	apply_rules(e);
	if (!read_hints(e)) /* the request's own word is the last */
		return false;
	choice->automatic = slice_equal(choice->model, SLICE("auto"));
	if (!choice->quality_asked)
		choice->quality_milli = rank_quality_milli(choice->score.bucket, routing->quality_threshold_milli);
	return true;
}

/* ---- auto ----------------------------------------------------------------------------------------------------- */

static uint64_t fastest_ns(const struct exchange *e, const struct plan_request *request, unsigned model)
{
	enum balance_kind kind = e->stream ? BALANCE_STREAM : BALANCE_UNARY;
	uint64_t fastest = 0;

	for (unsigned i = request->view->first_option[model]; i < request->view->first_option[model + 1]; i++) {
		const struct deployment_state *state = &request->view->options[i].of->states[request->shard];
		uint64_t value = balance_ewma(state->ewma[kind], hedge_class(request->tokens))->value_ns;

		if (value && (!fastest || value < fastest))
			fastest = value;
	}
	return fastest;
}

int64_t exchange_cost_about(const struct exchange *e, const struct model_settings *model)
{
	struct usage usage = {.prompt_tokens = exchange_tokens_about(e),
		.completion_tokens =
			e->chat && e->chat->max_tokens > 0 ? (uint64_t)e->chat->max_tokens : OUTPUT_TOKENS_USUAL};

	return price_cost(&model->price, &usage, 0).total_nusd;
}

static void add_model(
	const struct exchange *e, const struct plan_request *request, struct rank_model *m, unsigned index)
{
	const struct settings *settings = e->config->config->settings;
	const struct model_settings *model = &settings->models[index];

	*m = (struct rank_model){.model = model,
		.cost_nusd = exchange_cost_about(e, model),
		.latency_ns = fastest_ns(e, request, index),
		.verdict = VERDICT_CHOSEN};
	if (!key_allows_model(e->key, slice_of_string(model->id)) ||
		!routing_allows_model(settings, slice_of_string(model->id)))
		m->verdict = VERDICT_NOT_ALLOWED;
}

static void print_reason(struct exchange *e, unsigned count)
{
	static const struct slice orders[] = {{"cheapest", 8}, {"fastest", 7}, {"best", 4}};
	const struct score *score = &e->route_choice.score;
	struct text reason = text_over(arena_alloc(&e->arena, REASON_BYTES), REASON_BYTES);

	if (!reason.data)
		return;
	text_add(&reason, orders[e->route_choice.priority]);
	text_literal(&reason, " of ");
	text_u64(&reason, count);
	text_literal(&reason, " that fit a ");
	text_add(&reason, score_bucket_name(score->bucket));
	text_literal(&reason, " request");
	if (score->unsure)
		text_literal(&reason, " (or an easier one)");
	for (unsigned i = 0; i < score->reason_count; i++) {
		text_string(&reason, i ? ", " : ": ");
		text_string(&reason, score->reasons[i].harder ? "more by " : "less by ");
		text_add(&reason, score->reasons[i].name);
	}
	e->route_choice.reason = text_slice(&reason);
}

static void keep_figures(struct exchange *e, const struct rank_model *model, unsigned place)
{
	struct route_choice *choice = &e->route_choice;
	unsigned declared = (unsigned)(model->model - e->config->config->settings->models);

	if (choice->ranked && choice->ranked_count < RANKED_MAX)
		choice->ranked[choice->ranked_count++] =
			(struct ranked_figures){model->model, decision_figures(model, declared, place)};
}

/* Of what is left aside at most that many, so that a receipt has room for what is tried. What may not be used at all is
 * not worth a word. */
static void tell_left_aside(struct exchange *e, const struct rank_model *models, unsigned from, unsigned count)
{
	for (unsigned i = from; i < count && e->plan.verdict_count < TOLD_MAX; i++)
		if (models[i].verdict != VERDICT_NOT_ALLOWED) {
			plan_verdict(&e->plan, models[i].model, models[i].verdict);
			keep_figures(e, &models[i], 0);
		}
}

bool exchange_plan_auto(struct exchange *e, const struct plan_request *request)
{
	const struct settings *settings = e->config->config->settings;
	struct rank_rules rules = {.priority = e->route_choice.priority,
		.quality_milli = e->route_choice.quality_milli,
		.quality_asked = e->route_choice.quality_asked,
		.latency_ns = e->route_choice.latency_ns,
		.tokens = request->tokens + (e->chat && e->chat->max_tokens > 0 ? (uint64_t)e->chat->max_tokens : 0)};
	unsigned count = settings->model_count, fit; /* at most SETTINGS_MODELS_MAX */
	struct rank_model *models = arena_alloc(&e->arena, count * sizeof(*models) + 1);

	if (!models)
		return false;
	e->route_choice.tokens = rules.tokens;
	e->route_choice.ranked = arena_alloc(&e->arena, RANKED_MAX * sizeof(*e->route_choice.ranked));
	for (unsigned i = 0; i < count; i++)
		add_model(e, request, &models[i], i);
	fit = rank_models(models, count, &rules);
	for (unsigned i = 0; i < fit && e->plan.candidate_count < PLAN_CANDIDATES_MAX; i++)
		plan_model(&e->plan, request, models[i].model);
	for (unsigned i = 0; i < fit && i < RECEIPT_CANDIDATES_MAX; i++)
		keep_figures(e, &models[i], i + 1);
	print_reason(e, fit);
	tell_left_aside(e, models, fit, count);
	return true;
}

/* ---- what the receipt and the headers say --------------------------------------------------------------------- */

struct slice exchange_strategy(const struct exchange *e)
{
	static const struct slice names[] = {
		[PRIORITY_COST] = {"cost_optimized", 14},
		[PRIORITY_LATENCY] = {"latency_optimized", 17},
		[PRIORITY_QUALITY] = {"quality_optimized", 17},
	};

	if (e->shadow)
		return SLICE("shadow");
	if (e->route_choice.automatic)
		return names[e->route_choice.priority];
	return e->route_choice.rule ? SLICE("rule") : SLICE("direct");
}

struct slice exchange_bucket(const struct exchange *e)
{
	return e->route_choice.scored &&
			       (e->route_choice.automatic || e->config->config->settings->routing.score_always)
		       ? score_bucket_name(e->route_choice.score.bucket)
		       : SLICE("direct");
}

/* Those that would have been next; each model once. */
static void tell_behind(struct exchange *e)
{
	const struct model_settings *told = e->attempt->candidate->model;
	struct receipt *receipt = &e->receipt;

	for (const struct exchange_candidate *c = e->attempt->candidate + 1;
		c < e->plan.candidates + e->plan.candidate_count; c++) {
		if (c->model == told || receipt->candidate_count == RECEIPT_CANDIDATES_MAX)
			continue;
		told = c->model;
		receipt->candidates[receipt->candidate_count++] =
			(struct receipt_candidate){slice_of_string(told->id), rank_behind(e->route_choice.priority)};
	}
}

/* Of a candidate that is told several times, since several of its deployments are, the figures are told once. */
static struct receipt_figures figures_of(struct route_choice *choice, struct slice model)
{
	for (unsigned i = 0; i < choice->ranked_count; i++)
		if (choice->ranked[i].model && choice->ranked[i].model->id == model.data) {
			choice->ranked[i].model = NULL;
			return choice->ranked[i].figures;
		}
	return (struct receipt_figures){.known = false};
}

void exchange_tell_decision(struct exchange *e)
{
	struct route_choice *choice = &e->route_choice;
	struct receipt *receipt = &e->receipt;

	receipt->decision = (struct receipt_decision){.made = choice->automatic || choice->rule,
		.automatic = choice->automatic,
		.quality_asked = choice->quality_asked,
		.unsure = choice->score.unsure,
		.priority = (uint8_t)choice->priority,
		.bucket = (uint8_t)choice->score.bucket,
		.rule = choice->rule,
		.quality_milli = choice->quality_milli,
		.latency_ns = choice->latency_ns,
		.tokens = choice->tokens};
	for (unsigned i = 0; receipt->decision.made && i < receipt->candidate_count; i++)
		receipt->figures[i] = figures_of(choice, receipt->candidates[i].model);
}

static struct slice reason_of(struct exchange *e)
{
	const struct route_choice *choice = &e->route_choice;
	struct text text = text_over(NULL, 0);

	if (e->receipt.attempt_count == 0 || e->status != 200)
		return choice->automatic ? choice->reason
		       : choice->rule    ? SLICE("a rule named the model")
					 : SLICE("the request named the model");
	if (choice->automatic)
		text = text_over(arena_alloc(&e->arena, REASON_BYTES), REASON_BYTES);
	if (!text.data)
		return SLICE("fallback after a failure");
	text_literal(&text, "fallback after a failure; ");
	text_add(&text, choice->reason);
	return text_slice(&text);
}

void exchange_tell_route(struct exchange *e)
{
	const struct route_choice *choice = &e->route_choice;
	struct receipt *receipt = &e->receipt;

	receipt->strategy = exchange_strategy(e);
	receipt->bucket = exchange_bucket(e);
	receipt->has_score = !slice_equal(receipt->bucket, SLICE("direct"));
	receipt->score_milli = choice->score.permille;
	if (!receipt->reason.data)
		receipt->reason = reason_of(e);
	if (choice->automatic && e->status == 200)
		tell_behind(e);
}
