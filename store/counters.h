/*
 * Running totals over all receipts: of everything, of each day, workspace, team, key, provider, model, tag, endpoint
 * and project, of what hosted models cost a workspace, and of each of these in each day (UTC, when the request was
 * received). The writer is their only writer; it adds up each group in memory and now and then writes one absolute row
 * for each total that was touched since, with the number of the block up to which they add up (commit.h). A start adds
 * what lies behind that block, so that a crash can neither lose nor double a count.
 *
 *   key:   u8 dimension, u8 0 and the name; or u8 1 and nothing: the rest
 *          u8 dimension | COUNTER_OF_DAY, u8 0, be32 day since 1970 and the name; or u8 1 and nothing: the rest
 *   value: u8 version, u64 receipts, u64 spend (nano-USD, two's complement), u64 prompt tokens, u64 completion tokens;
 *          from version 2 on, of keys, teams, workspaces and endpoints: the calls of the current day and hour
 * (recent.h)
 *
 * Names that come from clients must not make memory grow: when a bound is reached, new names add to their dimension's
 * rest. Days that are over leave memory once their rows are written; a call that ends late fetches its row again.
 */
#ifndef STORE_COUNTERS_H
#define STORE_COUNTERS_H

#include "store/receipt.h"
#include "store/recent.h"

enum counter_dimension {
	COUNTER_TOTAL = 1,
	COUNTER_DAY,
	COUNTER_WORKSPACE,
	COUNTER_TEAM,
	COUNTER_KEY,
	COUNTER_PROVIDER,
	COUNTER_MODEL,
	COUNTER_TAG,
	COUNTER_ENDPOINT,
	COUNTER_PROJECT,
	COUNTER_HOSTED, /* what a workspace paid from its balance */
	COUNTER_FREE, /* of a workspace and a hosted model: tokens (as those of prompts) that were free; it has no spend
		       */
	COUNTER_DIMENSIONS,
};
enum { COUNTER_OF_DAY = 0x80 };

const char *counter_dimension_name(enum counter_dimension dimension); /* "total", "day", "workspace" ... */

struct counter {
	uint64_t receipts, prompt_tokens, completion_tokens;
	int64_t spend_nusd;
};

struct counters;

int counters_open(struct counters **counters);
void counters_close(struct counters *counters);

/* Where a day's row is found that is not in memory: 0 and *counter, -ENOENT, -EIO. Before anything is loaded or added.
 */
typedef int counters_fetch(void *context, struct slice key, struct counter *counter);
void counters_fetch_by(struct counters *counters, counters_fetch *fetch, void *context);

/* A row as it was written: 0, -EBADMSG, -ENOMEM. */
int counters_load(struct counters *counters, struct slice key, struct slice value);
int counters_read_row(struct slice value, struct counter *counter); /* what it says, and nothing else: 0, -EBADMSG */

void counters_add(struct counters *counters, const struct receipt *receipt);
struct counter counters_total(const struct counters *counters);

/* Rows of what was touched since the last call. */
typedef void counters_emit(void *context, struct slice key, struct slice value);
void counters_take_touched(struct counters *counters, counters_emit *emit, void *context);

/* Every row; and what a row of that key holds (NULL: nothing). For the check. */
void counters_each(const struct counters *counters, counters_emit *emit, void *context);
const struct counter *counters_find(const struct counters *counters, struct slice key);
bool counters_has_rest(const struct counters *counters);

/* The calls of each key, team, workspace and endpoint in its current day and hour. */
int counters_copy_recents(const struct counters *counters, struct recents *recents); /* 0, -ENOMEM */

/* The key of a name of one or two parts; at most COUNTER_KEY_BYTES_MAX, 0: longer. */
enum { COUNTER_KEY_BYTES_MAX = 3 * 160 };
size_t counters_key(char key[static COUNTER_KEY_BYTES_MAX], enum counter_dimension dimension, struct slice first,
	struct slice second);

/* That of a day; `name` as it stands in a total's key, behind its first two bytes. */
size_t counters_day_key(
	char key[static COUNTER_KEY_BYTES_MAX], enum counter_dimension dimension, uint32_t day, struct slice name);

#endif
