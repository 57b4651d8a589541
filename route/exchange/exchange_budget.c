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

static int64_t worst_nusd(const struct exchange *e, const struct model_settings *model, uint64_t prompt, uint64_t output)
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
		text_literal(&message, "This model is paid from the workspace's balance, and this request may cost up to ");
		print_usd(&message, e->limit.ask.nusd);
		text_literal(&message, ": of ");
		print_usd(&message, refusal->limit_nusd);
		text_literal(&message, " paid in, ");
		print_usd(&message, refusal->used_nusd);
		text_literal(&message, " are used and ");
		print_usd(&message, refusal->reserved_nusd);
		text_literal(&message, " are reserved for calls under way. Allow fewer output tokens, or make a deposit.");
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

/* Whether a candidate stays; then *nusd is its worst case. */
static bool judge(struct exchange *e, const struct prompt_bound *bound, const struct exchange_candidate *candidate,
	struct aside *aside, uint64_t *prompt_tokens, int64_t *nusd)
{
	const struct model_settings *model = candidate->model;
	int64_t most = subject_of(e)->per_request_nusd;

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
	*nusd = worst_nusd(e, model, *prompt_tokens, e->budget.output_tokens);
	if (most < 0 || *nusd <= most)
		return true;
	exchange_add_verdict(e, candidate, VERDICT_OVER_BUDGET);
	aside->least_nusd = *nusd < aside->least_nusd ? *nusd : aside->least_nusd;
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

/* The dearest of those that stay: whichever serves, it fits. */
bool exchange_budget_reserve(struct exchange *e, int64_t *nusd)
{
	struct aside aside = {.least_nusd = INT64_MAX};
	struct prompt_bound bound;
	unsigned kept = 0;

	choose_output(e);
	prompt_bound_read(e->gateway_shard->json, exchange_document(e).size, &bound);
	bound.bytes += e->budget.heard_tokens;
	*nusd = 0;
	for (unsigned i = 0; i < e->plan.candidate_count; i++) {
		uint64_t prompt_tokens = 0;
		int64_t own_nusd = 0;

		if (!judge(e, &bound, &e->plan.candidates[i], &aside, &prompt_tokens, &own_nusd))
			continue;
		if (prompt_tokens > e->budget.prompt_tokens)
			e->budget.prompt_tokens = prompt_tokens;
		if (own_nusd > *nusd)
			*nusd = own_nusd;
		e->plan.candidates[kept++] = e->plan.candidates[i];
	}
	e->plan.candidate_count = kept;
	if (kept == 0)
		refuse_all(e, &bound, &aside);
	return kept > 0;
}

/* ---- a stream goes on for as long as there is money ---- */

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
	e->budget.output_tokens += e->budget.asked_tokens;
	e->budget.extend_at_bytes += e->budget.asked_tokens;
	return 1;
}

static void extension_decided(struct limit_extension *extension)
{
	struct exchange *e = container_of(extension, struct exchange, extension);
	bool streams = e->state == EXCHANGE_STREAMING;

	if (take_extension(e) == 0)
		return;
	if (streams && !extension->granted)
		exchange_stream_cut(e);
	else if (streams)
		exchange_stream_go_on(e);
	release_extension(e);
}

/* In whole steps, so that one is left beyond what has come. */
static uint64_t wanted_tokens(const struct exchange *e)
{
	uint64_t wanted = e->output_bytes + STEP_TOKENS, have = e->budget.output_tokens;
	uint64_t steps = wanted > have ? (wanted - have + STEP_TOKENS - 1) / STEP_TOKENS : 1;

	return steps * STEP_TOKENS;
}

static bool fits_one_request(const struct exchange *e, int64_t more_nusd)
{
	int64_t most = subject_of(e)->per_request_nusd;

	return most < 0 || e->limit.ask.nusd + more_nusd <= most;
}

void exchange_budget_extend(struct exchange *e)
{
	struct exchange_budget *budget = &e->budget;
	const struct model_settings *model = e->candidate->model;
	int64_t now_nusd, more_nusd;

	if (budget->extending)
		return;
	budget->asked_tokens = wanted_tokens(e);
	now_nusd = worst_nusd(e, model, budget->prompt_tokens, budget->output_tokens);
	more_nusd = worst_nusd(e, model, budget->prompt_tokens, budget->output_tokens + budget->asked_tokens) - now_nusd;
	if (!fits_one_request(e, more_nusd)) {
		exchange_stream_cut(e);
		return;
	}
	budget->extending = true;
	e->extension.subject = subject_of(e);
	e->extension.gateway_shard = e->gateway_shard;
	e->extension.nusd = more_nusd;
	e->extension.day = e->limit.ask.day;
	e->extension.hosted = e->limit.ask.hosted;
	e->extension.decided = extension_decided;
	e->extension.returned = extension_returned;
	e->holds |= HOLD_BUDGET;
	if (limit_extension_start(&e->extension) == 1)
		extension_decided(&e->extension);
}
