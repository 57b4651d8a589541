/* Randomness from the kernel. */
#include "core/rand.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

void rand_system(void *bytes, size_t size)
{
	char *next = bytes;

	while (size > 0) {
		ssize_t got = getrandom(next, size, 0);

		if (got < 0) {
			assert(errno == EINTR); /* the only failure that getrandom(2) leaves for valid arguments */
			continue;
		}
		next += got;
		size -= (size_t)got;
	}
}
