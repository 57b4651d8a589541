/*
 * What has to hold, whatever the seed. Each is a function and a row of the table in invariants.c, which says when it is
 * looked at; what an answer has to be is looked at as it is read (answer.c).
 */
#ifndef FUZZ_SIM_INVARIANTS_H
#define FUZZ_SIM_INVARIANTS_H

#include "fuzz/sim/gate.h"

void invariants_after_event(struct scenario *scenario);
void invariants_at_rest(struct gate *gate); /* drained, its threads have ended, nothing is closed yet */
void invariants_closed(struct gate *gate);
void invariants_at_end(struct scenario *scenario); /* of the whole history: every gate is down */

/* As a call ends. */
void invariants_call_whole(struct scenario *scenario, const struct call *call);
void invariants_call_broken(struct scenario *scenario, const struct call *call);
void invariants_call_left(struct scenario *scenario, const struct call *call);

void invariants_free(struct scenario *scenario);

/* Whether the store may not have lost the receipt of an answer that its client has as a whole. */
bool invariants_receipt_due(const struct scenario *scenario, const struct call *call);

/* receipts.c: reads a closed store, checks each receipt against the book. Returns how many there are. */
uint64_t receipts_check(struct scenario *scenario, struct gate *gate);

#endif
