/* How one log record looks: a line of JSON, or a line for people. */
#ifndef CORE_LOG_FORMAT_H
#define CORE_LOG_FORMAT_H

#include "core/log.h"
#include "core/text.h"

struct log_line {
	uint64_t wall_ns;
	enum log_level level;
	const char *message;
	unsigned field_count;
	const struct log_field *fields;
};

/* Appends the line and its newline. Whatever the bytes of a field are, a record stays one line. */
void log_format_json(const struct log_line *line, struct text *text);
void log_format_human(const struct log_line *line, bool colour, struct text *text);

#endif
