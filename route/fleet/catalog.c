/*
 * Names of models. One table holds every name with the model it means; where two models want a name, an id wins over an
 * alias, that over provider/model, that over pr/slug, and the earlier model over the later.
 */
#include "route/fleet/catalog.h"

#include "core/clock.h"
#include "core/nearest.h"
#include "route/tenancy/keys.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	SUGGESTED_MAX = 3,
	COMPARED_MAX = 512, /* models that a wrong name is compared with: some 50 us at worst */
};

struct entry {
	struct slice name; /* NULL data: empty */
	const struct model_settings *model;
	char *owned; /* the name's memory, where the settings have none for it */
};

struct catalog {
	const struct settings *settings;
	size_t slot_mask;
	struct entry slots[]; /* open addressing, at most half full */
};

static struct entry *slot_of(struct catalog *catalog, struct slice name)
{
	size_t slot = XXH3_64bits(name.data, name.size) & catalog->slot_mask;

	while (catalog->slots[slot].name.data && !slice_equal(catalog->slots[slot].name, name))
		slot = (slot + 1) & catalog->slot_mask;
	return &catalog->slots[slot];
}

static void add(struct catalog *catalog, const struct model_settings *model, const char *name)
{
	struct entry *entry = slot_of(catalog, slice_of_string(name));

	if (!entry->name.data)
		*entry = (struct entry){slice_of_string(name), model, NULL};
}

/* Under "prefix/name"; false when memory is out. */
static bool add_composed(
	struct catalog *catalog, const struct model_settings *model, const char *prefix, const char *name)
{
	size_t prefix_bytes = strlen(prefix), bytes = prefix_bytes + 1 + strlen(name);
	char *composed = malloc(bytes + 1);
	struct entry *entry;

	if (!composed)
		return false;
	memcpy(composed, prefix, prefix_bytes);
	composed[prefix_bytes] = '/';
	memcpy(composed + prefix_bytes + 1, name, bytes - prefix_bytes);
	entry = slot_of(catalog, slice_of(composed, bytes));
	if (entry->name.data)
		free(composed);
	else
		*entry = (struct entry){slice_of(composed, bytes), model, composed};
	return true;
}

static const char *after_last_slash(const char *id)
{
	const char *slash = strrchr(id, '/');

	return slash ? slash + 1 : id;
}

static bool add_all(struct catalog *catalog)
{
	const struct settings *s = catalog->settings;

	for (unsigned i = 0; i < s->model_count; i++)
		add(catalog, &s->models[i], s->models[i].id);
	for (unsigned i = 0; i < s->model_count; i++)
		for (unsigned a = 0; a < s->models[i].aliases.count; a++)
			add(catalog, &s->models[i], s->models[i].aliases.list[a]);
	for (unsigned i = 0; i < s->model_count; i++) {
		const struct model_settings *model = &s->models[i];

		for (unsigned d = 0; d < model->deployment_count; d++)
			if (model->deployments[d].upstream_model &&
				!add_composed(catalog, model, s->providers[model->deployments[d].provider].name,
					model->deployments[d].upstream_model))
				return false;
	}
	for (unsigned i = 0; i < s->model_count; i++) {
		const struct model_settings *model = &s->models[i];

		const char *slug = model->slug ? model->slug : after_last_slash(model->id);

		if (model->hosted && !add_composed(catalog, model, "pr", slug))
			return false;
	}
	return true;
}

struct catalog *catalog_make(const struct settings *settings)
{
	size_t name_count = 0, slot_count = 16;
	struct catalog *catalog;

	for (unsigned i = 0; i < settings->model_count; i++)
		name_count += 2 + settings->models[i].aliases.count + settings->models[i].deployment_count;
	while (slot_count < 2 * name_count)
		slot_count *= 2;
	catalog = calloc(1, sizeof(*catalog) + slot_count * sizeof(catalog->slots[0]));
	if (!catalog)
		return NULL;
	catalog->settings = settings;
	catalog->slot_mask = slot_count - 1;
	if (!add_all(catalog)) {
		catalog_free(catalog);
		return NULL;
	}
	return catalog;
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i <= catalog->slot_mask; i++)
		free(catalog->slots[i].owned);
	free(catalog);
}

const struct model_settings *catalog_find(const struct catalog *catalog, struct slice name)
{
	size_t slot = XXH3_64bits(name.data, name.size) & catalog->slot_mask;

	for (; catalog->slots[slot].name.data; slot = (slot + 1) & catalog->slot_mask)
		if (slice_equal(catalog->slots[slot].name, name))
			return catalog->slots[slot].model;
	return NULL;
}

/* Each letter that one has more than the other is an edit: most names need no closer look. */
static unsigned distance_within(const struct edit_pattern *wanted, struct slice name, unsigned most)
{
	unsigned size = (unsigned)(name.size < NEAREST_NAME_MAX ? name.size : NEAREST_NAME_MAX);

	if (size > wanted->size + most || wanted->size > size + most)
		return most + 1;
	return edit_pattern_distance(wanted, name);
}

/* Edits to the id, or to its last part, which is what people remember of it. More than `most` is only told as more. */
static unsigned distance_to(const struct edit_pattern *wanted, const struct model_settings *model, unsigned most)
{
	struct slice id = slice_of_string(model->id);
	const char *last_part = after_last_slash(model->id);
	unsigned whole = distance_within(wanted, id, most), last;

	if (last_part == model->id)
		return whole;
	last = distance_within(wanted, slice_after(id, (size_t)(last_part - model->id)), most);
	return whole < last ? whole : last;
}

bool catalog_suggest(const struct catalog *catalog, struct slice name, struct text *text)
{
	const struct model_settings *near[SUGGESTED_MAX];
	struct edit_pattern wanted;
	unsigned distances[SUGGESTED_MAX], count = 0, worst = 1 + (unsigned)(name.size < 48 ? name.size : 48) / 3;

	edit_pattern_begin(&wanted, name);
	for (unsigned i = 0; i < catalog->settings->model_count && i < COMPARED_MAX; i++) {
		const struct model_settings *model = &catalog->settings->models[i];
		unsigned distance = distance_to(&wanted, model, worst),
			 at = count < SUGGESTED_MAX ? count : SUGGESTED_MAX - 1;

		if (distance > worst || (count == SUGGESTED_MAX && distance >= distances[at]))
			continue;
		for (; at > 0 && distances[at - 1] > distance; at--) {
			near[at] = near[at - 1];
			distances[at] = distances[at - 1];
		}
		near[at] = model;
		distances[at] = distance;
		count += count < SUGGESTED_MAX;
	}
	for (unsigned i = 0; i < count; i++) {
		if (i)
			text_literal(text, ", ");
		text_json(text, slice_of_string(near[i]->id));
	}
	return count > 0;
}

static void print_capabilities(const struct strings *capabilities, struct text *text)
{
	text_literal(text, ",\"capabilities\":[");
	for (unsigned i = 0; i < capabilities->count; i++) {
		if (i)
			text_char(text, ',');
		text_json(text, slice_of_string(capabilities->list[i]));
	}
	text_char(text, ']');
}

void catalog_print_model(
	const struct catalog *catalog, const struct model_settings *model, uint64_t created_s, struct text *text)
{
	const char *owner = model->deployment_count ? catalog->settings->providers[model->deployments[0].provider].name
						    : "tollgate";

	text_literal(text, "{\"id\":");
	text_json(text, slice_of_string(model->id));
	text_literal(text, ",\"object\":\"model\",\"created\":");
	text_u64(text, created_s);
	text_literal(text, ",\"owned_by\":");
	text_json(text, slice_of_string(owner));
	if (model->context_window) {
		text_literal(text, ",\"context_window\":");
		text_u64(text, model->context_window);
	}
	if (model->max_output_tokens) {
		text_literal(text, ",\"max_output_tokens\":");
		text_u64(text, model->max_output_tokens);
	}
	if (model->capabilities.count)
		print_capabilities(&model->capabilities, text);
	text_char(text, '}');
}

bool catalog_shows(const struct catalog *catalog, const struct key_settings *key, const struct model_settings *model)
{
	struct slice id = slice_of_string(model->id);

	return (!key || key_allows_model(key, id)) && routing_allows_model(catalog->settings, id);
}

void catalog_print_list(
	const struct catalog *catalog, const struct key_settings *key, uint64_t created_s, struct text *text)
{
	bool first = true;

	text_literal(text, "{\"object\":\"list\",\"data\":[");
	for (unsigned i = 0; i < catalog->settings->model_count; i++) {
		const struct model_settings *model = &catalog->settings->models[i];

		if (!catalog_shows(catalog, key, model))
			continue;
		if (!first)
			text_char(text, ',');
		first = false;
		catalog_print_model(catalog, model, created_s, text);
	}
	text_literal(text, "]}");
}

static void print_limit(struct text *text, const char *name, uint32_t limit)
{
	text_string(text, name);
	if (limit)
		text_u64(text, limit);
	else
		text_literal(text, "null");
}

void catalog_print_messages_model(const struct model_settings *model, uint64_t created_s, struct text *text)
{
	text_literal(text, "{\"type\":\"model\",\"id\":");
	text_json(text, slice_of_string(model->id));
	text_literal(text, ",\"display_name\":");
	text_json(text, slice_of_string(model->id));
	text_literal(text, ",\"created_at\":\"");
	text_rfc3339(text, created_s * NS_PER_S);
	print_limit(text, "\",\"max_input_tokens\":", model->context_window);
	print_limit(text, ",\"max_tokens\":", model->max_output_tokens);
	text_char(text, '}');
}

/* Of the settings' models, those of a page: from `begin` on, below `end`, as many as are shown and wanted. */
struct range {
	unsigned begin, end;
	bool more; /* beyond it, in the direction that was asked for */
};

static struct range page_range(
	const struct catalog *catalog, const struct key_settings *key, const struct catalog_page *page)
{
	const struct model_settings *models = catalog->settings->models;
	struct range range = {.begin = page->after ? (unsigned)(page->after - models) + 1 : 0,
		.end = page->before ? (unsigned)(page->before - models) : catalog->settings->model_count};
	bool backwards = page->before && !page->after;
	unsigned shown = 0;

	for (unsigned n = 0; range.begin + n < range.end; n++) {
		unsigned i = backwards ? range.end - 1 - n : range.begin + n;

		if (!catalog_shows(catalog, key, &models[i]) || shown++ < page->limit)
			continue;
		range.more = true;
		if (backwards)
			range.begin = i + 1;
		else
			range.end = i;
		break;
	}
	return range;
}

void catalog_print_messages_list(const struct catalog *catalog, const struct key_settings *key, uint64_t created_s,
	const struct catalog_page *page, struct text *text)
{
	struct range range = page_range(catalog, key, page);
	const struct model_settings *first = NULL, *last = NULL;

	text_literal(text, "{\"data\":[");
	for (unsigned i = range.begin; i < range.end; i++) {
		const struct model_settings *model = &catalog->settings->models[i];

		if (!catalog_shows(catalog, key, model))
			continue;
		if (first)
			text_char(text, ',');
		else
			first = model;
		last = model;
		catalog_print_messages_model(model, created_s, text);
	}
	text_string(text, range.more ? "],\"has_more\":true,\"first_id\":" : "],\"has_more\":false,\"first_id\":");
	text_json_or_null(text, slice_of_string(first ? first->id : NULL));
	text_literal(text, ",\"last_id\":");
	text_json_or_null(text, slice_of_string(last ? last->id : NULL));
	text_char(text, '}');
}
