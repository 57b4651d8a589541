/* See http_tls.h. Bytes go from the socket into the session, and from its output to the socket. */
#include "tools/http_tls.h"

#include "tls/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 30000 };

struct http_tls_peer {
	struct tls_worker *worker; /* of no shard: nothing here waits for a turn */
	struct tls_client *client;
	struct tls_target target;
	char host[TLS_HOST_MAX_BYTES + 1];
};

struct http_tls {
	int fd;
	struct http_tls_peer *peer;
	struct tls_session session;
	struct buffer *plain; /* opened and not taken yet */
	size_t plain_taken;
};

static int send_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		struct pollfd room = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && poll(&room, 1, PATIENCE_MS) > 0)
			continue;
		if (n < 0 && errno != EINTR)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* All that the session has to say. */
static int flush(struct http_tls *t)
{
	struct tls_output *output = &t->session.output;
	unsigned count;
	int rc = 0;

	while (rc == 0 && (count = tls_output_take(output))) {
		for (unsigned i = 0; rc == 0 && i < count; i++)
			rc = send_all(t->fd, output->vectors[i].iov_base, output->vectors[i].iov_len);
		tls_output_landed(&t->peer->worker->outputs, output);
	}
	return rc;
}

/* Some bytes from the socket to the session; -ECONNRESET at its end, for TLS says when it ends. */
static int feed(struct http_tls *t)
{
	struct buffer *buffer = tls_worker_buffer(t->peer->worker);
	ssize_t n = -1;
	int rc = 0;

	if (!buffer)
		return -ENOMEM;
	do
		n = recv(t->fd, buffer->data, buffer->capacity_bytes, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		rc = -errno;
	else if (n == 0)
		rc = -ECONNRESET;
	if (n > 0) {
		buffer->used_bytes = (uint32_t)n;
		rc = tls_session_feed(&t->session, buffer) ? 0 : -EPROTO;
	}
	buffer_give(&buffer);
	return rc;
}

static int shake_hands(struct http_tls *t, char *why, size_t why_bytes)
{
	for (int rc = 0;;) {
		enum tls_step step = tls_session_handshake(&t->session);

		rc = flush(t);
		if (step == TLS_STEP_FAILED) {
			bool stranger = t->session.cause == TLS_CAUSE_UNKNOWN_ISSUER;

			snprintf(why, why_bytes, "%s%s", tls_cause_text(t->session.cause),
				stranger ? "; name its issuer with --ca" : "");
			return -EPROTO;
		}
		if (rc == 0 && step == TLS_STEP_DONE)
			return 0;
		if (rc == 0)
			rc = feed(t);
		if (rc < 0) {
			snprintf(why, why_bytes, "the TLS handshake failed: %s", strerror(-rc));
			return rc;
		}
	}
}

int http_tls_peer_open(
	struct http_tls_peer **out, const char *host, const struct http_trust *trust, char *why, size_t why_bytes)
{
	const struct tls_client_options options = {.ca = trust->ca, .insecure = trust->insecure};
	struct http_tls_peer *peer = calloc(1, sizeof(*peer));
	int rc = -ENOMEM;

	snprintf(why, why_bytes, "out of memory");
	if (!peer)
		return rc;
	snprintf(peer->host, sizeof(peer->host), "%s", host);
	rc = tls_client_make(&peer->client, &options, why, why_bytes);
	if (rc == 0 && (rc = tls_worker_open(&peer->worker, NULL)) == 0)
		rc = tls_target_set(&peer->target, peer->client, slice_of_string(peer->host));
	if (rc == 0)
		*out = peer;
	else
		http_tls_peer_close(peer);
	return rc;
}

void http_tls_peer_forget(struct http_tls_peer *peer)
{
	tls_target_set(&peer->target, peer->client, slice_of_string(peer->host));
}

void http_tls_peer_close(struct http_tls_peer *peer)
{
	if (!peer)
		return;
	if (peer->target.client)
		tls_target_fini(&peer->target);
	tls_client_give(&peer->client);
	tls_worker_close(peer->worker);
	free(peer);
}

int http_tls_open(struct http_tls **tls, int fd, struct http_tls_peer *peer, char *why, size_t why_bytes)
{
	struct http_tls *t = calloc(1, sizeof(*t));
	int rc = -ENOMEM;

	snprintf(why, why_bytes, "out of memory");
	if (!t)
		return rc;
	t->fd = fd;
	t->peer = peer;
	rc = tls_session_connect(&t->session, peer->worker, &peer->target);
	if (rc == 0)
		rc = shake_hands(t, why, why_bytes);
	if (rc == 0)
		*tls = t;
	else
		http_tls_close(t);
	return rc;
}

bool http_tls_is_resumed(const struct http_tls *t)
{
	return tls_session_is_resumed(&t->session);
}

int http_tls_send(struct http_tls *t, const void *bytes, size_t size)
{
	const struct iovec iov = {(void *)(uintptr_t)bytes, size};
	struct tls_cursor cursor = {&iov, 1, 0};
	int rc = 0;

	while (rc == 0 && cursor.count) {
		rc = tls_session_seal(&t->session, &cursor);
		if (rc == 0)
			rc = flush(t);
	}
	return rc;
}

/* Opens what there is of it into `plain`; as http_tls_receive(). */
static int open_some(struct http_tls *t)
{
	for (int rc;;) {
		buffer_give(&t->plain);
		t->plain = tls_worker_buffer(t->peer->worker);
		t->plain_taken = 0;
		if (!t->plain)
			return -ENOMEM;
		rc = tls_session_read(&t->session, t->plain);
		if (rc != -EAGAIN)
			return rc;
		rc = flush(t); /* such as the answer to a new key */
		if (rc == 0)
			rc = feed(t);
		if (rc < 0)
			return rc;
	}
}

ssize_t http_tls_receive(struct http_tls *t, void *bytes, size_t capacity)
{
	size_t left;

	if (!t->plain || t->plain_taken == t->plain->used_bytes) {
		int rc = open_some(t);

		if (rc <= 0)
			return rc;
	}
	left = t->plain->used_bytes - t->plain_taken;
	if (left > capacity)
		left = capacity;
	memcpy(bytes, t->plain->data + t->plain_taken, left);
	t->plain_taken += left;
	return (ssize_t)left;
}

void http_tls_close(struct http_tls *t)
{
	if (!t)
		return;
	if (t->session.established) {
		tls_session_end(&t->session);
		flush(t); /* who has gone already misses nothing */
	}
	buffer_give(&t->plain);
	tls_session_fini(&t->session);
	free(t);
}
