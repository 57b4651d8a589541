/* ULIDs: 48 bits of Unix milliseconds and 80 random ones, spelt in 26 characters of Crockford's base 32. They sort by
 * time. */
#ifndef CORE_ULID_H
#define CORE_ULID_H

#include "core/rand.h"
#include "core/slice.h"

enum { ULID_TEXT_BYTES = 26 };

struct ulid {
	uint8_t bytes[16]; /* big-endian: memcmp orders by time */
};

struct ulid ulid_make(struct rand *rand, uint64_t wall_ns);
void ulid_print(const struct ulid *ulid, char text[static ULID_TEXT_BYTES]); /* no NUL */
bool ulid_parse(struct slice text, struct ulid *ulid);
uint64_t ulid_wall_ns(const struct ulid *ulid); /* when it was made, to the millisecond */

#endif
