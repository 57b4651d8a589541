/* Endpoints by name: see endpoint_table.h. */
#include "route/endpoints/endpoint_table.h"

#include "core/nearest.h"
#include "route/tenancy/keys.h"

#include <stdlib.h>

enum { SUGGEST_AMONG = 512 };

struct endpoint_table {
	struct config_memory memory;
	unsigned count;
	struct endpoint endpoints[]; /* by name */
};

unsigned endpoint_count(const struct settings *settings)
{
	unsigned count = 0;

	for (unsigned i = 0; i < settings->project_count; i++)
		count += settings->projects[i].endpoint_count;
	return count;
}

static int compare_names(struct slice a, struct slice b)
{
	int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare(const void *left, const void *right)
{
	const struct endpoint *a = left, *b = right;

	return compare_names(a->name, b->name);
}

static struct slice join(struct config_memory *memory, const char *project, const char *slug)
{
	size_t capacity = strlen(project) + 1 + strlen(slug);
	struct text text = text_over(config_alloc(memory, capacity + 1, 1), capacity);

	if (!text.data)
		return slice_of(NULL, 0);
	text_string(&text, project);
	text_char(&text, '/');
	text_string(&text, slug);
	return text_slice(&text);
}

/* It passed when the settings were checked. */
static struct json_schema *compile(struct endpoint_table *table, const char *document)
{
	char memory[64];
	struct text why = text_over(memory, sizeof(memory));
	struct json_schema *schema = document ? json_schema_make(slice_of_string(document), &why) : NULL;

	if (document && !schema)
		table->memory.failed = true;
	return schema;
}

static void add(
	struct endpoint_table *table, const struct project_settings *project, const struct endpoint_settings *settings)
{
	struct endpoint *endpoint = &table->endpoints[table->count];

	*endpoint = (struct endpoint){.project = project, .settings = settings, .number = table->count};
	endpoint->name = join(&table->memory, project->id, settings->slug);
	template_compile(&endpoint->system, slice_of_string(settings->system_prompt), &table->memory);
	template_compile(&endpoint->user, slice_of_string(settings->user_template), &table->memory);
	endpoint->input_schema = compile(table, settings->input_schema);
	endpoint->output_schema = compile(table, settings->output_schema);
	table->count++;
}

struct endpoint_table *endpoint_table_make(const struct settings *settings)
{
	struct endpoint_table *table =
		calloc(1, sizeof(*table) + endpoint_count(settings) * sizeof(table->endpoints[0]));

	if (!table)
		return NULL;
	config_memory_init(&table->memory, SIZE_MAX);
	for (unsigned i = 0; i < settings->project_count; i++)
		for (unsigned k = 0; k < settings->projects[i].endpoint_count; k++)
			add(table, &settings->projects[i], &settings->projects[i].endpoints[k]);
	if (table->memory.failed) {
		endpoint_table_free(table);
		return NULL;
	}
	qsort(table->endpoints, table->count, sizeof(table->endpoints[0]), compare);
	return table;
}

void endpoint_table_free(struct endpoint_table *table)
{
	if (!table)
		return;
	for (unsigned i = 0; i < table->count; i++) {
		json_schema_free(table->endpoints[i].input_schema);
		json_schema_free(table->endpoints[i].output_schema);
	}
	config_memory_fini(&table->memory);
	free(table);
}

const struct endpoint *endpoint_find(const struct endpoint_table *table, struct slice name)
{
	unsigned low = 0, high = table->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = compare_names(name, table->endpoints[middle].name);

		if (order == 0)
			return &table->endpoints[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool endpoint_is_of(const struct endpoint *endpoint, const struct key_settings *key)
{
	return strcmp(endpoint->project->workspace, key->workspace) == 0;
}

bool endpoint_is_allowed(const struct endpoint *endpoint, const struct key_settings *key)
{
	return key_allows_endpoint(key, endpoint->name);
}

struct slice endpoint_suggest(const struct endpoint_table *table, const struct key_settings *key, struct slice name)
{
	struct edit_pattern pattern;
	struct slice best = slice_of(NULL, 0);
	/* Near is a third of the letters wrong, and at least one. */
	unsigned wrong_max = (unsigned)(name.size < NEAREST_NAME_MAX ? name.size : NEAREST_NAME_MAX) / 3;
	unsigned least = (wrong_max ? wrong_max : 1) + 1;

	edit_pattern_begin(&pattern, name);
	for (unsigned i = 0; i < table->count && i < SUGGEST_AMONG; i++) {
		const struct endpoint *endpoint = &table->endpoints[i];
		unsigned distance;

		if (!endpoint_is_of(endpoint, key) || !endpoint_is_allowed(endpoint, key))
			continue;
		distance = edit_pattern_distance(&pattern, endpoint->name);
		if (distance < least) {
			least = distance;
			best = endpoint->name;
		}
	}
	return best;
}
