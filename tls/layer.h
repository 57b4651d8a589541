/*
 * What a layer does that lies between a stream's ring operations and its owner; and what it asks of the stream. Inside
 * this folder only. All of it runs in the ring's turn, but `send`, `shutdown` and `closing`, which the owner's calls
 * run.
 */
#ifndef TLS_LAYER_H
#define TLS_LAYER_H

#include "tls/stream.h"

enum { STREAM_ENDED_BY_PEER = 1 };

struct stream_layer {
	void (*connected)(
		struct stream *stream); /* the socket stands; the layer tells on_connected when it does as well */
	void (*received)(struct stream *stream, struct buffer *buffer); /* takes the reference */
	void (*ended)(struct stream *stream, int ended);                /* receiving: STREAM_ENDED_BY_PEER, or -errno */
	void (*sent)(struct stream *stream, int result); /* send_op came home: 0, or -errno; the layer tells on_sent */
	void (*send)(struct stream *stream, const struct iovec *iov, unsigned count);
	bool (*sending)(const struct stream *stream); /* on_sent is due */
	void (*shutdown)(struct stream *stream);
	/* stream_close() without reset, while nothing is being sent: the layer may start send_op for its last word. */
	void (*closing)(struct stream *stream);
	void (*closed)(struct stream *stream); /* on_closed is next: the layer lets go of all it has */
};

/*
 * Tells the owner, or holds while it is paused. Takes the reference. The owner may have closed the stream when it
 * returns.
 */
void stream_deliver(struct stream *stream, struct buffer *buffer);

/* Receiving is over: STREAM_ENDED_BY_PEER or -errno. Once. */
void stream_end(struct stream *stream, int ended);

/* Starts send_op: its end is told to the layer's `sent`. */
void stream_send_raw(struct stream *stream, const struct iovec *iov, unsigned count);

#endif
