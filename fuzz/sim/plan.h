/*
 * What a provider will answer to one call, drawn from the seed: the bytes, how they are spread over time, and how far
 * they go before it all ends in another way.
 */
#ifndef FUZZ_SIM_PLAN_H
#define FUZZ_SIM_PLAN_H

#include "fuzz/sim/bytes.h"
#include "fuzz/sim/scenario.h"

enum plan_end { PLAN_KEEP, PLAN_CLOSE, PLAN_CUT /* as line_cut() */, PLAN_RESET, PLAN_STALL };

struct plan {
	struct bytes bytes;    /* the answer with its head and framing */
	bool done;             /* they have a stream's end marker */
	size_t whole_at;       /* so many of them are an answer to whom they reach */
	size_t end_at;         /* so many of them are sent */
	enum plan_end end;     /* then: KEEP waits for the next request */
	uint64_t delay_ns;     /* before the first byte */
	uint64_t pause_max_ns; /* between pieces; 0: all at once */
	size_t piece_max_bytes;
};

/* Fills in the attempt's own figures as well. */
void plan_draw(struct plan *plan, struct scenario *scenario, const struct call *call, struct attempt *attempt);

#endif
