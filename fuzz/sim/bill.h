/*
 * What a receipt bills: of one attempt its tokens and their price. Where a second attempt went beside the first, both
 * are summed: the one that served, and of the one that was outrun its prompt and what came of its answer.
 */
#ifndef FUZZ_SIM_BILL_H
#define FUZZ_SIM_BILL_H

#include "fuzz/sim/scenario.h"
#include "store/receipt.h"

int64_t bill_cost_nusd(const struct receipt *receipt);

/* Of any receipt. Counts what was outrun. */
void bill_check(struct scenario *scenario, const struct call *call, const struct receipt *receipt);

/* Of one whose answer the client has as a whole: against what the providers told. */
void bill_check_served(struct scenario *scenario, const struct call *call, const struct receipt *receipt);

#endif
