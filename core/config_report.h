/*
 * What is wrong with a configuration: complaints with positions, collected in any order and told in order of position.
 * A load that fails tells everything it found in one run.
 */
#ifndef CORE_CONFIG_REPORT_H
#define CORE_CONFIG_REPORT_H

#include "core/config_memory.h"

enum { CONFIG_COMPLAINTS_MAX = 1000, CONFIG_COMPLAINT_BYTES = 512 };

struct config_complaint;

struct config_report {
	struct config_memory *memory;
	struct config_complaint *last; /* newest first */
	unsigned count;                /* of those kept; never beyond CONFIG_COMPLAINTS_MAX */
};

void config_report_init(struct config_report *report, struct config_memory *memory);

/* `line` and `column` count from 1; 0 means the file as a whole. A message beyond CONFIG_COMPLAINT_BYTES is cut. */
void config_complain(struct config_report *report, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Tells each complaint once (an alias may have made the same one twice). */
void config_report_tell(const struct config_report *report,
	void (*tell)(void *context, unsigned line, unsigned column, const char *message), void *context);

#endif
