/* What an answer's headers say of limits: of all that the request was held against, the tightest. */
#include "route/exchange/exchange.h"

#include "core/clock.h"

static void add_number(struct text *headers, struct slice name, uint64_t value)
{
	text_add(headers, name);
	text_u64(headers, value);
	text_literal(headers, "\r\n");
}

/* As OpenAI writes them: 120ms, 1s, 6m0s, 1h0m0s; never less than it takes. */
static void print_duration(struct text *headers, uint64_t ns)
{
	uint64_t s = (ns + NS_PER_S - 1) / NS_PER_S;

	if (ns < NS_PER_S) {
		text_u64(headers, (ns + NS_PER_MS - 1) / NS_PER_MS);
		text_literal(headers, "ms");
		return;
	}
	if (s >= 3600) {
		text_u64(headers, s / 3600);
		text_literal(headers, "h");
	}
	if (s >= 60) {
		text_u64(headers, s / 60 % 60);
		text_literal(headers, "m");
	}
	text_u64(headers, s % 60);
	text_literal(headers, "s");
}

static void add_reset(const struct exchange *e, struct text *headers, struct slice name, const struct limit_view *view)
{
	uint64_t now_ns = exchange_now_ns(e);

	text_add(headers, name);
	print_duration(headers, view->reset_ns > now_ns ? view->reset_ns - now_ns : 0);
	text_literal(headers, "\r\n");
}

static uint64_t reset_unix_s(const struct exchange *e, const struct limit_view *view)
{
	uint64_t wall_ns = view->reset_ns + e->gateway_shard->shard->wall_offset_ns;

	/* Shards read the wall clock once a second each: by so little a day's end is not another second's. */
	return (wall_ns + NS_PER_S - 1 - NS_PER_MS) / NS_PER_S;
}

static const struct limit_answer *answer_of(const struct limit_request *request)
{
	static const struct limit_answer none;

	return request->asked && !request->answer.over_budget ? &request->answer : &none;
}

/* As between a key's own: where as much is left, the one that is free later. */
static const struct limit_view *tighter(const struct limit_view *a, const struct limit_view *b)
{
	if (!a->limit || !b->limit)
		return a->limit ? a : b;
	if (a->remaining != b->remaining)
		return a->remaining < b->remaining ? a : b;
	return a->reset_ns >= b->reset_ns ? a : b;
}

void exchange_limit_print(struct exchange *e, struct text *headers)
{
	const struct limit_answer *key = answer_of(&e->limit), *address = answer_of(&e->address_limit);
	const struct limit_view *requests = tighter(&key->requests, &address->requests);
	const struct limit_view *tokens = tighter(&key->tokens, &address->tokens);

	if (requests->limit) {
		add_number(headers, SLICE("X-RateLimit-Limit: "), requests->limit);
		add_number(headers, SLICE("X-RateLimit-Remaining: "), requests->remaining);
		add_number(headers, SLICE("X-RateLimit-Reset: "), reset_unix_s(e, requests));
		add_number(headers, SLICE("x-ratelimit-limit-requests: "), requests->limit);
		add_number(headers, SLICE("x-ratelimit-remaining-requests: "), requests->remaining);
		add_reset(e, headers, SLICE("x-ratelimit-reset-requests: "), requests);
	}
	if (tokens->limit) {
		add_number(headers, SLICE("x-ratelimit-limit-tokens: "), tokens->limit);
		add_number(headers, SLICE("x-ratelimit-remaining-tokens: "), tokens->remaining);
		add_reset(e, headers, SLICE("x-ratelimit-reset-tokens: "), tokens);
	}
}
