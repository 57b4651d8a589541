/* The journal: laps, a full ring, what a killed run leaves, a torn record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/journal.h"

enum { SIZE_MAX_TESTED = 2000 };

static char path[64];

static int make_path(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/tollgate-journal-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static size_t size_of_record(uint64_t n)
{
	return 1 + n * 131 % SIZE_MAX_TESTED;
}

static bool append(struct journal *journal, uint64_t n)
{
	char *room = journal_reserve(journal, SIZE_MAX_TESTED);

	if (!room)
		return false;
	memset(room, (int)(n % 251), size_of_record(n));
	journal_append(journal, size_of_record(n));
	return true;
}

static void expect_record(struct slice record, uint64_t n)
{
	assert_int_equal(record.size, size_of_record(n));
	for (size_t i = 0; i < record.size; i++)
		assert_int_equal((unsigned char)record.data[i], n % 251);
}

static struct journal *open_journal(uint64_t generation)
{
	struct journal *journal;

	assert_int_equal(journal_open(&journal, path, JOURNAL_BYTES_MIN, generation), 0);
	return journal;
}

/* Many laps, the reader a varying distance behind: records come out as they went in. */
static void carries_records_over_laps(void **state)
{
	struct journal *journal = open_journal(1);
	uint64_t written = 0, read = 0, position = 0;
	struct slice record;

	(void)state;
	while (read < 5000) {
		for (unsigned i = 0; i < 1 + read % 90 && append(journal, written); i++)
			written++;
		for (unsigned i = 0; i < 1 + written % 70 && journal_next(journal, &position, &record); i++)
			expect_record(record, read++);
		journal_release(journal, position);
	}
	while (journal_next(journal, &position, &record))
		expect_record(record, read++);
	assert_int_equal(read, written);
	assert_true(position > 10 * JOURNAL_BYTES_MIN);
	journal_close(journal);
}

static void refuses_when_full_and_goes_on(void **state)
{
	struct journal *journal = open_journal(2);
	uint64_t written = 0, position = 0;
	struct slice record;

	(void)state;
	while (append(journal, written))
		written++;
	assert_true(journal_used(journal) > JOURNAL_BYTES_MIN - 3 * SIZE_MAX_TESTED);
	assert_true(journal_used(journal) <= journal_capacity(journal));
	for (uint64_t n = 0; n < written; n++) {
		assert_true(journal_next(journal, &position, &record));
		expect_record(record, n);
	}
	assert_false(append(journal, written));
	journal_release(journal, position);
	assert_int_equal(journal_used(journal), 0);
	assert_true(append(journal, written));
	journal_close(journal);
}

static uint64_t count_left(uint64_t tail)
{
	struct journal *journal;
	struct slice record;
	uint64_t count = 0, position = tail;

	assert_int_equal(journal_load(&journal, path), 0);
	assert_int_equal(journal_recover(journal, tail), 0);
	while (journal_next(journal, &position, &record))
		count++;
	journal_close(journal);
	return count;
}

/* As after SIGKILL: the file says all by itself but where the writer had got to. */
static void finds_what_a_run_left(void **state)
{
	struct journal *journal = open_journal(3);
	uint64_t written = 0, taken = 0, position = 0, left;
	struct slice record;

	(void)state;
	for (; written < 700; written++) {
		while (!append(journal, written)) {
			assert_true(journal_next(journal, &position, &record));
			taken++;
			journal_release(journal, position);
		}
	}
	left = written - taken;
	journal_close(journal);
	assert_true(taken > 500 && left > 50);
	assert_int_equal(count_left(position), left);
	/* Again: reading changes nothing. */
	assert_int_equal(count_left(position), left);
}

static void overwrite(uint64_t offset, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Any byte of the last record, its frame included, that is not as it was makes it no record; those before it stay. */
static void drops_a_torn_last_record(void **state)
{
	uint64_t start = 0, end = 0;
	struct journal *journal = open_journal(4);

	(void)state;
	for (uint64_t n = 0; n < 10; n++) {
		start = end;
		assert_true(append(journal, n));
		end = journal_head(journal);
	}
	journal_close(journal);
	assert_int_equal(count_left(0), 10);
	for (uint64_t at = start; at < start + 16 + size_of_record(9); at++) {
		FILE *file = fopen(path, "r");
		char was, torn;

		assert_non_null(file);
		assert_int_equal(fseek(file, (long)(4096 + at), SEEK_SET), 0);
		assert_int_equal(fread(&was, 1, 1, file), 1);
		fclose(file);
		torn = (char)(was ^ 0x5a);
		overwrite(4096 + at, &torn, 1);
		assert_int_equal(count_left(0), 9);
		overwrite(4096 + at, &was, 1);
	}
	assert_int_equal(count_left(0), 10);
}

static void forgets_an_earlier_generation(void **state)
{
	struct journal *journal = open_journal(5);

	(void)state;
	for (uint64_t n = 0; n < 40; n++)
		assert_true(append(journal, n));
	journal_close(journal);
	assert_int_equal(count_left(0), 40);
	journal = open_journal(6);
	journal_close(journal);
	assert_int_equal(count_left(0), 0);
	journal = open_journal(7);
	assert_true(append(journal, 1));
	journal_close(journal);
	assert_int_equal(count_left(0), 1);
}

/* Frames lie at multiples of 16 bytes: from another place nothing can be read, least of all the ring's last bytes. */
static void refuses_a_position_between_frames(void **state)
{
	static const uint64_t positions[] = {1, 15, 17, JOURNAL_BYTES_MIN - 1, UINT64_MAX};
	struct journal *journal = open_journal(9);

	(void)state;
	assert_true(append(journal, 1));
	journal_close(journal);
	for (size_t i = 0; i < sizeof(positions) / sizeof(*positions); i++) {
		assert_int_equal(journal_load(&journal, path), 0);
		assert_int_equal(journal_recover(journal, positions[i]), -EBADMSG);
		journal_close(journal);
	}
	assert_int_equal(count_left(0), 1);
}

static void refuses_what_is_no_journal(void **state)
{
	struct journal *journal = open_journal(8);

	(void)state;
	journal_close(journal);
	overwrite(20, "x", 1);
	assert_int_equal(journal_load(&journal, path), -EBADMSG);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(journal_load(&journal, path), -EBADMSG);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(journal_load(&journal, path), -EBADMSG);
	unlink(path);
	assert_int_equal(journal_load(&journal, path), -ENOENT);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_path, remove_path)
	const struct CMUnitTest tests[] = {
		CASE(carries_records_over_laps),
		CASE(refuses_when_full_and_goes_on),
		CASE(finds_what_a_run_left),
		CASE(drops_a_torn_last_record),
		CASE(forgets_an_earlier_generation),
		CASE(refuses_a_position_between_frames),
		CASE(refuses_what_is_no_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
