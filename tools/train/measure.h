/*
 * What a score is worth on samples that it was not trained on.
 *
 * PGR at a share x of calls sent to the better model, those with the highest scores: how much of the way from the
 * weaker model's accuracy to the better one's is gained; APGR is its mean over all x (Ong et al., "RouteLLM", 2024). A
 * score that says nothing has 0.5. AUC: how often, of a sample where the weaker model failed and one where it did not,
 * the former has the higher score.
 */
#ifndef TOOLS_TRAIN_MEASURE_H
#define TOOLS_TRAIN_MEASURE_H

#include "tools/train/samples.h"

struct scored {
	const struct sample *sample;
	double score;
};

struct measured {
	size_t count;
	double apgr, auc, weak, strong; /* weak, strong: shares of right answers */
};

/* Sorts the list. */
struct measured measure(struct scored *list, size_t count);

struct bucket_limits {
	double standard_from, complex_from;
};

/* The limits that do the project's own prompts most justice: a bucket too low costs more than one too high. */
struct bucket_limits measure_limits(struct scored *list, size_t count);

struct confusion {
	unsigned counts[ROUTE_BUCKETS][ROUTE_BUCKETS]; /* [belongs][scored] */
};

struct confusion measure_buckets(const struct scored *list, size_t count, struct bucket_limits limits);

#endif
