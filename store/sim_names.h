/*
 * What is on a simulated disk: names, and the directories, files and databases that they name. A name has the versions
 * that a power cut may bring back; a file has its pages as the process sees them and as they lie on the platter. Pages
 * go to the platter when the file is synced and, one here and there, at other times: so a page on the platter is always
 * one that was there since the last sync.
 */
#ifndef STORE_SIM_NAMES_H
#define STORE_SIM_NAMES_H

#include "core/rand.h"
#include "store/sim_rows.h"

enum { SIM_VERSIONS_MAX = 8 };

enum sim_object_kind { SIM_DIRECTORY, SIM_FILE, SIM_DATABASE };

struct sim_object {
	unsigned users;
	enum sim_object_kind kind;
	bool taken;   /* a lock file is locked, a file is mapped, a database has its writer */
	size_t bytes; /* of a file, as its pages are: whole ones beyond it are zeros */
	char *pages, *platter;
	struct sim_rows *rows;
};

struct sim_name {
	char *path;
	size_t version_count;                          /* the first is synced, the last is now */
	struct sim_object *versions[SIM_VERSIONS_MAX]; /* NULL: nothing has that name */
};

/* In the order in which they were first made; a name that is gone keeps its place. */
struct sim_names {
	size_t count, capacity;
	struct sim_name *items;
};

char *sim_pages_copy(const char *pages, size_t bytes); /* whole pages; NULL: zeros */

/* An object has one user, its name; what a process has open of it uses it as well. */
struct sim_object *sim_object_make(enum sim_object_kind kind);
struct sim_object *sim_file_make(size_t bytes); /* zeros, synced */
struct sim_object *sim_object_use(struct sim_object *object);
void sim_object_drop(struct sim_object *object); /* or NULL */

void sim_file_sync(struct sim_object *file);
void sim_file_write_back(struct sim_object *file, struct rand *rand); /* a page, or none */

void sim_names_free(struct sim_names *names);
struct sim_object *sim_names_find(const struct sim_names *names, const char *path, enum sim_object_kind kind);

/* From now on `path` names `object`, which goes over; NULL: nothing. */
void sim_names_set(struct sim_names *names, const char *path, struct sim_object *object);

/* All names within `directory`. */
void sim_names_sync(struct sim_names *names, const char *directory);
void sim_names_sync_one(struct sim_names *names, const char *path);

struct sim_object *sim_name_now(const struct sim_name *name);

/* The part of `path` within `directory`, or NULL: it lies elsewhere. */
const char *sim_name_within(const char *path, const char *directory);

/* What a power cut leaves, or (not `power`) the death of the process; nothing of it is in use. */
struct sim_names sim_names_survive(const struct sim_names *names, bool power, struct rand *rand);

#endif
