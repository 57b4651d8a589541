/*
 * A ranking as its receipt keeps it (store/receipt.h): the figures that ranked each candidate, and from these the same
 * ranking once more. So a receipt explains itself, and it shows if what it says and what was done ever part. Pure.
 *
 * What comes after the ranking, which of a model's deployments is tried first, is drawn, and stands in the receipt as
 * it happened.
 */
#ifndef ROUTE_DECISION_H
#define ROUTE_DECISION_H

#include "route/auto/rank.h"

/* Of a model that was ranked; place 0: it was left aside. */
struct receipt_figures decision_figures(const struct rank_model *ranked, unsigned declared, unsigned place);

struct decision_replay {
	unsigned count;                        /* of candidates that are put into an order again */
	uint8_t order[RECEIPT_CANDIDATES_MAX]; /* their indices in the receipt, the first to be tried first */
	bool agrees;                           /* it is the order that the receipt tells, and so are the verdicts */
};

/* False: the receipt holds no ranking. */
bool decision_replay(const struct receipt *receipt, struct decision_replay *replay);

/* The decision for people and programs: GET /admin/receipts/{id}/explain. */
receipt_printer decision_print;

#endif
