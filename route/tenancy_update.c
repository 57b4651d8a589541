/*
 * Changes that are asked for: read, checked, and begun; each is refused whole or done whole. What is checked is what the
 * configuration's tables say of each field, then what no single field shows.
 */
#include "route/tenancy_internal.h"

#include "core/clock.h"
#include "route/settings_tables.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	OBJECT_BYTES_MAX = TENANT_ROW_BYTES_MAX,
	TENANTS_MAX = 100000, /* of a kind; each change makes their index anew */
	OVERLAP_DEFAULT_S = 86400,
	OVERLAP_MAX_S = 30 * 86400,
};

/* What a body says, while it is being read. */
struct draft {
	struct tenancy *tenancy;
	struct tenancy_ask *ask;
	const struct tenant_shape *shape;
	struct config_memory memory;
	struct config_report report;
	struct json_config document;
	char secret[TENANT_SECRET_BYTES_MAX];
	size_t secret_bytes; /* 0: none was made */
	const void *item;    /* as it will be, for the answer */
	const struct tenant *stored;
};

__attribute__((format(printf, 5, 6))) static bool refuse(
	struct draft *d, unsigned status, struct slice code, const char *param, const char *format, ...)
{
	char message[TENANCY_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	tenancy_refuse(d->ask, status, code, param, "%s", message);
	return false;
}

static bool refuse_memory(struct draft *d)
{
	return refuse(d, 503, SLICE("out_of_memory"), NULL, "The gateway is out of memory. Nothing was changed; try again in a moment.");
}

static bool refuse_declared(struct draft *d)
{
	return refuse(d, 409, SLICE("declared_in_config"), NULL,
		"The configuration file declares this %s: change it there and reload.%s", d->shape->name,
		d->ask->kind == TENANT_KEY ? " Here it can be disabled and revoked." : "");
}

/* ---- reading a body ---- */

static void take_first(void *context, unsigned line, unsigned column, const char *message)
{
	struct draft *d = context;
	const char *path = line <= d->document.count ? d->document.paths[line] : "";
	bool unknown = strncmp(message, "unknown field", 13) == 0;

	(void)column;
	if (!d->ask->code.data)
		refuse(d, 400, unknown ? SLICE("unknown_field") : SLICE("invalid_value"), path, "%s", message);
}

/* True when nothing was complained of; else the first complaint is the answer. */
static bool is_sound(struct draft *d)
{
	if (d->memory.failed)
		return refuse_memory(d);
	config_report_tell(&d->report, take_first, d);
	return d->report.count == 0;
}

static struct config_node *read_body(struct draft *d)
{
	struct json_error error;
	struct config_node *tree;
	int rc;

	if (d->ask->body.size == 0) {
		refuse(d, 400, SLICE("invalid_json"), NULL, "Send a JSON object.");
		return NULL;
	}
	rc = json_parse(d->tenancy->json, d->ask->body, &error);
	if (rc == -EINVAL)
		refuse(d, 400, SLICE("invalid_json"), NULL, "The body is not valid JSON, at byte %zu: %s", error.offset, error.message);
	else if (rc < 0)
		refuse_memory(d);
	if (rc < 0)
		return NULL;
	tree = json_config_read(&d->document, d->tenancy->json, 0);
	if (!is_sound(d))
		return NULL;
	if (!tree) {
		refuse_memory(d);
		return NULL;
	}
	if (tree->kind == CONFIG_MAP)
		return tree;
	refuse(d, 400, SLICE("invalid_type"), NULL, "Send a JSON object.");
	return NULL;
}

/* Contract, section 10: amounts may also stand among the limits. */
static bool respell(struct draft *d, struct config_node *tree)
{
	static const char *const names[] = {"daily_usd", "weekly_usd", "monthly_usd", "per_request_usd"};
	struct config_node *limits = (struct config_node *)(uintptr_t)config_member(tree, "limits");
	struct config_node *budget = (struct config_node *)(uintptr_t)config_member(tree, "budget");
	char param[32];

	for (unsigned i = 0; limits && limits->kind == CONFIG_MAP && i < sizeof(names) / sizeof(names[0]); i++) {
		struct config_entry *entry = json_config_take(limits, names[i]);

		if (!entry)
			continue;
		if (!budget || budget->kind != CONFIG_MAP) {
			json_config_take(tree, "budget");
			budget = json_config_add_map(&d->document, tree, "budget");
		}
		if (!budget)
			return is_sound(d) && refuse_memory(d);
		snprintf(param, sizeof(param), "limits.%s", names[i]);
		if (config_member(budget, names[i]))
			return refuse(d, 400, SLICE("invalid_value"), param,
				"%s is given among the limits and in budget (expected once)", names[i]);
		json_config_put(budget, entry);
	}
	if (limits && limits->kind == CONFIG_MAP && limits->count == 0 && d->ask->kind == TENANT_WORKSPACE)
		json_config_take(tree, "limits");
	return true;
}

static bool has_required(struct draft *d, const struct config_node *tree)
{
	for (unsigned i = 0; i < d->shape->schema->count; i++) {
		const struct schema_field *field = &d->shape->schema->fields[i];

		if (field->required && config_is_null(config_member(tree, field->name)))
			return refuse(d, 400, SLICE("missing_field"), field->name, "\"%s\" is missing (it is required)",
				field->name);
	}
	return true;
}

/* NULL: refused. */
static struct tenant *read_tenant(struct draft *d, const struct config_node *tree)
{
	struct tenant *tenant;

	if (!has_required(d, tree))
		return NULL;
	tenant = tenant_read(d->ask->kind, tree, &d->document);
	if (!tenant)
		refuse_memory(d);
	else if (!is_sound(d))
		tenant_give(&tenant);
	return tenant;
}

/* ---- what no single field shows ---- */

static const struct settings *settings_of(const struct draft *d)
{
	return d->tenancy->config->settings;
}

static bool check_workspace(struct draft *d, const char *workspace)
{
	return tenant_item_find(settings_of(d), TENANT_WORKSPACE, slice_of_string(workspace)) ||
	       refuse(d, 400, SLICE("invalid_value"), "workspace", "workspace: there is no workspace \"%s\"", workspace);
}

static bool check_expiry(struct draft *d, uint64_t expires_ns, uint64_t before_ns)
{
	return !expires_ns || expires_ns == before_ns || expires_ns > tenancy_wall_ns(d->tenancy) ||
	       refuse(d, 400, SLICE("invalid_value"), "expires_at", "expires_at lies in the past (expected a time to come, or null)");
}

static bool check_key(struct draft *d, const struct key_settings *key, const struct key_settings *before)
{
	const struct team_settings *team;

	if (!check_workspace(d, key->workspace) || !check_expiry(d, key->expires_at_ns, before ? before->expires_at_ns : 0))
		return false;
	if (!key->team)
		return true;
	team = tenant_item_find(settings_of(d), TENANT_TEAM, slice_of_string(key->team));
	if (!team)
		return refuse(d, 400, SLICE("invalid_value"), "team", "team: there is no team \"%s\"", key->team);
	return strcmp(team->workspace, key->workspace) == 0 ||
	       refuse(d, 400, SLICE("invalid_value"), "team", "team: team %s belongs to workspace %s (expected one of workspace %s)",
		       key->team, team->workspace, key->workspace);
}

static bool check_workspace_fields(struct draft *d, const struct workspace_settings *workspace)
{
	const struct settings *settings = settings_of(d);
	bool found = false;

	for (unsigned i = 0; i < settings->plan_count; i++)
		found = found || strcmp(settings->plans[i].id, workspace->plan) == 0;
	if (!found)
		return refuse(d, 400, SLICE("invalid_value"), "plan", "plan: there is no plan \"%s\"", workspace->plan);
	found = !workspace->residency;
	for (unsigned i = 0; i < settings->provider_count && !found; i++)
		found = settings->providers[i].region && strcmp(settings->providers[i].region, workspace->residency) == 0;
	return found || refuse(d, 400, SLICE("invalid_value"), "residency",
				"residency: no provider has the region \"%s\": nothing could serve this workspace",
				workspace->residency);
}

static bool check_across(struct draft *d, const struct tenant *tenant, const void *before)
{
	const struct admin_token_settings *token = &tenant->item.token;

	switch (tenant->kind) {
	case TENANT_KEY:
		return check_key(d, &tenant->item.key, before);
	case TENANT_TEAM:
		return check_workspace(d, tenant->item.team.workspace);
	case TENANT_WORKSPACE:
		return check_workspace_fields(d, &tenant->item.workspace);
	case TENANT_TOKEN:
		return check_expiry(d, token->expires_at_ns,
			before ? ((const struct admin_token_settings *)before)->expires_at_ns : 0);
	case TENANT_KINDS:
		break;
	}
	assert(false);
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Receipts and counters name a key's workspace, its secret tells its environment, and others refer to ids. */
static bool check_unchanged(struct draft *d, const struct tenant *tenant, const void *before)
{
	const struct tenant_shape *shape = d->shape;
	const char *param = NULL;

	if (shape->param_id && !same_text(shape->id_of(&tenant->item), shape->id_of(before)))
		param = "id";
	else if (tenant->kind != TENANT_WORKSPACE && shape->workspace_of &&
		 !same_text(shape->workspace_of(&tenant->item), shape->workspace_of(before)))
		param = "workspace";
	else if (tenant->kind == TENANT_KEY &&
		 !same_text(tenant->item.key.environment, ((const struct key_settings *)before)->environment))
		param = "environment";
	return !param || refuse(d, 400, SLICE("immutable_field"), param, "%s cannot change (expected another %s)", param, shape->name);
}

/* ---- answer, record, audit ---- */

static void print_changed(const struct tenancy *tenancy, const void *context, struct text *text)
{
	const struct draft *d = context;

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
static struct text print_object(
	const struct draft *d, const void *item, const struct tenant *stored)
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
		    tenancy_audit_add(d->tenancy, verb, d->shape->name, slice_of_string(d->shape->id_of(item)), workspace,
			    text_slice(&old), text_slice(&new));

	free(old.data);
	free(new.data);
	return good;
}

/* After records were added and before the change begins, nothing refers to them but the change. */
static void drop_records(struct tenancy_change *change)
{
	for (unsigned i = 0; i < change->record_count; i++)
		free(change->memory[i]);
	memset(change, 0, sizeof(*change));
}

/*
 * `after` (NULL: it goes) takes the place of `before` (NULL: it is new), which showed as `item`. Takes `after` over. False:
 * refused.
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
	good = good && add_audit(d, verb, item_before, before, after ? &after->item : NULL, after);
	if (!good) {
		drop_records(change);
		tenant_give(&after);
		return refuse_memory(d);
	}
	if (!tenancy_print_answer(d->tenancy, d->ask, status, print_changed, d)) {
		drop_records(change);
		tenant_give(&after);
		return false;
	}
	return tenancy_begin(d->tenancy) || refuse_memory(d);
}

static void touch(struct draft *d, struct tenant *tenant, const struct tenant_meta *before)
{
	uint64_t now_ns = tenancy_wall_ns(d->tenancy);

	if (before) {
		tenant->meta = *before;
		tenant->meta.secret_prefix =
			before->secret_prefix ? config_copy(&tenant->memory, slice_of_string(before->secret_prefix)) : NULL;
	} else {
		tenant->meta.created_ns = now_ns;
	}
	tenant->meta.updated_ns = now_ns;
}

/* ---- create ---- */

static bool make_secret(struct draft *d, struct tenant *tenant)
{
	d->secret_bytes = tenant_make_secret(tenant, d->secret);
	return tenant_set_secret(tenant, slice_of(d->secret, d->secret_bytes)) == 0 || refuse_memory(d);
}

static void make_id(struct draft *d, struct tenant *tenant)
{
	struct ulid ulid = ulid_make(&d->tenancy->shard.rand, tenancy_wall_ns(d->tenancy));
	struct text id = text_over(tenant->id, TENANT_ID_BYTES_MAX);
	char ulid_text[ULID_TEXT_BYTES];

	ulid_print(&ulid, ulid_text);
	text_add(&id, tenant->kind == TENANT_KEY ? SLICE("vk_") : SLICE("tok_"));
	text_add(&id, slice_of(ulid_text, sizeof(ulid_text)));
	tenant->id[id.size] = '\0';
}

static bool take_id(struct draft *d, struct tenant *tenant)
{
	const char *id = d->shape->id_of(&tenant->item);

	if (tenant_item_find(settings_of(d), tenant->kind, slice_of_string(id)))
		return refuse(d, 409, SLICE("already_exists"), "id", "There is a %s \"%s\" already.", d->shape->name, id);
	assert(strlen(id) <= TENANT_ID_BYTES_MAX); /* check_name */
	memcpy(tenant->id, id, strlen(id) + 1);
	return true;
}

static bool prepare_new(struct draft *d, struct tenant *tenant)
{
	if (!check_across(d, tenant, NULL))
		return false;
	if (d->tenancy->tables.of[tenant->kind].count >= TENANTS_MAX)
		return refuse(d, 409, SLICE("too_many"), NULL, "There are %d %ss already (expected at most as many).", TENANTS_MAX,
			d->shape->name);
	touch(d, tenant, NULL);
	if (d->shape->param_id)
		return take_id(d, tenant);
	make_id(d, tenant);
	return make_secret(d, tenant);
}

static bool create(struct draft *d)
{
	struct config_node *tree = read_body(d);
	struct tenant *tenant;

	if (!tree || !respell(d, tree))
		return false;
	tenant = read_tenant(d, tree);
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
static bool commit_override(struct draft *d, const char *verb, const struct key_settings *before, struct key_settings *after)
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
		drop_records(change);
		return refuse_memory(d);
	}
	if (!tenancy_print_answer(d->tenancy, d->ask, 200, print_changed, d)) {
		drop_records(change);
		return false;
	}
	return tenancy_begin(d->tenancy) || refuse_memory(d);
}

static bool is_revoked(struct draft *d, const void *item)
{
	return d->ask->kind == TENANT_KEY && ((const struct key_settings *)item)->revoked_at_ns &&
	       !refuse(d, 409, SLICE("key_revoked"), NULL, "This key was revoked, which is for good. Make another.");
}

static bool read_disabled(struct draft *d, const struct config_node *value, bool *disabled)
{
	if (value->kind == CONFIG_SCALAR && value->plain) {
		*disabled = slice_equal(value->text, SLICE("true"));
		if (*disabled || slice_equal(value->text, SLICE("false")))
			return true;
	}
	return refuse(d, 400, SLICE("invalid_value"), "disabled", "disabled: the value will not do (expected true or false)");
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

/* The settings as they are stored; of the workspace that exists without being declared, its defaults. */
static bool update_stored(struct draft *d, const void *item, struct tenant *before, const struct config_node *patch)
{
	const void *stored_item = before ? (const void *)&before->item : item;
	struct config_node *tree = tenant_tree(d->ask->kind, stored_item, d->tenancy->json, &d->document);
	struct tenant *after;

	if (!tree)
		return is_sound(d) && refuse_memory(d);
	json_config_merge(tree, patch);
	after = read_tenant(d, tree);
	if (!after)
		return false;
	if (!check_unchanged(d, after, stored_item) || !check_across(d, after, stored_item)) {
		tenant_give(&after);
		return false;
	}
	touch(d, after, before ? &before->meta : NULL);
	memcpy(after->id, d->shape->id_of(item), strlen(d->shape->id_of(item)) + 1);
	tenant_settle(after);
	return commit(d, "update", 200, before, item, after);
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
	patch = read_body(d);
	if (!patch || !respell(d, patch))
		return false;
	return before || is_built_in(d, item) ? update_stored(d, item, before, patch) : update_declared(d, item, patch);
}

/* The first that would be left without it. */
static bool is_used(struct draft *d, const char *id)
{
	const struct settings *settings = settings_of(d);
	bool team = d->ask->kind == TENANT_TEAM;

	for (unsigned i = 0; i < settings->key_count; i++) {
		const struct key_settings *key = &settings->keys[i];

		if (!key->revoked_at_ns && same_text(team ? key->team : key->workspace, id))
			return !refuse(d, 409, SLICE("in_use"), NULL, "Key %s belongs to this %s: revoke it first.", key->id,
				d->shape->name);
	}
	for (unsigned i = 0; !team && i < settings->team_count; i++)
		if (same_text(settings->teams[i].workspace, id))
			return !refuse(d, 409, SLICE("in_use"), NULL, "Team %s belongs to this workspace: remove it first.",
				settings->teams[i].id);
	for (unsigned i = 0; !team && i < settings->project_count; i++)
		if (same_text(settings->projects[i].workspace, id))
			return !refuse(d, 409, SLICE("in_use"), NULL, "Project %s belongs to this workspace.",
				settings->projects[i].id);
	return false;
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
		return refuse_memory(d);
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
	if (d->ask->kind != TENANT_TOKEN && is_used(d, before->id))
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
	struct schema_walk walk = {
		.memory = &d->memory, .errors = &d->report, .warnings = &d->report, .typed = true};
	struct config_node *tree;

	if (d->ask->body.size) {
		tree = read_body(d);
		if (!tree)
			return false;
		schema_read(&walk, &schema, tree, tree, &rotation);
	}
	*overlap_ns = rotation.overlap_s * NS_PER_S;
	return is_sound(d);
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
		return refuse_memory(d);
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

	if (ask->verb == TENANCY_CREATE)
		return create(d);
	item = tenant_item_find(settings_of(d), ask->kind, ask->id);
	stored = tenant_tables_find(&d->tenancy->tables, ask->kind, ask->id);
	if (!item) {
		tenancy_refuse_unknown(ask);
		return false;
	}
	if (ask->verb == TENANCY_UPDATE)
		return update(d, item, stored);
	return ask->verb == TENANCY_ROTATE ? rotate(d, item, stored) : remove_item(d, item, stored);
}

void tenancy_change(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	struct draft *d = calloc(1, sizeof(*d));
	bool begun = false;

	ask->code = slice_of(NULL, 0);
	if (d) {
		d->tenancy = tenancy;
		d->ask = ask;
		d->shape = &tenant_shapes[ask->kind];
		config_memory_init(&d->memory, SCRATCH_BYTES_MAX);
		config_report_init(&d->report, &d->memory);
		d->document.memory = &d->memory;
		d->document.report = &d->report;
		begun = work(d);
		config_memory_fini(&d->memory);
		explicit_bzero(d, sizeof(*d));
	} else {
		tenancy_refuse(ask, 503, SLICE("out_of_memory"), NULL, "The gateway is out of memory. Try again in a moment.");
	}
	free(d);
	if (!begun)
		tenancy_answer(tenancy, ask);
}
