/* See stored_routing.h. */
#include "route/tenancy/stored_routing.h"

#include "core/config_json.h"
#include "core/schema.h"
#include "route/settings/settings_tables.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	MEMORY_BYTES_MAX = 16 << 20, /* twice a draft's: what was stored is read again */
	ROWS_MAX = 32                /* bits of a set of rows */
};

struct stored_routing {
	_Atomic uint32_t references;
	struct config_memory memory;
	uint32_t given; /* rows */
	const char *json;
	struct settings values; /* of which the rows given are filled in */
};

int stored_routing_row(struct slice name)
{
	for (unsigned i = 0; i < routing_schema.count; i++)
		if (slice_equal(slice_of_string(routing_schema.fields[i].name), name))
			return (int)i;
	return -1;
}

/* The breakers are the fleet's, which changes with the file alone; rules are checked as it is read. */
bool stored_routing_may_change(int row)
{
	static const char *const fixed[] = {"breaker", "rules"};

	assert(row >= 0 && (unsigned)row < routing_schema.count);
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strcmp(routing_schema.fields[row].name, fixed[i]) == 0)
			return false;
	return true;
}

static void read_values(struct stored_routing *routing, const struct config_node *tree, struct json_config *document)
{
	struct config_report warnings;
	struct schema_walk walk = {
		.memory = &routing->memory, .errors = document->report, .warnings = &warnings, .typed = true};
	struct schema_field fields[ROWS_MAX];
	struct schema schema = {.fields = fields};

	assert(routing_schema.count <= ROWS_MAX);
	config_report_init(&warnings, document->memory);
	for (unsigned i = 0; i < routing_schema.count; i++) {
		const struct schema_field *field = &routing_schema.fields[i];

		if (!stored_routing_may_change((int)i))
			continue;
		fields[schema.count++] = *field;
		if (!config_is_null(config_member(tree, field->name)))
			routing->given |= UINT32_C(1) << i;
	}
	schema_read(&walk, &schema, tree, tree, &routing->values);
}

struct stored_routing *stored_routing_read(const struct config_node *tree, struct json_config *document)
{
	struct stored_routing *routing = calloc(1, sizeof(*routing));

	if (!routing)
		return NULL;
	routing->references = 1;
	config_memory_init(&routing->memory, MEMORY_BYTES_MAX);
	read_values(routing, tree, document);
	routing->json = config_print_json(tree, &routing->memory);
	if (routing->memory.failed)
		stored_routing_give(&routing);
	return routing;
}

struct slice stored_routing_row_of(const struct stored_routing *routing)
{
	return routing ? slice_of_string(routing->json) : SLICE("{}");
}

struct stored_routing *stored_routing_read_row(struct json_parser *json, struct slice row)
{
	struct json_config *document = calloc(1, sizeof(*document));
	struct stored_routing *routing = NULL;
	struct config_node *tree = NULL;
	struct config_memory scratch;
	struct config_report report;
	struct json_error error;

	if (!document)
		return NULL;
	config_memory_init(&scratch, MEMORY_BYTES_MAX);
	config_report_init(&report, &scratch);
	document->memory = &scratch;
	document->report = &report;
	if (json_parse(json, row, &error) == 0)
		tree = json_config_read(document, json, 0);
	if (tree)
		routing = stored_routing_read(tree, document);
	if (report.count || scratch.failed)
		stored_routing_give(&routing);
	config_memory_fini(&scratch);
	free(document);
	return routing;
}

/* A part's offsets are those of its members, in the settings. */
static void copy_field(const struct schema_field *field, const struct settings *from, struct settings *to)
{
	if (field->type != SCHEMA_OBJECT) {
		assert(field->size && !field->count_offset);
		memcpy((char *)to + field->offset, (const char *)from + field->offset, field->size);
		return;
	}
	assert(field->offset == 0);
	for (unsigned i = 0; i < field->object->count; i++)
		copy_field(&field->object->fields[i], from, to);
}

void stored_routing_apply(const struct stored_routing *routing, struct settings *settings)
{
	uint32_t rows = routing ? routing->given & ~settings->routing.declared : 0;

	for (unsigned i = 0; i < routing_schema.count; i++)
		if (rows >> i & 1)
			copy_field(&routing_schema.fields[i], &routing->values, settings);
}

struct stored_routing *stored_routing_borrow(struct stored_routing *routing)
{
	if (routing)
		atomic_fetch_add_explicit(&routing->references, 1, memory_order_relaxed);
	return routing;
}

void stored_routing_give(struct stored_routing **routing)
{
	struct stored_routing *r = *routing;

	*routing = NULL;
	if (!r || atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1)
		return;
	config_memory_fini(&r->memory);
	free(r);
}

void stored_routing_print(const struct settings *settings, struct text *json)
{
	text_literal(json, "{\"object\":\"routing\",");
	schema_print_members(&routing_schema, settings, json);
	text_literal(json, "}\n");
}
