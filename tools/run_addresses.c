/*
 * Shards share each address among them (SO_REUSEPORT), and so would a second gateway: each would get a part of the
 * calls, by mistake more often than by wish. So each address is first asked for alone.
 */
#include "tools/run_addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/ring.h"

enum {
	/* A process that was killed is gone before its sockets are: the kernel closes those of an io_uring afterwards.
	 */
	TRIES = 100,
	TRY_AGAIN_MS = 10,
};

static int try_patiently(const struct sockaddr_storage *address)
{
	static const struct timespec pause = {.tv_nsec = TRY_AGAIN_MS * (long)NS_PER_MS};
	int rc = ring_try_address(address);

	for (unsigned tries = 1; rc == -EADDRINUSE && tries < TRIES; tries++) {
		nanosleep(&pause, NULL);
		rc = ring_try_address(address);
	}
	return rc;
}

static int try_address(const struct sockaddr_storage *address, char *why, size_t why_bytes)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	bool is_v6 = address->ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + sizeof("[]:65535")];
	int rc = try_patiently(address);

	if (rc == 0)
		return 0;
	inet_ntop(address->ss_family, is_v6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host,
		sizeof(host));
	snprintf(text, sizeof(text), is_v6 ? "[%s]:%u" : "%s:%u", host, ntohs(is_v6 ? in6->sin6_port : in->sin_port));
	if (rc == -EADDRINUSE)
		snprintf(why, why_bytes, "%s is in use by another process", text);
	else
		snprintf(why, why_bytes, "cannot listen on %s: %s", text, strerror(-rc));
	return rc;
}

int run_addresses_try(const struct settings *settings, char *why, size_t why_bytes)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < settings->listener_count; i++)
		rc = try_address(&settings->listeners[i].address, why, why_bytes);
	if (rc == 0 && settings->admin_has_address)
		rc = try_address(&settings->admin_address, why, why_bytes);
	return rc;
}
