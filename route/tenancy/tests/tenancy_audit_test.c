/*
 * The end of audit records: each workspace keeps its own for its days, what belongs to none, or to one that is gone, is
 * kept longest, and more go than fit one write. A store in a directory of its own, and a tenancy without its thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "route/tenancy/tenancy_internal.h"

enum { JSON_BYTES_MAX = 1 << 20, JOURNAL_BYTES = 256 << 10, MANY = 1200, ROWS_MAX = MANY + 16 };

struct world {
	char dir[64];
	struct gateway gateway;
	struct workspace_settings workspaces[2];
	struct settings settings;
	struct gateway_config config;
	struct tenancy tenancy;
	bool written;
	unsigned count;
	char left[ROWS_MAX][8]; /* what the records that are left say of themselves */
};

static void on_written(struct records_write *write)
{
	*(bool *)write->shard->user = true;
}

static struct world *make_world(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct shard_options shard = {
		.name = "test", .cpu = -1, .ring = {.entry_count = 8, .buffer_count = 2, .buffer_bytes = 256}};
	struct store_options store = {
		.data_dir = world->dir, .shard_count = 1, .journal_bytes = JOURNAL_BYTES, .node = "node-1"};
	char why[512] = "";

	assert_non_null(world);
	snprintf(world->dir, sizeof(world->dir), "/tmp/tollgate-audit-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world->workspaces[0] = (struct workspace_settings){.id = (char *)(uintptr_t) "long", .audit_days = 90};
	world->workspaces[1] = (struct workspace_settings){.id = (char *)(uintptr_t) "short", .audit_days = 7};
	world->settings = (struct settings){.workspaces = world->workspaces, .workspace_count = 2};
	world->config.settings = &world->settings;
	world->tenancy.gateway = &world->gateway;
	world->tenancy.config = &world->config;
	world->tenancy.json = json_parser_open(JSON_BYTES_MAX);
	if (shard_open(&world->tenancy.shard, &shard, why, sizeof(why)) < 0 ||
		ring_enable(world->tenancy.shard.ring) < 0 ||
		store_open(&world->gateway.store, &store, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	world->tenancy.shard.user = &world->written;
	return world;
}

static void end(struct world *world)
{
	char command[128];

	store_close(world->gateway.store);
	shard_close(&world->tenancy.shard);
	json_parser_close(world->tenancy.json);
	free(world->tenancy.pruned);
	free(world->tenancy.pruned_ids);
	snprintf(command, sizeof(command), "rm -rf '%s'", world->dir);
	assert_int_equal(system(command), 0);
	free(world);
}

/* Records on their way into the store. */
struct rows {
	unsigned count;
	char ids[ROWS_MAX][ULID_TEXT_BYTES], json[ROWS_MAX][96];
	struct record records[ROWS_MAX];
};

/* A record of that workspace (NULL: of none), so many days old. */
static void add(struct world *world, struct rows *rows, unsigned days, const char *workspace, const char *name)
{
	struct shard *shard = &world->tenancy.shard;
	struct ulid ulid = ulid_make(&shard->rand, shard_wall_ns(shard) - days * NS_PER_DAY - NS_PER_S);
	unsigned i = rows->count++;

	assert_true(i < ROWS_MAX);
	ulid_print(&ulid, rows->ids[i]);
	snprintf(rows->json[i], sizeof(rows->json[i]), "{\"name\":\"%s\",\"workspace\":%s%s%s}", name,
		workspace ? "\"" : "", workspace ? workspace : "null", workspace ? "\"" : "");
	rows->records[i] = (struct record){.table = RECORDS_AUDIT,
		.id = slice_of(rows->ids[i], ULID_TEXT_BYTES),
		.value = slice_of_string(rows->json[i])};
}

static void write_rows(struct world *world, struct rows *rows)
{
	struct shard *shard = &world->tenancy.shard;
	struct records_write write = {
		.shard = shard, .done = on_written, .records = rows->records, .count = rows->count};

	world->written = false;
	records_write_start(world->gateway.store, &write);
	while (!world->written)
		shard_turn(shard, shard_sleep(shard));
	assert_int_equal(write.result, 0);
	free(rows);
}

static struct rows *make_rows(void)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	assert_non_null(rows);
	return rows;
}

static bool tell(void *context, struct slice id, struct slice value)
{
	static const struct slice lead = {"{\"name\":\"", 9};
	struct world *world = context;

	(void)id;
	assert_true(world->count < ROWS_MAX && slice_starts_with(value, lead));
	snprintf(world->left[world->count++], sizeof(world->left[0]), "%.*s",
		(int)strcspn(value.data + lead.size, "\""), value.data + lead.size);
	return true;
}

static void prune(struct world *world)
{
	struct shard *shard = &world->tenancy.shard;

	tenancy_prune(&world->tenancy);
	while (world->tenancy.pruning)
		shard_turn(shard, shard_sleep(shard));
	world->count = 0;
	assert_int_equal(records_read(world->gateway.store, RECORDS_AUDIT, slice_of(NULL, 0), false, tell, world), 0);
}

static void keeps_each_for_its_days(void **state)
{
	static const struct {
		unsigned days;
		const char *workspace, *name;
		bool stays;
	} rows[] = {
		{400, NULL, "none", false},
		{364, NULL, "none2", true},
		{366, "gone", "gone", false},
		{300, "gone", "gone2", true},
		{90, "long", "long", false},
		{89, "long", "long2", true},
		{30, "short", "short", false},
		{7, "short", "short2", false},
		{6, "short", "short3", true},
		{0, "long", "new", true},
	};
	struct world *world = make_world();
	struct rows *written = make_rows();
	unsigned found = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add(world, written, rows[i].days, rows[i].workspace, rows[i].name);
	write_rows(world, written);
	prune(world);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool there = false;

		for (unsigned k = 0; k < world->count; k++)
			there = there || strcmp(world->left[k], rows[i].name) == 0;
		if (there != rows[i].stays)
			fail_msg("%s", rows[i].name);
		found += there;
	}
	assert_int_equal(found, world->count);
	prune(world);
	assert_int_equal(found, world->count);
	end(world);
}

/* Records that stay lie among those that go, and no write takes them all. */
static void removes_more_than_a_write(void **state)
{
	struct world *world = make_world();
	struct rows *written = make_rows();

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		add(world, written, 100, i % 100 ? "short" : "gone", i % 100 ? "goes" : "stays");
	write_rows(world, written);
	prune(world);
	assert_int_equal(world->count, MANY / 100);
	for (unsigned k = 0; k < world->count; k++)
		assert_string_equal(world->left[k], "stays");
	end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_each_for_its_days),
		cmocka_unit_test(removes_more_than_a_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
