/*
 * The first bytes of a connection to a TLS port: is it a ClientHello, and what does it ask for? Read before anything is
 * set up for the connection, so that the certificate is chosen once and what is no TLS costs nothing. Pure.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include "core/slice.h"

enum {
	TLS_RECORD_HEAD_BYTES = 5,
	TLS_RECORD_MAX_BYTES = 16384, /* of a record's plaintext: RFC 8446 section 5.1 */
	TLS_HELLO_MAX_BYTES = 16384,  /* of a ClientHello; the largest in use (post-quantum shares) are below 2 KB */
};

enum tls_hello_verdict {
	TLS_HELLO_MORE, /* so far it may become one */
	TLS_HELLO_WHOLE,
	TLS_HELLO_HTTP, /* a plain HTTP request */
	TLS_HELLO_BAD,
};

struct tls_hello {
	struct slice server_name;    /* lower or upper case as it came; empty: none */
	bool offers_12, offers_13;   /* versions */
	bool takes_ecdsa, takes_rsa; /* signatures; both when it does not say */
};

/*
 * Looks at `bytes`, all that came so far. `message` is where the handshake message is put together when it came in
 * several records: TLS_HELLO_MAX_BYTES; the hello's slices lie in it or in `bytes`.
 */
enum tls_hello_verdict tls_hello_read(struct slice bytes, char *message, struct tls_hello *hello);

#endif
