/* TLS over a connected blocking socket, for the command line: the engine that the gateway has, fed by hand. */
#ifndef TOOLS_HTTP_TLS_H
#define TOOLS_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_tls;

struct http_trust {
	const char *ca; /* a PEM file of issuers; NULL: the system's */
	bool insecure;  /* anybody is trusted */
};

/* Shakes hands. 0, or -errno with `why`. The socket stays the caller's. */
int http_tls_open(
	struct http_tls **tls, int fd, const char *host, const struct http_trust *trust, char *why, size_t why_bytes);

/* All of it; 0 or -errno. */
int http_tls_send(struct http_tls *tls, const void *bytes, size_t size);

/* What there is, at most `capacity`; 0: the other side has said that it ends; -errno, -ECONNRESET when it just ended.
 */
ssize_t http_tls_receive(struct http_tls *tls, void *bytes, size_t capacity);

void http_tls_close(struct http_tls *tls); /* NULL is let pass */

#endif
