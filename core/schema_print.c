/* From structs back to JSON, by the tables that they were read with. */
#include "core/schema.h"
#include "core/schema_value.h"
#include "core/text.h"

#include <assert.h>

static const void *at(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static void print_integer(const struct schema_field *field, const void *place, struct text *json)
{
	int64_t value = schema_fetch(field, place), unit = field->unit ? field->unit : 1;
	char decimal[40];

	if (!field->fallback && field->absent < field->min && value == field->absent) {
		text_literal(json, "null");
		return;
	}
	if (field->type == SCHEMA_BOOL) {
		text_add(json, value ? SLICE("true") : SLICE("false"));
		return;
	}
	if (field->type == SCHEMA_ENUM) {
		text_json(json, slice_of_string(field->names[value]));
		return;
	}
	if (field->type == SCHEMA_INTEGER) {
		text_i64(json, value / unit);
		return;
	}
	schema_print_decimal(value, field->digits, decimal, sizeof(decimal));
	text_string(json, decimal);
}

static void print_flags(const struct schema_field *field, uint32_t flags, struct text *json)
{
	bool first = true;

	text_char(json, '[');
	for (unsigned i = 0; field->names[i]; i++) {
		if (!(flags & UINT32_C(1) << i))
			continue;
		if (!first)
			text_char(json, ',');
		first = false;
		text_json(json, slice_of_string(field->names[i]));
	}
	text_char(json, ']');
}

static void print_strings(const struct strings *strings, struct text *json)
{
	text_char(json, '[');
	for (unsigned i = 0; i < strings->count; i++) {
		if (i)
			text_char(json, ',');
		text_json(json, slice_of_string(strings->list[i]));
	}
	text_char(json, ']');
}

static void print_pairs(const struct named_value *pairs, unsigned count, struct text *json)
{
	text_char(json, '{');
	for (unsigned i = 0; i < count; i++) {
		if (i)
			text_char(json, ',');
		text_json(json, slice_of_string(pairs[i].name));
		text_char(json, ':');
		text_json(json, slice_of_string(pairs[i].value));
	}
	text_char(json, '}');
}

static void print_items(const struct schema_field *field, const void *base, struct text *json)
{
	const char *item = *(char *const *)at(base, field->offset);
	unsigned count = *(const unsigned *)at(base, field->count_offset);

	text_char(json, '[');
	for (unsigned i = 0; i < count; i++, item += field->item_size) {
		text_string(json, i ? ",{" : "{");
		schema_print_members(field->object, item + field->item_offset, json);
		text_char(json, '}');
	}
	text_char(json, ']');
}

static void print_value(const struct schema_field *field, const void *base, struct text *json)
{
	const void *place = at(base, field->offset);

	switch (field->type) {
	case SCHEMA_STRING:
		text_json_or_null(json, slice_of_string(*(char *const *)place));
		return;
	case SCHEMA_BOOL:
	case SCHEMA_INTEGER:
	case SCHEMA_DECIMAL:
	case SCHEMA_ENUM:
		print_integer(field, place, json);
		return;
	case SCHEMA_PARSED:
		field->print(place, json);
		return;
	case SCHEMA_FLAGS:
		print_flags(field, *(const uint32_t *)place, json);
		return;
	case SCHEMA_STRINGS:
		print_strings(place, json);
		return;
	case SCHEMA_PAIRS:
		print_pairs(
			*(struct named_value *const *)place, *(const unsigned *)at(base, field->count_offset), json);
		return;
	case SCHEMA_OBJECT:
		text_char(json, '{');
		schema_print_members(field->object, place, json);
		text_char(json, '}');
		return;
	case SCHEMA_LIST:
		print_items(field, base, json);
		return;
	case SCHEMA_ANY:
		text_string(json, *(char *const *)place ? *(char *const *)place : "null");
		return;
	case SCHEMA_NAMED:
		break;
	}
	assert(false); /* such a table is not printed */
}

void schema_print_members(const struct schema *schema, const void *base, struct text *json)
{
	for (unsigned i = 0; i < schema->count; i++) {
		if (i)
			text_char(json, ',');
		text_json(json, slice_of_string(schema->fields[i].name));
		text_char(json, ':');
		print_value(&schema->fields[i], base, json);
	}
}
