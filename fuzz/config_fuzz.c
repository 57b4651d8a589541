/*
 * Fuzzes the configuration: YAML to a tree with variables replaced, then the whole way to settings. A tree's nodes are
 * what they count and stand where they say; settings come without a complaint or not at all; complaints come in order,
 * each with a position and a message; and the same text gives the same complaints again.
 *
 * An input: a byte of choices, then the text. As a choice it follows a sound beginning, so that the checks across
 * fields are reached.
 */
#include "core/config_tree.h"
#include "fuzz/input.h"
#include "route/settings/settings.h"

enum { TEXT_MAX_BYTES = 8192, TOLD_BYTES = 1 << 15, MEMORY_MAX = 256 << 20 };

enum choices { CHOICE_BASE = 1 };

static const char base[] = "admin: { master_key: 0123456789abcdef }\n"
			   "providers:\n"
			   "  - { name: p, base_url: 'http://h/v1', credentials: [{ name: c, api_key: k }] }\n"
			   "  - { name: q, kind: openai_compatible, base_url: 'http://h/v1' }\n"
			   "models:\n"
			   "  - { id: m, provider: p, price: { input: 1 } }\n";

static const char *look_up(void *context, const char *name)
{
	(void)context;
	if (strcmp(name, "EMPTY") == 0)
		return "";
	return strcmp(name, "HOME") == 0 ? "/home/of: [somebody" : NULL;
}

static void check_scalar(const struct config_node *node)
{
	assert(!node->first && !node->count && node->weight == 1);
	assert(node->text.size <= CONFIG_TEXT_MAX && node->text.data[node->text.size] == '\0');
	assert(!memchr(node->text.data, '\0', node->text.size));
}

/* `visits` bounds the walk: aliases make the tree larger than its text. */
static void check_node(const struct config_node *node, unsigned depth, unsigned *visits)
{
	unsigned count = 0, weight = 1;

	assert(node->line > 0 && node->column > 0 && !node->open && depth <= CONFIG_DEPTH_MAX);
	if (node->kind == CONFIG_SCALAR) {
		check_scalar(node);
		return;
	}
	for (const struct config_entry *e = node->first; e; e = e->next, count++) {
		assert((e->key != NULL) == (node->kind == CONFIG_MAP));
		assert(e->next || e == node->last);
		if (e->key)
			assert(e->key->kind == CONFIG_SCALAR && config_member(node, e->key->text.data) == e->value);
		weight += e->value->weight;
		if (++*visits < TEXT_MAX_BYTES)
			check_node(e->value, depth + 1, visits);
	}
	assert(count == node->count && weight <= node->weight && node->weight <= CONFIG_NODES_MAX);
}

struct told {
	unsigned count, line, column;
	struct text text;
};

static void tell(void *context, unsigned line, unsigned column, const char *message)
{
	struct told *told = context;
	size_t size = strlen(message);

	assert(line > told->line || (line == told->line && column >= told->column));
	assert((line == 0) == (column == 0) && size > 0 && size < CONFIG_COMPLAINT_BYTES);
	told->line = line;
	told->column = column;
	told->count++;
	if (told->text.capacity - told->text.size < CONFIG_COMPLAINT_BYTES + 16)
		return; /* the first are enough to compare */
	note_number(&told->text, (uint64_t)line << 32 | column);
	note(&told->text, slice_of(message, size));
}

static void warn(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	assert((line == 0) == (column == 0) && message[0]);
}

static void fuzz_tree(struct slice yaml)
{
	const struct config_source source = {.yaml = yaml, .lookup = look_up};
	struct config_memory memory;
	struct config_report errors;
	struct config_node *root;
	unsigned visits = 0;

	config_memory_init(&memory, MEMORY_MAX);
	config_report_init(&errors, &memory);
	root = config_parse(&source, &memory, &errors);
	assert(!memory.failed);
	if (root && errors.count == 0)
		check_node(root, 1, &visits);
	config_memory_fini(&memory);
}

static void load(struct slice yaml, struct text *record)
{
	struct told told = {.text = *record};
	struct settings *settings = settings_parse(yaml, tell, warn, &told);

	assert((settings != NULL) == (told.count == 0));
	if (settings) {
		assert(settings->admin_master_key && settings->listener_count > 0 && settings->workspace_count > 0);
		for (unsigned i = 0; i < settings->model_count; i++)
			assert(settings->models[i].slug && settings->models[i].deployment_count > 0);
		for (unsigned i = 0; i < settings->provider_count; i++)
			assert(settings->providers[i].host && settings->providers[i].port > 0);
	}
	settings_free(settings);
	*record = told.text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned choices = input_byte(&input);
	struct slice rest = input_rest(&input);
	size_t base_bytes = choices & CHOICE_BASE ? sizeof(base) - 1 : 0;
	char *memory, *yaml;
	struct text once, again;

	if (rest.size > TEXT_MAX_BYTES)
		return 0;
	memory = malloc(2 * (size_t)TOLD_BYTES);
	yaml = malloc(base_bytes + rest.size + 1);
	assert(memory && yaml);
	once = text_over(memory, TOLD_BYTES);
	again = text_over(memory + TOLD_BYTES, TOLD_BYTES);
	memcpy(yaml, base, base_bytes);
	if (rest.size)
		memcpy(yaml + base_bytes, rest.data, rest.size);
	yaml = realloc(yaml, base_bytes + rest.size + !(base_bytes + rest.size));
	fuzz_tree(slice_of(yaml, base_bytes + rest.size));
	load(slice_of(yaml, base_bytes + rest.size), &once);
	load(slice_of(yaml, base_bytes + rest.size), &again);
	expect_same(&once, &again);
	free(yaml);
	free(memory);
	return 0;
}
