/*
 * What wolfSSL asks the program for, because it is built with TIME_OVERRIDES: the time comes from core/clock.h like
 * everybody else's, so that a simulation owns it. The names are wolfSSL's.
 */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/clock.h"

time_t XTIME(time_t *seconds);
struct tm *XGMTIME(const time_t *seconds, struct tm *broken_down);
int GetFormattedTime(void *seconds, unsigned char *text, unsigned size);

time_t XTIME(time_t *seconds)
{
	time_t now = (time_t)(clock_wall_ns() / NS_PER_S);

	if (seconds)
		*seconds = now;
	return now;
}

struct tm *XGMTIME(const time_t *seconds, struct tm *broken_down)
{
	return gmtime_r(seconds, broken_down);
}

/* ASN.1 UTCTime (RFC 5280, 4.1.2.5.1), as the library's own; 0 when it does not fit. */
int GetFormattedTime(void *seconds, unsigned char *text, unsigned size)
{
	time_t now = seconds ? *(const time_t *)seconds : XTIME(NULL);
	struct tm broken_down;

	if (!gmtime_r(&now, &broken_down))
		return 0;
	return (int)strftime((char *)text, size, "%y%m%d%H%M%SZ", &broken_down);
}
