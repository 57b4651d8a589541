/* The letters between the shards that ask and the owner shards that decide: see limits.h. */
#include "route/limits.h"

#include "route/gateway_shard.h"
#include "route/limit_book.h"

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

	limit_lease_receive(&debtor->lease, &request->answer);
	if (!request->answer.lease_requests)
		return;
	debtor->gateway_shard = request->gateway_shard;
	debtor->subject = request->subject;
	debtor->owner = request->subject->owner;
	debtor->scope_count = request->subject->scope_count;
	memcpy(debtor->scopes, request->subject->scopes, sizeof(debtor->scopes));
	list_remove(&debtor->link); /* where a lease that was used up still waits for its time */
	list_append(&own->leases, &debtor->link);
	if (!timer_armed(&own->timer))
		timer_arm(&shard->timers, &own->timer, debtor->lease.until_ns);
}

/* ---- the decision ---- */

static void decide(struct limit_request *request, struct gateway_shard *owner)
{
	const struct limit_subject *subject = request->subject;
	struct limit_time time = time_of(owner);

	limit_decide(subject->scopes, subject->scope_count, owner->gateway->shard_count, &time, &request->ask,
		&request->answer);
}

static void note(struct limit_request *request)
{
	request->admitted = request->answer.admitted;
	if (!request->answer.admitted)
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
	if (request->subject->counts_concurrency)
		return false;
	if (debtor->subject != request->subject && (debtor->lease.requests || debtor->lease.tokens))
		end_lease(debtor); /* another configuration's, which may count other things */
	if (limit_lease_take(&debtor->lease, shard_now_ns(shard), request->ask.tokens, &request->answer))
		return true;
	if (!debtor->lease.requests && debtor->lease.tokens)
		end_lease(debtor);
	request->ask.lease = limit_lease_wish(&debtor->lease, shard_now_ns(shard));
	if (debtor->returning)
		request->ask.lease = 0;
	if (request->ask.lease)
		debtor->lease.asked = true;
	return false;
}

int limit_request_start(struct limit_request *request, uint64_t tokens)
{
	struct gateway_shard *gs = request->gateway_shard, *owner = owner_of(request);

	request->ask = (struct limit_ask){.tokens = tokens};
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

static void give_back(struct limit_request *request, struct gateway_shard *owner)
{
	struct limit_time time = time_of(owner);

	limit_give_back(request->subject->scopes, request->subject->scope_count, &time, &request->back);
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

int limit_request_settle(struct limit_request *request, uint64_t used_tokens, bool undone)
{
	const struct limit_subject *subject = request->subject;
	struct gateway_shard *owner = owner_of(request), *gs = request->gateway_shard;
	uint64_t reserved = subject->counts_tokens ? request->ask.tokens : 0;

	assert(request->admitted);
	request->admitted = false;
	if (!subject->counts_tokens || undone)
		used_tokens = 0;
	request->back = (struct limit_return){.debited_ns = request->answer.debited_ns,
		.day = request->answer.day,
		.requests = undone,
		.tokens = reserved > used_tokens ? reserved - used_tokens : 0,
		.excess_tokens = used_tokens > reserved ? used_tokens - reserved : 0,
		.ended = subject->counts_concurrency};
	if (!undone && reserved == used_tokens && !subject->counts_concurrency)
		return 1; /* most of them: nothing to tell */
	if (owner == gs) {
		give_back(request, owner);
		return 1;
	}
	metric_add(&gs->metrics.limit_letters, 1);
	request->letter.open = settle_at_owner;
	shard_post(owner->shard, &request->letter, gs->shard);
	return 0;
}

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
