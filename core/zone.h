/*
 * A time zone: how far its clocks are ahead of UTC at a moment. Read once from the system's tz database (TZif, RFC
 * 9636); from then on nothing changes it and any number of threads ask it. The C library's own functions know but one
 * zone at a time, of the whole process.
 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include "core/slice.h"

/* The longest list of the database, with every change since 1800 spelled out, has 243 (Africa/Casablanca). */
enum { ZONE_CHANGES_MAX = 320, ZONE_NAME_BYTES_MAX = 63 };

struct zone_change {
	int64_t at_s; /* Unix time */
	int32_t ahead_s;
};

enum zone_day_kind { ZONE_DAY_OF_YEAR, ZONE_DAY_WITHOUT_LEAP, ZONE_DAY_OF_WEEK };

/* A day of each year, and a time of that day on the clocks as they are before it. */
struct zone_day {
	enum zone_day_kind kind;
	uint16_t day;        /* of the year, from 0 or, not counting February 29, from 1; or of the week, Sunday 0 */
	uint8_t month, week; /* of ZONE_DAY_OF_WEEK: the week-th such day of the month, 5: the last */
	int32_t time_s;
};

struct zone {
	unsigned change_count;
	int32_t first_ahead_s; /* before the first change */
	bool has_rule, has_summer;
	int32_t standard_s, summer_s; /* ahead; by the rule that holds after the last change */
	struct zone_day summer_begins, summer_ends;
	struct zone_change changes[ZONE_CHANGES_MAX]; /* in their order */
};

/* 0; -EINVAL: no name of a zone, -ENOENT: the database has none of this name, -EBADMSG: its file is no zone's, or what
 * reading it came to. Blocks: for the control thread. */
int zone_load(struct slice name, struct zone *zone);

/* A file of the database; 0 or -EBADMSG. */
int zone_read(struct slice file, struct zone *zone);

int32_t zone_ahead_s(const struct zone *zone, int64_t unix_s);

#endif
