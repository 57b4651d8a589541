/*
 * Who is at the other end of a socket. The ring's multishot accept cannot say, so this asks the kernel, which answers from the
 * socket without waiting: the one direct system call of a connection's life.
 */
#include "core/ring.h"

#include <errno.h>

int ring_peer(struct ring *ring, int socket, struct sockaddr_storage *address)
{
	socklen_t bytes = sizeof(*address);

	(void)ring;
	*address = (struct sockaddr_storage){ 0 };
	return getpeername(socket, (struct sockaddr *)address, &bytes) < 0 ? -errno : 0;
}
