/* A compiled schema's nodes: between the files of json_schema.h alone. */
#ifndef PROTO_JSON_SCHEMA_NODE_H
#define PROTO_JSON_SCHEMA_NODE_H

#include "core/config_memory.h"
#include "proto/json/json_schema.h"

#include <stdint.h>

enum { SCHEMA_NODES_MAX = 4096, SCHEMA_STEPS_MAX = 1000000, SCHEMA_DEPTH_MAX = 512 };

/* Of values, as bits; an integer is a number as well. */
enum {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_INTEGER = 4,
	TYPE_NUMBER = 8,
	TYPE_STRING = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64
};

struct schema_scalar { /* of enum and const */
	unsigned type; /* one bit; numbers: TYPE_NUMBER */
	bool truth;
	double number;
	struct slice text;
};

struct schema_property {
	struct slice name;
	const struct schema_node *node;
};

struct schema_nodes {
	unsigned count;
	const struct schema_node **list;
};

struct schema_node {
	bool never;     /* `false` */
	unsigned types; /* 0: any */
	bool has_values;
	unsigned value_count, required_count, property_count;
	struct schema_scalar *values;
	struct slice *required;
	struct schema_property *properties;                          /* by name */
	const struct schema_node *additional, *items, *not, *refers; /* NULL: there is none */
	struct schema_nodes all, any, one;
	double minimum, maximum, above, below, multiple; /* NaN: none */
	uint64_t length_min, length_max, items_min, items_max, members_min, members_max;
	unsigned char color; /* while cycles are looked for */
};

struct json_schema {
	struct config_memory memory;
	const struct schema_node *root;
};

extern const struct slice schema_type_names[7]; /* by the bit's number */

#endif
