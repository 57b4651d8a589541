/* Keys, teams, workspaces and tokens as rows and as JSON: see tenant.h. */
#include "route/tenancy/tenant.h"

#include "core/buffer.h"
#include "core/rand.h"
#include "core/ulid.h"
#include "route/settings/settings_tables.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
	MEMORY_BYTES_MAX = 16 << 20, /* twice that of a draft: what was stored can be read again */
	SECRET_SHOWN_BYTES = 4
};

static const char *key_id(const void *item)
{
	return ((const struct key_settings *)item)->id;
}

static const char *key_workspace(const void *item)
{
	return ((const struct key_settings *)item)->workspace;
}

static const char *team_id(const void *item)
{
	return ((const struct team_settings *)item)->id;
}

static const char *team_workspace(const void *item)
{
	return ((const struct team_settings *)item)->workspace;
}

static const char *workspace_id(const void *item)
{
	return ((const struct workspace_settings *)item)->id;
}

static const char *connection_id(const void *item)
{
	return ((const struct connection_settings *)item)->id;
}

static const char *connection_workspace(const void *item)
{
	return ((const struct connection_settings *)item)->workspace;
}

static const char *token_id(const void *item)
{
	return ((const struct admin_token_settings *)item)->id;
}

static const char *project_id(const void *item)
{
	return ((const struct project_settings *)item)->id;
}

static const char *project_workspace(const void *item)
{
	return ((const struct project_settings *)item)->workspace;
}

const struct tenant_shape tenant_shapes[TENANT_KINDS] = {
	[TENANT_KEY] = {.name = "key",
		.id_prefix = "vk_",
		.table = RECORDS_KEYS,
		.schema = &key_admin_schema,
		.input = &key_admin_schema,
		.item_bytes = sizeof(struct key_settings),
		.list_at = offsetof(struct settings, keys),
		.count_at = offsetof(struct settings, key_count),
		.id_of = key_id,
		.workspace_of = key_workspace},
	[TENANT_TEAM] = {.name = "team",
		.param_id = "id",
		.table = RECORDS_TEAMS,
		.schema = &team_schema,
		.input = &team_schema,
		.item_bytes = sizeof(struct team_settings),
		.list_at = offsetof(struct settings, teams),
		.count_at = offsetof(struct settings, team_count),
		.id_of = team_id,
		.workspace_of = team_workspace},
	[TENANT_WORKSPACE] = {.name = "workspace",
		.param_id = "id",
		.table = RECORDS_WORKSPACES,
		.schema = &workspace_schema,
		.input = &workspace_schema,
		.item_bytes = sizeof(struct workspace_settings),
		.list_at = offsetof(struct settings, workspaces),
		.count_at = offsetof(struct settings, workspace_count),
		.id_of = workspace_id,
		.workspace_of = workspace_id},
	[TENANT_TOKEN] = {.name = "token",
		.id_prefix = "tok_",
		.table = RECORDS_TOKENS,
		.schema = &token_schema,
		.input = &token_schema,
		.item_bytes = sizeof(struct admin_token_settings),
		.list_at = offsetof(struct settings, admin_tokens),
		.count_at = offsetof(struct settings, admin_token_count),
		.id_of = token_id},
	[TENANT_CONNECTION] = {.name = "connection",
		.id_prefix = "conn_",
		.table = RECORDS_CONNECTIONS,
		.schema = &connection_schema,
		.input = &connection_input_schema,
		.item_bytes = sizeof(struct connection_settings),
		.list_at = offsetof(struct settings, connections),
		.count_at = offsetof(struct settings, connection_count),
		.id_of = connection_id,
		.workspace_of = connection_workspace},
	[TENANT_PROJECT] = {.name = "project",
		.param_id = "id",
		.table = RECORDS_PROJECTS,
		.schema = &project_schema,
		.input = &project_schema,
		.item_bytes = sizeof(struct project_settings),
		.list_at = offsetof(struct settings, projects),
		.count_at = offsetof(struct settings, project_count),
		.id_of = project_id,
		.workspace_of = project_workspace},
};

const void *tenant_item_find(const struct settings *settings, enum tenant_kind kind, struct slice id)
{
	unsigned count = tenant_count_of(settings, kind);

	for (unsigned i = 0; i < count; i++) {
		const void *item = tenant_item_of(settings, kind, i);

		if (slice_equal(slice_of_string(tenant_shapes[kind].id_of(item)), id))
			return item;
	}
	return NULL;
}

struct tenant *tenant_read(enum tenant_kind kind, const struct config_node *tree, struct json_config *document)
{
	struct tenant *tenant = calloc(1, sizeof(*tenant));
	struct config_report warnings;
	struct schema_walk walk = {.errors = document->report, .warnings = &warnings, .typed = true};

	if (!tenant)
		return NULL;
	config_report_init(&warnings, document->memory);
	config_memory_init(&tenant->memory, MEMORY_BYTES_MAX);
	tenant->kind = kind;
	tenant->references = 1;
	walk.memory = &tenant->memory;
	schema_read(&walk, tenant_shapes[kind].input, tree, tree, &tenant->item);
	if (tenant->memory.failed)
		tenant_give(&tenant);
	return tenant;
}

void tenant_settle(struct tenant *tenant)
{
	struct key_settings *key = &tenant->item.key;
	struct admin_token_settings *token = &tenant->item.token;
	struct connection_settings *connection = &tenant->item.connection;

	if (tenant->kind == TENANT_KEY) {
		assert(strlen(tenant->id) < sizeof(key->id));
		memcpy(key->id, tenant->id, strlen(tenant->id) + 1);
		memcpy(key->secret_sha256, tenant->meta.secret_sha256, sizeof(key->secret_sha256));
		memcpy(key->previous_sha256, tenant->meta.previous_sha256, sizeof(key->previous_sha256));
		key->previous_until_ns = tenant->meta.previous_until_ns;
		key->revoked_at_ns = tenant->meta.revoked_ns;
	} else if (tenant->kind == TENANT_TOKEN) {
		assert(strlen(tenant->id) < sizeof(token->id));
		memcpy(token->id, tenant->id, strlen(tenant->id) + 1);
		memcpy(token->secret_sha256, tenant->meta.secret_sha256, sizeof(token->secret_sha256));
	} else if (tenant->kind == TENANT_CONNECTION) {
		assert(strlen(tenant->id) < sizeof(connection->id));
		memcpy(connection->id, tenant->id, strlen(tenant->id) + 1);
	}
}

struct tenant *tenant_borrow(struct tenant *tenant)
{
	atomic_fetch_add_explicit(&tenant->references, 1, memory_order_relaxed);
	return tenant;
}

void tenant_give(struct tenant **tenant)
{
	struct tenant *t = *tenant;

	*tenant = NULL;
	if (!t || atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) != 1)
		return;
	config_memory_fini(&t->memory);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

/* ---- rows ---- */

#define ROW_TIME(n, m)                                                                                                 \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_INTEGER, MEMBER(struct tenant_meta, m), .max = INT64_MAX, .fallback = "0"  \
	}
#define ROW_SHA256(n, m)                                                                                               \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_PARSED, MEMBER(struct tenant_meta, m), .parse = parse_sha256_hex,          \
		.print = print_sha256, .expected = EXPECTED_SHA256, .secret = true                                     \
	}

static const struct schema_field meta_fields[] = {
	ROW_TIME("created_ns", created_ns),
	ROW_TIME("updated_ns", updated_ns),
	ROW_TIME("revoked_ns", revoked_ns),
	ROW_TIME("previous_until_ns", previous_until_ns),
	ROW_SHA256("secret_sha256", secret_sha256),
	ROW_SHA256("previous_sha256", previous_sha256),
	ROW_TEXT("secret_prefix", struct tenant_meta, secret_prefix),
};
static const struct schema meta_schema = SCHEMA(meta_fields);

void tenant_print_row(const struct tenant *tenant, struct text *json)
{
	text_literal(json, "{\"meta\":{");
	schema_print_members(&meta_schema, &tenant->meta, json);
	text_literal(json, "},\"settings\":{");
	schema_print_members(tenant_shapes[tenant->kind].schema, &tenant->item, json);
	text_literal(json, "}}");
}

bool tenant_fits(const struct tenant *tenant)
{
	struct text row = text_over(malloc(TENANT_ROW_BYTES_MAX), TENANT_ROW_BYTES_MAX);
	bool fits;

	if (row.data)
		tenant_print_row(tenant, &row);
	fits = row.data && !row.full;
	free(row.data);
	return fits;
}

static struct tenant *read_row(enum tenant_kind kind, const struct config_node *tree, struct json_config *document)
{
	const struct config_node *settings = config_member(tree, "settings"), *meta = config_member(tree, "meta");
	struct tenant *tenant = settings && meta ? tenant_read(kind, settings, document) : NULL;
	struct schema_walk walk = {.errors = document->report, .warnings = document->report, .typed = true};

	if (!tenant)
		return NULL;
	walk.memory = &tenant->memory;
	schema_read(&walk, &meta_schema, meta, tree, &tenant->meta);
	if (document->report->count || document->memory->failed || tenant->memory.failed)
		tenant_give(&tenant);
	return tenant;
}

/* A row has BUFFER_PADDING_BYTES behind it, as the parser wants. */
static struct config_node *parse(struct json_parser *json, struct slice row, struct json_config *document)
{
	struct json_error error;

	return json_parse(json, row, &error) == 0 ? json_config_read(document, json, 0) : NULL;
}

struct tenant *tenant_read_row(enum tenant_kind kind, struct slice id, struct json_parser *json, struct slice row)
{
	struct json_config *document = calloc(1, sizeof(*document));
	struct config_memory scratch;
	struct config_report report;
	struct config_node *tree;
	struct tenant *tenant = NULL;

	if (!document || id.size > TENANT_ID_BYTES_MAX) {
		free(document);
		return NULL;
	}
	config_memory_init(&scratch, MEMORY_BYTES_MAX);
	config_report_init(&report, &scratch);
	document->memory = &scratch;
	document->report = &report;
	tree = parse(json, row, document);
	if (tree)
		tenant = read_row(kind, tree, document);
	if (tenant) {
		memcpy(tenant->id, id.data, id.size);
		tenant_settle(tenant);
	}
	config_memory_fini(&scratch);
	free(document);
	return tenant;
}

struct config_node *tenant_tree(
	enum tenant_kind kind, const void *item, struct json_parser *json, struct json_config *document)
{
	struct text row = text_over(malloc(TENANT_ROW_BYTES_MAX + BUFFER_PADDING_BYTES), TENANT_ROW_BYTES_MAX);
	struct config_node *tree = NULL;

	if (!row.data)
		return NULL;
	text_char(&row, '{');
	schema_print_members(tenant_shapes[kind].schema, item, &row);
	text_char(&row, '}');
	memset(row.data + row.size, 0, BUFFER_PADDING_BYTES);
	if (!row.full)
		tree = parse(json, text_slice(&row), document);
	free(row.data);
	return tree;
}

struct tenant *tenant_copy(const struct tenant *tenant, struct json_parser *json)
{
	struct text row = text_over(malloc(TENANT_ROW_BYTES_MAX + BUFFER_PADDING_BYTES), TENANT_ROW_BYTES_MAX);
	struct tenant *copy = NULL;

	if (!row.data)
		return NULL;
	tenant_print_row(tenant, &row);
	memset(row.data + row.size, 0, BUFFER_PADDING_BYTES);
	if (!row.full)
		copy = tenant_read_row(tenant->kind, slice_of_string(tenant->id), json, text_slice(&row));
	free(row.data);
	return copy;
}

/* ---- as people see them ---- */

static void print_time(struct text *json, struct slice name, uint64_t wall_ns)
{
	text_add(json, name);
	print_time_or_null(&wall_ns, json);
}

const char *tenant_key_status(const struct key_settings *key, uint64_t wall_ns)
{
	if (key->revoked_at_ns)
		return "revoked";
	if (key->disabled)
		return "disabled";
	return key->expires_at_ns && key->expires_at_ns <= wall_ns ? "expired" : "active";
}

static void print_key(const struct key_settings *key, const struct tenant *tenant, uint64_t wall_ns, struct text *json)
{
	text_literal(json, "\"status\":\"");
	text_string(json, tenant_key_status(key, wall_ns));
	text_literal(json, "\",\"secret_prefix\":");
	text_json_or_null(json, slice_of_string(tenant ? tenant->meta.secret_prefix : NULL));
	print_time(json, SLICE(",\"previous_secret_until\":"), key->previous_until_ns);
	print_time(json, SLICE(",\"revoked_at\":"), key->revoked_at_ns);
	text_char(json, ',');
}

void tenant_print(
	enum tenant_kind kind, const void *item, const struct tenant *tenant, uint64_t wall_ns, struct text *json)
{
	const struct tenant_shape *shape = &tenant_shapes[kind];

	if (!shape->param_id) {
		text_literal(json, "\"id\":");
		text_json(json, slice_of_string(shape->id_of(item)));
		text_char(json, ',');
	}
	text_literal(json, "\"object\":\"");
	text_string(json, shape->name);
	text_literal(json, "\",\"declared\":");
	text_add(json, tenant ? SLICE("false") : SLICE("true"));
	print_time(json, SLICE(",\"created_at\":"), tenant ? tenant->meta.created_ns : 0);
	print_time(json, SLICE(",\"updated_at\":"), tenant ? tenant->meta.updated_ns : 0);
	text_char(json, ',');
	if (kind == TENANT_KEY)
		print_key(item, tenant, wall_ns, json);
	if (kind == TENANT_TOKEN) {
		text_literal(json, "\"secret_prefix\":");
		text_json_or_null(json, slice_of_string(tenant ? tenant->meta.secret_prefix : NULL));
		text_char(json, ',');
	}
	schema_print_members(shape->schema, item, json);
}

/* ---- secrets ---- */

/* Contract, section 3: what a key is for. */
static const char *prefix_of(const struct tenant *tenant)
{
	const struct key_settings *key = &tenant->item.key;

	if (tenant->kind == TENANT_TOKEN)
		return "gw_admin_";
	if (key->scopes == SCOPE_ENDPOINTS)
		return "pg_live_";
	if (!key->environment)
		return "gw_virt_";
	return strcmp(key->environment, "prod") == 0 ? "llm_gw_prod_" : "llm_gw_dev_";
}

/* RFC 4648, base64url: 32 bytes are 43 characters, and the last two bits of the last are 0. */
size_t tenant_make_secret(const struct tenant *tenant, char secret[static TENANT_SECRET_BYTES_MAX])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct text text = text_over(secret, TENANT_SECRET_BYTES_MAX);
	uint8_t bytes[33] = {0};

	rand_system(bytes, 32);
	text_string(&text, prefix_of(tenant));
	for (unsigned i = 0; i < 33; i += 3) {
		unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];

		for (unsigned j = 0; j < (i == 30 ? 3u : 4u); j++)
			text_char(&text, letters[group >> (18 - 6 * j) & 63]);
	}
	explicit_bzero(bytes, sizeof(bytes));
	assert(!text.full);
	return text.size;
}

int tenant_set_secret(struct tenant *tenant, struct slice secret)
{
	size_t shown = strlen(prefix_of(tenant)) + SECRET_SHOWN_BYTES;

	tenant->meta.secret_prefix = config_copy(&tenant->memory, slice_of(secret.data, shown));
	if (!tenant->meta.secret_prefix ||
		wc_Sha256Hash((const uint8_t *)secret.data, (word32)secret.size, tenant->meta.secret_sha256) != 0)
		return -ENOMEM;
	return 0;
}
