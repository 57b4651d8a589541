/*
 * An exchange's calls as the fleet knows them: whether a candidate may be called now, whether once more after a
 * failure, and what the end of a call says about its deployment.
 */
#include "route/exchange/exchange.h"

#include "core/clock.h"
#include "route/fleet/retry_after.h"

enum { BYTES_PER_TOKEN = 4 };

uint64_t exchange_tokens_about(const struct exchange *e)
{
	return (e->request ? exchange_document(e).size : 0) / BYTES_PER_TOKEN + 1;
}

uint32_t exchange_retry_after_s(const struct exchange *e)
{
	uint64_t now_ns = exchange_now_ns(e), again_ns = e->plan.again_ns;
	uint64_t seconds = again_ns > now_ns ? (again_ns - now_ns + NS_PER_S - 1) / NS_PER_S : 1;

	return (uint32_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

void exchange_add_verdict(struct exchange *e, const struct exchange_candidate *candidate, enum receipt_verdict verdict)
{
	struct receipt *receipt = &e->receipt;

	e->plan.verdicts_given |= 1u << verdict;
	if (receipt->candidate_count < RECEIPT_CANDIDATES_MAX)
		receipt->candidates[receipt->candidate_count++] =
			(struct receipt_candidate){slice_of_string(candidate->model->id), verdict};
}

/*
 * The first call is counted, each further one has to be in the budget: what providers get stays in proportion to what
 * clients send. A credential that was refused or has to wait is out of use, which bounds such calls by itself.
 */
bool exchange_may_call(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	struct retry_budget *budget;

	if (e->plan.candidate_count == 0)
		return true;
	budget = fleet_budget(e->config->config->fleet, e->gateway_shard->shard->index, e->plan.candidates[0].model);
	if (e->attempt_count == 0) {
		retry_budget_request(budget, exchange_now_ns(e));
		return true;
	}
	if (e->failure.kind == ATTEMPT_CREDENTIAL || e->failure.kind == ATTEMPT_RATE_LIMITED ||
		retry_budget_take(budget, settings->routing.retry_budget_percent, exchange_now_ns(e)))
		return true;
	metric_add(&e->gateway_shard->metrics.retries_refused, 1);
	return false;
}

bool exchange_call_take(struct exchange *e, const struct exchange_candidate *candidate)
{
	bool full;

	if (fleet_call_begin(&e->attempt->fleet_call, e->config->config->fleet, candidate->option,
		    candidate->last_resort, exchange_tokens_about(e), e->gateway_shard->gateway,
		    e->gateway_shard->shard, &full))
		return true;
	exchange_add_verdict(e, candidate, full ? VERDICT_LIMITED : VERDICT_BREAKER_OPEN);
	return false;
}

void exchange_read_room(struct exchange *e)
{
	if (e->attempt->fleet_call.deployment)
		rate_room_read(&e->attempt->fleet_call.deployment->states[e->gateway_shard->shard->index].room,
			e->attempt->call.head, exchange_now_ns(e), shard_wall_ns(e->gateway_shard->shard));
}

bool exchange_is_unsampled(const struct exchange *e)
{
	const struct fleet_deployment *deployment = e->attempt->fleet_call.deployment;

	return deployment && deployment->states[e->gateway_shard->shard->index].unsampled;
}

bool exchange_learn_unsampled(struct exchange *e)
{
	if (!e->attempt->fleet_call.deployment || exchange_is_unsampled(e))
		return false;
	e->attempt->fleet_call.deployment->states[e->gateway_shard->shard->index].unsampled = true;
	return true;
}

static void say(struct exchange *e, const struct fleet_deployment *deployment, enum fleet_change change)
{
	static const char *const texts[] = {
		[FLEET_BREAKER_OPENED] = "a breaker opened: the deployment is left alone for a while",
		[FLEET_BREAKER_CLOSED] = "a breaker closed: the deployment is in use again",
		[FLEET_COOLING] = "a credential has to wait: the provider limits it",
		[FLEET_CREDENTIAL_OUT] = "a credential was not accepted: it is left alone for a while",
	};
	struct log_field field = LOG_TEXT("deployment", slice_of_string(deployment->name));

	if (change != FLEET_SAME && e->gateway_shard->log)
		log_say(e->gateway_shard->log, change == FLEET_BREAKER_CLOSED ? LOG_INFO : LOG_WARN, texts[change],
			&field, 1);
}

static uint64_t took_ns(const struct exchange *e)
{
	bool first_content = e->stream && e->first_content_ns > e->attempt->call_started_ns;

	return (first_content ? e->first_content_ns : exchange_now_ns(e)) - e->attempt->call_started_ns;
}

static void end_call(struct exchange *e, enum fleet_outcome outcome, uint64_t wait_ns)
{
	const struct fleet_deployment *deployment = e->attempt->fleet_call.deployment;
	struct fleet_end end = {.outcome = outcome,
		.kind = e->stream ? BALANCE_STREAM : BALANCE_UNARY,
		.took_ns = took_ns(e),
		.tokens = exchange_tokens_about(e),
		.wait_ns = wait_ns};

	if (deployment)
		say(e, deployment,
			fleet_call_end(
				&e->attempt->fleet_call, &end, e->gateway_shard->gateway, e->gateway_shard->shard));
}

static enum fleet_outcome outcome_of(const struct exchange *e)
{
	const struct exchange_failure *failure = &e->failure;

	switch (failure->kind) {
	case ATTEMPT_REFUSED_REQUEST:
		return FLEET_ANSWERED;
	case ATTEMPT_CREDENTIAL:
		return failure->status == 403 ? FLEET_FORBIDDEN : FLEET_REJECTED;
	case ATTEMPT_RATE_LIMITED:
		return FLEET_THROTTLED;
	case ATTEMPT_OVERLOADED:
		return failure->retry_after_s ? FLEET_THROTTLED : FLEET_FAULT;
	case ATTEMPT_STATUS:
		return failure->status >= 500 ? FLEET_FAULT : FLEET_ANSWERED;
	case ATTEMPT_NO_MEMORY:
	case ATTEMPT_NO_SOCKET:
		return FLEET_ABANDONED;
	case ATTEMPT_TOTAL_TIMEOUT:
		return e->attempt_count > 1 ? FLEET_ABANDONED : FLEET_FAULT; /* others used the time up */
	default:
		return FLEET_FAULT;
	}
}

void exchange_call_failed(struct exchange *e)
{
	enum fleet_outcome outcome = outcome_of(e);

	end_call(e, outcome, e->failure.retry_after_s * NS_PER_S);
	if (outcome == FLEET_FAULT && e->attempt->candidate && !exchange_has_failover(e))
		plan_other_provider_first(
			&e->plan, (unsigned)(e->attempt->candidate - e->plan.candidates), e->candidate_next);
}

void exchange_call_served(struct exchange *e)
{
	end_call(e, FLEET_SERVED, 0);
}

void exchange_call_outrun(struct exchange *e)
{
	end_call(e, FLEET_OUTRUN, 0);
}

void exchange_call_done(struct exchange *e)
{
	enum fleet_outcome served =
		e->continued ? FLEET_ANSWERED : FLEET_SERVED; /* its first token is not the answer's */

	end_call(e, e->status == 200 ? served : FLEET_ABANDONED, 0);
}
