/*
 * The log's rings and its sink. Each writer has a ring of bytes with one producer (its thread) and one consumer (the
 * thread that flushes). Positions only grow; a record lies at its position modulo the ring's size, in one piece: where
 * it would cross the end, a gap record fills the rest. A record:
 *
 *   struct record, then for each field: struct packed_field, then its text padded to 8 bytes
 *
 * Flushing merges the writers' records by their times, formats them into one memory and writes that when it runs full.
 * A pipe or socket whose reader does not keep up is waited for only so long: what it does not take stays, and the rings
 * fill behind it.
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/log_format.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/*
	 * A writer's. A request's record has some 400 bytes. A quiet log is looked at every 250 ms: this holds what
	 * 80,000 requests a second leave meanwhile. Once it is empty behind HOT_BYTES, writing goes on at its
	 * beginning, so that a log that is flushed more often, as a busy one is, does not touch all of it.
	 */
	RING_BYTES = 1 << 23,
	HOT_BYTES = 1 << 20,
	FIELDS_MAX = 16,
	TEXT_BYTES_MAX = 256,
	LINE_BYTES_MAX = 32768, /* 16 texts of 256 bytes, each byte escaped to 6, and names */
	OUT_BYTES = 4 * LINE_BYTES_MAX,
	NO_TEXT = UINT16_MAX, /* a text field whose slice had no data */
};

#define PATIENCE_NS (200 * NS_PER_MS) /* of one flush, with a reader that is slower than the log */

struct record {
	uint32_t bytes; /* whole, a multiple of 8 */
	uint8_t level, field_count;
	bool gap; /* nothing but bytes to skip */
	uint64_t wall_ns;
	const char *message;
};

struct packed_field {
	const char *name;
	int64_t integer;
	uint16_t type, text_bytes;
};

struct log_writer {
	struct log *log;
	struct log_writer *next;
	_Alignas(64) atomic_size_t written; /* by the producer; records before it are whole */
	_Atomic uint64_t dropped;           /* by the producer */
	_Alignas(64) atomic_size_t read;    /* by the consumer */
	_Alignas(8) char ring[RING_BYTES];
};

struct log {
	_Atomic(enum log_level) level;
	_Atomic(enum log_format) format;
	int fd;
	bool terminal;
	bool may_stall; /* a write to the sink may have to wait for somebody */
	uint64_t patient_until_ns;
	_Atomic(struct log_writer *) writers; /* grows at its head */
	_Atomic uint64_t unwritten;           /* records that could not be written out; by the flushing thread */
	uint64_t unwritten_told, dropped_told;
	struct text out;
	char out_memory[OUT_BYTES];
};

static bool waits_for_a_reader(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(fd));
}

int log_open(struct log **log, enum log_level level, enum log_format format, int fd)
{
	struct log *l = malloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	atomic_init(&l->level, level);
	atomic_init(&l->format, format);
	l->fd = fd;
	l->terminal = isatty(fd);
	l->may_stall = waits_for_a_reader(fd);
	l->patient_until_ns = 0;
	atomic_init(&l->writers, NULL);
	atomic_init(&l->unwritten, 0);
	l->unwritten_told = l->dropped_told = 0;
	l->out = text_over(l->out_memory, sizeof(l->out_memory));
	*log = l;
	return 0;
}

void log_close(struct log *log)
{
	struct log_writer *writer;

	if (!log)
		return;
	while (log_flush(log) > 0)
		;
	writer = atomic_load(&log->writers);
	while (writer) {
		struct log_writer *next = writer->next;

		free(writer);
		writer = next;
	}
	free(log);
}

void log_set(struct log *log, enum log_level level, enum log_format format)
{
	atomic_store_explicit(&log->level, level, memory_order_relaxed);
	atomic_store_explicit(&log->format, format, memory_order_relaxed);
}

struct log_writer *log_writer_open(struct log *log)
{
	struct log_writer *writer = aligned_alloc(64, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->log = log;
	atomic_init(&writer->written, 0);
	atomic_init(&writer->dropped, 0);
	atomic_init(&writer->read, 0);
	writer->next = atomic_load(&log->writers);
	while (!atomic_compare_exchange_weak(&log->writers, &writer->next, writer))
		;
	return writer;
}

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

static size_t field_text_bytes(const struct log_field *field)
{
	if (field->type != LOG_FIELD_TEXT)
		return 0;
	return field->text.size < TEXT_BYTES_MAX ? field->text.size : TEXT_BYTES_MAX;
}

/*
 * Where `bytes` in one piece may be written, behind a gap when needed; NULL when the ring is too full. *position moves
 * there.
 */
static char *find_room(struct log_writer *writer, size_t bytes, size_t *position)
{
	size_t written = atomic_load_explicit(&writer->written, memory_order_relaxed);
	size_t unread = written - atomic_load_explicit(&writer->read, memory_order_acquire);
	size_t offset = written % RING_BYTES, to_end = RING_BYTES - offset, gap = to_end < bytes ? to_end : 0;
	struct record skip = {.bytes = (uint32_t)gap, .gap = true};

	/* Nothing is unread, so the consumer does not touch `read`: both go to the ring's beginning. See peek(). */
	if (unread == 0 && offset > HOT_BYTES) {
		*position = written + to_end;
		atomic_store_explicit(&writer->read, *position, memory_order_relaxed);
		return writer->ring;
	}
	if (RING_BYTES - unread < gap + bytes)
		return NULL;
	/* A gap too short for a whole record still holds its first 8 bytes, which say that it is one. */
	if (gap)
		memcpy(writer->ring + offset, &skip, gap < sizeof(skip) ? gap : sizeof(skip));
	*position = written + gap;
	return writer->ring + *position % RING_BYTES;
}

static char *pack_field(char *to, const struct log_field *field)
{
	size_t text_bytes = field_text_bytes(field);
	struct packed_field packed = {field->name, field->integer, (uint16_t)field->type, (uint16_t)text_bytes};

	if (field->type == LOG_FIELD_TEXT && !field->text.data)
		packed.text_bytes = NO_TEXT;
	memcpy(to, &packed, sizeof(packed));
	if (text_bytes)
		memcpy(to + sizeof(packed), field->text.data, text_bytes);
	return to + sizeof(packed) + padded(text_bytes);
}

void log_say(struct log_writer *writer, enum log_level level, const char *message, const struct log_field *fields,
	unsigned count)
{
	struct record record = {.level = (uint8_t)level, .field_count = (uint8_t)count, .message = message};
	size_t bytes = sizeof(record), position = 0;
	char *to;

	assert(count <= FIELDS_MAX);
	if (level < atomic_load_explicit(&writer->log->level, memory_order_relaxed))
		return;
	for (unsigned i = 0; i < count; i++)
		bytes += sizeof(struct packed_field) + padded(field_text_bytes(&fields[i]));
	to = find_room(writer, bytes, &position);
	if (!to) {
		atomic_store_explicit(&writer->dropped,
			atomic_load_explicit(&writer->dropped, memory_order_relaxed) + 1, memory_order_relaxed);
		return;
	}
	record.bytes = (uint32_t)bytes;
	record.wall_ns = clock_wall_ns();
	memcpy(to, &record, sizeof(record));
	to += sizeof(record);
	for (unsigned i = 0; i < count; i++)
		to = pack_field(to, &fields[i]);
	atomic_store_explicit(&writer->written, position + bytes, memory_order_release);
}

/* A sink that says it takes bytes takes PIPE_BUF of them without a wait. Any error is the write's to tell. */
static bool takes_bytes(struct log *log)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t wait_ns = now_ns < log->patient_until_ns ? log->patient_until_ns - now_ns : 0;
	struct pollfd sink = {.fd = log->fd, .events = POLLOUT};
	int rc;

	if (!log->may_stall)
		return true;
	rc = poll(&sink, 1, (int)(wait_ns / NS_PER_MS));
	return rc != 0 && !(rc < 0 && errno == EINTR);
}

/*
 * Empties `out`, but for what the sink's reader does not take now, and returns how many of its lines did not go out
 * whole: a log must not stop the gateway.
 */
static uint64_t write_out(struct log *log)
{
	const char *next = log->out_memory, *end = next + log->out.size;
	uint64_t lines = 0;

	while (next < end) {
		size_t size = (size_t)(end - next), most = log->may_stall ? PIPE_BUF : size;
		ssize_t written;

		if (!takes_bytes(log)) {
			log->out.size = size;
			memmove(log->out_memory, next, size);
			return 0;
		}
		written = write(log->fd, next, size < most ? size : most);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		next += written;
	}
	for (; next < end && (next = memchr(next, '\n', (size_t)(end - next))); next++)
		lines++;
	log->out.size = 0;
	return lines;
}

static void write_records(struct log *log)
{
	uint64_t lost = write_out(log);

	if (lost)
		atomic_fetch_add_explicit(&log->unwritten, lost, memory_order_relaxed);
}

/* Room for a line; false while the sink's reader takes nothing. */
static bool make_room(struct log *log)
{
	if (log->out.capacity - log->out.size < LINE_BYTES_MAX)
		write_records(log);
	return log->out.capacity - log->out.size >= LINE_BYTES_MAX;
}

static void print_line(struct log *log, const struct log_line *line)
{
	if (atomic_load_explicit(&log->format, memory_order_relaxed) == LOG_JSON)
		log_format_json(line, &log->out);
	else
		log_format_human(line, log->terminal, &log->out);
	assert(!log->out.full);
}

/*
 * The oldest unread record, skipping gaps; NULL when none. `read` may be beyond `written`: the producer began the ring
 * anew, and what it writes there is not published yet.
 */
static const char *peek(struct log_writer *writer, struct record *record)
{
	size_t written = atomic_load_explicit(&writer->written, memory_order_acquire);
	size_t read = atomic_load_explicit(&writer->read, memory_order_relaxed);

	while ((ptrdiff_t)(written - read) > 0) {
		const char *at = writer->ring + read % RING_BYTES;
		size_t to_end = RING_BYTES - read % RING_BYTES;

		memcpy(record, at, to_end < sizeof(*record) ? to_end : sizeof(*record));
		if (!record->gap)
			return at;
		read += record->bytes;
		atomic_store_explicit(&writer->read, read, memory_order_release);
	}
	return NULL;
}

static void take(struct log *log, struct log_writer *writer, const char *at, const struct record *record)
{
	struct log_field fields[FIELDS_MAX];
	struct log_line line = {
		record->wall_ns, (enum log_level)record->level, record->message, record->field_count, fields};

	at += sizeof(*record);
	for (unsigned i = 0; i < record->field_count; i++) {
		struct packed_field packed;
		size_t text_bytes;

		memcpy(&packed, at, sizeof(packed));
		at += sizeof(packed);
		text_bytes = packed.text_bytes == NO_TEXT ? 0 : packed.text_bytes;
		fields[i] = (struct log_field){packed.name, (enum log_field_type)packed.type,
			slice_of(packed.text_bytes == NO_TEXT ? NULL : at, text_bytes), packed.integer};
		at += padded(text_bytes);
	}
	print_line(log, &line);
	atomic_store_explicit(&writer->read, atomic_load_explicit(&writer->read, memory_order_relaxed) + record->bytes,
		memory_order_release);
}

static bool take_oldest(struct log *log)
{
	struct log_writer *oldest = NULL;
	struct record record, oldest_record;
	const char *at = NULL;

	for (struct log_writer *w = atomic_load(&log->writers); w; w = w->next) {
		const char *candidate = peek(w, &record);

		if (candidate && (!oldest || record.wall_ns < oldest_record.wall_ns)) {
			oldest = w;
			oldest_record = record;
			at = candidate;
		}
	}
	if (oldest)
		take(log, oldest, at, &oldest_record);
	return oldest != NULL;
}

static uint64_t dropped_by(const struct log_writer *writer)
{
	return atomic_load_explicit(&writer->dropped, memory_order_relaxed);
}

static unsigned print_dropped(struct log *log, const char *what, uint64_t dropped)
{
	if (dropped && make_room(log))
		print_line(log, &(struct log_line){clock_wall_ns(), LOG_WARN, what, 1, &LOG_INT("dropped", dropped)});
	return dropped > 0;
}

/* What cannot be told now is told later: these lines are of the log's own and count for nothing. */
static unsigned tell_dropped(struct log *log)
{
	uint64_t unwritten = atomic_load_explicit(&log->unwritten, memory_order_relaxed), dropped = 0;
	unsigned count;

	if (!make_room(log))
		return 0;
	for (const struct log_writer *w = atomic_load(&log->writers); w; w = w->next)
		dropped += dropped_by(w);
	count = print_dropped(log, "log records were dropped: the ring was full", dropped - log->dropped_told);
	count += print_dropped(
		log, "log records were dropped: they could not be written", unwritten - log->unwritten_told);
	if (write_out(log) > 0)
		return 0;
	log->dropped_told = dropped;
	log->unwritten_told = unwritten;
	return count;
}

uint64_t log_dropped(const struct log *log)
{
	uint64_t dropped = atomic_load_explicit(&log->unwritten, memory_order_relaxed);

	for (const struct log_writer *w = atomic_load(&log->writers); w; w = w->next)
		dropped += dropped_by(w);
	return dropped;
}

/* Bounded, though writers may go on: no more than what all rings can hold. */
unsigned log_flush(struct log *log)
{
	enum { RECORDS_MAX = 65536 };
	unsigned count = 0;

	log->patient_until_ns = clock_monotonic_ns() + PATIENCE_NS;
	while (count < RECORDS_MAX && make_room(log) && take_oldest(log))
		count++;
	write_records(log);
	return count + tell_dropped(log);
}
