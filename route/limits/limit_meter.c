/* The decision over all scopes of a request, and what comes back of it: see limit_meter.h. */
#include "route/limits/limit_meter.h"

#include <assert.h>

/* A slot in flight comes free at a time that nobody knows: try again in a second. */
#define CONCURRENCY_RETRY_NS NS_PER_S

/* One limit of one scope, with what is needed to decide on it. */
struct line {
	enum limit_kind kind;
	uint64_t limit, length_ns;
	struct limit_window *window; /* NULL: of a day or of concurrency */
	struct limit_pace *pace;     /* instead of the window, when the scope is smooth */
};

const char *limit_kind_name(enum limit_kind kind)
{
	static const char *const names[LIMIT_KINDS] = {"rpm", "rph", "rpd", "tpm", "concurrency"};

	assert(kind < LIMIT_KINDS);
	return names[kind];
}

const char *limit_place_name(enum limit_place place)
{
	static const char *const names[LIMIT_PLACES] = {"this API key", "this API key's team", "this workspace",
		"this workspace's plan", "this endpoint", "the tag", "your address", "the provider's credential"};

	assert(place < LIMIT_PLACES);
	return names[place];
}

void limit_meter_init(struct limit_meter *meter)
{
	*meter = (struct limit_meter){.in_flight = 0};
	limit_window_init(&meter->minute, LIMIT_MINUTE_NS);
	limit_window_init(&meter->hour, LIMIT_HOUR_NS);
	limit_window_init(&meter->tokens, LIMIT_MINUTE_NS);
}

/* The line of a kind; its limit is 0 when the scope has none. */
static struct line line_of(const struct limit_scope *scope, enum limit_kind kind)
{
	struct limit_meter *meter = scope->meter;
	const struct limit_settings *limits = &scope->limits;
	struct line line = {.kind = kind};

	switch (kind) {
	case LIMIT_RPM:
		line = (struct line){kind, limits->rpm, LIMIT_MINUTE_NS, &meter->minute, &meter->minute_pace};
		break;
	case LIMIT_RPH:
		line = (struct line){kind, limits->rph, LIMIT_HOUR_NS, &meter->hour, &meter->hour_pace};
		break;
	case LIMIT_TPM:
		line = (struct line){kind, limits->tpm, LIMIT_MINUTE_NS, &meter->tokens, &meter->tokens_pace};
		break;
	case LIMIT_RPD:
		line.limit = limits->rpd;
		break;
	default:
		line.limit = limits->concurrency;
		break;
	}
	if (!limits->smooth)
		line.pace = NULL;
	return line;
}

static void advance(const struct limit_scope *scope, const struct line *line, const struct limit_time *time)
{
	if (line->kind == LIMIT_RPD)
		limit_day_advance(&scope->meter->day, time->wall_ns);
	else if (line->window)
		limit_window_advance(line->window, time->now_ns);
}

static uint64_t less(uint64_t limit, uint64_t used)
{
	return used < limit ? limit - used : 0;
}

static uint64_t left(const struct limit_scope *scope, const struct line *line, const struct limit_time *time)
{
	if (line->pace)
		return limit_pace_left(line->pace, time->now_ns, line->length_ns, line->limit);
	if (line->kind == LIMIT_RPD)
		return less(line->limit, scope->meter->day.used);
	if (line->kind == LIMIT_CONCURRENCY)
		return less(line->limit, scope->meter->in_flight);
	return less(line->limit, line->window->used);
}

static uint64_t fits_ns(
	const struct limit_scope *scope, const struct line *line, const struct limit_time *time, uint64_t amount)
{
	if (line->pace)
		return limit_pace_fits_ns(line->pace, time->now_ns, line->length_ns, line->limit, amount);
	if (line->window)
		return limit_window_fits_ns(line->window, time->now_ns, line->limit, amount);
	if (left(scope, line, time) >= amount)
		return time->now_ns;
	return time->now_ns + (line->kind == LIMIT_RPD ? limit_day_left_ns(time->wall_ns) : CONCURRENCY_RETRY_NS);
}

static uint64_t free_ns(const struct line *line, const struct limit_time *time)
{
	if (line->kind == LIMIT_RPD)
		return time->now_ns + limit_day_left_ns(time->wall_ns);
	if (line->pace)
		return line->pace->busy_until_ns > time->now_ns ? line->pace->busy_until_ns : time->now_ns;
	return limit_window_free_ns(line->window, time->now_ns);
}

static void debit(const struct limit_scope *scope, const struct line *line, uint64_t now_ns, uint64_t amount)
{
	if (line->pace)
		limit_pace_debit(line->pace, now_ns, limit_pace_cost_ns(line->length_ns, line->limit, amount));
	if (line->window)
		limit_window_debit(line->window, now_ns, amount); /* also behind a pace: a reload may end it */
	else if (line->kind == LIMIT_RPD)
		scope->meter->day.used += amount;
	else
		scope->meter->in_flight += amount;
}

static uint64_t amount_of(enum limit_kind kind, uint64_t requests, uint64_t tokens)
{
	return kind == LIMIT_TPM ? tokens : kind == LIMIT_CONCURRENCY ? 1 : requests;
}

/* Of the limits that refuse, the one that refuses longest tells when it is worth trying again. */
static void judge(const struct limit_scope *scope, const struct line *line, const struct limit_time *time,
	uint64_t tokens, struct limit_answer *answer)
{
	uint64_t fits = fits_ns(scope, line, time, amount_of(line->kind, 1, tokens));

	if (fits <= time->now_ns || (!answer->admitted && fits <= answer->fits_ns))
		return;
	answer->admitted = false;
	answer->kind = line->kind;
	answer->place = scope->place;
	answer->limit = line->limit;
	answer->fits_ns = fits;
}

/* Of two limits with as much left, the one that is free later. */
static void look(const struct limit_scope *scope, const struct line *line, const struct limit_time *time,
	struct limit_answer *answer)
{
	struct limit_view *view = line->kind == LIMIT_TPM ? &answer->tokens : &answer->requests;
	struct limit_view own = {line->limit, left(scope, line, time), free_ns(line, time)};

	if (!view->limit || own.remaining < view->remaining ||
		(own.remaining == view->remaining && own.reset_ns > view->reset_ns))
		*view = own;
}

/* What every scope can spare beyond the request itself, which is debited by now. */
static void size_lease(const struct limit_scope *scopes, unsigned count, unsigned shards, const struct limit_time *time,
	const struct limit_ask *ask, struct limit_answer *answer)
{
	uint64_t requests = ask->lease, tokens = UINT64_MAX, part = 4 * (uint64_t)shards;

	if (requests > LIMIT_LEASE_REQUESTS_MAX)
		requests = LIMIT_LEASE_REQUESTS_MAX;
	for (unsigned i = 0; i < count; i++) {
		if (scopes[i].limits.smooth || scopes[i].limits.concurrency)
			return;
		for (enum limit_kind kind = 0; kind < LIMIT_CONCURRENCY; kind++) {
			struct line line = line_of(&scopes[i], kind);
			uint64_t share = line.limit ? left(&scopes[i], &line, time) / part : UINT64_MAX;

			if (kind == LIMIT_TPM)
				tokens = share < tokens ? share : tokens;
			else
				requests = share < requests ? share : requests;
		}
	}
	if (tokens != UINT64_MAX && ask->tokens && tokens / ask->tokens < requests)
		requests = tokens / ask->tokens;
	answer->lease_requests = (uint32_t)requests;
	answer->lease_tokens = requests * ask->tokens;
}

static void debit_all(const struct limit_scope *scopes, unsigned count, const struct limit_time *time,
	uint64_t requests, uint64_t tokens, bool begins)
{
	for (unsigned i = 0; i < count; i++) {
		for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
			struct line line = line_of(&scopes[i], kind);
			uint64_t amount = amount_of(kind, requests, tokens);

			if (line.limit && amount && (begins || kind != LIMIT_CONCURRENCY))
				debit(&scopes[i], &line, time->now_ns, amount);
		}
	}
}

static void look_at_all(
	const struct limit_scope *scopes, unsigned count, const struct limit_time *time, struct limit_answer *answer)
{
	for (unsigned i = 0; i < count; i++) {
		for (enum limit_kind kind = 0; kind < LIMIT_CONCURRENCY; kind++) {
			struct line line = line_of(&scopes[i], kind);

			if (line.limit)
				look(&scopes[i], &line, time, answer);
		}
	}
}

static uint64_t lease_until_ns(const struct limit_time *time)
{
	uint64_t day_ns = limit_day_left_ns(time->wall_ns), life_ns = LIMIT_LEASE_NS / 4 * 3;

	/* Not into another day, and a shard whose turn takes long sees late that it is over: a quarter is left for
	 * that. */
	return time->now_ns + (day_ns < life_ns ? day_ns : life_ns);
}

void limit_decide(const struct limit_scope *scopes, unsigned count, unsigned shards, const struct limit_time *time,
	const struct limit_ask *ask, struct limit_answer *answer)
{
	*answer = (struct limit_answer){.admitted = true, .fits_ns = time->now_ns, .debited_ns = time->now_ns};
	for (unsigned i = 0; i < count; i++) {
		for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
			struct line line = line_of(&scopes[i], kind);

			if (!line.limit)
				continue;
			advance(&scopes[i], &line, time);
			judge(&scopes[i], &line, time, ask->tokens, answer);
		}
	}
	if (answer->admitted) {
		answer->day = time->wall_ns / LIMIT_DAY_NS;
		debit_all(scopes, count, time, 1, ask->tokens, true);
		if (ask->lease)
			size_lease(scopes, count, shards, time, ask, answer);
	}
	look_at_all(scopes, count, time, answer);
	if (!answer->lease_requests)
		return;
	/* The asker sees what it holds as left: only what others hold is missing in its headers. */
	answer->lease_until_ns = lease_until_ns(time);
	debit_all(scopes, count, time, answer->lease_requests, answer->lease_tokens, false);
}

static void credit(const struct limit_scope *scope, const struct line *line, const struct limit_return *back)
{
	uint64_t amount = line->kind == LIMIT_TPM ? back->tokens : back->requests;

	if (!amount)
		return;
	if (line->pace)
		limit_pace_credit(line->pace, limit_pace_cost_ns(line->length_ns, line->limit, amount));
	if (line->window)
		limit_window_credit(line->window, back->debited_ns, amount);
	else
		limit_day_credit(&scope->meter->day, back->day, amount);
}

void limit_give_back(const struct limit_scope *scopes, unsigned count, const struct limit_time *time,
	const struct limit_return *back)
{
	for (unsigned i = 0; i < count; i++) {
		for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
			struct line line = line_of(&scopes[i], kind);

			if (!line.limit)
				continue;
			advance(&scopes[i], &line, time);
			if (kind != LIMIT_CONCURRENCY)
				credit(&scopes[i], &line, back);
			else if (back->ended && scopes[i].meter->in_flight)
				scopes[i].meter->in_flight--;
			if (kind == LIMIT_TPM && back->excess_tokens)
				debit(&scopes[i], &line, time->now_ns, back->excess_tokens);
		}
	}
}

bool limit_counts_tokens(const struct limit_scope *scopes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (scopes[i].limits.tpm)
			return true;
	return false;
}

bool limit_counts_concurrency(const struct limit_scope *scopes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (scopes[i].limits.concurrency)
			return true;
	return false;
}
