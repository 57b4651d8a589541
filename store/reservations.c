/* A mapped table of slots, and an index over it in memory: see reservations.h. */
#include "store/reservations.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/disk.h"

enum {
	PATH_BYTES = 4096,
	HEADER_BYTES = 4096,
	FILE_BYTES = HEADER_BYTES + RESERVATIONS_MAX * sizeof(struct reservation),
	INDEX_SLOTS = 2 * RESERVATIONS_MAX, /* a power of two */
	FORGOTTEN_DAYS = 62,
	VERSION = 1,
};

struct header {
	char magic[8];
	uint32_t version, slots;
};

static const struct header expected = {"TGRESRV", VERSION, RESERVATIONS_MAX};

struct reservations {
	char *map;
	struct reservation *slots;
	uint32_t next_free;          /* all before it are taken */
	uint32_t index[INDEX_SLOTS]; /* a slot's number, from 1; 0: none */
};

static_assert(sizeof(struct reservation) == 128, "a slot is two lines of its own, and the file's form");

/* Another version's file, or a broken one, is replaced: what it says is money that was refused rather than spent. */
static int make_file(const char *path, const char *data_dir)
{
	struct header found;
	uint64_t file_bytes;
	int rc = disk_read_head(path, &found, sizeof(found), &file_bytes);

	if (rc == 0 && file_bytes == FILE_BYTES && memcmp(&found, &expected, sizeof(found)) == 0)
		return 0;
	if (rc < 0 && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	rc = disk_make(path, FILE_BYTES, &expected, sizeof(expected));
	return rc == 0 ? disk_sync_names(data_dir) : rc;
}

/* Where it is, or where it is to be put. */
static uint32_t *place_of(struct reservations *r, uint64_t name)
{
	uint32_t at = (uint32_t)name & (INDEX_SLOTS - 1);

	while (r->index[at] && r->slots[r->index[at] - 1].name != name)
		at = (at + 1) & (INDEX_SLOTS - 1);
	return &r->index[at];
}

static void index_slots(struct reservations *r, uint32_t day)
{
	for (uint32_t i = 0; i < RESERVATIONS_MAX; i++) {
		struct reservation *slot = &r->slots[i];

		if (slot->name && slot->last_day + FORGOTTEN_DAYS < day)
			memset(slot, 0, sizeof(*slot));
		if (slot->name)
			*place_of(r, slot->name) = i + 1;
	}
}

int reservations_open(
	struct reservations **reservations, const char *data_dir, uint32_t day, char *why, size_t why_bytes)
{
	struct reservations *made = calloc(1, sizeof(*made));
	char path[PATH_BYTES];
	int rc = made ? 0 : -ENOMEM;

	*reservations = NULL;
	if (snprintf(path, sizeof(path), "%s/reservations", data_dir) >= (int)sizeof(path))
		rc = -ENAMETOOLONG;
	if (rc == 0)
		rc = make_file(path, data_dir);
	if (rc == 0)
		rc = disk_map(&made->map, path, FILE_BYTES);
	if (rc < 0) {
		snprintf(why, why_bytes, "cannot make or read %s: %s", path, strerror(-rc));
		free(made);
		return rc;
	}
	made->slots = (struct reservation *)(void *)(made->map + HEADER_BYTES);
	index_slots(made, day);
	*reservations = made;
	return 0;
}

void reservations_close(struct reservations *r)
{
	if (!r)
		return;
	disk_unmap(r->map, FILE_BYTES);
	free(r);
}

struct reservation *reservations_slot(struct reservations *r, uint64_t name, uint32_t day)
{
	uint32_t *place;

	name += name == 0; /* 0 is no name */
	place = place_of(r, name);
	while (!*place && r->next_free < RESERVATIONS_MAX && r->slots[r->next_free].name)
		r->next_free++;
	if (!*place && r->next_free == RESERVATIONS_MAX)
		return NULL;
	if (!*place) {
		*place = ++r->next_free;
		r->slots[*place - 1].name = name;
	}
	r->slots[*place - 1].last_day = day;
	return &r->slots[*place - 1];
}
