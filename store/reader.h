/*
 * The reader: answers queries about receipts from the database, in a thread of its own. One query is one step; a long
 * list looks at a bounded number of blocks and then hands out a cursor to go on from.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "store/kv.h"
#include "store/store.h"

/* Fills in what `query` gives back. Pure but for the database. */
void reader_answer(struct kv *kv, struct store_query *query);

#endif
