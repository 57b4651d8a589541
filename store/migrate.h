/*
 * Bringing a database of an older schema up to date, at start. Each step may be cut off and done again: the version is
 * written last.
 *
 *   1 -> 2   index rows by key: one for each key became one for each of 8 buckets (receipt_index.h)
 *   2 -> 3   counters' rows of keys, teams and workspaces may hold calls of the day (recent.h): nothing to change
 *   3 -> 4   receipts' records may have version 2 (receipt.c), which older programs do not read: nothing to change
 *   4 -> 5   a family of records (records.h), made empty as the database is opened: nothing to change
 *   5 -> 6   counters of each day: all are counted anew from the receipts, of which none had expired before
 *   6 -> 7   blocks may be gaps (receipt_block.h), which older programs do not read: nothing to change
 *   7 -> 8   receipts' records may have version 3, which older programs do not read: nothing to change
 *   8 -> 9   counters of what was free of hosted models' tokens: nothing to change, as nothing was
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/kv.h"

enum { SCHEMA_VERSION = 9 };

/* From an older version. 0 or -errno, and `why`. */
int migrate(struct kv *kv, char *why, size_t why_bytes);

#endif
