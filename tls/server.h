/*
 * What a listener shows and asks for: its certificates, versions, tickets, whom it lets in. Made on the control thread,
 * read-only afterwards, shared by all shards by reference.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "core/slice.h"

#include <stdint.h>

struct tls_server;
struct tls_hello;
struct tls_tickets;
struct WOLFSSL_CTX;

struct tls_server_options {
	const struct tls_key_pair {
		const char *cert, *key; /* paths of PEM files; cert: with the chain behind it */
	} * pairs;                      /* the first is shown to who asks for a name that none has */
	unsigned pair_count;            /* at least 1 */
	bool allow_12;                  /* TLS 1.2 beside 1.3 */
	const char *client_ca; /* issuers of the certificates that clients must show; NULL: none is asked for */
	const struct tls_tickets *tickets; /* outlives all that use it; NULL: no tickets */
};

/* -errno and `why`, which names the file. The caller has the first reference. */
int tls_server_make(struct tls_server **server, const struct tls_server_options *options, char *why, size_t why_bytes);
struct tls_server *tls_server_borrow(struct tls_server *server);
void tls_server_give(struct tls_server **server);

bool tls_server_allows(
	const struct tls_server *server, const struct tls_hello *hello); /* one of the versions it offers */

/* With the certificate for the name that it asks for, of the kind that it takes. */
struct WOLFSSL_CTX *tls_server_choose(const struct tls_server *server, const struct tls_hello *hello);

/* When the first of its certificates ends, in Unix time. */
int64_t tls_server_not_after_s(const struct tls_server *server);

#endif
