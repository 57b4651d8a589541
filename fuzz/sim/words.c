/* See words.h. */
#include "fuzz/sim/words.h"

#include <stdint.h>

void words_add(struct bytes *text, size_t start, unsigned number, size_t least)
{
	static const struct slice words[] = {SLICE("\"the lazy\" dog "), SLICE("na\u00efvet\u00e9 "),
		SLICE("\u65e5\u672c\u8a9e "), SLICE("\U0001f98a "), SLICE("back\\slash "), SLICE("a\ttab and\na line "),
		SLICE("</script> "), SLICE("\u2028 "), SLICE("\x7f\x01 "), SLICE("data: x\n\n")};
	static const struct slice plain =
		SLICE("and the quick brown fox runs on through the night and through the day that follows it ");
	enum { WORDS = sizeof(words) / sizeof(*words) };

	for (unsigned i = number; text->size - start < least; i = i * 5 + number + 1) {
		size_t left;

		bytes_add(text, words[i % WORDS]);
		left = text->size - start < least ? least - (text->size - start) : 0;
		bytes_add(text, slice_of(plain.data, left < plain.size ? left : plain.size));
	}
}

/* The code point that begins at `at`, which is good UTF-8; *size: of its bytes. */
static uint32_t code_point(const char *at, unsigned *size)
{
	const unsigned char *u = (const unsigned char *)at;

	*size = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	switch (*size) {
	case 1:
		return u[0];
	case 2:
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	case 3:
		return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	default:
		return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
	}
}

static void add_unit(struct bytes *json, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[] = {
		'\\', 'u', digits[unit >> 12], digits[unit >> 8 & 15], digits[unit >> 4 & 15], digits[unit & 15]};

	bytes_add(json, slice_of(escape, sizeof(escape)));
}

static void add_escape(struct bytes *json, uint32_t point)
{
	static const char plain[] = "\"\\/\b\f\n\r\t", letters[] = "\"\\/bfnrt";
	const char *found = point && point < 0x80 ? strchr(plain, (int)point) : NULL;
	char escape[2] = {'\\'};

	if (found) {
		escape[1] = letters[found - plain];
		bytes_add(json, slice_of(escape, sizeof(escape)));
	} else if (point < 0x10000) {
		add_unit(json, point);
	} else {
		add_unit(json, 0xd800 + ((point - 0x10000) >> 10));
		add_unit(json, 0xdc00 + (point & 0x3ff));
	}
}

void words_escape(struct bytes *json, struct slice text, unsigned style)
{
	const char *end = text.data + text.size, *plain = text.data;
	unsigned size;

	for (const char *at = text.data; at < end; at += size) {
		uint32_t point = code_point(at, &size);
		bool has_to = point < 0x20 || point == '"' || point == '\\';
		bool may =
			style == 1 ? point >= 0x7f || point == '/' : style == 2 && point > 0x7f && (at - text.data) % 2;

		if (!has_to && !may)
			continue;
		bytes_add(json, slice_of(plain, (size_t)(at - plain)));
		add_escape(json, point);
		plain = at + size;
	}
	bytes_add(json, slice_of(plain, (size_t)(end - plain)));
}
