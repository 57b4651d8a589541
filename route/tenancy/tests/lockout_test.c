/* Lock-out: when it begins and ends, who is counted as one, and that its memory stays as it is under any number of
 * strangers. */
#include "core/clock.h"
#include "route/tenancy/lockout.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct lockout_settings rules = {.failures = 3, .window_ns = 60 * NS_PER_S, .lock_ns = 900 * NS_PER_S};

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		v4->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		v6->sin6_family = AF_INET6;
	else
		fail_msg("%s is no address", text);
	return address;
}

/* Seconds at which a failure comes or somebody looks, and what is left of a lock then. */
static void begins_and_ends(void **state)
{
	static const struct {
		uint64_t at_s;
		bool fails;
		uint64_t left_s;
	} table[] = {
		{1, true, 0},
		{2, true, 0},
		{61, true, 0}, /* the first window is over: the third is another's first */
		{62, true, 0},
		{63, true, 900},
		{64, false, 899},
		{500, true, 463},
		{962, false, 1},
		{963, false, 0},
		{964, true, 0},
		{965, true, 0},
		{966, true, 900},
	};
	struct lockout *lockout = lockout_open();
	uint64_t id;

	(void)state;
	assert_non_null(lockout);
	id = lockout_id_of_secret(lockout, SLICE("guess"));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t now_ns = table[i].at_s * NS_PER_S;

		if (table[i].fails)
			lockout_fail(lockout, &rules, id, now_ns);
		if (lockout_left_ns(lockout, id, now_ns) != table[i].left_s * NS_PER_S)
			fail_msg("row %zu: %ju s are left", i,
				(uintmax_t)(lockout_left_ns(lockout, id, now_ns) / NS_PER_S));
	}
	assert_int_equal(lockout_left_ns(lockout, lockout_id_of_secret(lockout, SLICE("other")), 970 * NS_PER_S), 0);
	lockout_close(lockout);
}

static void off_when_told(void **state)
{
	static const struct lockout_settings off = {.failures = 0, .window_ns = NS_PER_S, .lock_ns = NS_PER_S};
	struct lockout *lockout = lockout_open();

	(void)state;
	assert_non_null(lockout);
	for (unsigned i = 0; i < 100; i++)
		assert_false(lockout_fail(lockout, &off, 5, i + 1));
	assert_false(lockout_is_used(lockout, 1));
	lockout_close(lockout);
}

static void who_counts_as_one(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} table[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	};
	struct lockout *lockout = lockout_open();

	(void)state;
	assert_non_null(lockout);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sockaddr_storage a = address_of(table[i].a), b = address_of(table[i].b);

		if ((lockout_id_of_address(lockout, &a) == lockout_id_of_address(lockout, &b)) != table[i].same)
			fail_msg("row %zu", i);
	}
	assert_true(
		lockout_id_of_secret(lockout, SLICE("gw_virt_a")) != lockout_id_of_secret(lockout, SLICE("gw_virt_b")));
	lockout_close(lockout);
}

/* A flood of others fills every set many times over, and who is locked out stays so. */
static void strangers_do_not_free_anybody(void **state)
{
	struct lockout *lockout = lockout_open();
	uint64_t id;
	char secret[32];

	(void)state;
	assert_non_null(lockout);
	id = lockout_id_of_secret(lockout, SLICE("locked"));
	for (unsigned i = 0; i < rules.failures; i++)
		lockout_fail(lockout, &rules, id, NS_PER_S);
	for (unsigned i = 0; i < 4 * LOCKOUT_SETS * LOCKOUT_WAYS; i++) {
		int size = snprintf(secret, sizeof(secret), "stranger %u", i);

		lockout_fail(
			lockout, &rules, lockout_id_of_secret(lockout, slice_of(secret, (size_t)size)), 2 * NS_PER_S);
	}
	assert_true(lockout_left_ns(lockout, id, 3 * NS_PER_S) > 0);
	lockout_close(lockout);
}

struct race {
	struct lockout *lockout;
	struct lockout_settings rules;
	atomic_uint locked;
};

static void *fail_often(void *context)
{
	struct race *race = context;

	for (unsigned i = 0; i < 1000; i++)
		if (lockout_fail(race->lockout, &race->rules, 77, NS_PER_S))
			atomic_fetch_add(&race->locked, 1);
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	struct race race = {.lockout = lockout_open(), .rules = rules};
	pthread_t threads[4];

	(void)state;
	assert_non_null(race.lockout);
	race.rules.failures = 4001; /* one more than all of them */
	lockout_fail(race.lockout, &race.rules, 77, NS_PER_S);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fail_often, &race), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.locked, 1);
	assert_true(lockout_left_ns(race.lockout, 77, NS_PER_S) > 0);
	lockout_close(race.lockout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_and_ends),
		cmocka_unit_test(off_when_told),
		cmocka_unit_test(who_counts_as_one),
		cmocka_unit_test(strangers_do_not_free_anybody),
		cmocka_unit_test(threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
