/* The stored tenants in memory, and settings that hold them beside what the configuration declares. */
#include "route/tenancy/tenancy_internal.h"
#include "route/tenancy/connection.h"

#include "core/schema.h"
#include "route/settings/settings_tables.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Where `id` is, or would be. */
static unsigned place_of(const struct tenant_list *list, struct slice id, bool *found)
{
	unsigned low = 0, high = list->count;

	*found = false;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct slice there = slice_of_string(list->items[middle]->id);
		int order = memcmp(there.data, id.data, there.size < id.size ? there.size : id.size);

		if (order == 0)
			order = there.size < id.size ? -1 : there.size > id.size;
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tenant *tenant_tables_find(const struct tenant_tables *tables, enum tenant_kind kind, struct slice id)
{
	const struct tenant_list *list = &tables->of[kind];
	bool found;
	unsigned place = place_of(list, id, &found);

	return found ? list->items[place] : NULL;
}

static int insert(struct tenant_list *list, struct tenant *tenant)
{
	unsigned capacity = list->capacity ? 2 * list->capacity : 16, place;
	struct tenant **larger;
	bool found;

	if (list->count == list->capacity) {
		larger = realloc(list->items, capacity * sizeof(struct tenant *));
		if (!larger)
			return -ENOMEM;
		list->items = larger;
		list->capacity = capacity;
	}
	place = place_of(list, slice_of_string(tenant->id), &found);
	assert(!found);
	memmove(list->items + place + 1, list->items + place, (list->count - place) * sizeof(struct tenant *));
	list->items[place] = tenant;
	list->count++;
	return 0;
}

int tenant_tables_swap(struct tenant_tables *tables, enum tenant_kind kind, struct tenant *before, struct tenant *after)
{
	struct tenant_list *list = &tables->of[kind];
	unsigned place;
	bool found;

	assert(before || after);
	if (!before)
		return insert(list, after);
	place = place_of(list, slice_of_string(before->id), &found);
	assert(found);
	if (after) {
		list->items[place] = after;
		return 0;
	}
	list->count--;
	memmove(list->items + place, list->items + place + 1, (list->count - place) * sizeof(struct tenant *));
	return 0;
}

/* ---- overrides ---- */

static struct tenant_override *find_override(const struct tenant_tables *tables, struct slice id)
{
	for (unsigned i = 0; i < tables->override_count; i++)
		if (slice_equal(slice_of_string(tables->overrides[i].id), id))
			return &tables->overrides[i];
	return NULL;
}

const struct tenant_override *tenant_tables_override(const struct tenant_tables *tables, struct slice id)
{
	return find_override(tables, id);
}

int tenant_tables_set_override(struct tenant_tables *tables, const struct tenant_override *override)
{
	struct tenant_override *there = find_override(tables, slice_of_string(override->id)), *larger;
	unsigned capacity = tables->override_capacity ? 2 * tables->override_capacity : 16;

	if (!there && tables->override_count == tables->override_capacity) {
		larger = realloc(tables->overrides, capacity * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		tables->overrides = larger;
		tables->override_capacity = capacity;
	}
	if (!there)
		there = &tables->overrides[tables->override_count++];
	*there = *override;
	return 0;
}

void tenant_tables_drop_override(struct tenant_tables *tables, struct slice id)
{
	struct tenant_override *there = find_override(tables, id);

	if (there)
		*there = tables->overrides[--tables->override_count];
}

static const struct schema_field override_fields[] = {
	ROW_BOOL("disabled", struct tenant_override, disabled, "false"),
	{.name = "revoked_ns",
		.type = SCHEMA_INTEGER,
		MEMBER(struct tenant_override, revoked_ns),
		.max = INT64_MAX,
		.fallback = "0"},
	{.name = "updated_ns",
		.type = SCHEMA_INTEGER,
		MEMBER(struct tenant_override, updated_ns),
		.max = INT64_MAX,
		.fallback = "0"},
};
static const struct schema override_schema = SCHEMA(override_fields);

void tenant_override_print(const struct tenant_override *override, struct text *json)
{
	text_char(json, '{');
	schema_print_members(&override_schema, override, json);
	text_char(json, '}');
}

static bool read_override(struct tenant_override *override, struct slice id, struct json_parser *json, struct slice row)
{
	struct json_config *document = calloc(1, sizeof(*document));
	struct config_memory memory;
	struct config_report report;
	struct schema_walk walk = {.memory = &memory, .errors = &report, .warnings = &report, .typed = true};
	struct json_error error;
	struct config_node *tree = NULL;
	bool good;

	memset(override, 0, sizeof(*override));
	if (!document)
		return false;
	config_memory_init(&memory, 65536);
	config_report_init(&report, &memory);
	document->memory = &memory;
	document->report = &report;
	if (id.size < sizeof(override->id) && json_parse(json, row, &error) == 0)
		tree = json_config_read(document, json, 0);
	if (tree) {
		memcpy(override->id, id.data, id.size);
		schema_read(&walk, &override_schema, tree, tree, override);
	}
	good = tree && !report.count && !memory.failed;
	config_memory_fini(&memory);
	free(document);
	return good;
}

/* ---- from the store ---- */

struct loading {
	struct tenant_tables *tables;
	struct json_parser *json;
	enum tenant_kind kind;
	const char *name; /* of what is read */
	char *why;
	size_t why_bytes;
	int result;
};

static bool fail_at(struct loading *loading, struct slice id, int result)
{
	loading->result = result;
	if (result == -ENOMEM)
		snprintf(loading->why, loading->why_bytes, "out of memory");
	else
		snprintf(loading->why, loading->why_bytes,
			"the stored %s \"%.*s\" cannot be read: was it written by a newer tollgate?", loading->name,
			(int)id.size, id.data);
	return false;
}

static bool load_tenant(void *context, struct slice id, struct slice row)
{
	struct loading *loading = context;
	char *copy = json_config_pad(row);
	struct tenant *tenant;

	if (!copy)
		return fail_at(loading, id, -ENOMEM);
	tenant = tenant_read_row(loading->kind, id, loading->json, slice_of(copy, row.size));
	explicit_bzero(copy, row.size);
	free(copy);
	if (!tenant)
		return fail_at(loading, id, -EBADMSG);
	if (insert(&loading->tables->of[loading->kind], tenant) == 0)
		return true;
	tenant_give(&tenant);
	return fail_at(loading, id, -ENOMEM);
}

static bool load_override(void *context, struct slice id, struct slice row)
{
	struct loading *loading = context;
	struct tenant_override override;
	char *copy = json_config_pad(row);
	bool good = copy && read_override(&override, id, loading->json, slice_of(copy, row.size));

	free(copy);
	if (!good)
		return fail_at(loading, id, -EBADMSG);
	return tenant_tables_set_override(loading->tables, &override) == 0 || fail_at(loading, id, -ENOMEM);
}

static bool load_routing(void *context, struct slice id, struct slice row)
{
	struct loading *loading = context;
	struct tenant_tables *tables = loading->tables;
	char *copy = json_config_pad(row);

	stored_routing_give(&tables->routing);
	if (copy)
		tables->routing = stored_routing_read_row(loading->json, slice_of(copy, row.size));
	free(copy);
	return tables->routing || fail_at(loading, id, -EBADMSG);
}

/* Who has another TOLLGATE_KEK than the one that they are sealed under is told at once. */
static int load_connection_keys(struct loading *loading, const struct store *store)
{
	const struct tenant_list *list = &loading->tables->of[TENANT_CONNECTION];

	for (unsigned i = 0; i < list->count; i++) {
		struct tenant *tenant = list->items[i];
		struct connection_settings *connection = &tenant->item.connection;
		char *value = NULL;
		size_t size = 0;
		int rc = records_read_sealed(
			store, slice_of_string(connection->workspace), slice_of_string(tenant->id), &value, &size);

		if (rc == 0)
			rc = connection_unseal(connection, slice_of(value, size), &tenant->memory);
		if (value)
			explicit_bzero(value, size);
		free(value);
		if (rc == 0)
			continue;
		snprintf(loading->why, loading->why_bytes,
			"the key of connection %s cannot be opened: is TOLLGATE_KEK the one that it was stored under?",
			tenant->id);
		return rc;
	}
	return 0;
}

int tenant_tables_load(
	struct tenant_tables *tables, const struct store *store, struct json_parser *json, char *why, size_t why_bytes)
{
	struct loading loading = {.tables = tables, .json = json, .why = why, .why_bytes = why_bytes};
	int rc = 0;

	for (unsigned kind = 0; kind < TENANT_KINDS && rc == 0 && loading.result == 0; kind++) {
		loading.kind = kind;
		loading.name = tenant_shapes[kind].name;
		rc = records_read(store, tenant_shapes[kind].table, slice_of(NULL, 0), false, load_tenant, &loading);
	}
	loading.name = tenant_shapes[TENANT_KEY].name;
	if (rc == 0 && loading.result == 0)
		rc = records_read(store, RECORDS_OVERRIDES, slice_of(NULL, 0), false, load_override, &loading);
	loading.name = "routing";
	if (rc == 0 && loading.result == 0)
		rc = records_read(store, RECORDS_ROUTING, slice_of(NULL, 0), false, load_routing, &loading);
	if (rc < 0)
		snprintf(why, why_bytes, "the stored keys cannot be read: is the disk sound?");
	if (rc < 0 || loading.result < 0)
		return rc < 0 ? rc : loading.result;
	return load_connection_keys(&loading, store);
}

void tenant_tables_fini(struct tenant_tables *tables)
{
	for (unsigned kind = 0; kind < TENANT_KINDS; kind++) {
		for (unsigned i = 0; i < tables->of[kind].count; i++)
			tenant_give(&tables->of[kind].items[i]);
		free(tables->of[kind].items);
	}
	free(tables->overrides);
	stored_routing_give(&tables->routing);
}

/* ---- settings of both ---- */

/* Settings whose lists of tenants are its own; the rest is the base's. */
struct merged {
	struct settings settings; /* first: merged_free() gets its address */
	unsigned tenant_count;
	struct tenant **tenants;                  /* whose texts the lists refer to */
	struct stored_routing *routing;           /* whose texts routing refers to; NULL: the base's alone */
	struct credential_settings **credentials; /* by the provider's index; NULL: the base's. NULL: all are */
};

static void merged_free(struct settings *settings)
{
	struct merged *merged = (struct merged *)settings;

	for (unsigned kind = 0; kind < TENANT_KINDS; kind++)
		free(*(void **)(void *)((char *)settings + tenant_shapes[kind].list_at));
	if (merged->credentials) {
		for (unsigned i = 0; i < settings->provider_count; i++)
			free(merged->credentials[i]);
		free(merged->credentials);
		free(settings->providers);
	}
	for (unsigned i = 0; i < merged->tenant_count; i++)
		tenant_give(&merged->tenants[i]);
	free(merged->tenants);
	stored_routing_give(&merged->routing);
	free(merged);
}

/* The one workspace that is there without being declared gives way to a stored one; what is declared does not. */
static bool gives_way(enum tenant_kind kind, const void *declared)
{
	return kind == TENANT_WORKSPACE && ((const struct workspace_settings *)declared)->built_in;
}

static bool is_in_force(const struct settings *base, const struct tenant *tenant)
{
	const void *same = tenant_item_find(base, tenant->kind, slice_of_string(tenant->id));

	return !same || gives_way(tenant->kind, same);
}

struct tenant *tenancy_stored(const struct tenancy *tenancy, enum tenant_kind kind, struct slice id)
{
	struct tenant *tenant = tenant_tables_find(&tenancy->tables, kind, id);

	return tenant && is_in_force(tenancy->base->settings, tenant) ? tenant : NULL;
}

static bool merge_kind(
	struct merged *merged, const struct settings *base, const struct tenant_tables *tables, enum tenant_kind kind)
{
	const struct tenant_shape *shape = &tenant_shapes[kind];
	const struct tenant_list *stored = &tables->of[kind];
	unsigned declared = tenant_count_of(base, kind), count = 0;
	char *list = calloc(declared + stored->count + 1, shape->item_bytes);

	*(char **)(void *)((char *)&merged->settings + shape->list_at) = list;
	if (!list)
		return false;
	for (unsigned i = 0; i < declared; i++) {
		const void *item = tenant_item_of(base, kind, i);

		if (!gives_way(kind, item) || !tenant_tables_find(tables, kind, slice_of_string(shape->id_of(item))))
			memcpy(list + count++ * shape->item_bytes, item, shape->item_bytes);
	}
	for (unsigned i = 0; i < stored->count; i++) {
		struct tenant *tenant = stored->items[i];

		if (!is_in_force(base, tenant))
			continue; /* declared since */
		memcpy(list + count++ * shape->item_bytes, &tenant->item, shape->item_bytes);
		merged->tenants[merged->tenant_count++] = tenant_borrow(tenant);
	}
	*(unsigned *)(void *)((char *)&merged->settings + shape->count_at) = count;
	return true;
}

/* A key whose workspace or team has left the configuration is as good as revoked until that is back. */
static void settle_keys(struct settings *settings, const struct tenant_tables *tables)
{
	for (unsigned i = 0; i < settings->key_count; i++) {
		struct key_settings *key = &settings->keys[i];
		const struct tenant_override *override = find_override(tables, slice_of_string(key->id));

		if (override) {
			key->disabled = override->disabled;
			key->revoked_at_ns = override->revoked_ns;
		}
		key->home = tenant_item_find(settings, TENANT_WORKSPACE, slice_of_string(key->workspace));
		if (!key->home || (key->team && !tenant_item_find(settings, TENANT_TEAM, slice_of_string(key->team))))
			key->disabled = true;
	}
}

static unsigned connections_at(const struct settings *settings, const char *provider)
{
	unsigned count = 0;

	for (unsigned i = 0; i < settings->connection_count; i++)
		count += !settings->connections[i].disabled && strcmp(settings->connections[i].provider, provider) == 0;
	return count;
}

/* Behind the provider's own credentials, those of workspaces. */
static bool extend_provider(struct merged *merged, const struct settings *base, unsigned index)
{
	struct settings *settings = &merged->settings;
	struct provider_settings *provider = &settings->providers[index];
	unsigned more = connections_at(settings, provider->name), count = base->providers[index].credential_count;
	struct credential_settings *list;

	if (!more)
		return true;
	list = merged->credentials[index] = calloc(count + more, sizeof(*list));
	if (!list)
		return false;
	if (count)
		memcpy(list, base->providers[index].credentials, count * sizeof(*list));
	for (unsigned i = 0; i < settings->connection_count; i++) {
		const struct connection_settings *connection = &settings->connections[i];

		if (!connection->disabled && strcmp(connection->provider, provider->name) == 0)
			list[count++] = connection_credential(connection);
	}
	provider->credentials = list;
	provider->credential_count = count;
	return true;
}

static bool merge_connections(struct merged *merged, const struct settings *base)
{
	struct settings *settings = &merged->settings;

	if (!settings->connection_count)
		return true;
	merged->credentials = calloc(base->provider_count + 1, sizeof(struct credential_settings *));
	if (!merged->credentials)
		return false;
	settings->providers = calloc(base->provider_count + 1, sizeof(*settings->providers));
	if (!settings->providers) {
		free(merged->credentials);
		merged->credentials = NULL;
		return false;
	}
	if (base->provider_count)
		memcpy(settings->providers, base->providers, base->provider_count * sizeof(*settings->providers));
	for (unsigned i = 0; i < base->provider_count; i++)
		if (!extend_provider(merged, base, i))
			return false;
	return true;
}

struct gateway_config *tenancy_make_config(struct tenancy *tenancy, struct gateway_config *base)
{
	struct merged *merged = calloc(1, sizeof(*merged));
	struct gateway_config *config;
	unsigned stored = 0;
	bool good;

	if (!merged)
		return NULL;
	merged->settings = *base->settings;
	for (unsigned kind = 0; kind < TENANT_KINDS; kind++) {
		*(void **)(void *)((char *)&merged->settings + tenant_shapes[kind].list_at) = NULL;
		stored += tenancy->tables.of[kind].count;
	}
	merged->tenants = calloc(stored + 1, sizeof(struct tenant *));
	good = merged->tenants;
	for (unsigned kind = 0; good && kind < TENANT_KINDS; kind++)
		good = merge_kind(merged, base->settings, &tenancy->tables, kind);
	good = good && merge_connections(merged, base->settings);
	if (!good) {
		merged_free(&merged->settings);
		return NULL;
	}
	settle_keys(&merged->settings, &tenancy->tables);
	merged->routing = stored_routing_borrow(tenancy->tables.routing);
	stored_routing_apply(merged->routing, &merged->settings);
	config = gateway_config_make_over(base, tenancy->gateway->fleet, &merged->settings, merged_free);
	if (config && tenancy->bind(tenancy->bind_context, config) < 0)
		gateway_config_give(&config);
	return config;
}
