/* The walk over a map's table: unknown names, then each field by its type, given or not. */
#include "core/schema.h"

#include "core/config_json.h"

#include "core/nearest.h"
#include "core/schema_value.h"

#include <assert.h>

static void *at(void *base, size_t offset)
{
	return (char *)base + offset;
}

static void store_count(const struct schema_field *field, void *base, unsigned count)
{
	*(unsigned *)at(base, field->count_offset) = count;
}

static void complain_of_unknown(struct schema_walk *walk, const struct schema *schema, const struct config_node *key)
{
	struct nearest nearest;
	unsigned i;

	nearest_begin(&nearest, key->text);
	for (i = 0; i < schema->count; i++)
		nearest_offer(&nearest, schema->fields[i].name);
	if (nearest.best)
		config_complain(walk->errors, key->line, key->column, "unknown field \"%.64s\" (did you mean \"%s\"?)",
			key->text.data, nearest.best);
	else
		config_complain(walk->errors, key->line, key->column,
			"unknown field \"%.64s\" (expected one of the documented ones)", key->text.data);
}

static bool knows(const struct schema *schema, struct slice name)
{
	unsigned i;

	for (i = 0; i < schema->count; i++)
		if (slice_equal(slice_of_string(schema->fields[i].name), name))
			return true;
	return false;
}

/* The next word of a default list; false at its end. */
static bool next_word(struct slice *words, struct slice *word)
{
	const char *space;

	if (words->size == 0)
		return false;
	space = memchr(words->data, ' ', words->size);
	*word = slice_of(words->data, space ? (size_t)(space - words->data) : words->size);
	*words = slice_after(*words, word->size + 1);
	return true;
}

static void add_string(struct schema_walk *walk, struct strings *strings, struct slice text)
{
	char *copy = config_copy(walk->memory, text);

	if (copy && strings->list)
		strings->list[strings->count++] = copy;
}

static void set_flag(const struct schema_field *field, uint32_t *flags, struct slice name)
{
	unsigned i;

	for (i = 0; field->names[i]; i++)
		if (slice_equal(slice_of_string(field->names[i]), name))
			*flags |= UINT32_C(1) << i;
}

/* One word of a FLAGS or STRINGS. */
static void add_word(struct schema_walk *walk, const struct schema_field *field, void *place, struct slice word)
{
	if (field->type == SCHEMA_FLAGS)
		set_flag(field, place, word);
	else
		add_string(walk, place, word);
}

static void default_words(struct schema_walk *walk, const struct schema_field *field, void *place)
{
	struct slice words = slice_of_string(field->fallback), word;

	if (field->type == SCHEMA_STRINGS && words.size)
		((struct strings *)place)->list = config_alloc(walk->memory, words.size, sizeof(char *));
	while (next_word(&words, &word))
		add_word(walk, field, place, word);
}

static void read_words(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *place)
{
	const struct config_entry *entry;

	if (node->kind != CONFIG_LIST) {
		schema_refuse(walk, field, node, field->name);
		return;
	}
	if (field->type == SCHEMA_STRINGS && node->count)
		((struct strings *)place)->list = config_alloc(walk->memory, node->count, sizeof(char *));
	for (entry = node->first; entry; entry = entry->next) {
		const struct config_node *item = entry->value;

		if (item->kind != CONFIG_SCALAR || config_is_null(item) || (walk->typed && item->plain) ||
			!schema_accepts(field, item->text))
			schema_refuse(walk, field, item, field->name);
		else
			add_word(walk, field, place, item->text);
	}
}

static void read_pairs(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base)
{
	struct named_value *pairs;
	const struct config_entry *entry;
	unsigned count = 0;

	if (node->kind != CONFIG_MAP) {
		schema_refuse(walk, field, node, field->name);
		return;
	}
	pairs = config_alloc(walk->memory, node->count, sizeof(*pairs));
	if (!pairs)
		return;
	for (entry = node->first; entry; entry = entry->next) {
		if (walk->typed && config_is_null(entry->value))
			continue;
		if (entry->value->kind != CONFIG_SCALAR || (walk->typed && entry->value->plain)) {
			config_complain(walk->errors, entry->value->line, entry->value->column,
				"%s.%.64s: %s will not do (expected a text)", field->name, entry->key->text.data,
				entry->value->kind == CONFIG_MAP    ? "a map"
				: entry->value->kind == CONFIG_LIST ? "a list"
								    : "the value");
			continue;
		}
		pairs[count].name = config_copy(walk->memory, entry->key->text);
		pairs[count].value = config_copy(walk->memory, entry->value->text);
		count += pairs[count].name && pairs[count].value;
	}
	*(struct named_value **)at(base, field->offset) = pairs;
	store_count(field, base, count);
}

/* LIST and NAMED. Items that are wrong stay, as defaults, so that the n-th item is the n-th entry. */
static void read_items(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base)
{
	bool named = field->type == SCHEMA_NAMED;
	const struct config_entry *entry;
	unsigned i = 0;
	char *items;

	if (node->kind != (named ? CONFIG_MAP : CONFIG_LIST) || (field->max && node->count > field->max)) {
		schema_refuse(walk, field, node, field->name);
		return;
	}
	items = config_alloc(walk->memory, node->count, field->item_size);
	if (!items)
		return;
	for (entry = node->first; entry; entry = entry->next, i++) {
		char *item = items + (size_t)i * field->item_size;

		if (named)
			*(char **)(void *)item = config_copy(walk->memory, entry->key->text);
		schema_read(walk, field->object, entry->value, entry->value, item + field->item_offset);
	}
	*(char **)at(base, field->offset) = items;
	store_count(field, base, node->count);
}

static void read_object(struct schema_walk *walk, const struct schema_field *field, const struct config_node *node,
	const struct config_node *owner, void *base)
{
	bool quiet = walk->quiet;

	if (!node && field->present_at)
		walk->quiet = true; /* what an absent part would require is not missing */
	schema_read(walk, field->object, node, node ? node : owner, at(base, field->offset));
	walk->quiet = quiet;
}

static void read_default(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *owner, void *base)
{
	const struct config_node text = {/* of any type, as what a variable holds */
		.kind = CONFIG_SCALAR,
		.text = slice_of_string(field->fallback),
		.replaced = true};
	void *place = at(base, field->offset);
	bool good = true;

	if (field->required && !walk->quiet && owner)
		config_complain(
			walk->errors, owner->line, owner->column, "\"%s\" is missing (it is required)", field->name);
	switch (field->type) {
	case SCHEMA_FLAGS:
	case SCHEMA_STRINGS:
		default_words(walk, field, place);
		break;
	case SCHEMA_OBJECT:
		read_object(walk, field, NULL, owner, base);
		break;
	case SCHEMA_LIST:
	case SCHEMA_NAMED:
	case SCHEMA_PAIRS:
	case SCHEMA_ANY:
		break;
	case SCHEMA_STRING:
	case SCHEMA_PARSED:
		good = !field->fallback || schema_read_value(walk, field, &text, place);
		break;
	case SCHEMA_BOOL:
	case SCHEMA_INTEGER:
	case SCHEMA_DECIMAL:
	case SCHEMA_ENUM:
		if (field->fallback)
			good = schema_read_value(walk, field, &text, place);
		else
			schema_store(field, place, field->absent);
		break;
	}
	assert(good || walk->memory->failed); /* a table's default satisfies its own row */
}

static void read_field(struct schema_walk *walk, const struct schema_field *field, const struct config_node *node,
	const struct config_node *owner, void *base)
{
	switch (field->type) {
	case SCHEMA_FLAGS:
	case SCHEMA_STRINGS:
		read_words(walk, field, node, at(base, field->offset));
		break;
	case SCHEMA_PAIRS:
		read_pairs(walk, field, node, base);
		break;
	case SCHEMA_OBJECT:
		read_object(walk, field, node, owner, base);
		break;
	case SCHEMA_LIST:
	case SCHEMA_NAMED:
		read_items(walk, field, node, base);
		break;
	case SCHEMA_ANY:
		*(char **)at(base, field->offset) = config_print_json(node, walk->memory);
		break;
	case SCHEMA_STRING:
	case SCHEMA_BOOL:
	case SCHEMA_INTEGER:
	case SCHEMA_DECIMAL:
	case SCHEMA_ENUM:
	case SCHEMA_PARSED:
		/* Null was taken as not given, so an empty text here was quoted. */
		if (!schema_read_value(walk, field, node, at(base, field->offset)))
			read_default(walk, field, NULL, base);
		break;
	}
	if (field->present_at)
		*(bool *)at(base, field->present_at - 1u) = true;
}

static bool differs(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base);

/* A part whose mere presence says something differs by being there. */
static bool part_differs(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base)
{
	unsigned i;

	for (i = 0; i < field->object->count; i++) {
		const struct schema_field *member = &field->object->fields[i];
		const struct config_node *value = config_member(node, member->name);

		if (!config_is_null(value) && differs(walk, member, value, at(base, field->offset)))
			return true;
	}
	return field->present_at;
}

/* Whether a given field says something else than not giving it would. */
static bool differs(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base)
{
	union {
		int64_t integer;
		char *string;
		struct strings strings;
		char bytes[32];
	} standard = {.bytes = {0}};
	struct schema_field shifted = *field;

	switch (field->type) {
	case SCHEMA_BOOL:
	case SCHEMA_INTEGER:
	case SCHEMA_DECIMAL:
	case SCHEMA_ENUM:
		shifted.offset = 0;
		read_default(walk, &shifted, NULL, &standard);
		return memcmp(&standard, at(base, field->offset), field->size) != 0;
	case SCHEMA_STRING:
		return !field->fallback || !slice_equal(node->text, slice_of_string(field->fallback));
	case SCHEMA_PARSED:
	case SCHEMA_ANY:
		return true;
	case SCHEMA_OBJECT:
		return part_differs(walk, field, node, base);
	case SCHEMA_FLAGS:
	case SCHEMA_STRINGS:
	case SCHEMA_PAIRS:
	case SCHEMA_LIST:
	case SCHEMA_NAMED:
		break;
	}
	return node->count > 0;
}

static void tell_build(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *base)
{
	if (field->build == SCHEMA_BUILT || !differs(walk, field, node, base))
		return;
	if (field->build == SCHEMA_LACKS)
		config_complain(walk->errors, node->line, node->column,
			"%s is not in this build (expected its default)", field->name);
	else
		config_complain(walk->warnings, node->line, node->column,
			"%s is accepted, but this build does not act on it", field->name);
}

void schema_read(struct schema_walk *walk, const struct schema *schema, const struct config_node *node,
	const struct config_node *owner, void *target)
{
	const struct config_entry *entry;
	bool quiet = walk->quiet;
	unsigned i;

	if (node && node->kind != CONFIG_MAP) {
		if (!config_is_null(node))
			config_complain(walk->errors, node->line, node->column, "%s will not do here (expected a map)",
				node->kind == CONFIG_LIST ? "a list" : "a text");
		walk->quiet = walk->quiet || !config_is_null(node);
		node = NULL;
	}
	for (entry = node ? node->first : NULL; entry; entry = entry->next)
		if (!knows(schema, entry->key->text))
			complain_of_unknown(walk, schema, entry->key);
	for (i = 0; i < schema->count; i++) {
		const struct schema_field *field = &schema->fields[i];
		const struct config_node *value = config_member(node, field->name);

		if (config_is_null(value)) {
			read_default(walk, field, owner, target);
		} else {
			read_field(walk, field, value, owner, target);
			tell_build(walk, field, value, target);
		}
	}
	walk->quiet = quiet;
}
