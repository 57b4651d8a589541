/* Between the files that load settings: what they share while a load goes on. */
#ifndef ROUTE_SETTINGS_LOAD_H
#define ROUTE_SETTINGS_LOAD_H

#include "core/schema.h"
#include "route/settings/settings.h"

struct settings_load {
	struct settings *settings;
	const struct config_node *root;
	struct schema_walk walk;       /* its memory outlives the load */
	struct config_memory *scratch; /* this one does not; reports lie in it too */
};

/* The entries of a part of the root, in the order of the settings' items; NULL beyond them or when it is not given. */
const struct config_entry *settings_entries(const struct settings_load *load, const char *part);

/* The whole file, at most one byte more than a configuration may have; *data is the caller's to free, when it is not
 * NULL. 0 or -errno. */
int settings_read_file(const char *path, char **data, size_t *size);

/* Complains at the member of that name, or at the node when it has none. */
void settings_error(const struct settings_load *load, const struct config_node *node, const char *member,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void settings_warning(const struct settings_load *load, const struct config_node *node, const char *member,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Fills in what follows from other fields: the default listener, plans and workspace, deployments, URLs' parts, keys'
 * ids. */
void settings_derive(struct settings_load *load);

/* What no single field shows: names that refer, names that must be unique, fields that exclude each other. */
void settings_check(struct settings_load *load);
void settings_check_projects(struct settings_load *load); /* its part of that */

#endif
