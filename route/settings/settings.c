/* Settings from YAML: the tree, the walk over the tables, what follows from other fields, and the checks across fields.
 */
#include "route/settings/settings.h"

#include "core/config_tree.h"
#include "route/settings/settings_load.h"
#include "route/settings/settings_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MEMORY_BYTES_MAX = 1 << 30 };

struct loaded {
	struct settings settings; /* first: settings_free gets its address */
	struct config_memory memory;
};

const char *provider_kind_name(enum provider_kind kind)
{
	return kind < PROVIDER_KIND_COUNT ? provider_kind_names[kind] : "unknown";
}

const struct config_entry *settings_entries(const struct settings_load *load, const char *part)
{
	const struct config_node *node = config_member(load->root, part);

	return node && node->kind != CONFIG_SCALAR ? node->first : NULL;
}

static void complain(struct config_report *report, const struct config_node *node, const char *member,
	const char *format, va_list arguments)
{
	const struct config_node *place = member ? config_member(node, member) : NULL;
	char message[CONFIG_COMPLAINT_BYTES];

	if (!place)
		place = node;
	vsnprintf(message, sizeof(message), format, arguments);
	config_complain(report, place ? place->line : 0, place ? place->column : 0, "%s", message);
}

void settings_error(
	const struct settings_load *load, const struct config_node *node, const char *member, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(load->walk.errors, node, member, format, arguments);
	va_end(arguments);
}

void settings_warning(
	const struct settings_load *load, const struct config_node *node, const char *member, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(load->walk.warnings, node, member, format, arguments);
	va_end(arguments);
}

static const char *look_up(void *context, const char *name)
{
	(void)context;
	return getenv(name);
}

static void fill(struct settings_load *load)
{
	static const struct config_node nothing = {.kind = CONFIG_MAP};

	schema_read(&load->walk, &settings_schema, load->root, load->root ? load->root : &nothing, load->settings);
	if (load->walk.memory->failed)
		return;
	settings_derive(load);
	if (!load->walk.memory->failed)
		settings_check(load);
}

/* Whether `yaml` became settings without an error. */
static bool load_into(struct loaded *loaded, struct slice yaml, struct config_memory *scratch,
	settings_complain *tell_error, settings_complain *tell_warning, void *context)
{
	const struct config_source source = {.yaml = yaml, .lookup = look_up};
	struct config_report errors, warnings;
	struct settings_load load = {.settings = &loaded->settings,
		.scratch = scratch,
		.walk = {.memory = &loaded->memory, .errors = &errors, .warnings = &warnings}};

	config_report_init(&errors, scratch);
	config_report_init(&warnings, scratch);
	load.root = config_parse(&source, scratch, &errors);
	if (load.root || errors.count == 0)
		fill(&load);
	config_report_tell(&errors, tell_error, context);
	if (scratch->failed || loaded->memory.failed) {
		tell_error(context, 0, 0, "not enough memory to load this configuration");
		return false;
	}
	if (errors.count == 0 && tell_warning)
		config_report_tell(&warnings, tell_warning, context);
	return errors.count == 0;
}

static void discard(struct loaded *loaded)
{
	config_memory_fini(&loaded->memory);
	explicit_bzero(loaded, sizeof(*loaded));
	free(loaded);
}

struct settings *settings_parse(
	struct slice yaml, settings_complain *complain_of, settings_complain *warn, void *context)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	struct config_memory scratch;
	bool good;

	if (!loaded) {
		complain_of(context, 0, 0, "not enough memory to load this configuration");
		return NULL;
	}
	config_memory_init(&loaded->memory, MEMORY_BYTES_MAX);
	config_memory_init(&scratch, MEMORY_BYTES_MAX);
	good = load_into(loaded, yaml, &scratch, complain_of, warn, context);
	config_memory_fini(&scratch);
	if (good)
		return &loaded->settings;
	discard(loaded);
	return NULL;
}

void settings_free(struct settings *settings)
{
	if (settings)
		discard((struct loaded *)settings);
}

int settings_read_file(const char *path, char **data, size_t *size)
{
	const size_t capacity = CONFIG_BYTES_MAX + 1; /* not st_size: a pipe has none */
	size_t used = 0;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*data = malloc(capacity);
	if (!*data)
		rc = -ENOMEM;
	while (rc == 0 && used < capacity) {
		ssize_t got = read(fd, *data + used, capacity - used);

		if (got < 0 && errno != EINTR)
			rc = -errno;
		if (got == 0)
			break;
		used += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	*size = used;
	return rc;
}

struct settings *settings_load(const char *path, settings_complain *complain_of, settings_complain *warn, void *context)
{
	struct settings *settings = NULL;
	char *data = NULL, message[256];
	size_t size = 0;
	int rc = settings_read_file(path, &data, &size);

	if (rc < 0) {
		snprintf(message, sizeof(message), "cannot be read: %s", strerror(-rc));
		complain_of(context, 0, 0, message);
	} else {
		settings = settings_parse(slice_of(data, size), complain_of, warn, context);
	}
	if (data)
		explicit_bzero(data, size);
	free(data);
	return settings;
}
