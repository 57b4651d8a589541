/* See look.h. */
#include "fuzz/sim/look.h"

enum { DEPTH_MAX = 64 };

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Each byte of `word` that is zero has its high bit in the result, and none does when there is none. */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

/* Over what is no quote, no escape and no control character, in steps of eight. Most of what is looked at is text. */
static const char *skip_plain(const char *at, const char *end)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t word;

	for (; end - at >= 8; at += 8) {
		memcpy(&word, at, sizeof(word));
		if (zero_bytes(word ^ ones * '"') | zero_bytes(word ^ ones * '\\') |
			((word - ones * 0x20) & ~word & ones * 0x80))
			break;
	}
	return at;
}

/* From the quote on; behind the closing one, or NULL. */
static const char *skip_string(const char *at, const char *end)
{
	for (at = skip_plain(at + 1, end); at < end && *at != '"'; at = skip_plain(at + 1, end)) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at != '\\')
			continue;
		if (++at >= end || !memchr("\"\\/bfnrtu", *at, 9))
			return NULL;
		if (*at != 'u')
			continue;
		for (int i = 0; i < 4; i++)
			if (++at >= end || !is_hex(*at))
				return NULL;
	}
	return at < end ? at + 1 : NULL;
}

static const char *skip_digits(const char *at, const char *end)
{
	const char *first = at;

	while (at < end && is_digit(*at))
		at++;
	return at > first ? at : NULL;
}

static const char *skip_number(const char *at, const char *end)
{
	if (at < end && *at == '-')
		at++;
	if (at < end && *at == '0')
		at++;
	else
		at = skip_digits(at, end);
	if (at && at < end && *at == '.')
		at = skip_digits(at + 1, end);
	if (at && at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = skip_digits(at, end);
	}
	return at;
}

static const char *skip_word(const char *at, const char *end, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

static const char *skip_value(const char *at, const char *end, unsigned depth);

/* What stands between two brackets; `at` is behind the first. */
static const char *skip_members(const char *at, const char *end, char close, unsigned depth)
{
	at = skip_space(at, end);
	if (at < end && *at == close)
		return at + 1;
	for (;;) {
		if (close == '}') {
			at = at < end && *at == '"' ? skip_string(at, end) : NULL;
			at = at ? skip_space(at, end) : NULL;
			if (!at || at >= end || *at++ != ':')
				return NULL;
			at = skip_space(at, end);
		}
		at = skip_value(at, end, depth);
		at = at ? skip_space(at, end) : NULL;
		if (!at || at >= end)
			return NULL;
		if (*at == close)
			return at + 1;
		if (*at++ != ',')
			return NULL;
		at = skip_space(at, end);
	}
}

static const char *skip_value(const char *at, const char *end, unsigned depth)
{
	if (at >= end || depth >= DEPTH_MAX)
		return NULL;
	switch (*at) {
	case '{':
		return skip_members(at + 1, end, '}', depth + 1);
	case '[':
		return skip_members(at + 1, end, ']', depth + 1);
	case '"':
		return skip_string(at, end);
	case 't':
		return skip_word(at, end, "true");
	case 'f':
		return skip_word(at, end, "false");
	case 'n':
		return skip_word(at, end, "null");
	default:
		return skip_number(at, end);
	}
}

bool look_valid(struct slice document)
{
	const char *end = document.data + document.size;
	const char *at = document.data ? skip_value(skip_space(document.data, end), end, 0) : NULL;

	return at && skip_space(at, end) == end;
}

/* Member by name (`name` not NULL) or item by index. */
static struct slice find(struct slice container, char open, const char *name, unsigned index)
{
	const char *end = container.data + container.size;
	const char *at = container.data ? skip_space(container.data, end) : end;
	struct slice key = {NULL, 0};

	if (!container.data || at >= end || *at != open)
		return key;
	for (at = skip_space(at + 1, end); at < end && *at != '}' && *at != ']'; at = skip_space(at + 1, end)) {
		const char *first;

		if (name) {
			first = at;
			at = skip_string(at, end);
			key = slice_of(first + 1, (size_t)(at - first) - 2);
			at = skip_space(skip_space(at, end) + 1, end);
		}
		first = at;
		at = skip_value(at, end, 0);
		if (!at)
			break;
		if (name ? slice_equal(key, slice_of_string(name)) : index-- == 0)
			return slice_of(first, (size_t)(at - first));
		at = skip_space(at, end);
		if (at >= end || *at != ',')
			break;
	}
	return slice_of(NULL, 0);
}

struct slice look_member(struct slice object, const char *name)
{
	return find(object, '{', name, 0);
}

struct slice look_item(struct slice array, unsigned index)
{
	return find(array, '[', NULL, index);
}

struct slice look_string(struct slice value)
{
	if (value.size < 2 || value.data[0] != '"')
		return slice_of(NULL, 0);
	return slice_of(value.data + 1, value.size - 2);
}

static unsigned hex4(const char *at)
{
	unsigned number = 0;

	for (unsigned i = 0; i < 4; i++)
		number = number * 16 + (unsigned)(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
	return number;
}

static void add_code_point(struct bytes *text, uint32_t point)
{
	char utf8[4];
	unsigned more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
	static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};

	for (unsigned i = more; i > 0; i--, point >>= 6)
		utf8[i] = (char)(0x80 | (point & 0x3f));
	utf8[0] = (char)(leads[more] | point);
	bytes_add(text, slice_of(utf8, more + 1));
}

/* From the backslash on; how many bytes it has. Half a surrogate pair stands for itself. */
static size_t add_escaped(struct slice string, struct bytes *text)
{
	static const char letters[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
	const char *bytes = string.data;
	uint32_t point, low;

	if (bytes[1] != 'u') {
		bytes_add(text, slice_of(&plain[strchr(letters, bytes[1]) - letters], 1));
		return 2;
	}
	point = hex4(bytes + 2);
	if (point >> 10 == 0xd800 >> 10 && string.size >= 12 && bytes[6] == '\\' && bytes[7] == 'u') {
		low = hex4(bytes + 8);
		if (low >> 10 == 0xdc00 >> 10) {
			add_code_point(text, 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff));
			return 12;
		}
	}
	add_code_point(text, point);
	return 6;
}

void look_text(struct slice string, struct bytes *text)
{
	while (string.size) {
		const char *escape = memchr(string.data, '\\', string.size);
		size_t plain = escape ? (size_t)(escape - string.data) : string.size;

		bytes_add(text, slice_of(string.data, plain));
		string = slice_after(string, plain);
		if (escape)
			string = slice_after(string, add_escaped(string, text));
	}
}

bool look_integer(struct slice value, int64_t *integer)
{
	bool negative = value.size && value.data[0] == '-';
	int64_t number = 0;

	if (negative)
		value = slice_after(value, 1);
	if (value.size == 0 || value.size > 18)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (!is_digit(value.data[i]))
			return false;
		number = number * 10 + (value.data[i] - '0');
	}
	*integer = negative ? -number : number;
	return true;
}

bool look_nusd(struct slice value, int64_t *nusd)
{
	const char *point = value.size ? memchr(value.data, '.', value.size) : NULL;
	struct slice whole = point ? slice_of(value.data, (size_t)(point - value.data)) : value;
	int64_t units, number = 0;
	int digits = 0;

	if (!look_integer(whole, &units))
		return false;
	for (const char *at = point ? point + 1 : NULL; at && at < value.data + value.size; at++, digits++) {
		if (!is_digit(*at) || digits == 9)
			return false;
		number = number * 10 + (*at - '0');
	}
	for (; digits < 9; digits++)
		number *= 10;
	*nusd = units * 1000000000 + number;
	return true;
}
