/*
 * HTTP/1.1 server of one shard: connections, framing, limits and timeouts. It hands whole requests to a service and
 * sends what the service answers; requests of one connection are served one at a time, in order, pipelined ones wait
 * in the buffer.
 *
 * Life of a request: on_head (choose a body limit, or answer at once) -> on_request (body complete) -> the service
 * answers, now or later -> on_done exactly once, after the last byte was sent or the connection was lost. Between
 * on_head and on_done the service may keep the pointer; the request's slices live until on_done returns. Malformed
 * HTTP never reaches the service except through `write_error`, which renders the contract's error body.
 *
 * A service that asks for it in on_head (request->watched) sees the body as it comes, and may take it over in pieces
 * (request->passing), which nobody gathers any more; on_request then says that this was all.
 */
#ifndef PROTO_HTTP_SERVER_H
#define PROTO_HTTP_SERVER_H

#include "core/shard.h"
#include "core/text.h"
#include "proto/http/http.h"

struct http_server;
struct tls_listener;

struct http_request {
	struct http_head head;
	/*
	 * Whole body in one piece, BUFFER_PADDING_BYTES readable behind it; set from on_request on. In on_body: what
	 * there is of it, without padding; once it passes, nothing.
	 */
	struct slice body;
	struct sockaddr_storage peer;
	uint64_t received_ns;    /* when the head was complete */
	uint64_t body_max_bytes; /* set to http.max_body_bytes; on_head may lower it */
	bool watched;            /* on_body is called for a body that does not come with its head */
	bool passing;            /* set in on_body: from its return on, it gets pieces and nothing is gathered */
	bool gone;               /* the client went away: what is written is dropped; on_done is still to come */
	void *user;              /* the service's own */
};

struct http_service {
	/* The head is there, the body not yet. The service may answer (a refusal); then on_request does not come. */
	void (*on_head)(void *context, struct http_request *request);
	/* `piece` of a watched body has come; NULL: no request is watched. The service may answer, as in on_head. */
	void (*on_body)(void *context, struct http_request *request, struct slice piece);
	void (*on_request)(void *context, struct http_request *request);
	/* What was queued fell below the low mark after http_write() returned false. */
	void (*on_drained)(void *context, struct http_request *request);
	/* The client closed or reset before the answer was complete; request->gone is set. The service stops its work
	 * and then calls http_end(). */
	void (*on_gone)(void *context, struct http_request *request);
	void (*on_done)(void *context, struct http_request *request);
	/*
	 * Renders a body for an error that the server found itself (400, 408, 413, 417, 429, 431, 501, 503, 505).
	 * `code` is a stable word such as "request_line_invalid", `message` a sentence. Writes JSON and extra header
	 * lines
	 * ("name: value\r\n") into the texts. `request`: the one whose body did not come as it should; NULL: on_head
	 * has not been called for it.
	 */
	void (*write_error)(void *context, struct http_request *request, unsigned status, struct slice code,
		struct slice message, struct text *headers, struct text *body);
};

struct http_server_options {
	struct http_limits limits;
	uint64_t head_timeout_ns, body_timeout_ns, keepalive_timeout_ns, write_stall_timeout_ns;
	uint32_t max_connections;        /* of this shard */
	uint32_t max_connections_per_ip; /* of this shard; 0: no bound */
};

int http_server_open(struct http_server **server, struct shard *shard, const struct http_server_options *options,
	const struct http_service *service, void *context);

/* Starts accepting on a listening socket (ring_listen); in the shard's thread. `tls` (NULL: plain) outlives the server.
 */
int http_server_listen(struct http_server *server, int listener, struct tls_listener *tls);

/* New options for requests that begin from now on. */
void http_server_configure(struct http_server *server, const struct http_server_options *options);

/*
 * Closes connections that wait for another request and ends the others after their answer ("Connection: close"), but
 * goes on accepting: who asks for readiness meanwhile gets an answer.
 */
void http_server_wind_down(struct http_server *server);

/* The same, and stops accepting; who has not asked yet is closed as well. */
void http_server_drain(struct http_server *server);

/*
 * Closes what is left, whatever it is doing; on_done comes for each request. Poll http_server_idle() in the shard's
 * turns.
 */
void http_server_abort(struct http_server *server);
bool http_server_idle(const struct http_server *server); /* no connection is left */
void http_server_close(struct http_server *server);      /* idle only */

/* Back-pressure on a body that passes: what has come is still handed over, and the body's time does not run. */
void http_pause_body(struct http_request *request);
void http_resume_body(struct http_request *request);

/*
 * Answering. `headers` are ready lines, each "name: value\r\n"; the server adds status line, Date, Connection, and
 * framing (Content-Length or chunked; HEAD, 204 and 304 without body). Bytes given to http_respond and http_write are
 * copied, unless borrowed.
 */
void http_respond(struct http_request *request, unsigned status, struct slice headers, struct slice body);

/* The same, but body bytes are not copied: they stay untouched until on_done. */
void http_respond_borrowed(
	struct http_request *request, unsigned status, struct slice headers, const struct iovec *body, unsigned count);

/* A body of unknown length: begin, write ..., end. Written bytes leave at the end of the turn, coalesced. */
void http_begin(struct http_request *request, unsigned status, struct slice headers);

/*
 * False when more than the high mark is queued: the caller holds back until on_drained. What was given is queued
 * either way.
 */
bool http_write(struct http_request *request, struct slice bytes);
void http_end(struct http_request *request);

/* Breaks the answer off: closes without the end of the body, so that no client takes it for whole. */
void http_break(struct http_request *request);

bool http_answered(const struct http_request *request); /* begin or respond was called */

/*
 * Who the client has proved to be by a certificate (tls/identity.h); empty when none was asked for, and when the
 * connection is gone. Lives as long as the connection.
 */
struct slice http_client_certificate(const struct http_request *request);

struct http_server_counts {
	uint64_t accepted, requests, bad_requests, refused_connections, bytes_in, bytes_out;
	uint32_t connections, connections_idle;
};
struct http_server_counts http_server_counts(const struct http_server *server);

#endif
