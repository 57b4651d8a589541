/*
 * Calls of one key, team, workspace or endpoint in the current day and hour: what limits of a day and of an hour need
 * after a start. Part of the running total's row (counters.h), so that it is as exact: what has a receipt counts, once.
 * A refusal that reached no provider does not count.
 */
#ifndef STORE_RECENT_H
#define STORE_RECENT_H

#include "store/pack.h"

enum { RECENT_MINUTES = 61, RECENT_BYTES_MAX = 4 + 8 + 4 + 1 + RECENT_MINUTES * 5 };

struct recent {
	uint32_t day, minute; /* since 1970, UTC: of the newest call */
	uint64_t day_calls;
	uint32_t minutes[RECENT_MINUTES]; /* calls in each minute of the last hour, by its number modulo this */
};

/* Calls end in another order than they begin in: one of an earlier minute or of the day before is put where it belongs.
 */
void recent_add(struct recent *recent, uint64_t wall_ns);
uint32_t recent_of_minute(const struct recent *recent, uint32_t minute);

void recent_pack(const struct recent *recent, struct packer *p); /* at most RECENT_BYTES_MAX */
void recent_unpack(struct recent *recent, struct unpacker *u);   /* sets u->bad for what no packer writes */

/* What a start found, by the counter's key; read-only when it is filled, for any thread. */
struct recents;

struct recents *recents_open(void); /* NULL when memory is out */
void recents_close(struct recents *recents);
int recents_add(struct recents *recents, struct slice key, const struct recent *recent); /* each key once; 0, -ENOMEM */
void recents_sort(struct recents *recents);                                              /* after the last one */
const struct recent *recents_find(const struct recents *recents, struct slice key);

#endif
