/*
 * Listening sockets, made at set-up with plain system calls.
 */
#include "core/ring.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static const int option_on = 1;

/* A socket bound to `address`, or -errno. */
static int open_bound(const struct sockaddr_storage *address, bool reuse_port)
{
	socklen_t size = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int bound = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	int rc;

	if (bound < 0)
		return -errno;
	if (setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &option_on, sizeof(option_on)) < 0 ||
		(reuse_port && setsockopt(bound, SOL_SOCKET, SO_REUSEPORT, &option_on, sizeof(option_on)) < 0) ||
		bind(bound, (const struct sockaddr *)address, size) < 0) {
		rc = -errno;
		close(bound);
		return rc;
	}
	return bound;
}

int ring_listen(struct ring *ring, const struct sockaddr_storage *address, int backlog, bool reuse_port)
{
	int listener = open_bound(address, reuse_port);
	int rc;

	(void)ring;
	if (listener < 0)
		return listener;
	if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &option_on, sizeof(option_on)) < 0 ||
		listen(listener, backlog) < 0) {
		rc = -errno;
		close(listener);
		return rc;
	}
	return listener;
}

int ring_try_address(const struct sockaddr_storage *address)
{
	int bound = open_bound(address, false);

	if (bound < 0)
		return bound;
	close(bound);
	return 0;
}
