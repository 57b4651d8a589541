/* Reading how long to wait: see retry_after.h. */
#include "route/fleet/retry_after.h"

#include "core/clock.h"
#include "core/text.h"
#include "route/fleet/rate_room.h"
#include "route/settings/settings_text.h"

static uint32_t seconds_of(uint64_t ns)
{
	uint64_t seconds = (ns + NS_PER_S - 1) / NS_PER_S;

	return (uint32_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

static uint32_t seconds_until(uint64_t then_ns, uint64_t wall_ns)
{
	return then_ns > wall_ns ? seconds_of(then_ns - wall_ns) : 0;
}

/* "7" or "0.5", without a unit. */
static bool read_number(struct slice value, uint64_t *ns)
{
	return value.size && value.data[value.size - 1] >= '0' && value.data[value.size - 1] <= '9' &&
	       rate_room_duration(value, ns);
}

static unsigned month_of(struct slice name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (unsigned i = 0; i < 12; i++)
		if (memcmp(name.data, months + 3 * (size_t)i, 3) == 0)
			return i + 1;
	return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the one form that is sent today. */
static bool read_date(struct slice value, uint64_t *wall_ns)
{
	enum { DATE_BYTES = 29 };
	char memory[32];
	struct text iso = text_over(memory, sizeof(memory));
	unsigned month;

	if (value.size != DATE_BYTES || !slice_ends_with(value, SLICE(" GMT")))
		return false;
	month = month_of(slice_of(value.data + 8, 3));
	text_add(&iso, slice_of(value.data + 12, 4));
	text_string(&iso, month < 10 ? "-0" : "-");
	text_u64(&iso, month);
	text_char(&iso, '-');
	text_add(&iso, slice_of(value.data + 5, 2));
	text_char(&iso, 'T');
	text_add(&iso, slice_of(value.data + 17, 8));
	text_char(&iso, 'Z');
	return month && parse_rfc3339(text_slice(&iso), wall_ns, NULL);
}

/* Ten digits are the seconds since 1970 of this century and the next two; fewer would be a duration. */
static bool read_unix(struct slice value, uint64_t *wall_ns)
{
	uint64_t seconds = 0;

	if (value.size != 10)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		seconds = seconds * 10 + (uint64_t)(value.data[i] - '0');
	}
	*wall_ns = seconds * NS_PER_S;
	return true;
}

/* Of a limit of which nothing is left. */
static uint32_t read_room(const struct http_head *head, uint64_t wall_ns)
{
	struct rate_room room = {0};

	rate_room_read(&room, head, 0, wall_ns);
	return seconds_of(rate_room_full_until_ns(&room, 1, 0));
}

uint32_t retry_after_read(const struct http_head *head, uint64_t wall_ns)
{
	struct slice value = http_header(head, SLICE("retry-after-ms"));
	uint64_t ns, then_ns;

	if (read_number(value, &ns))
		return seconds_of(ns / 1000);
	value = http_header(head, SLICE("retry-after"));
	if (read_number(value, &ns))
		return seconds_of(ns);
	if (read_date(value, &then_ns))
		return seconds_until(then_ns, wall_ns);
	if (read_unix(http_header(head, SLICE("x-ratelimit-reset")), &then_ns))
		return seconds_until(then_ns, wall_ns);
	return read_room(head, wall_ns);
}
