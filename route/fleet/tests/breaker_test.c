/* The breaker, step by step as tables say, and whole lives of it by seed held against what may never be. */
#include "route/fleet/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)

static const struct breaker_rules defaults = {5, 500, 20, 10 * S, 30 * S};

/* f failure, s success, x abandoned; P and F: a probe that succeeds or fails; digits: so many seconds go by. */
static void play(struct breaker *b, struct rand *rand, const char *script, uint64_t *now_ns)
{
	for (; *script; script++) {
		bool probe = *script == 'P' || *script == 'F' || *script == 'X';

		if (probe) {
			assert_true(breaker_allows(b, *now_ns));
			assert_true(breaker_begin(b));
			assert_false(breaker_allows(b, *now_ns));
		}
		if (*script >= '0' && *script <= '9')
			*now_ns += (uint64_t)(*script - '0') * S;
		else if (*script == 's' || *script == 'P')
			breaker_success(b, &defaults, probe, *now_ns);
		else if (*script == 'f' || *script == 'F')
			breaker_failure(b, &defaults, probe, rand, *now_ns);
		else
			breaker_abandon(b, probe, *now_ns);
	}
}

#define THIRTY_THREE "99933" /* the first opening lasts 27 to 33 s */
#define SIXTY_SIX THIRTY_THREE THIRTY_THREE

static void scripts(void **state)
{
	static const struct {
		const char *script;
		enum breaker_state state;
		bool allows;
		uint32_t doublings;
	} table[] = {
		{"", BREAKER_CLOSED, true, 0},
		{"ffff", BREAKER_CLOSED, true, 0},
		{"fffff", BREAKER_OPEN, false, 1},
		{"ffffsffff", BREAKER_CLOSED, true, 0},
		{"xxxxxxxx", BREAKER_CLOSED, true, 0},
		{"ffffxf", BREAKER_OPEN, false, 1},
		/* By share: 20 samples, half of them failures. */
		{"sfsfsfsfsfsfsfsfsfs", BREAKER_CLOSED, true, 0},
		{"sfsfsfsfsfsfsfsfsfsf", BREAKER_OPEN, false, 1},
		{"ssfssfssfssfssfssfssfssfssfssf", BREAKER_CLOSED, true, 0},
		/* What is older than the window does not count. */
		{"sfsfsfsfsf99sfsfsfsfsf", BREAKER_CLOSED, true, 0},
		{"sfsfsfsfsf8sfsfsfsfsf", BREAKER_OPEN, false, 1},
		/* Not before its time; then one probe, then another, then closed. */
		{"fffff998", BREAKER_OPEN, false, 1},
		{"fffff" THIRTY_THREE, BREAKER_OPEN, true, 1},
		{"fffff" THIRTY_THREE "P", BREAKER_HALF_OPEN, true, 1},
		{"fffff" THIRTY_THREE "PP", BREAKER_CLOSED, true, 1},
		{"fffff" THIRTY_THREE "X", BREAKER_HALF_OPEN, true, 1},
		{"fffff" THIRTY_THREE "XPP", BREAKER_CLOSED, true, 1},
		{"fffff" THIRTY_THREE "F", BREAKER_OPEN, false, 2},
		{"fffff" THIRTY_THREE "PF", BREAKER_OPEN, false, 2},
		/* Twice as long the second time. */
		{"fffff" THIRTY_THREE "F" THIRTY_THREE, BREAKER_OPEN, false, 2},
		{"fffff" THIRTY_THREE "F" SIXTY_SIX, BREAKER_OPEN, true, 2},
		/* Closed for a minute: one doubling is forgotten. */
		{"fffff" THIRTY_THREE "PPfffff", BREAKER_OPEN, false, 2},
		{"fffff" THIRTY_THREE "PP" SIXTY_SIX "fffff", BREAKER_OPEN, false, 1},
		/* What began before it opened says nothing. */
		{"fffffssss", BREAKER_OPEN, false, 1},
		{"fffff" THIRTY_THREE "sssfff", BREAKER_OPEN, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct breaker breaker = {0};
		uint64_t now_ns = 1000 * S;
		struct rand rand;

		rand_seed(&rand, i);
		play(&breaker, &rand, table[i].script, &now_ns);
		if (breaker.state != table[i].state || breaker_allows(&breaker, now_ns) != table[i].allows ||
			breaker.doublings != table[i].doublings)
			fail_msg("\"%s\": state %d, doublings %u", table[i].script, breaker.state, breaker.doublings);
	}
}

static void openings_double_up_to_the_bound(void **state)
{
	static const uint64_t seconds[] = {30, 60, 120, 240, 300, 300, 300};

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct breaker breaker = {0};
		uint64_t now_ns = 1000 * S;
		struct rand rand;

		rand_seed(&rand, seed);
		play(&breaker, &rand, "fffff", &now_ns);
		for (size_t i = 0; i < COUNT(seconds); i++) {
			uint64_t open_ns = breaker.until_ns - now_ns;

			assert_in_range(open_ns, seconds[i] * S * 9 / 10, seconds[i] * S * 11 / 10);
			now_ns = breaker.until_ns;
			play(&breaker, &rand, "F", &now_ns);
		}
	}
}

static void how_it_opened_is_told(void **state)
{
	struct breaker breaker = {0};
	uint64_t now_ns = 1000 * S;
	struct rand rand;

	(void)state;
	rand_seed(&rand, 1);
	play(&breaker, &rand, "sfsfsfsfsfsfsfsfsfsf", &now_ns);
	assert_true(breaker.by_rate);
	breaker_reset(&breaker);
	assert_true(breaker_allows(&breaker, now_ns));
	play(&breaker, &rand, "fffff", &now_ns);
	assert_false(breaker.by_rate);
}

static void what_other_shards_saw(void **state)
{
	struct breaker breaker = {0};
	struct rand rand;

	(void)state;
	rand_seed(&rand, 1);
	breaker_heard_probe(&breaker, 50 * S, 0);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	breaker_heard_open(&breaker, 40 * S, 3, true);
	assert_false(breaker_allows(&breaker, 39 * S));
	assert_true(breaker_allows(&breaker, 40 * S));
	breaker_heard_probe(&breaker, 50 * S, 0);
	assert_false(breaker_allows(&breaker, 45 * S));
	/* It succeeded there, so one more here is enough. */
	breaker_heard_probe(&breaker, 46 * S, 1);
	assert_true(breaker_begin(&breaker));
	breaker_heard_probe(&breaker, 60 * S, 0);
	assert_int_equal(breaker_success(&breaker, &defaults, true, 47 * S), BREAKER_RECOVERED);
	assert_int_equal(breaker.closed_ns, 47 * S);
	/* A probe that another shard's failure overtakes says nothing. */
	breaker_heard_open(&breaker, 60 * S, 4, false);
	assert_true(breaker_begin(&breaker));
	breaker_heard_open(&breaker, 90 * S, 5, false);
	assert_int_equal(breaker_success(&breaker, &defaults, true, 61 * S), BREAKER_SAME);
	assert_int_equal(breaker_failure(&breaker, &defaults, true, &rand, 61 * S), BREAKER_SAME);
	assert_false(breaker_allows(&breaker, 89 * S));
	breaker_heard_closed(&breaker, 70 * S);
	assert_true(breaker_allows(&breaker, 70 * S));
}

/* Whatever happens: never two probes, none too early, open no longer than the bound, and it always gets out again. */
static void lives(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct breaker breaker = {0};
		struct breaker_rules rules = defaults;
		uint64_t now_ns = 1000 * S;
		bool probing = false;
		struct rand rand;

		rand_seed(&rand, seed);
		rules.consecutive_failures = 1 + (uint32_t)rand_below(&rand, 8);
		rules.open_ns = 1 + rand_below(&rand, 400 * S);
		for (unsigned step = 0; step < 2000; step++) {
			uint64_t most_ns = rules.open_ns > BREAKER_OPEN_MAX_NS ? rules.open_ns : BREAKER_OPEN_MAX_NS;
			enum breaker_change change = BREAKER_SAME;
			bool probe = false, goes;

			now_ns += rand_below(&rand, rand_below(&rand, 20) ? S : 100 * S);
			goes = breaker_allows(&breaker, now_ns);
			if (goes && breaker.state != BREAKER_CLOSED) {
				assert_false(probing);
				assert_true(now_ns >= breaker.until_ns);
			}
			probe = goes && breaker_begin(&breaker);
			probing = probe;
			switch (rand_below(&rand, 4)) {
			case 0:
				change = breaker_success(&breaker, &rules, probe, now_ns);
				break;
			case 1:
				change = breaker_abandon(&breaker, probe, now_ns);
				break;
			default:
				change = breaker_failure(&breaker, &rules, probe, &rand, now_ns);
				break;
			}
			probing = false;
			assert_int_equal(
				change == BREAKER_OPENED, change != BREAKER_SAME && breaker.state == BREAKER_OPEN);
			if (breaker.state == BREAKER_OPEN)
				assert_true(breaker.until_ns <= now_ns + most_ns + most_ns / 10);
			assert_false(breaker.probing);
			assert_true(breaker_allows(&breaker, now_ns + 2 * most_ns));
		}
	}
}

/* What other shards saw counts where the share is decided, and alone there. */
static void shares_are_decided_in_one_place(void **state)
{
	const struct breaker_rules apart = {5, 500, UINT32_MAX, 10 * S, 30 * S};
	struct breaker owner = {0}, other = {0};
	struct rand rand;
	uint64_t now_ns = 1000 * S;

	(void)state;
	rand_seed(&rand, 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(breaker_success(&other, &apart, false, now_ns), BREAKER_SAME);
		assert_int_equal(breaker_failure(&other, &apart, false, &rand, now_ns), BREAKER_SAME);
	}
	assert_int_equal(breaker_heard_outcomes(&owner, &defaults, 19, 19, &rand, now_ns), BREAKER_SAME);
	assert_int_equal(breaker_heard_outcomes(&owner, &defaults, 20, 0, &rand, now_ns), BREAKER_SAME);
	assert_int_equal(breaker_heard_outcomes(&owner, &defaults, 1, 1, &rand, now_ns), BREAKER_OPENED);
	assert_true(owner.by_rate);
	/* Open, it hears what began before. */
	assert_int_equal(breaker_heard_outcomes(&owner, &defaults, 100, 100, &rand, now_ns), BREAKER_SAME);
	assert_int_equal(owner.doublings, 1);
	/* Failures in a row are each shard's own. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(breaker_failure(&other, &apart, false, &rand, now_ns), BREAKER_SAME);
	assert_int_equal(breaker_failure(&other, &apart, false, &rand, now_ns), BREAKER_OPENED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_decided_in_one_place),
		cmocka_unit_test(scripts),
		cmocka_unit_test(openings_double_up_to_the_bound),
		cmocka_unit_test(how_it_opened_is_told),
		cmocka_unit_test(what_other_shards_saw),
		cmocka_unit_test(lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
