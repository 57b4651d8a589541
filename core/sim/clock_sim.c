/* The time in the simulated world, as the current process's host tells it. */
#include "core/sim/sim_internal.h"

uint64_t clock_monotonic_ns(void)
{
	assert(sim_process_current());
	return sim_process_current()->host->sim->now_ns;
}

uint64_t clock_wall_ns(void)
{
	assert(sim_process_current());
	return sim_wall_ns(sim_process_current()->host);
}
