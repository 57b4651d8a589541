/* Checks of what the admin API changes as well: projects and their endpoints, and what routing refers to. */
#include "route/settings/settings_load.h"
#include "route/settings/settings_tables.h"

#include "core/nearest.h"
#include "core/text.h"
#include "proto/json/json_schema.h"

#include <stdio.h>
#include <stdlib.h>

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* "BEFORE/AFTER". */
static bool same_pair(const char *name, const char *before, const char *after)
{
	size_t bytes = before && after ? strlen(before) : 0;

	return bytes && strncmp(name, before, bytes) == 0 && name[bytes] == '/' && strcmp(name + bytes + 1, after) == 0;
}

static bool names_model(const struct settings *settings, const struct model_settings *model, const char *name)
{
	if (same(name, model->id) || (model->hosted && same_pair(name, "pr", model->slug)))
		return true;
	for (unsigned i = 0; i < model->aliases.count; i++)
		if (same(name, model->aliases.list[i]))
			return true;
	for (unsigned i = 0; i < model->deployment_count; i++)
		if (model->deployments[i].provider < settings->provider_count &&
			same_pair(name, settings->providers[model->deployments[i].provider].name,
				model->deployments[i].upstream_model))
			return true;
	return false;
}

/* Complains of a model that no request could name either; `auto` is not one. */
static bool refer_one_model(const struct settings *settings, const char *name, struct endpoint_complaint *complaint)
{
	struct nearest nearest;

	nearest_begin(&nearest, slice_of_string(name));
	for (unsigned i = 0; i < settings->model_count; i++) {
		if (names_model(settings, &settings->models[i], name))
			return true;
		if (settings->models[i].id)
			nearest_offer(&nearest, settings->models[i].id);
	}
	snprintf(complaint->message, sizeof(complaint->message), "there is no model \"%.128s\" (%s%.128s%s)", name,
		nearest.best ? "did you mean \"" : "expected one that is declared", nearest.best ? nearest.best : "",
		nearest.best ? "\"?" : "");
	return false;
}

static bool refer_model(const struct settings *settings, const char *name, struct endpoint_complaint *complaint)
{
	return !name || same(name, "auto") || refer_one_model(settings, name, complaint);
}

static bool refer_provider(const struct settings *settings, const char *name, struct endpoint_complaint *complaint)
{
	for (unsigned i = 0; i < settings->provider_count; i++)
		if (same(settings->providers[i].name, name))
			return true;
	snprintf(complaint->message, sizeof(complaint->message),
		"there is no provider \"%.128s\" (expected one that is declared)", name);
	return false;
}

typedef bool refer_one(const struct settings *settings, const char *name, struct endpoint_complaint *complaint);

static bool refer_each(const struct settings *settings, const struct strings *names, refer_one *refer,
	struct endpoint_complaint *complaint)
{
	for (unsigned i = 0; i < names->count; i++)
		if (!refer(settings, names->list[i], complaint))
			return false;
	return true;
}

static bool refer_credential(const struct settings *settings, const char *name, struct endpoint_complaint *complaint)
{
	for (unsigned i = 0; i < settings->provider_count; i++)
		for (unsigned k = 0; k < settings->providers[i].credential_count; k++)
			if (!settings->providers[i].credentials[k].workspace &&
				same_pair(
					name, settings->providers[i].name, settings->providers[i].credentials[k].name))
				return true;
	snprintf(complaint->message, sizeof(complaint->message),
		"there is no credential \"%.128s\" (expected PROVIDER/CREDENTIAL of one that is declared)", name);
	return false;
}

static bool check_schema(const char *document, const char *member, struct endpoint_complaint *complaint)
{
	char memory[192];
	struct text why = text_over(memory, sizeof(memory));
	struct json_schema *schema = document ? json_schema_make(slice_of_string(document), &why) : NULL;

	complaint->member = member;
	if (document && !schema)
		snprintf(complaint->message, sizeof(complaint->message), "%s: %.*s", member, (int)why.size, why.data);
	json_schema_free(schema);
	return !document || schema;
}

bool settings_check_endpoint(
	const struct settings *settings, const struct endpoint_settings *endpoint, struct endpoint_complaint *complaint)
{
	complaint->member = "model";
	if (!refer_model(settings, endpoint->model, complaint))
		return false;
	if (!check_schema(endpoint->input_schema, "input_schema", complaint) ||
		!check_schema(endpoint->output_schema, "output_schema", complaint))
		return false;
	complaint->member = "failover";
	for (unsigned i = 0; i < endpoint->failover.count; i++)
		if (!refer_credential(settings, endpoint->failover.list[i], complaint))
			return false;
	complaint->member = "rules";
	for (unsigned i = 0; i < endpoint->rule_count; i++)
		if (!refer_model(settings, endpoint->rules[i].use_model, complaint))
			return false;
	return true;
}

static bool check_routing_row(const struct settings *settings, const char *name, struct endpoint_complaint *complaint)
{
	complaint->member = name;
	if (same(name, "default_model"))
		return refer_model(settings, settings->routing.default_model, complaint);
	if (same(name, "fallback_chain"))
		return refer_each(settings, &settings->routing.fallback_chain, refer_one_model, complaint);
	if (same(name, "allowed_providers"))
		return refer_each(settings, &settings->routing.more.allowed_providers, refer_provider, complaint);
	return !same(name, "blocked_providers") ||
	       refer_each(settings, &settings->routing.more.blocked_providers, refer_provider, complaint);
}

bool settings_check_routing(const struct settings *settings, uint32_t rows, struct endpoint_complaint *complaint)
{
	for (unsigned i = 0; i < routing_schema.count; i++)
		if ((rows >> i & 1) && !check_routing_row(settings, routing_schema.fields[i].name, complaint))
			return false;
	return true;
}

const char *settings_same_slug(const struct project_settings *project)
{
	for (unsigned i = 0; i < project->endpoint_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (same(project->endpoints[i].slug, project->endpoints[k].slug))
				return project->endpoints[i].slug;
	return NULL;
}

/* A text instead of a schema is the name of a file that holds one. */
static void read_schema(struct settings_load *load, char **schema, const struct config_node *node, const char *member)
{
	const struct config_node *name = config_member(node, member);
	char *content = NULL;
	size_t size = 0;
	int rc;

	if (!*schema || (*schema)[0] != '"' || !name || name->kind != CONFIG_SCALAR)
		return;
	rc = settings_read_file(name->text.data, &content, &size);
	if (rc < 0) {
		settings_error(
			load, node, member, "the file %.128s cannot be read: %s", name->text.data, strerror(-rc));
		*schema = NULL;
	} else {
		*schema = config_copy(load->walk.memory, slice_of(content, size));
	}
	free(content);
}

static void check_project(struct settings_load *load, struct project_settings *project, const struct config_node *node)
{
	const struct config_node *list = config_member(node, "endpoints");
	const struct config_entry *entry = list && list->kind == CONFIG_LIST ? list->first : NULL;
	const char *twice = settings_same_slug(project);
	struct endpoint_complaint complaint;

	if (twice)
		settings_error(load, list, NULL, "slug \"%.128s\" is there twice (expected another)", twice);
	for (unsigned i = 0; i < project->endpoint_count; i++, entry = entry ? entry->next : NULL) {
		read_schema(load, &project->endpoints[i].input_schema, entry ? entry->value : NULL, "input_schema");
		read_schema(load, &project->endpoints[i].output_schema, entry ? entry->value : NULL, "output_schema");
		if (!settings_check_endpoint(load->settings, &project->endpoints[i], &complaint))
			settings_error(load, entry ? entry->value : node, complaint.member, "%s", complaint.message);
	}
}

void settings_check_projects(struct settings_load *load)
{
	const struct config_entry *entry = settings_entries(load, "projects");

	for (unsigned i = 0; i < load->settings->project_count; i++, entry = entry ? entry->next : NULL)
		check_project(load, &load->settings->projects[i], entry ? entry->value : load->root);
}
