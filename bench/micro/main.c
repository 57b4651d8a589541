/* micro: reads the command line, lets the steps take turns, prints their medians. Exit status 2 when it could not run.
 */
#include "bench/micro/micro.h"

#include "core/clock.h"

#include <getopt.h>
#include <stdio.h>

enum { PASSES_MAX = 101, STEPS_MAX = 32, PASS_MS_MAX = 10000 };

struct options {
	unsigned passes, pass_ms;
	const char *part; /* of the names of those that are wanted */
	bool json;
};

struct step {
	const struct micro *micro;
	void *state;
	uint64_t times;
	double passes_ns[PASSES_MAX], ns;
};

static const char usage[] = "micro [options] [PART-OF-NAME]\n"
			    "  --passes N    whose median is shown (7)\n"
			    "  --pass-ms N   processor time of each (20)\n"
			    "  --json\n";

static bool read_count(const char *text, unsigned max, unsigned *count)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*count = (unsigned)number;
	return *text >= '0' && *text <= '9' && !*end && number >= 1 && number <= max;
}

static bool read_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"passes", required_argument, NULL, 'p'},
		{"pass-ms", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int option;

	*options = (struct options){.passes = 7, .pass_ms = 20, .part = ""};
	while (good && (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'p')
			good = read_count(optarg, PASSES_MAX, &options->passes);
		else if (option == 'm')
			good = read_count(optarg, PASS_MS_MAX, &options->pass_ms);
		else if (option == 'j')
			options->json = true;
		else
			good = false;
	}
	if (good && optind < argc)
		options->part = argv[optind++];
	return good && optind == argc;
}

/* The yardstick always, for the ratios. */
static unsigned choose(struct step *steps, const char *part)
{
	static const struct micro *const tables[] = {micro_yardstick, micro_http, micro_json, micro_chat, micro_sse,
		micro_route, micro_routing, micro_score, micro_receipt};
	unsigned count = 0;

	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct micro *micro = tables[t]; micro->name; micro++)
			if (t == 0 || strstr(micro->name, part))
				steps[count++].micro = micro;
	return count;
}

static bool measure(struct step *steps, unsigned count, const struct options *options)
{
	for (unsigned i = 0; i < count; i++) {
		steps[i].state = steps[i].micro->open();
		if (!steps[i].state) {
			fprintf(stderr, "micro: %s could not be prepared\n", steps[i].micro->name);
			return false;
		}
		steps[i].times = micro_times(steps[i].micro, steps[i].state, options->pass_ms * NS_PER_MS);
	}
	for (unsigned pass = 0; pass < options->passes; pass++)
		for (unsigned i = 0; i < count; i++)
			steps[i].passes_ns[pass] = micro_pass(steps[i].micro, steps[i].state, steps[i].times);
	for (unsigned i = 0; i < count; i++)
		steps[i].ns = passes_median(steps[i].passes_ns, options->passes);
	return true;
}

/* The passes are sorted by now. */
static void print_step_json(const struct step *s, const struct step *yardstick, bool more)
{
	printf(" \"%s\": {\"ns\": %.2f, \"ratio\": %.6f, \"least_ratio\": %.6f}%s\n", s->micro->name, s->ns,
		s->ns / yardstick->ns, s->passes_ns[0] / yardstick->ns, more ? "," : "");
}

static void print(const struct step *steps, unsigned count, const struct options *options)
{
	unsigned last = options->passes - 1;

	if (options->json)
		printf("{\"passes\": %u, \"pass_ms\": %u, \"steps\": {\n", options->passes, options->pass_ms);
	else
		printf("%-16s%12s%12s%12s%14s\n", "", "ns", "least", "most", "x yardstick");
	for (unsigned i = 0; i < count; i++) {
		const struct step *s = &steps[i];

		if (options->json)
			print_step_json(s, &steps[0], i + 1 < count);
		else
			printf("%-16s%12.1f%12.1f%12.1f%14.5f  %s\n", s->micro->name, s->ns, s->passes_ns[0],
				s->passes_ns[last], s->ns / steps[0].ns, s->micro->what);
	}
	if (options->json)
		printf("}}\n");
	else
		printf("\nProcessor time of one step, median of %u passes of about %u ms.\n", options->passes,
			options->pass_ms);
	for (unsigned i = 0; i < count && !options->json; i++)
		if (steps[i].micro->tell)
			steps[i].micro->tell(steps[i].state);
}

int main(int argc, char **argv)
{
	struct step *steps = calloc(STEPS_MAX, sizeof(*steps));
	struct options options;
	unsigned count;
	int result = 2;

	if (!read_options(&options, argc, argv)) {
		fputs(usage, stderr);
	} else if (steps) {
		count = choose(steps, options.part);
		if (measure(steps, count, &options)) {
			print(steps, count, &options);
			result = 0;
		}
		for (unsigned i = 0; i < count; i++)
			if (steps[i].state)
				steps[i].micro->close(steps[i].state);
	}
	free(steps);
	return result;
}
