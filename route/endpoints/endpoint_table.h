/*
 * The endpoints that an operator defined, by "project/slug", with their templates taken apart. Made once from the
 * settings of a configuration, which outlive it; read-only, shared by all shards.
 */
#ifndef ROUTE_ENDPOINT_TABLE_H
#define ROUTE_ENDPOINT_TABLE_H

#include "proto/json/json_schema.h"
#include "route/endpoints/template.h"
#include "route/settings/settings.h"

struct endpoint {
	const struct project_settings *project;
	const struct endpoint_settings *settings;
	struct slice name; /* project/slug, with a NUL behind it */
	unsigned number;   /* its place among all endpoints of the settings */
	struct template system, user;
	struct json_schema *input_schema, *output_schema; /* NULL: none */
};

struct endpoint_table;

struct endpoint_table *endpoint_table_make(const struct settings *settings); /* NULL: memory is out */
void endpoint_table_free(struct endpoint_table *table);                      /* NULL is nothing */

unsigned endpoint_count(const struct settings *settings);

/* NULL: there is none of this name. */
const struct endpoint *endpoint_find(const struct endpoint_table *table, struct slice name);

/* Whether a key may know of it: one of its workspace's; and whether it may call it. */
bool endpoint_is_of(const struct endpoint *endpoint, const struct key_settings *key);
bool endpoint_is_allowed(const struct endpoint *endpoint, const struct key_settings *key);

/* The nearest name of those that the key may call, among the first few hundred; NULL data: none is near. */
struct slice endpoint_suggest(const struct endpoint_table *table, const struct key_settings *key, struct slice name);

#endif
