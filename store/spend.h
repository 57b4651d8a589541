/* What was spent, by a dimension of the running totals (counters.h), over all time or over days: one answer as JSON. */
#ifndef STORE_SPEND_H
#define STORE_SPEND_H

#include "store/kv.h"
#include "store/store.h"

/* In the reader's thread, after the counters' rows were written: fills in query->json and result. */
void spend_answer(struct kv *kv, struct store_query *query);

#endif
