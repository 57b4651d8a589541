/* See bill.h. */
#include "fuzz/sim/bill.h"

#define SENT_LATE_NS (20 * NS_PER_MS)
#define WRONG(s, ...) scenario_break((s), "receipts say what happened", __VA_ARGS__)

int64_t bill_cost_nusd(const struct receipt *receipt)
{
	return receipt->provider_cost_nusd + receipt->platform_fee_nusd;
}

static struct figures figures_of(const struct receipt *receipt)
{
	return (struct figures){.prompt = (int64_t)receipt->prompt_tokens,
		.completion = (int64_t)receipt->completion_tokens,
		.cached = (int64_t)receipt->cached_tokens,
		.reasoning = (int64_t)receipt->reasoning_tokens};
}

static struct figures less(const struct figures *whole, const struct figures *part)
{
	return (struct figures){.prompt = whole->prompt - part->prompt,
		.completion = whole->completion - part->completion,
		.cached = whole->cached - part->cached,
		.reasoning = whole->reasoning - part->reasoning};
}

static bool is_negative(const struct figures *f)
{
	return f->prompt < 0 || f->completion < 0 || f->cached < 0 || f->reasoning < 0;
}

static bool is_nothing(const struct figures *f)
{
	return f->prompt == 0 && f->completion == 0 && f->cached == 0 && f->reasoning == 0;
}

/* MODELS: none of ours. */
static unsigned model_named(struct slice name)
{
	unsigned i = 0;

	while (i < MODELS && !slice_equal(name, slice_of_string(model_terms[i].id)))
		i++;
	return i;
}

static unsigned provider_named(struct slice name)
{
	return name.size == 2 && name.data[0] == 'p' ? (unsigned)(name.data[1] - '0') : PROVIDERS;
}

/* NULL: no attempt was outrun. */
static const struct receipt_attempt *outrun_of(const struct receipt *receipt)
{
	for (unsigned i = 0; i < receipt->attempt_count; i++)
		if (slice_equal(receipt->attempts[i].error, SLICE("outrun")))
			return &receipt->attempts[i];
	return NULL;
}

static unsigned count_outrun(const struct receipt *receipt)
{
	unsigned count = 0;

	for (unsigned i = 0; i < receipt->attempt_count; i++)
		count += slice_equal(receipt->attempts[i].error, SLICE("outrun"));
	return count;
}

/* ---- Of one attempt ---- */

/* What is free of the tokens is free of the price, and no more of it is rounded away than a whole. */
static int64_t without_free(int64_t nusd, const struct receipt *receipt)
{
	uint64_t tokens = receipt->prompt_tokens + receipt->completion_tokens, paid = tokens - receipt->free_tokens;

	return receipt->free_tokens ? (int64_t)(((__int128)nusd * paid + tokens - 1) / tokens) : nusd;
}

static void check_cost(struct scenario *s, const struct call *call, const struct receipt *receipt)
{
	struct figures figures = figures_of(receipt);
	unsigned model = model_named(receipt->model);
	int64_t due = model < MODELS ? without_free(scenario_cost_nusd(s, model, &figures), receipt) : 0;

	if (model < MODELS && bill_cost_nusd(receipt) != due)
		WRONG(s, "call %u: it costs %lld nano-USD, its tokens %lld", call->id,
			(long long)bill_cost_nusd(receipt), (long long)due);
}

/* ---- Of two ---- */

/* Whose tokens are whose is not known: each kind of them has the price of the one's model or of the other's. */
static void check_cost_bounds(struct scenario *s, const struct call *call, const struct receipt *receipt,
	const struct receipt_attempt *outrun)
{
	enum { KINDS = 3 }; /* each rounded up by itself here, by less than one */
	unsigned a = model_named(receipt->model), b = model_named(outrun->model);
	int64_t least = -KINDS, most = KINDS, cost = bill_cost_nusd(receipt), of_a, of_b;
	struct figures f = figures_of(receipt);
	const struct figures kinds[KINDS] = {{.prompt = f.prompt - f.cached}, {.prompt = f.cached, .cached = f.cached},
		{.completion = f.completion}};

	if (a == MODELS || b == MODELS) {
		WRONG(s, "call %u: its receipt names a model that is none", call->id);
		return;
	}
	for (unsigned i = 0; i < KINDS; i++) {
		of_a = scenario_cost_nusd(s, a, &kinds[i]);
		of_b = scenario_cost_nusd(s, b, &kinds[i]);
		least += of_a < of_b ? of_a : of_b;
		most += of_a > of_b ? of_a : of_b;
	}
	if (cost < least || cost > most)
		WRONG(s, "call %u: two attempts cost %lld nano-USD, their tokens %lld to %lld", call->id,
			(long long)cost, (long long)least, (long long)most);
}

/* Whether the one that was outrun told these itself: all of them, or those of the prompt, before its answer. */
static bool was_told(
	struct scenario *s, const struct call *call, const struct receipt_attempt *outrun, const struct figures *rest)
{
	for (uint32_t n = 1; n <= call->attempt_count; n++) {
		const struct attempt *attempt = book_attempt(&s->book, call->id, n);

		if (n != call->served_by && attempt->usage_known && attempt->model == model_named(outrun->model) &&
			attempt->provider == provider_named(outrun->provider) &&
			attempt->figures.prompt == rest->prompt && attempt->figures.completion >= rest->completion)
			return true;
	}
	return false;
}

/* Whether the request of the one that was outrun was sent, for certain, before the other one's answer began. */
static bool was_bought(struct scenario *s, const struct call *call, const struct receipt *receipt,
	const struct attempt *served, const struct receipt_attempt *outrun)
{
	uint64_t late_ns = SENT_LATE_NS + 8 * sim_ring_faults(s->sim)->shard_late_ns;

	if (scenario_is_held_up(s) || receipt->attempt_count > 1)
		return false;
	for (uint32_t n = 1; n <= call->attempt_count; n++) {
		const struct attempt *attempt = book_attempt(&s->book, call->id, n);

		if (n != call->served_by && attempt->model == model_named(outrun->model) &&
			attempt->provider == provider_named(outrun->provider) &&
			attempt->asked_ns + late_ns < served->begun_ns)
			return true;
	}
	return false;
}

/* Behind what the one that served told is the other's, to the token and to the nano-USD. */
static void check_rest(struct scenario *s, const struct call *call, const struct receipt *receipt,
	const struct attempt *served, const struct receipt_attempt *outrun)
{
	struct figures whole = figures_of(receipt), rest = less(&whole, &served->figures);
	bool told = was_told(s, call, outrun, &rest);
	int64_t due = scenario_cost_nusd(s, served->model, &served->figures) +
		      scenario_cost_nusd(s, model_named(outrun->model), &rest);

	if (is_negative(&rest)) {
		WRONG(s, "call %u: its receipt has less than the provider told", call->id);
		return;
	}
	if (bill_cost_nusd(receipt) != due)
		WRONG(s, "call %u: it costs %lld nano-USD, its two attempts %lld", call->id,
			(long long)bill_cost_nusd(receipt), (long long)due);
	if (!receipt->tokens_estimated && !is_nothing(&rest) && !told)
		WRONG(s, "call %u: %lld and %lld tokens of what was outrun were not told, nor are they estimated",
			call->id, (long long)rest.prompt, (long long)rest.completion);
	if (is_nothing(&rest) && was_bought(s, call, receipt, served, outrun))
		WRONG(s, "call %u: nothing was paid for what was outrun", call->id);
	/* A token has a byte at least. */
	if (receipt->tokens_estimated && !told && (rest.prompt == 0 || (size_t)rest.prompt > call->body_bytes))
		WRONG(s, "call %u: %lld tokens of a prompt of %zu bytes that was outrun", call->id,
			(long long)rest.prompt, call->body_bytes);
}

static void check_told(
	struct scenario *s, const struct call *call, const struct receipt *receipt, const struct attempt *served)
{
	struct figures whole = figures_of(receipt), rest = less(&whole, &served->figures);

	if (receipt->tokens_estimated)
		WRONG(s, "call %u: its tokens are estimated, though they were told", call->id);
	if (!is_nothing(&rest))
		WRONG(s, "call %u: the provider told %lld and %lld tokens, the receipt %lld and %lld", call->id,
			(long long)served->figures.prompt, (long long)served->figures.completion,
			(long long)whole.prompt, (long long)whole.completion);
}

void bill_check(struct scenario *s, const struct call *call, const struct receipt *receipt)
{
	const struct receipt_attempt *outrun = outrun_of(receipt);
	unsigned count = count_outrun(receipt);

	s->outrun += count;
	if (count > (s->terms.hedge_percent ? 1 : 0))
		WRONG(s, "call %u: %u attempts were outrun", call->id, count);
	else if (outrun)
		check_cost_bounds(s, call, receipt, outrun);
	else
		check_cost(s, call, receipt);
}

void bill_check_served(struct scenario *s, const struct call *call, const struct receipt *receipt)
{
	const struct attempt *served = book_attempt(&s->book, call->id, call->served_by);
	const struct receipt_attempt *outrun = outrun_of(receipt);

	if (provider_named(receipt->provider) != served->provider)
		WRONG(s, "call %u: its receipt names the provider %.*s", call->id, (int)receipt->provider.size,
			receipt->provider.data);
	if (!served->usage_known && !receipt->tokens_estimated)
		WRONG(s, "call %u: its tokens are not estimated, though nothing credible was told", call->id);
	if (served->usage_known && outrun)
		check_rest(s, call, receipt, served, outrun);
	else if (served->usage_known)
		check_told(s, call, receipt, served);
}
