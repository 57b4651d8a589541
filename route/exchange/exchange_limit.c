/*
 * An exchange and its limits: what it reserves, the refusal when a limit is reached, the headers that tell what is
 * left, and the settlement when it is known what was used.
 */
#include "route/exchange/exchange.h"

#include "core/clock.h"

#include <errno.h>

enum {
	BYTES_PER_TOKEN = 4,  /* of English and code; settled by what the provider counted */
	TOKENS_A_PART = 1000, /* a part that is not text: some image */
	NEVER_RETRY_S = 60,   /* what is larger than its limit does not fit then either, but a number has to be said */
	MESSAGE_BYTES = 256,
};

static const struct slice kind_texts[LIMIT_KINDS] = {
	[LIMIT_RPM] = {"requests a minute", 17},
	[LIMIT_RPH] = {"requests an hour", 16},
	[LIMIT_RPD] = {"requests a day", 14},
	[LIMIT_TPM] = {"tokens a minute", 15},
	[LIMIT_CONCURRENCY] = {"requests at once", 16},
};

/* ---- what is reserved ---- */

/* Parts of messages that are not text are counted each, not by their bytes. */
static uint64_t count_parts(const struct json_parser *json, json_ref content, uint64_t *bytes)
{
	uint64_t parts = 0;

	for (json_ref m = json_first(json, content); m != JSON_NONE; m = json_next(json, m)) {
		json_ref type = json_member(json, m, SLICE("type"));

		if (type == JSON_NONE || json_type(json, type) != JSON_STRING ||
			slice_ends_with(json_string(json, type), SLICE("text"))) /* also input_text, output_text */
			continue;
		parts++;
		*bytes -= json_raw(json, m).size;
	}
	return parts;
}

/* Of messages, or of the items of an input. */
static uint64_t count_items(const struct exchange *e, struct slice key, uint64_t *bytes)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref items = json_member(json, 0, key);
	uint64_t parts = 0;

	if (items == JSON_NONE || json_type(json, items) != JSON_ARRAY)
		return 0;
	for (json_ref m = json_first(json, items); m != JSON_NONE; m = json_next(json, m)) {
		json_ref content = json_member(json, m, SLICE("content"));

		if (content != JSON_NONE && json_type(json, content) == JSON_ARRAY)
			parts += count_parts(json, content, bytes);
	}
	return parts;
}

uint64_t exchange_prompt_tokens(const struct exchange *e)
{
	uint64_t bytes = exchange_document(e).size;
	uint64_t parts = count_items(e, e->api == API_RESPONSES ? SLICE("input") : SLICE("messages"), &bytes);

	return (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN + parts * TOKENS_A_PART;
}

/* A count in the request, of which providers take no more than INT32_MAX; false: not there, or for the provider to
 * refuse. */
static bool asked_count(const struct exchange *e, struct slice name, uint64_t *count)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value = json_member(json, 0, name);
	int64_t number;

	if (value == JSON_NONE || json_type(json, value) != JSON_INTEGER || !json_integer(json, value, &number) ||
		number <= 0 || number > INT32_MAX)
		return false;
	*count = (uint64_t)number;
	return true;
}

static uint64_t output_tokens(struct exchange *e)
{
	uint64_t tokens, choices;

	if (e->api == API_EMBEDDINGS || e->api == API_MODERATIONS || e->api == API_COUNT_TOKENS || exchange_is_media(e))
		return 0;
	if (!asked_count(e, SLICE("max_completion_tokens"), &tokens) && !asked_count(e, SLICE("max_tokens"), &tokens) &&
		!asked_count(e, SLICE("max_output_tokens"), &tokens)) {
		e->limit_guessed = true;
		return limit_guess_output(&e->limit, e->key->budget.reserve_output_tokens);
	}
	return asked_count(e, SLICE("n"), &choices) ? tokens * choices : tokens;
}

/* ---- the refusal ---- */

static uint32_t retry_after_s(const struct exchange *e)
{
	uint64_t now_ns = e->limit.answer.debited_ns, fits_ns = e->limit.answer.fits_ns;

	if (fits_ns == LIMIT_NEVER_NS)
		return NEVER_RETRY_S;
	return fits_ns > now_ns + NS_PER_S ? (uint32_t)((fits_ns - now_ns + NS_PER_S - 1) / NS_PER_S) : 1;
}

static void print_message(const struct exchange *e, uint32_t retry_s, struct text *message)
{
	const struct limit_answer *answer = &e->limit.answer;

	if (answer->fits_ns == LIMIT_NEVER_NS) {
		text_literal(message, "This request needs about ");
		text_u64(message, e->limit.ask.tokens);
		text_literal(message, " tokens, more than all that ");
		text_string(message, limit_place_name(answer->place));
		text_literal(message, " may use: ");
	} else {
		text_literal(message, "The limit of ");
		text_string(message, limit_place_name(answer->place));
		text_literal(message, " is reached: ");
	}
	text_u64(message, answer->limit);
	text_literal(message, " ");
	text_add(message, kind_texts[answer->kind]);
	if (answer->fits_ns == LIMIT_NEVER_NS) {
		text_literal(message, ". Send less, or allow fewer output tokens.");
		return;
	}
	text_literal(message, ". Try again in ");
	text_u64(message, retry_s);
	text_string(message, retry_s == 1 ? " second." : " seconds.");
}

static void refuse(struct exchange *e)
{
	const struct limit_answer *answer = &e->limit.answer;
	struct slice kind = slice_of_string(limit_kind_name(answer->kind));
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct text headers = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct api_error error = {.status = 429,
		.type = SLICE("rate_limit_exceeded"),
		.code = SLICE("rate_limit_exceeded"),
		.message = SLICE("A rate limit is reached. Try again later."),
		.kind = kind,
		.retry_after_s = retry_after_s(e)};

	if (message.data && headers.data) {
		print_message(e, error.retry_after_s, &message);
		error.message = text_slice(&message);
		text_literal(&headers, "X-Gateway-Limit-Kind: ");
		text_add(&headers, kind);
		text_literal(&headers, "\r\n");
		if (answer->fits_ns == LIMIT_NEVER_NS)
			text_literal(&headers, "x-should-retry: false\r\n");
	}
	exchange_refuse(e, &error, text_slice(&headers));
}

/* ---- the way past them ---- */

static void go_on(struct exchange *e)
{
	if (e->limit.answer.admitted)
		exchange_go(e);
	else if (e->limit.answer.over_budget)
		exchange_budget_refuse(e);
	else
		refuse(e);
}

/* A letter came home; what was done since may have sent it again. */
static void letter_is_home(struct exchange *e)
{
	if (!e->limit_letter_out)
		exchange_unhold(e, HOLD_LIMIT);
}

static void decided(struct limit_request *request)
{
	struct exchange *e = container_of(request, struct exchange, limit);

	e->limit_letter_out = false;
	if (e->state == EXCHANGE_LIMITING) {
		e->state = EXCHANGE_READING;
		go_on(e);
	} else {
		exchange_limit_settle(e); /* its client left while it waited */
	}
	letter_is_home(e);
}

static void settled(struct limit_request *request)
{
	struct exchange *e = container_of(request, struct exchange, limit);

	e->limit_letter_out = false;
	letter_is_home(e);
}

/* Whether a model may serve that the workspace's balance pays. */
static bool may_be_hosted(const struct exchange *e)
{
	for (unsigned i = 0; i < e->plan.candidate_count; i++)
		if (e->plan.candidates[i].model->hosted)
			return true;
	return false;
}

static const struct limit_subject *subject_of(const struct exchange *e)
{
	const struct gateway_config *config = e->config->config;

	return config->limits ? &config->limits->subjects[e->key - config->settings->keys] : NULL;
}

int64_t exchange_month_percent(const struct exchange *e)
{
	const struct limit_subject *subject = subject_of(e);

	return subject ? budget_month_percent(subject->budgets, subject->budget_count,
				 (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS))
		       : -1;
}

/* With what the endpoint has of its own, if one is called. NULL and an error to the client: no memory. */
static const struct limit_subject *whole_subject_of(struct exchange *e, const struct limit_subject *key)
{
	const struct limit_subject *endpoints = e->config->config->limits->endpoints;
	struct limit_subject *joined;

	if (!e->endpoint || !endpoints)
		return key;
	joined = arena_alloc(&e->arena, sizeof(*joined));
	if (!joined)
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	else if (!limit_subject_join(joined, key, &endpoints[e->endpoint->number], e->endpoint->name.data))
		return key;
	return joined;
}

void exchange_limit(struct exchange *e)
{
	const struct limit_subject *subject = subject_of(e);
	struct limit_ask ask = {.day = (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS)};
	int result;

	if (subject && !(subject = whole_subject_of(e, subject)))
		return;
	ask.hosted = subject && subject->has_balance && may_be_hosted(e);
	if (!subject ||
		(subject->scope_count == 0 && subject->budget_count == 0 && !subject->has_budget && !ask.hosted)) {
		exchange_go(e);
		return;
	}
	limit_request_init(&e->limit, e->gateway_shard, subject);
	if ((subject->has_budget || ask.hosted) && !exchange_budget_reserve(e, &ask.nusd))
		return;
	if (subject->scope_count == 0 && subject->budget_count == 0 && !ask.hosted) {
		exchange_go(e); /* a budget of single requests alone */
		return;
	}
	e->limit.decided = decided;
	e->limit.settled = settled;
	ask.tokens = subject->counts_tokens ? exchange_prompt_tokens(e) + output_tokens(e) : 0;
	result = limit_request_start(&e->limit, &ask);
	if (result == 1) {
		go_on(e);
	} else if (result == 0) {
		e->state = EXCHANGE_LIMITING;
		e->view_lost = true;
		e->limit_letter_out = true;
		e->holds |= HOLD_LIMIT;
	} else {
		exchange_refuse_overloaded(
			e, SLICE("starting"), SLICE("The gateway is starting. Try again in a moment."));
	}
}

/* More than what was reserved is booked all the same, and blocks what comes after; the operator has to hear of it. */
static void note_overrun(struct exchange *e)
{
	struct log_field fields[] = {LOG_TEXT("request_id", slice_of(e->id_text, sizeof(e->id_text))),
		LOG_TEXT("key_id", slice_of_string(e->key->id)), LOG_INT("reserved_nusd", e->limit.ask.nusd),
		LOG_INT("cost_nusd", e->cost.total_nusd)};

	if ((!e->limit.subject->has_budget && !e->limit.ask.hosted) || e->cost.total_nusd <= e->limit.ask.nusd)
		return;
	metric_add(&e->gateway_shard->metrics.budget_overruns, 1);
	if (e->gateway_shard->log)
		log_say(e->gateway_shard->log, LOG_WARN, "a call cost more than was reserved of its budget", fields,
			sizeof(fields) / sizeof(fields[0]));
}

/* A call that was not even tried leaves no trace in its limits. */
void exchange_limit_settle(struct exchange *e)
{
	const struct limit_use use = {.tokens = e->usage.prompt_tokens + e->usage.completion_tokens,
		.nusd = e->cost.total_nusd,
		.undone = e->candidate == NULL,
		.hosted = e->candidate && e->candidate->model->hosted};

	if (!e->limit.admitted)
		return;
	note_overrun(e);
	if (e->limit_guessed && e->status == 200 && e->usage.completion_tokens)
		limit_learn_output(&e->limit, e->usage.completion_tokens);
	if (limit_request_settle(&e->limit, &use) == 1)
		return;
	e->limit_letter_out = true;
	e->holds |= HOLD_LIMIT;
}

/* ---- the headers ---- */

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

void exchange_limit_print(struct exchange *e, struct text *headers)
{
	const struct limit_view *requests = &e->limit.answer.requests, *tokens = &e->limit.answer.tokens;

	if (!e->limit.asked || e->limit.answer.over_budget)
		return;
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
