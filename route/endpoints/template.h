/*
 * Texts with places to be filled: {{input}} and {{input.field}}, where a field may be one of a field (input.a.b). A
 * text is taken apart once, when a configuration is read; filling it copies bytes. All of it works on JSON as it is
 * written: a filled template is the inside of a JSON string. Pure.
 */
#ifndef ROUTE_TEMPLATE_H
#define ROUTE_TEMPLATE_H

#include "core/config_memory.h"
#include "core/text.h"
#include "proto/json/json.h"

struct template_part {
	bool filled;
	struct slice text; /* escaped, as it stands; filled: the path behind "input.", empty for the input itself */
};

struct template
{
	unsigned part_count; /* 0: there is no text */
	struct template_part *parts;
};

#define EXPECTED_TEMPLATE "a text whose every {{...}} is {{input}} or {{input.field}}"

/* Whether each place that is to be filled says how. */
bool template_check(struct slice text);

/* Of a text that passed the check; parts and their texts are in `memory`. What it lacks, memory->failed says. */
void template_compile(struct template *template, struct slice text, struct config_memory *memory);

/* Bytes that filling it takes, at most. */
size_t template_bytes(const struct template *template, const struct json_parser *json, json_ref input);

/*
 * Appends the template, filled from `input` (JSON_NONE: there is none): strings as they are, other values as JSON.
 * False: a place stays empty, and *missing is its path.
 */
bool template_fill(const struct template *template, const struct json_parser *json, json_ref input, struct text *text,
	struct slice *missing);

/* A value of the view as the inside of a JSON string. */
void template_add_value(const struct json_parser *json, json_ref value, struct text *text);

#endif
