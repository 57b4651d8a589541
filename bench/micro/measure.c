/* One pass of one step, by this thread's processor clock. */
#include "bench/micro/micro.h"

#include "core/clock.h"

#include <stdio.h>
#include <time.h>

enum { PROBE_SHARE = 10 }; /* the probe fills a tenth of a pass before its pace is believed */

static uint64_t thread_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static uint64_t run_ns(const struct micro *micro, void *state, uint64_t times)
{
	uint64_t began_ns = thread_ns();

	micro->run(state, times);
	return thread_ns() - began_ns;
}

double micro_pass(const struct micro *micro, void *state, uint64_t times)
{
	return (double)run_ns(micro, state, times) / (double)times / micro->units;
}

uint64_t micro_times(const struct micro *micro, void *state, uint64_t wanted_ns)
{
	uint64_t times = 1, took_ns;

	while ((took_ns = run_ns(micro, state, times)) < wanted_ns / PROBE_SHARE)
		times *= 2;
	times = (uint64_t)((double)times * (double)wanted_ns / (double)(took_ns ? took_ns : 1));
	return times ? times : 1;
}

void micro_expect(bool good, const char *step)
{
	if (good)
		return;
	fprintf(stderr, "micro: %s did not do what it is measured for\n", step);
	exit(2);
}
