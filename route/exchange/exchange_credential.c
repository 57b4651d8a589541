/*
 * An attempt and its credential's own limits, which the operator sets to what the provider grants: their shard is asked
 * before each call, and a refusal there means the next candidate.
 */
#include "route/exchange/exchange.h"

#include "core/clock.h"

const struct limit_subject *exchange_credential_subject(
	const struct exchange *e, const struct exchange_candidate *candidate)
{
	const struct gateway_config *config = e->config->config;
	const struct provider_settings *provider = candidate->provider;
	const struct limit_subject *subject;

	if (!config->limits || !candidate->credential)
		return NULL;
	subject =
		&config->limits->credentials[config->limits->first_credential[provider - config->settings->providers] +
					     (unsigned)(candidate->credential - provider->credentials)];
	return subject->scope_count ? subject : NULL;
}

/* A letter is home: the attempt goes on, unless the client left. */
static void go_on(struct exchange *e)
{
	const struct limit_use undone = {.undone = true};

	e->credential_letter_out = false;
	if (e->state == EXCHANGE_ADMITTING) {
		e->state = EXCHANGE_READING;
		exchange_attempt(e);
	} else {
		exchange_credential_settle(e, &undone);
	}
	exchange_limit_letter_home(e);
}

static void came_home(struct limit_request *request)
{
	go_on(container_of(request, struct exchange, credential_limit));
}

static enum admission wait(struct exchange *e)
{
	e->state = EXCHANGE_ADMITTING;
	return ADMISSION_LATER;
}

static enum admission leave_aside(struct exchange *e, const struct exchange_candidate *candidate, uint64_t fits_ns)
{
	e->candidate_asked = false;
	exchange_add_verdict(e, candidate, VERDICT_LIMITED);
	if (!e->plan.again_ns || fits_ns < e->plan.again_ns)
		e->plan.again_ns = fits_ns;
	return ADMISSION_REFUSED;
}

static int ask(struct exchange *e, const struct limit_subject *subject)
{
	struct limit_request *request = &e->credential_limit;
	struct limit_ask what = {.day = (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS)};
	int result;

	limit_request_init(request, e->gateway_shard, subject, 0);
	request->decided = came_home;
	request->settled = came_home;
	what.tokens = exchange_limit_tokens(e, request);
	result = limit_request_start(request, &what);
	if (result == 0) {
		e->credential_letter_out = true;
		exchange_limit_letter_out(e);
	}
	return result;
}

enum admission exchange_credential_admit(struct exchange *e, const struct exchange_candidate *candidate)
{
	const struct limit_subject *subject = exchange_credential_subject(e, candidate);
	int result = 1;

	if (e->credential_letter_out)
		return wait(e); /* the last attempt's: the next one is asked for when it is home */
	if (!subject)
		return ADMISSION_NOW;
	if (!e->candidate_asked)
		result = ask(e, subject);
	if (result < 0) /* its shard has not started yet */
		return leave_aside(e, candidate, exchange_now_ns(e) + NS_PER_S);
	e->candidate_asked = true;
	if (result == 0)
		return wait(e);
	if (e->credential_limit.admitted)
		return ADMISSION_NOW;
	return leave_aside(e, candidate, e->credential_limit.answer.fits_ns);
}

void exchange_credential_settle(struct exchange *e, const struct limit_use *use)
{
	e->candidate_asked = false;
	if (!exchange_limit_give(e, &e->credential_limit, use))
		e->credential_letter_out = true;
}
