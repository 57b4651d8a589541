/* The kernel's randomness in the simulated world: a stream of the seed's own. */
#include "core/sim/sim_internal.h"

void rand_system(void *bytes, size_t size)
{
	char *next = bytes;

	assert(sim_process_current());
	while (size > 0) {
		uint64_t word = rand_u64(&sim_process_current()->host->sim->system);
		size_t piece = size < sizeof(word) ? size : sizeof(word);

		memcpy(next, &word, piece);
		next += piece;
		size -= piece;
	}
}
