/* AdaGrad over the logistic loss; the weights' sizes and the number of rounds were chosen on the folds that main.c
 * prints. */
#include "tools/train/fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 16, OWN_WEIGHT = 18 };

static const double word_rate = 0.1, decay = 1e-3, first_sum = 1e-2;

/* Sums are a tenth of the questions with options: at their pace the weight of a sum's length would not be reached. */
static const double feature_rates[FORM_COUNT] = {[FORM_OPEN] = 0.1, [FORM_OPTIONS] = 0.1, [FORM_SUM] = 3};

const unsigned fit_words_part[FORM_COUNT] = {[FORM_OPEN] = 4, [FORM_OPTIONS] = 1, [FORM_SUM] = 8};

#define BIT(feature) (UINT64_C(1) << ANALYSIS_##feature)

/* Of sums there are few, and most features say nothing of them: all of them together would only be learnt by heart. */
static const uint64_t features_used[FORM_COUNT] = {[FORM_OPEN] = UINT64_MAX,
	[FORM_OPTIONS] = UINT64_MAX,
	[FORM_SUM] = BIT(BIAS) | BIT(LENGTH) | BIT(UPPER_CASE) | BIT(PARTS)};

/* How far a small model is from being enough: 1 is "the large one is right and the small one wrong". */
static double target_of(const struct sample *sample)
{
	static const double own[] = {[BUCKET_SIMPLE] = 0.02, [BUCKET_STANDARD] = 0.4, [BUCKET_COMPLEX] = 0.95};

	return sample->kind == SAMPLE_OWN ? own[sample->bucket] : !sample->weak && sample->strong;
}

/* e^x as (1 + x/2^20)^(2^20): libm's exp may round otherwise from version to version. */
static double exponential(double x)
{
	double power = 1 + x / (1 << 20);

	for (unsigned i = 0; i < 20; i++)
		power *= power;
	return power;
}

double fit_logistic(double x)
{
	if (x < -30)
		return 0;
	return x > 30 ? 1 : 1 / (1 + exponential(-x));
}

static double word_share(const struct sample *sample)
{
	return 1.0 / fit_words_part[sample->form] / sqrt((double)sample->word_count + 1);
}

double fit_logit(const struct model *model, const struct sample *sample)
{
	double words = 0, logit = 0;

	for (unsigned i = 0; i < sample->word_count; i++)
		words += model->words[sample->words[i]];
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		logit += model->features[sample->form][i] * sample->features[i] / ANALYSIS_ONE;
	return logit + words * word_share(sample);
}

static void step(double *weight, double *sum, double gradient, double rate)
{
	*sum += gradient * gradient;
	*weight -= rate * gradient / sqrt(*sum);
}

static void learn(struct model *model, struct model *sums, const struct sample *sample)
{
	double share = word_share(sample);
	double loss = (fit_logistic(fit_logit(model, sample)) - target_of(sample)) *
		      (sample->kind == SAMPLE_OWN ? OWN_WEIGHT : 1);

	for (unsigned i = 0; i < sample->word_count; i++) {
		unsigned place = sample->words[i];

		step(&model->words[place], &sums->words[place], loss * share + decay * model->words[place], word_rate);
	}
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		if (sample->features[i] && features_used[sample->form] >> i & 1)
			step(&model->features[sample->form][i], &sums->features[sample->form][i],
				loss * sample->features[i] / ANALYSIS_ONE, feature_rates[sample->form]);
}

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void shuffle(const struct sample **order, size_t count, uint64_t *seed)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = draw(seed) % i;
		const struct sample *sample = order[i - 1];

		order[i - 1] = order[other];
		order[other] = sample;
	}
}

/* At this rate the last sample still moves the weights of sums: theirs are the mean of the second half's. */
static void add_sums(double *mean, const struct model *model)
{
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		mean[i] += model->features[FORM_SUM][i];
}

static void learn_all(struct model *model, struct model *sums, const struct sample **order, size_t count)
{
	double mean[ANALYSIS_FEATURE_COUNT] = {0};
	uint64_t seed = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		shuffle(order, count, &seed);
		for (size_t i = 0; i < count; i++) {
			learn(model, sums, order[i]);
			if (round >= ROUNDS / 2)
				add_sums(mean, model);
		}
	}
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		model->features[FORM_SUM][i] = mean[i] / ((double)count * (ROUNDS - ROUNDS / 2));
}

int fit(struct model *model, const struct samples *samples, bool (*use)(const struct sample *sample, unsigned fold),
	unsigned fold)
{
	const struct sample **order = malloc((samples->count + 1) * sizeof(*order));
	struct model *sums = malloc(sizeof(*sums));
	size_t count = 0;
	int err = -ENOMEM;

	if (!order || !sums)
		goto out;
	memset(model, 0, sizeof(*model));
	for (size_t i = 0; i < sizeof(*sums) / sizeof(double); i++)
		((double *)sums)[i] = first_sum;
	for (size_t i = 0; i < samples->count; i++)
		if (use(&samples->list[i], fold))
			order[count++] = &samples->list[i];
	learn_all(model, sums, order, count);
	err = 0;
out:
	free(sums);
	free(order);
	return err;
}
