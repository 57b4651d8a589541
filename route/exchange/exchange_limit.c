/*
 * An exchange and its limits: what it reserves, the refusal when a limit is reached, and the settlement when it is
 * known what was used. Its address is asked first, then its key with all that is counted with it.
 */
#include "route/exchange/exchange.h"

#include "core/clock.h"
#include "route/tenancy/lockout.h"

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

/* For all that may ask for it, since the view has gone to others by then. */
static void note_tokens(struct exchange *e)
{
	e->prompt_tokens = exchange_prompt_tokens(e);
	e->output_tokens = 0;
	if (e->api == API_EMBEDDINGS || e->api == API_MODERATIONS || e->api == API_COUNT_TOKENS || exchange_is_media(e))
		return;
	e->output_tokens = exchange_asked_output(e) * exchange_asked_answers(e);
	e->limit_guessed = e->output_tokens == 0;
}

uint64_t exchange_limit_tokens(const struct exchange *e, const struct limit_request *request)
{
	if (!request->subject->counts_tokens)
		return 0;
	return e->prompt_tokens + (e->limit_guessed ? limit_guess_output(request, e->key->budget.reserve_output_tokens)
						    : e->output_tokens);
}

/* ---- the refusal ---- */

static uint32_t retry_after_s(const struct limit_answer *answer)
{
	uint64_t now_ns = answer->debited_ns, fits_ns = answer->fits_ns;

	if (fits_ns == LIMIT_NEVER_NS)
		return NEVER_RETRY_S;
	return fits_ns > now_ns + NS_PER_S ? (uint32_t)((fits_ns - now_ns + NS_PER_S - 1) / NS_PER_S) : 1;
}

static void print_message(const struct limit_request *request, uint32_t retry_s, struct text *message)
{
	const struct limit_answer *answer = &request->answer;

	if (answer->fits_ns == LIMIT_NEVER_NS) {
		text_literal(message, "This request needs about ");
		text_u64(message, request->ask.tokens);
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

static void refuse(struct exchange *e, const struct limit_request *request)
{
	const struct limit_answer *answer = &request->answer;
	struct slice kind = slice_of_string(limit_kind_name(answer->kind));
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct text headers = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct api_error error = {.status = 429,
		.type = SLICE("rate_limit_exceeded"),
		.code = SLICE("rate_limit_exceeded"),
		.message = SLICE("A rate limit is reached. Try again later."),
		.kind = kind,
		.retry_after_s = retry_after_s(answer)};

	if (message.data && headers.data) {
		print_message(request, error.retry_after_s, &message);
		error.message = text_slice(&message);
		text_literal(&headers, "X-Gateway-Limit-Kind: ");
		text_add(&headers, kind);
		text_literal(&headers, "\r\n");
		if (answer->fits_ns == LIMIT_NEVER_NS)
			text_literal(&headers, "x-should-retry: false\r\n");
	}
	exchange_refuse(e, &error, text_slice(&headers));
}

/* ---- the letters ---- */

void exchange_limit_letter_out(struct exchange *e)
{
	e->limit_letters++;
	e->holds |= HOLD_LIMIT;
	e->view_lost = true;
}

/* What was done since it came may have sent another. */
static void unhold(struct exchange *e)
{
	if (e->limit_letters == 0)
		exchange_unhold(e, HOLD_LIMIT);
}

void exchange_limit_letter_home(struct exchange *e)
{
	e->limit_letters--;
	unhold(e);
}

bool exchange_limit_give(struct exchange *e, struct limit_request *request, const struct limit_use *use)
{
	if (!request->admitted || limit_request_settle(request, use) == 1)
		return true;
	exchange_limit_letter_out(e);
	return false;
}

static void key_settled(struct limit_request *request)
{
	exchange_limit_letter_home(container_of(request, struct exchange, limit));
}

static void address_settled(struct limit_request *request)
{
	exchange_limit_letter_home(container_of(request, struct exchange, address_limit));
}

/* ---- the way past them ---- */

static void start_key(struct exchange *e);

static void key_answered(struct exchange *e)
{
	if (e->limit.answer.admitted) {
		exchange_budget_chosen(e);
		exchange_go(e);
	} else if (e->limit.answer.over_budget) {
		exchange_budget_refuse(e);
	} else {
		refuse(e, &e->limit);
	}
}

static void address_answered(struct exchange *e)
{
	if (e->address_limit.answer.admitted)
		start_key(e);
	else
		refuse(e, &e->address_limit);
}

/* A letter is home. */
static void decided(struct exchange *e, void (*answered)(struct exchange *e))
{
	e->limit_letters--;
	if (e->state == EXCHANGE_LIMITING) {
		e->state = EXCHANGE_READING;
		answered(e);
	} else {
		exchange_limit_settle(e); /* its client left while it waited */
	}
	unhold(e);
}

static void key_decided(struct limit_request *request)
{
	decided(container_of(request, struct exchange, limit), key_answered);
}

static void address_decided(struct limit_request *request)
{
	decided(container_of(request, struct exchange, address_limit), address_answered);
}

static void start(
	struct exchange *e, struct limit_request *request, struct limit_ask *ask, void (*answered)(struct exchange *e))
{
	int result;

	ask->tokens = exchange_limit_tokens(e, request);
	result = limit_request_start(request, ask);
	if (result == 1) {
		answered(e);
	} else if (result == 0) {
		e->state = EXCHANGE_LIMITING;
		exchange_limit_letter_out(e);
	} else {
		exchange_refuse_overloaded(
			e, SLICE("starting"), SLICE("The gateway is starting. Try again in a moment."));
	}
}

/* Whether a model may serve that the workspace's balance pays. */
static bool may_be_hosted(const struct exchange *e)
{
	for (unsigned i = 0; i < e->plan.candidate_count; i++)
		if (e->plan.candidates[i].model->hosted)
			return true;
	return false;
}

static void start_key(struct exchange *e)
{
	const struct limit_subject *subject = e->limit.subject;
	struct limit_ask ask = e->limit.ask;

	if (subject->scope_count == 0 && subject->budget_count == 0 && !(subject->has_balance && may_be_hosted(e))) {
		exchange_go(e); /* nothing is limited, or single requests alone have a budget */
		return;
	}
	e->limit.decided = key_decided;
	e->limit.settled = key_settled;
	start(e, &e->limit, &ask, key_answered);
}

/* False: no address is limited. */
static bool start_address(struct exchange *e, const struct limit_table *limits)
{
	struct limit_ask ask = {.day = (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS)};

	if (!limits->addresses)
		return false;
	limit_request_init(&e->address_limit, e->gateway_shard, limits->addresses,
		lockout_id_of_address(e->gateway_shard->gateway->lockout, e->client));
	e->address_limit.decided = address_decided;
	e->address_limit.settled = address_settled;
	start(e, &e->address_limit, &ask, address_answered);
	return true;
}

/* Whether anything that the request meets on its way counts tokens. */
static bool counts_tokens(const struct exchange *e, const struct limit_table *limits)
{
	if (e->limit.subject->counts_tokens || (limits->addresses && limits->addresses->counts_tokens))
		return true;
	for (unsigned i = 0; i < e->plan.candidate_count; i++) {
		const struct limit_subject *subject = exchange_credential_subject(e, &e->plan.candidates[i]);

		if (subject && subject->counts_tokens)
			return true;
	}
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

static void refuse_out_of_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
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
		refuse_out_of_memory(e);
	else if (!limit_subject_join(joined, key, &endpoints[e->endpoint->number], e->endpoint->name.data))
		return key;
	return joined;
}

static bool is_tag(const struct receipt_tag *tag, const char *text)
{
	size_t bytes = tag->name.size;

	return strncmp(text, tag->name.data, bytes) == 0 && text[bytes] == '=' &&
	       slice_equal(slice_of_string(text + bytes + 1), tag->value);
}

/* Which of the workspace's tag budgets hold the request besides those that hold all of its key's. */
static uint32_t tags_of(const struct exchange *e, uint32_t own)
{
	struct receipt_tag tags[RECEIPT_TAGS_MAX];
	unsigned count = exchange_tags(e, tags);
	uint32_t found = 0;

	for (unsigned t = 0; t < e->workspace->tag_budget_count; t++)
		for (unsigned i = e->key->tag_count; i < count; i++)
			if (is_tag(&tags[i], e->workspace->tag_budgets[t].tag))
				found |= 1u << t;
	return found & ~own;
}

/* With what the request's own tags have of a budget. NULL and an error to the client: no memory. */
static const struct limit_subject *tagged_subject_of(struct exchange *e, const struct limit_subject *subject)
{
	uint32_t found = e->workspace ? tags_of(e, subject->own_tags) : 0;
	struct limit_subject *joined = found ? arena_alloc(&e->arena, sizeof(*joined)) : NULL;

	if (!found)
		return subject;
	if (!joined) {
		refuse_out_of_memory(e);
		return NULL;
	}
	*joined = *subject;
	joined->joined = true;
	for (unsigned t = 0; t < e->workspace->tag_budget_count; t++)
		if (found & 1u << t)
			limit_subject_add(joined, &subject->tags[t]);
	return joined;
}

void exchange_limit(struct exchange *e)
{
	const struct limit_table *limits = e->config->config->limits;
	const struct limit_subject *subject = subject_of(e);
	struct limit_ask ask = {.day = (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS)};

	if (!limits) {
		exchange_go(e);
		return;
	}
	subject = whole_subject_of(e, subject);
	if (subject && subject->tags)
		subject = tagged_subject_of(e, subject);
	if (!subject)
		return;
	limit_request_init(&e->limit, e->gateway_shard, subject, 0);
	if ((subject->has_budget || (subject->has_balance && may_be_hosted(e))) && !exchange_budget_reserve(e, &ask))
		return;
	if (counts_tokens(e, limits))
		note_tokens(e);
	e->limit.ask = ask;
	if (!start_address(e, limits))
		start_key(e);
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

static void learn(struct exchange *e, struct limit_request *request)
{
	if (request->admitted && request->subject->counts_tokens && e->limit_guessed && e->status == 200 &&
		e->attempt->usage.completion_tokens)
		limit_learn_output(request, e->attempt->usage.completion_tokens);
}

/* A call that was not even tried leaves no trace in its limits. */
void exchange_limit_settle(struct exchange *e)
{
	const struct usage used = exchange_usage(e);
	const struct limit_use use = {.tokens = used.prompt_tokens + used.completion_tokens,
		.nusd = e->cost.total_nusd,
		.undone = e->attempt->candidate == NULL,
		.hosted = e->attempt->candidate && e->attempt->candidate->model->hosted,
		.free_tokens = e->receipt.free_tokens};

	if (e->limit.admitted)
		note_overrun(e);
	learn(e, &e->limit);
	learn(e, &e->address_limit);
	learn(e, &e->credential_limit);
	exchange_limit_give(e, &e->limit, &use);
	exchange_limit_give(e, &e->address_limit, &use);
	exchange_credential_settle(e, &use);
}
