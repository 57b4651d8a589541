/* The record of what happened: the last few thousand events to be read, and a hash over all of them to be compared. */
#include "core/sim/sim_internal.h"

#include <inttypes.h>

void sim_note(struct sim *sim, const struct sim_host *host, const char *what, uint64_t a, uint64_t b)
{
	struct sim_trace_record *record = &sim->trace[sim->trace_count++ % SIM_TRACE_RECORDS];
	uint64_t words[4] = {sim->now_ns, host ? host->index + 1 : 0, a, b};

	*record = (struct sim_trace_record){.at_ns = sim->now_ns, .a = a, .b = b, .host = host, .what = what};
	sim->trace_hash = sim_hash(sim->trace_hash, words, sizeof(words));
	sim->trace_hash = sim_hash(sim->trace_hash, what, strlen(what));
}

void sim_trace_print(const struct sim *sim, FILE *file)
{
	uint64_t first = sim->trace_count > SIM_TRACE_RECORDS ? sim->trace_count - SIM_TRACE_RECORDS : 0;

	if (first)
		fprintf(file, "(%" PRIu64 " earlier events)\n", first);
	for (uint64_t i = first; i < sim->trace_count; i++) {
		const struct sim_trace_record *record = &sim->trace[i % SIM_TRACE_RECORDS];

		fprintf(file, "%" PRIu64 ".%09" PRIu64 " %-12s %-16s %" PRIu64 " %" PRIx64 "\n",
			(uint64_t)(record->at_ns / NS_PER_S), (uint64_t)(record->at_ns % NS_PER_S),
			record->host ? record->host->name : "-", record->what, record->a, record->b);
	}
}

uint64_t sim_trace_hash(const struct sim *sim)
{
	return sim->trace_hash;
}

uint64_t sim_trace_count(const struct sim *sim)
{
	return sim->trace_count;
}
