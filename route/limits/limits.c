/* The letters between the shards that ask and the owner shards that decide: see limits.h. */
#include "route/limits/limits.h"

#include "route/limits/limit_book.h"
#include "route/money/auto_reload.h"

#include <assert.h>
#include <errno.h>

/* An answer of unknown length is taken for a part of its limit, until some have been seen. */
enum { FIRST_GUESS_PART = 16, LEARN_SHIFT = 3 };

static struct gateway_shard *owner_of(const struct limit_request *request)
{
	return limit_owner(request->gateway_shard, request->owner);
}

/* Its own, or what is kept for a short while for an address. */
static struct limit_debtor *find_debtor(const struct limit_request *request)
{
	const struct gateway_shard *gs = request->gateway_shard;

	return request->address ? limit_book_address_debtor(gs->gateway->limits, gs->shard->index, request->address)
				: &request->subject->debtors[gs->shard->index];
}

void limit_request_init(
	struct limit_request *request, struct gateway_shard *gs, const struct limit_subject *subject, uint64_t address)
{
	limit_request_clear(request);
	request->gateway_shard = gs;
	request->subject = subject;
	request->address = address;
	request->meter = NULL;
	/* Not by the bits that choose its place at the owner. */
	request->owner = address ? (unsigned)((address >> 32) % gs->gateway->shard_count) : subject->owner;
	request->debtor = subject->debtors || address ? find_debtor(request) : NULL;
}

static struct limit_addresses *addresses_of(const struct limit_request *request)
{
	return limit_book_addresses(request->gateway_shard->gateway->limits, request->owner);
}

/* At the owner's: what it is held against. `meter` is an address's, which is found when it is decided. */
static const struct limit_scope *scopes_of(
	const struct limit_subject *subject, struct limit_meter *meter, struct limit_scope *own)
{
	if (!meter)
		return subject->scopes;
	*own = subject->scopes[0];
	own->meter = meter;
	return own;
}

static void find_meter(struct limit_request *request, struct gateway_shard *owner)
{
	uint64_t quiet_ns = limit_addresses_quiet_ns(&request->subject->scopes[0].limits);

	if (!request->address)
		return;
	request->meter =
		limit_addresses_take(addresses_of(request), request->address, quiet_ns, shard_now_ns(owner->shard));
	if (limit_addresses_is_shared(addresses_of(request), request->meter))
		metric_add(&owner->metrics.addresses_shared, 1);
}

/* ---- the decision ---- */

/* As for limits: of the least that is left a 4 * shards-th may be lent. */
static void bound_lease(const struct limit_subject *subject, unsigned shards, struct limit_ask *ask)
{
	int64_t left = budget_left(subject->budgets, subject->budget_count, ask->day);
	int64_t requests = ask->nusd ? (left - ask->nusd) / (4 * (int64_t)shards) / ask->nusd : INT64_MAX;

	if (requests < (int64_t)ask->lease)
		ask->lease = (uint32_t)requests;
}

/* Here the budgets are counted: what they reach is told from here. */
static void look_at_budgets(struct gateway_shard *owner, const struct limit_subject *subject, uint32_t day,
	const struct budget_refusal *refusal)
{
	const struct alert_subject whose = {
		subject->workspace, subject->key->id, subject->key->team, subject->endpoint};

	for (unsigned i = 0; subject->workspace && i < subject->budget_count; i++)
		alert_budget(&owner->webhooks, &whose, &subject->budgets[i], day, refusal);
	if (subject->workspace && subject->has_balance)
		auto_reload_look(&owner->webhooks, subject->workspace, subject->budgets[subject->budget_count].balance);
}

/* The first candidate that every account has room for; the refusal of the first of all, when none has. */
static bool choose_price(struct limit_request *request, struct budget_refusal *refusal, unsigned *chosen)
{
	const struct limit_subject *subject = request->subject;
	struct limit_ask *ask = &request->ask;
	struct budget_refusal other;

	for (unsigned i = 0; i < ask->price_count; i++) {
		const struct limit_price *price = &ask->prices[i];
		uint64_t free_tokens = price->tokens;
		int64_t nusd = price->nusd;

		if (price->allowance)
			limit_allowance_draw(price->allowance, ask->day, &free_tokens, &nusd);
		if (!budget_fits(subject->budgets, limit_budget_count(subject, price->hosted), ask->day, nusd,
			    i ? &other : refusal))
			continue;
		ask->nusd = nusd;
		ask->allowance = price->allowance;
		ask->allowance_tokens = price->allowance ? free_tokens : 0;
		ask->hosted = price->hosted;
		*chosen = i;
		return true;
	}
	return ask->price_count == 0;
}

/* By budgets and limits at once: refused by one of them, a request leaves no trace in any. */
static void decide(struct limit_request *request, struct gateway_shard *owner)
{
	const struct limit_subject *subject = request->subject;
	struct limit_answer *answer = &request->answer;
	struct limit_time time = limit_time_of(owner);
	struct limit_scope own;
	struct limit_ask ask;
	unsigned count, chosen = 0;

	find_meter(request, owner);
	if (!choose_price(request, &answer->budget, &chosen)) {
		answer->admitted = false;
		answer->over_budget = true;
		look_at_budgets(owner, subject, request->ask.day, &answer->budget);
		answer->lease_requests = 0;
		return;
	}
	ask = request->ask;
	count = limit_budget_count(subject, ask.hosted);
	if (ask.hosted)
		ask.lease = 0; /* a balance is never lent */
	if (ask.lease && subject->budget_count)
		bound_lease(subject, owner->gateway->shard_count, &ask);
	limit_decide(scopes_of(subject, request->meter, &own), subject->scope_count, owner->gateway->shard_count, &time,
		&ask, answer);
	answer->chosen = chosen;
	if (answer->admitted && ask.allowance)
		allowance_reserve(ask.allowance, ask.day, ask.allowance_tokens);
	if (!answer->admitted || !count)
		return;
	answer->lease_nusd = subject->budget_count ? ask.nusd * (int64_t)answer->lease_requests : 0;
	budget_reserve(subject->budgets, count, ask.day, ask.nusd + answer->lease_nusd);
}

static void note(struct limit_request *request)
{
	request->admitted = request->answer.admitted;
	if (request->answer.over_budget && request->answer.budget.place == BUDGET_BALANCE)
		metric_add(&request->gateway_shard->metrics.balance_refusals, 1);
	else if (request->answer.over_budget)
		metric_add(&request->gateway_shard->metrics.budget_refusals[request->answer.budget.window], 1);
	else if (!request->answer.admitted && request->answer.place == LIMIT_CREDENTIAL)
		metric_add(&request->gateway_shard->metrics.credentials_limited, 1);
	else if (!request->answer.admitted)
		metric_add(&request->gateway_shard->metrics.limit_refusals[request->answer.kind], 1);
}

static void wake(struct limit_debtor *debtor);

static void answer_home(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);
	struct limit_debtor *debtor = request->ask.lease ? request->debtor : NULL;

	if (debtor)
		limit_lease_keep(request);
	note(request);
	request->decided(request);
	if (debtor)
		wake(debtor);
}

static void ask_at_owner(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);
	struct gateway_shard *owner = owner_of(request);

	decide(request, owner);
	letter->open = answer_home;
	shard_post(request->gateway_shard->shard, letter, owner->shard);
}

/* A balance is never lent, nor what more than the key has a part in. */
static bool is_lent(const struct limit_request *request)
{
	return request->debtor && !request->subject->counts_concurrency && !request->ask.hosted &&
	       !request->subject->joined;
}

static bool take_from_lease(struct limit_request *request)
{
	struct limit_debtor *debtor = request->debtor;
	struct shard *shard = request->gateway_shard->shard;

	request->ask.lease = 0;
	if (!is_lent(request))
		return false;
	if (debtor->subject != request->subject && limit_lease_holds(&debtor->lease))
		limit_lease_give(debtor); /* another configuration's, which may count other things */
	if (limit_lease_take(&debtor->lease, shard_now_ns(shard), &request->ask, &request->answer)) {
		request->meter = request->address ? debtor->scopes[0].meter : NULL;
		return true;
	}
	if (!debtor->lease.requests && limit_lease_holds(&debtor->lease))
		limit_lease_give(debtor);
	request->ask.lease = limit_lease_wish(&debtor->lease, shard_now_ns(shard));
	if (debtor->returning)
		request->ask.lease = 0;
	if (request->ask.lease) {
		debtor->lease.asked = true;
		debtor->waiting_max = request->ask.lease;
		debtor->asked_subject = request->subject;
	}
	return false;
}

static void ask_owner(struct limit_request *request)
{
	struct gateway_shard *gs = request->gateway_shard;

	metric_add(&gs->metrics.limit_letters, 1);
	request->letter.open = ask_at_owner;
	shard_post(owner_of(request)->shard, &request->letter, gs->shard);
}

/* A lease is on its way, which was asked for before this request could be: it is there sooner than an answer would be.
 */
static bool wait_for_lease(struct limit_request *request)
{
	struct limit_debtor *debtor = request->debtor;

	if (!is_lent(request) || !debtor->lease.asked || request->ask.lease || debtor->waiting_max == 0 ||
		debtor->asked_subject != request->subject)
		return false;
	debtor->waiting_max--;
	list_append(&debtor->waiting, &request->waiting);
	return true;
}

/* The lease is there: what it has no room for asks by itself. */
static void wake(struct limit_debtor *debtor)
{
	struct list *first;

	debtor->waiting_max = 0; /* nobody joins them from here on */
	while ((first = list_take_first(&debtor->waiting))) {
		struct limit_request *request = container_of(first, struct limit_request, waiting);

		request->leased = take_from_lease(request);
		if (!request->leased) {
			ask_owner(request);
			continue;
		}
		metric_add(&request->gateway_shard->metrics.limit_leased, 1);
		note(request);
		request->decided(request);
	}
}

int limit_request_start(struct limit_request *request, const struct limit_ask *ask)
{
	struct gateway_shard *gs = request->gateway_shard, *owner = owner_of(request);

	request->ask = *ask;
	request->ask.lease = 0;
	request->answer = (struct limit_answer){.admitted = false};
	if (!owner)
		return -EAGAIN;
	request->asked = true;
	if (owner == gs) {
		decide(request, owner);
		note(request);
		return 1;
	}
	request->leased = take_from_lease(request);
	if (request->leased) {
		metric_add(&gs->metrics.limit_leased, 1);
		note(request);
		return 1;
	}
	if (!wait_for_lease(request))
		ask_owner(request);
	return 0;
}

/* ---- the settlement ---- */

static void settle_money(
	struct gateway_shard *owner, const struct limit_subject *subject, const struct limit_return *back)
{
	const struct budget_scope *balance = &subject->budgets[subject->budget_count];

	budget_settle(subject->budgets, subject->budget_count, back->budget_day, back->reserved_nusd, back->used_nusd);
	if (back->hosted && subject->has_balance)
		budget_settle(balance, 1, back->budget_day, back->reserved_nusd, back->balance_used_nusd);
	if (back->allowance)
		allowance_settle(back->allowance, back->budget_day, back->free_reserved_tokens, back->free_used_tokens);
	if (back->used_nusd || back->balance_used_nusd)
		look_at_budgets(owner, subject, back->budget_day, NULL);
}

void limit_settle_at(struct gateway_shard *owner, const struct limit_subject *subject, struct limit_meter *meter,
	uint64_t address, const struct limit_return *back)
{
	const struct limit_addresses *addresses =
		address ? limit_book_addresses(owner->gateway->limits, owner->shard->index) : NULL;
	struct limit_time time = limit_time_of(owner);
	struct limit_scope own;

	if (address && !limit_addresses_has(addresses, meter, address))
		return; /* it was quiet for so long that its place is another's, and its count forgotten */
	limit_give_back(scopes_of(subject, meter, &own), subject->scope_count, &time, back);
	settle_money(owner, subject, back);
}

static void give_back(struct limit_request *request, struct gateway_shard *owner)
{
	limit_settle_at(owner, request->subject, request->meter, request->address, &request->back);
}

static void settlement_home(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);

	request->settled(request);
}

static void settle_at_owner(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);
	struct gateway_shard *owner = owner_of(request);

	give_back(request, owner);
	letter->open = settlement_home;
	shard_post(request->gateway_shard->shard, letter, owner->shard);
}

static struct limit_return return_of(const struct limit_request *request, const struct limit_use *use)
{
	const struct limit_subject *subject = request->subject;
	uint64_t reserved = subject->counts_tokens ? request->ask.tokens : 0;
	uint64_t used = subject->counts_tokens && !use->undone ? use->tokens : 0;

	return (struct limit_return){.debited_ns = request->answer.debited_ns,
		.day = request->answer.day,
		.requests = use->undone,
		.tokens = reserved > used ? reserved - used : 0,
		.excess_tokens = used > reserved ? used - reserved : 0,
		.ended = subject->counts_concurrency,
		.reserved_nusd = limit_budget_count(subject, request->ask.hosted) ? request->ask.nusd : 0,
		.used_nusd = subject->budget_count && !use->undone ? use->nusd : 0,
		.budget_day = request->ask.day,
		.hosted = request->ask.hosted,
		.balance_used_nusd = use->hosted && !use->undone ? use->nusd : 0,
		.allowance = request->ask.allowance,
		.free_reserved_tokens = request->ask.allowance ? request->ask.allowance_tokens : 0,
		.free_used_tokens = use->undone ? 0 : use->free_tokens};
}

/* Whether the owner has to hear of it. */
static bool tells_anything(const struct limit_return *back)
{
	return back->requests || back->tokens || back->excess_tokens || back->ended || back->reserved_nusd ||
	       back->used_nusd || back->balance_used_nusd || back->free_reserved_tokens;
}

int limit_request_settle(struct limit_request *request, const struct limit_use *use)
{
	struct gateway_shard *owner = owner_of(request), *gs = request->gateway_shard;

	assert(request->admitted);
	request->admitted = false;
	request->back = return_of(request, use);
	if (!tells_anything(&request->back))
		return 1;
	if (owner == gs) {
		give_back(request, owner);
		return 1;
	}
	if (request->leased && limit_owe(request))
		return 1;
	metric_add(&gs->metrics.limit_letters, 1);
	request->letter.open = settle_at_owner;
	shard_post(owner->shard, &request->letter, gs->shard);
	return 0;
}

/* ---- answers of unknown length ---- */

uint64_t limit_guess_output(const struct limit_request *request, uint64_t reserve)
{
	uint64_t learned = request->debtor ? request->debtor->learned_output : 0,
		 first = request->subject->tokens_least / FIRST_GUESS_PART;

	if (learned)
		return learned;
	return first < reserve ? first : reserve;
}

void limit_learn_output(struct limit_request *request, uint64_t tokens)
{
	uint64_t none = 0, *learned = request->debtor ? &request->debtor->learned_output : &none;

	if (*learned == 0)
		*learned = tokens;
	else
		*learned = ((*learned << LEARN_SHIFT) - *learned + tokens + (1 << LEARN_SHIFT) - 1) >> LEARN_SHIFT;
}
