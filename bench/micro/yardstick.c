/*
 * Work that is none of ours and never changes: FNV-1a over 4 KiB in four lanes. One lane alone waits for its own
 * multiplications and would not notice who shares the core; four keep it as busy as parsing does.
 */
#include "bench/micro/micro.h"

enum { YARD_BYTES = 4096, LANES = 4 };

static void *open_yard(void)
{
	unsigned char *bytes = malloc(YARD_BYTES);

	for (unsigned i = 0; bytes && i < YARD_BYTES; i++)
		bytes[i] = (unsigned char)(i * 7);
	return bytes;
}

static void run_yard(void *state, uint64_t times)
{
	const unsigned char *bytes = state;

	while (times--) {
		uint64_t hash[LANES] = {1, 2, 3, 4};

		for (unsigned i = 0; i < YARD_BYTES; i += LANES)
			for (unsigned lane = 0; lane < LANES; lane++)
				hash[lane] = (hash[lane] ^ bytes[i + lane]) * 0x100000001b3ull;
		micro_use(hash);
	}
}

const struct micro micro_yardstick[] = {
	{"yardstick", "FNV-1a over 4 KiB in four lanes", open_yard, run_yard, free, 1, NULL},
	{.name = NULL},
};
