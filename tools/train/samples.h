/*
 * What is trained on: published prompts with the verdicts on a weaker and a stronger model's answers, and the project's
 * own prompts with the bucket that they belong to. One JSON object a line:
 *
 *   {"source": "mmlu/anatomy", "prompt": "...", "weak": true, "strong": true}
 *   {"topic": "code", "bucket": "simple", "prompt": "...", "tools": 2, "schema": true, "images": 1, "messages": 9,
 *    "prompt_bytes": 60000, "max_tokens": 16}                                      all behind prompt may be left out
 */
#ifndef TOOLS_TRAIN_SAMPLES_H
#define TOOLS_TRAIN_SAMPLES_H

#include "route/auto/score.h"

enum { SAMPLE_FOLDS = 5 };

enum sample_kind { SAMPLE_MMLU, SAMPLE_GSM8K, SAMPLE_OWN };

struct sample {
	enum sample_kind kind;
	bool weak, strong;        /* published: whose answer was right */
	enum route_bucket bucket; /* own */
	unsigned fold;            /* by the text's hash */
	size_t prompt_bytes;
	enum analysis_form form; /* these four as in its analysis */
	int32_t features[ANALYSIS_FEATURE_COUNT];
	unsigned word_count;
	uint16_t *words;
	char label[64]; /* where it is from, and its line */
};

struct samples {
	size_t count, capacity;
	struct sample *list;
};

/* Appends a file's lines; 0, or -1 with the reason on stderr. */
int samples_read(struct samples *samples, const char *path, bool own);
void samples_free(struct samples *samples);

#endif
