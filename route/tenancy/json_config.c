/* JSON to configuration trees: see json_config.h. */
#include "route/tenancy/json_config.h"

#include "core/buffer.h"

#include <stdlib.h>
#include <string.h>

struct level {
	struct config_node *node;
	json_ref next; /* child */
};

static unsigned add_path(struct json_config *config, unsigned parent, struct slice key)
{
	const char *before = config->paths[parent];
	size_t size = strlen(before), dot = size ? 1 : 0;
	char *path;

	if (config->count >= JSON_CONFIG_VALUES_MAX) {
		config_complain(config->report, parent, 0, "the document has too many values (expected at most %d)",
			JSON_CONFIG_VALUES_MAX);
		return 0;
	}
	path = config_alloc(config->memory, size + dot + key.size + 1, 1);
	if (!path)
		return 0;
	memcpy(path, before, size);
	if (dot)
		path[size] = '.';
	if (key.size)
		memcpy(path + size + dot, key.data, key.size);
	config->paths[++config->count] = path;
	return config->count;
}

static struct config_node *make_scalar(struct json_config *config, unsigned line, struct slice text, bool plain)
{
	struct config_node *node = config_alloc(config->memory, 1, sizeof(*node));
	const char *copy = config_copy(config->memory, text);

	if (!node || !copy)
		return NULL;
	if (memchr(copy, 0, text.size)) {
		config_complain(config->report, line, 0, "the value holds a NUL character (expected text)");
		return NULL;
	}
	*node = (struct config_node){
		.kind = CONFIG_SCALAR, .line = line, .text = slice_of(copy, text.size), .plain = plain, .weight = 1};
	return node;
}

static struct config_node *make_node(
	struct json_config *config, const struct json_parser *json, json_ref value, unsigned line)
{
	enum json_type type = json_type(json, value);
	struct config_node *node;

	if (type == JSON_STRING)
		return make_scalar(config, line, json_string(json, value), false);
	if (type != JSON_ARRAY && type != JSON_OBJECT)
		return make_scalar(config, line, json_raw(json, value), true);
	node = config_alloc(config->memory, 1, sizeof(*node));
	if (node)
		*node = (struct config_node){
			.kind = type == JSON_ARRAY ? CONFIG_LIST : CONFIG_MAP, .line = line, .weight = 1};
	return node;
}

void json_config_put(struct config_node *map, struct config_entry *entry)
{
	entry->next = NULL;
	if (map->last)
		map->last->next = entry;
	else
		map->first = entry;
	map->last = entry;
	map->count++;
}

static bool add_child(struct json_config *config, const struct json_parser *json, struct config_node *parent,
	json_ref value, struct config_node **child)
{
	struct config_entry *entry = config_alloc(config->memory, 1, sizeof(*entry));
	bool named = parent->kind == CONFIG_MAP;
	struct slice key = named ? json_key(json, value) : slice_of(NULL, 0);
	unsigned line = named ? add_path(config, parent->line, key) : parent->line;

	if (!entry || !line)
		return false;
	if (named)
		entry->key = make_scalar(config, line, key, true);
	entry->value = make_node(config, json, value, line);
	*child = entry->value;
	if (!entry->value || (named && !entry->key))
		return false;
	if (named && config_member(parent, entry->key->text.data))
		config_complain(
			config->report, line, 0, "\"%.64s\" is given twice (expected once)", entry->key->text.data);
	else
		json_config_put(parent, entry);
	return true;
}

struct config_node *json_config_read(struct json_config *config, const struct json_parser *json, json_ref value)
{
	struct level levels[JSON_CONFIG_DEPTH_MAX];
	struct config_node *root, *child;
	unsigned depth = 0;

	if (!config->count)
		config->paths[++config->count] = "";
	root = make_node(config, json, value, 1);
	if (root && root->kind != CONFIG_SCALAR)
		levels[depth++] = (struct level){root, json_first(json, value)};
	while (depth) { /* each turn takes a value of a document that is bounded, or ends a level */
		struct level *level = &levels[depth - 1];
		json_ref at = level->next;

		if (at == JSON_NONE) {
			depth--;
			continue;
		}
		level->next = json_next(json, at);
		if (!add_child(config, json, level->node, at, &child))
			return NULL;
		if (child->kind == CONFIG_SCALAR)
			continue;
		if (depth == JSON_CONFIG_DEPTH_MAX) {
			config_complain(config->report, child->line, 0,
				"nested too deeply (expected at most %d levels)", JSON_CONFIG_DEPTH_MAX);
			return NULL;
		}
		levels[depth++] = (struct level){child, json_first(json, at)};
	}
	return root;
}

void json_config_unlink(struct config_node *parent, struct config_entry *before, struct config_entry *entry)
{
	if (before)
		before->next = entry->next;
	else
		parent->first = entry->next;
	if (parent->last == entry)
		parent->last = before;
	parent->count--;
}

struct config_entry *json_config_take(struct config_node *map, const char *name)
{
	struct config_entry *before = NULL, *entry = map->kind == CONFIG_MAP ? map->first : NULL;

	while (entry && !slice_equal(entry->key->text, slice_of_string(name))) {
		before = entry;
		entry = entry->next;
	}
	if (!entry)
		return NULL;
	json_config_unlink(map, before, entry);
	return entry;
}

struct config_node *json_config_add_map(struct json_config *config, struct config_node *map, const char *name)
{
	struct config_entry *entry = config_alloc(config->memory, 1, sizeof(*entry));
	unsigned line = add_path(config, map->line, slice_of_string(name));

	if (!entry || !line)
		return NULL;
	entry->key = make_scalar(config, line, slice_of_string(name), true);
	entry->value = config_alloc(config->memory, 1, sizeof(*entry->value));
	if (!entry->key || !entry->value)
		return NULL;
	*entry->value = (struct config_node){.kind = CONFIG_MAP, .line = line, .weight = 1};
	json_config_put(map, entry);
	return entry->value;
}

/* One level: members that are maps on both sides are told to `deeper`, or replaced when it is NULL. */
static void merge_members(struct config_node *target, const struct config_node *patch,
	void (*deeper)(struct config_node *target, const struct config_node *patch))
{
	struct config_entry *next;

	for (struct config_entry *entry = patch->first; entry; entry = next) {
		const struct config_node *old = config_member(target, entry->key->text.data);
		struct config_entry *taken;

		next = entry->next;
		if (deeper && old && old->kind == CONFIG_MAP && entry->value->kind == CONFIG_MAP) {
			taken = json_config_take(target, entry->key->text.data);
			deeper(taken->value, entry->value);
			json_config_put(target, taken);
			continue;
		}
		json_config_take(target, entry->key->text.data);
		json_config_put(target, entry); /* null stays as null, which is as if it were not given */
	}
}

static void merge_last_level(struct config_node *target, const struct config_node *patch)
{
	merge_members(target, patch, NULL);
}

void json_config_merge(struct config_node *target, const struct config_node *patch)
{
	merge_members(target, patch, merge_last_level);
}

char *json_config_pad(struct slice document)
{
	char *copy = malloc(document.size + BUFFER_PADDING_BYTES);

	if (copy && document.size)
		memcpy(copy, document.data, document.size);
	if (copy)
		memset(copy + document.size, 0, BUFFER_PADDING_BYTES);
	return copy;
}
