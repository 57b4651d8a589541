/* A receipt as a row of a table. What is longer than its column pushes the rest aside: nothing is cut. */
#include "tools/receipt_row.h"

#include "tools/client.h"

static const struct column {
	const char *head;
	int width;                  /* negative: left-aligned */
	struct slice section, name; /* section with NULL data: directly in the receipt */
} columns[] = {
	{"TIME", -27, {NULL, 0}, {"timestamp", 9}},
	{"REQUEST", -30, {NULL, 0}, {"request_id", 10}},
	{"STATUS", 6, {NULL, 0}, {"status", 6}},
	{"MODEL", -28, {"execution", 9}, {"model", 5}},
	{"TOKENS", 8, {"execution", 9}, {"tokens", 6}},
	{"MS", 7, {"execution", 9}, {"latency_ms", 10}},
	{"USD", 12, {"cost", 4}, {"total_usd", 9}},
};

enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

void receipt_row_print_head(FILE *to)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		fprintf(to, "%*s%c", columns[i].width, columns[i].head, i + 1 < COLUMN_COUNT ? ' ' : '\n');
}

/* As written in the document, so money stays exact; "-" for what is null or missing; of `tokens`, the total. */
static struct slice cell(const struct json_parser *p, json_ref receipt, const struct column *column)
{
	json_ref value = receipt;

	if (column->section.data)
		value = json_member(p, value, column->section);
	if (value != JSON_NONE)
		value = json_member(p, value, column->name);
	if (value != JSON_NONE && json_type(p, value) == JSON_OBJECT)
		value = json_member(p, value, SLICE("total"));
	if (value == JSON_NONE || json_type(p, value) == JSON_NULL)
		return SLICE("-");
	return json_type(p, value) == JSON_STRING ? json_string(p, value) : json_raw(p, value);
}

void receipt_row_print(const struct json_parser *p, json_ref receipt, FILE *to)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		struct slice text = cell(p, receipt, &columns[i]);
		bool left = columns[i].width < 0;
		size_t width = (size_t)(left ? -columns[i].width : columns[i].width);
		int padding = text.size < width ? (int)(width - text.size) : 0;

		if (!left)
			fprintf(to, "%*s", padding, "");
		client_print_safely(text, to);
		if (i + 1 < COLUMN_COUNT)
			fprintf(to, "%*s", left ? padding + 1 : 1, "");
	}
	fputc('\n', to);
}
