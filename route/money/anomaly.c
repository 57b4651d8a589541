/* See anomaly.h. */
#include "route/money/anomaly.h"

enum { HOURS_A_DAY = 24 };

int64_t anomaly_usual_nusd(const int64_t days_nusd[static ANOMALY_DAYS])
{
	unsigned days = ANOMALY_DAYS;
	__int128 sum = 0;

	while (days > 0 && days_nusd[days - 1] == 0)
		days--;
	for (unsigned i = 0; i < days; i++)
		sum += days_nusd[i];
	return days ? (int64_t)(sum / (days * HOURS_A_DAY)) : -1;
}

bool anomaly_look(struct anomaly *anomaly, uint32_t hour, int64_t total_nusd, int64_t *spent_nusd)
{
	if (!anomaly->begun || hour != anomaly->hour) {
		anomaly->begun = true;
		anomaly->hour = hour;
		anomaly->at_begin_nusd = total_nusd;
	}
	*spent_nusd = total_nusd - anomaly->at_begin_nusd;
	return anomaly->usual_nusd >= 0 && *spent_nusd > ANOMALY_FLOOR_NUSD &&
	       *spent_nusd / ANOMALY_TIMES > anomaly->usual_nusd;
}
