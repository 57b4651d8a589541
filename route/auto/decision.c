/* Rankings kept, and done again: see decision.h. */
#include "route/auto/decision.h"

struct receipt_figures decision_figures(const struct rank_model *ranked, unsigned declared, unsigned place)
{
	return (struct receipt_figures){.known = true,
		.place = (uint8_t)place,
		.priced = ranked->model->price.known,
		.declared = declared,
		.quality_milli = ranked->model->quality_milli,
		.cost_nusd = ranked->cost_nusd,
		.latency_ns = ranked->latency_ns,
		.context_tokens = ranked->model->context_window};
}

/* ---- again ---- */

/* The candidates that have figures, in the order in which the configuration declares them. */
struct stage {
	unsigned count;
	uint8_t indices[RECEIPT_CANDIDATES_MAX];
	struct model_settings models[RECEIPT_CANDIDATES_MAX]; /* as far as ranking looks at them */
	struct rank_model ranked[RECEIPT_CANDIDATES_MAX];
};

static void choose(const struct receipt *receipt, struct stage *stage)
{
	for (unsigned i = 0; i < receipt->candidate_count; i++) {
		unsigned at = stage->count;

		if (!receipt->figures[i].known)
			continue;
		for (; at > 0 && receipt->figures[stage->indices[at - 1]].declared > receipt->figures[i].declared; at--)
			stage->indices[at] = stage->indices[at - 1];
		stage->indices[at] = (uint8_t)i;
		stage->count++;
	}
}

/* What ranking finds out itself is left to it; another reason to leave a model aside was there before. */
static enum receipt_verdict verdict_before(enum receipt_verdict verdict, unsigned place)
{
	bool by_ranking =
		verdict == VERDICT_BELOW_QUALITY || verdict == VERDICT_SLOWER || verdict == VERDICT_TOO_SMALL_CONTEXT;

	return place || by_ranking ? VERDICT_CHOSEN : verdict;
}

static void set(const struct receipt *receipt, struct stage *stage)
{
	for (unsigned i = 0; i < stage->count; i++) {
		unsigned index = stage->indices[i];
		const struct receipt_figures *f = &receipt->figures[index];

		stage->models[i] = (struct model_settings){.quality_milli = f->quality_milli,
			.context_window = f->context_tokens,
			.price.known = f->priced};
		stage->ranked[i] = (struct rank_model){.model = &stage->models[i],
			.cost_nusd = f->cost_nusd,
			.latency_ns = f->latency_ns,
			.verdict = verdict_before(receipt->candidates[index].verdict, f->place)};
	}
}

static bool agrees(const struct receipt *receipt, const struct stage *stage, unsigned fit)
{
	unsigned last = 0;

	for (unsigned i = 0; i < stage->count; i++) {
		unsigned index = stage->indices[stage->ranked[i].model - stage->models];
		unsigned place = receipt->figures[index].place;

		if (i < fit ? place <= last : place || stage->ranked[i].verdict != receipt->candidates[index].verdict)
			return false;
		last = place;
	}
	return true;
}

bool decision_replay(const struct receipt *receipt, struct decision_replay *replay)
{
	const struct receipt_decision *d = &receipt->decision;
	const struct rank_rules rules = {.priority = d->priority,
		.quality_milli = d->quality_milli,
		.quality_asked = d->quality_asked,
		.latency_ns = d->latency_ns,
		.tokens = d->tokens};
	struct stage stage;

	*replay = (struct decision_replay){.count = 0};
	stage.count = 0;
	if (!d->made || !d->automatic)
		return false;
	choose(receipt, &stage);
	set(receipt, &stage);
	replay->count = rank_models(stage.ranked, stage.count, &rules);
	for (unsigned i = 0; i < replay->count; i++)
		replay->order[i] = stage.indices[stage.ranked[i].model - stage.models];
	replay->agrees = agrees(receipt, &stage, replay->count);
	return true;
}
