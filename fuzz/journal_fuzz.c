/*
 * Fuzzes what a killed run leaves: a journal is filled and emptied as drawn, then its file is altered as drawn, then
 * loaded and recovered after a position that the database may or may not have had. What comes out are the records that
 * went in behind that position, in order, each with its bytes; an altered record ends them, and nothing that was not
 * appended ever comes.
 *
 * An input: a byte of choices, then steps: append (size, seed), take, alter (place, byte), the position.
 */
#include "fuzz/input.h"
#include "store/journal.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, FILE_BYTES = PAGE_BYTES + JOURNAL_BYTES_MIN, RECORDS_MAX = 600, PATH_BYTES = 32 };

enum choices { CHOICE_OTHER_TAIL = 1, CHOICE_LENGTH = 2 };

struct appended {
	uint64_t begin, end;
	uint32_t size;
	uint8_t seed;
};

struct run {
	char path[PATH_BYTES];
	int fd;
	struct journal *journal;
	unsigned count;
	uint64_t taken; /* position of the reader */
	struct appended records[RECORDS_MAX];
};

static void append(struct run *run, struct input *input)
{
	uint32_t drawn = input_byte(input);
	struct appended *record = &run->records[run->count];
	char *room;

	record->size = 1 + drawn * drawn / 2; /* up to JOURNAL_RECORD_BYTES_MAX */
	record->seed = input_byte(input);
	if (run->count == RECORDS_MAX)
		return;
	room = journal_reserve(run->journal, record->size);
	if (!room)
		return;
	memset(room, record->seed, record->size);
	record->begin = journal_head(run->journal);
	record->end = journal_append(run->journal, record->size);
	run->count++;
	assert(journal_used(run->journal) <= journal_capacity(run->journal));
}

/* The record that went in at or behind `position`; NULL: none. */
static const struct appended *find(const struct run *run, uint64_t position)
{
	for (unsigned i = 0; i < run->count; i++)
		if (run->records[i].begin >= position)
			return &run->records[i];
	return NULL;
}

static void expect_record(const struct run *run, uint64_t before, struct slice record)
{
	const struct appended *expected = find(run, before);
	char *bytes;

	assert(expected && expected->size == record.size);
	bytes = malloc(record.size);
	assert(bytes);
	memset(bytes, expected->seed, record.size);
	assert(memcmp(bytes, record.data, record.size) == 0);
	free(bytes);
}

static void take(struct run *run, unsigned count)
{
	struct slice record;
	uint64_t before;

	for (; count > 0; count--) {
		before = run->taken;
		if (!journal_next(run->journal, &run->taken, &record)) {
			assert(run->taken == journal_head(run->journal) && !find(run, before));
			break;
		}
		expect_record(run, before, record);
	}
	journal_release(run->journal, run->taken);
}

static void alter(const struct run *run, struct input *input)
{
	off_t place = (input_byte(input) << 16 | input_byte(input) << 8 | input_byte(input)) % FILE_BYTES;
	uint8_t byte = input_byte(input);

	assert(pwrite(run->fd, &byte, 1, place) == 1);
}

static void recover(struct run *run, uint64_t tail)
{
	struct journal *journal;
	struct slice record;
	uint64_t position;
	int rc = journal_load(&journal, run->path);

	assert(rc == 0 || rc == -EBADMSG);
	if (rc < 0)
		return;
	rc = journal_recover(journal, tail);
	assert(rc == 0 || rc == -EBADMSG);
	if (rc == 0) {
		position = journal_tail(journal);
		for (uint64_t before = position; journal_next(journal, &position, &record); before = position)
			expect_record(run, before, record);
		assert(position == journal_head(journal));
	}
	journal_close(journal);
}

static bool open_run(struct run *run)
{
	run->fd = memfd_create("journal", MFD_CLOEXEC);
	assert(run->fd >= 0);
	snprintf(run->path, sizeof(run->path), "/proc/self/fd/%d", run->fd);
	assert(ftruncate(run->fd, FILE_BYTES) == 0);
	return journal_open(&run->journal, run->path, JOURNAL_BYTES_MIN, 7) == 0;
}

static void play(struct run *run, unsigned choices, struct input *input)
{
	while (input->at < input->end) {
		unsigned step = input_byte(input);

		if (step % 4 < 2)
			append(run, input);
		else if (step % 4 == 2)
			take(run, 1 + step / 4);
		else
			break;
	}
	/* As it is when the process dies: nothing is closed before. */
	recover(run, run->taken);
	while (input->end - input->at > 12)
		alter(run, input);
	if (choices & CHOICE_LENGTH)
		assert(ftruncate(run->fd, FILE_BYTES - input_byte(input)) == 0);
	recover(run, choices & CHOICE_OTHER_TAIL ? input_u64(input) : run->taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned choices = input_byte(&input);
	struct run *run = calloc(1, sizeof(*run));

	assert(run);
	if (size > 1 && open_run(run)) {
		play(run, choices, &input);
		/* A file that was cut must not be mapped any more where it ends: only the mapping is given back. */
		journal_close(run->journal);
	}
	if (run->fd > 0)
		close(run->fd);
	free(run);
	return 0;
}
