/* Calls in the current day and hour: see recent.h. */
#include "store/recent.h"

#include <errno.h>
#include <stdlib.h>

enum { SECONDS_PER_MINUTE = 60, MINUTES_PER_DAY = 1440 };

static void advance(struct recent *recent, uint32_t minute)
{
	/* A clock that was a day and more ahead does not keep what comes after it was put right from counting. */
	if (minute > recent->minute + RECENT_MINUTES || minute + MINUTES_PER_DAY < recent->minute) {
		memset(recent->minutes, 0, sizeof(recent->minutes));
		recent->minute = minute;
	}
	while (recent->minute < minute)
		recent->minutes[++recent->minute % RECENT_MINUTES] = 0;
}

void recent_add(struct recent *recent, uint64_t wall_ns)
{
	uint32_t minute = (uint32_t)(wall_ns / 1000000000 / SECONDS_PER_MINUTE), day = minute / MINUTES_PER_DAY;

	advance(recent, minute);
	if (minute + RECENT_MINUTES > recent->minute)
		recent->minutes[minute % RECENT_MINUTES]++;
	if (day != recent->day && day + 1 != recent->day) {
		recent->day = day;
		recent->day_calls = 0;
	}
	recent->day_calls += day == recent->day;
}

uint32_t recent_of_minute(const struct recent *recent, uint32_t minute)
{
	if (minute > recent->minute || minute + RECENT_MINUTES <= recent->minute)
		return 0;
	return recent->minutes[minute % RECENT_MINUTES];
}

void recent_pack(const struct recent *recent, struct packer *p)
{
	unsigned count = 0;

	for (unsigned i = 0; i < RECENT_MINUTES; i++)
		count += recent->minutes[i] > 0;
	pack_u32(p, recent->day);
	pack_u64(p, recent->day_calls);
	pack_u32(p, recent->minute);
	pack_u8(p, (uint8_t)count);
	for (unsigned i = 0; i < RECENT_MINUTES; i++) {
		if (!recent->minutes[i])
			continue;
		pack_u8(p, (uint8_t)i);
		pack_u32(p, recent->minutes[i]);
	}
}

void recent_unpack(struct recent *recent, struct unpacker *u)
{
	unsigned count;

	memset(recent, 0, sizeof(*recent));
	recent->day = unpack_u32(u);
	recent->day_calls = unpack_u64(u);
	recent->minute = unpack_u32(u);
	count = unpack_u8(u);
	for (unsigned i = 0; i < count && !u->bad; i++) {
		unsigned at = unpack_u8(u);
		uint32_t calls = unpack_u32(u);

		if (at >= RECENT_MINUTES)
			u->bad = true;
		else
			recent->minutes[at] = calls;
	}
}

struct found {
	struct recent recent;
	size_t key_bytes;
	char key[];
};

struct recents {
	size_t count, capacity;
	struct found **list;
};

struct recents *recents_open(void)
{
	return calloc(1, sizeof(struct recents));
}

void recents_close(struct recents *recents)
{
	for (size_t i = 0; i < recents->count; i++)
		free(recents->list[i]);
	free(recents->list);
	free(recents);
}

int recents_add(struct recents *recents, struct slice key, const struct recent *recent)
{
	struct found *found = malloc(sizeof(*found) + key.size);

	if (!found)
		return -ENOMEM;
	if (recents->count == recents->capacity) {
		size_t capacity = recents->capacity ? 2 * recents->capacity : 64;
		struct found **list = realloc(recents->list, capacity * sizeof(*list));

		if (!list) {
			free(found);
			return -ENOMEM;
		}
		recents->list = list;
		recents->capacity = capacity;
	}
	found->recent = *recent;
	found->key_bytes = key.size;
	memcpy(found->key, key.data, key.size);
	recents->list[recents->count++] = found;
	return 0;
}

static int order(struct slice a, struct slice b)
{
	int difference = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return difference ? difference : (a.size > b.size) - (a.size < b.size);
}

static int compare(const void *a, const void *b)
{
	const struct found *x = *(struct found *const *)a, *y = *(struct found *const *)b;

	return order(slice_of(x->key, x->key_bytes), slice_of(y->key, y->key_bytes));
}

void recents_sort(struct recents *recents)
{
	if (recents->count)
		qsort(recents->list, recents->count, sizeof(struct found *), compare);
}

const struct recent *recents_find(const struct recents *recents, struct slice key)
{
	size_t low = 0, high = recents->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct found *found = recents->list[middle];
		int side = order(key, slice_of(found->key, found->key_bytes));

		if (side == 0)
			return &found->recent;
		if (side < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
