/*
 * How we speak TLS to a peer that we call: whom we trust. Made on the control thread, read-only afterwards, shared by
 * all shards by reference. A `tls_target` is one host as one shard calls it: with the session that the next connection
 * resumes.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "core/slice.h"

struct tls_client;
struct WOLFSSL;
struct WOLFSSL_CTX;
struct WOLFSSL_SESSION;

struct tls_client_options {
	const char *ca; /* issuers that are trusted, a PEM file; NULL: the system's */
	bool insecure;  /* anybody is */
};

/* -errno and `why`, which names the file. The caller has the first reference. */
int tls_client_make(struct tls_client **client, const struct tls_client_options *options, char *why, size_t why_bytes);
struct tls_client *tls_client_borrow(struct tls_client *client);
void tls_client_give(struct tls_client **client);

enum { TLS_HOST_MAX_BYTES = 255 };

struct tls_target {
	struct tls_client *client;         /* a reference */
	char host[TLS_HOST_MAX_BYTES + 1]; /* whose certificate it has to be: a name, or an address as text */
	struct WOLFSSL_SESSION *session;   /* NULL: none yet */
};

/* Names whom to call; may be called again, for another client or host. `client` is borrowed. */
int tls_target_set(struct tls_target *target, struct tls_client *client, struct slice host);
void tls_target_fini(struct tls_target *target);

/* A new connection's: set up for the target, to resume its session. NULL when memory is out. */
struct WOLFSSL *tls_target_open(const struct tls_target *target);

/*
 * After the handshake: whether the peer's certificate is for the address that was called, which wolfSSL does not look
 * at. True for names, which it does.
 */
bool tls_target_is_met(const struct tls_target *target, struct WOLFSSL *ssl);

/* Keeps the session of a connection that stood, for the next. */
void tls_target_learn(struct tls_target *target, struct WOLFSSL *ssl);

#endif
