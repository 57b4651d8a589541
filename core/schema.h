/*
 * From a configuration tree to structs, driven by tables. A table (struct schema) lists the fields of one map: name,
 * type, where the value goes, range, default. The walk fills in every field, told or not; it complains of unknown names
 * (with the nearest known one), wrong types and values, and what is missing, and goes on. After complaints the structs
 * hold defaults in those places and are still safe to look at.
 */
#ifndef CORE_SCHEMA_H
#define CORE_SCHEMA_H

#include "core/config_tree.h"
#include "core/config_values.h"

struct schema;

enum schema_type {
	SCHEMA_STRING,  /* char *; `names` or `check` restrict it */
	SCHEMA_BOOL,    /* an integer of any size, 0 or 1 */
	SCHEMA_INTEGER, /* an integer of any size; min..max as written, times `unit` as stored */
	SCHEMA_DECIMAL, /* int64_t or uint32_t: the exact decimal times 10^digits; min..max are scaled as well */
	SCHEMA_ENUM,    /* an integer of any size: the index in `names` */
	SCHEMA_PARSED,  /* whatever `parse` writes */
	SCHEMA_FLAGS,   /* uint32_t: a list of names, bit i for names[i] */
	SCHEMA_STRINGS, /* struct strings: a list; `names` or `check` restrict each */
	SCHEMA_PAIRS,   /* struct named_value *, and a count: a map with free names to strings */
	SCHEMA_OBJECT,  /* a map with a table of its own, whose offsets count from this field's */
	SCHEMA_LIST,    /* a pointer to items, and a count: a list of maps */
	SCHEMA_NAMED,   /* the same from a map with free names; an item begins with `char *` for its name */
	SCHEMA_ANY,     /* char *: any map, list or text, as JSON */
};

/* Appends what `field` holds as JSON. */
struct text;
typedef void schema_print(const void *field, struct text *json);

/* What this build makes of a field that is set to something else than its default. */
enum schema_build { SCHEMA_BUILT, SCHEMA_LACKS /* refuse */, SCHEMA_IGNORES /* warn */ };

/* Refuses a text: false. */
typedef bool schema_check(struct slice text);

/* Reads a text into `field`: false when it is not as it should be; then nothing has changed. */
typedef bool schema_parse(struct slice text, void *field, struct config_memory *memory);

struct schema_field {
	const char *name;
	enum schema_type type;
	bool required;
	bool secret; /* its value never stands in a message */
	enum schema_build build;
	uint8_t digits;                  /* DECIMAL */
	uint16_t offset, size;           /* of the member */
	uint16_t count_offset;           /* LIST, NAMED, PAIRS: an unsigned */
	uint16_t present_at;             /* 1 + offset of a bool that tells whether the field was given; 0: none */
	uint16_t item_size, item_offset; /* LIST, NAMED: an item; where its table's offsets count from */
	const char *fallback;            /* the default, as YAML text; lists: words; NULL: `absent` */
	int64_t absent;                  /* the default of integers without `fallback` */
	int64_t min, max;                /* STRING: bytes, when max is set; LIST: items, likewise */
	int64_t unit;                    /* 0: 1 */
	const char *const *names;        /* NULL-terminated */
	const char *expected;            /* what `check` or `parse` wants, for messages */
	schema_check *check;
	schema_parse *parse;
	schema_print *print; /* PARSED: as JSON */
	const struct schema *object;
};

struct schema {
	const struct schema_field *fields;
	unsigned count;
};

#define SCHEMA(table)                                                                                                  \
	{                                                                                                              \
		(table), sizeof(table) / sizeof((table)[0])                                                            \
	}

struct schema_walk {
	struct config_memory *memory;
	struct config_report *errors, *warnings;
	bool quiet; /* what is missing was told above */
	bool typed; /* the document tells texts from numbers, as JSON does: a text has to be one */
};

/*
 * Reads `node` (NULL: nothing was given, all defaults) into `target`, which is zeroed. `owner` is where to point at
 * when a required field is missing.
 */
void schema_read(struct schema_walk *walk, const struct schema *schema, const struct config_node *node,
	const struct config_node *owner, void *target);

/* Appends the fields that `base` holds as JSON members, `"name":value` with commas between; a table without PARSED rows
 * that lack `print`, and without NAMED. */
void schema_print_members(const struct schema *schema, const void *base, struct text *json);

#endif
