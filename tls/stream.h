/*
 * A byte stream, plain or TLS, client or server, on a shard's ring: the only way in which anything above does network
 * I/O.
 *
 * A stream is embedded in its owner. It starts with stream_accepted() or stream_connect() and ends with stream_close(),
 * after which exactly one on_closed comes, and nothing else: then its memory is the owner's again. Callbacks run from
 * the ring's turn, never from inside a call. stream_close() may be called from any callback.
 */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include "core/shard.h"
#include "core/slice.h"

struct stream;
struct stream_layer; /* tls/layer.h: what lies between the ring and the owner */

struct stream_handler {
	/* Client: the connection stands (0), or failed (-errno) and the owner closes. */
	void (*on_connected)(struct stream *stream, int result);
	/*
	 * Bytes came; they lie in `buffer`, which the owner borrows if it keeps them beyond the call. Empty `data` and
	 * NULL buffer: the peer has ended its side in order.
	 */
	void (*on_received)(struct stream *stream, struct slice data, struct buffer *buffer);
	/* A send ended: 0, or -errno and the stream is broken. Its memory is the owner's again. */
	void (*on_sent)(struct stream *stream, int result);
	/* Receiving failed (-ECONNRESET ...): nothing more will come; the owner closes. */
	void (*on_failed)(struct stream *stream, int error);
	void (*on_closed)(struct stream *stream);
};

struct stream {
	const struct stream_handler *handler;
	struct shard *shard;
	int socket; /* -1: none */
	/* The stream's own. */
	struct op receive_op;
	struct op send_op;                     /* before that it connects: nothing is sent until then */
	size_t sending_bytes;                  /* of the send in flight */
	struct buffer *held_first, *held_last; /* arrived while paused; delivered first on resume */
	int ended; /* what ended receiving and was not told yet: 0, 1 for the peer's end, or -errno */
	bool connecting, paused, closing, reset_on_close, receive_ended, receive_cancelled;
	struct turn_hook close_hook, resume_hook;
	const struct stream_layer *layer; /* NULL: none, the stream is plain */
	void *layer_state;
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address; /* of the peer, while connecting */
};

/* Takes over an accepted socket and starts receiving. */
void stream_accepted(struct stream *stream, struct shard *shard, int socket, const struct stream_handler *handler);

/*
 * Starts to connect; on_connected follows, then receiving has started. -errno when no socket could be had: nothing
 * started.
 */
int stream_connect(struct stream *stream, struct shard *shard, const struct sockaddr *address, socklen_t address_bytes,
	const struct stream_handler *handler);

/*
 * Sends all bytes of `iov` in order; on_sent follows once. One send at a time (assert). Vector and bytes belong to the
 * stream until then. At most 1024 elements.
 */
void stream_send(struct stream *stream, const struct iovec *iov, unsigned count);
bool stream_sending(const struct stream *stream);

/*
 * Back-pressure: after pause no on_received comes until resume; what had arrived meanwhile is delivered on resume's
 * turn.
 */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Ends our side of the stream (FIN) after what was sent; receiving goes on. No send may be in flight. */
void stream_shutdown(struct stream *stream);

/*
 * Ends it all: cancels what is in flight, then on_closed. With `reset` the peer sees a RST (for one that does not
 * read).
 */
void stream_close(struct stream *stream, bool reset);

#endif
