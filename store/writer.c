/* When the writer works and whom it tells: see writer.h. */
#include "store/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"

enum writer_sizes {
	/* A ring that carries wake-ups alone. */
	RING_ENTRIES = 64,
	RING_BUFFERS = 2,
	RING_BUFFER_BYTES = 256,
	/* A turn's groups: then letters are looked at again. */
	GROUPS_A_TURN = 64,
};

#define DRAIN_NS (50 * NS_PER_MS) /* a group costs some 150 us however small; down to 1 us a receipt at 256 */
#define IDLE_NS (200 * NS_PER_MS)
#define RETRY_NS NS_PER_S

static void wake_later(struct writer *writer, uint64_t delay_ns)
{
	uint64_t at_ns = shard_now_ns(&writer->shard) + delay_ns;

	if (!timer_armed(&writer->timer) || writer->timer.deadline_ns > at_ns)
		timer_arm(&writer->shard.timers, &writer->timer, at_ns);
}

static bool journals_empty(const struct writer *writer)
{
	for (unsigned i = 0; i < writer->port_count; i++)
		if (journal_head(writer->journals[i]) != journal_tail(writer->journals[i]))
			return false;
	return true;
}

/*
 * Goes to sleep without a timer, or keeps looking. The flag is raised before the journals are looked at, a shard
 * appends before it looks at the flag (both sequentially consistent): one of the two sees the other.
 */
static void sleep_or_watch(struct writer *writer, bool worked)
{
	if (worked)
		writer->worked_ns = shard_now_ns(&writer->shard);
	if (!worked && shard_now_ns(&writer->shard) - writer->worked_ns >= IDLE_NS) {
		atomic_store(&writer->asleep, true);
		if (journals_empty(writer))
			return;
	}
	atomic_store(&writer->asleep, false);
	wake_later(writer, DRAIN_NS);
}

static void on_ticket_back(struct letter *letter)
{
	struct store_ticket *ticket = container_of(letter, struct store_ticket, letter);

	ticket->done(ticket, ticket->result);
}

/* Sends back the tickets of `port` up to `position`. */
static void send_back(struct writer *writer, struct port *port, uint64_t position, int result)
{
	while (port->first && port->first->position <= position) {
		struct store_ticket *ticket = port->first;

		port->first = ticket->next;
		if (!port->first)
			port->last = NULL;
		ticket->result = result;
		ticket->letter.open = on_ticket_back;
		shard_post(ticket->shard, &ticket->letter, &writer->shard);
	}
}

static void send_back_committed(struct writer *writer)
{
	for (unsigned i = 0; i < writer->port_count; i++)
		send_back(writer, &writer->ports[i], journal_tail(writer->journals[i]), 0);
}

/* A journal counts as nearly full again only after it emptied to half of that, so that the answer does not flutter. */
static void note_room(struct writer *writer)
{
	for (unsigned i = 0; i < writer->port_count; i++) {
		struct port *port = &writer->ports[i];

		if (atomic_load_explicit(&port->nearly_full, memory_order_relaxed) &&
			journal_used(port->journal) < port->nearly_full_bytes / 2 &&
			atomic_exchange(&port->nearly_full, false))
			atomic_fetch_sub(&writer->nearly_full_count, 1);
	}
}

static void note_group(struct writer *writer, unsigned receipts)
{
	struct counter total = commit_total(writer->commit);

	atomic_store_explicit(&writer->receipts, total.receipts, memory_order_relaxed);
	atomic_store_explicit(&writer->spend_nusd, total.spend_nusd, memory_order_relaxed);
	atomic_fetch_add_explicit(&writer->groups, receipts > 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&writer->bytes, commit_bytes(writer->commit), memory_order_relaxed);
}

void writer_failed(struct writer *writer)
{
	atomic_fetch_add_explicit(&writer->failed_commits, 1, memory_order_relaxed);
	atomic_store(&writer->failing, true);
	writer->retry_ns = shard_now_ns(&writer->shard) + RETRY_NS;
	for (unsigned i = 0; i < writer->port_count; i++)
		send_back(writer, &writer->ports[i], UINT64_MAX, -EIO);
	timer_disarm(&writer->shard.timers, &writer->timer);
	wake_later(writer, RETRY_NS);
}

/* Returns how many groups were written, or -errno. */
static int drain(struct writer *writer, unsigned groups_max)
{
	bool sync = writer->durability == DURABILITY_POWER;
	int rc = 0;

	for (unsigned i = 0; i < groups_max; i++) {
		rc = commit_group(
			writer->commit, writer->journals, writer->port_count, shard_wall_ns(&writer->shard), sync);
		if (rc <= 0)
			return rc < 0 ? rc : (int)i;
		note_group(writer, (unsigned)rc);
		note_room(writer);
	}
	return (int)groups_max;
}

void writer_run(struct writer *writer)
{
	int rc;

	if (atomic_load(&writer->failing)) {
		if (shard_now_ns(&writer->shard) < writer->retry_ns) {
			/* Tickets that set out before failing was known. */
			for (unsigned i = 0; i < writer->port_count; i++)
				send_back(writer, &writer->ports[i], UINT64_MAX, -EIO);
			wake_later(writer, writer->retry_ns - shard_now_ns(&writer->shard));
			return;
		}
		if (kv_reopen(writer->kv) < 0) {
			writer_failed(writer);
			return;
		}
	}
	rc = drain(writer, GROUPS_A_TURN);
	send_back_committed(writer);
	if (rc < 0) {
		writer_failed(writer);
		return;
	}
	atomic_store(&writer->failing, false);
	if (rc == GROUPS_A_TURN)
		shard_at_turn_end(&writer->shard, &writer->at_turn_end);
	else if (writer->durability != DURABILITY_POWER)
		sleep_or_watch(writer, rc > 0);
}

void writer_run_counters(struct writer *writer)
{
	writer_run(writer);
	if (!atomic_load(&writer->failing) && !commit_pending(writer->commit) &&
		commit_write_counters(writer->commit, false) < 0)
		writer_failed(writer);
}

int writer_write(struct writer *writer, struct kv_batch *batch)
{
	int rc;

	if (atomic_load(&writer->failing))
		return -EIO;
	rc = kv_write(writer->kv, batch, true);
	if (rc < 0)
		writer_failed(writer);
	return rc;
}

static void on_turn_end(struct turn_hook *hook)
{
	writer_run(container_of(hook, struct writer, at_turn_end));
}

static void on_timer(struct timer *timer)
{
	writer_run(container_of(timer, struct writer, timer));
}

static void on_nudge(struct letter *letter)
{
	struct port *port = container_of(letter, struct port, nudge);
	struct writer *writer = port->writer;

	/* In this order: a shard that appends after the flag fell may nudge again. */
	atomic_store(&port->nudged, false);
	if (atomic_exchange(&writer->asleep, false)) {
		writer->worked_ns = shard_now_ns(&writer->shard);
		wake_later(writer, DRAIN_NS); /* the first of what may be many: let them gather */
	}
	if (journal_used(port->journal) >= port->quarter_bytes)
		shard_at_turn_end(&writer->shard, &writer->at_turn_end);
}

static void on_ticket(struct letter *letter)
{
	struct store_ticket *ticket = container_of(letter, struct store_ticket, letter);
	struct port *port = ticket->port;
	struct writer *writer = port->writer;

	ticket->next = NULL;
	if (port->last)
		port->last->next = ticket;
	else
		port->first = ticket;
	port->last = ticket;
	shard_at_turn_end(&writer->shard, &writer->at_turn_end);
}

static void note_used(struct writer *writer, struct port *port, struct shard *shard)
{
	size_t used = journal_used(port->journal);
	bool behind = used >= port->quarter_bytes;

	if (used >= port->nearly_full_bytes && !atomic_load_explicit(&port->nearly_full, memory_order_relaxed) &&
		!atomic_exchange(&port->nearly_full, true))
		atomic_fetch_add(&writer->nearly_full_count, 1);
	if (!behind && !atomic_load(&writer->asleep))
		return;
	if (behind && atomic_load_explicit(&writer->failing, memory_order_relaxed))
		return; /* it comes back by its own timer */
	if (!atomic_load_explicit(&port->nudged, memory_order_relaxed) && !atomic_exchange(&port->nudged, true))
		shard_post(&writer->shard, &port->nudge, shard);
}

int writer_append(
	struct writer *writer, struct shard *shard, const struct receipt *receipt, struct store_ticket *ticket)
{
	struct port *port = &writer->ports[shard->index];
	uint64_t position;
	char *room;
	int size;

	assert(shard->index < writer->port_count);
	room = journal_reserve(port->journal, RECEIPT_BYTES_MAX);
	if (!room)
		return -EAGAIN;
	size = receipt_encode(receipt, room, RECEIPT_BYTES_MAX);
	assert(size > 0); /* the encoder cuts what would be longer */
	position = journal_append(port->journal, (size_t)size);
	if (writer->durability != DURABILITY_POWER) {
		note_used(writer, port, shard);
		return 1;
	}
	/* While commits fail the receipt is kept for a later one, since its call was made; but no promise is given. */
	if (atomic_load(&writer->failing)) {
		note_used(writer, port, shard);
		return -EAGAIN;
	}
	note_used(writer, port, shard);
	ticket->shard = shard;
	ticket->position = position;
	ticket->result = 0;
	ticket->port = port;
	ticket->letter.open = on_ticket;
	shard_post(&writer->shard, &ticket->letter, shard);
	return 0;
}

bool writer_writable(const struct writer *writer)
{
	return !atomic_load_explicit(&writer->failing, memory_order_relaxed) &&
	       atomic_load_explicit(&writer->nearly_full_count, memory_order_relaxed) == 0;
}

static void init_port(struct port *port, struct writer *writer, struct journal *journal)
{
	port->journal = journal;
	port->writer = writer;
	port->quarter_bytes = journal_capacity(journal) / 4;
	/* Padding counts as used until the writer has passed it (journal.c, HOT_PARTS), so the mark lies beyond seven
	 * eighths. */
	port->nearly_full_bytes = journal_capacity(journal) / 16 * 15;
	port->nudge.open = on_nudge;
	atomic_init(&port->nudged, false);
	atomic_init(&port->nearly_full, false);
}

int writer_open(struct writer *writer, const struct writer_options *options, char *why, size_t why_bytes)
{
	struct shard_options shard_options = {.name = "store-writer",
		.cpu = -1,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = RING_BUFFERS,
			.buffer_bytes = RING_BUFFER_BYTES,
			.without = options->ring_without}};
	int rc = shard_open(&writer->shard, &shard_options, why, why_bytes);

	if (rc < 0)
		return rc;
	writer->kv = options->kv;
	writer->commit = options->commit;
	writer->durability = options->durability;
	writer->journals = options->journals;
	writer->port_count = options->journal_count;
	writer->ports = aligned_alloc(64, options->journal_count * sizeof(struct port));
	if (!writer->ports) {
		shard_close(&writer->shard);
		return -ENOMEM;
	}
	memset(writer->ports, 0, options->journal_count * sizeof(struct port));
	for (unsigned i = 0; i < options->journal_count; i++)
		init_port(&writer->ports[i], writer, options->journals[i]);
	timer_init(&writer->timer, on_timer);
	writer->at_turn_end.run = on_turn_end;
	list_init(&writer->at_turn_end.link);
	atomic_init(&writer->asleep, options->durability != DURABILITY_POWER);
	atomic_init(&writer->failing, false);
	note_group(writer, 0);
	atomic_store(&writer->bytes, 0);
	return 0;
}

int writer_start(struct writer *writer)
{
	return shard_start(&writer->shard);
}

static int write_what_is_left(struct writer *writer)
{
	int rc = 1;

	while (rc > 0)
		rc = commit_group(writer->commit, writer->journals, writer->port_count, clock_wall_ns(), true);
	return rc < 0 ? rc : commit_write_counters(writer->commit, true);
}

int writer_stop(struct writer *writer)
{
	int rc;

	shard_stop(&writer->shard);
	shard_join(&writer->shard);
	if (atomic_load(&writer->failing) && kv_reopen(writer->kv) < 0)
		return -EIO;
	rc = write_what_is_left(writer);
	/* A database that failed for others refuses this too until it is opened again, although it would succeed by
	 * now. */
	return rc < 0 && kv_reopen(writer->kv) == 0 ? write_what_is_left(writer) : rc;
}

void writer_close(struct writer *writer)
{
	shard_close(&writer->shard);
	free(writer->ports);
}
