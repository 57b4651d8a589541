/*
 * Names by c-ares, in a thread of its own: queries arrive as letters and wake it through an eventfd; it polls c-ares's
 * sockets and posts each answered query back to its shard as the same letter.
 *
 * A query's life: resolve_start() -> letter to the thread (on_asked) -> ares_getaddrinfo -> on_answered -> letter to
 * the shard (on_delivered) -> done(). The thread is the only one that touches the channel. Closing is a letter too:
 * posted last, it cancels what is in flight, which c-ares answers at once with ARES_ECANCELLED.
 */
#include "core/resolve.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	TRY_MS = 2000,
	TRIES = 3,
	TTL_MIN_S = 5, /* also what /etc/hosts gets, which names no time to live */
	TTL_MAX_S = 3600,
};

struct resolver {
	struct mailbox mailbox;
	struct letter close_letter;
	ares_channel channel;
	pthread_t thread;
	int wake_fd;
	bool closing;
};

static void on_delivered(struct letter *letter)
{
	struct resolve_query *query = container_of(letter, struct resolve_query, letter);

	query->done(query);
}

static void deliver(struct resolve_query *query, int result)
{
	query->result = result;
	query->letter.open = on_delivered;
	shard_post(query->shard, &query->letter, NULL);
}

static int result_of_status(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return -ENOENT;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	default:
		return -EIO;
	}
}

static uint32_t clamp_ttl(int ttl_s)
{
	return ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : (uint32_t)ttl_s;
}

static void keep_address(struct resolve_query *query, const struct ares_addrinfo_node *node)
{
	struct sockaddr_storage *address = &query->addresses[query->count];
	uint32_t ttl_s = clamp_ttl(node->ai_ttl);

	if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
		return;
	memset(address, 0, sizeof(*address));
	memcpy(address, node->ai_addr, node->ai_addrlen);
	resolve_set_port(address, query->port);
	if (query->count == 0 || ttl_s < query->ttl_s)
		query->ttl_s = ttl_s;
	query->count++;
}

static void on_answered(void *argument, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolve_query *query = argument;
	int result = result_of_status(status);

	(void)timeouts;
	for (struct ares_addrinfo_node *node = info ? info->nodes : NULL; node; node = node->ai_next)
		if (query->count < RESOLVE_ADDRESSES_MAX)
			keep_address(query, node);
	if (info)
		ares_freeaddrinfo(info);
	deliver(query, result == 0 && query->count == 0 ? -ENOENT : result);
}

static void on_asked(struct letter *letter)
{
	struct resolve_query *query = container_of(letter, struct resolve_query, letter);
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	if (query->resolver->closing)
		deliver(query, -EIO);
	else
		ares_getaddrinfo(query->resolver->channel, query->name, NULL, &hints, on_answered, query);
}

static void on_close(struct letter *letter)
{
	container_of(letter, struct resolver, close_letter)->closing = true;
}

/* Waits for a letter, for c-ares's sockets, or for its next retry. */
static void wait_for_work(struct resolver *r)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	struct pollfd polls[ARES_GETSOCK_MAXNUM + 1] = {{.fd = r->wake_fd, .events = POLLIN}};
	unsigned mask = (unsigned)ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM), count = 1;
	struct timeval timeout, *next = ares_timeout(r->channel, NULL, &timeout);
	int wait_ms = next ? (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1) : -1;
	eventfd_t wakes;

	for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		/* As ARES_GETSOCK_READABLE and _WRITABLE, which shift into the sign. */
		bool readable = mask >> i & 1, writable = mask >> (ARES_GETSOCK_MAXNUM + i) & 1;
		short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));

		if (events)
			polls[count++] = (struct pollfd){.fd = sockets[i], .events = events};
	}
	if (mailbox_sleep(&r->mailbox)) {
		poll(polls, count, wait_ms);
		mailbox_awake(&r->mailbox);
	}
	if (polls[0].revents)
		eventfd_read(r->wake_fd, &wakes);
	for (unsigned i = 1; i < count; i++)
		if (polls[i].revents)
			ares_process_fd(r->channel, polls[i].revents & ~POLLOUT ? polls[i].fd : ARES_SOCKET_BAD,
				polls[i].revents & POLLOUT ? polls[i].fd : ARES_SOCKET_BAD);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* retries and timeouts */
}

static void *run(void *argument)
{
	struct resolver *r = argument;

	for (;;) {
		mailbox_open_all(&r->mailbox);
		if (r->closing)
			break;
		wait_for_work(r);
	}
	ares_cancel(r->channel);
	mailbox_open_all(&r->mailbox);
	return NULL;
}

static int open_channel(struct resolver *r, char *why, size_t why_bytes)
{
	struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
	int status = ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);

	if (status == ARES_SUCCESS)
		return 0;
	snprintf(why, why_bytes, "cannot set up name resolution: %s; look at /etc/resolv.conf", ares_strerror(status));
	return status == ARES_ENOMEM ? -ENOMEM : -EIO;
}

static int start_thread(struct resolver *r, char *why, size_t why_bytes)
{
	int rc;

	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_fd < 0) {
		rc = -errno;
		snprintf(why, why_bytes, "eventfd: %s", strerror(-rc));
		return rc;
	}
	rc = -pthread_create(&r->thread, NULL, run, r);
	if (rc < 0) {
		snprintf(why, why_bytes, "cannot make the resolver's thread: %s", strerror(-rc));
		close(r->wake_fd);
	}
	return rc;
}

int resolver_open(struct resolver **resolver, char *why, size_t why_bytes)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	mailbox_init(&r->mailbox);
	ares_library_init(ARES_LIB_INIT_ALL);
	rc = open_channel(r, why, why_bytes);
	if (rc < 0)
		goto free_resolver;
	rc = start_thread(r, why, why_bytes);
	if (rc < 0)
		goto destroy_channel;
	*resolver = r;
	return 0;

destroy_channel:
	ares_destroy(r->channel);
free_resolver:
	ares_library_cleanup();
	free(r);
	return rc;
}

static void post_to_thread(struct resolver *r, struct letter *letter)
{
	if (mailbox_post(&r->mailbox, letter))
		eventfd_write(r->wake_fd, 1);
}

void resolver_close(struct resolver *resolver)
{
	int rc;

	if (!resolver)
		return;
	resolver->close_letter.open = on_close;
	post_to_thread(resolver, &resolver->close_letter);
	rc = pthread_join(resolver->thread, NULL);
	assert(rc == 0);
	ares_destroy(resolver->channel);
	ares_library_cleanup();
	close(resolver->wake_fd);
	free(resolver);
}

void resolve_start(struct resolver *resolver, struct resolve_query *query)
{
	query->resolver = resolver;
	if (resolve_known(query)) {
		deliver(query, query->result);
		return;
	}
	query->letter.open = on_asked;
	post_to_thread(resolver, &query->letter);
}
