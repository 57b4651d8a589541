/* Single values of the schema walk: a scalar's text to what its field holds. */
#ifndef CORE_SCHEMA_VALUE_H
#define CORE_SCHEMA_VALUE_H

#include "core/schema.h"

/* What the field wants, for messages. Returns `buffer`, or a static text. */
const char *schema_expected(const struct schema_field *field, char *buffer, size_t bytes);

/* Complains: NAME: VALUE is wrong (expected ...). */
void schema_refuse(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, const char *name);

/* Reads a scalar of type STRING, BOOL, INTEGER, DECIMAL, ENUM or PARSED; complains and returns false when it does not
 * fit. */
bool schema_read_value(
	struct schema_walk *walk, const struct schema_field *field, const struct config_node *node, void *place);

/* Whether a text is one that a STRING or an item of STRINGS accepts. */
bool schema_accepts(const struct schema_field *field, struct slice text);

/* Integers of 1, 2, 4, 8 bytes. */
void schema_store(const struct schema_field *field, void *place, int64_t value);
int64_t schema_fetch(const struct schema_field *field, const void *place);

/* An exact decimal without exponent, times 10^digits: "0.15" with 6 is 150000. False: no such number, too fine, or too
 * large. */
bool schema_decimal(struct slice text, unsigned digits, int64_t *value);

/* The other way, for values that are not negative: 3.5 for 3500000000 with nine digits. */
void schema_print_decimal(int64_t value, unsigned digits, char *buffer, size_t bytes);

#endif
