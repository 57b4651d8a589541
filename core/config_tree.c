/*
 * From libyaml's events to a tree. A stack of the collections that are open stands for the recursion; each event either
 * opens a collection, closes one, or is a value that goes to where the top of the stack waits for one. The first syntax
 * error ends the reading; everything else is told and reading goes on.
 */
#include "core/config_tree.h"

#include "core/config_expand.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct level {
	struct config_node *node;
	struct config_node *key; /* map: its value comes next */
};

struct anchor {
	const char *name;
	struct config_node *node;
};

struct reader {
	const struct config_source *source;
	struct config_memory *memory;
	struct config_report *errors;
	yaml_parser_t parser;
	struct config_node *root;
	struct level levels[CONFIG_DEPTH_MAX];
	unsigned depth; /* levels in use */
	struct anchor anchors[CONFIG_ANCHORS_MAX];
	unsigned anchor_count, alias_count, document_count;
	bool broken; /* reading cannot go on */
};

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static unsigned column_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->column + 1;
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct reader *reader, const yaml_mark_t *mark, const char *format, ...)
{
	char message[CONFIG_COMPLAINT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	config_complain(reader->errors, line_of(mark), column_of(mark), "%s", message);
	reader->broken = true;
}

static struct config_node *make_node(struct reader *reader, enum config_kind kind, const yaml_mark_t *mark)
{
	struct config_node *node = config_alloc(reader->memory, 1, sizeof(*node));

	if (!node) {
		reader->broken = true;
		return NULL;
	}
	node->kind = kind;
	node->line = line_of(mark);
	node->column = column_of(mark);
	node->weight = 1;
	return node;
}

static const struct config_node *find(const struct config_node *map, struct slice name)
{
	const struct config_entry *entry;

	for (entry = map->first; entry; entry = entry->next)
		if (slice_equal(entry->key->text, name))
			return entry->value;
	return NULL;
}

static void append(
	struct reader *reader, struct config_node *parent, struct config_node *key, struct config_node *value)
{
	struct config_entry *entry = config_alloc(reader->memory, 1, sizeof(*entry));

	if (!entry) {
		reader->broken = true;
		return;
	}
	entry->key = key;
	entry->value = value;
	if (parent->last)
		parent->last->next = entry;
	else
		parent->first = entry;
	parent->last = entry;
	parent->count++;
}

/* A key has been read: remembered until its value comes. A duplicate is told; its value is read and left out. */
static void take_key(struct reader *reader, struct level *level, struct config_node *key, const yaml_mark_t *mark)
{
	if (key->kind != CONFIG_SCALAR)
		fail(reader, mark, "a %s cannot be a name here (expected a plain name)",
			key->kind == CONFIG_LIST ? "list" : "map");
	else if (level->node->count >= CONFIG_MAP_MAX)
		fail(reader, mark, "this map has too many entries (expected at most %d)", CONFIG_MAP_MAX);
	else
		level->key = key;
}

/* `node` goes to where a value is awaited: the root, the open list, or the open map as key or value. */
static void place(struct reader *reader, struct config_node *node, const yaml_mark_t *mark)
{
	struct level *level;

	if (!node || reader->broken)
		return;
	if (reader->depth == 0) {
		reader->root = node;
		return;
	}
	level = &reader->levels[reader->depth - 1];
	if (level->node->kind == CONFIG_LIST) {
		append(reader, level->node, NULL, node);
		return;
	}
	if (!level->key) {
		take_key(reader, level, node, mark);
		return;
	}
	if (find(level->node, level->key->text))
		config_complain(reader->errors, level->key->line, level->key->column,
			"\"%.64s\" is given twice in this map (expected once)", level->key->text.data);
	else
		append(reader, level->node, level->key, node);
	level->key = NULL;
}

/* Once a value is complete its weight counts for what holds it. */
static void weigh(struct reader *reader, const struct config_node *node, const yaml_mark_t *mark)
{
	struct config_node *parent = reader->depth ? reader->levels[reader->depth - 1].node : NULL;

	if (!node || reader->broken)
		return;
	if (parent)
		parent->weight += node->weight;
	if (node->weight > CONFIG_NODES_MAX || (parent && parent->weight > CONFIG_NODES_MAX))
		fail(reader, mark,
			"the configuration is too large (expected at most %d values, with what aliases repeat)",
			CONFIG_NODES_MAX);
}

static void take_anchor(
	struct reader *reader, const yaml_char_t *name, struct config_node *node, const yaml_mark_t *mark)
{
	if (!name || !node)
		return;
	if (reader->anchor_count == CONFIG_ANCHORS_MAX) {
		fail(reader, mark, "too many anchors (expected at most %d)", CONFIG_ANCHORS_MAX);
		return;
	}
	reader->anchors[reader->anchor_count++] =
		(struct anchor){config_copy(reader->memory, slice_of_string((const char *)name)), node};
}

static void refuse_tag(struct reader *reader, const yaml_char_t *tag, const yaml_mark_t *mark)
{
	if (tag)
		config_complain(reader->errors, line_of(mark), column_of(mark),
			"the tag \"%.64s\" is not understood (expected none)", (const char *)tag);
}

static void on_scalar(struct reader *reader, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;
	struct config_node *node = make_node(reader, CONFIG_SCALAR, mark);
	struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
	bool is_key = reader->depth && reader->levels[reader->depth - 1].node->kind == CONFIG_MAP &&
		      !reader->levels[reader->depth - 1].key;
	const char *copy;

	if (!node)
		return;
	refuse_tag(reader, event->data.scalar.tag, mark);
	if (text.size > CONFIG_TEXT_MAX) {
		fail(reader, mark, "the value is too long (expected at most %d bytes)", CONFIG_TEXT_MAX);
		return;
	}
	if (memchr(text.data, 0, text.size)) {
		fail(reader, mark, "the value holds a NUL character (expected text)");
		return;
	}
	copy = config_copy(reader->memory, text);
	node->text = slice_of(copy, copy ? text.size : 0);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (copy && !is_key)
		config_expand(node, reader->source, reader->memory, reader->errors);
	take_anchor(reader, event->data.scalar.anchor, node, mark);
	place(reader, node, mark);
	weigh(reader, node, mark);
}

static void on_open(struct reader *reader, enum config_kind kind, const yaml_char_t *tag, const yaml_char_t *anchor,
	const yaml_mark_t *mark)
{
	struct config_node *node = make_node(reader, kind, mark);

	if (!node)
		return;
	refuse_tag(reader, tag, mark);
	take_anchor(reader, anchor, node, mark);
	node->open = true;
	place(reader, node, mark);
	if (reader->depth == CONFIG_DEPTH_MAX)
		fail(reader, mark, "nested too deeply (expected at most %d levels)", CONFIG_DEPTH_MAX);
	if (!reader->broken)
		reader->levels[reader->depth++] = (struct level){.node = node};
}

static void on_close(struct reader *reader, const yaml_mark_t *mark)
{
	struct config_node *node;

	assert(reader->depth > 0); /* libyaml's events are balanced */
	node = reader->levels[--reader->depth].node;
	node->open = false;
	weigh(reader, node, mark);
}

static void on_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const yaml_mark_t *mark = &event->start_mark;
	struct config_node *node = NULL;
	unsigned i;

	for (i = reader->anchor_count; i > 0 && !node; i--) /* the latest of a name counts */
		if (reader->anchors[i - 1].name && strcmp(reader->anchors[i - 1].name, name) == 0)
			node = reader->anchors[i - 1].node;
	if (!node)
		fail(reader, mark, "nothing is anchored as \"%.64s\" above", name);
	else if (node->open)
		fail(reader, mark, "the alias \"%.64s\" holds itself", name);
	else if (++reader->alias_count > CONFIG_ALIASES_MAX)
		fail(reader, mark, "too many aliases (expected at most %d)", CONFIG_ALIASES_MAX);
	place(reader, node, mark);
	weigh(reader, node, mark);
}

static void on_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (reader->document_count++)
			fail(reader, &event->start_mark, "a second document begins here (expected one)");
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(reader, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(reader, CONFIG_LIST, event->data.sequence_start.tag, event->data.sequence_start.anchor,
			&event->start_mark);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(reader, CONFIG_MAP, event->data.mapping_start.tag, event->data.mapping_start.anchor,
			&event->start_mark);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_close(reader, &event->start_mark);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(reader, event);
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* An encoding error has an offset and no mark; a syntax error has a mark, the better one in problem_mark. */
static void complain_of_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_READER_ERROR)
		config_complain(
			reader->errors, 0, 0, "%s at byte %zu (expected UTF-8 text)", problem, parser->problem_offset);
	else if (parser->error == YAML_MEMORY_ERROR)
		reader->memory->failed = true;
	else
		config_complain(reader->errors, line_of(&parser->problem_mark), column_of(&parser->problem_mark),
			"%s%s%s (expected YAML)", problem, parser->context ? ", " : "",
			parser->context ? parser->context : "");
	reader->broken = true;
}

static void read_all(struct reader *reader)
{
	bool ended = false;

	while (!ended && !reader->broken) { /* each event takes bytes of a bounded text, or is the end */
		yaml_event_t event;

		if (!yaml_parser_parse(&reader->parser, &event)) {
			complain_of_syntax(reader);
			return;
		}
		ended = event.type == YAML_STREAM_END_EVENT;
		on_event(reader, &event);
		yaml_event_delete(&event);
	}
}

struct config_node *config_parse(
	const struct config_source *source, struct config_memory *memory, struct config_report *errors)
{
	struct reader reader = {.source = source, .memory = memory, .errors = errors};

	if (source->yaml.size > CONFIG_BYTES_MAX) {
		config_complain(errors, 0, 0, "the file is too large (expected at most %d bytes)", CONFIG_BYTES_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		memory->failed = true;
		return NULL;
	}
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source->yaml.data, source->yaml.size);
	read_all(&reader);
	yaml_parser_delete(&reader.parser);
	return reader.broken ? NULL : reader.root;
}

const struct config_node *config_member(const struct config_node *node, const char *name)
{
	return node && node->kind == CONFIG_MAP ? find(node, slice_of_string(name)) : NULL;
}

bool config_is_null(const struct config_node *node)
{
	return !node || (node->kind == CONFIG_SCALAR && node->plain &&
				(node->text.size == 0 || slice_equal(node->text, SLICE("~")) ||
					slice_equal_nocase(node->text, SLICE("null"))));
}
