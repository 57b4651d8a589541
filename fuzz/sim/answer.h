/*
 * An answer as its client reads it: what each head, body and event has to be, and whose it is. What is wrong breaks an
 * invariant at once; what is right is noted in the call.
 */
#ifndef FUZZ_SIM_ANSWER_H
#define FUZZ_SIM_ANSWER_H

#include "fuzz/sim/scenario.h"
#include "fuzz/sim/wire.h"

struct answer {             /* zeroed before each call */
	struct bytes body;  /* of a stream: what is not yet a whole event */
	unsigned deltas;    /* pieces of the text that came, */
	size_t delta_bytes; /* and of the next one so far */
	int64_t events;     /* of a stream, that came */
	bool in_part;       /* of a stream that has them */
	bool own_id;        /* it has the id that the gateway gave it */
	bool usage_came;
	bool summary_came;
};

void answer_head(struct scenario *scenario, struct call *call, struct answer *answer, const struct wire *wire);
void answer_body(struct scenario *scenario, struct call *call, struct answer *answer, struct slice piece);
void answer_end(struct scenario *scenario, struct call *call, struct answer *answer);
void answer_free(struct answer *answer);

#endif
