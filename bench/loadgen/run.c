/*
 * The loop: one epoll set over non-blocking sockets. A connection is idle (in the idle list) or has one request under
 * way. Requests start from start_due(): in the closed loop as long as a connection is idle, in the open loop when they
 * are due too.
 */
#include "bench/loadgen/loadgen.h"
#include "bench/loadgen/response.h"
#include "core/kconfig.h"
#include "core/list.h"
#include "proto/http/sse.h"
#include "tools/http_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SSE_CAPACITY = 16384, READ_BYTES = 1 << 16, EVENTS_PER_WAIT = 64, FAILED_CONNECTS_MAX = 1000 };

struct connection {
	struct list link;     /* among the idle */
	int socket;           /* -1: to be connected */
	struct http_tls *tls; /* NULL: plain */
	bool writing;         /* waits for room to send */
	bool under_way;
	size_t sent_bytes;
	uint64_t started_ns; /* open loop: when it should have started */
	uint64_t last_event_ns;
	unsigned events;
	struct response response;
	struct sse_parser sse;
	char *sse_memory;
};

struct load {
	const struct options *options;
	struct results *results;
	struct connection *connections;
	struct http_tls_peer *peer;
	struct list idle;
	int epoll;
	uint64_t now_ns, end_ns;
	uint64_t started, under_way;
	char *buffer;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int watch(struct load *l, struct connection *c, int how)
{
	struct epoll_event event = {.events = EPOLLIN | (c->writing ? (unsigned)EPOLLOUT : 0), .data.ptr = c};

	return epoll_ctl(l->epoll, how, c->socket, &event) < 0 ? -errno : 0;
}

static void close_connection(struct connection *c)
{
	if (CONFIG(TLS))
		http_tls_close(c->tls);
	c->tls = NULL;
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
}

static bool shake_hands(struct load *l, struct connection *c)
{
	char why[256];

	if (!CONFIG(TLS) || !l->peer)
		return true;
	if (l->options->full_handshakes)
		http_tls_peer_forget(l->peer);
	if (http_tls_open(&c->tls, c->socket, l->peer, why, sizeof(why)) < 0) {
		fprintf(stderr, "loadgen: %s\n", why);
		return false;
	}
	if (http_tls_is_resumed(c->tls))
		l->results->resumed_handshakes++;
	else
		l->results->full_handshakes++;
	return true;
}

/* Blocks; on the loopback for as long as the listener's queue is full, at most the timeout. */
static bool open_connection(struct load *l, struct connection *c)
{
	struct timeval timeout = {.tv_sec = 2};
	int one = 1;

	c->writing = false;
	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->socket < 0)
		goto failed;
	setsockopt(c->socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->socket, (const struct sockaddr *)&l->options->address, sizeof(l->options->address)) < 0)
		goto failed;
	if (!shake_hands(l, c))
		goto failed;
	if (fcntl(c->socket, F_SETFL, O_NONBLOCK) < 0 || watch(l, c, EPOLL_CTL_ADD) < 0)
		goto failed;
	return true;
failed:
	close_connection(c);
	l->results->failed_connects++;
	return false;
}

static void make_idle(struct load *l, struct connection *c)
{
	if (c->under_way)
		l->under_way--;
	c->under_way = false;
	list_append(&l->idle, &c->link);
}

static void fail(struct load *l, struct connection *c, uint64_t *counter)
{
	(*counter)++;
	close_connection(c);
	make_idle(l, c);
}

/* That it failed, the read finds out. */
static void send_sealed(struct load *l, struct connection *c)
{
	const struct options *o = l->options;

	if (http_tls_send(c->tls, o->request, o->request_bytes) == 0)
		l->results->sent_bytes += o->request_bytes;
	c->sent_bytes = o->request_bytes;
}

static void send_more(struct load *l, struct connection *c)
{
	const struct options *o = l->options;
	bool waited = c->writing;

	if (CONFIG(TLS) && c->tls) {
		send_sealed(l, c);
		return;
	}
	while (c->sent_bytes < o->request_bytes) {
		ssize_t n = send(c->socket, o->request + c->sent_bytes, o->request_bytes - c->sent_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* An answer may have come before the server closed: the read finds out. */
		if (n < 0 && errno != EAGAIN)
			break;
		c->writing = n < 0;
		if (c->writing)
			break;
		c->sent_bytes += (size_t)n;
		l->results->sent_bytes += (uint64_t)n;
	}
	if (c->sent_bytes == o->request_bytes)
		c->writing = false;
	if (c->writing != waited)
		watch(l, c, EPOLL_CTL_MOD);
}

static void start_request(struct load *l, struct connection *c, uint64_t due_ns)
{
	c->sent_bytes = 0;
	c->events = 0;
	c->started_ns = due_ns;
	c->under_way = true;
	l->under_way++;
	l->started++;
	response_init(&c->response);
	if (l->options->sse)
		sse_init(&c->sse, c->sse_memory, SSE_CAPACITY);
	send_more(l, c);
}

static void finish(struct load *l, struct connection *c)
{
	struct results *r = l->results;

	r->completed++;
	r->statuses[c->response.status < STATUS_MAX ? c->response.status : 0]++;
	latency_record(&r->whole, l->now_ns - c->started_ns);
	if (c->response.close)
		close_connection(c);
	make_idle(l, c);
}

static void count_event(struct load *l, struct connection *c)
{
	struct results *r = l->results;

	if (c->events == 0)
		latency_record(&r->first_event, l->now_ns - c->started_ns);
	else
		latency_record(&r->gap, l->now_ns - c->last_event_ns);
	c->last_event_ns = l->now_ns;
	c->events++;
	r->events++;
}

/* False when the connection was closed on purpose or the stream is none. */
static bool read_events(struct load *l, struct connection *c, struct slice bytes)
{
	struct sse_event event;
	enum sse_result result;

	while ((result = sse_next(&c->sse, &bytes, &event)) == SSE_EVENT) {
		if (event.comment)
			continue;
		count_event(l, c);
		if (l->options->abort_after && c->events >= l->options->abort_after) {
			fail(l, c, &l->results->aborted);
			return false;
		}
	}
	if (result == SSE_TOO_LARGE) {
		fail(l, c, &l->results->failed_answers);
		return false;
	}
	return true;
}

/* False when the connection needs no more reading: it is idle or closed. */
static bool read_answer(struct load *l, struct connection *c, struct slice bytes)
{
	struct slice body;

	for (;;) {
		switch (response_next(&c->response, &bytes, &body)) {
		case RESPONSE_MORE:
			return true;
		case RESPONSE_BODY:
			l->results->body_bytes += body.size;
			if (l->options->sse && c->response.status == 200 && !read_events(l, c, body))
				return false;
			break;
		case RESPONSE_DONE:
			finish(l, c);
			return false;
		case RESPONSE_BAD:
			fail(l, c, &l->results->failed_answers);
			return false;
		}
	}
}

/* A server that closes an idle connection is within its rights: the next request opens another. */
static void idle_closed(struct connection *c)
{
	close_connection(c);
}

static ssize_t receive(struct load *l, struct connection *c)
{
	ssize_t n;

	if (CONFIG(TLS) && c->tls)
		return http_tls_receive(c->tls, l->buffer, READ_BYTES);
	n = recv(c->socket, l->buffer, READ_BYTES, 0);
	return n < 0 ? -errno : n;
}

/* True: of what came over TLS there may be more. */
static bool read_once(struct load *l, struct connection *c)
{
	ssize_t n = receive(l, c);

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n > 0 && c->under_way)
		return read_answer(l, c, slice_of(l->buffer, (size_t)n)) && c->tls;
	if (!c->under_way) {
		idle_closed(c);
	} else if (n == 0 && c->response.stage == RESPONSE_UNTIL_END) {
		finish(l, c);
	} else {
		fail(l, c, &l->results->failed_reads);
	}
	return false;
}

static void on_readable(struct load *l, struct connection *c)
{
	while (read_once(l, c))
		;
}

static uint64_t due_ns(const struct load *l)
{
	if (l->options->rate <= 0)
		return l->now_ns;
	return l->results->started_ns + (uint64_t)((double)l->started * 1e9 / l->options->rate);
}

static bool more_wanted(const struct load *l)
{
	if (l->options->requests && l->started >= l->options->requests)
		return false;
	if (l->options->duration_ns && due_ns(l) >= l->results->started_ns + l->options->duration_ns)
		return false;
	return l->results->failed_connects < FAILED_CONNECTS_MAX;
}

static void start_due(struct load *l)
{
	/* At most one round: in the closed loop a connection that fails at once must not hold up the others. */
	for (unsigned i = 0; i < l->options->connections && !list_empty(&l->idle) && more_wanted(l); i++) {
		uint64_t due = due_ns(l);
		struct connection *c;

		if (due > l->now_ns)
			return;
		c = container_of(list_take_first(&l->idle), struct connection, link);
		if (c->socket < 0 && !open_connection(l, c)) {
			list_append(&l->idle, &c->link);
			return;
		}
		start_request(l, c, due);
	}
}

/* Until something is readable, the next request is due, or the end. */
static int wait_events(struct load *l, struct epoll_event *events)
{
	uint64_t until = l->now_ns + 100000000, due = due_ns(l);
	struct timespec left = {0};

	if (!list_empty(&l->idle) && more_wanted(l) && due < until)
		until = due;
	if (until > l->now_ns) {
		left.tv_sec = (time_t)((until - l->now_ns) / 1000000000);
		left.tv_nsec = (long)((until - l->now_ns) % 1000000000);
	}
	return epoll_pwait2(l->epoll, events, EVENTS_PER_WAIT, &left, NULL);
}

/* What is under way may end within the timeout, counted from the last sign of life. */
static void loop(struct load *l)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	uint64_t alive_ns = l->now_ns;

	while (l->under_way > 0 || more_wanted(l)) {
		int count;

		start_due(l);
		count = wait_events(l, events);
		l->now_ns = now_ns();
		if (count > 0 && (!l->end_ns || l->now_ns < l->end_ns))
			alive_ns = l->now_ns;
		if (l->now_ns - alive_ns > l->options->timeout_ns)
			break;
		for (int i = 0; i < count; i++) {
			struct connection *c = events[i].data.ptr;

			if (c->socket >= 0 && (events[i].events & EPOLLOUT) && c->writing)
				send_more(l, c);
			if (c->socket >= 0 && (events[i].events & ~(unsigned)EPOLLOUT))
				on_readable(l, c);
		}
	}
	l->results->ended_ns = l->now_ns;
	l->results->unfinished = l->under_way;
}

static int open_peer(struct load *l)
{
	const struct http_trust trust = {.ca = l->options->ca};
	char why[256];
	int rc = 0;

	if (CONFIG(TLS) && l->options->https)
		rc = http_tls_peer_open(&l->peer, l->options->host, &trust, why, sizeof(why));
	if (rc < 0)
		fprintf(stderr, "loadgen: %s\n", why);
	return rc;
}

static int open_all(struct load *l)
{
	for (unsigned i = 0; i < l->options->connections; i++) {
		struct connection *c = &l->connections[i];

		c->socket = -1;
		if (l->options->sse) {
			c->sse_memory = malloc(2 * SSE_CAPACITY);
			if (!c->sse_memory)
				return -ENOMEM;
		}
		list_append(&l->idle, &c->link);
		if (!open_connection(l, c))
			return -ECONNREFUSED;
	}
	return 0;
}

static void close_all(struct load *l)
{
	for (unsigned i = 0; l->connections && i < l->options->connections; i++) {
		close_connection(&l->connections[i]);
		free(l->connections[i].sse_memory);
	}
	if (CONFIG(TLS))
		http_tls_peer_close(l->peer);
	free(l->connections);
	free(l->buffer);
	if (l->epoll >= 0)
		close(l->epoll);
}

int run(const struct options *options, struct results *results)
{
	struct load l = {.options = options, .results = results};
	int result = -ENOMEM;

	list_init(&l.idle);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.connections = calloc(options->connections, sizeof(*l.connections));
	l.buffer = malloc(READ_BYTES);
	for (unsigned i = 0; l.connections && i < options->connections; i++)
		l.connections[i].socket = -1;
	if (l.epoll < 0 || !l.connections || !l.buffer)
		goto out;
	result = open_peer(&l);
	if (result == 0)
		result = open_all(&l);
	if (result < 0)
		goto out;
	l.now_ns = results->started_ns = now_ns();
	if (options->duration_ns)
		l.end_ns = l.now_ns + options->duration_ns;
	loop(&l);
out:
	close_all(&l);
	return result;
}
