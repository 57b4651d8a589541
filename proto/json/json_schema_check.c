/* A value against its schema: the first thing that is wrong, and where. */
#include "proto/json/json_schema_node.h"

#include <math.h>

struct place { /* of a value, from the whole down */
	const struct place *parent;
	struct slice name; /* NULL data: an item, by its number */
	unsigned number;
};

struct checking {
	const struct json_parser *json;
	unsigned steps, depth;
	bool exhausted;
	struct text *where, *what; /* NULL: whether is all that is asked */
};

static bool check(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place);

static void print_place(const struct place *place, struct text *where)
{
	if (!place)
		return;
	print_place(place->parent, where);
	if (place->name.data) {
		text_char(where, '.');
		text_add(where, place->name);
		return;
	}
	text_char(where, '[');
	text_u64(where, place->number);
	text_char(where, ']');
}

static bool wrong(struct checking *c, const struct place *place, const char *what)
{
	if (c->what && !c->what->size) {
		print_place(place, c->where);
		text_string(c->what, what);
	}
	return false;
}

static bool wrong_for(struct checking *c, const struct place *place, const char *what, double number)
{
	if (c->what && !c->what->size) {
		wrong(c, place, what);
		text_char(c->what, ' ');
		if (number == floor(number) && fabs(number) < 1e15)
			text_i64(c->what, (int64_t)number);
		else
			text_literal(c->what, "what the schema says");
	}
	return false;
}

static bool wrong_name(struct checking *c, const struct place *place, const char *what, struct slice name)
{
	if (c->what && !c->what->size) {
		wrong(c, place, what);
		text_literal(c->what, " \"");
		text_add(c->what, name);
		text_char(c->what, '"');
	}
	return false;
}

/* ---- types and values ---- */

static unsigned type_of(const struct json_parser *json, json_ref value)
{
	double number;

	switch (json_type(json, value)) {
	case JSON_NULL:
		return TYPE_NULL;
	case JSON_FALSE:
	case JSON_TRUE:
		return TYPE_BOOLEAN;
	case JSON_INTEGER:
		return TYPE_INTEGER | TYPE_NUMBER;
	case JSON_NUMBER:
		return json_number(json, value, &number) && number == floor(number) ? TYPE_INTEGER | TYPE_NUMBER
										    : TYPE_NUMBER;
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	case JSON_OBJECT:
		break;
	}
	return TYPE_OBJECT;
}

static bool wrong_type(struct checking *c, unsigned types, const struct place *place)
{
	bool first = true;

	if (!c->what || c->what->size)
		return false;
	wrong(c, place, "it has to be of type ");
	for (unsigned i = 0; i < 7; i++)
		if (types & 1u << i) {
			text_string(c->what, first ? "" : " or ");
			text_add(c->what, schema_type_names[i]);
			first = false;
		}
	return false;
}

static bool is_scalar(const struct checking *c, const struct schema_scalar *scalar, json_ref value, unsigned types)
{
	double number;

	if (!(scalar->type & types))
		return false;
	if (scalar->type == TYPE_STRING)
		return slice_equal(scalar->text, json_string(c->json, value));
	if (scalar->type == TYPE_NUMBER)
		return json_number(c->json, value, &number) && number == scalar->number;
	return scalar->type == TYPE_NULL || scalar->truth == (json_type(c->json, value) == JSON_TRUE);
}

static bool check_values(
	struct checking *c, const struct schema_node *node, json_ref value, unsigned types, const struct place *place)
{
	for (unsigned i = 0; i < node->value_count; i++)
		if (is_scalar(c, &node->values[i], value, types))
			return true;
	return wrong(c, place, "it is none of the values that may be here");
}

/* As near as doubles tell them: 0.3 is three times 0.1. */
static bool is_multiple(double number, double of)
{
	double times = number / of;

	return fabs(times - round(times)) <= 1e-9 * (fabs(times) > 1 ? fabs(times) : 1);
}

static bool check_number(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	double number;

	if (!json_number(c->json, value, &number))
		return wrong(c, place, "it is larger than any number that can be checked");
	if (!isnan(node->minimum) && number < node->minimum)
		return wrong_for(c, place, "it is less than", node->minimum);
	if (!isnan(node->maximum) && number > node->maximum)
		return wrong_for(c, place, "it is more than", node->maximum);
	if (!isnan(node->above) && number <= node->above)
		return wrong_for(c, place, "it is not above", node->above);
	if (!isnan(node->below) && number >= node->below)
		return wrong_for(c, place, "it is not below", node->below);
	return isnan(node->multiple) || is_multiple(number, node->multiple) ||
	       wrong_for(c, place, "it is no multiple of", node->multiple);
}

/* In characters, which are what UTF-8's leading bytes count. */
static bool check_length(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	struct slice text = json_string(c->json, value);
	uint64_t length = 0;

	if (!node->length_min && node->length_max == UINT64_MAX)
		return true;
	for (size_t i = 0; i < text.size; i++)
		length += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	if (length < node->length_min)
		return wrong_for(c, place, "its characters are fewer than", (double)node->length_min);
	return length <= node->length_max ||
	       wrong_for(c, place, "its characters are more than", (double)node->length_max);
}

/* ---- what holds others ---- */

static bool check_items(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	uint32_t count = json_count(c->json, value);
	struct place below = {.parent = place};

	if (count < node->items_min)
		return wrong_for(c, place, "its items are fewer than", (double)node->items_min);
	if (count > node->items_max)
		return wrong_for(c, place, "its items are more than", (double)node->items_max);
	for (json_ref v = node->items ? json_first(c->json, value) : JSON_NONE; v != JSON_NONE;
		v = json_next(c->json, v)) {
		if (!check(c, node->items, v, &below))
			return false;
		below.number++;
	}
	return true;
}

static const struct schema_node *property_of(const struct schema_node *node, struct slice name)
{
	unsigned low = 0, high = node->property_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct slice there = node->properties[middle].name;
		int order = memcmp(name.data, there.data, name.size < there.size ? name.size : there.size);

		if (order == 0)
			order = (name.size > there.size) - (name.size < there.size);
		if (order == 0)
			return node->properties[middle].node;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool check_member(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	const struct place below = {.parent = place, .name = json_key(c->json, value)};
	const struct schema_node *property = property_of(node, below.name);

	if (property)
		return check(c, property, value, &below);
	if (node->additional && node->additional->never)
		return wrong_name(c, place, "it may not have a member", below.name);
	return !node->additional || check(c, node->additional, value, &below);
}

static bool check_members(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	uint32_t count = json_count(c->json, value);

	for (unsigned i = 0; i < node->required_count; i++)
		if (json_member(c->json, value, node->required[i]) == JSON_NONE)
			return wrong_name(c, place, "it lacks a member", node->required[i]);
	if (count < node->members_min)
		return wrong_for(c, place, "its members are fewer than", (double)node->members_min);
	if (count > node->members_max)
		return wrong_for(c, place, "its members are more than", (double)node->members_max);
	if (!node->property_count && !node->additional)
		return true;
	for (json_ref v = json_first(c->json, value); v != JSON_NONE; v = json_next(c->json, v))
		if (!check_member(c, node, v, place))
			return false;
	return true;
}

/* ---- what asks several ---- */

/* How many of them a value passes, up to `enough`; what they say is not told. */
static unsigned passed(struct checking *c, const struct schema_nodes *nodes, json_ref value, unsigned enough)
{
	struct checking quiet = *c;
	unsigned count = 0;

	quiet.what = NULL;
	for (unsigned i = 0; i < nodes->count && count < enough; i++)
		count += check(&quiet, nodes->list[i], value, NULL);
	c->steps = quiet.steps;
	c->exhausted = quiet.exhausted;
	return count;
}

static bool check_combined(
	struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	const struct schema_nodes not = {1, (const struct schema_node **)(uintptr_t)&node->not };

	if (node->refers && !check(c, node->refers, value, place))
		return false;
	for (unsigned i = 0; i < node->all.count; i++)
		if (!check(c, node->all.list[i], value, place))
			return false;
	if (node->any.count && !passed(c, &node->any, value, 1))
		return wrong(c, place, "it matches none of anyOf");
	if (node->one.count && passed(c, &node->one, value, 2) != 1)
		return wrong(c, place, "it does not match exactly one of oneOf");
	return !node->not || !passed(c, &not, value, 1) || wrong(c, place, "it matches what it must not");
}

static bool check_own(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	unsigned types = type_of(c->json, value);

	if (node->never)
		return wrong(c, place, "it may not be there");
	if (node->types && !(node->types & types))
		return wrong_type(c, node->types, place);
	if (node->has_values && !check_values(c, node, value, types, place))
		return false;
	if ((types & TYPE_NUMBER) && !check_number(c, node, value, place))
		return false;
	if ((types & TYPE_STRING) && !check_length(c, node, value, place))
		return false;
	if ((types & TYPE_ARRAY) && !check_items(c, node, value, place))
		return false;
	if ((types & TYPE_OBJECT) && !check_members(c, node, value, place))
		return false;
	return check_combined(c, node, value, place);
}

/* As deep as the value and what is asked of each part of it; the steps bound what branches. */
static bool check(struct checking *c, const struct schema_node *node, json_ref value, const struct place *place)
{
	bool good;

	if (c->exhausted || ++c->steps > SCHEMA_STEPS_MAX || c->depth == SCHEMA_DEPTH_MAX) {
		c->exhausted = true;
		return false;
	}
	c->depth++;
	good = check_own(c, node, value, place);
	c->depth--;
	return good;
}

bool json_schema_check(const struct json_schema *schema, const struct json_parser *json, json_ref value,
	struct text *where, struct text *what)
{
	struct checking c = {.json = json, .where = where, .what = what};
	bool good = check(&c, schema->root, value, NULL);

	if (!c.exhausted)
		return good;
	where->size = what->size = 0;
	text_literal(what, "it is too much to be checked");
	return false;
}
