/* Why a TLS connection failed: for messages, receipts and metrics. */
#ifndef TLS_CAUSE_H
#define TLS_CAUSE_H

enum tls_cause {
	TLS_CAUSE_NONE,
	TLS_CAUSE_PLAIN_HTTP, /* came to a port that speaks TLS */
	TLS_CAUSE_NOT_TLS,
	TLS_CAUSE_VERSION,
	TLS_CAUSE_NOTHING_SHARED, /* no cipher, group, signature or protocol in common */
	TLS_CAUSE_EXPIRED,
	TLS_CAUSE_NOT_YET_VALID,
	TLS_CAUSE_WRONG_HOST,
	TLS_CAUSE_UNKNOWN_ISSUER,
	TLS_CAUSE_BAD_CERTIFICATE,
	TLS_CAUSE_NO_CERTIFICATE, /* a client that has to show one did not */
	TLS_CAUSE_REFUSED,        /* the peer sent a fatal alert */
	TLS_CAUSE_CLOSED,         /* the peer ended the connection in the handshake */
	TLS_CAUSE_PROTOCOL,       /* a malformed or unexpected record or message, a failed tag */
	TLS_CAUSE_RATE,           /* more handshakes wait than begin in a second */
	TLS_CAUSE_RATE_OF_IP,     /* one address begins more than it may */
	TLS_CAUSE_MEMORY,
	TLS_CAUSE_COUNT
};

/* "expired", for labels. */
const char *tls_cause_name(enum tls_cause cause);

/* "the peer's certificate has expired", for people. */
const char *tls_cause_text(enum tls_cause cause);

/* Of wolfSSL_get_error(). */
enum tls_cause tls_cause_of(int wolfssl_error);

#endif
