/*
 * TLS over a connected socket, for programs that have no ring: the engine that the gateway has, fed by hand. A peer is
 * whom connections are made to, one after the other or many at once; they resume the last one's session.
 */
#ifndef TOOLS_HTTP_TLS_H
#define TOOLS_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_tls;
struct http_tls_peer;

struct http_trust {
	const char *ca; /* a PEM file of issuers; NULL: the system's */
	bool insecure;  /* anybody is trusted */
};

/* 0, or -errno with `why`. */
int http_tls_peer_open(
	struct http_tls_peer **peer, const char *host, const struct http_trust *trust, char *why, size_t why_bytes);
void http_tls_peer_close(struct http_tls_peer *peer); /* NULL is let pass; none of its connections is left */

/* The next connection's handshake is a full one. */
void http_tls_peer_forget(struct http_tls_peer *peer);

/* Shakes hands, blocking. 0, or -errno with `why`. The socket stays the caller's. */
int http_tls_open(struct http_tls **tls, int fd, struct http_tls_peer *peer, char *why, size_t why_bytes);

bool http_tls_is_resumed(const struct http_tls *tls);

/* All of it, blocking; 0 or -errno. */
int http_tls_send(struct http_tls *tls, const void *bytes, size_t size);

/*
 * What there is, at most `capacity`; 0: the other side has said that it ends; -errno: -ECONNRESET when it just ended,
 * -EAGAIN when the socket does not block, or has blocked for as long as it may.
 */
ssize_t http_tls_receive(struct http_tls *tls, void *bytes, size_t capacity);

void http_tls_close(struct http_tls *tls); /* NULL is let pass */

#endif
