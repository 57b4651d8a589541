/*
 * One TLS connection as an engine without I/O: sealed bytes are fed in and taken out, plain bytes are read and written.
 * Server or client; wolfSSL does the work, through callbacks that move bytes between its memory and ours.
 *
 *   feed what came, then handshake until TLS_STEP_DONE, then feed and read; after each, `output` holds what is to be
 *   sent
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "core/buffer.h"
#include "tls/cause.h"
#include "tls/client.h"
#include "tls/output.h"
#include "tls/worker.h"

struct tls_session {
	struct tls_worker *worker;
	struct tls_listener *listener; /* server */
	struct tls_target *target;     /* client */
	struct WOLFSSL *ssl;           /* NULL: the hello is not there yet, or it was none */
	struct tls_output output;
	enum tls_cause cause; /* what made it fail */
	bool established;
	bool learnt;           /* client: the target has its session */
	struct slice identity; /* server: who the client has proved to be, see identity.h; empty: none was asked for */
	/* The session's own: sealed bytes that were not used yet. */
	struct buffer *in_first, *in_last;
	size_t in_offset; /* of in_first, used already */
	size_t in_bytes;  /* of all, unused */
};

/* What is left to send of a vector. */
struct tls_cursor {
	const struct iovec *iov;
	unsigned count;
	size_t offset; /* of the first, used already */
};

enum tls_step {
	TLS_STEP_WAIT /* for more bytes */,
	TLS_STEP_DONE,
	TLS_STEP_FAILED /* see cause; an alert waits in output */
};

void tls_session_accept(struct tls_session *session, struct tls_listener *listener);
int tls_session_connect(
	struct tls_session *session, struct tls_worker *worker, struct tls_target *target); /* -ENOMEM */
void tls_session_fini(struct tls_session *session);                                         /* no send is in flight */

/* Borrows the buffer until its bytes are used. False: there are more than a peer may leave unused. */
bool tls_session_feed(struct tls_session *session, struct buffer *buffer);

/* What is still unused moves out of the ring's own buffers; called when the session waits for more. */
void tls_session_keep(struct tls_session *session);

/* What came and is unused is of no use any more. */
void tls_session_forget(struct tls_session *session);

enum tls_step tls_session_handshake(struct tls_session *session);

/*
 * Plain bytes into `buffer`, as many as there are and fit: > 0. 0: the peer has said that it ends. -EAGAIN: more has to
 * be fed. Other -errno: the session has failed, see cause.
 */
int tls_session_read(struct tls_session *session, struct buffer *buffer);

/* Seals one record of what the cursor has left, gathered, and moves it on. -errno: the session has failed. */
int tls_session_seal(struct tls_session *session, struct tls_cursor *cursor);

/* Seals our end (close_notify). */
void tls_session_end(struct tls_session *session);

bool tls_session_is_resumed(const struct tls_session *session);

/* Has a context's connections move their bytes through sessions. At set-up. */
struct WOLFSSL_CTX;
void tls_session_set_up_server(struct WOLFSSL_CTX *ctx);
void tls_session_set_up_client(struct WOLFSSL_CTX *ctx);

#endif
