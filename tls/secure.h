/*
 * Streams with TLS: started by the two functions below in the place of stream_accepted() and stream_connect(), used and
 * ended as in tls/stream.h. What differs from a plain stream:
 *
 *   on_connected  comes when the handshake is done; -EPROTO when it failed
 *   on_received   the peer's end is the one that it said (close_notify); when it just hung up, on_failed has
 *                 -ECONNRESET, for then what came may be cut short (RFC 8446 section 6.1)
 *   stream_send   may be called before the handshake is done, and waits for it
 *   failures      the peer is told by an alert (who spoke plain HTTP: by a 400) before the owner is told; a server's
 *                 owner then sees the end of a connection that never asked for anything
 */
#ifndef TLS_SECURE_H
#define TLS_SECURE_H

#include "tls/cause.h"
#include "tls/client.h"
#include "tls/stream.h"
#include "tls/worker.h"

/* -ENOMEM: nothing was started, and the socket is still the caller's. The listener outlives the stream. */
int stream_accepted_secure(struct stream *stream, struct shard *shard, int socket, const struct stream_handler *handler,
	struct tls_listener *listener);

/* -ENOMEM, or as stream_connect(): nothing was started. The target outlives the stream. */
int stream_connect_secure(struct stream *stream, struct shard *shard, const struct sockaddr *address,
	socklen_t address_bytes, const struct stream_handler *handler, struct tls_worker *worker,
	struct tls_target *target);

/* Why TLS failed, until on_closed has returned; TLS_CAUSE_NONE also for a plain stream. */
enum tls_cause stream_tls_cause(const struct stream *stream);

/*
 * Who a server's peer has proved to be by its certificate (tls/identity.h), until on_closed has returned; empty when
 * none was asked for, before the handshake is done, and for a plain stream.
 */
struct slice stream_tls_identity(const struct stream *stream);

#endif
