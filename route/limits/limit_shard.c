/* Leases as a shard holds them: kept until their time is over, then what is left goes back to their owner. */
#include "route/limits/limit_book.h"

#include <assert.h>

static void lease_back_home(struct letter *letter)
{
	container_of(letter, struct limit_debtor, letter)->returning = false;
}

static void lease_back_at_owner(struct letter *letter)
{
	struct limit_debtor *debtor = container_of(letter, struct limit_debtor, letter);
	struct gateway_shard *owner = limit_owner(debtor->gateway_shard, debtor->owner);
	struct limit_time time = limit_time_of(owner);

	limit_give_back(debtor->scopes, debtor->scope_count, &time, &debtor->back);
	for (unsigned i = 0; i < debtor->budget_count; i++)
		budget_settle(&(struct budget_scope){.meter = debtor->budgets[i]}, 1, debtor->back.budget_day,
			debtor->back.reserved_nusd, 0);
	letter->open = lease_back_home;
	shard_post(debtor->gateway_shard->shard, letter, owner->shard);
}

void limit_lease_give(struct limit_debtor *debtor)
{
	struct gateway_shard *gs = debtor->gateway_shard;
	struct gateway_shard *owner = limit_owner(gs, debtor->owner);

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
		limit_lease_give(debtor);
	}
}

/* ---- what came of them, gathered ---- */

static void owed_home(struct letter *letter)
{
	struct limit_debtor *debtor = container_of(letter, struct limit_debtor, owed_letter);

	debtor->telling = false;
	debtor->gateway_shard->limits.telling--;
	debtor->owed = (struct limit_owed){0};
	shard_config_give(debtor->config);
}

static void owed_at_owner(struct letter *letter)
{
	struct limit_debtor *debtor = container_of(letter, struct limit_debtor, owed_letter);
	struct gateway_shard *owner = limit_owner(debtor->gateway_shard, debtor->owner);
	struct limit_return parts[LIMIT_OWED_SECONDS];
	unsigned count = limit_owed_parts(&debtor->owed, parts);

	for (unsigned i = 0; i < count; i++)
		limit_settle_at(owner, debtor->owed_subject, debtor->owed_meter, debtor->address, &parts[i]);
	letter->open = owed_home;
	shard_post(debtor->gateway_shard->shard, letter, owner->shard);
}

static void tell_owner(struct limit_debtor *debtor)
{
	struct gateway_shard *gs = debtor->gateway_shard;

	list_remove(&debtor->owing);
	debtor->telling = true;
	gs->limits.telling++;
	debtor->owed_letter.open = owed_at_owner;
	metric_add(&gs->metrics.limit_letters, 1);
	shard_post(limit_owner(gs, debtor->owner)->shard, &debtor->owed_letter, gs->shard);
}

static void owed_for_long(struct timer *timer)
{
	struct limit_shard *own = container_of(timer, struct limit_shard, owed_timer);
	struct shard *shard = own->gateway_shard->shard;

	while (!list_empty(&own->owing)) {
		struct limit_debtor *debtor = container_of(own->owing.next, struct limit_debtor, owing);

		if (debtor->owed_since_ns + LIMIT_LEASE_NS > shard_now_ns(shard)) {
			timer_arm(&shard->timers, timer, debtor->owed_since_ns + LIMIT_LEASE_NS);
			return;
		}
		tell_owner(debtor);
	}
}

/* Of the configuration in force, which is held until the owner has been told. */
static bool is_current(const struct gateway_shard *gs, const struct limit_subject *subject)
{
	const struct limit_table *table = gs->config->config->limits;

	return table && subject >= table->subjects && (const void *)subject < (const void *)table->balances;
}

static void begin_owing(struct limit_debtor *debtor, const struct limit_request *request)
{
	struct gateway_shard *gs = request->gateway_shard;
	struct limit_shard *own = &gs->limits;

	debtor->owed_subject = request->subject;
	debtor->owed_meter = request->meter;
	debtor->owed_since_ns = shard_now_ns(gs->shard);
	debtor->config = gs->config;
	debtor->config->exchanges++;
	list_append(&own->owing, &debtor->owing);
	if (!timer_armed(&own->owed_timer))
		timer_arm(&gs->shard->timers, &own->owed_timer, debtor->owed_since_ns + LIMIT_LEASE_NS);
}

bool limit_owe(struct limit_request *request)
{
	struct limit_debtor *debtor = request->debtor;
	bool first = debtor->owed.count == 0;

	if (debtor->telling || debtor->address != request->address ||
		!is_current(request->gateway_shard, request->subject))
		return false;
	if (!first && (debtor->owed_subject != request->subject || debtor->owed_meter != request->meter))
		return false;
	if (!limit_owed_add(&debtor->owed, &request->back))
		return false;
	if (first)
		begin_owing(debtor, request);
	return true;
}

void limit_shard_init(struct limit_shard *own, struct gateway_shard *gs)
{
	own->gateway_shard = gs;
	list_init(&own->leases);
	list_init(&own->owing);
	timer_init(&own->timer, leases_expired);
	timer_init(&own->owed_timer, owed_for_long);
}

/* ---- a lease ---- */

void limit_lease_keep(struct limit_request *request)
{
	struct limit_debtor *debtor = request->debtor;
	struct limit_shard *own = &request->gateway_shard->limits;
	struct shard *shard = request->gateway_shard->shard;

	limit_lease_receive(&debtor->lease, &request->ask, &request->answer);
	if (!request->answer.lease_requests)
		return;
	debtor->gateway_shard = request->gateway_shard;
	debtor->subject = request->subject;
	debtor->owner = request->owner;
	debtor->scope_count = request->subject->scope_count;
	assert(debtor->scope_count <= LIMIT_LEASED_SCOPES);
	memcpy(debtor->scopes, request->subject->scopes, sizeof(debtor->scopes));
	if (request->address)
		debtor->scopes[0].meter = request->meter; /* which keeps its place for longer than a lease lasts */
	debtor->budget_count = request->subject->budget_count;
	for (unsigned i = 0; i < debtor->budget_count; i++)
		debtor->budgets[i] = request->subject->budgets[i].meter;
	list_remove(&debtor->link); /* where a lease that was used up still waits for its time */
	list_append(&own->leases, &debtor->link);
	if (!timer_armed(&own->timer))
		timer_arm(&shard->timers, &own->timer, debtor->lease.until_ns);
}
