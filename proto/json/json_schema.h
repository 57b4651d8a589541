/*
 * JSON Schema: whether a value of the view is as a schema says, and where it first is not. A schema is compiled once;
 * checking allocates nothing and ends, whatever the value is: a check takes a bounded number of steps.
 *
 * Read are, of drafts 6 to 2020-12: type, enum and const of scalars, properties, required, additionalProperties, min-
 * and maxProperties, items (one schema), min- and maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
 * multipleOf, min- and maxLength, allOf, anyOf, oneOf, not, and $ref within the document. Annotations (title, format
 * ...) say nothing, as the standard leaves it. Other keywords are refused rather than passed over: who relies on them
 * would not be told. `pattern` is among those, since no matcher of its language is bounded in time.
 */
#ifndef PROTO_JSON_SCHEMA_H
#define PROTO_JSON_SCHEMA_H

#include "core/text.h"
#include "proto/json/json.h"

struct json_schema;

/* NULL: *why says what will not do, or that memory is out. */
struct json_schema *json_schema_make(struct slice document, struct text *why);
void json_schema_free(struct json_schema *schema); /* NULL is nothing */

/* False: `what` is wrong at the value `where` (".a.b[2]", empty for the whole); both may come out full, which only cuts
 * them. */
bool json_schema_check(const struct json_schema *schema, const struct json_parser *json, json_ref value,
	struct text *where, struct text *what);

#endif
