/* Verdicts and order: see plan.h. */
#include "route/fleet/plan.h"

#include "route/fleet/affinity.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* One model's options that may serve. */
struct choice {
	const struct model_settings *model;
	unsigned count;
	struct exchange_candidate candidates[PLAN_CANDIDATES_MAX];
};

void plan_begin(struct plan *plan)
{
	memset(plan, 0, offsetof(struct plan, candidates)); /* the lists have counts */
}

void plan_verdict(struct plan *plan, const struct model_settings *model, enum receipt_verdict verdict)
{
	plan->verdicts_given |= 1u << verdict;
	if (plan->verdict_count < RECEIPT_CANDIDATES_MAX)
		plan->verdicts[plan->verdict_count++] = (struct receipt_candidate){slice_of_string(model->id), verdict};
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
	case API_IMAGES:
		return "images";
	case API_SPEECH:
		return "speech";
	case API_TRANSCRIPTIONS:
		return "transcription";
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

/* What does not change with time. */
static enum receipt_verdict judge_settings(
	const struct plan_request *r, const struct fleet_option *option, const struct dialect *dialect)
{
	const struct provider_settings *provider = option->provider;

	if (!dialect || !dialect_path(dialect, r->api))
		return VERDICT_NO_CAPABILITY;
	if (r->residency && (!provider->region || strcmp(r->residency, provider->region) != 0))
		return VERDICT_RESIDENCY;
	if (r->provider_ranks && r->provider_ranks[option->deployment->provider] == PLAN_PROVIDER_EXCLUDED)
		return VERDICT_EXCLUDED;
	return VERDICT_CHOSEN;
}

/* What does; `until_ns` is when to look again, 0 where nothing says so. */
static enum receipt_verdict judge_state(
	const struct plan_request *r, const struct fleet_option *option, uint64_t *until_ns)
{
	const struct fleet_deployment *d = option->of;
	const struct deployment_state *s = &d->states[r->shard];
	const struct credential_state *c = &d->credential->states[r->shard];

	*until_ns = 0;
	if (atomic_load_explicit(&d->disabled, memory_order_relaxed))
		return VERDICT_DISABLED;
	*until_ns = c->rejected_until_ns > s->forbidden_until_ns ? c->rejected_until_ns : s->forbidden_until_ns;
	if (*until_ns > r->now_ns)
		return VERDICT_NO_CREDENTIAL;
	*until_ns = c->cooling_until_ns;
	if (*until_ns > r->now_ns)
		return VERDICT_COOLING;
	*until_ns = rate_room_full_until_ns(&s->room, r->tokens, r->now_ns);
	if (*until_ns)
		return VERDICT_LIMITED;
	*until_ns = s->breaker.until_ns;
	if (!breaker_allows(&s->breaker, r->now_ns))
		return VERDICT_BREAKER_OPEN;
	*until_ns = 0;
	if (option->calls_max &&
		atomic_load_explicit(&d->provider->in_flight, memory_order_relaxed) >= fleet_calls_max(option))
		return VERDICT_LIMITED;
	return VERDICT_CHOSEN;
}

static void leave_aside(struct plan *plan, const struct plan_request *r, const struct exchange_candidate *candidate,
	enum receipt_verdict verdict, uint64_t until_ns)
{
	const struct breaker *breaker = &candidate->option->of->states[r->shard].breaker;

	plan_verdict(plan, candidate->model, verdict);
	if (until_ns > r->now_ns && (plan->again_ns == 0 || until_ns < plan->again_ns))
		plan->again_ns = until_ns;
	if (verdict != VERDICT_BREAKER_OPEN || !breaker->by_rate || breaker->state != BREAKER_OPEN ||
		plan->has_last_resort)
		return;
	plan->has_last_resort = true;
	plan->last_resort = *candidate;
	plan->last_resort.last_resort = true;
}

/* Another workspace's credential: nobody hears of it. */
static bool is_anothers(const struct plan_request *r, const struct fleet_option *option)
{
	const char *owner = option->credential ? option->credential->workspace : NULL;

	return owner && (!r->workspace || strcmp(owner, r->workspace) != 0);
}

static void judge_option(
	struct plan *plan, const struct plan_request *r, struct choice *choice, const struct fleet_option *option)
{
	struct exchange_candidate candidate = {.model = choice->model,
		.deployment = option->deployment,
		.provider = option->provider,
		.credential = option->credential,
		.dialect = dialect_of_call(option->provider, choice->model, r->api),
		.option = option};
	enum receipt_verdict verdict = judge_settings(r, option, candidate.dialect);
	uint64_t until_ns = 0;

	if (verdict == VERDICT_CHOSEN && r->can_serve && !r->can_serve(r->context, &candidate))
		verdict = VERDICT_NO_CAPABILITY;
	if (verdict == VERDICT_CHOSEN)
		verdict = judge_state(r, option, &until_ns);
	if (verdict != VERDICT_CHOSEN)
		leave_aside(plan, r, &candidate, verdict, until_ns);
	else if (choice->count < PLAN_CANDIDATES_MAX)
		choice->candidates[choice->count++] = candidate;
}

/* Moves candidate `from` up to place `to`; those between go one down. */
static void move_up(struct exchange_candidate *candidates, unsigned from, unsigned to)
{
	struct exchange_candidate moved = candidates[from];

	assert(to <= from);
	for (; from > to; from--)
		candidates[from] = candidates[from - 1];
	candidates[to] = moved;
}

static struct balance_option balance_option_of(const struct plan_request *r, const struct exchange_candidate *candidate)
{
	const struct deployment_state *s = &candidate->option->of->states[r->shard];

	return (struct balance_option){.weight = candidate->option->weight,
		.ewma = *balance_ewma(s->ewma[r->stream ? BALANCE_STREAM : BALANCE_UNARY], hedge_class(r->tokens)),
		.in_flight = s->in_flight,
		.warm_percent = balance_warm_percent(s->breaker.closed_ns, r->now_ns)};
}

/* Of the first `count`: the balance's choice before the others, which stay as declared. */
static void balance(const struct plan_request *r, struct choice *choice, unsigned count)
{
	struct balance_option options[PLAN_CANDIDATES_MAX];

	_Static_assert((int)PLAN_CANDIDATES_MAX <= (int)BALANCE_OPTIONS_MAX, "room for all");
	if (count < 2)
		return;
	for (unsigned i = 0; i < count; i++)
		options[i] = balance_option_of(r, &choice->candidates[i]);
	move_up(choice->candidates, balance_choose(options, count, r->rand, r->now_ns), 0);
}

/* Own hardware first, as far as it has room. Returns how many there are. */
static unsigned fill_first(struct choice *choice)
{
	unsigned count = 0;

	for (unsigned i = 0; i < choice->count; i++)
		if (choice->candidates[i].option->filled_first)
			move_up(choice->candidates, i, count++);
	return count;
}

/* Of one's own replicas, the first `count`, the one that may still have the conversation's beginning. */
static void keep_together(const struct plan_request *r, struct choice *choice, unsigned count)
{
	uint64_t replicas[PLAN_CANDIDATES_MAX];
	uint32_t in_flight[PLAN_CANDIDATES_MAX];

	for (unsigned i = 0; i < count; i++) {
		const struct fleet_deployment *d = choice->candidates[i].option->of;

		replicas[i] = XXH3_64bits(d->name, strlen(d->name));
		in_flight[i] = d->states[r->shard].in_flight;
	}
	move_up(choice->candidates,
		affinity_choose(replicas, in_flight, count, XXH3_64bits(r->conversation.data, r->conversation.size)),
		0);
}

/* Who is due for a probe gets it: what is not tried is never known to be well again. One that fails costs a retry. */
static void probe_first(const struct plan_request *r, struct choice *choice)
{
	for (unsigned i = 0; i < choice->count; i++)
		if (choice->candidates[i].option->of->states[r->shard].breaker.state != BREAKER_CLOSED) {
			move_up(choice->candidates, i, 0);
			return;
		}
}

/* Stable: what is preferred alike, or not at all, stays in its order. */
static void prefer(const struct plan_request *r, struct choice *choice)
{
	const uint8_t *ranks = r->provider_ranks;

	if (!ranks)
		return;
	for (unsigned i = 1; i < choice->count; i++) {
		uint8_t rank = ranks[choice->candidates[i].deployment->provider];
		unsigned at = i;

		while (at > 0 && ranks[choice->candidates[at - 1].deployment->provider] > rank)
			at--;
		move_up(choice->candidates, i, at);
	}
}

/* The workspace's own credentials before all others; stable. */
static void put_own_first(struct choice *choice)
{
	unsigned count = 0;

	for (unsigned i = 0; i < choice->count; i++)
		if (choice->candidates[i].credential && choice->candidates[i].credential->workspace)
			move_up(choice->candidates, i, count++);
}

void plan_model(struct plan *plan, const struct plan_request *r, const struct model_settings *model)
{
	unsigned index = fleet_model_index(r->view, model), own;
	struct choice choice;

	choice.model = model;
	choice.count = 0;
	if (!model_can(model, api_capability(r->api)) || (r->stream && !model_can(model, "streaming"))) {
		plan_verdict(plan, model, VERDICT_NO_CAPABILITY);
		return;
	}
	for (unsigned i = r->view->first_option[index]; i < r->view->first_option[index + 1]; i++)
		if (!is_anothers(r, &r->view->options[i]))
			judge_option(plan, r, &choice, &r->view->options[i]);
	own = fill_first(&choice);
	if (own > 1 && r->conversation.size)
		keep_together(r, &choice, own);
	else
		balance(r, &choice, own ? own : choice.count);
	probe_first(r, &choice);
	prefer(r, &choice);
	put_own_first(&choice);
	for (unsigned i = 0; i < choice.count && plan->candidate_count < PLAN_CANDIDATES_MAX; i++)
		plan->candidates[plan->candidate_count++] = choice.candidates[i];
}

void plan_end(struct plan *plan)
{
	if (plan->candidate_count == 0 && plan->has_last_resort)
		plan->candidates[plan->candidate_count++] = plan->last_resort;
}

void plan_other_provider_first(struct plan *plan, unsigned failed, unsigned next)
{
	const struct exchange_candidate *f = &plan->candidates[failed];

	for (unsigned i = next; i < plan->candidate_count && plan->candidates[i].model == f->model; i++)
		if (plan->candidates[i].provider != f->provider) {
			move_up(plan->candidates, i, next);
			return;
		}
}
