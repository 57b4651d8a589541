/* `tollgate features`: how this program was built, and with which libraries. */
#include "tools/cli.h"
#include "tools/library_versions.h"

#include <ares.h>
#include <getopt.h>
#include <liburing.h>
#include <llhttp.h>
#include <stdbool.h>
#include <stdio.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <xxhash.h>
#include <yaml.h>

enum { VERSION_BYTES = 32, LIBRARIES_MAX = 8 };

static const char help[] =
	"usage: tollgate features [--json]\n"
	"\n"
	"Prints the choices of the build (make menuconfig) and the versions of the libraries it uses.\n"
	"\n"
	"      --json  print JSON\n"
	"  -h, --help  this text\n";

#define SPELL(x) #x
#define SPELL_VALUE(x) SPELL(x)

/* In the order of Kconfig. A choice that is off has no macro at all. */
static const struct choice {
	const char *name, *value;
} choices[] = {
	{"RECEIVE_BUFFERS", SPELL_VALUE(CONFIG_RECEIVE_BUFFERS)},
	{"RECEIVE_BUFFER_BYTES", SPELL_VALUE(CONFIG_RECEIVE_BUFFER_BYTES)},
	{"ARENA_BLOCKS_KEPT", SPELL_VALUE(CONFIG_ARENA_BLOCKS_KEPT)},
	{"LARGE_BLOCKS_KEPT_BYTES", SPELL_VALUE(CONFIG_LARGE_BLOCKS_KEPT_BYTES)},
#ifdef CONFIG_ANTHROPIC
	{"ANTHROPIC", "y"},
#else
	{"ANTHROPIC", "n"},
#endif
#ifdef CONFIG_SANITIZE
	{"SANITIZE", "y"},
#else
	{"SANITIZE", "n"},
#endif
#ifdef CONFIG_LTO
	{"LTO", "y"},
#else
	{"LTO", "n"},
#endif
};

struct library {
	const char *name;
	char version[VERSION_BYTES];
};

/* Of what is linked where the library tells it, else of the headers that were compiled in. */
static unsigned read_versions(struct library *libraries)
{
	unsigned count = 0;

#define LIBRARY(label, ...)                                                                                            \
	do {                                                                                                           \
		libraries[count].name = (label);                                                                       \
		snprintf(libraries[count++].version, VERSION_BYTES, __VA_ARGS__);                                      \
	} while (0)
	LIBRARY("liburing", "%d.%d", io_uring_major_version(), io_uring_minor_version());
	LIBRARY("wolfssl", "%s", wolfSSL_lib_version());
	LIBRARY("rocksdb", "%s", library_version_rocksdb());
	LIBRARY("simdjson", "%s", library_version_simdjson());
	LIBRARY("llhttp", "%d.%d.%d", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
	LIBRARY("c-ares", "%s", ares_version(NULL));
	LIBRARY("libyaml", "%s", yaml_get_version_string());
	LIBRARY("xxhash", "%d.%d.%d", XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
#undef LIBRARY
	return count;
}

static void print_json(const struct library *libraries, unsigned count)
{
	fputs("{\"build\":{", stdout);
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		printf("%s\"%s\":\"%s\"", i ? "," : "", choices[i].name, choices[i].value);
	fputs("},\"libraries\":{", stdout);
	for (unsigned i = 0; i < count; i++)
		printf("%s\"%s\":\"%s\"", i ? "," : "", libraries[i].name, libraries[i].version);
	puts("}}");
}

static void print_lists(const struct library *libraries, unsigned count)
{
	puts("build:");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		printf("  %-22s %s\n", choices[i].name, choices[i].value);
	puts("libraries:");
	for (unsigned i = 0; i < count; i++)
		printf("  %-22s %s\n", libraries[i].name, libraries[i].version);
}

int cli_features(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct library libraries[LIBRARIES_MAX];
	bool json = false;

	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == 'j') {
			json = true;
			continue;
		}
		fputs(help, c == 'h' ? stdout : stderr);
		return c == 'h' ? CLI_DONE : CLI_USAGE;
	}
	if (optind != argc) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	(json ? print_json : print_lists)(libraries, read_versions(libraries));
	return CLI_DONE;
}
