/* Complaints about a configuration: a list while it is read, sorted when it is told. */
#include "core/config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct config_complaint {
	struct config_complaint *older;
	unsigned line, column, number; /* number: the order of arrival, which decides between equals */
	char message[];
};

void config_report_init(struct config_report *report, struct config_memory *memory)
{
	*report = (struct config_report){.memory = memory};
}

void config_complain(struct config_report *report, unsigned line, unsigned column, const char *format, ...)
{
	char message[CONFIG_COMPLAINT_BYTES];
	struct config_complaint *complaint;
	size_t size;
	va_list arguments;

	if (report->count == CONFIG_COMPLAINTS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	size = strlen(message);
	complaint = config_alloc(report->memory, 1, sizeof(*complaint) + size + 1);
	if (!complaint)
		return; /* memory->failed tells */
	complaint->line = line;
	complaint->column = column;
	complaint->number = report->count++;
	memcpy(complaint->message, message, size + 1);
	complaint->older = report->last;
	report->last = complaint;
}

static int compare(const void *left, const void *right)
{
	const struct config_complaint *a = *(const struct config_complaint *const *)left;
	const struct config_complaint *b = *(const struct config_complaint *const *)right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static bool repeats(const struct config_complaint *a, const struct config_complaint *b)
{
	return a->line == b->line && a->column == b->column && strcmp(a->message, b->message) == 0;
}

void config_report_tell(const struct config_report *report,
	void (*tell)(void *context, unsigned line, unsigned column, const char *message), void *context)
{
	const struct config_complaint *sorted[CONFIG_COMPLAINTS_MAX];
	const struct config_complaint *complaint = report->last;
	unsigned i;

	for (i = 0; i < report->count; i++, complaint = complaint->older)
		sorted[i] = complaint;
	qsort(sorted, report->count, sizeof(sorted[0]), compare);
	for (i = 0; i < report->count; i++)
		if (i == 0 || !repeats(sorted[i - 1], sorted[i]))
			tell(context, sorted[i]->line, sorted[i]->column, sorted[i]->message);
}
