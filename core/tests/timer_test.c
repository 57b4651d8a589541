/*
 * The wheel against a model that looks at every timer: random arms, moves and disarms over steps from 1 ns to months.
 */
#include "core/clock.h"
#include "core/rand.h"
#include "core/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TIMER_COUNT = 64, STEP_COUNT = 40000 };

struct fixture;

struct model {
	struct timer timer;
	struct fixture *fixture;
	uint64_t deadline_ns; /* 0: not armed */
	unsigned fired;
};

struct fixture {
	struct timers timers;
	struct rand rand;
	uint64_t now_ns;
	bool running;
	unsigned fired_count;
	uint64_t last_tick;
	struct model models[TIMER_COUNT];
};

static uint64_t tick_of(uint64_t deadline_ns)
{
	return deadline_ns / NS_PER_MS + (deadline_ns % NS_PER_MS != 0);
}

static uint64_t random_span_ns(struct rand *rand)
{
	static const uint64_t spans_ns[] = {1000, NS_PER_MS, 100 * NS_PER_MS, 5 * NS_PER_S, 300 * NS_PER_S,
		86400 * NS_PER_S, 30 * 86400 * NS_PER_S};

	return rand_below(rand, spans_ns[rand_below(rand, sizeof(spans_ns) / sizeof(spans_ns[0]))]);
}

static void arm_somewhere(struct fixture *f, struct model *m)
{
	uint64_t deadline_ns = f->now_ns + random_span_ns(&f->rand);

	if (rand_below(&f->rand, 20) == 0)
		deadline_ns = 1 + rand_below(&f->rand, f->now_ns); /* the past */
	timer_arm(&f->timers, &m->timer, deadline_ns);
	m->deadline_ns = deadline_ns;
}

static void expired(struct timer *timer)
{
	struct model *m = container_of(timer, struct model, timer), *other;
	struct fixture *f = m->fixture;

	assert_true(f->running);
	assert_int_not_equal(m->deadline_ns, 0);
	assert_true(tick_of(m->deadline_ns) <= f->now_ns / NS_PER_MS); /* never early */
	assert_false(timer_armed(timer));
	m->deadline_ns = 0;
	m->fired++;
	f->fired_count++;
	other = &f->models[rand_below(&f->rand, TIMER_COUNT)];
	switch (rand_below(&f->rand, 4)) {
	case 0:
		arm_somewhere(f, other);
		break;
	case 1:
		timer_disarm(&f->timers, &other->timer);
		other->deadline_ns = 0;
		break;
	case 2:
		arm_somewhere(f, m);
		break;
	default:
		break;
	}
}

static void check_against_model(struct fixture *f)
{
	uint64_t first_tick = UINT64_MAX, next_ns = timers_next_ns(&f->timers);
	unsigned armed = 0;

	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		struct model *m = &f->models[i];

		assert_int_equal(timer_armed(&m->timer), m->deadline_ns != 0);
		if (!m->deadline_ns)
			continue;
		armed++;
		if (tick_of(m->deadline_ns) < first_tick)
			first_tick = tick_of(m->deadline_ns);
	}
	assert_int_equal(f->timers.armed_count, armed);
	if (!armed)
		assert_true(next_ns == UINT64_MAX);
	else if (first_tick > f->now_ns / NS_PER_MS)
		assert_true(next_ns <= first_tick * NS_PER_MS && next_ns > f->now_ns);
	else
		assert_true(next_ns <= f->now_ns);
}

/* A timer that the model had due before the run must have fired, unless a callback moved or disarmed it. */
static void run(struct fixture *f)
{
	bool due[TIMER_COUNT];
	uint64_t before_ns[TIMER_COUNT];

	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		struct model *m = &f->models[i];

		before_ns[i] = m->deadline_ns;
		m->fired = 0;
		due[i] = m->deadline_ns && tick_of(m->deadline_ns) <= f->now_ns / NS_PER_MS;
	}
	f->running = true;
	timers_run(&f->timers, f->now_ns);
	f->running = false;
	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		assert_true(f->models[i].fired <= 1);
		if (due[i] && !f->models[i].fired)
			assert_int_not_equal(f->models[i].deadline_ns, before_ns[i]);
	}
}

static void test_random_against_model(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	(void)state;
	assert_non_null(f);
	*f = (struct fixture){.now_ns = 123456789012345};
	rand_seed(&f->rand, 7);
	timers_init(&f->timers, f->now_ns);
	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		f->models[i].fixture = f;
		timer_init(&f->models[i].timer, expired);
	}
	for (unsigned step = 0; step < STEP_COUNT; step++) {
		struct model *m = &f->models[rand_below(&f->rand, TIMER_COUNT)];
		uint64_t next_ns;

		switch (rand_below(&f->rand, 4)) {
		case 0:
			f->now_ns += random_span_ns(&f->rand);
			run(f);
			break;
		case 1:
			timer_disarm(&f->timers, &m->timer);
			m->deadline_ns = 0;
			break;
		case 2: /* as a shard does: sleep until the wheel asks */
			next_ns = timers_next_ns(&f->timers);
			if (next_ns != UINT64_MAX && next_ns > f->now_ns)
				f->now_ns = next_ns;
			run(f);
			break;
		default:
			arm_somewhere(f, m);
		}
		check_against_model(f);
	}
	assert_true(f->fired_count > STEP_COUNT / 20);
	free(f);
}

struct order {
	struct timer timer;
	unsigned *turn, fired_at;
};

static void note_order(struct timer *timer)
{
	struct order *o = container_of(timer, struct order, timer);

	o->fired_at = ++*o->turn;
}

static void test_fires_in_order_of_ticks(void **state)
{
	static const uint64_t deadlines_ms[] = {5, 70, 70 * 64, 70 * 64 * 64, 64 * 64 * 64 * 64ull + 3};
	struct order orders[5];
	struct timers timers;
	unsigned turn = 0;

	(void)state;
	timers_init(&timers, 0);
	for (unsigned i = 5; i-- > 0;) {
		orders[i] = (struct order){.turn = &turn};
		timer_init(&orders[i].timer, note_order);
		timer_arm(&timers, &orders[i].timer, deadlines_ms[i] * NS_PER_MS);
	}
	for (unsigned i = 0; i < 5; i++) {
		timers_run(&timers, deadlines_ms[i] * NS_PER_MS - 1);
		assert_int_equal(turn, i);
		timers_run(&timers, deadlines_ms[i] * NS_PER_MS);
		assert_int_equal(turn, i + 1);
		assert_int_equal(orders[i].fired_at, i + 1);
	}
	assert_true(timers_next_ns(&timers) == UINT64_MAX);

	for (unsigned i = 5; i-- > 0;)
		timer_arm(&timers, &orders[i].timer, (1ull << 50) + deadlines_ms[i] * NS_PER_MS);
	timers_run(&timers, 1ull << 60);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(orders[i].fired_at, 6 + i);
}

struct self_arming {
	struct timer timer;
	struct timers *timers;
	unsigned fired;
};

static void arm_for_the_past(struct timer *timer)
{
	struct self_arming *s = container_of(timer, struct self_arming, timer);

	s->fired++;
	timer_arm(s->timers, timer, 1);
}

static void test_past_fires_on_the_next_run(void **state)
{
	struct timers timers;
	struct self_arming s = {.timers = &timers};

	(void)state;
	timers_init(&timers, NS_PER_S);
	timer_init(&s.timer, arm_for_the_past);
	timer_arm(&timers, &s.timer, 0);
	for (unsigned i = 1; i < 5; i++) {
		assert_true(timers_next_ns(&timers) <= NS_PER_S);
		timers_run(&timers, NS_PER_S);
		assert_int_equal(s.fired, i);
	}
	timers_run(&timers, 0); /* time that steps back is ignored */
	assert_int_equal(s.fired, 5);
	timer_disarm(&timers, &s.timer);
	timer_disarm(&timers, &s.timer);
	assert_int_equal(timers.armed_count, 0);
	assert_true(timers_next_ns(&timers) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_in_order_of_ticks),
		cmocka_unit_test(test_past_fires_on_the_next_run),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
