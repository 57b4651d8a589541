/*
 * Locates the first fault of a document that is not JSON (RFC 8259), byte by byte. It holds the same bounds as the
 * parser: JSON_DEPTH_MAX nested containers, integers of 64 bits, numbers within a double, whole surrogate pairs, valid
 * UTF-8. Nesting is a bit for each open container (set: an object), so the input cannot make it recurse.
 */
#include "proto/json/json_error.h"

#include <errno.h>

struct reader {
	const unsigned char *data;
	size_t size, at;
	const char *message; /* NULL while all is well; then `at` is the offending byte */
	uint64_t objects[JSON_DEPTH_MAX / 64];
	unsigned depth;
};

static bool fail_at(struct reader *r, size_t at, const char *message)
{
	r->at = at < r->size ? at : r->size;
	r->message = message;
	return false;
}

/* The byte `ahead` of the current one, or -1 behind the end. */
static int peek(const struct reader *r, size_t ahead)
{
	return r->size - r->at > ahead ? r->data[r->at + ahead] : -1;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct reader *r)
{
	for (int c = peek(r, 0); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(r, 0))
		r->at++;
}

static bool in_range(int c, int low, int high)
{
	return c >= low && c <= high;
}

/* RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool read_utf8(struct reader *r)
{
	int c = peek(r, 0), low = 0x80, high = 0xbf;
	size_t more;

	if (in_range(c, 0xc2, 0xdf))
		more = 1;
	else if (in_range(c, 0xe0, 0xef))
		more = 2;
	else if (in_range(c, 0xf0, 0xf4))
		more = 3;
	else
		return fail_at(r, r->at, "invalid UTF-8");
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (!in_range(peek(r, 1), low, high))
		return fail_at(r, r->at, "invalid UTF-8");
	for (size_t i = 2; i <= more; i++)
		if (!in_range(peek(r, i), 0x80, 0xbf))
			return fail_at(r, r->at, "invalid UTF-8");
	r->at += more + 1;
	return true;
}

/* Four hexadecimal digits `ahead`; -1 when they are not. */
static int hex4(const struct reader *r, size_t ahead)
{
	int value = 0;

	for (size_t i = 0; i < 4; i++) {
		int c = peek(r, ahead + i);

		if (is_digit(c))
			c -= '0';
		else if (in_range(c | 0x20, 'a', 'f') && c > 0)
			c = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value * 16 + c;
	}
	return value;
}

/* At a backslash. Faults of an escape are reported at its backslash. */
static bool read_escape(struct reader *r)
{
	int c = peek(r, 1), unit;

	if (c > 0 && strchr("\"\\/bfnrt", c)) {
		r->at += 2;
		return true;
	}
	if (c != 'u')
		return fail_at(r, r->at, "invalid escape in a string");
	unit = hex4(r, 2);
	if (unit < 0)
		return fail_at(r, r->at, "\\u wants four hexadecimal digits");
	if (in_range(unit, 0xdc00, 0xdfff))
		return fail_at(r, r->at, "\\u escape of a low surrogate without its high surrogate");
	if (in_range(unit, 0xd800, 0xdbff)) {
		if (peek(r, 6) != '\\' || peek(r, 7) != 'u' || !in_range(hex4(r, 8), 0xdc00, 0xdfff))
			return fail_at(r, r->at, "\\u escape of a high surrogate without its low surrogate");
		r->at += 6;
	}
	r->at += 6;
	return true;
}

/* At the opening quote. A string that is never closed is reported there, not at the end of the document. */
static bool read_string(struct reader *r)
{
	size_t begin = r->at++;

	for (;;) {
		int c = peek(r, 0);

		if (c < 0)
			return fail_at(r, begin, "string is not closed");
		if (c == '"') {
			r->at++;
			return true;
		}
		if (c < 0x20)
			return fail_at(r, r->at, "control character in a string: it must be escaped");
		if (c == '\\') {
			if (!read_escape(r))
				return false;
		} else if (c < 0x80) {
			r->at++;
		} else if (!read_utf8(r)) {
			return false;
		}
	}
}

static size_t skip_digits(struct reader *r)
{
	size_t begin = r->at;

	while (is_digit(peek(r, 0)))
		r->at++;
	return r->at - begin;
}

/* Whether digits (without leading zeros) make at least `least` as numbers of the same length or longer. */
static bool reaches(const unsigned char *digits, size_t count, const char *least)
{
	size_t length = strlen(least);

	return count > length || (count == length && memcmp(digits, least, count) >= 0);
}

/*
 * Whether the number in [begin, at) rounds to infinity. Its first significant digit stands at 10^(magnitude - 1); the
 * first number that rounds up to infinity is 17976931348623158079...e289, of magnitude 309.
 */
static bool overflows_double(const struct reader *r, size_t begin, int64_t exponent)
{
	static const char least[] = "17976931348623158079";
	const unsigned char *c = r->data + begin, *end = r->data + r->at;
	int64_t magnitude = exponent;
	bool point = false, significant = false;
	size_t matched = 0;
	int order = 0; /* of the digits against `least`, once they differ */

	for (; c < end && (is_digit(*c) || *c == '.' || *c == '-'); c++) {
		if (*c == '.')
			point = true;
		if (!is_digit(*c))
			continue;
		significant = significant || *c != '0';
		if (significant && !point)
			magnitude++;
		else if (!significant && point)
			magnitude--;
		if (significant && !order && matched < sizeof(least) - 1)
			order = (int)*c - (int)least[matched++];
	}
	if (!significant || magnitude < 309)
		return false;
	return magnitude > 309 || order > 0 || (order == 0 && matched == sizeof(least) - 1);
}

/* Bounded, so that it cannot overflow: beyond a thousand million it makes no difference. */
static int64_t read_exponent(struct reader *r)
{
	bool negative = peek(r, 0) == '-';
	int64_t exponent = 0;

	if (negative || peek(r, 0) == '+')
		r->at++;
	if (!is_digit(peek(r, 0))) {
		fail_at(r, r->at, "exponent wants a digit");
		return 0;
	}
	for (; is_digit(peek(r, 0)); r->at++)
		if (exponent < 1000000000)
			exponent = exponent * 10 + (peek(r, 0) - '0');
	return negative ? -exponent : exponent;
}

/* Numbers that are well-formed and too large are reported at their first byte. */
static bool read_number(struct reader *r)
{
	size_t begin = r->at, digits, count;
	bool negative = peek(r, 0) == '-', integer = true;
	int64_t exponent = 0;

	if (negative)
		r->at++;
	digits = r->at;
	count = skip_digits(r);
	if (count == 0)
		return fail_at(r, r->at, "number wants a digit after its sign");
	if (count > 1 && r->data[digits] == '0')
		return fail_at(r, digits, "number with a leading zero");
	if (peek(r, 0) == '.') {
		integer = false;
		r->at++;
		if (skip_digits(r) == 0)
			return fail_at(r, r->at, "number wants a digit after its point");
	}
	if (peek(r, 0) == 'e' || peek(r, 0) == 'E') {
		integer = false;
		r->at++;
		exponent = read_exponent(r);
		if (r->message)
			return false;
	}
	if (integer && reaches(r->data + digits, count, negative ? "9223372036854775809" : "18446744073709551616"))
		return fail_at(r, begin, "integer does not fit in 64 bits");
	if (!integer && overflows_double(r, begin, exponent))
		return fail_at(r, begin, "number is too large");
	return true;
}

static bool read_atom(struct reader *r, const char *name)
{
	for (size_t i = 0; name[i]; i++)
		if (peek(r, i) != name[i])
			return fail_at(r, r->at, "unknown word: expected true, false or null");
	r->at += strlen(name);
	return true;
}

static bool read_scalar(struct reader *r)
{
	int c = peek(r, 0);

	if (c == '"')
		return read_string(r);
	if (c == '-' || is_digit(c))
		return read_number(r);
	if (c == 't')
		return read_atom(r, "true");
	if (c == 'f')
		return read_atom(r, "false");
	if (c == 'n')
		return read_atom(r, "null");
	return fail_at(r, r->at, c < 0 ? "document ends where a value is expected" : "expected a value");
}

static bool in_object(const struct reader *r)
{
	unsigned inner = r->depth - 1;

	return r->objects[inner / 64] >> (inner % 64) & 1;
}

static bool open_container(struct reader *r)
{
	uint64_t bit = 1ull << (r->depth % 64);

	if (r->depth == JSON_DEPTH_MAX)
		return fail_at(r, r->at, "nested too deeply");
	if (r->data[r->at] == '{')
		r->objects[r->depth / 64] |= bit;
	else
		r->objects[r->depth / 64] &= ~bit;
	r->depth++;
	r->at++;
	return true;
}

static bool read_key(struct reader *r)
{
	skip_space(r);
	if (peek(r, 0) != '"')
		return fail_at(
			r, r->at, peek(r, 0) < 0 ? "document ends inside an object" : "expected a key in quotes");
	if (!read_string(r))
		return false;
	skip_space(r);
	if (peek(r, 0) != ':')
		return fail_at(r, r->at, "expected ':' after a key");
	r->at++;
	return true;
}

/* Behind a value: closes what ends here. True when another value follows, with the reader at its first byte or key
 * read. */
static bool read_between(struct reader *r)
{
	while (r->depth > 0) {
		int c;

		skip_space(r);
		c = peek(r, 0);
		if (c == ',') {
			r->at++;
			return !in_object(r) || read_key(r);
		}
		if (c != (in_object(r) ? '}' : ']')) {
			if (c < 0)
				return fail_at(r, r->at, "document ends inside an object or array");
			return fail_at(r, r->at, in_object(r) ? "expected ',' or '}'" : "expected ',' or ']'");
		}
		r->at++;
		r->depth--;
	}
	return false;
}

static void read_document(struct reader *r)
{
	bool more = true;

	while (more) {
		int c;

		skip_space(r);
		c = peek(r, 0);
		if (c == '{' || c == '[') {
			if (!open_container(r))
				return;
			skip_space(r);
			if (peek(r, 0) != (c == '{' ? '}' : ']')) {
				if (c == '{' && !read_key(r))
					return;
				continue;
			}
		} else if (!read_scalar(r)) {
			return;
		}
		more = read_between(r);
	}
	if (r->message)
		return;
	skip_space(r);
	if (r->at < r->size)
		fail_at(r, r->at, "something follows the document");
}

bool json_is_number(struct slice number)
{
	struct reader reader = {.data = (const unsigned char *)number.data, .size = number.size};

	return read_number(&reader) && reader.at == reader.size;
}

int json_explain(struct slice document, struct json_error *error)
{
	struct reader reader = {.data = (const unsigned char *)document.data, .size = document.size};

	skip_space(&reader);
	if (reader.at == reader.size)
		fail_at(&reader, 0, "document is empty");
	else if (reader.size >= 3 && memcmp(reader.data, "\xef\xbb\xbf", 3) == 0)
		fail_at(&reader, 0, "byte order mark before the document");
	else
		read_document(&reader);
	if (!reader.message)
		return 0;
	*error = (struct json_error){.offset = reader.at, .message = reader.message};
	return -EINVAL;
}
