/* The log: both forms, levels, drops that are told, order over threads, and that no field can forge a line. */
#include "core/clock.h"
#include "core/log.h"
#include "core/log_format.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct log *log;
	struct log_writer *writer;
	int fd;
	char *read;
};

static void begin(struct fixture *f, enum log_level level, enum log_format format)
{
	f->fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	assert_int_equal(log_open(&f->log, level, format, f->fd), 0);
	f->writer = log_writer_open(f->log);
	assert_non_null(f->writer);
}

/* All that was written, with a NUL; valid until end(). */
static const char *all(struct fixture *f)
{
	off_t size = lseek(f->fd, 0, SEEK_END);

	free(f->read);
	f->read = malloc((size_t)size + 1);
	assert_non_null(f->read);
	assert_int_equal(pread(f->fd, f->read, (size_t)size, 0), size);
	f->read[size] = '\0';
	return f->read;
}

static void end(struct fixture *f)
{
	log_close(f->log);
	close(f->fd);
	free(f->read);
}

static void test_forms(void **state)
{
	const struct log_field fields[] = {
		LOG_TEXT("model", SLICE("gpt-4o")),
		LOG_TEXT("path", SLICE("a b\n\"c\"\xff")),
		LOG_INT("status", -1),
		LOG_TEXT("key", slice_of(NULL, 0)),
		{.name = "team", .type = LOG_FIELD_NULL},
	};
	const struct log_line line = {1769860800123456789ull, LOG_WARN, "answered", 5, fields};
	char memory[1024];
	struct text t = text_over(memory, sizeof(memory));

	(void)state;
	log_format_json(&line, &t);
	text_char(&t, '\0');
	assert_string_equal(memory,
		"{\"time\":\"2026-01-31T12:00:00.123456Z\",\"level\":\"warn\",\"message\":\"answered\","
		"\"model\":\"gpt-4o\",\"path\":\"a b\\n\\\"c\\\"\xef\xbf\xbd\",\"status\":-1,"
		"\"key\":null,\"team\":null}\n");
	t = text_over(memory, sizeof(memory));
	log_format_human(&line, false, &t);
	text_char(&t, '\0');
	assert_string_equal(memory, "2026-01-31T12:00:00.123456Z warn  answered model=gpt-4o "
				    "path=\"a b\\n\\\"c\\\"\xef\xbf\xbd\" status=-1 key=null team=null\n");
	t = text_over(memory, sizeof(memory));
	log_format_human(&(struct log_line){0, LOG_ERROR, "m", 0, NULL}, true, &t);
	text_char(&t, '\0');
	assert_string_equal(memory, "1970-01-01T00:00:00.000000Z \033[31merror\033[0m m\n");
}

static void test_levels_and_cut(void **state)
{
	struct fixture f = {.log = NULL};
	char large[400];
	const char *text;

	(void)state;
	memset(large, 'x', sizeof(large));
	begin(&f, LOG_WARN, LOG_JSON);
	log_say(f.writer, LOG_INFO, "not me", NULL, 0);
	assert_int_equal(log_flush(f.log), 0);
	log_event(f.writer, LOG_WARN, "me", LOG_TEXT("large", slice_of(large, sizeof(large))), LOG_INT("n", 5));
	log_set(f.log, LOG_DEBUG, LOG_HUMAN);
	log_event(f.writer, LOG_DEBUG, "me too", LOG_TEXT("none", slice_of(NULL, 0)), LOG_TEXT("empty", SLICE("")));
	assert_int_equal(log_flush(f.log), 2);
	text = all(&f);
	assert_null(strstr(text, "not me"));
	assert_non_null(strstr(text, "debug me too none=null empty=\"\"\n"));
	large[256] = '\0';
	assert_non_null(strstr(text, large));
	large[256] = 'x';
	large[257] = '\0';
	assert_null(strstr(text, large));
	end(&f);
}

enum { DROP_RECORDS = 60000 };

static void test_drops_are_told(void **state)
{
	struct fixture f = {.log = NULL};
	char large[256], told[64];
	unsigned written;

	(void)state;
	memset(large, 'x', sizeof(large));
	begin(&f, LOG_INFO, LOG_JSON);
	for (unsigned i = 0; i < DROP_RECORDS; i++)
		log_event(f.writer, LOG_INFO, "x", LOG_TEXT("t", slice_of(large, sizeof(large))));
	written = log_flush(f.log) - 1;
	assert_in_range(written, 2000, DROP_RECORDS - 1);
	snprintf(told, sizeof(told), "\"dropped\":%u}", DROP_RECORDS - written);
	assert_non_null(strstr(all(&f), told));
	assert_int_equal(log_dropped(f.log), DROP_RECORDS - written);
	assert_int_equal(log_flush(f.log), 0);
	log_say(f.writer, LOG_INFO, "again", NULL, 0);
	assert_int_equal(log_flush(f.log), 1);
	end(&f);
}

/* A file that may not grow: what does not fit is counted, and told once there is room. */
static void test_unwritten_is_told(void **state)
{
	struct rlimit before, small;
	unsigned written = 0, records = 3000;
	struct fixture f = {.log = NULL};
	char told[64];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 65536, .rlim_max = before.rlim_max};
	begin(&f, LOG_INFO, LOG_JSON);
	for (unsigned i = 0; i < records; i++)
		log_event(f.writer, LOG_INFO, "one of many", LOG_INT("i", i));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(log_flush(f.log), records);
	assert_int_equal(log_flush(f.log), 0);
	for (const char *at = all(&f); *at; at++)
		written += *at == '\n';
	assert_in_range(written, 1, records - 1);
	assert_int_equal(log_dropped(f.log), records - written);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(log_flush(f.log), 1);
	snprintf(told, sizeof(told), "could not be written\",\"dropped\":%u}\n", records - written);
	assert_non_null(strstr(all(&f), told));
	assert_int_equal(log_dropped(f.log), records - written);
	assert_int_equal(log_flush(f.log), 0);
	end(&f);
}

/*
 * A pipe that nobody reads, and whose writer would wait: flushing comes back all the same, nothing is lost before the
 * ring is full, and a reader who comes late gets each line whole, in order, or is told how many are missing.
 */
static void test_unread_pipe_stops_nobody(void **state)
{
	struct fixture f = {.log = NULL};
	unsigned records = 5000, taken = 0, next = 0;
	char *bytes = calloc(1, 1 << 25), expected[32];
	size_t size = 0;
	ssize_t got;
	int ends[2];

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(log_open(&f.log, LOG_INFO, LOG_JSON, ends[1]), 0);
	f.writer = log_writer_open(f.log);
	assert_non_null(f.writer);
	for (unsigned i = 0; i < records; i++)
		log_event(f.writer, LOG_INFO, "one of many", LOG_INT("i", i));
	taken = log_flush(f.log);
	assert_in_range(taken, 1, records - 1);
	assert_int_equal(log_flush(f.log), 0);
	assert_int_equal(log_dropped(f.log), 0);
	for (;;) {
		while ((got = read(ends[0], bytes + size, (1 << 25) - 1 - size)) > 0)
			size += (size_t)got;
		taken += log_flush(f.log);
		got = read(ends[0], bytes + size, (1 << 25) - 1 - size);
		if (got <= 0)
			break;
		size += (size_t)got;
	}
	assert_int_equal(taken, records);
	for (char *line = bytes, *line_end; (line_end = strchr(line, '\n')); line = line_end + 1, next++) {
		*line_end = '\0';
		snprintf(expected, sizeof(expected), "\"i\":%u}", next);
		assert_string_equal(line_end - strlen(expected), expected);
	}
	assert_int_equal(next, records);
	log_close(f.log);
	close(ends[0]);
	close(ends[1]);
	free(bytes);
}

static void test_rounds(void **state)
{
	enum { ROUNDS = 12, RECORDS = 5000 };
	struct fixture f = {.log = NULL};
	unsigned said = 0, seen = 0;
	const char *line;
	char large[256];

	(void)state;
	memset(large, 'x', sizeof(large));
	begin(&f, LOG_INFO, LOG_JSON);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned count = RECORDS * (round % 3 + 1);

		for (unsigned i = 0; i < count; i++, said++)
			log_event(f.writer, LOG_INFO, "n", LOG_TEXT("t", slice_of(large, sizeof(large))),
				LOG_INT("i", said));
		assert_int_equal(log_flush(f.log), count);
	}
	assert_int_equal(log_dropped(f.log), 0);
	/* By memory, not by string: a sanitizer looks at a string to its end each time. */
	line = all(&f);
	for (const char *stop = line + strlen(line); line < stop; seen++) {
		const char *line_end = memchr(line, '\n', (size_t)(stop - line));
		char expected[32];
		int size = snprintf(expected, sizeof(expected), "\"i\":%u}", seen);

		assert_non_null(line_end);
		assert_memory_equal(line_end - size, expected, (size_t)size);
		line = line_end + 1;
	}
	assert_int_equal(seen, said);
	end(&f);
}

enum { THREAD_RECORDS = 20000 };

static void *say_many(void *argument)
{
	static const char texts[] = "abcdefghijklmnopqrstuvwxyz";

	for (unsigned i = 0; i < THREAD_RECORDS; i++)
		log_event(argument, LOG_INFO, "n", LOG_INT("i", i), LOG_TEXT("t", slice_of(texts, i % sizeof(texts))));
	return NULL;
}

/* A writing thread beside the flushing one: each record is there once and in order, or counted as dropped. */
static void test_threads(void **state)
{
	struct fixture f = {.log = NULL};
	unsigned records = 0, dropped = 0;
	long last = -1;
	pthread_t thread;

	(void)state;
	begin(&f, LOG_INFO, LOG_JSON);
	assert_int_equal(pthread_create(&thread, NULL, say_many, f.writer), 0);
	for (unsigned i = 0; i < 200; i++)
		log_flush(f.log);
	pthread_join(thread, NULL);
	log_flush(f.log);
	for (const char *line = all(&f); *line; line = strchr(line, '\n') + 1) {
		const char *number = strstr(line, "\"i\":");
		long i;

		if (!number || number > strchr(line, '\n')) {
			dropped += (unsigned)strtoul(strstr(line, "\"dropped\":") + 10, NULL, 10);
			continue;
		}
		i = strtol(number + 4, NULL, 10);
		assert_true(i > last);
		last = i;
		records++;
	}
	assert_int_equal(records + dropped, THREAD_RECORDS);
	end(&f);
}

static void test_writers_merge_by_time(void **state)
{
	struct fixture f = {.log = NULL};
	struct log_writer *other;
	const char *text;

	(void)state;
	begin(&f, LOG_INFO, LOG_JSON);
	other = log_writer_open(f.log);
	assert_non_null(other);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t before_ns = clock_wall_ns();

		log_event(i % 2 ? other : f.writer, LOG_INFO, "n", LOG_INT("i", i));
		while (clock_wall_ns() <= before_ns + 1000)
			;
	}
	assert_int_equal(log_flush(f.log), 10);
	text = all(&f);
	for (unsigned i = 0; i < 10; i++) {
		char expected[16];

		snprintf(expected, sizeof(expected), "\"i\":%u}", i);
		text = strstr(text, expected);
		assert_non_null(text);
	}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_levels_and_cut),
		cmocka_unit_test(test_drops_are_told),
		cmocka_unit_test(test_unwritten_is_told),
		cmocka_unit_test(test_unread_pipe_stops_nobody),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_writers_merge_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
