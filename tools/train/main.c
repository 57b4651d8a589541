/*
 * Trains the score of `auto` and says what it is worth:
 *
 *   train DATA OWN HEADER
 *
 * DATA: published prompts with verdicts on two models; OWN: the project's own prompts; HEADER: what is written. The
 * same files give the same bytes. Figures are of samples that the model in question was not trained on.
 */
#include "tools/train/header.h"

#include <stdio.h>
#include <stdlib.h>

static bool other_folds(const struct sample *sample, unsigned fold)
{
	return sample->fold != fold;
}

static bool mmlu_alone(const struct sample *sample, unsigned fold)
{
	(void)fold;
	return sample->kind == SAMPLE_MMLU;
}

static bool all(const struct sample *sample, unsigned fold)
{
	(void)sample, (void)fold;
	return true;
}

static double by_length(const struct model *model, const struct sample *sample)
{
	(void)model;
	return (double)sample->prompt_bytes;
}

static size_t select_kind(
	const struct samples *samples, enum sample_kind kind, const double *scores, struct scored *list)
{
	size_t count = 0;

	for (size_t i = 0; i < samples->count; i++)
		if (samples->list[i].kind == kind)
			list[count++] = (struct scored){&samples->list[i], scores[i]};
	return count;
}

static void print_row(const char *name, const struct measured *measured)
{
	printf("  %-44s  %.3f  %.3f\n", name, measured->apgr, measured->auc);
}

static void score_all(double *scores, const struct samples *samples, const struct model *model,
	double (*score)(const struct model *model, const struct sample *sample))
{
	for (size_t i = 0; i < samples->count; i++)
		scores[i] = score(model, &samples->list[i]);
}

static void print_kind(const struct samples *samples, enum sample_kind kind, const char *name, const double *scores,
	struct scored *list)
{
	struct measured measured = measure(list, select_kind(samples, kind, scores, list));

	print_row(name, &measured);
}

static void print_models(const struct samples *samples, enum sample_kind kind, const char *name, const double *scores,
	struct scored *list)
{
	struct measured measured = measure(list, select_kind(samples, kind, scores, list));

	printf("%s: %zu prompts; right: weaker model %.1f %%, better model always %.1f %%\n", name, measured.count,
		measured.weak * 100, measured.strong * 100);
}

static void print_buckets(const struct confusion *confusion)
{
	unsigned right = 0, sum = 0;

	printf("The project's own prompts, five folds: as labelled (rows) and as scored\n  %-10s", "");
	for (unsigned i = 0; i < ROUTE_BUCKETS; i++)
		printf("  %9.*s", (int)score_bucket_name(i).size, score_bucket_name(i).data);
	for (unsigned i = 0; i < ROUTE_BUCKETS; i++) {
		printf("\n  %-10.*s", (int)score_bucket_name(i).size, score_bucket_name(i).data);
		for (unsigned j = 0; j < ROUTE_BUCKETS; j++) {
			printf("  %9u", confusion->counts[i][j]);
			sum += confusion->counts[i][j];
			right += i == j ? confusion->counts[i][j] : 0;
		}
	}
	printf("\n  in their bucket: %.1f %%\n", 100.0 * right / sum);
}

static int train(const struct samples *samples, const char *header)
{
	struct model *model = malloc(sizeof(*model));
	double *scores = malloc(samples->count * sizeof(*scores)), *lengths = malloc(samples->count * sizeof(*lengths));
	struct scored *list = malloc(samples->count * sizeof(*list));
	struct bucket_limits limits;
	struct confusion confusion;
	size_t own;
	int err = -1;

	if (!model || !scores || !lengths || !list)
		goto out;
	for (unsigned fold = 0; fold < SAMPLE_FOLDS; fold++) {
		if (fit(model, samples, other_folds, fold) < 0)
			goto out;
		for (size_t i = 0; i < samples->count; i++)
			if (samples->list[i].fold == fold)
				scores[i] = fit_logistic(fit_logit(model, &samples->list[i]));
	}
	score_all(lengths, samples, NULL, by_length);
	print_models(samples, SAMPLE_MMLU, "MMLU", scores, list);
	print_models(samples, SAMPLE_GSM8K, "GSM8K", scores, list);
	printf("  %-44s  APGR   AUC\n  %-44s  0.500  0.500\n", "held out", "random");
	print_kind(samples, SAMPLE_MMLU, "MMLU, five folds: length alone", lengths, list);
	print_kind(samples, SAMPLE_MMLU, "MMLU, five folds: score", scores, list);
	print_kind(samples, SAMPLE_GSM8K, "GSM8K, five folds: length alone", lengths, list);
	print_kind(samples, SAMPLE_GSM8K, "GSM8K, five folds: score", scores, list);
	own = select_kind(samples, SAMPLE_OWN, scores, list);
	limits = measure_limits(list, own);
	confusion = measure_buckets(list, own, limits);
	if (fit(model, samples, mmlu_alone, 0) < 0)
		goto out;
	score_all(scores, samples, model, fit_logit);
	print_kind(samples, SAMPLE_GSM8K, "GSM8K, trained on MMLU alone: score", scores, list);
	print_buckets(&confusion);
	if (fit(model, samples, all, 0) < 0)
		goto out;
	err = header_write(header, model, limits, samples);
out:
	if (err)
		fprintf(stderr, "train: failed\n");
	free(list);
	free(lengths);
	free(scores);
	free(model);
	return err;
}

int main(int argc, char **argv)
{
	struct samples samples = {0};
	int err;

	if (argc != 4) {
		fprintf(stderr, "usage: train DATA OWN HEADER\n");
		return 2;
	}
	err = samples_read(&samples, argv[1], false);
	if (!err)
		err = samples_read(&samples, argv[2], true);
	if (!err)
		err = train(&samples, argv[3]);
	samples_free(&samples);
	return err ? 1 : 0;
}
