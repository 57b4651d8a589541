/* Writes the model as route/auto/score_weights.h: integers alone. */
#ifndef TOOLS_TRAIN_HEADER_H
#define TOOLS_TRAIN_HEADER_H

#include "tools/train/fit.h"
#include "tools/train/measure.h"

/* What is usual among `samples` goes with it, for the reasons of a score. 0, or -1 with the reason on stderr. */
int header_write(
	const char *path, const struct model *model, struct bucket_limits limits, const struct samples *samples);

#endif
