/*
 * Fuzzes what the admin API reads of a key, a team, a workspace or a token: whatever the body is, it is refused with a
 * word of why, or becomes a row that is read back the same. Merging a document into itself changes nothing.
 *
 * An input: a byte that chooses the kind, then the JSON.
 */
#include "fuzz/document.h"
#include "route/tenancy/tenant.h"

enum { ROW_BYTES_MAX = 1 << 20, DOCUMENT_MEMORY_BYTES = 16 << 20 };

struct reading {
	struct config_memory memory;
	struct config_report report;
	struct json_config document;
};

static struct reading *begin(void)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	assert(reading);
	config_memory_init(&reading->memory, DOCUMENT_MEMORY_BYTES);
	config_report_init(&reading->report, &reading->memory);
	reading->document.memory = &reading->memory;
	reading->document.report = &reading->report;
	return reading;
}

static void end(struct reading *reading)
{
	config_memory_fini(&reading->memory);
	free(reading);
}

static void tell(void *context, unsigned line, unsigned column, const char *message)
{
	const struct reading *reading = context;

	(void)column;
	assert(*message && line <= reading->document.count);
	assert(line == 0 || reading->document.paths[line]);
}

static char *print(const struct tenant *tenant, size_t *size)
{
	struct text row = text_over(padded(ROW_BYTES_MAX), ROW_BYTES_MAX);

	tenant_print_row(tenant, &row);
	assert(!row.full);
	memset(row.data + row.size, 0, BUFFER_PADDING_BYTES);
	*size = row.size;
	return row.data;
}

static void come_back(struct tenant *tenant, struct json_parser *json)
{
	size_t size, again_size;
	char *row = print(tenant, &size), *again;
	struct tenant *read = tenant_read_row(tenant->kind, SLICE("id"), json, slice_of(row, size));

	assert(read);
	again = print(read, &again_size);
	assert(slice_equal(slice_of(row, size), slice_of(again, again_size)));
	tenant_give(&read);
	free(row);
	free(again);
}

static struct config_node *read_tree(struct reading *reading, struct json_parser *json, struct slice bytes)
{
	char *document = padded_copy(bytes);
	struct json_error error;
	struct config_node *tree = NULL;

	if (json_parse(json, slice_of(document, bytes.size), &error) == 0)
		tree = json_config_read(&reading->document, json, 0);
	free(document);
	return tree;
}

static void read_tenant(enum tenant_kind kind, struct json_parser *json, struct slice bytes)
{
	struct reading *reading = begin();
	struct config_node *tree = read_tree(reading, json, bytes),
			   *same = tree ? read_tree(reading, json, bytes) : NULL;
	struct tenant *tenant;

	if (tree && same && tree->kind == CONFIG_MAP) {
		json_config_merge(tree, same);
		tenant = tenant_read(kind, tree, &reading->document);
		if (tenant && reading->report.count == 0)
			come_back(tenant, json);
		tenant_give(&tenant);
	}
	config_report_tell(&reading->report, tell, reading);
	end(reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_parser *json;

	if (size < 1 || size > DOCUMENT_MAX_BYTES)
		return 0;
	json = json_parser_open(ROW_BYTES_MAX);
	assert(json);
	read_tenant(data[0] % TENANT_KINDS, json, slice_of(data + 1, size - 1));
	json_parser_close(json);
	return 0;
}
