/* Estimating tokens: see estimate.h. */
#include "proto/chat/estimate.h"

enum {
	MILLI = 1000,
	MEDIA_TOKENS = 765,        /* an image of high detail; of other media as good as any figure */
	MESSAGE_TOKENS = 3,        /* around each message, and to begin the answer */
	MEDIA_BYTES_LEAST = 256,   /* a longer string that begins with so much of base64's letters alone is no text */
	TEXT_BYTES_MOST = 1 << 20, /* of a request; what is beyond is taken for four bytes a token */
	BYTES_PER_TOKEN = 4
};

/* ---- runs of characters ------------------------------------------------------------------------------------- */

enum letters { NONE, LETTERS, DIGITS, PUNCTUATION, SPACES, LINES, ALPHABETS, SYMBOLS, IDEOGRAPHS, BEYOND };

struct runs {
	uint64_t milli; /* tokens, in thousandths, of the runs that ended */
	uint64_t length;
	enum letters kind;
	bool upper; /* the last letter was a capital */
};

static enum letters kind_of(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return DIGITS;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0x80 && c < 0x300))
		return LETTERS;
	if (c == ' ')
		return SPACES;
	if (c == '\n' || c == '\t' || c == '\r')
		return LINES;
	if (c < 0x80)
		return PUNCTUATION;
	if (c < 0x1100)
		return ALPHABETS; /* Greek, Cyrillic, Hebrew, Arabic ... */
	if (c < 0x2e80)
		return SYMBOLS;
	return c < 0x10000 ? IDEOGRAPHS : BEYOND;
}

static uint64_t at_least_one(uint64_t milli)
{
	return milli < MILLI ? MILLI : milli;
}

static uint64_t cost_of(enum letters kind, uint64_t length)
{
	switch (kind) {
	case LETTERS:
		return at_least_one(length * MILLI / 6);
	case DIGITS:
		return (length + 2) / 3 * MILLI;
	case PUNCTUATION:
		return length * MILLI * 5 / 9;
	case SPACES: /* one goes with the word behind it */
		return (length - 1 + 15) / 16 * MILLI;
	case LINES:
		return (length + 3) / 4 * MILLI;
	case ALPHABETS:
		return at_least_one(length * MILLI * 2 / 9);
	case SYMBOLS:
		return length * MILLI;
	case IDEOGRAPHS:
		return length * MILLI * 3 / 4;
	case BEYOND:
		return length * MILLI * 2;
	case NONE:
		break;
	}
	return 0;
}

static void end_run(struct runs *runs)
{
	runs->milli += cost_of(runs->kind, runs->length);
	runs->kind = NONE;
	runs->length = 0;
	runs->upper = false;
}

static void add(struct runs *runs, uint32_t c)
{
	enum letters kind = kind_of(c);
	bool upper = c >= 'A' && c <= 'Z';

	if (kind != runs->kind || (kind == LETTERS && upper && !runs->upper)) /* "oneTwo" is two words */
		end_run(runs);
	runs->kind = kind;
	runs->length++;
	runs->upper = upper;
}

/* Takes a character off; a byte that begins none is taken as it is. */
static uint32_t take_character(struct slice *text)
{
	static const unsigned char marks[] = {0, 0xc0, 0xe0, 0xf0};
	static const unsigned char masks[] = {0, 0x1f, 0x0f, 0x07};
	unsigned char lead = (unsigned char)text->data[0];
	unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	uint32_t c = more ? (uint32_t)(lead & masks[more]) : lead;

	if ((more && text->size <= more) || (lead >= 0x80 && !more) || lead < marks[more]) {
		*text = slice_after(*text, 1);
		return '?';
	}
	for (unsigned i = 1; i <= more; i++)
		c = c << 6 | ((unsigned char)text->data[i] & 0x3f);
	*text = slice_after(*text, more + 1);
	return c;
}

uint64_t estimate_text(struct slice text)
{
	struct runs runs = {0};

	while (text.size)
		add(&runs, take_character(&text));
	end_run(&runs);
	return (runs.milli + MILLI - 1) / MILLI;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

struct walk {
	const char *at, *end;
	unsigned depth;
	bool counts;  /* what stands here is said to the model */
	bool schemas; /* and its names as well */
	struct runs runs;
	uint64_t tokens, bytes; /* of texts */
};

/* Members of a request's root that the model reads: those of the conversation, and those that describe tools. */
static void enter(struct walk *w, struct slice key)
{
	static const struct slice said[] = {
		{"messages", 8}, {"system", 6}, {"input", 5}, {"instructions", 12}, {"prompt", 6}, {"contents", 8}};
	static const struct slice described[] = {
		{"tools", 5}, {"functions", 9}, {"response_format", 15}, {"text", 4}, {"output_config", 13}};

	w->counts = w->schemas = false;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		w->counts |= slice_equal(key, said[i]);
	for (size_t i = 0; i < sizeof(described) / sizeof(described[0]); i++)
		w->schemas |= slice_equal(key, described[i]);
	w->counts |= w->schemas;
}

/* Words of the format, which the model is told otherwise or not at all. */
static bool is_frame(struct slice key)
{
	static const struct slice frames[] = {{"role", 4}, {"type", 4}, {"id", 2}, {"tool_call_id", 12},
		{"tool_use_id", 11}, {"call_id", 7}, {"media_type", 10}, {"mime_type", 9}, {"detail", 6},
		{"signature", 9}, {"format", 6}};

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (slice_equal(key, frames[i]))
			return true;
	return false;
}

static bool is_media(struct slice string)
{
	if (slice_starts_with(string, SLICE("data:")) || slice_starts_with(string, SLICE("http")))
		return memchr(string.data, ' ', string.size) == NULL;
	if (string.size < MEDIA_BYTES_LEAST)
		return false;
	for (size_t i = 0; i < MEDIA_BYTES_LEAST; i++) {
		char c = string.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    (c && strchr("+/=-_", c))))
			return false;
	}
	return true;
}

static uint32_t hex_of(const char *digits)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 4; i++)
		value = value << 4 | (uint32_t)(digits[i] <= '9' ? digits[i] - '0' : (digits[i] | 0x20) - 'a' + 10);
	return value;
}

/* An escape, behind its backslash. Half of a pair counts as half of a character beyond the first 2^16. */
static uint32_t take_escape(struct slice *string)
{
	char c = string->data[0];
	uint32_t unit;

	*string = slice_after(*string, 1);
	switch (c) {
	case 'n':
	case 't':
	case 'r':
		return '\n';
	case 'u':
		if (string->size < 4)
			return '?';
		unit = hex_of(string->data);
		*string = slice_after(*string, 4);
		return unit;
	default:
		return (unsigned char)c;
	}
}

/* `string`: without its quotes, as it stands in the document. */
static void count_string(struct walk *w, struct slice string)
{
	w->bytes += string.size;
	if (w->bytes > TEXT_BYTES_MOST) {
		w->tokens += (string.size + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
		return;
	}
	while (string.size) {
		uint32_t c = take_character(&string);

		add(&w->runs, c == '\\' && string.size ? take_escape(&string) : c);
	}
	end_run(&w->runs);
}

static struct slice take_string(struct walk *w)
{
	const char *begin = ++w->at;

	while (w->at < w->end && *w->at != '"')
		w->at += *w->at == '\\' && w->at + 1 < w->end ? 2 : 1;
	return slice_of(begin, (size_t)((w->at < w->end ? w->at++ : w->end) - begin));
}

static bool is_key(const struct walk *w)
{
	const char *at = w->at;

	while (at < w->end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at < w->end && *at == ':';
}

static void take_key(struct walk *w, struct slice key, bool *frame)
{
	if (w->depth == 1)
		enter(w, key);
	*frame = !w->schemas && is_frame(key);
	if (w->counts && slice_equal(key, SLICE("role")))
		w->tokens += MESSAGE_TOKENS;
	if (w->schemas)
		count_string(w, key);
}

static void take_value(struct walk *w, struct slice value, bool frame)
{
	if (!w->counts || frame)
		return;
	if (is_media(value))
		w->tokens += MEDIA_TOKENS;
	else
		count_string(w, value);
}

uint64_t estimate_request(struct slice json)
{
	struct walk w = {.at = json.data, .end = json.data + json.size};
	bool frame = false;

	while (w.at < w.end) {
		char c = *w.at;

		if (c == '"') {
			struct slice string = take_string(&w);

			if (is_key(&w))
				take_key(&w, string, &frame);
			else
				take_value(&w, string, frame);
			continue;
		}
		if (c == '{' || c == '[')
			w.depth++;
		else if (c == '}' || c == ']')
			w.depth -= w.depth > 0;
		else if (w.schemas && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
			add(&w.runs, (unsigned char)c); /* numbers, true, false, null */
		w.at++;
	}
	end_run(&w.runs);
	return MESSAGE_TOKENS + w.tokens + (w.runs.milli + MILLI - 1) / MILLI;
}
