/*
 * `tollgate check`: a configuration without serving it, or the receipts of a data directory that no gateway has open.
 */
#include "core/clock.h"
#include "core/kconfig.h"
#include "route/gateway/gateway_tls.h"
#include "route/settings/settings.h"
#include "store/ledger.h"
#include "tools/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: tollgate check -c FILE\n"
	"       tollgate check --receipts -d DATA_DIR\n"
	"       tollgate check --ledger -d DATA_DIR\n"
	"\n"
	"The first reads a configuration and prints everything that is wrong with it, each as\n"
	"FILE:LINE:COLUMN: message.\n"
	"The second reads the receipts of a gateway that does not run, and verifies their hash chain,\n"
	"indexes and sums.\n"
	"The third reads what was paid into the workspaces' balances: numbers, sums, and what is left by the "
	"receipts.\n"
	"\n"
	"  -c, --config FILE    the configuration (YAML)\n"
	"      --receipts       verify receipts\n"
	"      --ledger         verify the ledger\n"
	"  -d, --data-dir DIR   where they are: data_dir of the configuration\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit status: 0 sound, 1 not, 2 wrong command line.\n";

struct check {
	const char *config_path, *data_dir;
	bool receipts, ledger;
};

struct reader {
	const char *path;
	unsigned warnings;
};

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	const struct reader *reader = context;

	if (line)
		printf("%s:%u:%u: %s\n", reader->path, line, column, message);
	else
		printf("%s: %s\n", reader->path, message);
}

static void warn(void *context, unsigned line, unsigned column, const char *message)
{
	struct reader *reader = context;

	reader->warnings++;
	fprintf(stderr, "%s:%u:%u: warning: %s\n", reader->path, line, column, message);
}

static void warn_of_certificate(void *context, const char *line)
{
	struct reader *reader = context;

	reader->warnings++;
	fprintf(stderr, "%s: warning: %s\n", reader->path, line);
}

/* Reads them as a start would: key and certificate belong together, the stores of issuers are there. */
static int check_certificates(struct reader *reader, const struct settings *settings)
{
	struct gateway_tls *tls;
	char why[512];
	int rc = gateway_tls_make(&tls, settings, NULL, why, sizeof(why));

	if (rc < 0) {
		printf("%s: %s\n", reader->path, why);
		return rc;
	}
	gateway_tls_warn(tls, settings, (int64_t)(clock_wall_ns() / NS_PER_S), warn_of_certificate, reader);
	gateway_tls_free(tls);
	return 0;
}

static int check_config(const char *path)
{
	struct reader reader = {.path = path};
	struct settings *settings = settings_load(path, complain, warn, &reader);

	if (!settings)
		return CLI_FAILED;
	if (CONFIG(TLS) && check_certificates(&reader, settings) < 0) {
		settings_free(settings);
		return CLI_FAILED;
	}
	printf("%s: good: %u providers, %u models, %u keys", path, settings->provider_count, settings->model_count,
		settings->key_count);
	if (reader.warnings)
		printf("; %u warning%s, see above", reader.warnings, reader.warnings == 1 ? "" : "s");
	putchar('\n');
	settings_free(settings);
	return CLI_DONE;
}

static void say(void *context, const char *line)
{
	(void)context;
	puts(line);
}

static int check_receipts(const char *data_dir)
{
	int rc = store_check(data_dir, say, NULL);

	if (rc < 0)
		fprintf(stderr, "tollgate check: %s: %s\n", data_dir, strerror(-rc));
	return rc == 0 ? CLI_DONE : CLI_FAILED;
}

static int check_ledger(const char *data_dir)
{
	int rc = ledger_check(data_dir, say, NULL);

	if (rc < 0)
		fprintf(stderr, "tollgate check: %s: %s\n", data_dir, strerror(-rc));
	return rc == 0 ? CLI_DONE : CLI_FAILED;
}

/* 0: go on; 1: help was asked for; -1: wrong, and said so. */
static int read_options(struct check *check, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"data-dir", required_argument, NULL, 'd'},
		{"receipts", no_argument, NULL, 'r'},
		{"ledger", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "c:d:h", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			check->config_path = optarg;
			break;
		case 'd':
			check->data_dir = optarg;
			break;
		case 'l':
			check->ledger = true;
			break;
		case 'r':
			check->receipts = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			fputs(help, stderr);
			return -1;
		}
	}
	/* One of the three, and only with what belongs to it. */
	if (optind != argc || (check->receipts || check->ledger) != !!check->data_dir ||
		(check->receipts && check->ledger) || !!check->data_dir == !!check->config_path) {
		fputs(help, stderr);
		return -1;
	}
	return 0;
}

int cli_check(int argc, char **argv)
{
	struct check check = {.receipts = false};
	int rc = read_options(&check, argc, argv);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_DONE;
	if (check.ledger)
		return check_ledger(check.data_dir);
	return check.receipts ? check_receipts(check.data_dir) : check_config(check.config_path);
}
