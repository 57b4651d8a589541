/*
 * The catalog: which model a name means. A read-only index over the settings' models by id, alias, provider/model and
 * pr/slug, shared by shards.
 */
#ifndef ROUTE_CATALOG_H
#define ROUTE_CATALOG_H

#include "core/text.h"
#include "route/settings/settings.h"

struct catalog;

struct catalog *catalog_make(const struct settings *settings); /* NULL when memory is out */
void catalog_free(struct catalog *catalog);

/* NULL when the name means nothing. */
const struct model_settings *catalog_find(const struct catalog *catalog, struct slice name);

/* Up to three names nearest to `name` among the first 512 models, as `"a", "b"` appended to text; false when nothing is
 * near. */
bool catalog_suggest(const struct catalog *catalog, struct slice name, struct text *text);

/* {"object":"list","data":[...]} of what the key may use, or one model object. `text` may come out full: try with more.
 */
struct key_settings;
void catalog_print_list(
	const struct catalog *catalog, const struct key_settings *key, uint64_t created_s, struct text *text);
void catalog_print_model(
	const struct catalog *catalog, const struct model_settings *model, uint64_t created_s, struct text *text);

/* Whether the key may use the model, and routing reaches it. NULL key: any. */
bool catalog_shows(const struct catalog *catalog, const struct key_settings *key, const struct model_settings *model);

/*
 * The same as Anthropic's clients (Messages) expect them, in pages: the models behind `after`, or the last ones before
 * `before`; NULL: from the first, to the last. An object of theirs takes at most CATALOG_MODEL_BYTES.
 */
enum { CATALOG_MODEL_BYTES = 1024 };
struct catalog_page {
	const struct model_settings *after, *before;
	unsigned limit;
};
void catalog_print_messages_list(const struct catalog *catalog, const struct key_settings *key, uint64_t created_s,
	const struct catalog_page *page, struct text *text);
void catalog_print_messages_model(const struct model_settings *model, uint64_t created_s, struct text *text);

#endif
