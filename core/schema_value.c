/* Single values of the schema walk. Numbers are exact: no floating point anywhere. */
#include "core/schema_value.h"

#include "core/nearest.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { SHOWN_BYTES = 40 }; /* of a wrong value in a message */

void schema_store(const struct schema_field *field, void *place, int64_t value)
{
	switch (field->size) { /* little and big endian alike: through a value of the right size */
	case 1:
		*(int8_t *)place = (int8_t)value;
		return;
	case 2:
		*(int16_t *)place = (int16_t)value;
		return;
	case 4:
		*(int32_t *)place = (int32_t)value;
		return;
	default:
		assert(field->size == 8);
		*(int64_t *)place = value;
	}
}

int64_t schema_fetch(const struct schema_field *field, const void *place)
{
	switch (field->size) {
	case 1:
		return *(const int8_t *)place;
	case 2:
		return *(const int16_t *)place;
	case 4:
		return *(const int32_t *)place;
	default:
		assert(field->size == 8);
		return *(const int64_t *)place;
	}
}

/* Digits and at most one point; digits beyond `digits` decimals must be zeros. */
bool schema_decimal(struct slice text, unsigned digits, int64_t *value)
{
	bool negative = text.size && text.data[0] == '-', pointed = false, any = false;
	unsigned decimals = 0;
	int64_t sum = 0;
	size_t i;

	for (i = negative; i < text.size; i++) {
		char c = text.data[i];

		if (c == '.' && !pointed && any) {
			pointed = true;
			continue;
		}
		if (!isdigit((unsigned char)c))
			return false;
		any = true;
		if (pointed && decimals == digits) {
			if (c != '0')
				return false;
			continue;
		}
		decimals += pointed;
		if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, c - '0', &sum))
			return false;
	}
	for (; decimals < digits; decimals++)
		if (__builtin_mul_overflow(sum, 10, &sum))
			return false;
	*value = negative ? -sum : sum;
	return any && text.data[text.size - 1] != '.';
}

static const char *list_names(const struct schema_field *field, char *buffer, size_t bytes)
{
	size_t used = (size_t)snprintf(buffer, bytes, "%s",
		field->type == SCHEMA_FLAGS || field->type == SCHEMA_STRINGS ? "a list of" : "one of");
	unsigned i;

	for (i = 0; field->names[i] && used < bytes; i++)
		used += (size_t)snprintf(buffer + used, bytes - used, " %s", field->names[i]);
	return buffer;
}

void schema_print_decimal(int64_t value, unsigned digits, char *buffer, size_t bytes)
{
	int64_t one = 1;
	unsigned i;
	size_t size;

	for (i = 0; i < digits; i++)
		one *= 10;
	snprintf(buffer, bytes, "%" PRId64 ".%0*" PRId64, value / one, (int)digits, value % one);
	for (size = strlen(buffer); size && buffer[size - 1] == '0'; size--)
		buffer[size - 1] = 0;
	if (size && buffer[size - 1] == '.')
		buffer[size - 1] = 0;
}

static const char *expected_decimal(const struct schema_field *field, char *buffer, size_t bytes)
{
	char low[32], high[32];

	schema_print_decimal(field->min, field->digits, low, sizeof(low));
	schema_print_decimal(field->max, field->digits, high, sizeof(high));
	snprintf(buffer, bytes, "a number %s..%s with at most %u decimals", low, high, field->digits);
	return buffer;
}

static const char *expected_text(const struct schema_field *field, char *buffer, size_t bytes)
{
	if (!field->max)
		return field->type == SCHEMA_STRING ? "a text" : "a list of texts";
	snprintf(buffer, bytes, "a text of %" PRId64 "..%" PRId64 " bytes", field->min, field->max);
	return buffer;
}

const char *schema_expected(const struct schema_field *field, char *buffer, size_t bytes)
{
	if (field->expected)
		return field->expected;
	if (field->names)
		return list_names(field, buffer, bytes);
	switch (field->type) {
	case SCHEMA_BOOL:
		return "true or false";
	case SCHEMA_INTEGER:
		snprintf(buffer, bytes, "a whole number %" PRId64 "..%" PRId64, field->min, field->max);
		return buffer;
	case SCHEMA_DECIMAL:
		return expected_decimal(field, buffer, bytes);
	case SCHEMA_STRING:
	case SCHEMA_STRINGS:
		return expected_text(field, buffer, bytes);
	case SCHEMA_PAIRS:
	case SCHEMA_OBJECT:
	case SCHEMA_NAMED:
		return "a map";
	case SCHEMA_LIST:
		return "a list of maps";
	case SCHEMA_ANY:
		return "a map, a list or a text";
	case SCHEMA_ENUM:
	case SCHEMA_FLAGS:
	case SCHEMA_PARSED:
		break;
	}
	assert(field->names); /* or `expected`: a table without either is wrong */
	return "";
}

/* A value as a message may show it: cut, and without control characters. */
static void show(const struct config_node *node, bool secret, char *buffer, size_t bytes)
{
	size_t i, used = 0, shown = node->text.size < SHOWN_BYTES ? node->text.size : SHOWN_BYTES;

	assert(bytes > SHOWN_BYTES + 6);
	if (node->kind != CONFIG_SCALAR || secret) {
		snprintf(buffer, bytes, "%s",
			node->kind == CONFIG_MAP    ? "a map"
			: node->kind == CONFIG_LIST ? "a list"
						    : "the value");
		return;
	}
	buffer[used++] = '"';
	for (i = 0; i < shown; i++)
		buffer[used++] =
			(unsigned char)node->text.data[i] < ' ' || node->text.data[i] == 127 ? '?' : node->text.data[i];
	snprintf(buffer + used, bytes - used, "%s\"", shown < node->text.size ? "..." : "");
}

static const char *nearest_name(const struct schema_field *field, const struct config_node *node)
{
	struct nearest nearest;
	unsigned i;

	if (!field->names || node->kind != CONFIG_SCALAR)
		return NULL;
	nearest_begin(&nearest, node->text);
	for (i = 0; field->names[i]; i++)
		nearest_offer(&nearest, field->names[i]);
	return nearest.best;
}

void schema_refuse(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, const char *name)
{
	char shown[SHOWN_BYTES + 16], expected[400];
	const char *near = nearest_name(field, node);

	show(node, field->secret, shown, sizeof(shown));
	config_complain(walk->errors, node->line, node->column, "%s: %s will not do (%s%s%sexpected %s)", name, shown,
		near ? "did you mean \"" : "", near ? near : "", near ? "\"? " : "",
		schema_expected(field, expected, sizeof(expected)));
}

static int name_index(const char *const *names, struct slice text)
{
	int i;

	for (i = 0; names[i]; i++)
		if (slice_equal(slice_of_string(names[i]), text))
			return i;
	return -1;
}

bool schema_accepts(const struct schema_field *field, struct slice text)
{
	if (field->names)
		return name_index(field->names, text) >= 0;
	if (field->check)
		return field->check(text);
	return field->max == 0 || (text.size >= (size_t)field->min && text.size <= (size_t)field->max);
}

static bool read_bool(struct slice text, int64_t *value)
{
	*value = slice_equal(text, SLICE("true"));
	return *value || slice_equal(text, SLICE("false"));
}

static bool read_number(const struct schema_field *field, struct slice text, int64_t *value)
{
	if (!schema_decimal(text, field->digits, value) || *value < field->min || *value > field->max)
		return false;
	if (field->type == SCHEMA_INTEGER && memchr(text.data, '.', text.size))
		return false;
	return !field->unit || !__builtin_mul_overflow(*value, field->unit, value);
}

/* BOOL, INTEGER, DECIMAL and ENUM all end as an integer. */
static bool read_integer(const struct schema_field *field, const struct config_node *node, int64_t *value)
{
	if (field->type == SCHEMA_ENUM) {
		*value = name_index(field->names, node->text);
		return *value >= 0;
	}
	if (!node->plain && !node->replaced)
		return false;
	return field->type == SCHEMA_BOOL ? read_bool(node->text, value) : read_number(field, node->text, value);
}

static bool is_typed_wrongly(
	const struct schema_walk *walk, const struct schema_field *field, const struct config_node *node)
{
	return walk->typed && node->plain &&
	       (field->type == SCHEMA_STRING || field->type == SCHEMA_PARSED || field->type == SCHEMA_ENUM);
}

bool schema_read_value(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *place)
{
	bool good = node->kind == CONFIG_SCALAR && !is_typed_wrongly(walk, field, node);
	int64_t value = 0;

	if (good && field->type == SCHEMA_PARSED) {
		good = field->parse(node->text, place, walk->memory);
	} else if (good && field->type == SCHEMA_STRING) {
		good = schema_accepts(field, node->text);
		if (good)
			*(char **)place = config_copy(walk->memory, node->text);
	} else if (good) {
		good = read_integer(field, node, &value);
		if (good)
			schema_store(field, place, value);
	}
	if (!good)
		schema_refuse(walk, field, node, field->name);
	return good;
}
