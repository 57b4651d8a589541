/*
 * A JSON document as the tree that the configuration's tables read, so that the admin API checks a field as the YAML
 * does. A node's `line` is the number of its place in the document, whose path complaints are told with ("limits.rpm").
 */
#ifndef ROUTE_JSON_CONFIG_H
#define ROUTE_JSON_CONFIG_H

#include "core/config_tree.h"
#include "proto/json/json.h"

enum { JSON_CONFIG_VALUES_MAX = 16384, JSON_CONFIG_DEPTH_MAX = 32 };

struct json_config {
	struct config_memory *memory; /* of trees and paths */
	struct config_report *report; /* what is wrong with a document */
	unsigned count;
	const char *paths[JSON_CONFIG_VALUES_MAX + 1]; /* by line; the first is the document's, "" */
};

/* NULL when it was not read; what is wrong (also without NULL: a member given twice) is in the report. */
struct config_node *json_config_read(struct json_config *config, const struct json_parser *json, json_ref value);

/* A copy of a document with BUFFER_PADDING_BYTES behind it, as json_parse() wants; to be freed. NULL: memory is out. */
char *json_config_pad(struct slice document);

/* RFC 7396, for two levels of members: null takes away, a map changes its members, anything else replaces. Takes the
 * patch's entries; both are of the same memory. */
void json_config_merge(struct config_node *target, const struct config_node *patch);

/* Takes the member out of a map; NULL when it has none. */
struct config_entry *json_config_take(struct config_node *map, const char *name);

/* Takes `entry`, which stands behind `before` (NULL: first), out of a map or a list. */
void json_config_unlink(struct config_node *parent, struct config_entry *before, struct config_entry *entry);

/* Puts an entry of another map, or of this one, at the end of a map. */
void json_config_put(struct config_node *map, struct config_entry *entry);

/* An empty map as a new member of `map`. NULL when memory is out. */
struct config_node *json_config_add_map(struct json_config *config, struct config_node *map, const char *name);

#endif
