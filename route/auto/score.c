/* The score of an analysis, in integers: logits are 65536ths throughout. */
#include "route/auto/score.h"

#include "route/auto/score_weights.h"

#include <assert.h>
#include <stdlib.h>

enum {
	LOGIT_ONE = 1 << 16,
	CURVE_STEP = LOGIT_ONE / SCORE_CURVE_STEPS,
	CURVE_END = SCORE_CURVE_END * LOGIT_ONE,
	UNSURE_PERMILLE = 30,          /* so near to a limit */
	WORDS = ANALYSIS_FEATURE_COUNT /* a reason beside the features' */
};

static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= value)
			root |= bit;
	return root;
}

/* Divided by the root of their number, as in training: a long text's words weigh no more than a short one's. */
static int64_t words_logit(const struct analysis *analysis)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < analysis->word_count; i++)
		sum += score_word_weights[analysis->words[i]];
	sum *= LOGIT_ONE / SCORE_WORD_ONE * 256;
	sum /= score_words_part[analysis->form];
	return sum / (int64_t)square_root(((uint64_t)analysis->word_count + 1) << 16);
}

static unsigned permille_of(int64_t logit)
{
	int64_t above, step;

	if (logit <= -CURVE_END)
		return score_curve[0] / 10;
	if (logit >= CURVE_END)
		return score_curve[2 * SCORE_CURVE_END * SCORE_CURVE_STEPS] / 10;
	above = logit + CURVE_END;
	step = above / CURVE_STEP;
	above %= CURVE_STEP;
	return (unsigned)((score_curve[step] * (CURVE_STEP - above) + score_curve[step + 1] * above) / CURVE_STEP / 10);
}

static void choose_bucket(struct score *score)
{
	static const unsigned limits[] = {SCORE_STANDARD_FROM, SCORE_COMPLEX_FROM};
	unsigned sure = 0, careful = 0;

	for (unsigned i = 0; i < 2; i++) {
		sure += score->permille >= limits[i];
		careful += score->permille + UNSURE_PERMILLE >= limits[i];
	}
	score->bucket = careful;
	score->unsure = careful != sure;
}

/* The strongest first: each is put in behind those that are stronger. */
static void give_reason(struct score *score, int64_t *strengths, unsigned feature, int64_t logit)
{
	unsigned at = score->reason_count;

	if (logit == 0)
		return;
	while (at > 0 && strengths[at - 1] < llabs(logit))
		at--;
	if (at == SCORE_REASONS)
		return;
	if (score->reason_count < SCORE_REASONS)
		score->reason_count++;
	for (unsigned i = score->reason_count - 1; i > at; i--) {
		strengths[i] = strengths[i - 1];
		score->reasons[i] = score->reasons[i - 1];
	}
	strengths[at] = llabs(logit);
	score->reasons[at].harder = logit > 0;
	score->reasons[at].name = feature == WORDS ? SLICE("its words") : analysis_feature_name(feature);
}

void score_analysis(const struct analysis *analysis, struct score *score)
{
	const int16_t *weights = score_feature_weights[analysis->form];
	const int16_t *usual = score_features_usual[analysis->form];
	int64_t strengths[SCORE_REASONS], logit;

	memset(score, 0, sizeof(*score));
	logit = words_logit(analysis);
	give_reason(score, strengths, WORDS, logit - score_words_usual[analysis->form]);
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++) {
		int64_t weight = weights[i];

		logit += weight * analysis->features[i];
		give_reason(score, strengths, i, weight * (analysis->features[i] - usual[i]));
	}
	score->permille = permille_of(logit);
	choose_bucket(score);
}

struct slice score_bucket_name(enum route_bucket bucket)
{
	static const struct slice names[] = {{"simple", 6}, {"standard", 8}, {"complex", 7}};

	assert((unsigned)bucket < ROUTE_BUCKETS);
	return names[bucket];
}
