/* Reservations: slots are found again by name, by the next run too, and what nobody asks for is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/disk.h"
#include "store/reservations.h"

enum { TODAY = 20000 };

static char directory[64];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/reservations-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/reservations", directory);
	unlink(path);
	return rmdir(directory);
}

static struct reservations *open_on(uint32_t day)
{
	struct reservations *r;
	char why[256];

	assert_int_equal(reservations_open(&r, directory, day, why, sizeof(why)), 0);
	return r;
}

static void test_a_name_has_one_slot(void **state)
{
	struct reservations *r = open_on(TODAY);
	struct reservation *one = reservations_slot(r, 1, TODAY), *same_place = reservations_slot(r, 1 + 65536, TODAY);

	(void)state;
	assert_non_null(one);
	assert_ptr_not_equal(one, same_place);
	assert_ptr_equal(reservations_slot(r, 1, TODAY), one);
	assert_ptr_equal(reservations_slot(r, 1 + 65536, TODAY), same_place);
	assert_ptr_equal(reservations_slot(r, 0, TODAY), one); /* no name is the one after it */
	reservations_close(r);
}

static void test_a_run_finds_what_another_left(void **state)
{
	struct reservations *r = open_on(TODAY);

	(void)state;
	atomic_store(&reservations_slot(r, 7, TODAY)->under_way[0].nusd, 1234);
	atomic_store(&reservations_slot(r, 9, TODAY + 30)->under_way[1].nusd, 5);
	reservations_close(r);
	r = open_on(TODAY + 62);
	assert_int_equal(atomic_load(&reservations_slot(r, 7, TODAY + 1)->under_way[0].nusd), 1234);
	reservations_close(r);
	r = open_on(TODAY + 64);
	assert_int_equal(atomic_load(&reservations_slot(r, 7, TODAY + 64)->under_way[0].nusd), 0);
	assert_int_equal(atomic_load(&reservations_slot(r, 9, TODAY + 64)->under_way[1].nusd), 5);
	reservations_close(r);
}

static void test_all_may_be_taken(void **state)
{
	struct reservations *r = open_on(TODAY);
	struct reservation *last = NULL;

	(void)state;
	for (uint64_t name = 1; name <= RESERVATIONS_MAX; name++)
		assert_non_null(last = reservations_slot(r, name * 0x9e3779b97f4a7c15ull, TODAY));
	assert_null(reservations_slot(r, 3, TODAY));
	assert_ptr_equal(reservations_slot(r, RESERVATIONS_MAX * 0x9e3779b97f4a7c15ull, TODAY), last);
	reservations_close(r);
}

static void test_a_file_of_another_form_is_replaced(void **state)
{
	struct reservations *r = open_on(TODAY);
	char path[128], why[256];

	(void)state;
	atomic_store(&reservations_slot(r, 7, TODAY)->under_way[0].nusd, 1234);
	reservations_close(r);
	snprintf(path, sizeof(path), "%s/reservations", directory);
	assert_int_equal(disk_write_head(path, "another!", 8), 0);
	r = open_on(TODAY);
	assert_int_equal(atomic_load(&reservations_slot(r, 7, TODAY)->under_way[0].nusd), 0);
	reservations_close(r);
	assert_true(reservations_open(&r, "/nowhere/at/all", TODAY, why, sizeof(why)) < 0);
	assert_null(r);
	assert_string_equal(why, "cannot make or read /nowhere/at/all/reservations: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_name_has_one_slot, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_a_run_finds_what_another_left, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_all_may_be_taken, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
			test_a_file_of_another_form_is_replaced, make_directory, remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
