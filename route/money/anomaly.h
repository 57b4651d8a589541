/*
 * What a workspace spends in an hour, against what it usually does: the mean hour of its last full days (UTC), seven at
 * most and one at least, so of 24 to 168 hours. Beyond three times that, and beyond a floor, it is an anomaly. Pure.
 */
#ifndef ROUTE_ANOMALY_H
#define ROUTE_ANOMALY_H

#include <stdbool.h>
#include <stdint.h>

enum { ANOMALY_DAYS = 7, ANOMALY_TIMES = 3 };
#define ANOMALY_FLOOR_NUSD INT64_C(1000000000) /* 1 USD an hour: what is less worries nobody */

struct anomaly { /* zeroed: nothing was looked at */
	bool begun;
	uint32_t hour;         /* since 1970, UTC */
	int64_t at_begin_nusd; /* of all time, as the hour began, or as it was looked at first */
	uint32_t usual_day;    /* for which usual_nusd was worked out; 0: none */
	int64_t usual_nusd;    /* -1: there is no full day yet */
};

/* The mean hour, of what was spent on each of the days before today, yesterday first; those before the first spend of
 * all do not count. -1: none. */
int64_t anomaly_usual_nusd(const int64_t days_nusd[static ANOMALY_DAYS]);

/* All that was spent so far. True: this hour's part of it, *spent_nusd, is an anomaly. */
bool anomaly_look(struct anomaly *anomaly, uint32_t hour, int64_t total_nusd, int64_t *spent_nusd);

#endif
