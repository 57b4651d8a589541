/* lookup: reads the command line, fills, asks, and reports in JSON, which bench/run shows. Exit status 1 when a receipt
 * was missed, 2 when it could not run. */
#include "bench/lookup/lookup.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "core/clock.h"

enum {
	JOURNAL_BYTES = 32 << 20,
	RING_ENTRIES = 64,
	RING_BUFFERS = 2,
	RING_BUFFER_BYTES = 256,
	KEYS_MAX = 26 * 26,
	DISK_BYTES_A_RECEIPT = 600, /* while compaction holds both what it reads and what it writes */
	APPENDS_BETWEEN = 20,
};

struct figures {
	uint64_t fill_ns, make_ns, bytes;
	struct cost cost;
	struct delays idle, loaded, cold;
};

static const char usage[] = "lookup --dir DIR [options]     DIR is empty; it is left full\n"
			    "  --receipts N      how many are stored (10000000)\n"
			    "  --lookups N       how many are asked for, in each of three states (20000)\n"
			    "  --per-second N    how many begin in one second, by their ids (50000)\n"
			    "  --keys N          of how many virtual keys (16; up to 676)\n"
			    "  --seconds-max N   for filling (300)\n";

enum { OPTION_DIR = 1000, OPTION_RECEIPTS, OPTION_LOOKUPS, OPTION_PER_SECOND, OPTION_KEYS, OPTION_SECONDS };

static bool read_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *text >= '0' && *text <= '9' && !*end && *number >= 1 && *number <= max;
}

static bool take(struct options *options, int option, const char *text)
{
	uint64_t number;

	switch (option) {
	case OPTION_DIR:
		options->dir = text;
		return true;
	case OPTION_RECEIPTS:
		return read_number(text, 1000000000, &options->receipts);
	case OPTION_LOOKUPS:
		return read_number(text, 10000000, &options->lookups);
	case OPTION_PER_SECOND:
		return read_number(text, 10000000, &options->per_second);
	case OPTION_KEYS:
		if (!read_number(text, KEYS_MAX, &number))
			return false;
		options->keys = (unsigned)number;
		return true;
	case OPTION_SECONDS:
		return read_number(text, 86400, &options->seconds_max);
	default:
		return false;
	}
}

static bool read_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"dir", required_argument, NULL, OPTION_DIR},
		{"receipts", required_argument, NULL, OPTION_RECEIPTS},
		{"lookups", required_argument, NULL, OPTION_LOOKUPS},
		{"per-second", required_argument, NULL, OPTION_PER_SECOND},
		{"keys", required_argument, NULL, OPTION_KEYS},
		{"seconds-max", required_argument, NULL, OPTION_SECONDS},
		{NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct options){
		.receipts = 10000000, .lookups = 20000, .per_second = 50000, .keys = 16, .seconds_max = 300};
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		if (!take(options, option, optarg))
			return false;
	return options->dir && optind == argc;
}

static bool has_room(const struct options *options)
{
	uint64_t wanted = options->receipts * DISK_BYTES_A_RECEIPT, there;
	struct statvfs disk;

	if (statvfs(options->dir, &disk) < 0) {
		fprintf(stderr, "lookup: %s: %s\n", options->dir, strerror(errno));
		return false;
	}
	there = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (there >= wanted)
		return true;
	fprintf(stderr, "lookup: %s has %" PRIu64 " MB free, %" PRIu64 " are needed: take --receipts down\n",
		options->dir, there / 1000000, wanted / 1000000);
	return false;
}

static int open_world(struct world *world, const struct options *options)
{
	const struct shard_options shard = {.name = "lookup",
		.cpu = -1,
		.ring = {.entry_count = RING_ENTRIES, .buffer_count = RING_BUFFERS, .buffer_bytes = RING_BUFFER_BYTES}};
	const struct store_options store = {.data_dir = options->dir,
		.durability = DURABILITY_PROCESS,
		.shard_count = 1,
		.journal_bytes = JOURNAL_BYTES,
		.node = "gateway-1"};
	char why[512];
	int rc;

	world->options = options;
	rc = shard_open(&world->shard, &shard, why, sizeof(why));
	if (rc == 0) {
		rc = ring_enable(world->shard.ring);
		if (rc == 0)
			rc = store_open(&world->store, &store, why, sizeof(why));
		if (rc < 0)
			shard_close(&world->shard);
	}
	if (rc < 0)
		fprintf(stderr, "lookup: %s\n", why);
	return rc;
}

static int measure(struct world *world, struct figures *figures)
{
	struct cost before = cost_now();
	int rc = fill(world, &figures->fill_ns);

	if (rc < 0)
		return rc;
	cost_wait_quiet();
	figures->cost = cost_since(&before);
	figures->bytes = store_counts(world->store).bytes;
	figures->make_ns = fill_make_ns(world);
	rc = ask_many(world, 0, &figures->idle);
	if (rc == 0)
		rc = ask_many(world, APPENDS_BETWEEN, &figures->loaded);
	if (rc < 0)
		return rc;
	cost_wait_quiet();
	ask_forget_pages(world->options->dir);
	return ask_many(world, 0, &figures->cold);
}

static void print_delays(const char *name, const struct delays *delays, const char *end)
{
	printf("  \"%s\": {\"asked\": %" PRIu64 ", \"missed\": %" PRIu64
	       ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"max_us\": %.1f}%s\n",
		name, delays->asked, delays->missed, delays->p50_us, delays->p99_us, delays->p999_us, delays->max_us,
		end);
}

static void print_figures(const struct options *options, const struct figures *figures, uint64_t stored)
{
	double share_us = 1 / ((double)stored * 1e3), make_us = (double)figures->make_ns / 1e3;

	printf("{\n  \"receipts\": %" PRIu64 ",\n  \"wanted\": %" PRIu64 ",\n  \"per_second\": %" PRIu64
	       ",\n  \"keys\": %u,\n",
		stored, options->receipts, options->per_second, options->keys);
	printf("  \"fill_s\": %.2f,\n  \"appended_per_s\": %.0f,\n  \"bytes_a_receipt\": %.0f,\n",
		(double)figures->fill_ns / 1e9, (double)stored * 1e9 / (double)figures->fill_ns,
		(double)figures->bytes / (double)stored);
	printf("  \"processor_us\": %.3f,\n  \"threads_us\": {",
		(double)cost_sum_ns(&figures->cost) * share_us - make_us);
	for (unsigned i = 0; i < figures->cost.count; i++)
		printf("%s\"%s\": %.3f", i ? ", " : "", figures->cost.rows[i].name,
			(double)figures->cost.rows[i].ns * share_us);
	printf("},\n  \"making_us\": %.3f,\n  \"appends_between\": %d,\n", make_us, APPENDS_BETWEEN);
	print_delays("idle", &figures->idle, ",");
	print_delays("appending", &figures->loaded, ",");
	print_delays("cold", &figures->cold, "");
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct world world = {.stored = 0};
	struct figures figures = {.bytes = 0};
	struct options options;
	uint64_t stored;
	int rc;

	if (!read_options(&options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!has_room(&options) || open_world(&world, &options) < 0)
		return 2;
	rc = measure(&world, &figures);
	if (rc < 0)
		fprintf(stderr, "lookup: %s\n", strerror(-rc));
	stored = world.stored - (rc < 0 ? 0 : options.lookups * APPENDS_BETWEEN);
	store_close(world.store);
	shard_close(&world.shard);
	if (rc < 0)
		return 2;
	print_figures(&options, &figures, stored);
	return figures.idle.missed || figures.loaded.missed || figures.cold.missed;
}
