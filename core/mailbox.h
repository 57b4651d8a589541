/*
 * Bounded queue from many threads to one. A letter is an intrusive struct: its owner gives it away by posting it and
 * must not touch it until it comes back. Posting never blocks and never fails, because letters bring their own memory;
 * taking returns them in the order in which each sender posted.
 */
#ifndef CORE_MAILBOX_H
#define CORE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct letter {
	_Atomic(struct letter *) next;
	void (*open)(struct letter *letter); /* run by the receiving thread */
};

struct mailbox {
	_Atomic(struct letter *) posted; /* newest first; taken whole */
	atomic_bool asleep;              /* the receiver will not look again without a wake-up */
};

void mailbox_init(struct mailbox *mailbox);

/* True when the receiver slept and the caller must wake it. */
bool mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* Opens every letter that was there; returns how many. */
unsigned mailbox_open_all(struct mailbox *mailbox);

/* Before waiting: false when letters came in between, and the receiver must not wait. */
bool mailbox_sleep(struct mailbox *mailbox);
void mailbox_awake(struct mailbox *mailbox);

#endif
