/* The analysis by hand-made texts, terms as whole words alone, and what the score makes of them. */
#include "route/auto/score.h"

#include "route/auto/analysis_word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static int make_terms(void **state)
{
	*state = analysis_terms_make();
	return *state ? 0 : -1;
}

static int free_terms(void **state)
{
	analysis_terms_free(*state);
	return 0;
}

static struct analysis analysed(void **state, struct slice text)
{
	struct analysis_shape shape = {.prompt_bytes = text.size, .message_count = 1};
	struct analysis analysis;

	analyse(&analysis, *state, text, &shape);
	return analysis;
}

static void terms_are_whole_words(void **state)
{
	static const struct {
		const char *text;
		enum analysis_feature feature;
		bool has;
	} table[] = {
		{"Prove it.", ANALYSIS_REASONING_WORDS, true},
		{"PROVE it", ANALYSIS_REASONING_WORDS, true},
		{"(prove)", ANALYSIS_REASONING_WORDS, true},
		{"prove", ANALYSIS_REASONING_WORDS, true},
		{"We improve it; it was approved.", ANALYSIS_REASONING_WORDS, false},
		{"a trip to Provence", ANALYSIS_REASONING_WORDS, false},
		{"The prover9 tool", ANALYSIS_REASONING_WORDS, false},
		{"a planet, an airplane", ANALYSIS_DESIGN_WORDS, false},
		{"Plan a planet.", ANALYSIS_DESIGN_WORDS, true},
		{"The classic class is in session", ANALYSIS_CODE_WORDS, false},
		{"print it on a printer", ANALYSIS_CODE_WORDS, false},
		{"the html page", ANALYSIS_CODE_WORDS, true},
		{"an integrated circuit with integrity", ANALYSIS_MATHS_WORDS, false},
		{"the integral over x", ANALYSIS_MATHS_WORDS, true},
		{"matrix_a", ANALYSIS_MATHS_WORDS, true},
		{"She was entitled to the label-free one", ANALYSIS_TASK_WORDS, true},
		{"entitled and mislabelled", ANALYSIS_TASK_WORDS, false},
		{"This is his high hill", ANALYSIS_SMALL_TALK, false},
		{"hi", ANALYSIS_SMALL_TALK, true},
		{"expliqué", ANALYSIS_REASONING_WORDS, false},
		{"Erkl\xc3\xa4re das", ANALYSIS_REASONING_WORDS, true},
		{"", ANALYSIS_REASONING_WORDS, false},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct analysis analysis = analysed(state, slice_of_string(table[i].text));

		if ((analysis.features[table[i].feature] > 0) != table[i].has)
			fail_msg("\"%s\"", table[i].text);
	}
}

static void marks_are_counted(void **state)
{
	static const struct {
		const char *text;
		enum analysis_feature feature;
		int32_t value; /* in 256ths */
	} table[] = {
		{"1 22 a3 4b 5", ANALYSIS_NUMBERS, 4 * 256 / 12},
		{"One. Two! Three? 3.5 e.g.x", ANALYSIS_SENTENCES, 3 * 256 / 8},
		{"a?b? c? d", ANALYSIS_QUESTIONS, 256},
		{"a? b", ANALYSIS_QUESTIONS, 0},
		{"12345678", ANALYSIS_DIGITS, 256},
		{"AbcdefgH", ANALYSIS_UPPER_CASE, 256},
		{"abcdefgh", ANALYSIS_UPPER_CASE, 0},
		{"a\nb\nc\nd", ANALYSIS_LINES, 2 * 256 / 6},
		{"\\frac $x$ x^2 \xe2\x88\x91", ANALYSIS_MATHS_MARKS, 4 * 256 / 8},
		{"5$ and $5", ANALYSIS_MATHS_MARKS, 0},
		{"\xd0\x90\xd0\x91", ANALYSIS_OTHER_SCRIPT, 256},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct analysis analysis = analysed(state, slice_of_string(table[i].text));

		if (analysis.features[table[i].feature] != table[i].value)
			fail_msg("\"%s\": %d", table[i].text, analysis.features[table[i].feature]);
	}
}

static void forms_are_seen(void **state)
{
	static const struct {
		const char *text;
		enum analysis_form form;
	} table[] = {
		{"Which?\nA. this\nB. that\nAnswer:", FORM_OPTIONS},
		{"Which? (a) this (b) that", FORM_OPTIONS},
		{"Which?\nA. this\nG. that", FORM_OPEN},
		{"Vitamin A. Vitamin B. f(a) g(b)", FORM_OPEN},
		{"Ann has 3 apples and buys 4. How many has she?", FORM_SUM},
		{"Ann has 3 apples. How many has she?", FORM_SUM},
		{"Ann has some apples. How many has she?", FORM_OPEN},
		{"How much is 3 and 4?", FORM_OPEN},
		{"Add 3 and 4.", FORM_OPEN},
		{"What does f(3, 4); print?", FORM_OPEN},
		{"What is x^3 for 4?", FORM_OPEN},
		{"Is it 3 or 4?\nA. 3\nB. 4", FORM_OPTIONS},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (analysed(state, slice_of_string(table[i].text)).form != table[i].form)
			fail_msg("\"%s\"", table[i].text);
}

/* Words at each place and of each length, at the ends of vectors and of what is looked at. */
static void words_are_found_anywhere(void **state)
{
	enum { BYTES = 300 };
	char text[BYTES];

	for (size_t at = 0; at < 140; at++)
		for (size_t size = 1; size <= 40; size++) {
			struct analysis analysis, alone;

			memset(text, ' ', sizeof(text));
			memset(text + at, 'w', size);
			analysis = analysed(state, slice_of(text, at + size));
			alone = analysed(state, slice_of(text + at, size));
			assert_int_equal(analysis.word_count, 1);
			assert_int_equal(alone.word_count, 1);
			assert_int_equal(analysis.words[0], alone.words[0]);
		}
}

static void long_texts_keep_their_ends(void **state)
{
	enum { BYTES = 3 * ANALYSIS_BYTES_MAX };
	char *text = malloc(BYTES);
	struct analysis analysis;

	assert_non_null(text);
	memset(text, 'x', BYTES);
	memcpy(text, "prove ", 6);
	memcpy(text + BYTES - 4, " sql", 4);
	memcpy(text + BYTES / 2, " lemma ", 7);
	analysis = analysed(state, slice_of(text, BYTES));
	assert_true(analysis.features[ANALYSIS_REASONING_WORDS] > 0);
	assert_true(analysis.features[ANALYSIS_CODE_WORDS] > 0);
	assert_int_equal(analysis.features[ANALYSIS_MATHS_WORDS], 0);
	free(text);
}

static void most_words_that_fit(void **state)
{
	char text[ANALYSIS_BYTES_MAX];
	struct analysis analysis;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : (char)('0' + i / 2 % 10);
	analysis = analysed(state, slice_of(text, sizeof(text)));
	assert_int_equal(analysis.word_count, 10);
}

static void scores_in_order(void **state)
{
	static const char *const texts[] = {"Thanks!",
		"Write an email to a customer who complains about a late delivery. Apologise and offer a voucher.",
		("Design and implement a distributed scheduler in Rust, prove that its invariants hold under a network "
		 "partition and justify each trade-off of the architecture.")};
	static const enum route_bucket buckets[] = {BUCKET_SIMPLE, BUCKET_STANDARD, BUCKET_COMPLEX};
	unsigned last = 0;

	for (size_t i = 0; i < 3; i++) {
		struct analysis analysis = analysed(state, slice_of_string(texts[i]));
		struct score score;

		score_analysis(&analysis, &score);
		assert_in_range(score.permille, last, 1000);
		assert_int_equal(score.bucket, buckets[i]);
		assert_int_equal(score.reason_count, SCORE_REASONS);
		last = score.permille;
	}
}

static void reasons_are_the_strongest(void **state)
{
	struct analysis analysis = analysed(state, SLICE("hello"));
	struct score score;

	analysis.features[ANALYSIS_REASONING_WORDS] = 100 * ANALYSIS_ONE;
	analysis.features[ANALYSIS_DESIGN_WORDS] = 50 * ANALYSIS_ONE;
	score_analysis(&analysis, &score);
	assert_in_range(score.permille, 999, 1000);
	assert_true(score.reasons[0].harder && score.reasons[1].harder);
	assert_true(slice_equal(score.reasons[0].name, SLICE("words of reasoning")) ||
		    slice_equal(score.reasons[1].name, SLICE("words of reasoning")));
}

/* Whatever the weights are: what counts as harder than its score is less than the margin below a limit. */
static void unsure_is_the_harder_bucket(void **state)
{
	struct analysis analysis = analysed(state, SLICE("hello"));
	enum route_bucket last = BUCKET_SIMPLE;
	struct score score, above;
	unsigned unsure = 0;

	for (int32_t i = 0; i < 8 * ANALYSIS_ONE; i++) {
		analysis.features[ANALYSIS_REASONING_WORDS] = i;
		score_analysis(&analysis, &score);
		assert_true(score.bucket >= last);
		last = score.bucket;
		if (!score.unsure)
			continue;
		unsure++;
		analysis.features[ANALYSIS_REASONING_WORDS] = 8 * ANALYSIS_ONE;
		score_analysis(&analysis, &above);
		assert_true(above.bucket >= score.bucket && score.bucket != BUCKET_SIMPLE);
	}
	assert_int_equal(last, BUCKET_COMPLEX);
	assert_int_not_equal(unsure, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_are_whole_words),
		cmocka_unit_test(marks_are_counted),
		cmocka_unit_test(forms_are_seen),
		cmocka_unit_test(words_are_found_anywhere),
		cmocka_unit_test(long_texts_keep_their_ends),
		cmocka_unit_test(most_words_that_fit),
		cmocka_unit_test(scores_in_order),
		cmocka_unit_test(reasons_are_the_strongest),
		cmocka_unit_test(unsure_is_the_harder_bucket),
	};

	return cmocka_run_group_tests(tests, make_terms, free_terms);
}
