/* Zones: files made by hand with each form of rule, files that are broken, and the system's own against the C library.
 */
#include "core/zone.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { HOUR = 3600, DAY = 86400, FILE_BYTES = 512 };

struct file {
	char bytes[FILE_BYTES];
	size_t size;
};

static void add(struct file *file, const void *bytes, size_t size)
{
	assert_true(file->size + size <= FILE_BYTES);
	memcpy(file->bytes + file->size, bytes, size);
	file->size += size;
}

static void add_u32(struct file *file, uint32_t value)
{
	value = htobe32(value);
	add(file, &value, sizeof(value));
}

static void add_head(struct file *file, unsigned changes, unsigned types)
{
	static const char unused[15];

	add(file, "TZif2", 5);
	add(file, unused, sizeof(unused));
	for (unsigned i = 0; i < 3; i++)
		add_u32(file, 0);
	add_u32(file, changes);
	add_u32(file, types);
	add_u32(file, 4);
}

static void add_type(struct file *file, int32_t ahead_s)
{
	add_u32(file, (uint32_t)ahead_s);
	add(file, "\0\0", 2);
}

/* Two types: an hour and two ahead; one change to each. */
static struct file make(const char *rule)
{
	static const int64_t changes[] = {1000, 2000};
	struct file file = {.size = 0};

	add_head(&file, 0, 1);
	add_type(&file, 0);
	add(&file, "LMT", 4);
	add_head(&file, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = htobe64((uint64_t)changes[i]);

		add(&file, &at, sizeof(at));
	}
	add(&file, "\1\0", 2);
	add_type(&file, HOUR);
	add_type(&file, 2 * HOUR);
	add(&file, "ABC", 4);
	add(&file, "\n", 1);
	add(&file, rule, strlen(rule));
	add(&file, "\n", 1);
	return file;
}

static int read_rule(const char *rule, struct zone *zone)
{
	struct file file = make(rule);

	return zone_read(slice_of(file.bytes, file.size), zone);
}

static void test_changes(void **state)
{
	struct zone zone;

	(void)state;
	assert_int_equal(read_rule("", &zone), 0);
	assert_int_equal(zone_ahead_s(&zone, 0), HOUR);
	assert_int_equal(zone_ahead_s(&zone, 999), HOUR);
	assert_int_equal(zone_ahead_s(&zone, 1000), 2 * HOUR);
	assert_int_equal(zone_ahead_s(&zone, 1999), 2 * HOUR);
	assert_int_equal(zone_ahead_s(&zone, 2000), HOUR);
	assert_int_equal(zone_ahead_s(&zone, 4000000000), HOUR); /* no rule: the last change holds */
}

/* 2026-01-01T00:00Z is 1767225600; 2028 is a leap year and begins at 1830297600. */
static void test_rules(void **state)
{
	static const int64_t y2026 = 1767225600, y2028 = 1830297600;
	const struct {
		const char *rule;
		int64_t at_s;
		int32_t before_s, from_s; /* a second earlier, and at that second */
	} table[] = {
		/* The last Sunday of March, the 29th, 02:00 local; of October, the 25th, 03:00 local. */
		{"CET-1CEST,M3.5.0,M10.5.0/3", y2026 + 87 * DAY + HOUR, HOUR, 2 * HOUR},
		{"CET-1CEST,M3.5.0,M10.5.0/3", y2026 + 297 * DAY + HOUR, 2 * HOUR, HOUR},
		/* South of the equator: summer lasts over the new year. April 5, October 4. */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", y2026 + 94 * DAY - 8 * HOUR, 11 * HOUR, 10 * HOUR},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", y2026 + 276 * DAY - 8 * HOUR, 10 * HOUR, 11 * HOUR},
		/* Half an hour of summer, and a name in brackets. */
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", y2026 + 94 * DAY - 9 * HOUR, 11 * HOUR, 10 * HOUR + 1800},
		/* Before midnight: a negative time. March 29, the last Sunday, and 2 hours before it. */
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", y2026 + 87 * DAY + HOUR, -2 * HOUR, -HOUR},
		/* Days of the year, from 0 with February 29, and from 1 without. */
		{"A0B,59,200", y2028 + 59 * DAY + 2 * HOUR, 0, HOUR},
		{"A0B,J60,J200", y2028 + 60 * DAY + 2 * HOUR, 0, HOUR},
		{"A0B,J60,J200", y2026 + 59 * DAY + 2 * HOUR, 0, HOUR},
		{"A0B,J59,J200", y2028 + 58 * DAY + 2 * HOUR, 0, HOUR},
	};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(read_rule(table[i].rule, &zone), 0);
		if (zone_ahead_s(&zone, table[i].at_s - 1) != table[i].before_s ||
			zone_ahead_s(&zone, table[i].at_s) != table[i].from_s)
			fail_msg("%s at %jd: %d, then %d", table[i].rule, (intmax_t)table[i].at_s,
				zone_ahead_s(&zone, table[i].at_s - 1), zone_ahead_s(&zone, table[i].at_s));
	}
	assert_int_equal(read_rule("<+0530>-5:30", &zone), 0);
	assert_int_equal(zone_ahead_s(&zone, y2026), 5 * HOUR + 1800);
}

static void test_broken(void **state)
{
	static const char *const rules[] = {"C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-99",
		"CET-1CEST,M13.5.0,M1.1.0", "CET-1CEST,M0.5.0,M1.1.0", "CET-1CEST,M3.6.0,M1.1.0",
		"CET-1CEST,M3.0.0,M1.1.0", "CET-1CEST,M3.5.7,M1.1.0", "CET-1CEST,J0,J1", "CET-1CEST,366,1",
		"CET-1CEST,1,2 ", "<CET-1", "CET-1CEST,1/168,2", "CET-1:60"};
	struct file file = make("CET-1CEST,M3.5.0,M10.5.0/3"), other;
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (read_rule(rules[i], &zone) != -EBADMSG)
			fail_msg("%s was read", rules[i]);
	for (size_t size = 0; size < file.size; size++) {
		char *exact = malloc(size + !size); /* a read past its end is seen */

		memcpy(exact, file.bytes, size);
		assert_int_equal(zone_read(slice_of(exact, size), &zone), -EBADMSG);
		free(exact);
	}
	other = file;
	other.bytes[4] = 0; /* the first version has no rule */
	assert_int_equal(zone_read(slice_of(other.bytes, other.size), &zone), -EBADMSG);
	other = file;
	memset(other.bytes + 44 + 6 + 4 + 32, 0xff, 4); /* how many changes */
	assert_int_equal(zone_read(slice_of(other.bytes, other.size), &zone), -EBADMSG);
	other = file;
	other.bytes[44 + 6 + 4 + 44 + 16] = 2; /* a type that there is not */
	assert_int_equal(zone_read(slice_of(other.bytes, other.size), &zone), -EBADMSG);
	other = file;
	memset(other.bytes + 44 + 6 + 4 + 44 + 8, 0, 8); /* the second change before the first */
	assert_int_equal(zone_read(slice_of(other.bytes, other.size), &zone), -EBADMSG);
}

static void test_names(void **state)
{
	static const char *const names[] = {"", "/etc/passwd", "../zoneinfo/UTC", "Europe/../UTC", "Europe/Ber lin",
		"a\nb", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKL"};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(zone_load(slice_of_string(names[i]), &zone), -EINVAL);
	assert_int_equal(zone_load(slice_of_string("No/Such_Zone"), &zone), -ENOENT);
}

/* Every 37 hours from 1970 to 2100, where the system has the database. */
static void test_against_the_library(void **state)
{
	static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
		"Africa/Casablanca", "Asia/Kolkata", "America/Santiago", "Pacific/Apia", "Europe/Dublin",
		"America/Nuuk", "UTC"};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (zone_load(slice_of_string(names[i]), &zone) == -ENOENT)
			skip();
		assert_int_equal(zone_load(slice_of_string(names[i]), &zone), 0);
		setenv("TZ", names[i], 1);
		tzset();
		for (time_t at = 0; at < (time_t)130 * 365 * DAY; at += 37 * HOUR) {
			struct tm local;

			assert_non_null(localtime_r(&at, &local));
			if (zone_ahead_s(&zone, at) != local.tm_gmtoff)
				fail_msg("%s at %jd: %d, the library says %ld", names[i], (intmax_t)at,
					zone_ahead_s(&zone, at), local.tm_gmtoff);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_against_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
