/* Changes that are asked for, from a draft that was checked to what is on its way; each is refused whole or done whole.
 */
#include "route/tenancy/tenancy_draft.h"

#include "core/clock.h"
#include "route/settings/settings_tables.h"
#include "route/tenancy/connection.h"

#include <assert.h>
#include <stdlib.h>

enum {
	OBJECT_BYTES_MAX = TENANT_ROW_BYTES_MAX,
	TENANTS_MAX = 100000, /* of a kind; each change makes their index anew */
	OVERLAP_DEFAULT_S = 86400,
	OVERLAP_MAX_S = 30 * 86400,
};

static bool refuse_declared(struct draft *d)
{
	return draft_refuse(d, 409, SLICE("declared_in_config"), NULL,
		"The configuration file declares this %s: change it there and reload.%s", d->shape->name,
		d->ask->kind == TENANT_KEY ? " Here it can be disabled and revoked." : "");
}

static void print_changed(const struct tenancy *tenancy, const void *context, struct text *text)
{
	const struct draft *d = context;

	if (d->ask->part.size) {
		tenancy_print_endpoint(d->item, d->ask->part, text);
		return;
	}
	text_char(text, '{');
	tenant_print(d->ask->kind, d->item, d->stored, tenancy_wall_ns(tenancy), text);
	if (d->secret_bytes) {
		text_literal(text, ",\"secret\":");
		text_json(text, slice_of(d->secret, d->secret_bytes));
	}
	text_char(text, '}');
}

static bool add_row(struct draft *d, enum record_table table, const struct tenant *tenant)
{
	struct text row = text_over(malloc(TENANT_ROW_BYTES_MAX), TENANT_ROW_BYTES_MAX);

	if (row.data)
		tenant_print_row(tenant, &row);
	if (tenancy_add_record(&d->tenancy->change, table, slice_of_string(tenant->id), &row))
		return true;
	free(row.data);
	return false;
}

/* NULL data when memory is out, or it is too large. */
static struct text print_object(const struct draft *d, const void *item, const struct tenant *stored)
{
	struct text json = text_over(item ? malloc(OBJECT_BYTES_MAX) : NULL, item ? OBJECT_BYTES_MAX : 0);

	if (!json.data)
		return json;
	text_char(&json, '{');
	tenant_print(d->ask->kind, item, stored, tenancy_wall_ns(d->tenancy), &json);
	text_char(&json, '}');
	if (json.full) {
		free(json.data);
		json.data = NULL;
	}
	return json;
}

static bool add_audit(struct draft *d, const char *verb, const void *before, const struct tenant *stored_before,
	const void *after, const struct tenant *stored_after)
{
	const void *item = after ? after : before;
	const char *workspace = d->shape->workspace_of ? d->shape->workspace_of(item) : NULL;
	struct text old = print_object(d, before, stored_before), new = print_object(d, after, stored_after);
	bool good = (old.data || !before) && (new.data || !after) &&
		    tenancy_audit_add(d->tenancy, verb, d->shape->name, slice_of_string(d->shape->id_of(item)),
			    workspace, text_slice(&old), text_slice(&new));

	free(old.data);
	free(new.data);
	return good;
}

/* A connection's secrets lie sealed beside its record; as long as they stay the same they are left there. */
static bool add_connection_key(struct tenancy_change *change, const struct tenant *before, const struct tenant *after)
{
	const struct tenant *either = after ? after : before;
	const char *old = before && change->kind == TENANT_CONNECTION ? before->item.connection.sealed : NULL;
	const char *new = after && change->kind == TENANT_CONNECTION ? after->item.connection.sealed : NULL;

	return draft_same_text(old, new) || tenancy_add_sealed(change, either->item.connection.workspace,
						    slice_of_string(either->id), slice_of_string(new));
}

/*
 * `after` (NULL: it goes) takes the place of `before` (NULL: it is new), which showed as `item`. Takes `after` over.
 * False: refused.
 */
static bool commit(struct draft *d, const char *verb, unsigned status, struct tenant *before, const void *item_before,
	struct tenant *after)
{
	struct tenancy_change *change = &d->tenancy->change;
	bool good;

	d->item = after ? (const void *)&after->item : item_before;
	d->stored = after ? after : before;
	*change = (struct tenancy_change){.ask = d->ask, .kind = d->ask->kind, .before = before, .after = after};
	if (after)
		good = add_row(d, d->shape->table, after);
	else
		good = tenancy_add_record(change, d->shape->table, slice_of_string(before->id), NULL);
	good = good && add_connection_key(change, before, after) &&
	       add_audit(d, verb, item_before, before, after ? &after->item : NULL, after);
	if (!good) {
		tenancy_drop_records(change);
		tenant_give(&after);
		return draft_refuse_memory(d);
	}
	if (!tenancy_print_answer(d->tenancy, d->ask, status, print_changed, d)) {
		tenancy_drop_records(change);
		tenant_give(&after);
		return false;
	}
	return tenancy_begin(d->tenancy) || draft_refuse_memory(d);
}

static void touch(struct draft *d, struct tenant *tenant, const struct tenant_meta *before)
{
	uint64_t now_ns = tenancy_wall_ns(d->tenancy);

	if (before) {
		tenant->meta = *before;
		tenant->meta.secret_prefix =
			before->secret_prefix ? config_copy(&tenant->memory, slice_of_string(before->secret_prefix))
					      : NULL;
	} else {
		tenant->meta.created_ns = now_ns;
	}
	tenant->meta.updated_ns = now_ns;
}

/* ---- create ---- */

static bool make_secret(struct draft *d, struct tenant *tenant)
{
	d->secret_bytes = tenant_make_secret(tenant, d->secret);
	return tenant_set_secret(tenant, slice_of(d->secret, d->secret_bytes)) == 0 || draft_refuse_memory(d);
}

static void make_id(struct draft *d, struct tenant *tenant)
{
	struct ulid ulid = ulid_make(&d->tenancy->shard.rand, tenancy_wall_ns(d->tenancy));
	struct text id = text_over(tenant->id, TENANT_ID_BYTES_MAX);
	char ulid_text[ULID_TEXT_BYTES];

	ulid_print(&ulid, ulid_text);
	text_string(&id, d->shape->id_prefix);
	text_add(&id, slice_of(ulid_text, sizeof(ulid_text)));
	tenant->id[id.size] = '\0';
}

static bool take_id(struct draft *d, struct tenant *tenant)
{
	const char *id = d->shape->id_of(&tenant->item);

	if (tenant_item_find(draft_settings(d), tenant->kind, slice_of_string(id)))
		return draft_refuse(
			d, 409, SLICE("already_exists"), "id", "There is a %s \"%s\" already.", d->shape->name, id);
	assert(strlen(id) <= TENANT_ID_BYTES_MAX); /* check_name */
	memcpy(tenant->id, id, strlen(id) + 1);
	return true;
}

static bool seal_connection(struct draft *d, struct tenant *tenant)
{
	return connection_seal(&tenant->item.connection, &tenant->memory) == 0 || draft_refuse_memory(d);
}

static bool prepare_new(struct draft *d, struct tenant *tenant)
{
	if (!draft_check(d, tenant, NULL))
		return false;
	if (d->tenancy->tables.of[tenant->kind].count >= TENANTS_MAX)
		return draft_refuse(d, 409, SLICE("too_many"), NULL,
			"There are %d %ss already (expected at most as many).", TENANTS_MAX, d->shape->name);
	touch(d, tenant, NULL);
	if (d->shape->param_id)
		return take_id(d, tenant);
	make_id(d, tenant);
	if (tenant->kind != TENANT_CONNECTION)
		return make_secret(d, tenant);
	return draft_check_connection(d, &tenant->item.connection) && seal_connection(d, tenant);
}

/* With PUT its id is the path's. */
static bool create(struct draft *d)
{
	struct config_node *tree = draft_read_body(d);
	struct tenant *tenant;

	if (!tree || (d->ask->verb == TENANCY_PUT && !draft_set_text(d, tree, "id", d->ask->id)))
		return false;
	tenant = draft_read_tenant(d, tree);
	if (!tenant)
		return false;
	if (!prepare_new(d, tenant)) {
		tenant_give(&tenant);
		return false;
	}
	tenant_settle(tenant);
	return commit(d, "create", 201, NULL, NULL, tenant);
}

/* ---- update, revoke, rotate ---- */

/* What a declared key's record becomes; `item` is how it shows then. */
static bool commit_override(
	struct draft *d, const char *verb, const struct key_settings *before, struct key_settings *after)
{
	struct tenancy_change *change = &d->tenancy->change;
	const struct tenant_override *was = tenant_tables_override(&d->tenancy->tables, slice_of_string(before->id));
	struct text row = text_over(malloc(OBJECT_BYTES_MAX), OBJECT_BYTES_MAX);
	bool good;

	*change = (struct tenancy_change){.ask = d->ask, .kind = TENANT_KEY, .has_override = true, .had_override = was};
	if (was)
		change->was = *was;
	change->override = (struct tenant_override){.disabled = after->disabled,
		.revoked_ns = after->revoked_at_ns,
		.updated_ns = tenancy_wall_ns(d->tenancy)};
	memcpy(change->override.id, before->id, sizeof(before->id));
	if (row.data)
		tenant_override_print(&change->override, &row);
	good = tenancy_add_record(change, RECORDS_OVERRIDES, slice_of_string(before->id), &row);
	if (!good)
		free(row.data);
	d->item = after;
	if (!good || !add_audit(d, verb, before, NULL, after, NULL)) {
		tenancy_drop_records(change);
		return draft_refuse_memory(d);
	}
	if (!tenancy_print_answer(d->tenancy, d->ask, 200, print_changed, d)) {
		tenancy_drop_records(change);
		return false;
	}
	return tenancy_begin(d->tenancy) || draft_refuse_memory(d);
}

static bool is_revoked(struct draft *d, const void *item)
{
	return d->ask->kind == TENANT_KEY && ((const struct key_settings *)item)->revoked_at_ns &&
	       !draft_refuse(
		       d, 409, SLICE("key_revoked"), NULL, "This key was revoked, which is for good. Make another.");
}

static bool read_disabled(struct draft *d, const struct config_node *value, bool *disabled)
{
	if (value->kind == CONFIG_SCALAR && value->plain) {
		*disabled = slice_equal(value->text, SLICE("true"));
		if (*disabled || slice_equal(value->text, SLICE("false")))
			return true;
	}
	return draft_refuse(
		d, 400, SLICE("invalid_value"), "disabled", "disabled: the value will not do (expected true or false)");
}

static bool update_declared(struct draft *d, const void *item, const struct config_node *patch)
{
	const struct config_node *disabled = config_member(patch, "disabled");
	struct key_settings after;

	if (d->ask->kind != TENANT_KEY || !disabled || patch->count != 1)
		return refuse_declared(d);
	after = *(const struct key_settings *)item;
	return read_disabled(d, disabled, &after.disabled) && commit_override(d, "update", item, &after);
}

/* Its secrets are not among what is shown, and so not among what is merged. False: refused. */
static bool keep_secrets(struct draft *d, const struct tenant *before, struct tenant *after)
{
	if (after->kind != TENANT_CONNECTION)
		return true;
	connection_keep(&after->item.connection, &before->item.connection, &after->memory);
	return draft_check_connection(d, &after->item.connection) && seal_connection(d, after);
}

/* What a tree says takes the place of what is stored, or of the workspace's defaults that exists without being
 * declared. */
static bool store_tree(
	struct draft *d, const char *verb, const void *item, struct tenant *before, const struct config_node *tree)
{
	const void *stored_item = before ? (const void *)&before->item : item;
	struct tenant *after = draft_read_tenant(d, tree);

	if (!after)
		return false;
	if (!draft_check_unchanged(d, after, stored_item) || !draft_check(d, after, stored_item)) {
		tenant_give(&after);
		return false;
	}
	if (!keep_secrets(d, before, after)) {
		tenant_give(&after);
		return false;
	}
	touch(d, after, before ? &before->meta : NULL);
	memcpy(after->id, d->shape->id_of(item), strlen(d->shape->id_of(item)) + 1);
	tenant_settle(after);
	return commit(d, verb, 200, before, item, after);
}

static bool update_stored(struct draft *d, const void *item, struct tenant *before, const struct config_node *patch)
{
	const void *stored_item = before ? (const void *)&before->item : item;
	struct config_node *tree = tenant_tree(d->ask->kind, stored_item, d->tenancy->json, &d->document);

	if (!tree)
		return draft_is_sound(d) && draft_refuse_memory(d);
	json_config_merge(tree, patch);
	return store_tree(d, "update", item, before, tree);
}

/* An endpoint is put into its project, or taken out. */
static bool change_endpoint(struct draft *d, const void *item, struct tenant *before)
{
	bool put = d->ask->verb != TENANCY_REMOVE;
	struct config_node *tree;

	if (!d->ask->part.size)
		return draft_refuse(d, 405, SLICE("method_not_allowed"), NULL,
			"The list of endpoints is only read: change one, at /admin/projects/PROJECT/endpoints/SLUG.");
	if (!before)
		return refuse_declared(d);
	tree = tenant_tree(d->ask->kind, item, d->tenancy->json, &d->document);
	if (!tree)
		return draft_is_sound(d) && draft_refuse_memory(d);
	return (put ? draft_put_endpoint(d, tree) : draft_remove_endpoint(d, tree)) &&
	       store_tree(d, put ? "put endpoint" : "delete endpoint", item, before, tree);
}

static bool is_built_in(const struct draft *d, const void *item)
{
	return d->ask->kind == TENANT_WORKSPACE && ((const struct workspace_settings *)item)->built_in;
}

static bool update(struct draft *d, const void *item, struct tenant *before)
{
	struct config_node *patch;

	if (is_revoked(d, item))
		return false;
	patch = draft_read_body(d);
	if (!patch)
		return false;
	return before || is_built_in(d, item) ? update_stored(d, item, before, patch) : update_declared(d, item, patch);
}

static bool revoke(struct draft *d, const struct key_settings *key, struct tenant *before)
{
	struct key_settings declared = *key;
	struct tenant *after;

	if (key->revoked_at_ns) { /* it is so already */
		d->item = key;
		d->stored = before;
		return tenancy_print_answer(d->tenancy, d->ask, 200, print_changed, d) && false;
	}
	if (!before) {
		declared.revoked_at_ns = tenancy_wall_ns(d->tenancy);
		return commit_override(d, "revoke", key, &declared);
	}
	after = tenant_copy(before, d->tenancy->json);
	if (!after)
		return draft_refuse_memory(d);
	after->meta.updated_ns = after->meta.revoked_ns = tenancy_wall_ns(d->tenancy);
	after->meta.previous_until_ns = 0;
	tenant_settle(after);
	return commit(d, "revoke", 200, before, key, after);
}

static bool remove_item(struct draft *d, const void *item, struct tenant *before)
{
	if (d->ask->kind == TENANT_KEY)
		return revoke(d, item, before);
	if (!before)
		return refuse_declared(d);
	if ((d->ask->kind == TENANT_TEAM || d->ask->kind == TENANT_WORKSPACE) && draft_is_used(d, before->id))
		return false;
	return commit(d, "delete", 200, before, item, NULL);
}

struct rotation {
	uint32_t overlap_s;
};

static bool read_overlap(struct draft *d, uint64_t *overlap_ns)
{
	static const struct schema_field fields[] = {
		ROW_INT("overlap_seconds", struct rotation, overlap_s, 0, OVERLAP_MAX_S, "86400"),
	};
	static const struct schema schema = SCHEMA(fields);
	struct rotation rotation = {.overlap_s = OVERLAP_DEFAULT_S};
	struct schema_walk walk = {.memory = &d->memory, .errors = &d->report, .warnings = &d->report, .typed = true};
	struct config_node *tree;

	if (d->ask->body.size) {
		tree = draft_read_body(d);
		if (!tree)
			return false;
		schema_read(&walk, &schema, tree, tree, &rotation);
	}
	*overlap_ns = rotation.overlap_s * NS_PER_S;
	return draft_is_sound(d);
}

static bool rotate(struct draft *d, const void *item, struct tenant *before)
{
	uint64_t overlap_ns, now_ns = tenancy_wall_ns(d->tenancy);
	struct tenant *after;

	if (!before)
		return refuse_declared(d);
	if (is_revoked(d, item) || !read_overlap(d, &overlap_ns))
		return false;
	after = tenant_copy(before, d->tenancy->json);
	if (!after)
		return draft_refuse_memory(d);
	memcpy(after->meta.previous_sha256, before->meta.secret_sha256, sizeof(after->meta.previous_sha256));
	after->meta.previous_until_ns = overlap_ns ? now_ns + overlap_ns : 0;
	after->meta.updated_ns = now_ns;
	if (!make_secret(d, after)) {
		tenant_give(&after);
		return false;
	}
	tenant_settle(after);
	return commit(d, "rotate", 200, before, item, after);
}

/* True: a change is on its way, and answers when it is in force. */
static bool work(struct draft *d)
{
	struct tenancy_ask *ask = d->ask;
	const void *item;
	struct tenant *stored;

	if (ask->verb == TENANCY_ROUTING)
		return draft_change_routing(d);
	if (ask->verb == TENANCY_CREATE)
		return create(d);
	item = tenant_item_find(draft_settings(d), ask->kind, ask->id);
	stored = tenancy_stored(d->tenancy, ask->kind, ask->id);
	if (!item && ask->verb == TENANCY_PUT && !ask->part.data)
		return create(d);
	if (!item) {
		tenancy_refuse_unknown(ask);
		return false;
	}
	if (ask->part.data)
		return change_endpoint(d, item, stored);
	if (ask->verb == TENANCY_UPDATE || ask->verb == TENANCY_PUT)
		return update(d, item, stored);
	return ask->verb == TENANCY_ROTATE ? rotate(d, item, stored) : remove_item(d, item, stored);
}

void tenancy_change(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	struct draft *d = malloc(sizeof(*d));
	bool begun = false;

	ask->code = slice_of(NULL, 0);
	if (d) {
		draft_open(d, tenancy, ask);
		begun = work(d);
		draft_close(d);
	} else {
		tenancy_refuse(
			ask, 503, SLICE("out_of_memory"), NULL, "The gateway is out of memory. Try again in a moment.");
	}
	free(d);
	if (!begun)
		tenancy_answer(tenancy, ask);
}
