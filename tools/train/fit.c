/* AdaGrad over the logistic loss; the weights' sizes and the number of rounds were chosen on the folds that main.c
 * prints. */
#include "tools/train/fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 16, OWN_WEIGHT = 12 };

static const double rate = 0.1, decay = 1e-3, first_sum = 1e-2;

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

/* Most that is known of words is from questions with options; of others they say less. */
static double word_share(const struct sample *sample)
{
	return (sample->options ? 1.0 : 1.0 / SCORE_OPEN_WORDS_PART) / sqrt((double)sample->word_count + 1);
}

double fit_logit(const struct model *model, const struct sample *sample)
{
	double words = 0, logit = 0;

	for (unsigned i = 0; i < sample->word_count; i++)
		words += model->words[sample->words[i]];
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		logit += model->features[sample->options][i] * sample->features[i] / ANALYSIS_ONE;
	return logit + words * word_share(sample);
}

static void step(double *weight, double *sum, double gradient)
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

		step(&model->words[place], &sums->words[place], loss * share + decay * model->words[place]);
	}
	for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++)
		if (sample->features[i])
			step(&model->features[sample->options][i], &sums->features[sample->options][i],
				loss * sample->features[i] / ANALYSIS_ONE);
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

int fit(struct model *model, const struct samples *samples, bool (*use)(const struct sample *sample, unsigned fold),
	unsigned fold)
{
	const struct sample **order = malloc((samples->count + 1) * sizeof(*order));
	struct model *sums = malloc(sizeof(*sums));
	uint64_t seed = 1;
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
	for (unsigned round = 0; round < ROUNDS; round++) {
		shuffle(order, count, &seed);
		for (size_t i = 0; i < count; i++)
			learn(model, sums, order[i]);
	}
	err = 0;
out:
	free(sums);
	free(order);
	return err;
}
