/* A schema from its document: keywords by a table, references resolved, endless ones refused. */
#include "proto/json/json_schema_node.h"

#include "core/buffer.h"

#include <math.h>
#include <stdlib.h>

const struct slice schema_type_names[7] = {
	{"null", 4}, {"boolean", 7}, {"integer", 7}, {"number", 6}, {"string", 6}, {"array", 5}, {"object", 6}};

struct making {
	struct config_memory *memory, scratch;
	struct json_parser *json;
	struct schema_node **nodes; /* by the value that they were made of */
	unsigned count;
	struct text *why;
	bool failed;
};

static struct schema_node *make(struct making *m, json_ref value);

static bool fail(struct making *m, struct slice keyword, const char *expected)
{
	if (!m->failed) {
		text_char(m->why, '"');
		text_add(m->why, keyword);
		text_literal(m->why, "\" will not do (expected ");
		text_string(m->why, expected);
		text_char(m->why, ')');
	}
	m->failed = true;
	return false;
}

static struct slice copy(struct making *m, struct slice bytes)
{
	return slice_of(config_copy(m->memory, bytes), bytes.size);
}

static void *allocate(struct making *m, size_t count, size_t size)
{
	return config_alloc(m->memory, count ? count : 1, size);
}

/* ---- keywords ---- */

static bool read_type_name(struct making *m, struct schema_node *node, json_ref value)
{
	struct slice name = json_type(m->json, value) == JSON_STRING ? json_string(m->json, value) : SLICE("");

	for (unsigned i = 0; i < 7; i++)
		if (slice_equal(name, schema_type_names[i])) {
			node->types |= 1u << i;
			return true;
		}
	return fail(m, SLICE("type"), "null, boolean, integer, number, string, array or object, or a list of them");
}

static bool read_type(struct making *m, struct schema_node *node, json_ref value)
{
	bool good = true;

	if (json_type(m->json, value) != JSON_ARRAY)
		return read_type_name(m, node, value);
	for (json_ref v = json_first(m->json, value); good && v != JSON_NONE; v = json_next(m->json, v))
		good = read_type_name(m, node, v);
	return good;
}

static bool read_scalar(struct making *m, struct schema_scalar *scalar, json_ref value)
{
	switch (json_type(m->json, value)) {
	case JSON_NULL:
		scalar->type = TYPE_NULL;
		return true;
	case JSON_FALSE:
	case JSON_TRUE:
		scalar->type = TYPE_BOOLEAN;
		scalar->truth = json_type(m->json, value) == JSON_TRUE;
		return true;
	case JSON_INTEGER:
	case JSON_NUMBER:
		scalar->type = TYPE_NUMBER;
		return json_number(m->json, value, &scalar->number);
	case JSON_STRING:
		scalar->type = TYPE_STRING;
		scalar->text = copy(m, json_string(m->json, value));
		return scalar->text.data;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return false;
}

static bool read_enum(struct making *m, struct schema_node *node, json_ref value)
{
	bool list = json_type(m->json, value) == JSON_ARRAY;

	node->has_values = true;
	node->values = allocate(m, list ? json_count(m->json, value) : 0, sizeof(*node->values));
	for (json_ref v = list ? json_first(m->json, value) : JSON_NONE; node->values && v != JSON_NONE;
		v = json_next(m->json, v))
		if (!read_scalar(m, &node->values[node->value_count++], v))
			list = false;
	return list || fail(m, SLICE("enum"), "a list of texts, numbers, booleans and nulls");
}

static bool read_const(struct making *m, struct schema_node *node, json_ref value)
{
	node->has_values = true;
	node->value_count = 1;
	node->values = allocate(m, 1, sizeof(*node->values));
	return !node->values || read_scalar(m, node->values, value) ||
	       fail(m, SLICE("const"), "a text, a number, a boolean or null");
}

static int compare_properties(const void *left, const void *right)
{
	const struct slice a = ((const struct schema_property *)left)->name,
			   b = ((const struct schema_property *)right)->name;
	int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool read_properties(struct making *m, struct schema_node *node, json_ref value)
{
	if (json_type(m->json, value) != JSON_OBJECT)
		return fail(m, SLICE("properties"), "an object of schemas");
	node->properties = allocate(m, json_count(m->json, value), sizeof(*node->properties));
	for (json_ref v = json_first(m->json, value); node->properties && v != JSON_NONE; v = json_next(m->json, v)) {
		struct schema_property *property = &node->properties[node->property_count++];

		property->name = copy(m, json_key(m->json, v));
		property->node = make(m, v);
		if (!property->name.data || !property->node)
			return false;
	}
	if (node->property_count)
		qsort(node->properties, node->property_count, sizeof(*node->properties), compare_properties);
	return true;
}

static bool read_required(struct making *m, struct schema_node *node, json_ref value)
{
	bool list = json_type(m->json, value) == JSON_ARRAY;

	node->required = allocate(m, list ? json_count(m->json, value) : 0, sizeof(*node->required));
	for (json_ref v = list ? json_first(m->json, value) : JSON_NONE; node->required && v != JSON_NONE;
		v = json_next(m->json, v)) {
		list = list && json_type(m->json, v) == JSON_STRING;
		if (list)
			node->required[node->required_count++] = copy(m, json_string(m->json, v));
	}
	return list || fail(m, SLICE("required"), "a list of names");
}

static bool read_nodes(struct making *m, struct schema_nodes *nodes, struct slice keyword, json_ref value)
{
	if (json_type(m->json, value) != JSON_ARRAY || !json_count(m->json, value))
		return fail(m, keyword, "a list of schemas");
	nodes->list = allocate(m, json_count(m->json, value), sizeof(*nodes->list));
	for (json_ref v = json_first(m->json, value); nodes->list && v != JSON_NONE; v = json_next(m->json, v)) {
		nodes->list[nodes->count] = make(m, v);
		if (!nodes->list[nodes->count++])
			return false;
	}
	return true;
}

static bool read_all(struct making *m, struct schema_node *node, json_ref value)
{
	return read_nodes(m, &node->all, SLICE("allOf"), value);
}

static bool read_any(struct making *m, struct schema_node *node, json_ref value)
{
	return read_nodes(m, &node->any, SLICE("anyOf"), value);
}

static bool read_one(struct making *m, struct schema_node *node, json_ref value)
{
	return read_nodes(m, &node->one, SLICE("oneOf"), value);
}

static bool read_additional(struct making *m, struct schema_node *node, json_ref value)
{
	return (node->additional = make(m, value));
}

static bool read_items(struct making *m, struct schema_node *node, json_ref value)
{
	return (node->items = make(m, value));
}

static bool read_not(struct making *m, struct schema_node *node, json_ref value)
{
	return (node->not = make(m, value));
}

/* The value that "#/a/b" names, RFC 6901 without its escapes; JSON_NONE: there is none. */
static json_ref resolve(const struct json_parser *json, struct slice pointer)
{
	json_ref at = 0;

	if (pointer.size == 0 || pointer.data[0] != '#')
		return JSON_NONE;
	pointer = slice_after(pointer, 1);
	while (at != JSON_NONE && pointer.size) {
		const char *end;
		struct slice name;

		if (pointer.data[0] != '/' || json_type(json, at) != JSON_OBJECT)
			return JSON_NONE;
		pointer = slice_after(pointer, 1);
		end = pointer.size ? memchr(pointer.data, '/', pointer.size) : NULL;
		name = slice_of(pointer.data, end ? (size_t)(end - pointer.data) : pointer.size);
		at = json_member(json, at, name);
		pointer = slice_after(pointer, name.size);
	}
	return at;
}

static bool read_ref(struct making *m, struct schema_node *node, json_ref value)
{
	json_ref target =
		json_type(m->json, value) == JSON_STRING ? resolve(m->json, json_string(m->json, value)) : JSON_NONE;

	if (target == JSON_NONE)
		return fail(m, SLICE("$ref"), "a place in this schema, as #/$defs/NAME");
	return (node->refers = make(m, target));
}

/* A number, into a double or a count of the node. */
struct number_keyword {
	const char *name;
	size_t double_at, count_at; /* one of the two; SIZE_MAX: not it */
};

#define DOUBLE(n, m)                                                                                                   \
	{                                                                                                              \
		n, offsetof(struct schema_node, m), SIZE_MAX                                                           \
	}
#define COUNT(n, m)                                                                                                    \
	{                                                                                                              \
		n, SIZE_MAX, offsetof(struct schema_node, m)                                                           \
	}

static const struct number_keyword numbers[] = {DOUBLE("minimum", minimum), DOUBLE("maximum", maximum),
	DOUBLE("exclusiveMinimum", above), DOUBLE("exclusiveMaximum", below), DOUBLE("multipleOf", multiple),
	COUNT("minLength", length_min), COUNT("maxLength", length_max), COUNT("minItems", items_min),
	COUNT("maxItems", items_max), COUNT("minProperties", members_min), COUNT("maxProperties", members_max)};

static bool read_number(
	struct making *m, struct schema_node *node, const struct number_keyword *keyword, json_ref value)
{
	enum json_type type = json_type(m->json, value);
	double number;

	if ((type != JSON_INTEGER && type != JSON_NUMBER) || !json_number(m->json, value, &number) ||
		(keyword->count_at != SIZE_MAX && (number < 0 || number > INT32_MAX || number != floor(number))) ||
		(strcmp(keyword->name, "multipleOf") == 0 && !(number > 0)))
		return fail(m, slice_of_string(keyword->name),
			keyword->count_at != SIZE_MAX ? "a count" : "a number; of multipleOf above 0");
	if (keyword->count_at != SIZE_MAX)
		*(uint64_t *)(void *)((char *)node + keyword->count_at) = (uint64_t)number;
	else
		*(double *)(void *)((char *)node + keyword->double_at) = number;
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct making *m, struct schema_node *node, json_ref value); /* NULL: it says nothing of values */
} keywords[] = {{"type", read_type}, {"properties", read_properties}, {"required", read_required},
	{"items", read_items}, {"enum", read_enum}, {"const", read_const}, {"additionalProperties", read_additional},
	{"allOf", read_all}, {"anyOf", read_any}, {"oneOf", read_one}, {"not", read_not}, {"$ref", read_ref},
	{"title", NULL}, {"description", NULL}, {"default", NULL}, {"examples", NULL}, {"example", NULL},
	{"format", NULL}, {"$schema", NULL}, {"$id", NULL}, {"$comment", NULL}, {"$defs", NULL}, {"definitions", NULL},
	{"deprecated", NULL}, {"readOnly", NULL}, {"writeOnly", NULL}, {"contentEncoding", NULL},
	{"contentMediaType", NULL}};

static bool read_keyword(struct making *m, struct schema_node *node, json_ref value)
{
	struct slice name = json_key(m->json, value);

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (slice_equal(name, slice_of_string(numbers[i].name)))
			return read_number(m, node, &numbers[i], value);
	for (unsigned i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (slice_equal(name, slice_of_string(keywords[i].name)))
			return !keywords[i].read || keywords[i].read(m, node, value);
	return slice_starts_with(name, SLICE("x-")) || fail(m, name, "a keyword that is checked here");
}

/* One node for each place, so that references may come back to it. NULL: refused, or memory is out. */
static struct schema_node *make(struct making *m, json_ref value)
{
	enum json_type type = json_type(m->json, value);
	struct schema_node *node = m->nodes[value];
	bool good = true;

	if (node)
		return node;
	if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE) {
		fail(m, json_raw(m->json, value).size < 64 ? json_raw(m->json, value) : SLICE("..."), "a schema");
		return NULL;
	}
	if (++m->count > SCHEMA_NODES_MAX) {
		fail(m, SLICE("schema"), "at most 4096 schemas in one");
		return NULL;
	}
	node = m->nodes[value] = allocate(m, 1, sizeof(*node));
	if (!node)
		return NULL;
	*node = (struct schema_node){.never = type == JSON_FALSE,
		.minimum = NAN,
		.maximum = NAN,
		.above = NAN,
		.below = NAN,
		.multiple = NAN,
		.length_max = UINT64_MAX,
		.items_max = UINT64_MAX,
		.members_max = UINT64_MAX};
	for (json_ref v = type == JSON_OBJECT ? json_first(m->json, value) : JSON_NONE; good && v != JSON_NONE;
		v = json_next(m->json, v))
		good = read_keyword(m, node, v);
	return good ? node : NULL;
}

/* ---- references without end ---- */

enum { WHITE, GREY, BLACK };

static bool ends(const struct schema_node *node);

static bool all_end(const struct schema_nodes *nodes)
{
	for (unsigned i = 0; i < nodes->count; i++)
		if (!ends(nodes->list[i]))
			return false;
	return true;
}

/* Whether what is asked of one and the same value comes to an end; each node is looked at once. */
static bool ends(const struct schema_node *looked_at)
{
	struct schema_node *node = (struct schema_node *)(uintptr_t)looked_at;
	bool good;

	if (!node || node->color == BLACK)
		return true;
	if (node->color == GREY)
		return false;
	node->color = GREY;
	good = ends(node->refers) && ends(node->not ) && all_end(&node->all) && all_end(&node->any) &&
	       all_end(&node->one);
	node->color = BLACK;
	return good;
}

static bool end_all(const struct making *m, size_t values)
{
	for (size_t i = 0; i < values; i++)
		if (!ends(m->nodes[i]))
			return false;
	return true;
}

/* ---- the whole ---- */

static void make_root(struct making *m, struct json_schema *schema, struct slice document)
{
	struct json_error error;
	char *padded = config_alloc(&m->scratch, document.size + BUFFER_PADDING_BYTES, 1);

	m->nodes = config_alloc(&m->scratch, document.size + 1, sizeof(struct schema_node *));
	if (!padded || !m->nodes)
		return;
	memcpy(padded, document.data, document.size);
	if (json_parse(m->json, slice_of(padded, document.size), &error)) {
		fail(m, SLICE("schema"), "JSON");
		return;
	}
	schema->root = make(m, 0);
	if (schema->root && !end_all(m, document.size)) {
		fail(m, SLICE("$ref"), "one that does not lead back to itself");
		schema->root = NULL;
	}
}

struct json_schema *json_schema_make(struct slice document, struct text *why)
{
	struct json_schema *schema = calloc(1, sizeof(*schema));
	struct making m = {.why = why};

	if (!schema || document.size == 0) {
		text_string(why, schema ? "an empty text is no schema" : "out of memory");
		free(schema);
		return NULL;
	}
	config_memory_init(&schema->memory, SIZE_MAX);
	config_memory_init(&m.scratch, SIZE_MAX);
	m.memory = &schema->memory;
	m.json = json_parser_open(document.size);
	if (m.json)
		make_root(&m, schema, document);
	if (m.json)
		json_parser_close(m.json);
	config_memory_fini(&m.scratch);
	if (!schema->root && !m.failed)
		text_literal(why, "out of memory");
	if (schema->root && !schema->memory.failed)
		return schema;
	json_schema_free(schema);
	return NULL;
}

void json_schema_free(struct json_schema *schema)
{
	if (!schema)
		return;
	config_memory_fini(&schema->memory);
	free(schema);
}
