/*
 * Letters are pushed on an atomic stack; the receiver takes the stack whole (so there is no ABA) and reverses it.
 *
 * No wake-up is lost: the sender writes `posted`, then reads `asleep`; the receiver writes `asleep`, then reads
 * `posted`; all four are sequentially consistent, so at least one of the two sees the other's write. A wake-up too many
 * does no harm.
 */
#include "core/mailbox.h"

#include <stddef.h>

void mailbox_init(struct mailbox *mailbox)
{
	atomic_init(&mailbox->posted, NULL);
	atomic_init(&mailbox->asleep, false);
}

bool mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
	struct letter *top = atomic_load_explicit(&mailbox->posted, memory_order_relaxed);

	do
		atomic_store_explicit(&letter->next, top, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&mailbox->posted, &top, letter));
	/* From here on the letter may be gone. The exchange lets one of several senders do the waking. */
	return atomic_load(&mailbox->asleep) && atomic_exchange(&mailbox->asleep, false);
}

static struct letter *reverse(struct letter *letter)
{
	struct letter *reversed = NULL;

	while (letter) {
		struct letter *next = atomic_load_explicit(&letter->next, memory_order_relaxed);

		atomic_store_explicit(&letter->next, reversed, memory_order_relaxed);
		reversed = letter;
		letter = next;
	}
	return reversed;
}

unsigned mailbox_open_all(struct mailbox *mailbox)
{
	struct letter *letter;
	unsigned count = 0;

	if (!atomic_load_explicit(&mailbox->posted, memory_order_relaxed))
		return 0; /* spares the turn without letters an atomic exchange */
	letter = reverse(atomic_exchange_explicit(&mailbox->posted, NULL, memory_order_acquire));
	while (letter) {
		/* Opening may free the letter or post it anew. */
		struct letter *next = atomic_load_explicit(&letter->next, memory_order_relaxed);

		letter->open(letter);
		letter = next;
		count++;
	}
	return count;
}

bool mailbox_sleep(struct mailbox *mailbox)
{
	atomic_store(&mailbox->asleep, true);
	if (!atomic_load(&mailbox->posted))
		return true;
	mailbox_awake(mailbox);
	return false;
}

void mailbox_awake(struct mailbox *mailbox)
{
	atomic_store_explicit(&mailbox->asleep, false, memory_order_relaxed);
}
