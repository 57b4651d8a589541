/*
 * Fits the logistic model by AdaGrad (Duchi, Hazan and Singer, 2011), in a fixed order of samples and with arithmetic
 * that IEEE 754 defines to the bit, so that the same data gives the same weights anywhere.
 */
#ifndef TOOLS_TRAIN_FIT_H
#define TOOLS_TRAIN_FIT_H

#include "tools/train/samples.h"

struct model {
	double features[FORM_COUNT][ANALYSIS_FEATURE_COUNT];
	double words[ANALYSIS_BAG];
};

/* So much less words weigh in a form: most that is known of them is from questions with options. */
extern const unsigned fit_words_part[FORM_COUNT];

/* Trains on what `use` accepts. 0; -ENOMEM. */
int fit(struct model *model, const struct samples *samples, bool (*use)(const struct sample *sample, unsigned fold),
	unsigned fold);

double fit_logit(const struct model *model, const struct sample *sample);

/* 1 / (1 + e^-x). */
double fit_logistic(double x);

#endif
