/*
 * How hard a request is: a logistic model over the features and words of its analysis (route/auto/analysis.h). 0 is
 * what a small model answers as well as a large one; near 1, the large one is likely to be right where the small one is
 * wrong. The weights are integers in a generated header (make train; tools/train says from what), so the same request
 * has the same score on every machine.
 *
 * Just below a limit between two buckets the model does not know: then the request counts as the harder one. Pure.
 */
#ifndef ROUTE_SCORE_H
#define ROUTE_SCORE_H

#include "route/auto/analysis.h"
#include "route/settings/settings_features.h"

enum {
	SCORE_REASONS = 3,
};

struct score_reason {
	struct slice name; /* static */
	bool harder;       /* it raises the score above what is usual */
};

struct score {
	unsigned permille; /* 0..1000 */
	enum route_bucket bucket;
	bool unsure; /* the bucket is one above what the score says */
	unsigned reason_count;
	struct score_reason reasons[SCORE_REASONS]; /* what weighs most against the usual, first things first */
};

void score_analysis(const struct analysis *analysis, struct score *score);

/* "simple", "standard", "complex". */
struct slice score_bucket_name(enum route_bucket bucket);

#endif
