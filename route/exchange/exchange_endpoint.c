/*
 * Calls of defined endpoints: which one the path names and whether the key may call it, before the body is read; then
 * the chat request that the call becomes, which goes the way of every other one.
 */
#include "route/endpoints/endpoint_request.h"
#include "route/exchange/exchange_session.h"

#include <errno.h>

enum { MESSAGE_BYTES = 512 };

static bool refuse_unknown(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("endpoint_not_found"),
		.message = SLICE("There is no endpoint at this path: /api/PROJECT/SLUG.")};
	struct slice near = endpoint_suggest(e->config->config->endpoints, e->key, e->route_argument);
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);

	if (near.data && message.data) {
		text_literal(&message, "There is no endpoint at this path. Did you mean /api/");
		text_add(&message, near);
		text_char(&message, '?');
		error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

static bool refuse_not_allowed(struct exchange *e)
{
	struct api_error error = {.status = 403,
		.type = SLICE("permission_error"),
		.code = SLICE("endpoint_not_allowed"),
		.message = SLICE("This API key may not call this endpoint. Ask its owner for one that may.")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

/* Another workspace's is none, so that nobody learns what others have. */
bool exchange_find_endpoint(struct exchange *e)
{
	const struct endpoint *endpoint = endpoint_find(e->config->config->endpoints, e->route_argument);

	if (!endpoint || !endpoint_is_of(endpoint, e->key))
		return refuse_unknown(e);
	e->endpoint = endpoint;
	return endpoint_is_allowed(endpoint, e->key) || refuse_not_allowed(e);
}

/* Of a call that becomes no request. */
static void refuse_call(struct exchange *e, int err, const struct openai_problem *problem)
{
	const struct api_error too_large = {.status = 413,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("body_too_large"),
		.message = SLICE("The input makes this endpoint's request larger than one may be. Send less.")};

	if (err == -EINVAL)
		exchange_refuse_invalid(e, problem->code, problem->message, problem->param);
	else if (err == -E2BIG)
		exchange_refuse(e, &too_large, slice_of(NULL, 0));
	else
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

bool exchange_enter_endpoint(struct exchange *e, void (*then)(struct exchange *e))
{
	const struct json_parser *json = e->gateway_shard->json;
	size_t bytes_max = e->config->config->settings->http.max_body_bytes;
	struct openai_problem problem;
	struct endpoint_call call;
	int err = endpoint_read_call(e->endpoint, json, &call, &problem);

	if (!err) {
		if (call.input != JSON_NONE && !exchange_check_input(e, call.input))
			return false;
		if (session_begin(e, then) != CONVERSATION_READY)
			return false;
		call.history = session_history(e);
		call.format = exchange_sends_schema(e);
		err = endpoint_write_request(
			e->endpoint, json, &call, &e->arena, bytes_max, &e->request->body, &problem);
	}
	if (err)
		refuse_call(e, err, &problem);
	else
		session_note_said(e, call.said);
	return err == 0;
}

static bool refuse_tokens(struct exchange *e, uint64_t prompt, uint64_t output)
{
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct api_error error = {.status = 422,
		.type = SLICE("budget_exceeded"),
		.code = SLICE("budget_exceeded"),
		.message = SLICE("This request needs more tokens than one of this endpoint may."),
		.kind = SLICE("max_tokens_per_request")};

	if (message.data) {
		text_literal(&message, "A request of this endpoint may use ");
		text_u64(&message, e->endpoint->settings->request_tokens_max);
		text_literal(&message, " tokens, and this one needs about ");
		text_u64(&message, prompt);
		text_literal(&message, " for its prompt");
		if (output) {
			text_literal(&message, " and ");
			text_u64(&message, output);
			text_literal(&message, " for its answer");
		}
		text_literal(&message, ". Send less, or allow fewer output tokens.");
		error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, SLICE("x-should-retry: false\r\n"));
	return false;
}

/* Of what the endpoint allows for a request, the answer may have what the prompt leaves: it is sent as a cap where the
 * request has none. */
bool exchange_bound_endpoint(struct exchange *e)
{
	uint64_t most = e->endpoint->settings->request_tokens_max, answers = exchange_asked_answers(e);
	uint64_t prompt, asked, output;

	if (!most)
		return true;
	prompt = exchange_prompt_tokens(e);
	asked = exchange_asked_output(e);
	output = asked ? asked * answers : 0;
	if (prompt + (output ? output : answers) > most)
		return refuse_tokens(e, prompt, output);
	if (!asked)
		e->budget.output_cap = e->output_most = (most - prompt) / answers;
	return true;
}

/* ---- failover ---- */

static bool is_named(const struct exchange_candidate *candidate, const char *name)
{
	const char *provider = candidate->provider->name;
	size_t bytes = strlen(provider);

	return candidate->credential && strncmp(name, provider, bytes) == 0 && name[bytes] == '/' &&
	       strcmp(name + bytes + 1, candidate->credential->name) == 0;
}

/* What the list does not name and has the first one's model, what it names in its order, the rest. */
static unsigned rank(const struct exchange *e, const struct exchange_candidate *candidate)
{
	const struct strings *failover = &e->endpoint->settings->failover;

	for (unsigned i = 0; i < failover->count; i++)
		if (is_named(candidate, failover->list[i]))
			return 1 + i;
	return candidate->model == e->plan.candidates[0].model ? 0 : failover->count + 1;
}

/* Stable: what ranks alike stays in the plan's order. */
void exchange_order_failover(struct exchange *e)
{
	struct exchange_candidate *list = e->plan.candidates;
	unsigned ranks[PLAN_CANDIDATES_MAX];

	for (unsigned i = 0; i < e->plan.candidate_count; i++)
		ranks[i] = rank(e, &list[i]);
	for (unsigned i = 1; i < e->plan.candidate_count; i++) {
		struct exchange_candidate moved = list[i];
		unsigned own = ranks[i], at = i;

		for (; at > 0 && ranks[at - 1] > own; at--) {
			list[at] = list[at - 1];
			ranks[at] = ranks[at - 1];
		}
		list[at] = moved;
		ranks[at] = own;
	}
}
