/*
 * What HTTP's two sides share: look-up of headers, reason phrases (RFC 9110 section 15), and the Date header's form
 * (IMF-fixdate, RFC 9110 section 5.6.7), made without the C library, whose gmtime_r() may read the zone file.
 */
#include "proto/http/http.h"

struct phrase {
	unsigned status;
	struct slice text;
};

#define PHRASE(status, literal)                                                                                        \
	{                                                                                                              \
		status,                                                                                                \
		{                                                                                                      \
			literal, sizeof(literal) - 1                                                                   \
		}                                                                                                      \
	}

static const struct phrase phrases[] = {
	/* ordered by status */
	PHRASE(100, "Continue"),
	PHRASE(101, "Switching Protocols"),
	PHRASE(200, "OK"),
	PHRASE(201, "Created"),
	PHRASE(202, "Accepted"),
	PHRASE(204, "No Content"),
	PHRASE(206, "Partial Content"),
	PHRASE(301, "Moved Permanently"),
	PHRASE(302, "Found"),
	PHRASE(303, "See Other"),
	PHRASE(304, "Not Modified"),
	PHRASE(307, "Temporary Redirect"),
	PHRASE(308, "Permanent Redirect"),
	PHRASE(400, "Bad Request"),
	PHRASE(401, "Unauthorized"),
	PHRASE(402, "Payment Required"),
	PHRASE(403, "Forbidden"),
	PHRASE(404, "Not Found"),
	PHRASE(405, "Method Not Allowed"),
	PHRASE(406, "Not Acceptable"),
	PHRASE(408, "Request Timeout"),
	PHRASE(409, "Conflict"),
	PHRASE(410, "Gone"),
	PHRASE(411, "Length Required"),
	PHRASE(412, "Precondition Failed"),
	PHRASE(413, "Content Too Large"),
	PHRASE(414, "URI Too Long"),
	PHRASE(415, "Unsupported Media Type"),
	PHRASE(416, "Range Not Satisfiable"),
	PHRASE(417, "Expectation Failed"),
	PHRASE(421, "Misdirected Request"),
	PHRASE(422, "Unprocessable Content"),
	PHRASE(424, "Failed Dependency"),
	PHRASE(425, "Too Early"),
	PHRASE(426, "Upgrade Required"),
	PHRASE(428, "Precondition Required"),
	PHRASE(429, "Too Many Requests"),
	PHRASE(431, "Request Header Fields Too Large"),
	PHRASE(451, "Unavailable For Legal Reasons"),
	PHRASE(500, "Internal Server Error"),
	PHRASE(501, "Not Implemented"),
	PHRASE(502, "Bad Gateway"),
	PHRASE(503, "Service Unavailable"),
	PHRASE(504, "Gateway Timeout"),
	PHRASE(505, "HTTP Version Not Supported"),
	PHRASE(507, "Insufficient Storage"),
	PHRASE(529, "Overloaded"),
};

struct slice http_header(const struct http_head *head, struct slice name)
{
	for (unsigned i = 0; i < head->header_count; i++)
		if (slice_equal_nocase(head->headers[i].name, name))
			return head->headers[i].value;
	return slice_of(NULL, 0);
}

struct slice http_reason(unsigned status)
{
	size_t low = 0, high = sizeof(phrases) / sizeof(phrases[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (phrases[middle].status == status)
			return phrases[middle].text;
		if (phrases[middle].status < status)
			low = middle + 1;
		else
			high = middle;
	}
	return SLICE("Unknown");
}

static void put_digits(char *to, unsigned count, uint64_t value)
{
	while (count--) {
		to[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

struct civil {
	uint64_t year;
	unsigned month, day; /* from 0 and from 1 */
};

/*
 * Days since 1970-01-01 to a date of the Gregorian calendar, in years that begin in March, so that leap days come
 * last.
 */
static struct civil civil_of_days(uint64_t days)
{
	uint64_t shifted = days + 719468; /* since 0000-03-01 */
	uint64_t era = shifted / 146097, day_of_era = shifted % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
	bool next_year = month >= 10;

	return (struct civil){
		.year = year_of_era + era * 400 + next_year,
		.month = (unsigned)(next_year ? month - 10 : month + 2),
		.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

void http_date(uint64_t unix_s, char text[static HTTP_DATE_BYTES])
{
	static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t days = unix_s / 86400, second = unix_s % 86400;
	struct civil date = civil_of_days(days);

	memcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_BYTES);
	memcpy(text, weekdays + 3 * (days % 7), 3);
	put_digits(text + 5, 2, date.day);
	memcpy(text + 8, months + 3 * date.month, 3);
	put_digits(text + 12, 4, date.year);
	put_digits(text + 17, 2, second / 3600);
	put_digits(text + 20, 2, second / 60 % 60);
	put_digits(text + 23, 2, second % 60);
}
