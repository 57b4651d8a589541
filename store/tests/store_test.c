/*
 * The store as a whole, in a directory of its own: append, kill, open again, ask, check; and a disk that refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/store.h"
#include "store/tests/receipts.h"

enum { SHARDS = 2, JOURNAL_BYTES = 256 << 10 };

struct world {
	char dir[64];
	struct store *store;
	struct shard shards[4];
	unsigned shard_count;
};

static void remove_tree(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void open_shards(struct world *world, unsigned count)
{
	char why[256];

	world->shard_count = count;
	for (unsigned i = 0; i < count; i++) {
		const struct shard_options options = {.name = "test",
			.index = i,
			.cpu = -1,
			.ring = {.entry_count = 8, .buffer_count = 2, .buffer_bytes = 256}};

		if (shard_open(&world->shards[i], &options, why, sizeof(why)) < 0)
			fail_msg("%s", why);
		assert_int_equal(ring_enable(world->shards[i].ring), 0);
	}
}

static void close_shards(struct world *world)
{
	for (unsigned i = 0; i < world->shard_count; i++)
		shard_close(&world->shards[i]);
}

static void open_store(struct world *world, enum durability durability, unsigned shards)
{
	const struct store_options options = {.data_dir = world->dir,
		.durability = durability,
		.shard_count = shards,
		.journal_bytes = JOURNAL_BYTES,
		.node = "node-1"};
	char why[512];

	if (store_open(&world->store, &options, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static struct world make_world(void)
{
	struct world world = {.dir = "/tmp/tollgate-store-XXXXXX"};

	assert_non_null(mkdtemp(world.dir));
	return world;
}

static int append(struct world *world, unsigned shard, uint64_t n, struct store_ticket *ticket)
{
	struct receipt receipt;

	test_receipt(&receipt, n);
	return store_append(world->store, &world->shards[shard], &receipt, ticket);
}

/* Wake-ups leave a shard when its turn ends, so a test that waits for another thread has to turn its shards. */
static void turn_and_wait(struct world *world)
{
	for (unsigned i = 0; i < world->shard_count; i++)
		shard_turn(&world->shards[i], 0);
	usleep(1000);
}

/* Appends [from, to) over the shards in turn; waits while a journal is full. */
static void append_all(struct world *world, uint64_t from, uint64_t to)
{
	struct store_ticket ticket;

	for (uint64_t n = from; n < to; n++)
		while (append(world, (unsigned)(n % world->shard_count), n, &ticket) == -EAGAIN)
			turn_and_wait(world);
}

static void on_queried(struct store_query *query)
{
	*(bool *)query->shard->user = true;
}

static void ask(struct world *world, struct store_query *query)
{
	bool answered = false;

	query->shard = &world->shards[0];
	query->done = on_queried;
	world->shards[0].user = &answered;
	store_query_start(world->store, query);
	while (!answered)
		shard_turn(&world->shards[0], shard_sleep(&world->shards[0]));
}

static int find(struct world *world, uint64_t n, struct slice workspace)
{
	struct store_query query = {.kind = STORE_QUERY_BY_ID, .request_id = test_id(n), .workspace = workspace};
	char id[ULID_TEXT_BYTES];

	ask(world, &query);
	if (query.result == 0) {
		ulid_print(&query.request_id, id);
		assert_true(query.json_size > 60);
		assert_memory_equal(query.json, "{\"request_id\":\"req_", 19);
		assert_memory_equal(query.json + 19, id, sizeof(id));
	}
	store_query_fini(&query);
	return query.result;
}

struct findings {
	char text[8192];
	size_t size;
};

static void say(void *context, const char *line)
{
	struct findings *findings = context;
	int added = snprintf(findings->text + findings->size, sizeof(findings->text) - findings->size, "%s\n", line);

	findings->size += (size_t)added < sizeof(findings->text) - findings->size ? (size_t)added : 0;
}

static void expect_sound(const struct world *world, const char *last_line)
{
	struct findings findings = {.size = 0};

	if (store_check(world->dir, say, &findings) != 0)
		fail_msg("%s", findings.text);
	if (!strstr(findings.text, last_line))
		fail_msg("expected '%s' in: %s", last_line, findings.text);
}

static int64_t sum_of(uint64_t count)
{
	int64_t sum = 0;

	for (uint64_t n = 0; n < count; n++)
		sum += test_cost(n) + 10;
	return sum;
}

static void finds_what_was_appended(void **state)
{
	struct world world = make_world();

	(void)state;
	open_shards(&world, SHARDS);
	open_store(&world, DURABILITY_PROCESS, SHARDS);
	append_all(&world, 0, 3000);
	assert_int_equal(find(&world, 0, slice_of(NULL, 0)), 0);
	assert_int_equal(find(&world, 2999, slice_of(NULL, 0)), 0);
	assert_int_equal(find(&world, 2999, SLICE("main")), 0);
	assert_int_equal(find(&world, 2999, SLICE("other")), -ENOENT);
	assert_int_equal(find(&world, 3000, slice_of(NULL, 0)), -ENOENT);
	assert_int_equal(store_counts(world.store).receipts, 3000);
	assert_true(store_counts(world.store).spend_nusd == sum_of(3000));
	assert_int_equal(store_counts(world.store).journal_used_bytes, 0);
	store_close(world.store);
	expect_sound(&world, "3000 receipts in ");
	open_store(&world, DURABILITY_RELAXED, SHARDS);
	assert_int_equal(store_counts(world.store).receipts, 3000);
	assert_int_equal(store_counts(world.store).replayed, 0);
	append_all(&world, 3000, 3100);
	store_close(world.store);
	expect_sound(&world, "3100 receipts in ");
	close_shards(&world);
	remove_tree(world.dir);
}

struct list_row {
	const char *key, *workspace, *model;
	uint16_t status;
	uint64_t since, until; /* receipts' numbers; 0: open */
	uint32_t limit;
	unsigned expected; /* over all pages, of receipts 0..999 */
	const char *cache;
	enum store_query_fallback fallback;
};

static const struct list_row list_rows[] = {
	{.limit = 1000, .expected = 1000},
	{.limit = 7, .expected = 1000},
	{.workspace = "main", .limit = 100, .expected = 500},
	{.key = "vk_two", .limit = 50, .expected = 333},
	{.key = "vk_none", .limit = 50, .expected = 0},
	{.key = "vk_two", .workspace = "main", .limit = 1, .expected = 167},
	{.model = "mock-small", .limit = 999, .expected = 1000},
	{.model = "mock-large", .limit = 10, .expected = 0},
	{.status = 502, .limit = 13, .expected = 200},
	{.since = 900, .limit = 30, .expected = 100},
	{.until = 100, .limit = 30, .expected = 100},
	{.key = "vk_one", .status = 200, .since = 300, .until = 600, .limit = 30, .expected = 80},
	{.limit = 60, .expected = 250, .cache = "miss"},
	{.limit = 60, .expected = 0, .cache = "hit"},
	{.limit = 60, .expected = 100, .fallback = STORE_FALLBACK_USED}, /* 25 of the 125 failed as a whole */
	{.limit = 60, .expected = 900, .fallback = STORE_FALLBACK_UNUSED},
	{.status = 502, .limit = 60, .expected = 0, .fallback = STORE_FALLBACK_USED},
	{.limit = 60, .expected = 250, .cache = "miss", .fallback = STORE_FALLBACK_UNUSED},
};

static uint64_t time_of(uint64_t n)
{
	return n ? ((uint64_t)TEST_FIRST_S * 1000 + n) * 1000000 : 0;
}

static unsigned count_of(const char *json, size_t size, const char *needle)
{
	unsigned count = 0;

	for (const char *at = json; (at = memmem(at, size - (size_t)(at - json), needle, strlen(needle))); at++)
		count++;
	return count;
}

static void list_all(struct world *world, const struct list_row *row)
{
	unsigned count = 0, pages = 0;
	uint64_t cursor = 0;

	do {
		struct store_query query = {.kind = STORE_QUERY_LIST,
			.key_id = slice_of_string(row->key),
			.workspace = slice_of_string(row->workspace),
			.model = slice_of_string(row->model),
			.status = row->status,
			.cache = slice_of_string(row->cache),
			.fallback = row->fallback,
			.since_ns = time_of(row->since),
			.until_ns = time_of(row->until),
			.cursor = cursor,
			.limit = row->limit};

		ask(world, &query);
		assert_int_equal(query.result, 0);
		assert_true(query.count <= row->limit);
		assert_int_equal(query.json[0], '[');
		assert_int_equal(query.json[query.json_size - 1], ']');
		assert_int_equal(count_of(query.json, query.json_size, "{\"request_id\""), query.count);
		count += query.count;
		cursor = query.next_cursor;
		store_query_fini(&query);
		assert_true(++pages <= 2000);
	} while (cursor);
	if (count != row->expected)
		fail_msg("row %u: %u receipts, expected %u", (unsigned)(row - list_rows), count, row->expected);
}

static void lists_by_filter_and_cursor(void **state)
{
	struct world world = make_world();

	(void)state;
	open_shards(&world, SHARDS);
	open_store(&world, DURABILITY_PROCESS, SHARDS);
	append_all(&world, 0, 1000);
	for (size_t i = 0; i < sizeof(list_rows) / sizeof(*list_rows); i++)
		list_all(&world, &list_rows[i]);
	store_close(world.store);
	close_shards(&world);
	remove_tree(world.dir);
}

/* In a child of its own that is killed after `count` appends, some of which the writer has taken by then. */
static void append_and_die(struct world *world, unsigned shards, uint64_t from, uint64_t to)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		open_shards(world, shards);
		open_store(world, DURABILITY_PROCESS, shards);
		append_all(world, from, to);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void survives_being_killed(void **state)
{
	static const struct {
		unsigned shards;
		uint64_t to;
	} runs[] = {
		{2, 10},
		{4, 1500},
		{1, 1501},
		{2, 5000},
		{4, 5001},
		{1, 5200},
		{3, 5201},
		{2, 9000},
	};
	struct world world = make_world();
	uint64_t done = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		append_and_die(&world, runs[i].shards, done, runs[i].to);
		done = runs[i].to;
	}
	open_shards(&world, 1);
	open_store(&world, DURABILITY_PROCESS, 1);
	assert_int_equal(store_counts(world.store).receipts, done);
	assert_true(store_counts(world.store).replayed > 0);
	assert_true(store_counts(world.store).spend_nusd == sum_of(done));
	for (uint64_t n = 0; n < done; n += 97)
		assert_int_equal(find(&world, n, slice_of(NULL, 0)), 0);
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "9000 receipts in ");
	remove_tree(world.dir);
}

static void reports_what_waits_in_journals(void **state)
{
	struct world world = make_world();

	(void)state;
	append_and_die(&world, 2, 0, 40);
	expect_sound(&world, "wait in journals");
	open_store(&world, DURABILITY_PROCESS, 2);
	store_close(world.store);
	expect_sound(&world, "40 receipts in ");
	remove_tree(world.dir);
}

static void on_ticket_done(struct store_ticket *ticket, int result)
{
	unsigned *counts = ticket->shard->user;

	counts[result == 0 ? 0 : 1]++;
}

static void completes_tickets_when_synced(void **state)
{
	struct store_ticket tickets[64];
	struct world world = make_world();
	unsigned counts[2] = {0, 0};

	(void)state;
	open_shards(&world, 1);
	open_store(&world, DURABILITY_POWER, 1);
	world.shards[0].user = counts;
	for (unsigned i = 0; i < 64; i++) {
		tickets[i].done = on_ticket_done;
		assert_int_equal(append(&world, 0, i, &tickets[i]), 0);
	}
	while (counts[0] + counts[1] < 64)
		shard_turn(&world.shards[0], shard_sleep(&world.shards[0]));
	assert_int_equal(counts[0], 64);
	assert_int_equal(store_counts(world.store).receipts, 64);
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "64 receipts in ");
	remove_tree(world.dir);
}

/* Files may not grow any more: the write-ahead log's writes fail as they do on a full disk. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void wait_until_writable(struct world *world, bool writable)
{
	for (unsigned i = 0; store_writable(world->store) != writable; i++) {
		assert_true(i < 10000);
		turn_and_wait(world);
	}
}

static void keeps_all_while_the_disk_refuses(void **state)
{
	struct store_ticket ticket;
	struct world world = make_world();

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_shards(&world, 1);
	open_store(&world, DURABILITY_PROCESS, 1);
	append_all(&world, 0, 100);
	assert_int_equal(find(&world, 99, slice_of(NULL, 0)), 0);
	limit_files(1);
	append_all(&world, 100, 200);
	wait_until_writable(&world, false);
	for (uint64_t n = 200; n < 300; n++)
		assert_int_equal(append(&world, 0, n, &ticket), 1);
	assert_true(store_counts(world.store).failed_commits > 0);
	limit_files(RLIM_INFINITY);
	wait_until_writable(&world, true);
	assert_int_equal(find(&world, 299, slice_of(NULL, 0)), 0);
	assert_int_equal(store_counts(world.store).receipts, 300);
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "300 receipts in ");
	remove_tree(world.dir);
}

static void fails_tickets_while_the_disk_refuses(void **state)
{
	struct store_ticket ticket = {.done = on_ticket_done};
	struct world world = make_world();
	unsigned counts[2] = {0, 0};

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_shards(&world, 1);
	open_store(&world, DURABILITY_POWER, 1);
	world.shards[0].user = counts;
	limit_files(1);
	assert_int_equal(append(&world, 0, 0, &ticket), 0);
	while (counts[1] == 0)
		shard_turn(&world.shards[0], shard_sleep(&world.shards[0]));
	assert_false(store_writable(world.store));
	assert_int_equal(append(&world, 0, 1, &ticket), -EAGAIN);
	limit_files(RLIM_INFINITY);
	wait_until_writable(&world, true);
	assert_int_equal(append(&world, 0, 2, &ticket), 0);
	while (counts[0] == 0)
		shard_turn(&world.shards[0], shard_sleep(&world.shards[0]));
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "3 receipts in ");
	remove_tree(world.dir);
}

static void refuses_a_second_user(void **state)
{
	struct world world = make_world();
	const struct store_options options = {.data_dir = world.dir, .shard_count = 1, .journal_bytes = JOURNAL_BYTES};
	struct findings findings = {.size = 0};
	struct store *second;
	char why[512];

	(void)state;
	open_store(&world, DURABILITY_PROCESS, 1);
	assert_int_equal(store_open(&second, &options, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "in use by another process"));
	assert_int_equal(store_check(world.dir, say, &findings), -EBUSY);
	store_close(world.store);
	remove_tree(world.dir);
}

static void says_when_the_journal_is_full(void **state)
{
	struct store_ticket ticket;
	struct world world = make_world();
	unsigned appended = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_shards(&world, 1);
	open_store(&world, DURABILITY_PROCESS, 1);
	limit_files(1);
	while (append(&world, 0, appended, &ticket) == 1)
		appended++;
	assert_true(appended > 100);
	assert_false(store_writable(world.store));
	limit_files(RLIM_INFINITY);
	wait_until_writable(&world, true);
	assert_int_equal(append(&world, 0, appended, &ticket), 1);
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "receipts in ");
	remove_tree(world.dir);
}

static void wait_until_drained(struct world *world)
{
	for (unsigned i = 0; store_counts(world->store).journal_used_bytes; i++) {
		assert_true(i < 10000);
		turn_and_wait(world);
	}
}

/* Appends as many receipts as fill the part of the journal that a calm shard works on, and a few more. */
static uint64_t append_past_an_eighth(struct world *world, uint64_t from)
{
	char record[RECEIPT_BYTES_MAX];
	struct store_ticket ticket;
	struct receipt receipt;
	uint64_t n = from;

	for (size_t bytes = 0; bytes < JOURNAL_BYTES / 8; n++) {
		test_receipt(&receipt, n);
		bytes += (size_t)receipt_encode(&receipt, record, sizeof(record));
		assert_int_equal(append(world, 0, n, &ticket), 1);
		assert_true(store_writable(world->store));
	}
	return n;
}

/*
 * An emptied journal begins again at its beginning once an eighth of it is used. The padding over the other seven
 * counts as used until the writer has passed it, which must not look like a journal that is nearly full.
 */
static void stays_writable_when_an_emptied_journal_turns(void **state)
{
	enum { TURNS = 60 };
	struct world world = make_world();
	uint64_t appended = 0;

	(void)state;
	open_shards(&world, 1);
	open_store(&world, DURABILITY_PROCESS, 1);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		appended = append_past_an_eighth(&world, appended);
		wait_until_drained(&world);
		assert_int_equal(append(&world, 0, appended++, &(struct store_ticket){.result = 0}), 1); /* the turn */
		assert_true(store_writable(world.store));
		wait_until_drained(&world);
	}
	assert_int_equal(store_counts(world.store).receipts, appended);
	assert_true(store_counts(world.store).spend_nusd == sum_of(appended));
	for (uint64_t n = 0; n < appended; n += 41)
		assert_int_equal(find(&world, n, slice_of(NULL, 0)), 0);
	store_close(world.store);
	close_shards(&world);
	expect_sound(&world, "receipts in ");
	remove_tree(world.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_appended),
		cmocka_unit_test(lists_by_filter_and_cursor),
		cmocka_unit_test(survives_being_killed),
		cmocka_unit_test(reports_what_waits_in_journals),
		cmocka_unit_test(completes_tickets_when_synced),
		cmocka_unit_test(keeps_all_while_the_disk_refuses),
		cmocka_unit_test(fails_tickets_while_the_disk_refuses),
		cmocka_unit_test(refuses_a_second_user),
		cmocka_unit_test(says_when_the_journal_is_full),
		cmocka_unit_test(stays_writable_when_an_emptied_journal_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
