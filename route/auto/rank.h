/*
 * Which models serve a request that names none, and in which order: those that cannot or may not are left aside with
 * the reason, the others are ordered by cost, latency or quality. Pure: the same facts give the same order, so that a
 * receipt can be replayed.
 */
#ifndef ROUTE_RANK_H
#define ROUTE_RANK_H

#include "route/settings/settings.h"
#include "store/receipt.h"

struct rank_model {
	const struct model_settings *model;
	int64_t cost_nusd;   /* of this request, about; where the price is known */
	uint64_t latency_ns; /* to the first token, of its fastest deployment; 0: not known yet */
	enum receipt_verdict
		verdict; /* in: VERDICT_CHOSEN, or why it is out already; out: of each that is left aside */
};

struct rank_rules {
	enum route_priority priority;
	uint32_t quality_milli; /* at least */
	bool quality_asked;     /* by the request: then no other model serves it */
	uint64_t latency_ns;    /* at most */
	uint64_t tokens;        /* prompt and answer have to fit the model's context */
};

/*
 * Sorts: the first of the list are those to try, best first; returns how many. When none has the quality, or none is
 * fast enough, those come that miss it least: a request is served rather than refused, but for a quality that was asked
 * for.
 */
unsigned rank_models(struct rank_model *models, unsigned count, const struct rank_rules *rules);

/* Why one that could serve comes behind the first. */
enum receipt_verdict rank_behind(enum route_priority priority);

/* What quality a bucket's requests need, of the threshold for complex ones: 60, 80 and 100 percent. */
uint32_t rank_quality_milli(enum route_bucket bucket, uint32_t threshold_milli);

#endif
