/*
 * Work that is none of ours and never changes: FNV-1a over 4 KiB, a chain of multiplications that neither compiler nor
 * processor can shorten. It tells how fast the processor was.
 */
#include "bench/micro/micro.h"

enum { YARD_BYTES = 4096 };

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
		uint64_t hash = 0xcbf29ce484222325ull;

		for (unsigned i = 0; i < YARD_BYTES; i++)
			hash = (hash ^ bytes[i]) * 0x100000001b3ull;
		micro_use(&hash);
	}
}

const struct micro micro_yardstick[] = {
	{"yardstick", "FNV-1a over 4 KiB", open_yard, run_yard, free, 1},
	{.name = NULL},
};
