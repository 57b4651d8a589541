/*
 * What the server's files share. A connection is idle (nothing but its stream, timer and peer) or has an `exchange`:
 * the request with its parser, buffers and output, taken from a free list when the request's first byte comes.
 *
 *   http_server.c             listeners, admission, drain, counts
 *   http_server_connection.c  what a connection receives, its phases, its deadline, its end
 *   http_server_request.c     one request: head, body, handing over to the service
 *   http_server_answer.c      what the service calls to answer, and what is sent
 */
#ifndef PROTO_HTTP_SERVER_INTERNAL_H
#define PROTO_HTTP_SERVER_INTERNAL_H

#include "proto/http/http_parser.h"
#include "proto/http/http_server.h"
#include "proto/http/http_server_output.h"
#include "proto/http/http_server_peers.h"
#include "tls/stream.h"

enum phase {
	PHASE_IDLE,     /* waits for a request's first byte; no exchange */
	PHASE_HEAD,     /* some of a head came */
	PHASE_BODY,     /* the service has seen the head */
	PHASE_SERVING,  /* the request is whole; what comes now is the next one's, and is held */
	PHASE_DROPPING, /* an answer is on its way before the request was whole; what comes is dropped */
	PHASE_LINGER,   /* our side is shut; waits for the client's end, so that a reset does not overtake the answer */
	PHASE_CLOSED,   /* the stream is being closed */
};

enum {
	HELD_MAX = 4, /* receive buffers of pipelined requests before the stream is paused */
	OUTPUT_HIGH_BYTES = 64 * 1024,
	OUTPUT_LOW_BYTES = 16 * 1024,
	LINGER_MAX_BYTES = 1024 * 1024, /* dropped after an early answer; then no more is received */
	LINGER_S = 2,
	REFUSALS_MAX = 64, /* connections above the bound that are being told so */
	CONNECTIONS_KEPT = 1024,
	EXCHANGES_KEPT = 256,
};

struct held {
	struct buffer *buffer;
	struct slice data;
};

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_TO_END };

struct exchange {
	struct http_request request;
	struct http_server *server;
	struct connection *connection; /* NULL once it is closed */
	struct exchange *next_free;
	struct http_parser *parser;
	struct buffer *buffer; /* head and body lie in it; NULL when they lie in our memory */
	char *body;            /* gathered: body_capacity, then the padding; of the large blocks */
	size_t body_bytes, body_capacity;
	struct held held[HELD_MAX];
	unsigned held_count;
	enum framing framing;
	bool in_hand;         /* the body came whole with the head */
	bool introduced;      /* the service knows the request: on_done is due */
	bool answered, ended; /* the answer has begun; nothing will be added to it */
	bool broken;          /* ends by closing in mid-answer */
	bool keep_alive;
	bool continued; /* 100 Continue was sent, or is not wanted any more */
	bool held_back; /* http_write() said false: on_drained is due */
	struct output output;
	struct turn_hook hook; /* sends what the turn wrote; finishes what is gone */
};

struct connection {
	struct list link;
	struct http_server *server;
	struct exchange *exchange;
	struct stream stream;
	struct timer timer;
	uint64_t deadline_ns; /* 0: none */
	struct peer peer;
	uint32_t dropped_bytes;
	uint8_t phase;
	bool counted_peer;
	bool served; /* had a request before: when it is idle, it may be closed */
	bool paused; /* too much is held: the stream does not receive */
};

struct acceptor {
	struct acceptor *next;
	struct http_server *server;
	struct accepting accepting;
	struct timer retry; /* accepting failed for want of descriptors or memory */
	int listener;
	struct tls_listener *tls; /* NULL: plain */
};

struct http_server {
	struct shard *shard;
	struct http_server_options options;
	uint64_t tick_ns; /* the shortest timeout: how far ahead a connection's timer is armed at most */
	const struct http_service *service;
	void *context;
	struct acceptor *acceptors;
	struct list connections;
	struct list free_connections;
	struct exchange *free_exchanges;
	unsigned free_connection_count, free_exchange_count, exchange_count, borrowed_count, accepting_count;
	struct output_pool output_pool;
	struct peers *peers;
	uint64_t date_s; /* which second `date` tells */
	char date[HTTP_DATE_BYTES];
	bool winding_down; /* connections end after their answer */
	bool draining;     /* and none is accepted any more */
	struct http_server_counts counts;
};

static inline struct exchange *exchange_of(const struct http_request *request)
{
	return (struct exchange *)((uintptr_t)request - offsetof(struct exchange, request));
}

/* http_server_connection.c */
void connection_open(struct acceptor *acceptor, int socket, const struct sockaddr_storage *peer);
void connection_receive(struct connection *c, struct slice data, struct buffer *buffer);
void connection_set_deadline(struct connection *c, uint64_t timeout_ns); /* from now; 0: none */
void connection_lose(struct connection *c, bool reset); /* closes at once; tells the service when it is in mid-answer */
void connection_next(struct connection *c); /* the answer has left: done with it, and on to the next request */

/* http_server_request.c */
struct exchange *http_exchange_take(struct connection *c); /* NULL when memory is out */
void http_exchange_release(struct exchange *x);            /* on_done, then back to the free list */
void http_exchange_parse(struct connection *c, struct slice *data, struct buffer *buffer);

/* http_server_answer.c */
void http_exchange_turn_end(struct turn_hook *hook);
void http_exchange_fail(struct exchange *x, unsigned status, struct slice code, struct slice message);
void http_exchange_continue(struct exchange *x); /* sends 100 Continue */
void http_exchange_sent(struct exchange *x);

#endif
