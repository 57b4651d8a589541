/* See secret.h. */
#include "tls/secret.h"

#include <string.h>
#include <sys/mman.h>

void *secret_take(size_t bytes)
{
	void *secret = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (secret == MAP_FAILED)
		return NULL;
	madvise(secret, bytes, MADV_DONTDUMP);
	return secret;
}

void secret_give(void *secret, size_t bytes)
{
	if (!secret)
		return;
	explicit_bzero(secret, bytes);
	munmap(secret, bytes);
}
