/* The features of a request: marks counted byte by byte, words by their hash and their list. */
#include "route/auto/analysis.h"

#include "route/auto/analysis_word.h"

#include <assert.h>

enum { WORD_BITS = 64, LEAD = 16, PADDING = 2 * WORD_BITS };

/* The text as it is looked at: a copy with room around it, so that it can be read in pieces without a look at its end.
 */
struct room {
	size_t size;
	uint8_t *text; /* in bytes: ends of lines before it, zeros behind */
	uint8_t bytes[LEAD + ANALYSIS_BYTES_MAX + PADDING];
	uint8_t in_word[ANALYSIS_BYTES_MAX + PADDING]; /* 0 or 1 for each */
	unsigned edge_count;
	uint16_t edges[ANALYSIS_BYTES_MAX + PADDING]; /* where a word begins, where it has ended ... */
};

struct counts {
	uint32_t digits, upper, letters, printed, operators, code, lines, high, word_bytes;
	uint32_t numbers, sentences, questions, options, formulas;
	uint32_t terms[ANALYSIS_FEATURE_COUNT]; /* by the list's feature */
};

/* ---- marks: 16 bytes at a time, in vectors that gcc and clang both know. A lane is 255 where something is so. ------
 */

typedef uint8_t lanes __attribute__((vector_size(16)));

enum { LANES = sizeof(lanes), FLUSH_LANES = 128 }; /* a count of 8 bits holds that many vectors' */

static lanes load_lanes(const uint8_t *bytes)
{
	lanes v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static lanes between(lanes c, uint8_t first, uint8_t last)
{
	return (lanes)(c - first <= (lanes){0} + (uint8_t)(last - first));
}

static lanes equal(lanes c, uint8_t byte)
{
	return (lanes)(c == byte);
}

struct marks {
	lanes digits, upper, letters, printed, operators, code, lines, high, numbers, sentences, questions, options,
		formulas;
};

static lanes in_words(lanes c)
{
	return between(c | 0x20, 'a', 'z') | between(c, '0', '9') | (lanes)(c >= 128);
}

static lanes is_end(lanes c)
{
	return equal(c, ' ') | equal(c, '\n') | equal(c, 0);
}

/* What stands in 16 bytes is taken from its count: 255 is -1. */
static void scan_lanes(struct marks *marks, const uint8_t *text, uint8_t *in_word)
{
	lanes c = load_lanes(text), before = load_lanes(text - 1), next = load_lanes(text + 1);
	lanes small = c | 0x20, digit = between(c, '0', '9'), question = equal(c, '?'), word = in_words(c) & 1;
	lanes ends = is_end(next);

	memcpy(in_word, &word, sizeof(word));
	marks->digits -= digit;
	marks->upper -= between(c, 'A', 'Z');
	marks->letters -= between(small, 'a', 'z');
	marks->high -= (lanes)(c >= 128);
	marks->printed -= between(c, '!', '~');
	marks->operators -= between(c, '*', '+') | between(c, '<', '>') | equal(c, '/') | equal(c, '^');
	marks->code -= between(c, '{', '}') | between(c, '_', '`') | equal(c, ';') | equal(c, '#');
	marks->lines -= equal(c, '\n');
	marks->numbers -= digit & ~in_words(before);
	marks->questions -= question & ends;
	marks->sentences -= (equal(c, '.') | equal(c, '!') | question) & ends;
	/* A letter at a line's begin, and a full stop or a bracket; of "(b)" its "b)". */
	marks->options -= between(small, 'a', 'f') & (equal(next, '.') | equal(next, ')')) &
			  (equal(before, '\n') | (equal(before, '(') & is_end(load_lanes(text - 2))));
	/* What typesetters write: \frac, $x$, x^2, and the signs of mathematics in UTF-8 (E2 88). */
	marks->formulas -= ((equal(c, '\\') | equal(c, '$')) & between(next | 0x20, 'a', 'z')) |
			   (equal(c, '^') & (lanes)(next > ' ')) | (equal(c, 0xe2) & equal(next, 0x88));
}

static void add_lanes(uint32_t *sum, lanes counts)
{
	for (unsigned i = 0; i < LANES; i++)
		*sum += counts[i];
}

static void add_marks(struct counts *counts, const struct marks *marks)
{
	add_lanes(&counts->digits, marks->digits);
	add_lanes(&counts->upper, marks->upper);
	add_lanes(&counts->letters, marks->letters);
	add_lanes(&counts->printed, marks->printed);
	add_lanes(&counts->operators, marks->operators);
	add_lanes(&counts->code, marks->code);
	add_lanes(&counts->lines, marks->lines);
	add_lanes(&counts->high, marks->high);
	add_lanes(&counts->numbers, marks->numbers);
	add_lanes(&counts->sentences, marks->sentences);
	add_lanes(&counts->questions, marks->questions);
	add_lanes(&counts->options, marks->options);
	add_lanes(&counts->formulas, marks->formulas);
}

/* Some zeros behind the text as well, which are no marks. */
static void scan(struct counts *counts, struct room *room)
{
	size_t end = room->size + WORD_BITS;

	for (size_t at = 0; at < end;) {
		size_t stop = at + FLUSH_LANES * LANES < end ? at + FLUSH_LANES * LANES : end;
		struct marks marks = {0};

		for (; at < stop; at += LANES)
			scan_lanes(&marks, room->text + at, room->in_word + at);
		add_marks(counts, &marks);
	}
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

/* Of a long text its ends: what is to be done is said before or after what it is to be done with. */
static void fill(struct room *room, struct slice text)
{
	size_t half = ANALYSIS_BYTES_MAX / 2;

	room->size = text.size < ANALYSIS_BYTES_MAX ? text.size : ANALYSIS_BYTES_MAX;
	room->text = room->bytes + LEAD;
	room->text[-1] = room->text[-2] = '\n';
	if (text.size <= ANALYSIS_BYTES_MAX) {
		if (text.size)
			memcpy(room->text, text.data, text.size);
	} else {
		memcpy(room->text, text.data, half);
		memcpy(room->text + half, text.data + text.size - half, half);
	}
	memset(room->text + room->size, 0, PADDING);
}

static uint64_t load(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* Of 8 bytes that are 0 or 1, a bit for each: byte i comes to bit 56 + i of the product, alone. */
static uint64_t bits_of(const uint8_t *flags)
{
	return load(flags) * 0x0102040810204080 >> 56;
}

static lanes lower_lanes(lanes c)
{
	return c | (between(c, 'A', 'Z') & 0x20);
}

static void make_small(struct room *room)
{
	for (size_t at = 0; at < room->size; at += LANES) {
		lanes c = lower_lanes(load_lanes(room->text + at));

		memcpy(room->text + at, &c, sizeof(c));
	}
}

/* Where words begin and end, in turns: a branch on each word's length, which follows no pattern, would cost more. */
static void find_words(struct room *room)
{
	uint64_t last = 0;

	room->edge_count = 0;
	for (size_t at = 0; at < room->size + 1; at += WORD_BITS) {
		uint64_t bits = 0, edges;

		for (unsigned i = 0; i < WORD_BITS; i += 8)
			bits |= bits_of(room->in_word + at + i) << i;
		for (edges = bits ^ (bits << 1 | last); edges; edges &= edges - 1)
			room->edges[room->edge_count++] = (uint16_t)(at + (unsigned)__builtin_ctzll(edges));
		last = bits >> (WORD_BITS - 1);
	}
}

static uint64_t first_bytes(uint64_t value, size_t count)
{
	return count >= 8 ? value : value & ((1ull << (8 * count)) - 1);
}

static struct word word_at(const uint8_t *bytes, size_t size)
{
	return (struct word){first_bytes(load(bytes), size), first_bytes(load(bytes + 8), size > 8 ? size - 8 : 0)};
}

static void count_words(
	struct analysis *analysis, const struct analysis_terms *terms, const struct room *room, struct counts *counts)
{
	uint64_t seen[ANALYSIS_BAG / 64] = {0};
	unsigned word_count = 0;

	for (unsigned i = 0; i + 1 < room->edge_count; i += 2) {
		size_t at = room->edges[i], size = room->edges[i + 1] - at;
		struct word word = word_at(room->text + at, size);
		uint64_t hash = word_hash(word), bit;
		unsigned place = (unsigned)(hash >> (64 - ANALYSIS_BAG_BITS)), feature;

		counts->word_bytes += (uint32_t)size;
		feature = analysis_term(terms, word, hash);
		if (feature != WORD_NO_FEATURE)
			counts->terms[feature]++;
		bit = 1ull << (place % 64);
		analysis->words[word_count] = (uint16_t)place;
		word_count += !(seen[place / 64] & bit);
		seen[place / 64] |= bit;
	}
	analysis->word_count = word_count;
}

/* ---- features ------------------------------------------------------------------------------------------------- */

/* log2(value) in 256ths, between two powers of two on a straight line. */
static int32_t log2_of(uint64_t value)
{
	unsigned power = value ? 63u - (unsigned)__builtin_clzll(value) : 0;

	if (value < 2)
		return 0;
	return (int32_t)(power * 256 + (((value << 8) >> power) & 255));
}

/* What is below `from` is all the same: a feature of which a small part varies is learned slowly. */
static int32_t above(int32_t value, int32_t from)
{
	return value > from ? value - from : 0;
}

/* part / whole * times, at most 1.0. */
static int32_t share(uint64_t part, uint64_t whole, uint64_t times)
{
	uint64_t value = whole ? part * times * ANALYSIS_ONE / whole : 0;

	return value < ANALYSIS_ONE ? (int32_t)value : ANALYSIS_ONE;
}

static void set_text_features(int32_t *f, const struct room *room, const struct counts *counts)
{
	size_t size = room->size;

	f[ANALYSIS_BIAS] = ANALYSIS_ONE;
	f[ANALYSIS_LENGTH] = above(log2_of(size + 1), 4 * ANALYSIS_ONE) / 2;
	f[ANALYSIS_NUMBERS] = share(counts->numbers, 12, 1);
	f[ANALYSIS_SENTENCES] = share(counts->sentences, 8, 1);
	f[ANALYSIS_DIGITS] = share(counts->digits, size, 4);
	f[ANALYSIS_UPPER_CASE] = share(counts->upper, size, 4);
	f[ANALYSIS_PUNCTUATION] = share(counts->printed - counts->digits - counts->letters, size, 4);
	f[ANALYSIS_OPERATORS] = share(counts->operators, size, 16);
	f[ANALYSIS_LINES] = log2_of(counts->lines + 1) / 6;
	f[ANALYSIS_WORD_LENGTH] = above(share(counts->word_bytes, (uint64_t)room->edge_count * 5, 1), 64) * 2;
	f[ANALYSIS_QUESTIONS] = counts->questions > 1 ? ANALYSIS_ONE : 0;
	f[ANALYSIS_OTHER_SCRIPT] = share(counts->high, size, 2);
	f[ANALYSIS_CODE_MARKS] = share(counts->code, size, 32);
	f[ANALYSIS_MATHS_MARKS] = share(counts->formulas, 8, 1);
}

static void set_term_features(int32_t *f, const struct counts *counts)
{
	static const struct {
		enum analysis_feature feature;
		unsigned enough; /* that many are 1.0 */
	} rows[] = {
		{ANALYSIS_CODE_WORDS, 4},
		{ANALYSIS_MATHS_WORDS, 4},
		{ANALYSIS_REASONING_WORDS, 3},
		{ANALYSIS_DESIGN_WORDS, 4},
		{ANALYSIS_TASK_WORDS, 2},
		{ANALYSIS_SMALL_TALK, 2},
		{ANALYSIS_PARTS, 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		f[rows[i].feature] = share(counts->terms[rows[i].feature], rows[i].enough, 1);
}

static void set_shape_features(int32_t *f, const struct analysis_shape *shape)
{
	f[ANALYSIS_CONTEXT] = above(log2_of(shape->prompt_bytes + 1), 12 * ANALYSIS_ONE) / 4;
	f[ANALYSIS_DEPTH] = log2_of(shape->message_count) / 4;
	f[ANALYSIS_TOOLS] = log2_of((uint64_t)shape->tool_count + 1) / 3;
	f[ANALYSIS_SCHEMA] = shape->schema ? ANALYSIS_ONE : 0;
	f[ANALYSIS_IMAGES] = share(shape->image_count, 2, 1);
	f[ANALYSIS_OUTPUT] = shape->max_tokens ? log2_of(shape->max_tokens) / 12 : ANALYSIS_ONE * 3 / 4;
}

/* A sum in words says something before it asks, and has neither code nor formulas. */
static enum analysis_form form_of(const struct counts *counts)
{
	if (counts->options >= 2)
		return FORM_OPTIONS;
	if (counts->numbers && counts->questions && counts->sentences >= 2 && !counts->code && !counts->formulas)
		return FORM_SUM;
	return FORM_OPEN;
}

void analyse(struct analysis *analysis, const struct analysis_terms *terms, struct slice text,
	const struct analysis_shape *shape)
{
	struct counts counts = {0};
	struct room room;

	fill(&room, text);
	scan(&counts, &room);
	make_small(&room);
	find_words(&room);
	count_words(analysis, terms, &room, &counts);
	analysis->form = form_of(&counts);
	memset(analysis->features, 0, sizeof(analysis->features));
	set_text_features(analysis->features, &room, &counts);
	set_term_features(analysis->features, &counts);
	set_shape_features(analysis->features, shape);
}

struct slice analysis_feature_name(enum analysis_feature feature)
{
	static const struct slice names[] = {
#define FEATURE(id, name) {name, sizeof(name) - 1},
		ANALYSIS_FEATURES(FEATURE)
#undef FEATURE
	};

	assert(feature < ANALYSIS_FEATURE_COUNT);
	return names[feature];
}
