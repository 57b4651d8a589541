/*
 * Leases: the borrower's table of states, and several shards that share one key, with letters that take their time and
 * clocks that are read late, held against what limit_window.h promises.
 */
#include "route/limits/limit_lease.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	SHARDS_MAX = 8,
	LETTERS_MAX = 64,
	USES_MAX = SHARDS_MAX * 260000,
	REFUSALS_MAX = 10000,
	LIMIT_AMPLE = 10000000,
	SEEDS = 4,
	ASKS_MAX = 4, /* on their way at once, from one shard */
};
#define STEP_NS (500 * NS_PER_US)
#define LATE_NS_MAX (LIMIT_LEASE_NS / 4 - STEP_NS) /* how old a shard's clock may be */
#define RUN_NS (130 * NS_PER_S)

enum letter_kind { NO_LETTER, ASK, ANSWER, BACK };

struct message {
	enum letter_kind kind;
	unsigned shard;
	uint64_t due_ns;
	struct limit_ask ask;
	struct limit_answer answer;
	struct limit_return back;
};

struct world {
	struct rand rand;
	uint64_t now_ns;
	unsigned shards;
	uint64_t tokens_max; /* of a request; 0: tokens are not limited */
	struct limit_meter meter;
	struct limit_scope scope;
	struct limit_lease leases[SHARDS_MAX];
	unsigned asks[SHARDS_MAX];
	struct message letters[LETTERS_MAX];
	uint64_t uses_ns[USES_MAX], uses_tokens[USES_MAX];
	unsigned uses, messages, leased, refusals;
	uint64_t refusals_ns[REFUSALS_MAX]; /* one in a while */
};

static void post(struct world *w, const struct message *letter)
{
	for (unsigned i = 0; i < LETTERS_MAX; i++) {
		if (w->letters[i].kind != NO_LETTER)
			continue;
		w->letters[i] = *letter;
		w->letters[i].due_ns = w->now_ns + rand_below(&w->rand, 3 * NS_PER_MS);
		w->messages++;
		return;
	}
	fail_msg("letters are bounded by what is asked");
}

static void use(struct world *w, uint64_t tokens)
{
	assert_true(w->uses < USES_MAX);
	w->uses_ns[w->uses] = w->now_ns;
	w->uses_tokens[w->uses++] = tokens;
}

static void end_lease(struct world *w, unsigned shard)
{
	struct message letter = {.kind = BACK, .shard = shard};

	if (limit_lease_end(&w->leases[shard], &letter.back))
		post(w, &letter);
}

static void note_refusal(struct world *w)
{
	if (w->refusals && w->now_ns - w->refusals_ns[w->refusals - 1] < 20 * NS_PER_MS)
		return;
	assert_true(w->refusals < REFUSALS_MAX);
	w->refusals_ns[w->refusals++] = w->now_ns;
}

static void open_letter(struct world *w, struct message *letter)
{
	const struct limit_time time = {w->now_ns, 20000 * LIMIT_DAY_NS + w->now_ns};
	struct message taken = *letter;

	letter->kind = NO_LETTER;
	if (taken.kind == ASK) {
		limit_decide(&w->scope, 1, w->shards, &time, &taken.ask, &taken.answer);
		if (!taken.answer.admitted)
			note_refusal(w);
		taken.kind = ANSWER;
		post(w, &taken);
	} else if (taken.kind == BACK) {
		limit_give_back(&w->scope, 1, &time, &taken.back);
	} else {
		w->asks[taken.shard]--;
		if (taken.answer.admitted)
			use(w, taken.ask.tokens);
		if (taken.ask.lease)
			limit_lease_receive(&w->leases[taken.shard], &taken.ask, &taken.answer);
	}
}

static void demand(struct world *w, unsigned shard)
{
	struct message letter = {.kind = ASK, .shard = shard};
	uint64_t late_ns = w->now_ns - rand_below(&w->rand, LATE_NS_MAX);
	struct limit_lease *lease = &w->leases[shard];
	struct limit_answer answer;

	letter.ask.tokens = w->tokens_max ? 1 + rand_below(&w->rand, w->tokens_max) : 0;
	if (limit_lease_take(lease, late_ns, &letter.ask, &answer)) {
		w->leased++;
		use(w, letter.ask.tokens);
		return;
	}
	if (w->asks[shard] == ASKS_MAX)
		return;
	if (!lease->requests)
		end_lease(w, shard);
	letter.ask.lease = limit_lease_wish(lease, w->now_ns);
	lease->asked = lease->asked || letter.ask.lease > 0;
	w->asks[shard]++;
	post(w, &letter);
}

static void step(struct world *w, unsigned busy_percent)
{
	for (unsigned i = 0; i < LETTERS_MAX; i++)
		if (w->letters[i].kind != NO_LETTER && w->letters[i].due_ns <= w->now_ns)
			open_letter(w, &w->letters[i]);
	for (unsigned s = 0; s < w->shards; s++) {
		if (w->leases[s].requests && w->leases[s].until_ns + LATE_NS_MAX <= w->now_ns)
			end_lease(w, s);
		if (rand_below(&w->rand, 100) < busy_percent)
			demand(w, s);
	}
	w->now_ns += STEP_NS;
}

static uint64_t amount(const struct world *w, unsigned i)
{
	return w->tokens_max ? w->uses_tokens[i] : 1;
}

static void check(const struct world *w, uint64_t limit)
{
	const uint64_t within_ns = LIMIT_MINUTE_NS + NS_PER_S + LIMIT_LEASE_NS;
	const uint64_t least = limit - (w->shards - 1) - (w->tokens_max ? w->tokens_max - 1 : 0);
	const uint64_t settled_ns = 100 * NS_PER_MS;
	uint64_t sum = 0;
	unsigned end = 0, from = 0, to = 0;

	for (unsigned i = 0; i < w->uses; i++) {
		for (; end < w->uses && w->uses_ns[end] <= w->uses_ns[i] + LIMIT_MINUTE_NS; end++)
			sum += amount(w, end);
		if (sum > limit)
			fail_msg("%llu of %llu in a minute", (unsigned long long)sum, (unsigned long long)limit);
		sum -= amount(w, i);
	}
	sum = 0;
	/* Where somebody is refused there is demand; what lay unused elsewhere then is used or given back soon after.
	 */
	for (unsigned r = 0; r < w->refusals && w->refusals_ns[r] + settled_ns <= w->now_ns; r++) {
		uint64_t at_ns = w->refusals_ns[r] - within_ns;

		for (; to < w->uses && w->uses_ns[to] <= w->refusals_ns[r] + settled_ns; to++)
			sum += amount(w, to);
		for (; from < to && w->uses_ns[from] < at_ns; from++)
			sum -= amount(w, from);
		if (sum < least)
			fail_msg("%llu of %llu in a minute with demand", (unsigned long long)sum,
				(unsigned long long)limit);
	}
}

static void run(uint64_t seed, uint64_t limit, uint64_t tokens_max, unsigned busy_percent)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	rand_seed(&w->rand, seed);
	w->shards = 1 + (unsigned)rand_below(&w->rand, SHARDS_MAX);
	w->tokens_max = tokens_max;
	w->now_ns = 1000 * NS_PER_S + rand_below(&w->rand, NS_PER_S);
	limit_meter_init(&w->meter);
	w->scope = (struct limit_scope){.meter = &w->meter, .place = LIMIT_KEY};
	if (tokens_max)
		w->scope.limits.tpm = limit;
	else
		w->scope.limits.rpm = limit;
	for (uint64_t end_ns = w->now_ns + RUN_NS; w->now_ns < end_ns;)
		step(w, busy_percent);
	check(w, limit);
	if (limit >= LIMIT_AMPLE) /* though letters take as long as a fifth of a lease here */
		assert_true(w->leased > w->uses / 2 && w->messages < w->uses);
	free(w);
}

static void test_requests(void **state)
{
	static const uint64_t limits[] = {7, 100, 2000, LIMIT_AMPLE};

	(void)state;
	for (unsigned l = 0; l < sizeof(limits) / sizeof(limits[0]); l++)
		for (uint64_t seed = 0; seed < (limits[l] == LIMIT_AMPLE ? 1 : SEEDS); seed++)
			run(seed * 16 + l, limits[l], 0, 100);
}

static void test_tokens(void **state)
{
	static const uint64_t limits[] = {500, 20000};

	(void)state;
	for (unsigned l = 0; l < sizeof(limits) / sizeof(limits[0]); l++)
		for (uint64_t seed = 0; seed < SEEDS; seed++)
			run(1000 + seed * 16 + l, limits[l], limits[l] == 500 ? 10 : 20, 100);
}

static void test_calm(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(2000 + seed, 100, 0, 1);
}

/* A lease admits what it holds, in its time, and what is left comes back once. */
static void test_states(void **state)
{
	struct limit_answer answer = {.admitted = true,
		.requests = {100, 60, 0},
		.tokens = {1000, 500, 0},
		.debited_ns = NS_PER_S,
		.day = 3,
		.lease_requests = 3,
		.lease_tokens = 50,
		.lease_until_ns = NS_PER_S + 15 * NS_PER_MS};
	const struct limit_ask ask = {.lease = 3};
	struct limit_lease lease = {0};
	struct limit_return back;
	struct limit_answer own;

	(void)state;
	assert_false(limit_lease_take(&lease, NS_PER_S, &(struct limit_ask){.tokens = 1}, &own));
	for (unsigned i = 1; i < LIMIT_LEASE_WORTH; i++)
		assert_int_equal(limit_lease_wish(&lease, NS_PER_S), 0);
	assert_int_equal(limit_lease_wish(&lease, NS_PER_S), LIMIT_LEASE_WORTH);
	lease.asked = true;
	assert_int_equal(limit_lease_wish(&lease, NS_PER_S), 0); /* one is on its way */
	limit_lease_receive(&lease, &ask, &answer);
	assert_int_equal(limit_lease_wish(&lease, NS_PER_S), 0);
	assert_true(limit_lease_take(&lease, NS_PER_S, &(struct limit_ask){.tokens = 30}, &own));
	assert_int_equal(own.requests.remaining, 59);
	assert_int_equal(own.tokens.remaining, 470);
	assert_true(own.debited_ns == NS_PER_S && own.day == 3);
	assert_false(
		limit_lease_take(&lease, NS_PER_S, &(struct limit_ask){.tokens = 21}, &own)); /* not so many tokens */
	assert_true(limit_lease_take(&lease, NS_PER_S, &(struct limit_ask){.tokens = 20}, &own));
	assert_false(limit_lease_take(&lease, NS_PER_S + 15 * NS_PER_MS, &(struct limit_ask){.tokens = 0}, &own));
	assert_true(limit_lease_end(&lease, &back));
	assert_true(back.requests == 1 && back.tokens == 0 && back.debited_ns == NS_PER_S && back.day == 3);
	assert_false(limit_lease_end(&lease, &back));
	assert_int_equal(limit_lease_wish(&lease, NS_PER_S + 10 * LIMIT_LEASE_NS), 0); /* calm again */
}

/* Money goes with the requests: of the day it was reserved in, and no more than there is. */
static void test_money(void **state)
{
	const struct limit_ask ask = {.lease = 5, .nusd = 100, .day = 7};
	const struct limit_answer answer = {
		.admitted = true, .lease_requests = 5, .lease_nusd = 500, .lease_until_ns = NS_PER_S};
	struct limit_lease lease = {0};
	struct limit_return back;
	struct limit_answer own;

	(void)state;
	limit_lease_receive(&lease, &ask, &answer);
	assert_false(limit_lease_take(&lease, 1, &(struct limit_ask){.nusd = 100, .day = 8}, &own));
	assert_false(limit_lease_take(&lease, 1, &(struct limit_ask){.nusd = 501, .day = 7}, &own));
	assert_true(limit_lease_take(&lease, 1, &(struct limit_ask){.nusd = 450, .day = 7}, &own));
	assert_false(limit_lease_take(&lease, 1, &(struct limit_ask){.nusd = 100, .day = 7}, &own));
	assert_true(limit_lease_take(&lease, 1, &(struct limit_ask){.nusd = 0, .day = 8}, &own));
	assert_true(limit_lease_end(&lease, &back));
	assert_true(back.requests == 3 && back.reserved_nusd == 50 && back.used_nusd == 0 && back.budget_day == 7);
	assert_false(limit_lease_end(&lease, &back));
}

/* What was lent in a slot's last moment is used in the next one: it counts until the end of the last minute it was used
 * in. */
static void test_used_late(void **state)
{
	const uint64_t slot_end_ns = 1000 * NS_PER_S, used_ns = slot_end_ns + LIMIT_LEASE_NS - 2 * NS_PER_MS;
	struct limit_meter meter;
	const struct limit_scope scope = {.meter = &meter, .limits = {.rpm = 100}, .place = LIMIT_KEY};
	struct limit_time time = {slot_end_ns - NS_PER_MS, LIMIT_DAY_NS};
	struct limit_answer answer;

	(void)state;
	limit_meter_init(&meter);
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.lease = 1}, &answer);
	assert_int_equal(answer.lease_requests, 1);
	for (unsigned i = 2; i < 100; i++) {
		limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.lease = 0}, &answer);
		assert_true(answer.admitted);
	}
	time.now_ns = used_ns + LIMIT_MINUTE_NS;
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.lease = 0}, &answer);
	assert_false(answer.admitted);
	assert_true(answer.fits_ns == slot_end_ns + LIMIT_MINUTE_NS + LIMIT_LEASE_NS);
	time.now_ns = answer.fits_ns;
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.lease = 0}, &answer);
	assert_true(answer.admitted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_money),
		cmocka_unit_test(test_used_late),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_calm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
