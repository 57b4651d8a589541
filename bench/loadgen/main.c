/* loadgen: reads the command line, runs, reports. Exit status 1 when any request failed, 2 when it could not run. */
#include "bench/loadgen/loadgen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct options options;
	struct results *results = calloc(1, sizeof(*results));
	int result = 2;

	signal(SIGPIPE, SIG_IGN);
	if (results && options_read(&options, argc, argv)) {
		int failed = run(&options, results);

		if (failed < 0) {
			fprintf(stderr, "loadgen: %s\n", strerror(-failed));
		} else {
			report_print(&options, results);
			result = results->failed_connects || results->failed_reads || results->failed_answers ||
				 results->unfinished;
		}
		free(options.request);
	}
	free(results);
	return result;
}
