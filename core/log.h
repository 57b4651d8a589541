/*
 * Logging. A thread hands over a record of typed fields (no formatting, no system call, no lock: a ring of its own);
 * the control thread formats and writes them, as JSON or for people. A record that finds its ring full, or cannot be
 * written out, is dropped and counted; the count is logged. Secrets are never logged: call sites pass ids, not keys.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/slice.h"

struct log;        /* the sink: format, level, file descriptor */
struct log_writer; /* one thread's ring into it */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_HUMAN };

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_NULL };

struct log_field {
	const char *name; /* static */
	enum log_field_type type;
	struct slice text; /* copied; cut at 256 bytes */
	int64_t integer;
};

#define LOG_TEXT(n, s) ((struct log_field){.name = (n), .type = LOG_FIELD_TEXT, .text = (s)})
#define LOG_INT(n, i) ((struct log_field){.name = (n), .type = LOG_FIELD_INTEGER, .integer = (int64_t)(i)})

int log_open(struct log **log, enum log_level level, enum log_format format, int fd);
void log_close(struct log *log); /* flushes; no writer is in use */
void log_set(struct log *log, enum log_level level, enum log_format format);

/* A ring for one thread; freed by log_close(). NULL when memory is out. */
struct log_writer *log_writer_open(struct log *log);

/* `message` is static text. At most 16 fields. */
void log_say(struct log_writer *writer, enum log_level level, const char *message, const struct log_field *fields,
	unsigned count);

#define log_event(writer, level, message, ...)                                                                         \
	log_say((writer), (level), (message), (const struct log_field[]){__VA_ARGS__},                                 \
		sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Formats and writes what is there; called regularly by the one thread that owns the sink. Returns how many records. */
unsigned log_flush(struct log *log);

/* How many records were dropped so far; from any thread. */
uint64_t log_dropped(const struct log *log);

#endif
