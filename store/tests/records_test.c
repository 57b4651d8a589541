/* Records: written as one, found in their order and in both directions, replaced, removed; and there after the store
 * closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/records.h"

struct world {
	char dir[64];
	struct store *store;
	struct shard shard;
	bool written;
};

static void open_store(struct world *world)
{
	const struct store_options options = {.data_dir = world->dir,
		.durability = DURABILITY_PROCESS,
		.shard_count = 1,
		.journal_bytes = 256 << 10,
		.node = "node-1"};
	char why[512];

	if (store_open(&world->store, &options, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static void open_shard(struct world *world)
{
	const struct shard_options options = {
		.name = "test", .cpu = -1, .ring = {.entry_count = 8, .buffer_count = 2, .buffer_bytes = 256}};
	char why[256];

	if (shard_open(&world->shard, &options, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(ring_enable(world->shard.ring), 0);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	*state = world;
	if (!world)
		return -1;
	snprintf(world->dir, sizeof(world->dir), "/tmp/tollgate-records-XXXXXX");
	if (!mkdtemp(world->dir))
		return -1;
	open_shard(world);
	open_store(world);
	return 0;
}

/* The shard's ring too: those of the store's threads end in this thread, which takes its registration with them. */
static void reopen(struct world *world)
{
	store_close(world->store);
	shard_close(&world->shard);
	open_shard(world);
	open_store(world);
}

static int tear_down(void **state)
{
	struct world *world = *state;
	char command[128];

	store_close(world->store);
	shard_close(&world->shard);
	snprintf(command, sizeof(command), "rm -rf '%s'", world->dir);
	free(world);
	return system(command);
}

static void on_written(struct records_write *write)
{
	*(bool *)write->shard->user = true;
}

static void write_all(struct world *world, const struct record *records, unsigned count)
{
	struct records_write write = {.shard = &world->shard, .done = on_written, .records = records, .count = count};

	world->written = false;
	world->shard.user = &world->written;
	records_write_start(world->store, &write);
	while (!world->written) { /* a wake-up leaves a shard when its turn ends */
		shard_turn(&world->shard, 0);
		usleep(100);
	}
	assert_int_equal(write.result, 0);
}

struct listed {
	char text[256];
	unsigned left;
};

static bool tell(void *context, struct slice id, struct slice value)
{
	struct listed *listed = context;
	size_t size = strlen(listed->text);

	snprintf(listed->text + size, sizeof(listed->text) - size, "%.*s=%.*s ", (int)id.size, id.data, (int)value.size,
		value.data);
	return --listed->left > 0;
}

static const struct {
	enum record_table table;
	const char *from;
	bool backwards;
	unsigned most;
	const char *expected;
} reads[] = {
	{RECORDS_KEYS, "", false, 9, "a=1 b=2 c=3 "},
	{RECORDS_KEYS, "b", false, 9, "b=2 c=3 "},
	{RECORDS_KEYS, "bb", false, 9, "c=3 "},
	{RECORDS_KEYS, "d", false, 9, ""},
	{RECORDS_KEYS, "", true, 9, "c=3 b=2 a=1 "},
	{RECORDS_KEYS, "b", true, 9, "b=2 a=1 "},
	{RECORDS_KEYS, "bb", true, 1, "b=2 "},
	{RECORDS_KEYS, "", false, 2, "a=1 b=2 "},
	{RECORDS_TEAMS, "", false, 9, "b=team "},
	{RECORDS_TEAMS, "", true, 9, "b=team "},
	{RECORDS_AUDIT, "", false, 9, ""},
	{RECORDS_AUDIT, "", true, 9, ""},
	{RECORDS_OVERRIDES, "", true, 9, ""},
};

static void expect_reads(struct world *world)
{
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct listed listed = {.left = reads[i].most};

		assert_int_equal(records_read(world->store, reads[i].table, slice_of_string(reads[i].from),
					 reads[i].backwards, tell, &listed),
			0);
		assert_string_equal(listed.text, reads[i].expected);
	}
}

static void records_come_back(void **state)
{
	const struct record all[] = {{.table = RECORDS_KEYS, .id = SLICE("b"), .value = SLICE("2")},
		{.table = RECORDS_KEYS, .id = SLICE("a"), .value = SLICE("0")},
		{.table = RECORDS_KEYS, .id = SLICE("x"), .value = SLICE("gone")},
		{.table = RECORDS_KEYS, .id = SLICE("c"), .value = SLICE("3")},
		{.table = RECORDS_TEAMS, .id = SLICE("b"), .value = SLICE("team")}};
	const struct record change[] = {{.table = RECORDS_KEYS, .id = SLICE("a"), .value = SLICE("1")},
		{.table = RECORDS_KEYS, .id = SLICE("x")}};
	struct world *world = *state;

	write_all(world, all, 5);
	write_all(world, change, 2);
	expect_reads(world);
	reopen(world);
	expect_reads(world);
}

static void expect_sealed(struct world *world, const char *owner, const char *expected)
{
	char *value = NULL;
	size_t size = 0;
	int rc = records_read_sealed(world->store, slice_of_string(owner), SLICE("conn_1"), &value, &size);

	assert_int_equal(rc, expected ? 0 : -ENOENT);
	if (expected)
		assert_true(slice_equal(slice_of(value, size), slice_of_string(expected)));
	free(value);
}

static void sealed_ones_with_the_record_that_names_them(void **state)
{
	const struct record made[] = {{.table = RECORDS_CONNECTIONS, .id = SLICE("conn_1"), .value = SLICE("{}")},
		{.id = SLICE("conn_1"), .owner = SLICE("acme"), .value = SLICE("sk-secret")}};
	const struct record gone[] = {
		{.table = RECORDS_CONNECTIONS, .id = SLICE("conn_1")}, {.id = SLICE("conn_1"), .owner = SLICE("acme")}};
	struct world *world = *state;
	struct listed listed = {.left = 9};

	expect_sealed(world, "acme", NULL);
	write_all(world, made, 2);
	expect_sealed(world, "acme", "sk-secret");
	expect_sealed(world, "other", NULL);
	reopen(world);
	expect_sealed(world, "acme", "sk-secret");
	assert_int_equal(records_read(world->store, RECORDS_CONNECTIONS, slice_of(NULL, 0), false, tell, &listed), 0);
	assert_string_equal(listed.text, "conn_1={} ");
	write_all(world, gone, 2);
	expect_sealed(world, "acme", NULL);
	write_all(world, gone, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sealed_ones_with_the_record_that_names_them, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
