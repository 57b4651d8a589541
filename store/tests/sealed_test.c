/* Sealed rows over the simulated database: what comes back, to whom, until when, under which keys, and what is altered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "store/disk.h"
#include "store/disk_sim.h"
#include "store/sealed.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NEWER "fedcba9876543210fedcba9876543210"

static const struct sealed_name name = {SEALED_RESPONSE, {"acme\0vk_1", 9}, {"resp_1", 6}};

struct world {
	struct sim_disk *disk;
	struct kv *kv;
	struct sealed *sealed;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct disk_lock *lock;
	struct rand rand;
	char why[256];

	assert_non_null(world);
	rand_seed(&rand, 7);
	world->disk = sim_disk_open(&rand);
	sim_disk_use(world->disk);
	assert_int_equal(disk_lock(&lock, "/data", true, why, sizeof(why)), 0);
	assert_int_equal(kv_open(&world->kv, "/data/db", false, why, sizeof(why)), 0);
	*state = world;
	return 0;
}

static void reopen(struct world *world, const char *secret, const char *previous)
{
	char why[256];

	if (world->sealed)
		sealed_close(world->sealed);
	world->sealed = NULL;
	if (sealed_open(&world->sealed, world->kv, "/data", secret, previous, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static int tear_down(void **state)
{
	struct world *world = *state;

	if (world->sealed)
		sealed_close(world->sealed);
	kv_close(world->kv);
	sim_disk_close(world->disk);
	free(world);
	return 0;
}

static void expect(struct world *world, const struct sealed_name *whose, uint64_t now_s, const char *expected)
{
	size_t size = 0;
	char *value = NULL;

	assert_int_equal(sealed_get(world->sealed, whose, now_s, &value, &size), 0);
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(value, expected, size);
	free(value);
}

static void expect_error(struct world *world, const struct sealed_name *whose, uint64_t now_s, int error)
{
	size_t size = 0;
	char *value = NULL;

	assert_int_equal(sealed_get(world->sealed, whose, now_s, &value, &size), error);
	assert_null(value);
}

static void put(struct world *world, const char *text, uint64_t expires_s)
{
	assert_int_equal(sealed_put(world->sealed, &name, slice_of_string(text), expires_s, false), 0);
}

static void comes_back_to_its_owner_alone(void **state)
{
	struct world *world = *state;
	struct sealed_name others[] = {name, name, name};

	others[0].owner = SLICE("acme\0vk_2");
	others[1].id = SLICE("resp_2");
	others[2].purpose = (enum sealed_purpose)'s';
	reopen(world, SECRET, NULL);
	expect_error(world, &name, 1, -ENOENT);
	put(world, "Hello", 0);
	expect(world, &name, UINT64_MAX, "Hello");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_error(world, &others[i], 1, -ENOENT);
	put(world, "", 0);
	expect(world, &name, 1, "");
	assert_int_equal(sealed_remove(world->sealed, &name, false), 0);
	expect_error(world, &name, 1, -ENOENT);
	assert_int_equal(sealed_remove(world->sealed, &name, false), -ENOENT);
}

static bool is_weak(struct slice found, struct slice value)
{
	(void)value;
	return slice_equal(found, SLICE("weak"));
}

static void expect_claim(struct world *world, const char *value, int error, const char *found)
{
	size_t size = 0;
	char *there = NULL;
	int rc = sealed_claim(world->sealed, &name, slice_of_string(value), 5, 10, false, is_weak, &there, &size);

	assert_int_equal(rc, error);
	if (found)
		assert_memory_equal(there, found, strlen(found));
	else
		assert_null(there);
	free(there);
}

static void a_claim_leaves_what_is_there(void **state)
{
	struct world *world = *state;

	reopen(world, SECRET, NULL);
	expect_claim(world, "weak", 0, NULL);
	expect_claim(world, "strong", 0, NULL);
	expect_claim(world, "stronger", -EEXIST, "strong");
	expect(world, &name, 5, "strong");
	reopen(world, NEWER, NULL); /* what cannot be read is nobody's */
	expect_claim(world, "another", 0, NULL);
	expect(world, &name, 5, "another");
	put(world, "over", 4);
	expect_claim(world, "next", 0, NULL);
}

static unsigned rows(const struct world *world, bool *readable, const char *text)
{
	struct kv_walk *walk = kv_walk_open(world->kv, KV_SEALED);
	unsigned count = 0;

	assert_non_null(walk);
	for (kv_walk_seek(walk, SLICE("")); kv_walk_valid(walk); kv_walk_next(walk), count++) {
		struct slice key = kv_walk_key(walk), value = kv_walk_value(walk);

		*readable |= memmem(value.data, value.size, text, strlen(text)) != NULL;
		*readable |= memmem(key.data, key.size, "resp_1", 6) || memmem(key.data, key.size, "acme", 4);
	}
	kv_walk_close(walk);
	return count;
}

static void expires_for_readers_at_once_and_on_the_disk_when_swept(void **state)
{
	struct world *world = *state;
	bool readable = false;

	reopen(world, SECRET, NULL);
	put(world, "Hello", 100);
	assert_int_equal(rows(world, &readable, "Hello"), 2);
	assert_false(readable);
	expect(world, &name, 99, "Hello");
	expect_error(world, &name, 100, -ENOENT);
	assert_int_equal(sealed_expire(world->sealed, 99, 10), 0);
	put(world, "Later", 200); /* in the same place: the first reminder is of no use now */
	assert_int_equal(sealed_expire(world->sealed, 150, 10), 1);
	expect(world, &name, 199, "Later");
	assert_int_equal(sealed_expire(world->sealed, 200, 10), 1);
	assert_int_equal(rows(world, &readable, "Later"), 0);
}

static void sweeps_no_more_than_it_may(void **state)
{
	struct world *world = *state;
	struct sealed_name one = name;
	char id[] = "0";

	reopen(world, SECRET, NULL);
	one.id = slice_of_string(id);
	for (id[0] = '0'; id[0] < '5'; id[0]++)
		assert_int_equal(sealed_put(world->sealed, &one, SLICE("x"), 10, false), 0);
	assert_int_equal(sealed_expire(world->sealed, 10, 3), 3);
	assert_int_equal(sealed_expire(world->sealed, 10, 3), 2);
	assert_int_equal(sealed_expire(world->sealed, 10, 3), 0);
}

static void keys_can_be_changed(void **state)
{
	struct world *world = *state;

	reopen(world, NULL, NULL); /* a key is made in the folder */
	put(world, "Hello", 0);
	reopen(world, NULL, NULL);
	expect(world, &name, 1, "Hello");
	reopen(world, SECRET, NULL); /* the folder's still opens what was sealed under it */
	expect(world, &name, 1, "Hello");
	put(world, "Second", 0);
	reopen(world, NEWER, NULL);
	expect_error(world, &name, 1, -EBADMSG);
	reopen(world, NEWER, SECRET);
	expect(world, &name, 1, "Second");
	put(world, "Third", 0);
	reopen(world, NEWER, NULL);
	expect(world, &name, 1, "Third");
}

static void a_short_secret_is_refused(void **state)
{
	struct world *world = *state;
	char why[256];

	assert_int_equal(sealed_open(&world->sealed, world->kv, "/data", "short", NULL, why, sizeof(why)), -EINVAL);
	assert_null(world->sealed);
	assert_non_null(strstr(why, "TOLLGATE_KEK"));
	assert_int_equal(sealed_open(&world->sealed, world->kv, "/data", SECRET, "short", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "TOLLGATE_KEK_PREVIOUS"));
}

/* Every byte of the row, and the row as another's: nothing of it is believed. */
static void what_is_altered_is_not_believed(void **state)
{
	struct world *world = *state;
	struct sealed_name other = name;
	char key[64], bytes[256], moved[64];
	struct kv_batch *batch = kv_batch_open();
	size_t key_size, size;
	struct kv_walk *walk;

	reopen(world, SECRET, NULL);
	put(world, "Hello", 0);
	walk = kv_walk_open(world->kv, KV_SEALED);
	kv_walk_seek(walk, SLICE("d"));
	key_size = kv_walk_key(walk).size;
	size = kv_walk_value(walk).size;
	assert_true(key_size <= sizeof(key) && size <= sizeof(bytes));
	memcpy(key, kv_walk_key(walk).data, key_size);
	memcpy(bytes, kv_walk_value(walk).data, size);
	kv_walk_close(walk);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		kv_batch_clear(batch);
		kv_batch_put(world->kv, batch, KV_SEALED, slice_of(key, key_size), slice_of(bytes, size));
		assert_int_equal(kv_write(world->kv, batch, false), 0);
		expect_error(world, &name, 0, -EBADMSG);
		bytes[i] ^= 1;
	}
	for (size_t cut = 0; cut < size; cut++) {
		kv_batch_clear(batch);
		kv_batch_put(world->kv, batch, KV_SEALED, slice_of(key, key_size), slice_of(bytes, cut));
		assert_int_equal(kv_write(world->kv, batch, false), 0);
		expect_error(world, &name, 1, -EBADMSG);
	}
	other.id = SLICE("resp_2");
	assert_int_equal(sealed_put(world->sealed, &other, SLICE("Bye"), 0, false), 0);
	walk = kv_walk_open(world->kv, KV_SEALED);
	for (kv_walk_seek(walk, SLICE("d")); kv_walk_valid(walk); kv_walk_next(walk))
		if (memcmp(kv_walk_key(walk).data, key, key_size) != 0)
			memcpy(moved, kv_walk_key(walk).data, key_size);
	kv_walk_close(walk);
	kv_batch_clear(batch);
	kv_batch_put(world->kv, batch, KV_SEALED, slice_of(moved, key_size), slice_of(bytes, size));
	assert_int_equal(kv_write(world->kv, batch, false), 0);
	expect_error(world, &other, 1, -EBADMSG);
	kv_batch_close(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_back_to_its_owner_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			expires_for_readers_at_once_and_on_the_disk_when_swept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_claim_leaves_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sweeps_no_more_than_it_may, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_can_be_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_short_secret_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_altered_is_not_believed, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
