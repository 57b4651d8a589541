/*
 * Mailboxes: order, and that a receiver which only sleeps when it may is always woken (threads; a lost wake-up hangs).
 */
#include "core/list.h"
#include "core/mailbox.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { SENDER_COUNT = 3, LETTER_COUNT = 20000 };

struct parcel {
	struct letter letter;
	unsigned sender, number;
	struct receiver *receiver;
};

struct receiver {
	struct mailbox mailbox;
	sem_t wake;
	unsigned next[SENDER_COUNT], received;
	bool out_of_order;
};

static void open_parcel(struct letter *letter)
{
	struct parcel *p = container_of(letter, struct parcel, letter);

	if (p->receiver->next[p->sender]++ != p->number)
		p->receiver->out_of_order = true;
	p->receiver->received++;
}

static void *send_all(void *argument)
{
	struct parcel *parcels = argument;

	for (unsigned i = 0; i < LETTER_COUNT; i++)
		if (mailbox_post(&parcels[i].receiver->mailbox, &parcels[i].letter))
			sem_post(&parcels[i].receiver->wake);
	return NULL;
}

static void wait_for_wake(struct receiver *r)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	if (sem_timedwait(&r->wake, &until) != 0)
		fail_msg("a wake-up was lost after %u letters", r->received);
}

static void test_threads(void **state)
{
	struct receiver r = {.received = 0};
	pthread_t threads[SENDER_COUNT];
	struct parcel *parcels = calloc(SENDER_COUNT * LETTER_COUNT, sizeof(*parcels));

	(void)state;
	assert_non_null(parcels);
	mailbox_init(&r.mailbox);
	sem_init(&r.wake, 0, 0);
	for (unsigned s = 0; s < SENDER_COUNT; s++) {
		for (unsigned i = 0; i < LETTER_COUNT; i++)
			parcels[s * LETTER_COUNT + i] = (struct parcel){{.open = open_parcel}, s, i, &r};
		assert_int_equal(pthread_create(&threads[s], NULL, send_all, parcels + s * LETTER_COUNT), 0);
	}
	while (r.received < SENDER_COUNT * LETTER_COUNT) {
		mailbox_open_all(&r.mailbox);
		if (r.received < SENDER_COUNT * LETTER_COUNT && mailbox_sleep(&r.mailbox)) {
			wait_for_wake(&r);
			mailbox_awake(&r.mailbox);
		}
	}
	for (unsigned s = 0; s < SENDER_COUNT; s++)
		pthread_join(threads[s], NULL);
	assert_false(r.out_of_order);
	assert_int_equal(mailbox_open_all(&r.mailbox), 0);
	sem_destroy(&r.wake);
	free(parcels);
}

static void test_sleep_protocol(void **state)
{
	struct receiver r = {.received = 0};
	struct parcel parcels[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		parcels[i] = (struct parcel){{.open = open_parcel}, 0, i, &r};
	mailbox_init(&r.mailbox);
	assert_false(mailbox_post(&r.mailbox, &parcels[0].letter)); /* awake: nobody to wake */
	assert_false(mailbox_sleep(&r.mailbox));                    /* a letter is there */
	assert_int_equal(mailbox_open_all(&r.mailbox), 1);
	assert_true(mailbox_sleep(&r.mailbox));
	assert_true(mailbox_post(&r.mailbox, &parcels[1].letter));
	assert_false(mailbox_post(&r.mailbox, &parcels[2].letter)); /* woken already */
	mailbox_awake(&r.mailbox);
	assert_int_equal(mailbox_open_all(&r.mailbox), 2);
	assert_int_equal(mailbox_open_all(&r.mailbox), 0);
	assert_false(r.out_of_order);
}

static void post_again(struct letter *letter)
{
	struct parcel *p = container_of(letter, struct parcel, letter);

	if (p->number-- > 0)
		mailbox_post(&p->receiver->mailbox, letter);
}

static void test_letter_may_post_itself(void **state)
{
	struct receiver r = {.received = 0};
	struct parcel p = {{.open = post_again}, 0, 2, &r};

	(void)state;
	mailbox_init(&r.mailbox);
	mailbox_post(&r.mailbox, &p.letter);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(mailbox_open_all(&r.mailbox), 1);
	assert_int_equal(mailbox_open_all(&r.mailbox), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleep_protocol),
		cmocka_unit_test(test_letter_may_post_itself),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
