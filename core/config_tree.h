/*
 * YAML as a tree whose nodes know where they stand. `${VAR}` and `${VAR:-default}` are replaced in values (`$${` is a
 * literal
 * `${`). Bounded in bytes, nodes, depth and aliases; an alias shares the node of its anchor, so the tree may be a graph
 * without cycles. Everything belongs to the config_memory.
 */
#ifndef CORE_CONFIG_TREE_H
#define CORE_CONFIG_TREE_H

#include "core/config_report.h"

enum {
	CONFIG_BYTES_MAX = 16 << 20,
	CONFIG_NODES_MAX = 1 << 20, /* counted with what aliases repeat */
	CONFIG_MAP_MAX = 4096,      /* entries of one map: looking for duplicates is quadratic */
	CONFIG_DEPTH_MAX = 32,
	CONFIG_ANCHORS_MAX = 64,
	CONFIG_ALIASES_MAX = 256,
	CONFIG_TEXT_MAX = 64 << 10, /* bytes of one scalar after replacement */
};

enum config_kind { CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

struct config_entry {
	struct config_entry *next;
	struct config_node *key; /* a scalar; NULL in a list */
	struct config_node *value;
};

struct config_node {
	enum config_kind kind;
	unsigned line, column; /* from 1 */
	struct slice text;     /* scalar; a NUL follows */
	bool plain;            /* scalar without quotes: may be null, a number, a boolean */
	bool replaced;         /* scalar with a variable in it: quotes then do not make it a text */
	bool open;             /* still being read: an alias to it would be a cycle */
	unsigned count;        /* entries */
	unsigned weight;       /* nodes below and itself, aliases counted each time */
	struct config_entry *first, *last;
};

/* The value of an environment variable, NULL when it is not set. `name` is NUL-terminated. */
typedef const char *config_lookup(void *context, const char *name);

struct config_source {
	struct slice yaml;
	config_lookup *lookup;
	void *lookup_context;
};

/* The root, or NULL when the text is not YAML (told in `errors`) or holds nothing. */
struct config_node *config_parse(
	const struct config_source *source, struct config_memory *memory, struct config_report *errors);

/* The value under that name; NULL when `node` is no map or has none. */
const struct config_node *config_member(const struct config_node *node, const char *name);

/* Nothing, `~` or `null`, without quotes; also true for no node. */
bool config_is_null(const struct config_node *node);

#endif
