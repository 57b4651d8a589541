/* ULIDs (github.com/ulid/spec): 128 bits in 26 digits of 5, so the first digit carries only 3. */
#include "core/ulid.h"

#include "core/clock.h"

enum { TIME_BYTES = 6, DIGIT_BITS = 5, DIGIT_MASK = 31 };

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct ulid ulid_make(struct rand *rand, uint64_t wall_ns)
{
	uint64_t ms = wall_ns / NS_PER_MS, high = rand_u64(rand), low = rand_u64(rand);
	struct ulid ulid;

	for (unsigned i = 0; i < TIME_BYTES; i++)
		ulid.bytes[i] = (uint8_t)(ms >> (8 * (TIME_BYTES - 1 - i)));
	memcpy(ulid.bytes + TIME_BYTES, &high, sizeof(high));
	memcpy(ulid.bytes + TIME_BYTES + sizeof(high), &low, sizeof(ulid.bytes) - TIME_BYTES - sizeof(high));
	return ulid;
}

void ulid_print(const struct ulid *ulid, char text[static ULID_TEXT_BYTES])
{
	unsigned __int128 value = 0;

	for (unsigned i = 0; i < sizeof(ulid->bytes); i++)
		value = value << 8 | ulid->bytes[i];
	for (unsigned i = ULID_TEXT_BYTES; i-- > 0; value >>= DIGIT_BITS)
		text[i] = digits[(unsigned)value & DIGIT_MASK];
}

/* Lower case is read as well, as the specification has it. -1: no digit. */
static int digit_value(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	found = c ? strchr(digits, c) : NULL;
	return found ? (int)(found - digits) : -1;
}

bool ulid_parse(struct slice text, struct ulid *ulid)
{
	unsigned __int128 value = 0;

	if (text.size != ULID_TEXT_BYTES || text.data[0] > '7')
		return false;
	for (unsigned i = 0; i < ULID_TEXT_BYTES; i++) {
		int digit = digit_value(text.data[i]);

		if (digit < 0)
			return false;
		value = value << DIGIT_BITS | (unsigned)digit;
	}
	for (unsigned i = sizeof(ulid->bytes); i-- > 0; value >>= 8)
		ulid->bytes[i] = (uint8_t)value;
	return true;
}

uint64_t ulid_wall_ns(const struct ulid *ulid)
{
	uint64_t ms = 0;

	for (unsigned i = 0; i < TIME_BYTES; i++)
		ms = ms << 8 | ulid->bytes[i];
	return ms * NS_PER_MS;
}
