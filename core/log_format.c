/* Log lines. A field's text may come from a client, so both forms quote what could break out of its place. */
#include "core/log_format.h"

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static const char *const level_colours[] = {
	[LOG_DEBUG] = "\033[2m",
	[LOG_INFO] = "\033[32m",
	[LOG_WARN] = "\033[33m",
	[LOG_ERROR] = "\033[31m",
};

static void print_integer_or_null(const struct log_field *field, struct text *text)
{
	if (field->type == LOG_FIELD_INTEGER)
		text_i64(text, field->integer);
	else
		text_literal(text, "null");
}

void log_format_json(const struct log_line *line, struct text *text)
{
	text_literal(text, "{\"time\":\"");
	text_rfc3339(text, line->wall_ns);
	text_literal(text, "\",\"level\":\"");
	text_string(text, level_names[line->level]);
	text_literal(text, "\",\"message\":");
	text_json(text, slice_of_string(line->message));
	for (unsigned i = 0; i < line->field_count; i++) {
		const struct log_field *field = &line->fields[i];

		text_char(text, ',');
		text_json(text, slice_of_string(field->name));
		text_char(text, ':');
		if (field->type == LOG_FIELD_TEXT)
			text_json_or_null(text, field->text);
		else
			print_integer_or_null(field, text);
	}
	text_literal(text, "}\n");
}

/* Only printable ASCII without what separates fields; everything else is quoted as JSON. */
static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '"' || s.data[i] == '=' || s.data[i] == '\\')
			return false;
	return s.size > 0;
}

void log_format_human(const struct log_line *line, bool colour, struct text *text)
{
	text_rfc3339(text, line->wall_ns);
	text_char(text, ' ');
	if (colour)
		text_string(text, level_colours[line->level]);
	text_string(text, level_names[line->level]);
	if (colour)
		text_literal(text, "\033[0m");
	text_add(text, slice_of("  ", strlen(level_names[line->level]) < 5 ? 2 : 1));
	text_string(text, line->message);
	for (unsigned i = 0; i < line->field_count; i++) {
		const struct log_field *field = &line->fields[i];

		text_char(text, ' ');
		text_string(text, field->name);
		text_char(text, '=');
		if (field->type == LOG_FIELD_TEXT && is_word(field->text))
			text_add(text, field->text);
		else if (field->type == LOG_FIELD_TEXT)
			text_json_or_null(text, field->text);
		else
			print_integer_or_null(field, text);
	}
	text_char(text, '\n');
}
