/*
 * Reads the usual event of a stream in one pass. Providers write their members in one order each time, so a member is
 * first looked for behind the one before it. Only what is written without white space, escapes in keys and members
 * that are there twice is taken.
 */
#include "proto/openai/openai_scan.h"

#include "core/buffer.h"
#include "core/text.h"

#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");
static_assert(BUFFER_PADDING_BYTES >= sizeof(uint64_t), "a word is read from any byte of a document");

enum kind {
	KIND_STRING = 1,
	KIND_NULL = 2,
	KIND_INTEGER = 4,
	KIND_MODEL = 8,
	KIND_USAGE = 16,
	KIND_CONTENT = 32, /* a string, or null, whose bytes count */
	KIND_CHOICES = 64,
	KIND_DELTA = 128,
};

struct member {
	const char *key; /* quoted, with its colon */
	unsigned char key_bytes, kinds;
};

#define MEMBER(name, kinds)                                                                                            \
	{                                                                                                              \
		"\"" name "\":", sizeof("\"" name "\":") - 1, kinds                                                    \
	}

/* In the order in which OpenAI writes them; those of others follow. */
static const struct member root_members[] = {
	MEMBER("id", KIND_STRING),
	MEMBER("object", KIND_STRING),
	MEMBER("created", KIND_INTEGER),
	MEMBER("model", KIND_MODEL),
	MEMBER("service_tier", KIND_STRING | KIND_NULL),
	MEMBER("system_fingerprint", KIND_STRING | KIND_NULL),
	MEMBER("choices", KIND_CHOICES),
	MEMBER("usage", KIND_USAGE),
	MEMBER("obfuscation", KIND_STRING),
};

static const struct member choice_members[] = {
	MEMBER("index", KIND_INTEGER),
	MEMBER("delta", KIND_DELTA),
	MEMBER("text", KIND_CONTENT),
	MEMBER("logprobs", KIND_NULL),
	MEMBER("finish_reason", KIND_NULL),
	MEMBER("stop_reason", KIND_NULL),
};

static const struct member delta_members[] = {
	MEMBER("role", KIND_STRING | KIND_NULL),
	MEMBER("content", KIND_CONTENT),
	MEMBER("reasoning_content", KIND_CONTENT),
	MEMBER("refusal", KIND_CONTENT),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reader {
	const char *at, *end;
	struct openai_scan *scan;
};

static bool take(struct reader *r, const char *bytes, size_t size)
{
	if ((size_t)(r->end - r->at) < size || memcmp(r->at, bytes, size) != 0)
		return false;
	r->at += size;
	return true;
}

static bool take_char(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/*
 * The first byte from `at` on that is a control character, a quote, a backslash or not ASCII; or `end`. Eight at a
 * time: each term sets a byte's high bit when the byte is one of these. A borrow can reach only bytes behind the first
 * that is set, and the first is what is asked for.
 */
static const char *plain_end(const char *at, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;

	for (; at < end; at += sizeof(uint64_t)) {
		uint64_t word, found;

		memcpy(&word, at, sizeof(word));
		found = (word - 0x20 * ones) | ((word ^ '"' * ones) - ones) | ((word ^ '\\' * ones) - ones) | word;
		found &= high;
		if (found) {
			at += __builtin_ctzll(found) / 8;
			break;
		}
	}
	return at < end ? at : end;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Bytes of the escape at `at`, a backslash; 0: none, or half of a surrogate pair, which is left to the view. */
static size_t escape_bytes(const char *at, size_t left)
{
	if (left < 2)
		return 0;
	if (at[1] != 'u')
		return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
	if (left < 6 || !is_hex(at[2]) || !is_hex(at[3]) || !is_hex(at[4]) || !is_hex(at[5]))
		return 0;
	if ((at[2] | 0x20) == 'd' && at[3] >= '8')
		return 0;
	return 6;
}

static bool take_string(struct reader *r)
{
	const char *at;
	size_t left, bytes;

	if (!take_char(r, '"'))
		return false;
	for (at = plain_end(r->at, r->end); at < r->end; at = plain_end(at + bytes, r->end)) {
		left = (size_t)(r->end - at);
		if (*at == '"') {
			r->at = at + 1;
			return true;
		}
		if (*at == '\\')
			bytes = escape_bytes(at, left);
		else
			bytes = (uint8_t)*at >= 0x80 ? text_utf8_bytes(at, left) : 0;
		if (!bytes)
			return false;
	}
	return false;
}

/* As many digits as fit 64 bits whatever they are. */
static bool take_integer(struct reader *r)
{
	enum { DIGITS_MAX = 18 };
	const char *begin = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	if (r->at == begin || r->at - begin > DIGITS_MAX)
		return false;
	return *begin != '0' || r->at - begin == 1;
}

static bool take_null(struct reader *r)
{
	return take(r, "null", 4);
}

static bool take_content(struct reader *r)
{
	const char *begin = r->at;

	if (take_null(r))
		return true;
	if (!take_string(r))
		return false;
	r->scan->output_bytes += (uint64_t)(r->at - begin) - 2;
	return true;
}

/* The member with one comma: the one behind it, or the one before it when it is the last. */
static bool take_usage(struct reader *r, const char *key)
{
	if (!take_null(r) || r->at == r->end)
		return false;
	if (*r->at == ',')
		r->scan->usage = slice_of(key, (size_t)(r->at + 1 - key));
	else if (key[-1] == ',')
		r->scan->usage = slice_of(key - 1, (size_t)(r->at - key + 1));
	else
		r->scan->usage = slice_of(key, (size_t)(r->at - key));
	return true;
}

static bool take_object(struct reader *r, const struct member *members, unsigned count);

static bool take_value(struct reader *r, unsigned kinds, const char *key)
{
	const char *begin = r->at;

	switch (kinds) {
	case KIND_MODEL:
		if (!take_string(r))
			return false;
		r->scan->model = slice_of(begin, (size_t)(r->at - begin));
		return true;
	case KIND_USAGE:
		return take_usage(r, key);
	case KIND_CONTENT:
		return take_content(r);
	case KIND_CHOICES:
		return take_char(r, '[') && take_object(r, choice_members, COUNT(choice_members)) && take_char(r, ']');
	case KIND_DELTA:
		return take_object(r, delta_members, COUNT(delta_members));
	case KIND_INTEGER:
		return take_integer(r);
	default:
		return ((kinds & KIND_NULL) && take_null(r)) || ((kinds & KIND_STRING) && take_string(r));
	}
}

/* The member whose key is next, sought from members[first] on round the table; `count` when there is none. */
static unsigned take_key(struct reader *r, const struct member *members, unsigned count, unsigned first)
{
	for (unsigned i = first; i < count; i++)
		if (take(r, members[i].key, members[i].key_bytes))
			return i;
	for (unsigned i = 0; i < first; i++)
		if (take(r, members[i].key, members[i].key_bytes))
			return i;
	return count;
}

static bool take_object(struct reader *r, const struct member *members, unsigned count)
{
	unsigned seen = 0, next = 0;

	if (!take_char(r, '{'))
		return false;
	if (take_char(r, '}'))
		return true;
	do {
		const char *key = r->at;
		unsigned i = take_key(r, members, count, next);

		if (i == count || (seen >> i & 1) || !take_value(r, members[i].kinds, key))
			return false;
		seen |= 1u << i;
		next = i + 1;
	} while (take_char(r, ','));
	return take_char(r, '}');
}

bool openai_scan_chunk(struct slice document, struct openai_scan *scan)
{
	const char *end = document.data + document.size;
	struct reader r = {document.data, end, scan};

	*scan = (struct openai_scan){.usage = slice_of(end, 0)};
	return take_object(&r, root_members, COUNT(root_members)) && r.at == end && scan->model.data;
}

static unsigned put(struct iovec *iov, unsigned used, size_t *size, struct slice bytes)
{
	if (bytes.size == 0)
		return used;
	iov[used] = (struct iovec){(void *)(uintptr_t)bytes.data, bytes.size};
	*size += bytes.size;
	return used + 1;
}

unsigned openai_scan_edit(const struct openai_scan *scan, struct slice document, struct slice model_json,
	bool keep_usage, struct iovec *iov, size_t *size)
{
	const char *at = document.data, *end = at + document.size;
	struct slice usage = keep_usage ? slice_of(end, 0) : scan->usage;
	bool usage_first = usage.data < scan->model.data;
	unsigned used = 0;

	*size = 0;
	if (usage_first) {
		used = put(iov, used, size, slice_of(at, (size_t)(usage.data - at)));
		at = usage.data + usage.size;
	}
	used = put(iov, used, size, slice_of(at, (size_t)(scan->model.data - at)));
	used = put(iov, used, size, model_json);
	at = scan->model.data + scan->model.size;
	if (!usage_first) {
		used = put(iov, used, size, slice_of(at, (size_t)(usage.data - at)));
		at = usage.data + usage.size;
	}
	return put(iov, used, size, slice_of(at, (size_t)(end - at)));
}
