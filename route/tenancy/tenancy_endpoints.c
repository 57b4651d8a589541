/* Endpoints in the admin API: parts of a project, shown and changed one by one, stored with the whole. */
#include "route/tenancy/tenancy_draft.h"

#include "core/schema.h"
#include "route/settings/settings_tables.h"

#include <stdlib.h>

/* "PROJECT/endpoints", "PROJECT/endpoints/SLUG"; anything else stays an id, which nothing has. */
void tenancy_split_endpoint(struct tenancy_ask *ask)
{
	const struct slice mark = SLICE("/endpoints");
	const char *at = ask->id.size ? memmem(ask->id.data, ask->id.size, mark.data, mark.size) : NULL;
	struct slice rest;

	if (!at)
		return;
	rest = slice_after(ask->id, (size_t)(at - ask->id.data) + mark.size);
	if (rest.size && (rest.data[0] != '/' || rest.size == 1))
		return;
	ask->part = rest.size ? slice_after(rest, 1) : slice_of("", 0);
	ask->id.size = (size_t)(at - ask->id.data);
}

static const struct endpoint_settings *find(const struct project_settings *project, struct slice slug)
{
	for (unsigned i = 0; i < project->endpoint_count; i++)
		if (slice_equal(slice_of_string(project->endpoints[i].slug), slug))
			return &project->endpoints[i];
	return NULL;
}

static bool refuse_unknown(struct tenancy_ask *ask)
{
	tenancy_refuse(ask, 404, SLICE("endpoint_not_found"), NULL,
		"There is no endpoint of this slug. GET /admin/projects/PROJECT/endpoints lists them.");
	return false;
}

/* ---- shown ---- */

static void print_endpoint(
	const struct project_settings *project, const struct endpoint_settings *endpoint, struct text *json)
{
	text_literal(json, "{\"object\":\"endpoint\",\"project\":");
	text_json(json, slice_of_string(project->id));
	text_char(json, ',');
	schema_print_members(&endpoint_schema, endpoint, json);
	text_char(json, '}');
}

void tenancy_print_endpoint(const struct project_settings *project, struct slice slug, struct text *json)
{
	const struct endpoint_settings *endpoint = find(project, slug);

	if (endpoint)
		print_endpoint(project, endpoint, json);
	else
		text_literal(json, "{\"object\":\"endpoint\",\"deleted\":true}");
}

struct shown {
	const struct project_settings *project;
	struct slice slug;
};

static void print_shown(const struct tenancy *tenancy, const void *context, struct text *text)
{
	const struct shown *shown = context;
	const struct project_settings *project = shown->project;

	(void)tenancy;
	if (shown->slug.size) {
		tenancy_print_endpoint(project, shown->slug, text);
		return;
	}
	text_literal(text, "{\"object\":\"list\",\"data\":[");
	for (unsigned i = 0; i < project->endpoint_count; i++) {
		if (i)
			text_char(text, ',');
		print_endpoint(project, &project->endpoints[i], text);
	}
	text_literal(text, "],\"next_cursor\":null}");
}

void tenancy_show_endpoints(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	struct shown shown = {tenant_item_find(tenancy->config->settings, TENANT_PROJECT, ask->id), ask->part};

	if (!shown.project)
		tenancy_refuse_unknown(ask);
	else if (ask->part.size && !find(shown.project, ask->part))
		refuse_unknown(ask);
	else
		tenancy_print_answer(tenancy, ask, 200, print_shown, &shown);
}

/* ---- changed ---- */

static bool has_slug(const struct config_node *endpoint, struct slice slug)
{
	const struct config_node *own = config_member(endpoint, "slug");

	return own && own->kind == CONFIG_SCALAR && slice_equal(own->text, slug);
}

/* Taken out of the list; NULL: it is not there. */
static struct config_entry *take(struct config_node *list, struct slice slug)
{
	struct config_entry *before = NULL, *entry = list->first;

	while (entry && !has_slug(entry->value, slug)) {
		before = entry;
		entry = entry->next;
	}
	if (!entry)
		return NULL;
	json_config_unlink(list, before, entry);
	return entry;
}

/* The project's own list, which is there in every row. */
static struct config_node *list_of(const struct config_node *project)
{
	return (struct config_node *)(uintptr_t)config_member(project, "endpoints");
}

bool draft_put_endpoint(struct draft *d, struct config_node *project)
{
	struct config_node *list = list_of(project), *body = draft_read_body(d);
	struct config_entry *entry;
	bool patch = d->ask->verb == TENANCY_UPDATE;

	if (!body || !draft_set_text(d, body, "slug", d->ask->part))
		return false;
	entry = take(list, d->ask->part);
	if (!entry && patch)
		return refuse_unknown(d->ask);
	if (!entry)
		entry = config_alloc(&d->memory, 1, sizeof(*entry));
	if (!entry)
		return draft_refuse_memory(d);
	if (patch)
		json_config_merge(entry->value, body);
	else
		entry->value = body;
	json_config_put(list, entry);
	return true;
}

bool draft_remove_endpoint(struct draft *d, struct config_node *project)
{
	return take(list_of(project), d->ask->part) || refuse_unknown(d->ask);
}
