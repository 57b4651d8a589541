/*
 * What a request looks like, in numbers: the features by which `auto` tells an easy request from a hard one
 * (route/auto/score.h weighs them). One pass over the last thing that the user says, at most ANALYSIS_BYTES_MAX of it,
 * and the request's shape. Pure, and without a locale: the same bytes give the same numbers everywhere, which training
 * (tools/train) depends on.
 *
 * A term is a word of a list in analysis_terms.c, found as a whole word alone: "prove" is one, "improve" is not. Words
 * are runs of ASCII letters, digits and bytes above 127, in either case; of one longer than 16 bytes the first 16
 * count.
 */
#ifndef ROUTE_ANALYSIS_H
#define ROUTE_ANALYSIS_H

#include "core/slice.h"

enum {
	ANALYSIS_BYTES_MAX = 2048,                       /* of a longer text its first and its last half of that */
	ANALYSIS_WORDS_MAX = ANALYSIS_BYTES_MAX / 2 + 1, /* one for the place behind the last */
	ANALYSIS_BAG_BITS = 13,                          /* words are told apart by so many bits of their hash */
	ANALYSIS_BAG = 1 << ANALYSIS_BAG_BITS,
	ANALYSIS_ONE = 256 /* 1.0 of a feature */
};

/* Each with the name that a receipt gives it as a reason. */
#define ANALYSIS_FEATURES(FEATURE)                                                                                     \
	FEATURE(BIAS, "any request")                                                                                   \
	FEATURE(LENGTH, "length")                                                                                      \
	FEATURE(NUMBERS, "numbers")                                                                                    \
	FEATURE(SENTENCES, "sentences")                                                                                \
	FEATURE(DIGITS, "share of digits")                                                                             \
	FEATURE(UPPER_CASE, "share of capitals")                                                                       \
	FEATURE(PUNCTUATION, "share of punctuation")                                                                   \
	FEATURE(OPERATORS, "operators")                                                                                \
	FEATURE(LINES, "lines")                                                                                        \
	FEATURE(WORD_LENGTH, "length of words")                                                                        \
	FEATURE(QUESTIONS, "several questions")                                                                        \
	FEATURE(OTHER_SCRIPT, "a script other than Latin")                                                             \
	FEATURE(CODE_MARKS, "code")                                                                                    \
	FEATURE(CODE_WORDS, "words of programming")                                                                    \
	FEATURE(MATHS_MARKS, "formulas")                                                                               \
	FEATURE(MATHS_WORDS, "words of mathematics")                                                                   \
	FEATURE(REASONING_WORDS, "words of reasoning")                                                                 \
	FEATURE(DESIGN_WORDS, "words of design and planning")                                                          \
	FEATURE(TASK_WORDS, "words of a simple task")                                                                  \
	FEATURE(SMALL_TALK, "small talk")                                                                              \
	FEATURE(PARTS, "words of parts and multiples")                                                                 \
	FEATURE(CONTEXT, "size of the whole prompt")                                                                   \
	FEATURE(DEPTH, "depth of the conversation")                                                                    \
	FEATURE(TOOLS, "tools")                                                                                        \
	FEATURE(SCHEMA, "a schema")                                                                                    \
	FEATURE(IMAGES, "images")                                                                                      \
	FEATURE(OUTPUT, "asked output")

enum analysis_feature {
#define FEATURE(id, name) ANALYSIS_##id,
	ANALYSIS_FEATURES(FEATURE)
#undef FEATURE
		ANALYSIS_FEATURE_COUNT
};

/* What a request says beside the text. */
struct analysis_shape {
	uint64_t prompt_bytes; /* of all messages */
	uint64_t max_tokens;   /* asked; 0: not said */
	unsigned message_count, tool_count, image_count;
	bool schema;
};

/* What a prompt is like as a whole; marks mean other things in each, so each has weights of its own. */
enum analysis_form {
	FORM_OPEN,
	FORM_OPTIONS, /* a question with answers to choose from, "A. ..." */
	FORM_SUM,     /* a question with numbers to calculate with, told in words */
	FORM_COUNT
};

struct analysis {
	enum analysis_form form;
	int32_t features[ANALYSIS_FEATURE_COUNT]; /* in 256ths, 0..4 */
	unsigned word_count;
	uint16_t words[ANALYSIS_WORDS_MAX]; /* places in the bag, each once, in the text's order */
};

struct analysis_terms; /* read-only once made; any number of threads read it */

/* NULL when memory is out. */
struct analysis_terms *analysis_terms_make(void);
void analysis_terms_free(struct analysis_terms *terms);

void analyse(struct analysis *analysis, const struct analysis_terms *terms, struct slice text,
	const struct analysis_shape *shape);

/* Its name in a receipt. */
struct slice analysis_feature_name(enum analysis_feature feature);

#endif
