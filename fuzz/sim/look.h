/*
 * A look into JSON by rules of its own, so that what the gateway's parser lets pass wrongly is seen. Slices of values
 * are raw: a string has its quotes. A slice with NULL data is "not there".
 */
#ifndef FUZZ_SIM_LOOK_H
#define FUZZ_SIM_LOOK_H

#include "fuzz/sim/bytes.h"

bool look_valid(struct slice document); /* one value, by RFC 8259, and nothing behind it but white space */
struct slice look_member(struct slice object, const char *name); /* of a valid document; the first of that name */
struct slice look_item(struct slice array, unsigned index);
struct slice look_string(
	struct slice value); /* what is between the quotes, escapes as they are; NULL data: no string */
void look_text(struct slice string, struct bytes *text); /* appends what the escapes of look_string() stand for */
bool look_integer(struct slice value, int64_t *integer);

/* A decimal number of USD as nano-USD; false when it is none, or has digits beyond. */
bool look_nusd(struct slice value, int64_t *nusd);

#endif
