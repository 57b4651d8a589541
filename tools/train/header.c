#include "tools/train/header.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { WORD_ONE = 32, LINE_ITEMS = 24, CURVE_STEPS = 16, CURVE_END = 8 };

static long rounded(double value, long least, long most)
{
	double nearest = floor(value + 0.5);

	return nearest < (double)least ? least : nearest > (double)most ? most : (long)nearest;
}

static void write_items(FILE *file, const char *indent, const long *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fprintf(file, "%s%s%ld,", i % LINE_ITEMS ? "" : indent, i % LINE_ITEMS ? " " : "", list[i]);
}

static void write_list(FILE *file, const char *declaration, const long *list, unsigned count)
{
	fprintf(file, "static const %s = {", declaration);
	write_items(file, "\n\t", list, count);
	fprintf(file, "\n};\n\n");
}

/* A form each. */
static void write_rows(FILE *file, const char *declaration, const long *list)
{
	fprintf(file, "static const %s = {", declaration);
	for (unsigned form = 0; form < FORM_COUNT; form++) {
		fprintf(file, "\n\t{");
		write_items(file, "\n\t\t", list + (size_t)form * ANALYSIS_FEATURE_COUNT, ANALYSIS_FEATURE_COUNT);
		fprintf(file, "\n\t},");
	}
	fprintf(file, "\n};\n\n");
}

/* Of open questions the project's own tell what is usual, of others the published ones. */
static bool tells_usual(const struct sample *sample, enum analysis_form form)
{
	return sample->form == form && (sample->kind == SAMPLE_OWN) == (form == FORM_OPEN);
}

static long feature_usual(const struct samples *samples, enum analysis_form form, unsigned feature)
{
	double sum = 0, count = 0;

	for (size_t i = 0; i < samples->count; i++)
		if (tells_usual(&samples->list[i], form)) {
			sum += samples->list[i].features[feature];
			count++;
		}
	return count > 0 ? rounded(sum / count, 0, 4 * ANALYSIS_ONE) : 0;
}

static void write_features(FILE *file, const struct model *model, const struct samples *samples)
{
	long weights[FORM_COUNT * ANALYSIS_FEATURE_COUNT], usual[FORM_COUNT * ANALYSIS_FEATURE_COUNT];

	for (enum analysis_form form = 0; form < FORM_COUNT; form++)
		for (unsigned i = 0; i < ANALYSIS_FEATURE_COUNT; i++) {
			unsigned at = form * ANALYSIS_FEATURE_COUNT + i;

			weights[at] = rounded(model->features[form][i] * ANALYSIS_ONE, -32768, 32767);
			usual[at] = feature_usual(samples, form, i);
		}
	write_rows(file, "int16_t score_feature_weights[FORM_COUNT][ANALYSIS_FEATURE_COUNT]", weights);
	write_rows(file, "int16_t score_features_usual[FORM_COUNT][ANALYSIS_FEATURE_COUNT]", usual);
}

/* The usual part of the words in a logit, in 65536ths. */
static long words_usual(const struct model *model, const struct samples *samples, enum analysis_form form)
{
	struct model words_only = *model;
	double sum = 0, count = 0;

	memset(words_only.features, 0, sizeof(words_only.features));
	for (size_t i = 0; i < samples->count; i++)
		if (tells_usual(&samples->list[i], form)) {
			sum += fit_logit(&words_only, &samples->list[i]);
			count++;
		}
	return count > 0 ? rounded(sum / count * 65536, -(1 << 24), 1 << 24) : 0;
}

static void write_words(FILE *file, const struct model *model)
{
	static long weights[ANALYSIS_BAG];

	for (unsigned i = 0; i < ANALYSIS_BAG; i++)
		weights[i] = rounded(model->words[i] * WORD_ONE, -127, 127);
	write_list(file, "int8_t score_word_weights[ANALYSIS_BAG]", weights, ANALYSIS_BAG);
}

static void write_curve(FILE *file)
{
	enum { COUNT = 2 * CURVE_END * CURVE_STEPS + 1 };
	long curve[COUNT];

	for (int i = 0; i < COUNT; i++)
		curve[i] = rounded(fit_logistic((double)(i - CURVE_END * CURVE_STEPS) / CURVE_STEPS) * 10000, 0, 10000);
	write_list(file, "uint16_t score_curve[2 * SCORE_CURVE_END * SCORE_CURVE_STEPS + 1]", curve, COUNT);
}

int header_write(
	const char *path, const struct model *model, struct bucket_limits limits, const struct samples *samples)
{
	FILE *file = fopen(path, "w");
	long usual[FORM_COUNT], parts[FORM_COUNT];
	int failed;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	fprintf(file,
		"/* The weights of route/auto/score.c. Written by `make train`; not to be edited. */\n"
		"#ifndef ROUTE_SCORE_WEIGHTS_H\n#define ROUTE_SCORE_WEIGHTS_H\n\n#include \"route/auto/analysis.h\"\n\n"
		"enum {\n"
		"\tSCORE_STANDARD_FROM = %ld, /* permille */\n"
		"\tSCORE_COMPLEX_FROM = %ld,\n"
		"\tSCORE_WORD_ONE = %d,       /* 1.0 of a word's weight; a feature's is in 256ths */\n"
		"\tSCORE_CURVE_STEPS = %d,    /* of 1.0 */\n"
		"\tSCORE_CURVE_END = %d\n"
		"};\n\n",
		rounded(limits.standard_from * 1000, 0, 1000), rounded(limits.complex_from * 1000, 0, 1000), WORD_ONE,
		CURVE_STEPS, CURVE_END);
	for (enum analysis_form form = 0; form < FORM_COUNT; form++) {
		usual[form] = words_usual(model, samples, form);
		parts[form] = fit_words_part[form];
	}
	write_list(file, "uint8_t score_words_part[FORM_COUNT]", parts, FORM_COUNT);
	write_list(file, "int32_t score_words_usual[FORM_COUNT]", usual, FORM_COUNT);
	write_features(file, model, samples);
	write_words(file, model);
	write_curve(file);
	fprintf(file, "#endif\n");
	failed = ferror(file);
	failed |= fclose(file);
	if (failed)
		fprintf(stderr, "%s: cannot be written\n", path);
	return failed ? -1 : 0;
}
