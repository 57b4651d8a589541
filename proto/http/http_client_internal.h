/*
 * What the client's three files share: http_client.c keeps origins and pools, http_connection.c drives a connection's
 * stream and parser, http_call.c keeps a call's phases, timers and its one end.
 *
 * A connection is CONNECTING and BUSY with exactly one call, IDLE in its origin's pool, or CLOSING until its stream
 * has closed; then its memory is kept for the next connection. A call is in one of three places: linked into
 * origin->waiting (no address yet), attached to a connection (call->connection), or nowhere (it ended, or start_error
 * is about to be told).
 */
#ifndef PROTO_HTTP_CLIENT_INTERNAL_H
#define PROTO_HTTP_CLIENT_INTERNAL_H

#include "core/resolve.h"
#include "proto/http/http_client.h"
#include "proto/http/http_parser.h"
#include "tls/secure.h"

enum {
	HTTP_INTERIM_HEADS_MAX = 8,  /* 1xx answers before the final one; RFC 9110, 15.2 allows any number */
	HTTP_CONNECTION_IOV_MIN = 8, /* a head and an edited body of three patches */
};

enum http_connection_state { CONNECTION_CONNECTING, CONNECTION_BUSY, CONNECTION_IDLE, CONNECTION_CLOSING };

struct http_client {
	struct shard *shard;
	uint32_t idle_connections_max;
	uint64_t idle_timeout_ns;
	struct list origins;
	struct list spare; /* closed connections whose memory is kept */
	uint32_t spare_count;
	struct timer idle_timer; /* armed while a connection is idle: no later than the oldest one's end */
	bool closing;
	uint32_t kept_heads; /* heads that lie in receive buffers, for as long as their answers last */
	struct http_client_counts counts;
};

struct http_origin {
	struct http_client *client;
	struct list link;
	struct slice host;  /* behind the struct */
	struct slice trust; /* behind the host; empty: plain */
	uint16_t port;
	struct tls_worker *tls_worker;
	struct tls_target tls;
	unsigned address_count, address_first; /* first: to begin with */
	bool unresolved;                       /* and the last answer was that there is none */
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
	struct list idle; /* last used first */
	uint32_t idle_count;
	struct list waiting; /* calls, oldest first */
	char host_bytes[];
};

struct http_connection {
	struct stream stream;
	struct http_client *client;
	struct http_origin *origin;
	struct http_call *call; /* NULL: idle or closing */
	enum http_connection_state state;
	struct list link; /* in the pool or among the spare */
	uint64_t idle_since_ns;
	unsigned address_count; /* how many to try for this call */
	unsigned address_tries; /* how many were begun */
	unsigned address_index; /* of the one under way */
	bool try_next_address;  /* CLOSING only to connect again */
	/*
	 * The request under way. At least two elements, so that the ring reads them when it submits: see
	 * neutralize().
	 */
	struct iovec *iov;
	unsigned iov_count, iov_capacity;
	/* The answer under way. */
	struct http_parser *parser;
	struct http_limits limits;  /* that the parser was opened with */
	struct buffer *head_buffer; /* the head's slices lie there; NULL when the parser gathered them */
	struct buffer *held_buffer; /* came while the call was paused: `held` is still to be parsed */
	struct slice held;
	struct turn_hook resume_hook;
	unsigned interim_count;
	uint64_t send_failed_ns; /* sending broke, but an answer may have been on its way: see http_connection.c */
	int send_error;
	bool answered;  /* a byte of an answer came */
	bool interim;   /* the head that was reported last was 1xx */
	bool head_done; /* the final head was delivered */
};

/* http_client.c */
struct http_connection *http_client_take_idle(struct http_origin *origin);
struct http_connection *http_client_connection(struct http_origin *origin); /* fresh memory; NULL when out */
void http_client_pool(struct http_connection *connection);                  /* keeps or closes it */
void http_client_leave_pool(struct http_connection *connection);
void http_client_release(struct http_connection *connection); /* its stream has closed */

/* http_connection.c */
int http_connection_connect(struct http_connection *connection);    /* its attached call waits for it */
int http_connection_send(struct http_connection *connection);       /* the attached call's request */
void http_connection_send_more(struct http_connection *connection); /* of its call's upload, if there is and it can */
void http_connection_close(struct http_connection *connection, bool reset);
bool http_connection_try_next(struct http_connection *connection); /* another address; false when none is left */
struct buffer *http_connection_take_head_buffer(struct http_connection *connection); /* NULL: the head lies elsewhere */
bool http_connection_held_back(const struct http_connection *connection);            /* its call wants no body now */

/* http_call.c */
void http_call_place(struct http_call *call, bool pooled);          /* finds the call a connection */
void http_call_watch(struct http_call *call);                       /* a deadline may have come nearer */
void http_call_lost(struct http_connection *connection, int error); /* the peer ended it before the answer's end */
void http_call_fail(struct http_call *call, enum http_failure failure, int error, struct slice detail);
void http_call_complete(struct http_connection *connection, bool reusable);

#endif
