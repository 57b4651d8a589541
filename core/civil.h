/* Days of the civil calendar (proleptic Gregorian). Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#ifndef CORE_CIVIL_H
#define CORE_CIVIL_H

#include <stdint.h>

/* Days since 1970-01-01 of a date from the year 0 on. */
static inline int64_t civil_days(int64_t year, int64_t month, int64_t day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = year / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

#endif
