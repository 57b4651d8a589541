/*
 * Reading and checking what is asked for: each field by the configuration's tables, then what no single field shows.
 * The first thing that is wrong is the answer, with the member's path.
 */
#include "route/tenancy/tenancy_draft.h"

#include "route/settings/settings_tables.h"
#include "route/tenancy/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { PROJECT_ENDPOINTS_MAX = 256 };

void draft_open(struct draft *d, struct tenancy *tenancy, struct tenancy_ask *ask)
{
	*d = (struct draft){.tenancy = tenancy, .ask = ask, .shape = &tenant_shapes[ask->kind]};
	config_memory_init(&d->memory, SCRATCH_BYTES_MAX);
	config_report_init(&d->report, &d->memory);
	d->document.memory = &d->memory;
	d->document.report = &d->report;
}

void draft_close(struct draft *d)
{
	config_memory_fini(&d->memory);
	explicit_bzero(d, sizeof(*d));
}

bool draft_refuse(struct draft *d, unsigned status, struct slice code, const char *param, const char *format, ...)
{
	char message[TENANCY_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	tenancy_refuse(d->ask, status, code, param, "%s", message);
	return false;
}

bool draft_refuse_memory(struct draft *d)
{
	return draft_refuse(d, 503, SLICE("out_of_memory"), NULL,
		"The gateway is out of memory. Nothing was changed; try again in a moment.");
}

static void take_first(void *context, unsigned line, unsigned column, const char *message)
{
	struct draft *d = context;
	const char *path = line <= d->document.count ? d->document.paths[line] : "";
	bool unknown = strncmp(message, "unknown field", 13) == 0;

	(void)column;
	if (!d->ask->code.data)
		draft_refuse(d, 400, unknown ? SLICE("unknown_field") : SLICE("invalid_value"), path, "%s", message);
}

bool draft_is_sound(struct draft *d)
{
	if (d->memory.failed)
		return draft_refuse_memory(d);
	config_report_tell(&d->report, take_first, d);
	return d->report.count == 0;
}

static struct config_node *parse_body(struct draft *d)
{
	struct json_error error;
	struct config_node *tree;
	int rc;

	if (d->ask->body.size == 0) {
		draft_refuse(d, 400, SLICE("invalid_json"), NULL, "Send a JSON object.");
		return NULL;
	}
	rc = json_parse(d->tenancy->json, d->ask->body, &error);
	if (rc == -EINVAL)
		draft_refuse(d, 400, SLICE("invalid_json"), NULL, "The body is not valid JSON, at byte %zu: %s",
			error.offset, error.message);
	else if (rc < 0)
		draft_refuse_memory(d);
	if (rc < 0)
		return NULL;
	tree = json_config_read(&d->document, d->tenancy->json, 0);
	if (!draft_is_sound(d))
		return NULL;
	if (!tree) {
		draft_refuse_memory(d);
		return NULL;
	}
	if (tree->kind == CONFIG_MAP)
		return tree;
	draft_refuse(d, 400, SLICE("invalid_type"), NULL, "Send a JSON object.");
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
			return draft_is_sound(d) && draft_refuse_memory(d);
		snprintf(param, sizeof(param), "limits.%s", names[i]);
		if (config_member(budget, names[i]))
			return draft_refuse(d, 400, SLICE("invalid_value"), param,
				"%s is given among the limits and in budget (expected once)", names[i]);
		json_config_put(budget, entry);
	}
	return true;
}

struct config_node *draft_read_body(struct draft *d)
{
	struct config_node *tree = parse_body(d);

	return tree && respell(d, tree) ? tree : NULL;
}

bool draft_set_text(struct draft *d, struct config_node *body, const char *name, struct slice text)
{
	const struct config_node *given = config_member(body, name);
	struct config_node *made;
	const char *copy;

	if (!config_is_null(given))
		return (given->kind == CONFIG_SCALAR && slice_equal(given->text, text)) ||
		       draft_refuse(d, 400, SLICE("invalid_value"), name, "%s: the path names another", name);
	json_config_take(body, name);
	made = json_config_add_map(&d->document, body, name);
	copy = config_copy(&d->memory, text);
	if (!made || !copy)
		return draft_is_sound(d) && draft_refuse_memory(d);
	*made = (struct config_node){
		.kind = CONFIG_SCALAR, .line = made->line, .text = slice_of(copy, text.size), .weight = 1};
	return true;
}

static bool has_required(struct draft *d, const struct config_node *tree)
{
	for (unsigned i = 0; i < d->shape->schema->count; i++) {
		const struct schema_field *field = &d->shape->schema->fields[i];

		if (field->required && config_is_null(config_member(tree, field->name)))
			return draft_refuse(d, 400, SLICE("missing_field"), field->name,
				"\"%s\" is missing (it is required)", field->name);
	}
	return true;
}

struct tenant *draft_read_tenant(struct draft *d, const struct config_node *tree)
{
	struct tenant *tenant;

	if (!has_required(d, tree))
		return NULL;
	tenant = tenant_read(d->ask->kind, tree, &d->document);
	if (!tenant)
		draft_refuse_memory(d);
	else if (!draft_is_sound(d))
		tenant_give(&tenant);
	return tenant;
}

/* ---- what no single field shows ---- */

static bool check_workspace(struct draft *d, const char *workspace)
{
	return tenant_item_find(draft_settings(d), TENANT_WORKSPACE, slice_of_string(workspace)) ||
	       draft_refuse(d, 400, SLICE("invalid_value"), "workspace", "workspace: there is no workspace \"%s\"",
		       workspace);
}

static bool check_expiry(struct draft *d, uint64_t expires_ns, uint64_t before_ns)
{
	return !expires_ns || expires_ns == before_ns || expires_ns > tenancy_wall_ns(d->tenancy) ||
	       draft_refuse(d, 400, SLICE("invalid_value"), "expires_at",
		       "expires_at lies in the past (expected a time to come, or null)");
}

static bool check_key(struct draft *d, const struct key_settings *key, const struct key_settings *before)
{
	const struct team_settings *team;

	if (!check_workspace(d, key->workspace) ||
		!check_expiry(d, key->expires_at_ns, before ? before->expires_at_ns : 0))
		return false;
	if (!key->team)
		return true;
	team = tenant_item_find(draft_settings(d), TENANT_TEAM, slice_of_string(key->team));
	if (!team)
		return draft_refuse(d, 400, SLICE("invalid_value"), "team", "team: there is no team \"%s\"", key->team);
	return strcmp(team->workspace, key->workspace) == 0 ||
	       draft_refuse(d, 400, SLICE("invalid_value"), "team",
		       "team: team %s belongs to workspace %s (expected one of workspace %s)", key->team,
		       team->workspace, key->workspace);
}

static bool check_workspace_fields(struct draft *d, const struct workspace_settings *workspace)
{
	const struct settings *settings = draft_settings(d);
	bool found = false;

	for (unsigned i = 0; i < settings->plan_count; i++)
		found = found || strcmp(settings->plans[i].id, workspace->plan) == 0;
	if (!found)
		return draft_refuse(
			d, 400, SLICE("invalid_value"), "plan", "plan: there is no plan \"%s\"", workspace->plan);
	found = !workspace->residency;
	for (unsigned i = 0; i < settings->provider_count && !found; i++)
		found = settings->providers[i].region &&
			strcmp(settings->providers[i].region, workspace->residency) == 0;
	return found || draft_refuse(d, 400, SLICE("invalid_value"), "residency",
				"residency: no provider has the region \"%s\": nothing could serve this workspace",
				workspace->residency);
}

/* NULL: there is none of that name. */
static const struct provider_settings *find_provider(const struct draft *d, const char *name)
{
	const struct settings *settings = draft_settings(d);

	for (unsigned i = 0; i < settings->provider_count; i++)
		if (strcmp(settings->providers[i].name, name) == 0)
			return &settings->providers[i];
	return NULL;
}

static bool check_connection(struct draft *d, const struct connection_settings *connection)
{
	if (!find_provider(d, connection->provider))
		return draft_refuse(d, 400, SLICE("invalid_value"), "provider", "provider: there is no provider \"%s\"",
			connection->provider);
	return check_workspace(d, connection->workspace);
}

/* A complaint names the endpoint's field where one endpoint alone was sent. */
static bool check_project(struct draft *d, const struct tenant *tenant)
{
	const struct project_settings *project = &tenant->item.project;
	const char *twice = settings_same_slug(project);
	bool one = d->ask->part.size;
	struct endpoint_complaint complaint;

	if (!check_workspace(d, project->workspace))
		return false;
	if (twice)
		return draft_refuse(d, 400, SLICE("invalid_value"), "endpoints",
			"endpoints: slug \"%s\" is there twice (expected another)", twice);
	if (project->endpoint_count > PROJECT_ENDPOINTS_MAX)
		return draft_refuse(d, 409, SLICE("too_many"), one ? NULL : "endpoints",
			"A project has at most %d endpoints: use another project.", PROJECT_ENDPOINTS_MAX);
	for (unsigned i = 0; i < project->endpoint_count; i++)
		if (!settings_check_endpoint(draft_settings(d), &project->endpoints[i], &complaint))
			return draft_refuse(d, 400, SLICE("invalid_value"), one ? complaint.member : "endpoints",
				"%s: %s", complaint.member, complaint.message);
	return tenant_fits(tenant) ||
	       draft_refuse(d, 409, SLICE("too_large"), one ? NULL : "endpoints",
		       "A project with all of its endpoints takes at most %d bytes: use another project.",
		       TENANT_ROW_BYTES_MAX);
}

bool draft_check_connection(struct draft *d, const struct connection_settings *connection)
{
	const struct provider_settings *provider = find_provider(d, connection->provider);
	struct connection_problem problem = connection_check(connection, provider->kind);

	return !problem.param || draft_refuse(d, 400, problem.missing ? SLICE("missing_field") : SLICE("invalid_value"),
					 problem.param, "%s", problem.message);
}

bool draft_check(struct draft *d, const struct tenant *tenant, const void *before)
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
	case TENANT_CONNECTION:
		return check_connection(d, &tenant->item.connection);
	case TENANT_PROJECT:
		return check_project(d, tenant);
	case TENANT_KINDS:
		break;
	}
	assert(false);
	return false;
}

/* Receipts and counters name a key's workspace, its secret tells its environment, and others refer to ids. */
bool draft_check_unchanged(struct draft *d, const struct tenant *tenant, const void *before)
{
	const struct tenant_shape *shape = d->shape;
	const char *param = NULL;

	if (shape->param_id && !draft_same_text(shape->id_of(&tenant->item), shape->id_of(before)))
		param = "id";
	else if (tenant->kind != TENANT_WORKSPACE && shape->workspace_of &&
		 !draft_same_text(shape->workspace_of(&tenant->item), shape->workspace_of(before)))
		param = "workspace";
	else if (tenant->kind == TENANT_KEY &&
		 !draft_same_text(tenant->item.key.environment, ((const struct key_settings *)before)->environment))
		param = "environment";
	else if (tenant->kind == TENANT_CONNECTION && !draft_same_text(tenant->item.connection.provider,
							      ((const struct connection_settings *)before)->provider))
		param = "provider";
	return !param || draft_refuse(d, 400, SLICE("immutable_field"), param, "%s cannot change (expected another %s)",
				 param, shape->name);
}

/* The first that would be left without it. */
bool draft_is_used(struct draft *d, const char *id)
{
	const struct settings *settings = draft_settings(d);
	bool team = d->ask->kind == TENANT_TEAM;

	for (unsigned i = 0; i < settings->key_count; i++) {
		const struct key_settings *key = &settings->keys[i];

		if (!key->revoked_at_ns && draft_same_text(team ? key->team : key->workspace, id))
			return !draft_refuse(d, 409, SLICE("in_use"), NULL,
				"Key %s belongs to this %s: revoke it first.", key->id, d->shape->name);
	}
	for (unsigned i = 0; !team && i < settings->team_count; i++)
		if (draft_same_text(settings->teams[i].workspace, id))
			return !draft_refuse(d, 409, SLICE("in_use"), NULL,
				"Team %s belongs to this workspace: remove it first.", settings->teams[i].id);
	for (unsigned i = 0; !team && i < settings->connection_count; i++)
		if (draft_same_text(settings->connections[i].workspace, id))
			return !draft_refuse(d, 409, SLICE("in_use"), NULL,
				"Connection %s belongs to this workspace: remove it first.",
				settings->connections[i].id);
	for (unsigned i = 0; !team && i < settings->project_count; i++)
		if (draft_same_text(settings->projects[i].workspace, id))
			return !draft_refuse(d, 409, SLICE("in_use"), NULL,
				"Project %s belongs to this workspace: remove it first.", settings->projects[i].id);
	return false;
}
