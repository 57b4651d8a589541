/*
 * Hedging: where the first attempt takes longer than most do, a second one goes to the next candidate beside it. The
 * first to come with content (of a stream) or with its whole answer has the client; the other is broken off, and is on
 * the receipt and the bill all the same.
 *
 * The rest of the exchange knows one attempt, the one that is looked at. Whenever something happens to the other, the
 * two change places first, so that each is treated alike, and neither knows of the other.
 */
#include "route/exchange/exchange.h"

struct exchange_rival {
	struct exchange_attempt second_attempt;
	/* Of the attempt that is not looked at. */
	struct exchange_attempt *attempt;
	enum exchange_state state;
};

static void change_places(struct exchange *e)
{
	struct exchange_rival *rival = e->rival;
	struct exchange_attempt *attempt = e->attempt;
	enum exchange_state state = e->state;
	unsigned call = e->holds & HOLD_CALL ? HOLD_RIVAL : 0, other = e->holds & HOLD_RIVAL ? HOLD_CALL : 0;

	e->holds = (e->holds & ~(unsigned)(HOLD_CALL | HOLD_RIVAL)) | call | other;
	e->attempt = rival->attempt;
	rival->attempt = attempt;
	e->state = rival->state;
	rival->state = state;
}

struct exchange *exchange_turn_to(struct exchange_attempt *attempt)
{
	struct exchange *e = attempt->exchange;

	if (attempt != e->attempt)
		change_places(e);
	return e;
}

/* A budget and a balance reserve one attempt at a time, so there is no second one beside it. */
static bool is_reserved(const struct exchange *e)
{
	const struct limit_subject *subject = e->limit.subject;

	return subject && (subject->has_budget || subject->has_balance);
}

static bool may_hedge(const struct exchange *e)
{
	return e->config->config->settings->routing.more.hedge && exchange_is_chat(e) && !e->conversation &&
	       !is_reserved(e) && !exchange_credential_subject(e, e->attempt->candidate);
}

static struct hedge_share *share_of(const struct exchange *e)
{
	return fleet_hedges(e->config->config->fleet, e->gateway_shard->shard->index, e->plan.candidates[0].model);
}

/* What the first attempt has not shown by now is worth a second: a head of a whole answer, content of a stream. */
static bool is_late(const struct exchange *e)
{
	return !e->rival && !e->content_sent && !e->paused && !e->gone &&
	       (e->state == EXCHANGE_CALLING || (e->stream && e->state == EXCHANGE_STREAMING));
}

/* At another provider if there is one; NULL: none may be called now. One credential's own limits are asked at a time.
 */
static const struct exchange_candidate *choose(struct exchange *e)
{
	const struct exchange_candidate *candidate = &e->plan.candidates[e->candidate_next];

	plan_other_provider_first(&e->plan, (unsigned)(e->attempt->candidate - e->plan.candidates), e->candidate_next);
	if (e->candidate_next >= e->plan.candidate_count ||
		e->attempt_count >= e->config->config->settings->routing.max_attempts ||
		exchange_credential_subject(e, candidate) || !exchange_time_left_ns(e, candidate->provider))
		return NULL;
	return hedge_share_take(share_of(e)) && exchange_may_call(e) ? candidate : NULL;
}

/* A second attempt, to which nothing has happened; it is looked at. */
static bool open_rival(struct exchange *e)
{
	struct exchange_rival *rival = arena_alloc(&e->arena, sizeof(*rival));

	if (!rival)
		return false;
	rival->attempt = &rival->second_attempt;
	rival->state = EXCHANGE_CALLING;
	exchange_attempt_init(rival->attempt, e);
	rival->attempt->call = (struct http_call){0};
	e->rival = rival;
	change_places(e);
	exchange_stream_forget(e);
	return true;
}

static void close_rival(struct exchange *e)
{
	change_places(e);
	e->rival = NULL;
}

static void start(struct exchange *e, const struct exchange_candidate *candidate)
{
	e->candidate_next++;
	if (!exchange_call_take(e, candidate)) {
		close_rival(e);
		return;
	}
	e->attempt_count++;
	if (exchange_start_call(e, candidate) == 0) {
		metric_add(&e->gateway_shard->metrics.hedges, 1);
		return;
	}
	exchange_call_done(e);
	exchange_note_attempt(e, 0, slice_of_string(attempt_failure_name(ATTEMPT_NO_MEMORY)));
	close_rival(e);
}

static void hedge_expired(struct timer *timer)
{
	struct exchange *e = container_of(timer, struct exchange, hedge_timer);
	const struct exchange_candidate *candidate = is_late(e) ? choose(e) : NULL;

	if (!candidate || !open_rival(e))
		return;
	e->view_lost = true;
	start(e, candidate);
}

void exchange_hedge_begin(struct exchange *e)
{
	const struct deployment_state *s;
	uint32_t percent = e->config->config->settings->routing.more.hedge_after_percentile;
	enum balance_kind kind = e->stream ? BALANCE_STREAM : BALANCE_UNARY;
	uint64_t after_ns;

	if (!may_hedge(e))
		return;
	hedge_share_request(share_of(e));
	s = &e->attempt->fleet_call.deployment->states[e->gateway_shard->shard->index];
	after_ns = hedge_after_ns(&s->times[kind][hedge_class(exchange_tokens_about(e))], percent);
	if (!after_ns)
		return;
	timer_init(&e->hedge_timer, hedge_expired);
	timer_arm(&e->gateway_shard->shard->timers, &e->hedge_timer, e->attempt->call_started_ns + after_ns);
}

static void disarm(struct exchange *e)
{
	if (timer_armed(&e->hedge_timer))
		timer_disarm(&e->gateway_shard->shard->timers, &e->hedge_timer);
}

bool exchange_hedge_goes_on(struct exchange *e)
{
	disarm(e);
	if (!e->rival)
		return false;
	close_rival(e);
	return true;
}

/*
 * The attempt that is looked at has lost. What was sent is paid for: the prompt, and whatever came of an answer, which
 * may begin before the send has come home.
 */
static void lose(struct exchange *e)
{
	const struct http_call *call = &e->attempt->call;

	if (call->sent_ns || call->head_received_ns)
		exchange_settle_besides(e);
	exchange_cancel_call(e);
	timer_disarm(&e->gateway_shard->shard->timers, &e->attempt->first_token_timer);
	exchange_call_outrun(e);
	exchange_note_outrun(e);
	exchange_forget_answer(e);
}

void exchange_hedge_end(struct exchange *e)
{
	disarm(e);
	if (!e->rival)
		return;
	if (e->attempt == &e->rival->second_attempt)
		metric_add(&e->gateway_shard->metrics.hedges_won, 1);
	change_places(e);
	lose(e);
	close_rival(e);
}
