/* Escapes in strings (RFC 8259 section 7): whether they are right, and what they stand for. */
#include "proto/json/json_view.h"

/* What the byte behind a backslash stands for; 0: none. `u` has its own way. */
static const char simple[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['/'] = '/',
	['b'] = '\b',
	['f'] = '\f',
	['n'] = '\n',
	['r'] = '\r',
	['t'] = '\t',
};

enum { UNIT_BYTES = 6, PAIR_BYTES = 12 };

static inline const char *find_escape(const char *from, const char *end)
{
	const char *found = memchr(from, '\\', (size_t)(end - from));

	return found ? found : end;
}

const char *json_find_escape(const char *from, const char *end)
{
	return find_escape(from, end);
}

/* The four digits behind \u; -1 when they are not. */
static int32_t read_unit(const char *escape)
{
	int32_t unit = 0;

	for (unsigned i = 2; i < UNIT_BYTES; i++) {
		char c = escape[i];

		if (c >= '0' && c <= '9')
			unit = unit * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			unit = unit * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return unit;
}

static bool is_unit(const char *escape, const char *end, int32_t least, int32_t most)
{
	int32_t unit;

	if (end - escape < UNIT_BYTES || escape[0] != '\\' || escape[1] != 'u')
		return false;
	unit = read_unit(escape);
	return unit >= least && unit <= most;
}

static size_t unit_bytes(const char *escape, const char *end)
{
	if (is_unit(escape, end, 0, 0xd7ff) || is_unit(escape, end, 0xe000, 0xffff))
		return UNIT_BYTES;
	if (is_unit(escape, end, 0xd800, 0xdbff) && is_unit(escape + UNIT_BYTES, end, 0xdc00, 0xdfff))
		return PAIR_BYTES;
	return 0;
}

/* Of the escape at a backslash before `end`: how many bytes it has, or 0 when it is wrong. */
static inline size_t escape_bytes(const char *escape, const char *end)
{
	if (end - escape < 2)
		return 0;
	return simple[(unsigned char)escape[1]] ? 2 : unit_bytes(escape, end);
}

const char *json_check_escapes(const char *escape, const char *behind, const char *end)
{
	while (escape < behind) {
		size_t size = escape_bytes(escape, end);

		if (!size)
			return NULL;
		escape = find_escape(escape + size, end);
	}
	return escape;
}

/* RFC 3629 section 3. */
static size_t write_utf8(uint32_t c, char *text)
{
	unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};

	text[0] = (char)(leads[more] | c >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		text[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

static uint32_t read_character(const char *escape)
{
	uint32_t unit = (uint32_t)read_unit(escape);

	if (unit < 0xd800 || unit > 0xdbff)
		return unit;
	return 0x10000 + ((unit - 0xd800) << 10) + ((uint32_t)read_unit(escape + UNIT_BYTES) - 0xdc00);
}

size_t json_unescape(struct slice string, char *text)
{
	const char *at = string.data, *end = string.data + string.size;
	size_t size = 0;

	while (at < end) {
		const char *escape = find_escape(at, end);

		memcpy(text + size, at, (size_t)(escape - at));
		size += (size_t)(escape - at);
		if (escape == end)
			break;
		if (escape[1] == 'u')
			size += write_utf8(read_character(escape), text + size);
		else
			text[size++] = simple[(unsigned char)escape[1]];
		at = escape + escape_bytes(escape, end);
	}
	return size;
}
