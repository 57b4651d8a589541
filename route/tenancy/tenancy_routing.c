/* Routing in the admin API: a patch of what is stored, refused whole or done whole. */
#include "route/tenancy/tenancy_draft.h"

#include <stdlib.h>

/* What the file gives is changed there; the rest of what may not change is refused as well. *rows: what is patched. */
static bool check_names(struct draft *d, const struct config_node *patch, uint32_t *rows)
{
	uint32_t declared = d->tenancy->base->settings->routing.declared;

	*rows = 0;
	for (const struct config_entry *entry = patch->first; entry; entry = entry->next) {
		const char *name = entry->key->text.data;
		int row = stored_routing_row(entry->key->text);

		if (row < 0)
			continue; /* told when it is read, with what it might have meant */
		if (declared >> row & 1)
			return draft_refuse(d, 409, SLICE("declared_in_config"), name,
				"The configuration file says routing.%s: change it there and reload.", name);
		if (!stored_routing_may_change(row))
			return draft_refuse(d, 400, SLICE("invalid_value"), name,
				"%s: the configuration file alone says this: change it there and reload.", name);
		*rows |= UINT32_C(1) << row;
	}
	return true;
}

/* What the patched fields refer to; `shown` has the change. */
static bool check_references(struct draft *d, uint32_t rows, const struct settings *shown)
{
	struct endpoint_complaint complaint;

	return settings_check_routing(shown, rows, &complaint) ||
	       draft_refuse(
		       d, 400, SLICE("invalid_value"), complaint.member, "%s: %s", complaint.member, complaint.message);
}

/* What is stored, with the patch, whose entries it takes; null takes away. NULL: refused. */
static struct config_node *merge(struct draft *d, const struct config_node *patch)
{
	struct slice row = stored_routing_row_of(d->tenancy->tables.routing);
	char *copy = json_config_pad(row);
	struct config_node *tree = NULL;
	struct config_entry *next;
	struct json_error error;

	if (copy && json_parse(d->tenancy->json, slice_of(copy, row.size), &error) == 0)
		tree = json_config_read(&d->document, d->tenancy->json, 0);
	free(copy);
	if (!tree) {
		if (draft_is_sound(d))
			draft_refuse_memory(d);
		return NULL;
	}
	json_config_merge(tree, patch);
	for (struct config_entry *entry = tree->first; entry; entry = next) {
		next = entry->next;
		if (config_is_null(entry->value))
			json_config_take(tree, entry->key->text.data);
	}
	return tree;
}

static void print_shown(const struct tenancy *tenancy, const void *context, struct text *text)
{
	(void)tenancy;
	stored_routing_print(context, text);
}

static bool add_records(struct draft *d, const struct stored_routing *before, const struct stored_routing *after)
{
	struct slice old = stored_routing_row_of(before), new = stored_routing_row_of(after), id = SLICE("routing");
	struct text row = text_over(malloc(new.size), new.size);

	if (row.data)
		text_add(&row, new);
	if (!tenancy_add_record(&d->tenancy->change, RECORDS_ROUTING, id, &row)) {
		free(row.data);
		return false;
	}
	return tenancy_audit_add(d->tenancy, "update", "routing", id, NULL, old, new);
}

/* Takes `after` over. */
static bool commit(struct draft *d, struct stored_routing *after, const struct settings *shown)
{
	struct tenancy_change *change = &d->tenancy->change;
	struct stored_routing *before = d->tenancy->tables.routing;
	bool stored;

	*change = (struct tenancy_change){
		.ask = d->ask, .has_routing = true, .routing_before = before, .routing_after = after};
	stored = add_records(d, before, after);
	if (!stored || !tenancy_print_answer(d->tenancy, d->ask, 200, print_shown, shown)) {
		tenancy_drop_records(change);
		stored_routing_give(&after);
		return !stored && draft_refuse_memory(d);
	}
	return tenancy_begin(d->tenancy) || draft_refuse_memory(d);
}

bool draft_change_routing(struct draft *d)
{
	struct config_node *patch = draft_read_body(d), *tree;
	struct settings shown = *d->tenancy->base->settings;
	struct stored_routing *after;
	uint32_t rows;

	if (!patch || !check_names(d, patch, &rows))
		return false;
	tree = merge(d, patch);
	if (!tree)
		return false;
	after = stored_routing_read(tree, &d->document);
	if (!after)
		return draft_refuse_memory(d);
	stored_routing_apply(after, &shown);
	if (!draft_is_sound(d) || !check_references(d, rows, &shown)) {
		stored_routing_give(&after);
		return false;
	}
	return commit(d, after, &shown);
}
