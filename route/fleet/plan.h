/*
 * The plan of a request: which deployments may serve the models that it names, in the order in which they are tried,
 * and why the others may not. Pure: it reads a configuration's deployments and one shard's states of them as they are
 * now, and changes nothing, so that each receipt explains itself.
 */
#ifndef ROUTE_PLAN_H
#define ROUTE_PLAN_H

#include "route/fleet/fleet.h"
#include "store/receipt.h"

enum { PLAN_CANDIDATES_MAX = RECEIPT_CANDIDATES_MAX, PLAN_PROVIDER_EXCLUDED = 255, PLAN_PROVIDER_UNRANKED = 254 };

struct exchange_candidate {
	const struct model_settings *model;
	const struct deployment_settings *deployment;
	const struct provider_settings *provider;
	const struct credential_settings *credential; /* NULL: none needed */
	const struct dialect *dialect;
	const struct fleet_option *option;
	bool last_resort;  /* its breaker is open, and nothing else is left */
	int64_t most_nusd; /* what a call of it costs at most; as its exchange finds, where that is reserved */
};

struct plan_request {
	const struct fleet_view *view;
	unsigned shard; /* whose states */
	uint64_t now_ns;
	struct rand *rand;
	enum receipt_api api;
	bool stream;
	uint64_t tokens;       /* about what it takes */
	const char *residency; /* NULL: anywhere */
	const char *workspace; /* whose own credentials go first; NULL: nobody's */
	/* What tells one conversation from others (route/fleet/affinity.h); NULL data: nothing does. */
	struct slice conversation;
	/* Whether what the request asks for can be said in its dialect; NULL: always. */
	bool (*can_serve)(void *context, const struct exchange_candidate *candidate);
	void *context;
	const uint8_t
		*provider_ranks; /* by index: the least first, PLAN_PROVIDER_EXCLUDED: not at all; NULL: all alike */
};

struct plan { /* plan_begin() empties it */
	unsigned candidate_count, verdict_count;
	uint32_t verdicts_given; /* 1 << enum receipt_verdict, of all that were left aside */
	uint64_t again_ns;       /* when the first that is left aside for a time is back; 0: none is */
	bool has_last_resort;
	struct exchange_candidate candidates[PLAN_CANDIDATES_MAX], last_resort;
	struct receipt_candidate verdicts[RECEIPT_CANDIDATES_MAX];
};

void plan_begin(struct plan *plan);

/* Appends a model's candidates behind those that are there. */
void plan_model(struct plan *plan, const struct plan_request *request, const struct model_settings *model);

/* A model that may not be used at all. */
void plan_verdict(struct plan *plan, const struct model_settings *model, enum receipt_verdict verdict);

/* After the last model: when nothing is left, what only its share of failures has put out of use is tried after all. */
void plan_end(struct plan *plan);

/*
 * After a failure of candidate `failed`: of those from `next` on, for the same model, one at another provider goes
 * first, since what ails a provider seldom ails one credential alone.
 */
void plan_other_provider_first(struct plan *plan, unsigned failed, unsigned next);

#endif
