/*
 * The catalog: which model a name means. A read-only index over the settings' models by id, alias, provider/model and pr/slug,
 * shared by shards.
 */
#ifndef ROUTE_CATALOG_H
#define ROUTE_CATALOG_H

#include "core/text.h"
#include "route/settings.h"

struct catalog;

struct catalog *catalog_make(const struct settings *settings); /* NULL when memory is out */
void catalog_free(struct catalog *catalog);

/* NULL when the name means nothing. */
const struct model_settings *catalog_find(const struct catalog *catalog, struct slice name);

/* Up to three names nearest to `name` among the first 512 models, as `"a", "b"` appended to text; false when nothing is near. */
bool catalog_suggest(const struct catalog *catalog, struct slice name, struct text *text);

/* {"object":"list","data":[...]} of what the key may use, or one model object. `text` may come out full: try with more. */
struct key_settings;
void catalog_print_list(const struct catalog *catalog, const struct key_settings *key, uint64_t created_s, struct text *text);
void catalog_print_model(const struct catalog *catalog, const struct model_settings *model, uint64_t created_s,
			 struct text *text);

#endif
