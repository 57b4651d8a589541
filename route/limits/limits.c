/* The letters between the shards that ask and the owner shards that decide: see limits.h. */
#include "route/limits/limits.h"

#include "route/money/auto_reload.h"
#include "route/gateway/gateway_shard.h"
#include "route/limits/limit_book.h"

#include <assert.h>
#include <errno.h>

/* An answer of unknown length is taken for a part of its limit, until some have been seen. */
enum { FIRST_GUESS_PART = 16, LEARN_SHIFT = 3 };

static struct limit_debtor *debtor_of(const struct limit_request *request)
{
	return &request->subject->debtors[request->gateway_shard->shard->index];
}

static struct gateway_shard *owner_of(const struct limit_request *request)
{
	return atomic_load_explicit(
		&request->gateway_shard->gateway->shards[request->subject->owner], memory_order_acquire);
}

static struct limit_time time_of(const struct gateway_shard *gs)
{
	return (struct limit_time){shard_now_ns(gs->shard), shard_wall_ns(gs->shard)};
}

/* ---- a lease's end: what is left of it goes back ---- */

static void lease_back_home(struct letter *letter)
{
	container_of(letter, struct limit_debtor, letter)->returning = false;
}

static void lease_back_at_owner(struct letter *letter)
{
	struct limit_debtor *debtor = container_of(letter, struct limit_debtor, letter);
	struct gateway *gateway = debtor->gateway_shard->gateway;
	struct gateway_shard *owner = atomic_load_explicit(&gateway->shards[debtor->owner], memory_order_acquire);
	struct limit_time time = time_of(owner);

	limit_give_back(debtor->scopes, debtor->scope_count, &time, &debtor->back);
	budget_settle(debtor->budgets, debtor->budget_count, debtor->back.budget_day, debtor->back.reserved_nusd, 0);
	letter->open = lease_back_home;
	shard_post(debtor->gateway_shard->shard, letter, owner->shard);
}

static void end_lease(struct limit_debtor *debtor)
{
	struct gateway_shard *gs = debtor->gateway_shard;
	struct gateway_shard *owner = atomic_load_explicit(&gs->gateway->shards[debtor->owner], memory_order_acquire);

	list_remove(&debtor->link);
	if (!limit_lease_end(&debtor->lease, &debtor->back))
		return;
	assert(!debtor->returning); /* a lease is asked for when the one before has come home */
	debtor->returning = true;
	debtor->letter.open = lease_back_at_owner;
	metric_add(&gs->metrics.limit_letters, 1);
	shard_post(owner->shard, &debtor->letter, gs->shard);
}

static void leases_expired(struct timer *timer)
{
	struct limit_shard *own = container_of(timer, struct limit_shard, timer);
	struct shard *shard = own->gateway_shard->shard;

	while (!list_empty(&own->leases)) {
		struct limit_debtor *debtor = container_of(own->leases.next, struct limit_debtor, link);

		if (debtor->lease.until_ns > shard_now_ns(shard)) {
			timer_arm(&shard->timers, timer, debtor->lease.until_ns);
			return;
		}
		end_lease(debtor);
	}
}

void limit_shard_init(struct limit_shard *own, struct gateway_shard *gs)
{
	own->gateway_shard = gs;
	list_init(&own->leases);
	timer_init(&own->timer, leases_expired);
}

static void receive_lease(struct limit_request *request)
{
	struct limit_debtor *debtor = debtor_of(request);
	struct limit_shard *own = &request->gateway_shard->limits;
	struct shard *shard = request->gateway_shard->shard;

	limit_lease_receive(&debtor->lease, &request->ask, &request->answer);
	if (!request->answer.lease_requests)
		return;
	debtor->gateway_shard = request->gateway_shard;
	debtor->subject = request->subject;
	debtor->owner = request->subject->owner;
	debtor->scope_count = request->subject->scope_count;
	memcpy(debtor->scopes, request->subject->scopes, sizeof(debtor->scopes));
	debtor->budget_count = request->subject->budget_count;
	memcpy(debtor->budgets, request->subject->budgets, sizeof(debtor->budgets));
	list_remove(&debtor->link); /* where a lease that was used up still waits for its time */
	list_append(&own->leases, &debtor->link);
	if (!timer_armed(&own->timer))
		timer_arm(&shard->timers, &own->timer, debtor->lease.until_ns);
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

/* How many of a subject's budgets hold a request. */
static unsigned budget_count(const struct limit_subject *subject, bool hosted)
{
	return subject->budget_count + (hosted && subject->has_balance);
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
		auto_reload_look(
			&owner->webhooks, subject->workspace, subject->budgets[subject->budget_count].balance);
}

/* By budgets and limits at once: refused by one of them, a request leaves no trace in any. */
static void decide(struct limit_request *request, struct gateway_shard *owner)
{
	const struct limit_subject *subject = request->subject;
	struct limit_answer *answer = &request->answer;
	struct limit_ask ask = request->ask;
	struct limit_time time = time_of(owner);
	unsigned count = budget_count(subject, ask.hosted);

	if (!budget_fits(subject->budgets, count, ask.day, ask.nusd, &answer->budget)) {
		answer->admitted = false;
		answer->over_budget = true;
		look_at_budgets(owner, subject, ask.day, &answer->budget);
		answer->lease_requests = 0;
		return;
	}
	if (ask.lease && subject->budget_count)
		bound_lease(subject, owner->gateway->shard_count, &ask);
	limit_decide(subject->scopes, subject->scope_count, owner->gateway->shard_count, &time, &ask, answer);
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
	else if (!request->answer.admitted)
		metric_add(&request->gateway_shard->metrics.limit_refusals[request->answer.kind], 1);
}

static void answer_home(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);

	if (request->ask.lease)
		receive_lease(request);
	note(request);
	request->decided(request);
}

static void ask_at_owner(struct letter *letter)
{
	struct limit_request *request = container_of(letter, struct limit_request, letter);
	struct gateway_shard *owner = owner_of(request);

	decide(request, owner);
	letter->open = answer_home;
	shard_post(request->gateway_shard->shard, letter, owner->shard);
}

static bool take_from_lease(struct limit_request *request)
{
	struct limit_debtor *debtor = debtor_of(request);
	struct shard *shard = request->gateway_shard->shard;

	request->ask.lease = 0;
	if (request->subject->counts_concurrency || request->ask.hosted || request->subject->endpoint)
		return false; /* a balance is never lent, nor what more than the key has a part in */
	if (debtor->subject != request->subject && limit_lease_holds(&debtor->lease))
		end_lease(debtor); /* another configuration's, which may count other things */
	if (limit_lease_take(&debtor->lease, shard_now_ns(shard), &request->ask, &request->answer))
		return true;
	if (!debtor->lease.requests && limit_lease_holds(&debtor->lease))
		end_lease(debtor);
	request->ask.lease = limit_lease_wish(&debtor->lease, shard_now_ns(shard));
	if (debtor->returning)
		request->ask.lease = 0;
	if (request->ask.lease)
		debtor->lease.asked = true;
	return false;
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
	if (take_from_lease(request)) {
		metric_add(&gs->metrics.limit_leased, 1);
		note(request);
		return 1;
	}
	metric_add(&gs->metrics.limit_letters, 1);
	request->letter.open = ask_at_owner;
	shard_post(owner->shard, &request->letter, gs->shard);
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
	if (back->used_nusd || back->balance_used_nusd)
		look_at_budgets(owner, subject, back->budget_day, NULL);
}

static void give_back(struct limit_request *request, struct gateway_shard *owner)
{
	struct limit_time time = time_of(owner);

	limit_give_back(request->subject->scopes, request->subject->scope_count, &time, &request->back);
	settle_money(owner, request->subject, &request->back);
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
		.reserved_nusd = budget_count(subject, request->ask.hosted) ? request->ask.nusd : 0,
		.used_nusd = subject->budget_count && !use->undone ? use->nusd : 0,
		.budget_day = request->ask.day,
		.hosted = request->ask.hosted,
		.balance_used_nusd = use->hosted && !use->undone ? use->nusd : 0};
}

/* Whether the owner has to hear of it. */
static bool tells_anything(const struct limit_return *back)
{
	return back->requests || back->tokens || back->excess_tokens || back->ended || back->reserved_nusd ||
	       back->used_nusd || back->balance_used_nusd;
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
	metric_add(&gs->metrics.limit_letters, 1);
	request->letter.open = settle_at_owner;
	shard_post(owner->shard, &request->letter, gs->shard);
	return 0;
}

/* ---- more money for a stream ---- */

static struct gateway_shard *extension_owner(const struct limit_extension *extension)
{
	return atomic_load_explicit(
		&extension->gateway_shard->gateway->shards[extension->subject->owner], memory_order_acquire);
}

static void extend(struct limit_extension *extension)
{
	const struct limit_subject *subject = extension->subject;
	struct budget_refusal refusal;

	unsigned count = budget_count(subject, extension->hosted);

	extension->granted = budget_fits(subject->budgets, count, extension->day, extension->nusd, &refusal);
	if (extension->granted)
		budget_reserve(subject->budgets, count, extension->day, extension->nusd);
}

static void shrink(const struct limit_extension *extension)
{
	const struct limit_subject *subject = extension->subject;

	budget_settle(subject->budgets, budget_count(subject, extension->hosted), extension->day, extension->nusd, 0);
}

static void extension_home(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extension->decided(extension);
}

static void extend_at_owner(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extend(extension);
	letter->open = extension_home;
	shard_post(extension->gateway_shard->shard, letter, extension_owner(extension)->shard);
}

static void extension_back_home(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extension->returned(extension);
}

static void shrink_at_owner(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	shrink(extension);
	letter->open = extension_back_home;
	shard_post(extension->gateway_shard->shard, letter, extension_owner(extension)->shard);
}

/* 1: done here; 0: `open` does it at the owner's. */
static int run_at_owner(struct limit_extension *extension, void (*open)(struct letter *letter))
{
	struct gateway_shard *gs = extension->gateway_shard, *owner = extension_owner(extension);

	if (owner == gs)
		return 1;
	metric_add(&gs->metrics.limit_letters, 1);
	extension->letter.open = open;
	shard_post(owner->shard, &extension->letter, gs->shard);
	return 0;
}

int limit_extension_start(struct limit_extension *extension)
{
	if (run_at_owner(extension, extend_at_owner) == 0)
		return 0;
	extend(extension);
	return 1;
}

int limit_extension_give_back(struct limit_extension *extension)
{
	if (run_at_owner(extension, shrink_at_owner) == 0)
		return 0;
	shrink(extension);
	return 1;
}

/* ---- what was paid in ---- */

static void credit_home(struct letter *letter)
{
	struct limit_credit *credit = container_of(letter, struct limit_credit, letter);

	credit->done(credit);
}

static void credit_at_owner(struct letter *letter)
{
	struct limit_credit *credit = container_of(letter, struct limit_credit, letter);
	struct gateway *gateway = credit->gateway_shard->gateway;
	struct gateway_shard *owner =
		atomic_load_explicit(&gateway->shards[credit->balance->owner], memory_order_acquire);

	balance_credit(credit->balance->meter, credit->state.number, credit->state.credit_nusd);
	letter->open = credit_home;
	shard_post(credit->gateway_shard->shard, letter, owner->shard);
}

int limit_credit_start(struct limit_credit *credit, const struct limit_table *table, struct slice workspace)
{
	struct gateway *gateway = credit->gateway_shard->gateway;
	struct gateway_shard *owner;

	credit->balance = NULL;
	for (unsigned i = 0; table && i < table->balance_count; i++)
		if (slice_equal(slice_of_string(table->balances[i].workspace), workspace))
			credit->balance = &table->balances[i];
	if (!credit->balance)
		return 1;
	owner = atomic_load_explicit(&gateway->shards[credit->balance->owner], memory_order_acquire);
	if (!owner || owner == credit->gateway_shard) {
		balance_credit(credit->balance->meter, credit->state.number, credit->state.credit_nusd);
		return 1;
	}
	credit->letter.open = credit_at_owner;
	shard_post(owner->shard, &credit->letter, credit->gateway_shard->shard);
	return 0;
}

/* ---- answers of unknown length ---- */

uint64_t limit_guess_output(const struct limit_request *request, uint64_t reserve)
{
	uint64_t learned = debtor_of(request)->learned_output,
		 first = request->subject->tokens_least / FIRST_GUESS_PART;

	if (learned)
		return learned;
	return first < reserve ? first : reserve;
}

void limit_learn_output(struct limit_request *request, uint64_t tokens)
{
	uint64_t *learned = &debtor_of(request)->learned_output;

	if (*learned == 0)
		*learned = tokens;
	else
		*learned = ((*learned << LEARN_SHIFT) - *learned + tokens + (1 << LEARN_SHIFT) - 1) >> LEARN_SHIFT;
}
