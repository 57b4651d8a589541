/*
 * Recovery on a disk that loses what it may: lives of appending and committing that end by the death of the process or
 * a power cut, between calls or within them, and what the next life finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "store/disk.h"
#include "store/disk_sim.h"
#include "store/recovery.h"
#include "store/retention.h"
#include "store/store.h"
#include "store/tests/receipts.h"

enum { SHARDS_MAX = 3, RECEIPTS_MAX = 2000, SEEDS = 120, LIVES = 5, STEPS_MAX = 60, STARTING_CALLS_MAX = 16 };

static const char dir[] = "/data";
static const char db[] = "/data/db";

struct promises {
	bool process, power; /* the receipt is there after the death of the process, after a power cut */
	bool expired;        /* its time is over: it may be there or not */
};

struct machine {
	struct sim_disk *disk;
	struct rand rand;
	struct promises promises[RECEIPTS_MAX];
	uint64_t next; /* the first receipt that was never appended */
	/* The process. */
	struct disk_lock *lock;
	struct kv *kv;
	struct commit *commit;
	struct retention *retention;
	struct journal *journals[SHARDS_MAX];
	unsigned journal_count;
	uint64_t replayed;
};

static struct machine *make_machine(uint64_t seed)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	rand_seed(&machine->rand, seed);
	machine->disk = sim_disk_open(&machine->rand);
	sim_disk_use(machine->disk);
	return machine;
}

/* As store_open() does. */
static void start_process(struct machine *machine)
{
	size_t journal_bytes = JOURNAL_BYTES_MIN * (1 + rand_below(&machine->rand, 2));
	char why[512] = "";
	int rc;

	machine->journal_count = 1 + (unsigned)rand_below(&machine->rand, SHARDS_MAX);
	rc = disk_lock(&machine->lock, dir, true, why, sizeof(why));
	if (rc == 0)
		rc = kv_open(&machine->kv, db, false, why, sizeof(why));
	if (rc == 0)
		rc = commit_open(&machine->commit, machine->kv, "node-1", why, sizeof(why));
	if (rc == 0)
		rc = recovery_replay(machine->commit, machine->kv, dir, machine->journal_count, &machine->replayed, why,
			sizeof(why));
	if (rc == 0)
		rc = recovery_open_journals(machine->commit, dir, false, machine->journals, machine->journal_count,
			journal_bytes, why, sizeof(why));
	if (rc == 0)
		rc = retention_open(&machine->retention, machine->kv, machine->commit);
	if (rc < 0)
		fail_msg("%s", why);
}

/* Also of a process that has died, whose memory is freed by it. */
static void close_process(struct machine *machine)
{
	for (unsigned i = 0; i < machine->journal_count; i++)
		journal_close(machine->journals[i]);
	retention_close(machine->retention);
	commit_close(machine->commit);
	kv_close(machine->kv);
	disk_unlock(machine->lock);
}

static void free_machine(struct machine *machine)
{
	sim_disk_close(machine->disk);
	free(machine);
}

static void commit_all(struct machine *machine, bool sync)
{
	bool wrote = false;
	int rc;

	while ((rc = commit_group(machine->commit, machine->journals, machine->journal_count, 0, sync)) > 0)
		wrote = true;
	assert_int_equal(rc, 0);
	for (uint64_t n = 0; wrote && sync && !sim_disk_stopped(machine->disk) && n < machine->next; n++)
		machine->promises[n].power = machine->promises[n].process;
}

static void append(struct machine *machine)
{
	struct journal *journal = machine->journals[rand_below(&machine->rand, machine->journal_count)];
	struct receipt receipt;
	char *room;
	int size;

	assert_true(machine->next < RECEIPTS_MAX);
	while (!(room = journal_reserve(journal, RECEIPT_BYTES_MAX)))
		commit_all(machine, false);
	test_receipt(&receipt, machine->next);
	size = receipt_encode(&receipt, room, RECEIPT_BYTES_MAX);
	assert_true(size > 0);
	journal_append(journal, (size_t)size);
	machine->promises[machine->next++].process = !sim_disk_stopped(machine->disk);
}

/* The disk is full for a while: a group fails, and goes out once the database is open again; or the life ends before.
 */
static bool meet_full_disk(struct machine *machine)
{
	append(machine);
	sim_disk_fill(machine->disk, true);
	assert_int_equal(commit_group(machine->commit, machine->journals, machine->journal_count, 0, true), -EIO);
	append(machine);
	if (rand_below(&machine->rand, 3) == 0)
		return false;
	sim_disk_fill(machine->disk, false);
	assert_int_equal(kv_reopen(machine->kv), 0);
	commit_all(machine, rand_below(&machine->rand, 2));
	return true;
}

/*
 * The receipts of one workspace, or of both, up to a random one are a day old now, and are kept for a day: a step of
 * their end. Receipt `n` began `n` ms after the first, and is of `main` when that is odd.
 */
static void expire(struct machine *machine)
{
	uint64_t last = rand_below(&machine->rand, machine->next + 1);
	bool both = rand_below(&machine->rand, 2);
	const struct retention_rule main_rule = {SLICE("main"), both ? 1 : 1000};
	const struct retention_rules rules = {&main_rule, 1, 1};
	uint64_t now_ns = ((uint64_t)TEST_FIRST_S + 86400) * NS_PER_S + last * NS_PER_MS;

	for (uint64_t n = 0; n < machine->next && n <= last; n++)
		machine->promises[n].expired |= both || n % 2 == 0;
	for (uint64_t steps = 1 + rand_below(&machine->rand, 3); steps > 0; steps--)
		assert_true(retention_step(machine->retention, &rules, now_ns) >= 0);
}

static void work(struct machine *machine)
{
	for (uint64_t steps = rand_below(&machine->rand, STEPS_MAX); steps > 0; steps--) {
		uint64_t choice = rand_below(&machine->rand, 40);

		if (choice == 0 && !meet_full_disk(machine))
			break;
		if (choice == 1)
			expire(machine);
		else if (choice < 7)
			commit_all(machine, rand_below(&machine->rand, 2));
		else
			append(machine);
	}
}

struct findings {
	char text[4096];
	size_t size;
};

static void say(void *context, const char *line)
{
	struct findings *findings = context;
	int added = snprintf(findings->text + findings->size, sizeof(findings->text) - findings->size, "%s\n", line);

	findings->size += (size_t)added < sizeof(findings->text) - findings->size ? (size_t)added : 0;
}

static void note_block(bool *there, struct slice value)
{
	struct receipt receipt;
	struct block_view view;

	assert_int_equal(block_view_open(&view, value), 0);
	for (uint32_t i = 0; i < view.count; i++) {
		if (block_view_record(&view, i).size == 0)
			continue;
		assert_int_equal(receipt_decode(block_view_record(&view, i), &receipt), 0);
		assert_true(receipt.prompt_tokens >= 100 && receipt.prompt_tokens < 100 + RECEIPTS_MAX);
		there[receipt.prompt_tokens - 100] = true;
	}
}

static void read_receipts(const struct machine *machine, bool there[static RECEIPTS_MAX])
{
	struct kv_walk *walk = kv_walk_open(machine->kv, KV_RECEIPTS);

	memset(there, 0, RECEIPTS_MAX);
	for (kv_walk_seek(walk, SLICE("")); kv_walk_valid(walk); kv_walk_next(walk))
		note_block(there, kv_walk_value(walk));
	kv_walk_close(walk);
}

/*
 * What a process that runs again holds against what was promised; what is lost, is lost. What was replayed was synced,
 * with all before it.
 */
static void expect_promised(struct machine *machine, uint64_t seed, bool power)
{
	bool there[RECEIPTS_MAX], stopped = sim_disk_stopped(machine->disk);

	read_receipts(machine, there);
	for (uint64_t n = 0; n < machine->next; n++) {
		struct promises *promises = &machine->promises[n];

		if (!there[n] && !promises->expired && (power ? promises->power : promises->process))
			fail_msg("seed %" PRIu64 ": receipt %" PRIu64 " is lost", seed, n);
		if (!there[n])
			*promises = (struct promises){.expired = promises->expired};
		else
			*promises = (struct promises){
				true, promises->power || (machine->replayed && !stopped), promises->expired};
	}
}

static void expect_sound(uint64_t seed)
{
	struct findings findings = {.size = 0};
	int rc = store_check(dir, say, &findings);

	if (rc != 0)
		fail_msg("seed %" PRIu64 ": %d: %s", seed, rc, findings.text);
}

/* One life: it starts, perhaps to be stopped while it does so, works, and ends. Tells whether the power was cut. */
static bool live(struct machine *machine, uint64_t seed, bool power_before)
{
	bool power = rand_below(&machine->rand, 2), stop = rand_below(&machine->rand, 2);

	if (stop)
		sim_disk_stop_after(machine->disk, rand_below(&machine->rand, STARTING_CALLS_MAX), power);
	start_process(machine);
	expect_promised(machine, seed, power_before);
	work(machine);
	if (power)
		sim_disk_cut_power(machine->disk);
	else
		sim_disk_process_died(machine->disk);
	sim_disk_fill(machine->disk, false);
	close_process(machine);
	return power;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* A machine's whole history. Returns what became of its receipts, in one number. */
static uint64_t run_history(uint64_t seed)
{
	struct machine *machine = make_machine(seed);
	bool power = false;
	uint64_t hash;

	start_process(machine); /* from here on there is something to check */
	close_process(machine);
	for (unsigned i = 0; i < LIVES; i++) {
		power = live(machine, seed, power);
		expect_sound(seed);
	}
	start_process(machine);
	expect_promised(machine, seed, power);
	hash = mix(machine->next, rand_u64(&machine->rand));
	for (uint64_t n = 0; n < machine->next; n++)
		hash = mix(hash, machine->promises[n].process * 2u + machine->promises[n].power);
	close_process(machine);
	expect_sound(seed);
	free_machine(machine);
	return hash;
}

static void keeps_promises(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run_history(seed);
}

static void repeats_a_history(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		uint64_t hash = run_history(seed);

		assert_true(run_history(seed) == hash);
		assert_true(hash != last);
		last = hash;
	}
}

/* Counters' rows that failed go out with what was appended since, not instead of it. */
static void writes_all_that_waits(void **state)
{
	struct machine *machine = make_machine(1);

	(void)state;
	start_process(machine);
	append(machine);
	commit_all(machine, false);
	sim_disk_fill(machine->disk, true);
	assert_int_equal(commit_write_counters(machine->commit, true), -EIO);
	append(machine);
	append(machine);
	sim_disk_fill(machine->disk, false);
	assert_int_equal(kv_reopen(machine->kv), 0);
	assert_int_equal(commit_group(machine->commit, machine->journals, machine->journal_count, 0, true), 2);
	assert_int_equal(commit_write_counters(machine->commit, true), 0);
	close_process(machine);
	free_machine(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_promises),
		cmocka_unit_test(repeats_a_history),
		cmocka_unit_test(writes_all_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
