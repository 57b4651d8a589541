/* The files of the tz database, and the rule in their last line: see zone.h. */
#include "core/zone.h"

#include "core/civil.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"

enum {
	HEAD_BYTES = 44,
	FILE_BYTES_MAX = 16384,
	TYPE_BYTES = 6,
	AHEAD_MAX_S = 26 * 3600, /* RFC 9636, 3.2: within 25 and 26 hours of UTC */
	DAY_S = 86400,
	HOUR_S = 3600,
	RULE_TIME_MAX_S = 167 * HOUR_S
};

/* ---- the file ---- */

struct head {
	uint32_t utc_marks, standard_marks, leaps, times, types, letters;
};

static uint32_t read_u32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static int64_t read_s64(const char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return (int64_t)be64toh(value);
}

/* False: none, or counts that no file of this size has. */
static bool read_head(struct slice file, struct head *head)
{
	uint32_t counts[6];

	if (file.size < HEAD_BYTES || memcmp(file.data, "TZif", 4) != 0 || file.data[4] < '2')
		return false;
	for (unsigned i = 0; i < 6; i++) {
		counts[i] = read_u32(file.data + 20 + 4 * i);
		if (counts[i] > FILE_BYTES_MAX)
			return false;
	}
	*head = (struct head){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
	return true;
}

static size_t body_bytes(const struct head *head, size_t time_bytes)
{
	return (size_t)head->times * (time_bytes + 1) + (size_t)head->types * TYPE_BYTES + head->letters +
	       (size_t)head->leaps * (time_bytes + 4) + head->standard_marks + head->utc_marks;
}

static bool read_ahead(const char *types, unsigned type, unsigned count, int32_t *ahead_s)
{
	if (type >= count)
		return false;
	*ahead_s = (int32_t)read_u32(types + (size_t)type * TYPE_BYTES);
	return *ahead_s > -AHEAD_MAX_S && *ahead_s < AHEAD_MAX_S;
}

static bool read_changes(const char *body, const struct head *head, struct zone *zone)
{
	const char *types_of = body + (size_t)head->times * 8, *types = types_of + head->times;

	if (head->times > ZONE_CHANGES_MAX || !read_ahead(types, 0, head->types, &zone->first_ahead_s))
		return false;
	zone->change_count = head->times;
	for (unsigned i = 0; i < head->times; i++) {
		struct zone_change *change = &zone->changes[i];

		change->at_s = read_s64(body + (size_t)i * 8);
		if ((i && change->at_s <= zone->changes[i - 1].at_s) ||
			!read_ahead(types, (unsigned char)types_of[i], head->types, &change->ahead_s))
			return false;
	}
	return true;
}

/* ---- the rule, "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool take(struct slice *text, char c)
{
	if (text->size == 0 || text->data[0] != c)
		return false;
	*text = slice_after(*text, 1);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_number(struct slice *text, int32_t max, int32_t *number)
{
	size_t digits = 0;

	*number = 0;
	while (digits < text->size && is_digit(text->data[digits]) && *number <= max)
		*number = *number * 10 + (text->data[digits++] - '0');
	*text = slice_after(*text, digits);
	return digits > 0 && *number <= max;
}

/* "<+0330>" or letters. */
static bool take_letters(struct slice *text)
{
	bool quoted = take(text, '<');
	size_t size = 0;

	while (size < text->size &&
		(quoted ? text->data[size] != '>' : (text->data[size] | 32) >= 'a' && (text->data[size] | 32) <= 'z'))
		size++;
	*text = slice_after(*text, size);
	return size > 0 && (!quoted || take(text, '>'));
}

/* hh[:mm[:ss]] with a sign. */
static bool take_time(struct slice *text, int32_t *time_s)
{
	int32_t hours, minutes = 0, seconds = 0;
	bool negative = take(text, '-');

	if (!negative)
		take(text, '+');
	if (!take_number(text, RULE_TIME_MAX_S / HOUR_S, &hours))
		return false;
	if (take(text, ':') &&
		(!take_number(text, 59, &minutes) || (take(text, ':') && !take_number(text, 59, &seconds))))
		return false;
	*time_s = hours * HOUR_S + minutes * 60 + seconds;
	if (negative)
		*time_s = -*time_s;
	return true;
}

/* POSIX counts what is behind UTC. */
static bool take_behind(struct slice *text, int32_t *ahead_s)
{
	if (!take_time(text, ahead_s) || *ahead_s <= -AHEAD_MAX_S || *ahead_s >= AHEAD_MAX_S)
		return false;
	*ahead_s = -*ahead_s;
	return true;
}

static bool take_week_day(struct slice *text, struct zone_day *day)
{
	int32_t month, week, week_day;

	if (!take_number(text, 12, &month) || !take(text, '.') || !take_number(text, 5, &week) || !take(text, '.') ||
		!take_number(text, 6, &week_day) || month == 0 || week == 0)
		return false;
	*day = (struct zone_day){ZONE_DAY_OF_WEEK, (uint16_t)week_day, (uint8_t)month, (uint8_t)week, 0};
	return true;
}

static bool take_day(struct slice *text, struct zone_day *day)
{
	bool without_leap;
	int32_t number;

	if (!take(text, ','))
		return false;
	if (take(text, 'M')) {
		if (!take_week_day(text, day))
			return false;
	} else {
		without_leap = take(text, 'J');
		if (!take_number(text, 365, &number) || (without_leap && number == 0))
			return false;
		*day = (struct zone_day){
			.kind = without_leap ? ZONE_DAY_WITHOUT_LEAP : ZONE_DAY_OF_YEAR, .day = (uint16_t)number};
	}
	day->time_s = 2 * HOUR_S;
	return !take(text, '/') || take_time(text, &day->time_s);
}

/* Nothing: the last change holds for ever. */
static bool read_rule(struct slice text, struct zone *zone)
{
	if (text.size == 0)
		return true;
	zone->has_rule = true;
	if (!take_letters(&text) || !take_behind(&text, &zone->standard_s))
		return false;
	if (text.size == 0)
		return true;
	zone->has_summer = true;
	if (!take_letters(&text))
		return false;
	zone->summer_s = zone->standard_s + HOUR_S;
	if (text.size && text.data[0] != ',' && !take_behind(&text, &zone->summer_s))
		return false;
	return take_day(&text, &zone->summer_begins) && take_day(&text, &zone->summer_ends) && text.size == 0;
}

int zone_read(struct slice file, struct zone *zone)
{
	struct head head;
	size_t size;

	memset(zone, 0, sizeof(*zone));
	if (!read_head(file, &head))
		return -EBADMSG;
	size = HEAD_BYTES + body_bytes(&head, 4); /* what readers of the first version see */
	if (size > file.size || !read_head(slice_after(file, size), &head))
		return -EBADMSG;
	file = slice_after(file, size + HEAD_BYTES);
	size = body_bytes(&head, 8);
	if (size > file.size || !read_changes(file.data, &head, zone))
		return -EBADMSG;
	file = slice_after(file, size);
	if (file.size < 2 || file.data[0] != '\n' || file.data[file.size - 1] != '\n')
		return -EBADMSG;
	return read_rule(slice_of(file.data + 1, file.size - 2), zone) ? 0 : -EBADMSG;
}

/* A name leads nowhere but into the database. */
static bool is_name(struct slice name)
{
	if (name.size == 0 || name.size > ZONE_NAME_BYTES_MAX || name.data[0] == '/' || name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (!is_digit(c) && ((c | 32) < 'a' || (c | 32) > 'z') && !memchr("/_+-", c, 4))
			return false;
	}
	return true;
}

int zone_load(struct slice name, struct zone *zone)
{
	char path[sizeof(ZONE_FOLDER) + ZONE_NAME_BYTES_MAX] = ZONE_FOLDER;
	char file[FILE_BYTES_MAX];
	ssize_t size;
	int fd;

	if (!is_name(name))
		return -EINVAL;
	memcpy(path + sizeof(ZONE_FOLDER) - 1, name.data, name.size);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, file, sizeof(file));
	if (size < 0)
		size = -errno;
	close(fd);
	return size < 0 ? (int)size : zone_read(slice_of(file, (size_t)size), zone);
}

/* ---- asking ---- */

static int64_t year_of(int64_t unix_s)
{
	int64_t year = 1970 + unix_s / (365 * DAY_S + DAY_S / 4);

	/* The guess is off by one at most, around a new year. */
	while (civil_days(year, 1, 1) * DAY_S > unix_s)
		year--;
	while (civil_days(year + 1, 1, 1) * DAY_S <= unix_s)
		year++;
	return year;
}

/* 1970-01-01 was a Thursday, 4. */
static int64_t week_day_of(int64_t day)
{
	return ((day + 4) % 7 + 7) % 7;
}

static int64_t week_day_of_year(const struct zone_day *day, int64_t year)
{
	int64_t first = civil_days(year, day->month, 1);
	int64_t next_month = day->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, day->month + 1, 1);
	int64_t first_such = first + (day->day + 7 - week_day_of(first)) % 7;
	int64_t such = first_such + (int64_t)(day->week - 1) * 7;

	return such < next_month ? such : such - 7;
}

/* When it is that day and time, as Unix time of clocks that are `ahead_s` ahead. */
static int64_t moment_of(const struct zone_day *day, int64_t year, int32_t ahead_s)
{
	int64_t first = civil_days(year, 1, 1), days;
	bool leap = civil_days(year + 1, 1, 1) - first == 366;

	switch (day->kind) {
	case ZONE_DAY_OF_WEEK:
		days = week_day_of_year(day, year);
		break;
	case ZONE_DAY_WITHOUT_LEAP:
		days = first + day->day - 1 + (leap && day->day >= 60);
		break;
	default:
		days = first + day->day;
		break;
	}
	return days * DAY_S + day->time_s - ahead_s;
}

static int32_t ahead_by_rule(const struct zone *zone, int64_t unix_s)
{
	int64_t year, begins_s, ends_s;
	bool summer;

	if (!zone->has_summer)
		return zone->standard_s;
	year = year_of(unix_s + zone->standard_s);
	begins_s = moment_of(&zone->summer_begins, year, zone->standard_s);
	ends_s = moment_of(&zone->summer_ends, year, zone->summer_s);
	summer = begins_s <= ends_s ? unix_s >= begins_s && unix_s < ends_s : unix_s >= begins_s || unix_s < ends_s;
	return summer ? zone->summer_s : zone->standard_s;
}

int32_t zone_ahead_s(const struct zone *zone, int64_t unix_s)
{
	unsigned low = 0, high = zone->change_count;

	while (low < high) { /* how many changes are past */
		unsigned middle = (low + high) / 2;

		if (zone->changes[middle].at_s <= unix_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->change_count && zone->has_rule)
		return ahead_by_rule(zone, unix_s);
	return low ? zone->changes[low - 1].ahead_s : zone->first_ahead_s;
}
