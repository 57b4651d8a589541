/*
 * Formatting into the caller's memory. Each value is added whole or not at all, except strings of JSON, which are cut
 * where full.
 */
#include "core/text.h"

#include "core/clock.h"

enum { DECIMAL_BYTES_MAX = 20, NUSD_PER_USD = 1000000000, NUSD_PER_USD_DIGITS = 9 };

void text_string(struct text *t, const char *string)
{
	text_add(t, slice_of_string(string));
}

void text_char(struct text *t, char c)
{
	text_add(t, slice_of(&c, 1));
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				  "8081828384858687888990919293949596979899";

/* Writes backwards from `end`, at least `digits_min` digits; returns where the number starts. */
static char *decimal_before(char *end, uint64_t value, unsigned digits_min)
{
	char *p = end;

	while (value >= 100) {
		p -= 2;
		memcpy(p, digit_pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10) {
		p -= 2;
		memcpy(p, digit_pairs + 2 * value, 2);
	} else {
		*--p = (char)('0' + value);
	}
	while ((size_t)(end - p) < digits_min)
		*--p = '0';
	return p;
}

void text_u64(struct text *t, uint64_t value)
{
	char digits[DECIMAL_BYTES_MAX], *end = digits + sizeof(digits), *start = decimal_before(end, value, 1);

	text_add(t, slice_of(start, (size_t)(end - start)));
}

/* Also for INT64_MIN, which has no positive counterpart among int64_t. */
static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

void text_i64(struct text *t, int64_t value)
{
	char digits[DECIMAL_BYTES_MAX + 1], *end = digits + sizeof(digits);
	char *start = decimal_before(end, magnitude(value), 1);

	if (value < 0)
		*--start = '-';
	text_add(t, slice_of(start, (size_t)(end - start)));
}

void text_hex(struct text *t, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = bytes;

	if (t->full || (t->capacity - t->size) / 2 < size) {
		t->full = true;
		return;
	}
	for (size_t i = 0; i < size; i++) {
		t->data[t->size++] = digits[b[i] >> 4];
		t->data[t->size++] = digits[b[i] & 15];
	}
}

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t text_utf8_bytes(const void *bytes_at, size_t size)
{
	const uint8_t *p = (const uint8_t *)bytes_at;
	uint8_t second_min = 0x80, second_max = 0xbf;
	size_t bytes;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	bytes = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		second_min = 0xa0; /* shorter forms */
	else if (p[0] == 0xed)
		second_max = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		second_min = 0x90;
	else if (p[0] == 0xf4)
		second_max = 0x8f; /* above U+10FFFF */
	if (size < bytes || p[1] < second_min || p[1] > second_max)
		return 0;
	for (size_t i = 2; i < bytes; i++)
		if (!is_continuation(p[i]))
			return 0;
	return bytes;
}

static void escape(struct text *t, uint8_t byte)
{
	switch (byte) {
	case '"':
		text_literal(t, "\\\"");
		return;
	case '\\':
		text_literal(t, "\\\\");
		return;
	case '\n':
		text_literal(t, "\\n");
		return;
	case '\r':
		text_literal(t, "\\r");
		return;
	case '\t':
		text_literal(t, "\\t");
		return;
	default:
		text_literal(t, "\\u00");
		text_hex(t, &byte, 1);
	}
}

/* Whether eight bytes are ASCII that stands in JSON as it is: no control, quote, backslash ("Bit Twiddling Hacks"). */
static bool eight_are_plain(const uint8_t *p)
{
	const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
	uint64_t v, quote, backslash;

	memcpy(&v, p, sizeof(v));
	quote = v ^ ones * '"';
	backslash = v ^ ones * '\\';
	return !(
		(v | ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs);
}

/* How many bytes from `p` on stand in JSON as they are. */
static size_t plain_bytes(const uint8_t *p, size_t size)
{
	size_t plain = 0;

	while (plain < size) {
		size_t bytes = 1;

		if (size - plain >= 8 && eight_are_plain(p + plain)) {
			plain += 8;
			continue;
		}
		if (p[plain] >= 0x80)
			bytes = text_utf8_bytes(p + plain, size - plain);
		else if (p[plain] < 0x20 || p[plain] == '"' || p[plain] == '\\')
			bytes = 0;
		if (!bytes)
			break;
		plain += bytes;
	}
	return plain;
}

void text_json(struct text *t, struct slice s)
{
	const uint8_t *p = (const uint8_t *)s.data;
	size_t left = s.size;

	text_char(t, '"');
	while (left > 0 && !t->full) {
		size_t plain = plain_bytes(p, left);

		text_add(t, slice_of(p, plain));
		p += plain;
		left -= plain;
		if (!left)
			break;
		if (*p < 0x80)
			escape(t, *p);
		else
			text_literal(t, "\xef\xbf\xbd");
		p++;
		left--;
	}
	text_char(t, '"');
}

void text_json_or_null(struct text *t, struct slice s)
{
	if (s.data)
		text_json(t, s);
	else
		text_literal(t, "null");
}

void text_usd(struct text *t, int64_t nusd)
{
	char digits[DECIMAL_BYTES_MAX + 2], *end = digits + sizeof(digits), *start;
	uint64_t whole = magnitude(nusd) / NUSD_PER_USD, fraction = magnitude(nusd) % NUSD_PER_USD;
	unsigned places = NUSD_PER_USD_DIGITS;

	start = end;
	if (fraction) {
		for (; fraction % 10 == 0; fraction /= 10)
			places--;
		start = decimal_before(end, fraction, places);
		*--start = '.';
	}
	start = decimal_before(start, whole, 1);
	if (nusd < 0)
		*--start = '-';
	text_add(t, slice_of(start, (size_t)(end - start)));
}

struct date {
	uint64_t year;
	unsigned month, day;
};

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days, for days since 1970 only. */
static struct date date_of_days(uint64_t days)
{
	uint64_t z = days + 719468, era = z / 146097, day_of_era = z % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month_from_march = (5 * day_of_year + 2) / 153;
	unsigned month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);

	return (struct date){year_of_era + era * 400 + (month <= 2), month,
		(unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

void text_rfc3339(struct text *t, uint64_t wall_ns)
{
	char form[] = "0000-00-00T00:00:00.000000Z";
	uint64_t us = wall_ns / NS_PER_US, second = us / 1000000 % 86400;
	struct date date = date_of_days(us / 1000000 / 86400);

	decimal_before(form + 4, date.year, 4);
	decimal_before(form + 7, date.month, 2);
	decimal_before(form + 10, date.day, 2);
	decimal_before(form + 13, second / 3600, 2);
	decimal_before(form + 16, second / 60 % 60, 2);
	decimal_before(form + 19, second % 60, 2);
	decimal_before(form + 26, us % 1000000, 6);
	text_add(t, slice_of(form, sizeof(form) - 1));
}

void text_milli(struct text *t, uint64_t value)
{
	char digits[DECIMAL_BYTES_MAX + 1], *end = digits + sizeof(digits);
	char *start = decimal_before(end, value % 1000, 3);

	*--start = '.';
	start = decimal_before(start, value / 1000, 1);
	text_add(t, slice_of(start, (size_t)(end - start)));
}
