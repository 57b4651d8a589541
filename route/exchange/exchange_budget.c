/*
 * An exchange and its budgets: the worst case that is reserved before the first call, what is refused for it, the cap
 * that keeps a unary answer within it, and the stream that reserves more as it goes and ends where nothing more is to
 * be had.
 */
#include "route/exchange/exchange.h"

#include "core/clock.h"
#include "route/money/budget_bound.h"

enum {
	STEP_TOKENS = 256, /* of a stream's extension; it is asked for while as many are left */
	MESSAGE_BYTES = 512,
};

static const struct limit_subject *subject_of(const struct exchange *e)
{
	return e->limit.subject;
}

/* ---- what a request can come to ---- */

/* A count in the request, of which providers take no more than INT32_MAX; 0: not there, or for the provider to refuse.
 */
static uint64_t asked_count(const struct exchange *e, struct slice name)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value = json_member(json, 0, name);
	int64_t number;

	if (value == JSON_NONE || json_type(json, value) != JSON_INTEGER || !json_integer(json, value, &number) ||
		number <= 0 || number > INT32_MAX)
		return 0;
	return (uint64_t)number;
}

static bool has_output(const struct exchange *e)
{
	return e->api != API_EMBEDDINGS && e->api != API_MODERATIONS && e->api != API_COUNT_TOKENS &&
	       !exchange_is_media(e);
}

/* How many answers are written at once. */
uint64_t exchange_asked_answers(const struct exchange *e)
{
	uint64_t n = asked_count(e, SLICE("n")), best_of = asked_count(e, SLICE("best_of"));

	return n > best_of ? n : best_of ? best_of : 1;
}

uint64_t exchange_asked_output(const struct exchange *e)
{
	static const struct slice names[] = {
		{"max_completion_tokens", 21}, {"max_tokens", 10}, {"max_output_tokens", 17}};
	uint64_t count = 0;

	for (unsigned i = 0; count == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		count = asked_count(e, names[i]);
	return count;
}

/* What is reserved of output, for all answers: what the request allows, else a part that is sent as a cap, or that a
 * stream adds to. */
static void choose_output(struct exchange *e)
{
	struct exchange_budget *budget = &e->budget;
	uint64_t asked = exchange_asked_output(e), answers = exchange_asked_answers(e);
	uint64_t reserve = subject_of(e)->reserve_output_tokens;

	*budget = (struct exchange_budget){.answers = (uint32_t)answers};
	if (exchange_is_media(e))
		exchange_reserve_media(e);
	if (!has_output(e))
		return;
	if (e->output_most && e->output_most < reserve)
		reserve = e->output_most;
	budget->output_tokens = (asked ? asked : reserve) * answers;
	budget->output_cap = asked ? 0 : e->output_most;
	if (asked)
		return;
	if (e->stream && e->dialect == &dialect_openai)
		budget->extend_at_bytes = budget->output_tokens > STEP_TOKENS ? budget->output_tokens - STEP_TOKENS : 1;
	else
		budget->output_cap = reserve;
}

/* No more than the model writes, which its provider might refuse. */
uint64_t exchange_output_cap(const struct exchange *e, const struct model_settings *model)
{
	uint64_t cap = e->budget.output_cap, most = model->max_output_tokens;

	return most && cap > most ? most : cap;
}

static uint32_t fee_ppm(const struct exchange *e)
{
	return e->workspace ? e->workspace->platform_fee_ppm : 0;
}

static int64_t worst_nusd(
	const struct exchange *e, const struct model_settings *model, uint64_t prompt, uint64_t output)
{
	uint64_t most = (uint64_t)model->max_output_tokens * e->budget.answers;
	int64_t nusd;

	if (most && output > most)
		output = most;
	nusd = add_nusd(price_worst_nusd(&model->price, prompt, output, fee_ppm(e)),
		price_cost(&model->price, &e->budget.pieces, fee_ppm(e)).total_nusd);
	return nusd < BUDGET_REQUEST_MAX_NUSD ? nusd : BUDGET_REQUEST_MAX_NUSD;
}

/* ---- refusals ---- */

static void refuse_unbounded(struct exchange *e, struct slice field)
{
	exchange_refuse_invalid(e, SLICE("unbounded_input"),
		SLICE("This API key has a budget, and nothing tells how much input this field brings. Send the content "
		      "itself, or use a key without a budget."),
		field.data ? field : SLICE("messages"));
}

static void print_usd(struct text *message, int64_t nusd)
{
	text_usd(message, nusd);
	text_literal(message, " USD");
}

static void refuse_for_balance(struct exchange *e, const struct budget_refusal *refusal)
{
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct api_error error = {.status = 402,
		.type = SLICE("insufficient_balance"),
		.code = SLICE("insufficient_balance"),
		.message = SLICE("This workspace's balance does not pay for this request.")};

	if (message.data) {
		text_literal(
			&message, "This model is paid from the workspace's balance, and this request may cost up to ");
		print_usd(&message, e->limit.ask.nusd);
		text_literal(&message, ": of ");
		print_usd(&message, refusal->limit_nusd);
		text_literal(&message, " paid in, ");
		print_usd(&message, refusal->used_nusd);
		text_literal(&message, " are used and ");
		print_usd(&message, refusal->reserved_nusd);
		text_literal(
			&message, " are reserved for calls under way. Allow fewer output tokens, or make a deposit.");
		if (!message.full)
			error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
}

static void refuse_over_budget(struct exchange *e, enum budget_place place, struct slice kind, struct text *message)
{
	struct api_error error = {.status = place == BUDGET_ENDPOINT ? 422 : 402,
		.type = SLICE("budget_exceeded"),
		.code = SLICE("budget_exceeded"),
		.message = SLICE("A budget has no room for this request."),
		.kind = kind};

	if (message->data && !message->full)
		error.message = text_slice(message);
	exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
}

static void refuse_per_request(struct exchange *e, int64_t least_nusd)
{
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);

	if (message.data) {
		text_literal(&message, "This request may cost up to ");
		print_usd(&message, least_nusd);
		text_literal(&message, ", and one request of ");
		text_string(&message, budget_place_name(subject_of(e)->per_request_place));
		text_literal(&message, " may cost ");
		print_usd(&message, subject_of(e)->per_request_nusd);
		text_literal(&message, ". Send less, allow fewer output tokens, or use a cheaper model.");
	}
	refuse_over_budget(e, subject_of(e)->per_request_place, SLICE("per_request"), &message);
}

void exchange_budget_refuse(struct exchange *e)
{
	const struct budget_refusal *refusal = &e->limit.answer.budget;
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);

	if (refusal->place == BUDGET_BALANCE) {
		refuse_for_balance(e, refusal);
		return;
	}
	if (message.data) {
		text_literal(&message, "The ");
		text_string(&message, budget_window_name(refusal->window));
		text_literal(&message, " budget of ");
		text_string(&message, budget_place_name(refusal->place));
		if (refusal->name) {
			text_char(&message, ' ');
			text_string(&message, refusal->name);
		}
		text_literal(&message, " has no room for this request, which may cost up to ");
		print_usd(&message, e->limit.ask.nusd);
		text_literal(&message, ": of ");
		print_usd(&message, refusal->limit_nusd);
		text_literal(&message, ", ");
		print_usd(&message, refusal->used_nusd);
		text_literal(&message, " are spent and ");
		print_usd(&message, refusal->reserved_nusd);
		text_literal(&message, " are reserved for calls under way");
		if (refusal->lost_nusd) {
			text_literal(&message, ", and ");
			print_usd(&message, refusal->lost_nusd);
			text_literal(&message, " are unaccounted, of calls that the gateway's end cut off");
		}
		text_literal(&message, ". Allow fewer output tokens, or raise the budget.");
	}
	refuse_over_budget(e, refusal->place, slice_of_string(budget_window_name(refusal->window)), &message);
}

/* ---- the candidates ---- */

/* What is known of the candidates that are left aside. */
struct aside {
	bool unbounded, unpriced;
	int64_t least_nusd; /* of those that are too dear for one request; INT64_MAX: none is */
};

/* Whether a candidate stays; then its worst case is known. */
static bool judge(struct exchange *e, const struct prompt_bound *bound, struct exchange_candidate *candidate,
	struct aside *aside, uint64_t *prompt_tokens)
{
	const struct model_settings *model = candidate->model;
	int64_t most = subject_of(e)->per_request_nusd;

	candidate->most_nusd = 0;
	if (!subject_of(e)->has_budget && !exchange_is_hosted(e, candidate))
		return true; /* nobody holds it against anything */
	if (!model->price.known) {
		exchange_add_verdict(e, candidate, VERDICT_PRICE_UNKNOWN);
		aside->unpriced = true;
		return false;
	}
	if (!prompt_bound_tokens(bound, candidate->provider->kind, model->context_window, prompt_tokens)) {
		exchange_add_verdict(e, candidate, VERDICT_OVER_BUDGET);
		aside->unbounded = true;
		return false;
	}
	candidate->most_nusd = worst_nusd(e, model, *prompt_tokens, e->budget.output_tokens);
	if (most < 0 || candidate->most_nusd <= most)
		return true;
	exchange_add_verdict(e, candidate, VERDICT_OVER_BUDGET);
	if (candidate->most_nusd < aside->least_nusd)
		aside->least_nusd = candidate->most_nusd;
	return false;
}

static void refuse_all(struct exchange *e, const struct prompt_bound *bound, const struct aside *aside)
{
	if (aside->least_nusd != INT64_MAX)
		refuse_per_request(e, aside->least_nusd);
	else if (aside->unbounded)
		refuse_unbounded(e, bound->unbounded);
	else
		exchange_refuse_invalid(e, SLICE("price_unknown"),
			SLICE("This API key has a budget, and this model has no price. Use another model, or tell the "
			      "gateway's operator."),
			SLICE("model"));
}

/* What the candidates that stay cost, in their order; false: no memory, which is told. */
static bool list_prices(struct exchange *e, struct limit_ask *ask)
{
	unsigned count = e->plan.candidate_count;
	struct limit_price *prices = arena_alloc(&e->arena, count * sizeof(*prices));

	if (!prices) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return false;
	}
	for (unsigned i = 0; i < count; i++)
		prices[i] = (struct limit_price){.nusd = e->plan.candidates[i].most_nusd,
			.hosted = exchange_is_hosted(e, &e->plan.candidates[i]),
			.allowance = limit_allowance_of(subject_of(e), e->plan.candidates[i].model),
			.tokens = e->budget.prompt_tokens + e->budget.output_tokens};
	ask->prices = prices;
	ask->price_count = count;
	ask->nusd = prices[0].nusd;
	ask->hosted = prices[0].hosted;
	return true;
}

bool exchange_budget_reserve(struct exchange *e, struct limit_ask *ask)
{
	struct aside aside = {.least_nusd = INT64_MAX};
	struct prompt_bound bound;
	unsigned kept = 0;

	choose_output(e);
	prompt_bound_read(e->gateway_shard->json, exchange_document(e).size, &bound);
	bound.bytes += e->budget.heard_tokens;
	for (unsigned i = 0; i < e->plan.candidate_count; i++) {
		uint64_t prompt_tokens = 0;

		if (!judge(e, &bound, &e->plan.candidates[i], &aside, &prompt_tokens))
			continue;
		if (prompt_tokens > e->budget.prompt_tokens)
			e->budget.prompt_tokens = prompt_tokens;
		e->plan.candidates[kept++] = e->plan.candidates[i];
	}
	e->plan.candidate_count = kept;
	if (kept == 0)
		refuse_all(e, &bound, &aside);
	return kept > 0 && list_prices(e, ask);
}

bool exchange_is_hosted(const struct exchange *e, const struct exchange_candidate *candidate)
{
	return candidate->model->hosted && subject_of(e)->has_balance;
}

void exchange_budget_chosen(struct exchange *e)
{
	unsigned chosen = e->limit.answer.chosen;
	struct plan *plan = &e->plan;

	for (unsigned i = 0; i < chosen; i++)
		exchange_add_verdict(e, &plan->candidates[i], VERDICT_OVER_BUDGET);
	plan->candidate_count -= chosen;
	memmove(plan->candidates, plan->candidates + chosen, plan->candidate_count * sizeof(plan->candidates[0]));
}

/* ---- more money ---- */

static void release_extension(struct exchange *e)
{
	e->budget.extending = false;
	exchange_unhold(e, HOLD_BUDGET);
}

static void extension_returned(struct limit_extension *extension)
{
	release_extension(container_of(extension, struct exchange, extension));
}

/* What was granted becomes part of the reservation, unless that was settled meanwhile. 0: it is on its way back. */
static int take_extension(struct exchange *e)
{
	if (!e->extension.granted)
		return 1;
	if (!e->limit.admitted)
		return limit_extension_give_back(&e->extension);
	e->limit.ask.nusd += e->extension.nusd;
	e->limit.ask.hosted |= e->extension.balance_nusd > 0;
	e->limit.ask.allowance_tokens += e->extension.allowance ? e->extension.allowance_tokens : 0;
	e->budget.output_tokens += e->budget.asked_tokens;
	e->budget.extend_at_bytes += e->budget.asked_tokens;
	return 1;
}

static void tell_stream(struct exchange *e)
{
	if (e->extension.granted)
		exchange_stream_go_on(e);
	else
		exchange_stream_cut(e);
}

static void extension_decided(struct limit_extension *extension)
{
	struct exchange *e = container_of(extension, struct exchange, extension);

	if (take_extension(e) == 0)
		return;
	if (e->state == EXCHANGE_STREAMING)
		tell_stream(e);
	e->budget.extending = false;
	if (e->state == EXCHANGE_ADMITTING) {
		e->state = EXCHANGE_READING;
		exchange_attempt(e);
	}
	if (!e->budget.extending) /* else it has asked again */
		exchange_unhold(e, HOLD_BUDGET);
}

/* The letter is out, or the answer is there. */
static int start_extension(struct exchange *e)
{
	int result;

	e->extension.subject = subject_of(e);
	e->extension.gateway_shard = e->gateway_shard;
	e->extension.day = e->limit.ask.day;
	e->extension.decided = extension_decided;
	e->extension.returned = extension_returned;
	result = limit_extension_start(&e->extension);
	if (result == 0) {
		e->budget.extending = true;
		e->holds |= HOLD_BUDGET;
		e->view_lost = true;
	}
	return result;
}

/* ---- another candidate than the one that was reserved for ---- */

/* What it takes beyond what is held, which stays so until the end: a cheaper one takes nothing. False: nothing. */
static bool needs_more(
	const struct exchange *e, const struct exchange_candidate *candidate, struct limit_extension *more)
{
	const struct limit_ask *held = &e->limit.ask;
	bool hosted = exchange_is_hosted(e, candidate);

	more->allowance = NULL;
	if (held->allowance && limit_allowance_of(subject_of(e), candidate->model) == held->allowance)
		return false; /* the same model: what is free of it is reserved, and the rest */
	more->nusd = candidate->most_nusd > held->nusd ? candidate->most_nusd - held->nusd : 0;
	more->balance_nusd = hosted && !held->hosted ? held->nusd + more->nusd : held->hosted ? more->nusd : 0;
	return more->nusd || more->balance_nusd;
}

static enum admission wait(struct exchange *e)
{
	e->state = EXCHANGE_ADMITTING;
	return ADMISSION_LATER;
}

enum admission exchange_budget_admit(struct exchange *e, const struct exchange_candidate *candidate)
{
	bool answered = e->budget.candidate_asked;

	if (!e->limit.admitted || e->limit.ask.price_count == 0)
		return ADMISSION_NOW;
	if (e->budget.extending)
		return wait(e);
	e->budget.candidate_asked = false;
	if (!needs_more(e, candidate, &e->extension))
		return ADMISSION_NOW;
	e->budget.asked_tokens = 0;
	if (!answered && start_extension(e) == 0) {
		e->budget.candidate_asked = true;
		return wait(e);
	}
	if (!answered && e->extension.granted) {
		take_extension(e);
		return ADMISSION_NOW;
	}
	exchange_add_verdict(e, candidate, VERDICT_OVER_BUDGET);
	return ADMISSION_REFUSED;
}

/* ---- a stream goes on for as long as there is money ---- */

/* In whole steps, so that one is left beyond what has come. */
static uint64_t wanted_tokens(const struct exchange *e)
{
	uint64_t wanted = e->attempt->output_bytes + STEP_TOKENS, have = e->budget.output_tokens;
	uint64_t steps = wanted > have ? (wanted - have + STEP_TOKENS - 1) / STEP_TOKENS : 1;

	return steps * STEP_TOKENS;
}

const struct allowance *exchange_allowance(const struct exchange *e)
{
	const struct allowance *allowance = e->limit.subject && e->limit.admitted ? e->limit.ask.allowance : NULL;

	return allowance && limit_allowance_of(subject_of(e), e->attempt->candidate->model) == allowance ? allowance
													 : NULL;
}

static bool fits_one_request(const struct exchange *e, int64_t more_nusd)
{
	int64_t most = subject_of(e)->per_request_nusd;

	return most < 0 || e->limit.ask.nusd + more_nusd <= most;
}

void exchange_budget_extend(struct exchange *e)
{
	struct exchange_budget *budget = &e->budget;
	const struct model_settings *model = e->attempt->candidate->model;
	int64_t now_nusd, more_nusd;

	if (budget->extending)
		return;
	budget->asked_tokens = wanted_tokens(e);
	now_nusd = worst_nusd(e, model, budget->prompt_tokens, budget->output_tokens);
	more_nusd =
		worst_nusd(e, model, budget->prompt_tokens, budget->output_tokens + budget->asked_tokens) - now_nusd;
	if (!fits_one_request(e, more_nusd)) {
		exchange_stream_cut(e);
		return;
	}
	e->extension.nusd = more_nusd;
	e->extension.balance_nusd = e->limit.ask.hosted ? more_nusd : 0;
	e->extension.allowance = exchange_allowance(e);
	e->extension.allowance_tokens = budget->asked_tokens;
	if (start_extension(e) == 0)
		return;
	budget->extending = true; /* until it goes on: not once more from there */
	e->holds |= HOLD_BUDGET;
	extension_decided(&e->extension);
}
