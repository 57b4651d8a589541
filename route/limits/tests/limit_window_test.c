/* Windows, days, paces, and the decision over several scopes: tables, and seeded histories held against a plain model.
 */
#include "route/limits/limit_meter.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 24, EVENTS = 6000 };

struct use {
	uint64_t at_ns, amount;
};

/* The most that was used in any interval of that length: such an interval may begin at a use. */
static uint64_t most_in(const struct use *uses, unsigned count, uint64_t length_ns)
{
	uint64_t sum = 0, most = 0;
	unsigned end = 0;

	for (unsigned begin = 0; begin < count; begin++) {
		for (; end < count && uses[end].at_ns <= uses[begin].at_ns + length_ns; end++)
			sum += uses[end].amount;
		most = sum > most ? sum : most;
		sum -= uses[begin].amount;
	}
	return most;
}

/* The least that was used in any interval of that length that lies within the history: such an interval may begin just
 * behind a use. */
static uint64_t least_in(const struct use *uses, unsigned count, uint64_t length_ns)
{
	uint64_t sum = 0, least = UINT64_MAX;
	unsigned end = 0;

	for (unsigned begin = 0; begin < count; begin++) {
		for (; end < count && uses[end].at_ns <= uses[begin].at_ns + length_ns; end++)
			sum += uses[end].amount;
		sum -= uses[begin].amount;
		if (end < count)
			least = sum < least ? sum : least;
	}
	return least;
}

static void test_bounds(void **state)
{
	static struct use uses[EVENTS];

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct limit_window window;
		struct rand rand;
		uint64_t limit, cost_max, now_ns, length_ns = seed % 4 ? LIMIT_MINUTE_NS : LIMIT_HOUR_NS;
		unsigned count = 0;

		rand_seed(&rand, seed);
		limit = 7 + rand_below(&rand, 400);
		cost_max = 1 + limit / 50;
		now_ns = rand_below(&rand, 1000 * NS_PER_S);
		limit_window_init(&window, length_ns);
		for (unsigned i = 0; i < EVENTS; i++) {
			uint64_t amount = 1 + rand_below(&rand, cost_max), fits_ns;

			now_ns += rand_below(&rand, length_ns / limit);
			limit_window_advance(&window, now_ns);
			fits_ns = limit_window_fits_ns(&window, now_ns, limit, amount);
			if (fits_ns > now_ns) {
				/* What it says is the truth: a moment before, it does not fit. */
				struct limit_window later = window;

				limit_window_advance(&later, fits_ns - 1);
				assert_true(limit_window_fits_ns(&later, fits_ns - 1, limit, amount) == fits_ns);
				limit_window_advance(&later, fits_ns);
				assert_true(limit_window_fits_ns(&later, fits_ns, limit, amount) == fits_ns);
				now_ns = fits_ns;
				limit_window_advance(&window, now_ns);
			}
			limit_window_debit(&window, now_ns, amount);
			uses[count++] = (struct use){now_ns, amount};
		}
		assert_true(most_in(uses, count, length_ns) <= limit);
	}
}

/* Demand that never pauses: the lower bound of limit_window.h. */
static void test_saturated(void **state)
{
	static struct use uses[EVENTS];

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct limit_window window;
		struct rand rand;
		uint64_t limit, cost_max, now_ns;

		rand_seed(&rand, 1000 + seed);
		limit = 7 + rand_below(&rand, 300);
		cost_max = 1 + limit / 50;
		now_ns = rand_below(&rand, 1000 * NS_PER_S);
		limit_window_init(&window, LIMIT_MINUTE_NS);
		for (unsigned i = 0; i < EVENTS; i++) {
			uint64_t amount = 1 + rand_below(&rand, cost_max);

			limit_window_advance(&window, now_ns);
			now_ns = limit_window_fits_ns(&window, now_ns, limit, amount);
			limit_window_advance(&window, now_ns);
			limit_window_debit(&window, now_ns, amount);
			uses[i] = (struct use){now_ns, amount};
			now_ns += rand_below(&rand, NS_PER_US);
		}
		assert_true(most_in(uses, EVENTS, LIMIT_MINUTE_NS) <= limit);
		assert_true(least_in(uses, EVENTS, LIMIT_MINUTE_NS + NS_PER_S + LIMIT_LEASE_NS + NS_PER_MS) +
				    (cost_max - 1) >=
			    limit);
	}
}

static void test_window_credit(void **state)
{
	struct limit_window window;
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	limit_window_init(&window, LIMIT_MINUTE_NS);
	limit_window_advance(&window, now_ns);
	limit_window_debit(&window, now_ns, 10);
	limit_window_advance(&window, now_ns + 5 * NS_PER_S);
	limit_window_debit(&window, now_ns + 5 * NS_PER_S, 3);
	limit_window_credit(&window, now_ns, 4);
	assert_int_equal(window.used, 9);
	limit_window_credit(&window, now_ns, 100); /* never more than its slot holds */
	assert_int_equal(window.used, 3);
	limit_window_credit(&window, now_ns - 500 * NS_PER_S, 1);
	assert_int_equal(window.used, 3);
	assert_true(limit_window_free_ns(&window, now_ns) == now_ns + (5 + 1 + 60) * NS_PER_S + LIMIT_LEASE_NS);
	limit_window_advance(&window, now_ns + 67 * NS_PER_S);
	assert_int_equal(window.used, 0);
	assert_true(limit_window_fits_ns(&window, now_ns, 5, 6) == LIMIT_NEVER_NS);
	limit_window_advance(&window, now_ns + 1000 * NS_PER_S);
	limit_window_debit(&window, now_ns + 960 * NS_PER_S, 2); /* as a start brings back what was used before it */
	limit_window_debit(&window, now_ns + 900 * NS_PER_S, 2);
	assert_int_equal(window.used, 2);
}

static void test_day(void **state)
{
	struct limit_day day = {0};
	const uint64_t noon_ns = 20000 * LIMIT_DAY_NS + LIMIT_DAY_NS / 2;

	(void)state;
	limit_day_advance(&day, noon_ns);
	day.used = 5;
	limit_day_credit(&day, 20000, 2);
	limit_day_credit(&day, 19999, 2);
	assert_int_equal(day.used, 3);
	limit_day_advance(&day, noon_ns + LIMIT_DAY_NS / 2);
	assert_int_equal(day.used, 0);
	day.used = 4;
	limit_day_advance(&day, noon_ns + LIMIT_DAY_NS / 2 - 1); /* the clock was set back over midnight */
	assert_int_equal(day.used, 4);
	limit_day_advance(&day, noon_ns - 5 * LIMIT_DAY_NS);
	assert_int_equal(day.used, 0);
	assert_true(limit_day_left_ns(noon_ns) == LIMIT_DAY_NS / 2);
}

static void test_pace(void **state)
{
	static struct use uses[EVENTS];

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct limit_pace pace = {0};
		struct rand rand;
		uint64_t limit, now_ns = 5 * NS_PER_S, most;

		rand_seed(&rand, seed);
		limit = 1 + rand_below(&rand, 1000);
		for (unsigned i = 0; i < EVENTS; i++) {
			now_ns = limit_pace_fits_ns(&pace, now_ns, LIMIT_MINUTE_NS, limit, 1);
			assert_true(limit_pace_left(&pace, now_ns, LIMIT_MINUTE_NS, limit) >= 1);
			limit_pace_debit(&pace, now_ns, limit_pace_cost_ns(LIMIT_MINUTE_NS, limit, 1));
			uses[i] = (struct use){now_ns, 1};
			now_ns += rand_below(&rand, 2) * rand_below(&rand, 3 * LIMIT_MINUTE_NS / limit);
		}
		most = most_in(uses, EVENTS, LIMIT_MINUTE_NS);
		assert_true(most <= limit * 61 / 60 + 1);
		assert_true(most_in(uses, EVENTS, NS_PER_S) <= limit / 30 + 2);
	}
}

struct decision {
	const char *what;
	struct limit_settings key, plan;
	unsigned before; /* requests of 10 tokens that are admitted first */
	uint64_t tokens;
	bool admitted;
	enum limit_kind kind;
	enum limit_place place;
	uint64_t remaining, remaining_tokens;
};

static void test_decisions(void **state)
{
	static const struct decision rows[] = {
		{"the first", {.rpm = 2}, {.rpm = 10}, 0, 10, true, 0, 0, 1, 0},
		{"the last", {.rpm = 2}, {.rpm = 10}, 1, 10, true, 0, 0, 0, 0},
		{"one too many", {.rpm = 2}, {.rpm = 10}, 2, 10, false, LIMIT_RPM, LIMIT_KEY, 0, 0},
		{"the plan is tighter", {.rpm = 20}, {.rpm = 2}, 2, 10, false, LIMIT_RPM, LIMIT_PLAN, 0, 0},
		{"the longest wait is told", {.rpm = 2, .rph = 2}, {.rpd = 50}, 2, 10, false, LIMIT_RPH, LIMIT_KEY, 0,
			0},
		{"the day", {.rpm = 9}, {.rpd = 3}, 3, 10, false, LIMIT_RPD, LIMIT_PLAN, 0, 0},
		{"tokens", {.tpm = 35}, {.rpm = 9}, 2, 15, true, 0, 0, 6, 0},
		{"tokens, one too many", {.tpm = 35}, {.rpm = 9}, 2, 16, false, LIMIT_TPM, LIMIT_KEY, 7, 15},
		{"more than the limit", {.tpm = 35}, {.rpm = 9}, 0, 36, false, LIMIT_TPM, LIMIT_KEY, 9, 35},
		{"concurrency", {.concurrency = 2}, {.rpm = 9}, 2, 1, false, LIMIT_CONCURRENCY, LIMIT_KEY, 7, 0},
		{"a window waits longer than concurrency", {.concurrency = 2, .rpm = 2}, {.rpm = 9}, 2, 1, false,
			LIMIT_RPM, LIMIT_KEY, 0, 0},
		{"smooth", {.rpm = 6, .smooth = true}, {.rpm = 9}, 1, 1, false, LIMIT_RPM, LIMIT_KEY, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct decision *row = &rows[i];
		const struct limit_time time = {5000 * NS_PER_S, 20000 * LIMIT_DAY_NS + 1000 * NS_PER_S};
		struct limit_meter key, plan;
		const struct limit_scope scopes[] = {{&key, row->key, LIMIT_KEY}, {&plan, row->plan, LIMIT_PLAN}};
		struct limit_answer answer;

		limit_meter_init(&key);
		limit_meter_init(&plan);
		for (unsigned n = 0; n < row->before; n++) {
			limit_decide(scopes, 2, 4, &time, &(struct limit_ask){.tokens = 10}, &answer);
			assert_true(answer.admitted);
		}
		limit_decide(scopes, 2, 4, &time, &(struct limit_ask){.tokens = row->tokens}, &answer);
		if (answer.admitted != row->admitted || answer.requests.remaining != row->remaining ||
			answer.tokens.remaining != row->remaining_tokens)
			fail_msg("%s: %d, %llu, %llu", row->what, answer.admitted,
				(unsigned long long)answer.requests.remaining,
				(unsigned long long)answer.tokens.remaining);
		if (!row->admitted && (answer.kind != row->kind || answer.place != row->place))
			fail_msg("%s: %s of %s", row->what, limit_kind_name(answer.kind),
				limit_place_name(answer.place));
	}
}

/* What headers say of a key, its workspace and the workspace's plan, each with a meter of its own, as a window slides.
 */
static void test_views(void **state)
{
	static const struct {
		uint64_t at_ms;
		bool admitted;
		uint64_t limit, remaining, reset_ms, fits_ms; /* of the tightest; fits_ms when it is refused */
	} rows[] = {
		{0, true, 3, 2, 61020, 0},
		{10000, true, 3, 1, 71020, 0},
		{20900, true, 3, 0, 81020, 0},
		{30000, false, 3, 0, 81020, 61020},
		{61019, false, 3, 0, 81020, 61020},
		{61020, true, 3, 0, 122020, 0},
		{72000, true, 3, 0, 133020, 0},
		{140000, true, 3, 2, 201020, 0},
	};
	struct limit_meter key, workspace, plan;
	const struct limit_scope scopes[] = {{&key, {.rpm = 4}, LIMIT_KEY}, {&workspace, {.rpm = 3}, LIMIT_WORKSPACE},
		{&plan, {.rpm = 9}, LIMIT_PLAN}};

	(void)state;
	limit_meter_init(&key);
	limit_meter_init(&workspace);
	limit_meter_init(&plan);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t start_ns = 5000 * NS_PER_S;
		const struct limit_time time = {start_ns + rows[i].at_ms * NS_PER_MS, 20000 * LIMIT_DAY_NS};
		struct limit_answer answer;

		limit_decide(scopes, 3, 1, &time, &(struct limit_ask){.tokens = 0}, &answer);
		assert_int_equal(answer.admitted, rows[i].admitted);
		assert_int_equal(answer.requests.limit, rows[i].limit);
		assert_int_equal(answer.requests.remaining, rows[i].remaining);
		assert_int_equal(answer.requests.reset_ns - start_ns, rows[i].reset_ms * NS_PER_MS);
		if (rows[i].admitted)
			continue;
		assert_int_equal(answer.place, LIMIT_WORKSPACE);
		assert_int_equal(answer.fits_ns - start_ns, rows[i].fits_ms * NS_PER_MS);
	}
}

static void test_settling(void **state)
{
	const struct limit_time time = {5000 * NS_PER_S, 20000 * LIMIT_DAY_NS + 1000 * NS_PER_S};
	struct limit_meter meter;
	const struct limit_scope scope = {&meter, {.tpm = 100, .concurrency = 1, .rpd = 10}, LIMIT_KEY};
	struct limit_answer answer;
	struct limit_return back;

	(void)state;
	limit_meter_init(&meter);
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.tokens = 60}, &answer);
	assert_true(answer.admitted);
	back = (struct limit_return){.debited_ns = answer.debited_ns, .day = answer.day, .tokens = 40, .ended = true};
	limit_give_back(&scope, 1, &time, &back);
	assert_int_equal(meter.tokens.used, 20);
	assert_int_equal(meter.in_flight, 0);
	assert_int_equal(meter.day.used, 1);
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.tokens = 80}, &answer);
	assert_true(answer.admitted);
	back = (struct limit_return){.excess_tokens = 50, .ended = true};
	limit_give_back(&scope, 1, &time, &back);
	assert_int_equal(meter.tokens.used, 150);
	limit_decide(&scope, 1, 1, &time, &(struct limit_ask){.tokens = 0}, &answer);
	assert_false(answer.admitted); /* what was used beyond the limit blocks */
	assert_int_equal(answer.kind, LIMIT_TPM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_saturated),
		cmocka_unit_test(test_window_credit),
		cmocka_unit_test(test_day),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_settling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
