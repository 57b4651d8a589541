/*
 * Calls to deployments as a shard sees them begin and end, and the letters by which it tells the others: a breaker that
 * opened, probes or closed, a credential that has to wait or is no good. Letters are rare (a change of state, never a
 * call), so they come from malloc; one that cannot be had is not sent, and that shard finds out by itself.
 */
#include "route/fleet/fleet.h"

#include "route/gateway/gateway.h"
#include "route/gateway/gateway_shard.h"

#include <stdlib.h>

#define NS_OF_S UINT64_C(1000000000)
#define COOLING_FIRST_NS NS_OF_S
#define COOLING_MAX_NS (60 * NS_OF_S)
#define PROBE_MAX_NS (10 * NS_OF_S)  /* others wait so long for the end of a probe */
#define PROBE_TURN_NS (NS_OF_S / 20) /* after the shard that opened it, each other one in its turn */

enum news_kind { NEWS_OPENED, NEWS_PROBE, NEWS_CLOSED, NEWS_COOLING, NEWS_REJECTED, NEWS_FORBIDDEN, NEWS_RESET };

struct news {
	struct letter letter;
	struct fleet_deployment *deployment;
	struct shard *to;
	enum news_kind kind;
	bool by_rate;
	uint32_t number; /* doublings, or probes that succeeded, or how many in a row */
	uint64_t until_ns;
};

static struct deployment_state *state_of(struct fleet_deployment *d, const struct shard *shard)
{
	return &d->states[shard->index];
}

static struct credential_state *credential_of(struct fleet_deployment *d, const struct shard *shard)
{
	return &d->credential->states[shard->index];
}

static void show(struct fleet_deployment *d, const struct shard *shard)
{
	struct deployment_state *s = state_of(d, shard);
	struct credential_state *c = credential_of(d, shard);

	metric_set(&s->shown_breaker, s->breaker.state);
	metric_set(&s->shown_in_flight, s->in_flight);
	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++)
		metric_set(&s->shown_ewma_ns[kind], balance_latest(s->ewma[kind])->value_ns);
	metric_set(&c->shown_cooling_until_ns, c->cooling_until_ns);
	metric_set(&c->shown_rejected_until_ns,
		c->rejected_until_ns > s->forbidden_until_ns ? c->rejected_until_ns : s->forbidden_until_ns);
}

static void reset(struct fleet_deployment *d, const struct shard *shard)
{
	struct deployment_state *s = state_of(d, shard);
	struct credential_state *c = credential_of(d, shard);

	breaker_reset(&s->breaker);
	s->report.new_samples = s->report.new_failures = 0;
	s->room = (struct rate_room){0};
	s->forbidden_until_ns = 0;
	s->forbidden = 0;
	c->cooling_until_ns = c->rejected_until_ns = 0;
	c->coolings = c->rejections = 0;
	show(d, shard);
}

static void hear(struct news *news)
{
	struct deployment_state *s = state_of(news->deployment, news->to);
	struct credential_state *c = credential_of(news->deployment, news->to);

	switch (news->kind) {
	case NEWS_OPENED:
		breaker_heard_open(&s->breaker, news->until_ns, news->number, news->by_rate);
		s->report.new_samples = s->report.new_failures = 0;
		break;
	case NEWS_PROBE:
		breaker_heard_probe(&s->breaker, news->until_ns, news->number);
		break;
	case NEWS_CLOSED:
		breaker_heard_closed(&s->breaker, shard_now_ns(news->to));
		break;
	case NEWS_COOLING:
		c->cooling_until_ns = news->until_ns;
		c->coolings = news->number;
		break;
	case NEWS_REJECTED:
		c->rejected_until_ns = news->until_ns;
		c->rejections = news->number;
		break;
	case NEWS_FORBIDDEN:
		s->forbidden_until_ns = news->until_ns;
		s->forbidden = news->number;
		break;
	case NEWS_RESET:
		reset(news->deployment, news->to);
		break;
	}
	show(news->deployment, news->to);
}

static void news_opened(struct letter *letter)
{
	struct news *news = container_of(letter, struct news, letter);

	hear(news);
	free(news);
}

/* To every other shard. What is open is due there a little later, in turn, so that they do not all probe at once. */
static void tell(const struct news *news, struct gateway *gateway, struct shard *from)
{
	unsigned turn = 0;

	for (unsigned n = 1; n < gateway->shard_count; n++) {
		unsigned index = (from->index + n) % gateway->shard_count;
		struct gateway_shard *gs = atomic_load(&gateway->shards[index]);
		struct news *copy = gs ? malloc(sizeof(*copy)) : NULL;

		if (!copy)
			continue;
		*copy = *news;
		copy->letter.open = news_opened;
		copy->to = gs->shard;
		if (news->kind == NEWS_OPENED)
			copy->until_ns += ++turn * PROBE_TURN_NS;
		shard_post(gs->shard, &copy->letter, from);
	}
}

static void tell_breaker(struct fleet_deployment *d, enum breaker_change change, uint64_t probe_until_ns,
	struct gateway *gateway, struct shard *shard)
{
	const struct breaker *b = &state_of(d, shard)->breaker;
	struct news news = {.deployment = d};

	if (change == BREAKER_SAME)
		return;
	if (change == BREAKER_OPENED) {
		news.kind = NEWS_OPENED;
		news.until_ns = b->until_ns;
		news.number = b->doublings;
		news.by_rate = b->by_rate;
	} else if (change == BREAKER_PROBED) {
		news.kind = NEWS_PROBE;
		news.until_ns = probe_until_ns;
		news.number = b->probes_succeeded;
	} else {
		news.kind = NEWS_CLOSED;
	}
	tell(&news, gateway, shard);
}

/* Exact over all shards: who would pass the bound takes its count back. */
static bool take_place(struct fleet_provider *provider, uint32_t calls_max)
{
	if (atomic_fetch_add_explicit(&provider->in_flight, 1, memory_order_relaxed) < calls_max)
		return true;
	atomic_fetch_sub_explicit(&provider->in_flight, 1, memory_order_relaxed);
	return false;
}

bool fleet_call_begin(struct fleet_call *call, const struct fleet_view *view, const struct fleet_option *option,
	bool last_resort, uint64_t tokens, struct gateway *gateway, struct shard *shard, bool *full)
{
	struct fleet_deployment *d = option->of;
	struct deployment_state *s = state_of(d, shard);
	uint64_t now_ns = shard_now_ns(shard);
	bool allowed = breaker_allows(&s->breaker, now_ns);

	*full = false;
	if (!allowed && !last_resort)
		return false;
	*full = option->calls_max && !take_place(d->provider, fleet_calls_max(option));
	if (*full)
		return false;
	*call = (struct fleet_call){.deployment = d,
		.view = view,
		.pool_max = option->filled_first ? option->calls_max : 0,
		.counted = option->calls_max > 0};
	call->probe = allowed && breaker_begin(&s->breaker);
	if (call->probe)
		tell_breaker(d, BREAKER_PROBED, now_ns + PROBE_MAX_NS, gateway, shard);
	rate_room_use(&s->room, tokens, now_ns);
	s->in_flight++;
	metric_add(&s->attempts, 1);
	show(d, shard);
	return true;
}

/* What a second saw goes into one step of the limit; of shards that come at once one does it. */
static void step_pool(struct fleet_provider *provider, uint32_t most, uint64_t now_ns)
{
	struct fleet_pool *pool = &provider->pool;
	struct pool_seen seen;
	uint32_t in_flight = atomic_load_explicit(&provider->in_flight, memory_order_relaxed);

	if (atomic_exchange_explicit(&pool->stepping, true, memory_order_acquire))
		return;
	for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
		seen.count[kind] = atomic_exchange_explicit(&pool->count[kind], 0, memory_order_relaxed);
		seen.took_ns[kind] = atomic_exchange_explicit(&pool->took_ns[kind], 0, memory_order_relaxed);
	}
	atomic_store_explicit(
		&pool->calls_max, pool_limit_step(&pool->limit, &seen, in_flight, most), memory_order_relaxed);
	atomic_store_explicit(&pool->step_at_ns, now_ns + NS_OF_S, memory_order_relaxed);
	atomic_store_explicit(&pool->stepping, false, memory_order_release);
}

/* A step that comes between time and count misjudges one answer of its second, no more. */
static void learn_pool(const struct fleet_call *call, const struct fleet_end *end, uint64_t now_ns)
{
	struct fleet_provider *provider = call->deployment->provider;
	struct fleet_pool *pool = &provider->pool;

	if (end->outcome == FLEET_SERVED) {
		atomic_fetch_add_explicit(&pool->took_ns[end->kind], end->took_ns, memory_order_relaxed);
		atomic_fetch_add_explicit(&pool->count[end->kind], 1, memory_order_relaxed);
	}
	if (now_ns >= atomic_load_explicit(&pool->step_at_ns, memory_order_relaxed))
		step_pool(provider, call->pool_max, now_ns);
}

static uint64_t doubled_ns(uint64_t first_ns, uint32_t times, uint64_t most_ns)
{
	while (--times > 0 && first_ns < most_ns)
		first_ns *= 2;
	return first_ns < most_ns ? first_ns : most_ns;
}

static enum fleet_change cool(
	struct fleet_deployment *d, uint64_t wait_ns, struct gateway *gateway, struct shard *shard)
{
	struct credential_state *c = credential_of(d, shard);
	uint64_t now_ns = shard_now_ns(shard);
	struct news news = {.deployment = d, .kind = NEWS_COOLING};

	/* Calls that were under way together are told together: one cooldown, not one after the other. */
	if (wait_ns == 0 && c->cooling_until_ns > now_ns)
		return FLEET_SAME;
	if (wait_ns == 0) {
		wait_ns = doubled_ns(COOLING_FIRST_NS, ++c->coolings, COOLING_MAX_NS);
		wait_ns += rand_below(&shard->rand, wait_ns / 10 + 1);
	}
	if (now_ns + wait_ns <= c->cooling_until_ns)
		return FLEET_SAME;
	c->cooling_until_ns = now_ns + wait_ns;
	news.until_ns = c->cooling_until_ns;
	news.number = c->coolings;
	tell(&news, gateway, shard);
	return FLEET_COOLING;
}

/* The time a credential is left out doubles like a breaker's. `until_ns` and `times` are the credential's, or the
 * deployment's. */
static enum fleet_change leave_out(struct fleet_deployment *d, const struct fleet_view *view, enum news_kind kind,
	uint64_t *until_ns, uint32_t *times, struct gateway *gateway, struct shard *shard)
{
	uint64_t most_ns = view->rules.open_ns > BREAKER_OPEN_MAX_NS ? view->rules.open_ns : BREAKER_OPEN_MAX_NS;
	uint64_t now_ns = shard_now_ns(shard);
	struct news news = {.deployment = d, .kind = kind};

	if (*until_ns > now_ns)
		return FLEET_SAME;
	*until_ns = now_ns + doubled_ns(view->rules.open_ns, ++*times, most_ns);
	news.until_ns = *until_ns;
	news.number = *times;
	tell(&news, gateway, shard);
	return FLEET_CREDENTIAL_OUT;
}

static void forgive(struct fleet_deployment *d, const struct shard *shard)
{
	state_of(d, shard)->forbidden = 0;
	credential_of(d, shard)->coolings = 0;
	credential_of(d, shard)->rejections = 0;
}

/* What the outcome means for the breaker. */
static enum breaker_change judge(
	struct deployment_state *s, const struct fleet_call *call, const struct fleet_end *end, struct shard *shard)
{
	bool owned = call->deployment->owner == shard->index;
	const struct breaker_rules *rules = owned ? &call->view->rules : &call->view->rules_apart;
	struct peak_ewma *ewma = &s->ewma[end->kind][hedge_class(end->tokens)];
	uint64_t now_ns = shard_now_ns(shard);

	switch (end->outcome) {
	case FLEET_SERVED:
		peak_ewma_add(ewma, end->took_ns, now_ns);
		return breaker_success(&s->breaker, rules, call->probe, now_ns);
	case FLEET_OUTRUN:
		if (end->took_ns > ewma->value_ns)
			peak_ewma_add(ewma, end->took_ns, now_ns);
		return breaker_abandon(&s->breaker, call->probe, now_ns);
	case FLEET_ANSWERED:
		return breaker_success(&s->breaker, rules, call->probe, now_ns);
	case FLEET_FAULT:
		peak_ewma_add_failure(ewma, end->took_ns, now_ns);
		metric_add(&s->failures, 1);
		return breaker_failure(&s->breaker, rules, call->probe, &shard->rand, now_ns);
	default:
		return breaker_abandon(&s->breaker, call->probe, now_ns);
	}
}

enum fleet_change fleet_call_end(
	struct fleet_call *call, const struct fleet_end *end, struct gateway *gateway, struct shard *shard)
{
	struct fleet_deployment *d = call->deployment;
	struct deployment_state *s = state_of(d, shard);
	struct credential_state *c = credential_of(d, shard);
	enum fleet_change result = FLEET_SAME;
	enum breaker_change change;

	s->in_flight--;
	if (call->pool_max)
		learn_pool(call, end, shard_now_ns(shard));
	if (call->counted)
		atomic_fetch_sub_explicit(&d->provider->in_flight, 1, memory_order_relaxed);
	if (end->outcome == FLEET_SERVED || end->outcome == FLEET_ANSWERED || end->outcome == FLEET_FAULT)
		fleet_report_outcome(d, end->outcome == FLEET_FAULT, gateway, shard);
	if (end->outcome == FLEET_SERVED || end->outcome == FLEET_OUTRUN)
		hedge_times_add(&s->times[end->kind][hedge_class(end->tokens)], end->took_ns);
	change = judge(s, call, end, shard);
	tell_breaker(d, change, shard_now_ns(shard), gateway, shard);
	if (change == BREAKER_OPENED) {
		metric_add(&s->openings, 1);
		result = FLEET_BREAKER_OPENED;
	} else if (change == BREAKER_RECOVERED) {
		result = FLEET_BREAKER_CLOSED;
	}
	if (end->outcome == FLEET_SERVED)
		forgive(d, shard);
	else if (end->outcome == FLEET_THROTTLED)
		result = cool(d, end->wait_ns, gateway, shard);
	else if (end->outcome == FLEET_REJECTED)
		result = leave_out(d, call->view, NEWS_REJECTED, &c->rejected_until_ns, &c->rejections, gateway, shard);
	else if (end->outcome == FLEET_FORBIDDEN)
		result =
			leave_out(d, call->view, NEWS_FORBIDDEN, &s->forbidden_until_ns, &s->forbidden, gateway, shard);
	show(d, shard);
	*call = (struct fleet_call){0};
	return result;
}

void fleet_hear_outcomes(const struct fleet_report *report, const struct breaker_rules *rules, struct shard *shard)
{
	struct fleet_deployment *d = report->deployment;
	struct deployment_state *s = state_of(d, shard);
	enum breaker_change change = breaker_heard_outcomes(
		&s->breaker, rules, report->samples, report->failures, &shard->rand, shard_now_ns(shard));

	if (change == BREAKER_OPENED)
		metric_add(&s->openings, 1);
	tell_breaker(d, change, shard_now_ns(shard), report->gateway, shard);
	show(d, shard);
}

void fleet_reset(struct fleet_deployment *deployment, struct gateway *gateway, struct shard *shard)
{
	struct news news = {.deployment = deployment, .kind = NEWS_RESET};

	reset(deployment, shard);
	tell(&news, gateway, shard);
}
