/*
 * HTTP/1.1 client of one shard: pooled keep-alive connections to named origins, one call at a time on each. Redirects
 * are not followed. A call that a pooled connection turns out to be closed for, before any byte of an answer, is sent
 * once more on a fresh one, unseen. Surplus bytes, a FIN or a framing error take the connection out of the pool.
 *
 * A call is embedded in its owner; from http_call_start() until its on_end or on_failed (exactly one), or
 * http_call_cancel(), it belongs to the client, and so does the memory that `head` and `body` name.
 */
#ifndef PROTO_HTTP_CLIENT_H
#define PROTO_HTTP_CLIENT_H

#include "core/shard.h"
#include "core/text.h"
#include "proto/http/http.h"
#include "tls/cause.h"

struct tls_client;
struct tls_worker;
struct http_client;
struct http_origin; /* host, port, its addresses, its idle connections on this shard */
struct http_call;
struct http_connection;

enum http_failure {           /* in the order of a call's life */
	HTTP_FAILURE_RESOLVE, /* the name has no address */
	HTTP_FAILURE_CONNECT, /* refused, unreachable, no socket */
	HTTP_FAILURE_CONNECT_TIMEOUT,
	HTTP_FAILURE_TLS,  /* no secure connection: call->tls_cause says why */
	HTTP_FAILURE_SEND, /* broke while sending, or closed before an answer */
	HTTP_FAILURE_HEAD_TIMEOUT,
	HTTP_FAILURE_PROTOCOL,     /* what came is not HTTP/1.1, or passes a limit */
	HTTP_FAILURE_IDLE_TIMEOUT, /* between reads of the body */
	HTTP_FAILURE_TRUNCATED,    /* closed or reset in mid-body */
	HTTP_FAILURE_TOTAL_TIMEOUT,
};

struct http_call_handler {
	/* The head of the final answer (1xx are skipped). call->head is valid until the call ends. */
	void (*on_head)(struct http_call *call);
	/* A piece of the body, without framing; lies in `buffer` (borrow to keep). */
	void (*on_data)(struct http_call *call, struct slice data, struct buffer *buffer);
	void (*on_end)(struct http_call *call); /* the body ended as framed */
	/* Of a call with an upload, else NULL: what was given has been taken, and there is room again. */
	void (*on_room)(struct http_call *call);
	void (*on_failed)(struct http_call *call, enum http_failure failure, int error, struct slice detail);
};

/*
 * The rest of a request's body, behind `body`, which comes while the call is under way. Two pieces of the caller's
 * memory: one gathers what is given, the other is being sent. Such a call is made on a fresh connection, and never
 * twice.
 */
struct http_upload {
	struct text filling, sending;
	uint64_t left; /* of what the request's head announces: not given yet */
};

/* Gives bytes, as many as `filling` has room for and the head announced; http_call_push() lets them go. */
void http_upload_add(struct http_upload *upload, struct slice bytes);

struct http_timeouts {
	uint64_t connect_ns, head_ns, idle_ns, total_ns; /* 0: none */
};

struct http_call {
	const struct http_call_handler *handler;
	struct http_origin *origin;
	/* The request, ready to send: request line and headers with the empty line, then the body's pieces. */
	struct slice request_head;
	const struct iovec *body;
	unsigned body_count;
	struct http_upload *upload; /* NULL: that is all */
	bool head_request;          /* the answer has no body */
	struct http_timeouts timeouts;
	struct http_limits limits; /* of the answer */
	struct http_head *head;    /* of the answer; the caller's memory */
	void *user;
	/* For receipts and metrics. */
	uint64_t started_ns, sent_ns, head_received_ns;
	uint32_t bytes_in;
	bool reused_connection;
	enum tls_cause tls_cause;
	/* The client's own. */
	struct http_connection *connection;
	struct list link;
	struct timer timer;
	uint64_t phase_ns; /* when the phase began; in the body: the last read */
	int start_error;   /* met in http_call_start(), told from the next turn */
	bool retried, active, paused;
};

/* At most `idle_connections_max` an origin are kept; one that is idle for `idle_timeout_ns` (0: no bound) is closed. */
int http_client_open(
	struct http_client **client, struct shard *shard, uint32_t idle_connections_max, uint64_t idle_timeout_ns);
void http_client_close(struct http_client *client); /* no call is active; closes idle connections; then poll idle */
bool http_client_idle(const struct http_client *client); /* no connection is left */
void http_client_free(struct http_client *client);       /* closed and idle only: its memory and that of its origins */

/*
 * The origin of that host and port; made when new; lives as long as the client; NULL when memory is out. `addresses`
 * come from core/resolve.h through http_origin_set_addresses(): until they are set, calls wait (bounded by
 * connect_ns). A count of 0 says that the name could not be resolved: calls that wait fail, those that follow fail
 * without waiting until there is an address, and addresses that were known stay in use. They are tried in order,
 * beginning with the one that worked last; each has its share of connect_ns.
 *
 * `trust` is empty for plain HTTP. Else it is https, to be set up with http_origin_set_tls() before the first call, and
 * connections are shared only with who names the same trust: any text that tells apart whom to trust how.
 */
struct http_origin *http_client_origin(
	struct http_client *client, struct slice host, uint16_t port, struct slice trust);

/* How new connections speak TLS: `client` is borrowed; `server_name` is whose certificate it has to be. -EINVAL: no
 * such name. */
int http_origin_set_tls(
	struct http_origin *origin, struct tls_worker *worker, struct tls_client *client, struct slice server_name);
void http_origin_set_addresses(struct http_origin *origin, const struct sockaddr_storage *addresses, unsigned count);

/*
 * No callback comes from inside these five; they may be called from any callback. `error` of on_failed is 0 or
 * -errno.
 */
void http_call_start(struct http_client *client, struct http_call *call);
void http_call_cancel(struct http_call *call); /* no callback follows; closes the connection in mid-answer */
void http_call_pause(struct http_call *call);  /* no on_data until resume; idle_ns does not run */
void http_call_resume(struct http_call *call);
void http_call_push(struct http_call *call); /* more was given to its upload */

/* "connect timeout", for messages and receipts. */
const char *http_failure_name(enum http_failure failure);

struct http_client_counts {
	uint64_t calls, connects, reused, retried;
	uint32_t connections, connections_idle;
};
struct http_client_counts http_client_counts(const struct http_client *client);

#endif
