/*
 * The server over streams that this test plays itself: it takes the place of tls/stream.c and the ring at link time,
 * so that splits, stalls, resets and time are the test's to choose, and every run is the same.
 */
#include "proto/http_server.h"

#include "core/clock.h"
#include "proto/tests/http_malformed.h"
#include "tls/secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WIRES_MAX = 320, SENT_MAX = 1 << 19, LISTENER = 1000 };

/* The client's end of a connection. */
struct wire {
	struct stream *stream;
	const struct iovec *iov;
	unsigned iov_count, sends;
	bool sending, stalled, shut, closing, reset, closed;
	char *sent;
	size_t sent_bytes;
};

static struct world {
	struct shard shard;
	struct http_server *server;
	struct accepting *accepting;
	struct wire wires[WIRES_MAX];
	unsigned wire_count, reset_at_once, buffers_live;
	bool listener_closed;
	uint32_t next_ip;
	unsigned heads, requests, dones, gones, drains;
	struct http_request *held; /* of /later */
	bool in_place;
	unsigned char padding;
	char big[300 * 1024];
} w;

/* What the server links against. */
void shard_at_turn_end(struct shard *shard, struct turn_hook *hook)
{
	if (list_empty(&hook->link))
		list_append(&shard->turn_end, &hook->link);
}

void ring_accept(struct ring *ring, struct accepting *accepting, int listener)
{
	(void)ring;
	(void)listener;
	accepting->op.in_flight = true;
	w.accepting = accepting;
}

void ring_cancel(struct ring *ring, struct op *op)
{
	(void)ring;
	op->in_flight = false;
	op->done(op, -ECANCELED, 0, NULL);
}

void ring_close_socket(struct ring *ring, int socket, bool reset)
{
	(void)ring;
	w.reset_at_once += reset;
	if (socket == LISTENER)
		w.listener_closed = true;
	else
		w.wires[socket].closed = true;
}

static struct wire *wire_of(const struct stream *s)
{
	return &w.wires[s->socket];
}

void stream_accepted(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler)
{
	*s = (struct stream){ .handler = handler, .shard = shard, .socket = socket };
	w.wires[socket].stream = s;
}

int stream_accepted_secure(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler,
			   struct tls_listener *listener)
{
	(void)listener;
	stream_accepted(s, shard, socket, handler);
	return 0;
}

void stream_send(struct stream *s, const struct iovec *iov, unsigned count)
{
	struct wire *wire = wire_of(s);

	assert_false(wire->sending || wire->closing || wire->shut);
	assert_true(count > 0);
	wire->iov = iov;
	wire->iov_count = count;
	wire->sending = true;
	wire->sends++;
}

bool stream_sending(const struct stream *s)
{
	return wire_of(s)->sending;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
}

void stream_shutdown(struct stream *s)
{
	assert_false(wire_of(s)->sending);
	wire_of(s)->shut = true;
}

void stream_close(struct stream *s, bool reset)
{
	struct wire *wire = wire_of(s);

	assert_false(wire->closing);
	wire->closing = true;
	wire->reset = reset;
}

/* The service: the path says what to do. */
static bool path_is(const struct http_request *request, const char *path)
{
	return slice_equal(request->head.path, slice_of_string(path));
}

static void on_head(void *context, struct http_request *request)
{
	assert_ptr_equal(context, &w);
	w.heads++;
	if (path_is(request, "/refuse"))
		http_respond(request, 403, SLICE("X: y\r\n"), SLICE("no"));
	if (path_is(request, "/small"))
		request->body_max_bytes = 4;
}

static void on_request(void *context, struct http_request *request)
{
	static char one[] = "one ", two[] = "two"; /* outlive the answer */
	const struct iovec pieces[] = { { one, 4 }, { two, 3 } };

	(void)context;
	w.requests++;
	w.in_place = request->body.size && request->body.data > request->head.target.data &&
		     request->body.data < request->head.target.data + 4096;
	for (unsigned i = 0; i < BUFFER_PADDING_BYTES && request->body.size; i++)
		w.padding ^= (unsigned char)request->body.data[request->body.size + i]; /* may be read */
	if (path_is(request, "/later"))
		w.held = request;
	else if (path_is(request, "/empty"))
		http_respond(request, 204, SLICE(""), SLICE(""));
	else if (path_is(request, "/pieces"))
		http_respond_borrowed(request, 200, SLICE(""), pieces, 2);
	else if (path_is(request, "/big"))
		http_respond(request, 200, SLICE(""), slice_of(w.big, sizeof(w.big)));
	else
		http_respond(request, 200, SLICE("X: y\r\n"), request->body);
}

static void on_drained(void *context, struct http_request *request)
{
	(void)context;
	(void)request;
	w.drains++;
}

static void on_gone(void *context, struct http_request *request)
{
	(void)context;
	assert_true(request->gone);
	w.gones++;
	if (path_is(request, "/a")) /* in mid-body: nothing to stop */
		http_end(request);
}

static void on_done(void *context, struct http_request *request)
{
	(void)context;
	w.dones++;
	if (w.held == request)
		w.held = NULL;
}

static void write_error(void *context, struct http_request *request, unsigned status, struct slice code, struct slice message,
			struct text *headers, struct text *body)
{
	(void)context;
	(void)request;
	assert_true(status >= 400 && message.size > 0);
	text_literal(headers, "Content-Type: text/plain\r\n");
	text_add(body, code);
}

static const struct http_service service = { on_head, on_request, on_drained, on_gone, on_done, write_error };

static struct http_server_options options_of_test(void)
{
	return (struct http_server_options){
		.limits = { MALFORMED_HEAD_BYTES, MALFORMED_HEADERS, MALFORMED_BODY_BYTES },
		.head_timeout_ns = 10 * NS_PER_S,
		.body_timeout_ns = 30 * NS_PER_S,
		.keepalive_timeout_ns = 75 * NS_PER_S,
		.write_stall_timeout_ns = 20 * NS_PER_S,
		.max_connections = 16,
	};
}

static int set_up(void **state)
{
	struct http_server_options options = options_of_test();

	(void)state;
	memset(&w, 0, sizeof(w));
	w.shard.now_ns = 1000 * NS_PER_S;
	w.shard.wall_offset_ns = 784111777 * NS_PER_S - w.shard.now_ns;
	w.next_ip = htonl(0x7f000001);
	list_init(&w.shard.turn_end);
	timers_init(&w.shard.timers, w.shard.now_ns);
	rand_seed(&w.shard.rand, 1);
	assert_int_equal(http_server_open(&w.server, &w.shard, &options, &service, &w), 0);
	assert_int_equal(http_server_listen(w.server, LISTENER, NULL), 0);
	return 0;
}

static bool step(struct wire *wire)
{
	if (wire->closed || !wire->stream)
		return false;
	if (wire->closing) {
		wire->closed = true;
		wire->stream->handler->on_closed(wire->stream);
		return true;
	}
	if (!wire->sending || wire->stalled)
		return false;
	for (unsigned i = 0; i < wire->iov_count; i++) {
		assert_true(wire->sent_bytes + wire->iov[i].iov_len < SENT_MAX);
		memcpy(wire->sent + wire->sent_bytes, wire->iov[i].iov_base, wire->iov[i].iov_len);
		wire->sent_bytes += wire->iov[i].iov_len;
	}
	wire->sent[wire->sent_bytes] = '\0';
	wire->sending = false;
	wire->stream->handler->on_sent(wire->stream, 0);
	return true;
}

/* Turns until nothing moves. */
static void settle(void)
{
	bool moved = true;

	while (moved) {
		moved = false;
		timers_run(&w.shard.timers, w.shard.now_ns);
		for (struct list *link; (link = list_take_first(&w.shard.turn_end)); moved = true)
			container_of(link, struct turn_hook, link)->run(container_of(link, struct turn_hook, link));
		for (unsigned i = 0; i < w.wire_count; i++)
			moved |= step(&w.wires[i]);
	}
}

/* In steps, because a timer that fires late is not what is tested. */
static void pass(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds * 10; i++) {
		w.shard.now_ns += 100 * NS_PER_MS;
		settle();
	}
}

static struct wire *dial(void)
{
	struct wire *wire = &w.wires[w.wire_count];
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)w.wire_count),
			.sin_addr.s_addr = w.next_ip };
	struct sockaddr_storage peer = { 0 };

	assert_true(w.wire_count < WIRES_MAX);
	wire->sent = malloc(SENT_MAX);
	assert_non_null(wire->sent);
	wire->sent[0] = '\0';
	memcpy(&peer, &in, sizeof(in));
	w.accepting->peer = &peer;
	w.accepting->op.done(&w.accepting->op, (int)w.wire_count++, OP_MORE, NULL);
	settle();
	return wire;
}

static void release_buffer(struct buffer *buffer)
{
	w.buffers_live--;
	free(buffer->data);
	free(buffer);
}

static void give(struct wire *wire, struct slice bytes)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	assert_non_null(buffer);
	assert_false(wire->stream->paused);
	buffer->data = calloc(1, bytes.size + BUFFER_PADDING_BYTES);
	assert_non_null(buffer->data);
	memcpy(buffer->data, bytes.data, bytes.size);
	buffer->capacity_bytes = buffer->used_bytes = (uint32_t)bytes.size;
	buffer->references = 1;
	buffer->release = release_buffer;
	w.buffers_live++;
	if (!wire->closing && !wire->closed)
		wire->stream->handler->on_received(wire->stream, slice_of(buffer->data, bytes.size), buffer);
	buffer_give(&buffer);
	settle();
}

static void say(struct wire *wire, const char *text)
{
	give(wire, slice_of_string(text));
}

static void hang_up(struct wire *wire)
{
	if (!wire->closing && !wire->closed)
		wire->stream->handler->on_received(wire->stream, slice_of(NULL, 0), NULL);
	settle();
}

static void assert_sent(const struct wire *wire, const char *text)
{
	assert_string_equal(wire->sent, text);
}

static int tear_down(void **state)
{
	(void)state;
	http_server_abort(w.server);
	settle();
	if (w.held) {
		http_end(w.held);
		settle();
	}
	assert_true(http_server_idle(w.server));
	assert_int_equal(w.heads, w.dones);
	assert_int_equal(w.buffers_live, 0);
	assert_int_equal(http_server_counts(w.server).connections, 0);
	http_server_close(w.server);
	for (unsigned i = 0; i < w.wire_count; i++) {
		assert_true(w.wires[i].closed);
		free(w.wires[i].sent);
	}
	assert_int_equal(w.shard.timers.armed_count, 0);
	return 0;
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define ECHO(length, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " length "\r\nX: y\r\n\r\n" body
#define CLOSING(status, length, body) \
	"HTTP/1.1 " status "\r\n" DATE "Content-Length: " length "\r\nConnection: close\r\n" \
	"Content-Type: text/plain\r\n\r\n" body
#define POST_ABC "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"

static void test_one_request_in_place(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc"));
	assert_true(w.in_place);
	assert_int_equal(wire->sends, 1);
	assert_int_equal(w.dones, 1);
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc") ECHO("3", "abc"));
	assert_int_equal(http_server_counts(w.server).requests, 2);
	assert_int_equal(http_server_counts(w.server).connections_idle, 1);
	hang_up(wire);
	assert_true(wire->closed && !wire->reset);
}

static void test_cuts_change_nothing(void **state)
{
	static const char *const requests[] = {
		POST_ABC,
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nT: u\r\n\r\n",
	};
	struct wire *wire = dial();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t size = strlen(requests[i]);

		for (size_t at = 1; at < size; at++) {
			wire->sent_bytes = 0;
			give(wire, slice_of(requests[i], at));
			give(wire, slice_of(requests[i] + at, size - at));
			assert_sent(wire, ECHO("3", "abc"));
		}
		wire->sent_bytes = 0;
		for (size_t at = 0; at < size; at++)
			give(wire, slice_of(requests[i] + at, 1));
		assert_sent(wire, ECHO("3", "abc"));
	}
}

static void test_pipelined(void **state)
{
	struct wire *wire = dial();
	static const char five[] = POST_ABC POST_ABC POST_ABC POST_ABC POST_ABC;

	(void)state;
	say(wire, five);
	assert_sent(wire, ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n" POST_ABC);
	assert_int_equal(wire->sent_bytes, 0);
	for (unsigned i = 0; i < 3; i++)
		say(wire, POST_ABC);
	assert_true(wire->stream->paused); /* four buffers are held */
	http_respond(w.held, 200, SLICE("X: y\r\n"), SLICE("first"));
	settle();
	assert_sent(wire, ECHO("5", "first") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc") ECHO("3", "abc"));
	assert_false(wire->stream->paused);
	assert_int_equal(w.dones, 10);
}

static void test_malformed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MALFORMED_COUNT; i++) {
		const struct malformed *m = &malformed[i];
		struct wire *wire = &w.wires[0];
		char start[32], end[64];
		size_t end_bytes;

		w.wire_count = 0; /* one slot does for all: each is closed before the next */
		free(wire->sent);
		*wire = (struct wire){ 0 };
		wire = dial();
		give(wire, m->bytes);
		snprintf(start, sizeof(start), "HTTP/1.1 %u ", m->status);
		snprintf(end, sizeof(end), "\r\n\r\n%s", m->code);
		end_bytes = strlen(end);
		if (strncmp(wire->sent, start, strlen(start)) != 0 || wire->sent_bytes < end_bytes ||
		    strcmp(wire->sent + wire->sent_bytes - end_bytes, end) != 0 || !strstr(wire->sent,
				"Connection: close\r\n"))
			fail_msg("%s: answered %s", m->name, wire->sent);
		assert_null(strstr(wire->sent + 1, "HTTP/1.1 ")); /* one answer */
		assert_true(wire->shut && !wire->closed);
		say(wire, POST_ABC); /* dropped */
		assert_null(strstr(wire->sent, "abc"));
		hang_up(wire);
		assert_true(wire->closed && !wire->reset);
		assert_int_equal(w.requests, i);

		free(wire->sent);
		*wire = (struct wire){ 0 };
		w.wire_count = 0;
		wire = dial();
		say(wire, POST_ABC);
		assert_sent(wire, ECHO("3", "abc"));
		hang_up(wire);
	}
	assert_int_equal(http_server_counts(w.server).bad_requests, MALFORMED_COUNT);
}

static void test_expect(void **state)
{
	static const char head[] = "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
	struct wire *wire = dial();

	(void)state;
	say(wire, head);
	assert_sent(wire, "HTTP/1.1 100 Continue\r\n\r\n");
	say(wire, "abc");
	assert_sent(wire, "HTTP/1.1 100 Continue\r\n\r\n" ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	assert_sent(wire, ECHO("3", "abc"));
	wire->sent_bytes = 0;
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 2\r\nConnection: close\r\nX: y\r\n\r\nno");
	assert_true(wire->shut);
	hang_up(wire);
	wire = dial();
	say(wire, "POST /small HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_sent(wire, CLOSING("413 Content Too Large", "14", "body_too_large"));
}

static void test_refusals_at_the_head(void **state)
{
	struct wire *wire = dial();

	(void)state;
	/* The body is in hand: kept alive. */
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" POST_ABC);
	assert_sent(wire, "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Length: 2\r\nX: y\r\n\r\nno" ECHO("3", "abc"));
	assert_int_equal(w.requests, 1);
	wire->sent_bytes = 0;
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc");
	assert_non_null(strstr(wire->sent, "Connection: close"));
	assert_true(wire->shut && !wire->closed);
	for (unsigned i = 0; i < 3; i++) { /* up to 1 MiB is dropped, then the client is cut off */
		give(wire, slice_of(w.big, 256 * 1024));
		assert_false(wire->closed);
	}
	give(wire, slice_of(w.big, 256 * 1024));
	assert_true(wire->closed && wire->reset);
	wire = dial();
	say(wire, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc");
	pass(3);
	assert_true(wire->closed);
}

static void test_framing_of_answers(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "HEAD /pieces HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\n\r\n");
	wire->sent_bytes = 0;
	say(wire, "GET /pieces HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\n\r\none two");
	wire->sent_bytes = 0;
	say(wire, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	wire->sent_bytes = 0;
	say(wire, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 7\r\nConnection: keep-alive\r\n\r\none two");
	wire->sent_bytes = 0;
	wire->sends = 0;
	say(wire, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(wire->sends, 2); /* 300 KiB in flights of 256 */
	assert_memory_equal(wire->sent + wire->sent_bytes - sizeof(w.big), w.big, sizeof(w.big));
	wire->sent_bytes = 0;
	say(wire, "GET /later HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	http_write(w.held, SLICE("to the end"));
	http_end(w.held);
	settle();
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nto the end");
	assert_true(wire->shut);
}

static void test_streaming_and_back_pressure(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(http_answered(w.held));
	http_begin(w.held, 200, SLICE("A: b\r\n"));
	assert_true(http_answered(w.held));
	assert_true(http_write(w.held, SLICE("hello ")));
	assert_true(http_write(w.held, SLICE("")));
	assert_true(http_write(w.held, SLICE("0123456789abcdef")));
	settle();
	assert_sent(wire, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\nA: b\r\n\r\n6\r\nhello \r\n"
			  "10\r\n0123456789abcdef\r\n");
	assert_int_equal(wire->sends, 1);
	wire->stalled = true;
	assert_true(http_write(w.held, slice_of(w.big, 40000)));
	settle();
	assert_false(http_write(w.held, slice_of(w.big, 40000)));
	assert_int_equal(w.drains, 0);
	wire->stalled = false;
	settle();
	assert_int_equal(w.drains, 1);
	wire->sent_bytes = 0;
	http_end(w.held);
	settle();
	assert_sent(wire, "0\r\n\r\n");
	assert_int_equal(w.dones, 1);
	assert_false(wire->shut);
	say(wire, POST_ABC);
	assert_non_null(strstr(wire->sent, "abc"));
}

/* The memory of some requests is kept for the next ones, that of the others goes back as each ends. */
static void test_more_at_once_than_are_kept(void **state)
{
	struct http_server_options options = options_of_test();

	(void)state;
	options.max_connections = WIRES_MAX;
	http_server_configure(w.server, &options);
	for (unsigned i = 0; i < 256 + 32; i++) {
		struct wire *wire = dial();

		wire->stalled = true;
		say(wire, POST_ABC);
	}
	for (unsigned i = 0; i < w.wire_count; i++)
		w.wires[i].stalled = false;
	settle();
	for (unsigned i = 0; i < w.wire_count; i++)
		assert_non_null(strstr(w.wires[i].sent, "abc"));
	assert_int_equal(w.dones, w.wire_count);
}

static void test_break(void **state)
{
	struct wire *wire = dial();

	(void)state;
	say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	http_write(w.held, SLICE("half"));
	http_break(w.held);
	settle();
	assert_true(wire->closed && !wire->shut);
	assert_string_equal(wire->sent + wire->sent_bytes - 9, "4\r\nhalf\r\n");
	assert_int_equal(w.dones, 1);
	assert_int_equal(w.gones, 0);
}

static void test_client_gone(void **state)
{
	(void)state;
	for (unsigned begun = 0; begun < 2; begun++) {
		for (unsigned reset = 0; reset < 2; reset++) {
			struct wire *wire = dial();
			unsigned gones = w.gones, dones = w.dones;

			say(wire, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
			if (begun) {
				wire->stalled = true; /* a send is in flight when the client goes */
				http_begin(w.held, 200, SLICE(""));
				settle();
			}
			if (reset)
				wire->stream->handler->on_failed(wire->stream, -ECONNRESET);
			else
				hang_up(wire);
			settle();
			assert_int_equal(w.gones, gones + 1);
			assert_true(wire->closed);
			assert_int_equal(w.dones, dones);
			assert_false(http_server_idle(w.server));
			if (begun)
				assert_true(http_write(w.held, SLICE("dropped")));
			http_end(w.held);
			assert_int_equal(w.dones, dones); /* not from inside the call */
			settle();
			assert_int_equal(w.dones, dones + 1);
		}
	}
	/* In mid-body the service knows the request as well. */
	say(dial(), "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
	hang_up(&w.wires[w.wire_count - 1]);
	assert_int_equal(w.gones, 5);
}

static void test_timeouts(void **state)
{
	struct wire *silent = dial(), *head = dial(), *body = dial(), *idle = dial(), *stalled = dial();

	(void)state;
	say(head, "GET / HTTP/1.1\r\n");
	say(body, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
	say(idle, POST_ABC);
	stalled->stalled = true;
	say(stalled, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_begin(w.held, 200, SLICE(""));
	settle();
	pass(9);
	say(head, "Host: h\r\n"); /* a trickle gains nothing */
	assert_false(silent->closed || head->shut);
	pass(2);
	assert_true(silent->closed);
	assert_int_equal(silent->sent_bytes, 0);
	assert_non_null(strstr(head->sent, "408 Request Timeout"));
	assert_non_null(strstr(head->sent, "head_timeout"));
	pass(8);
	assert_false(stalled->closed);
	pass(2);
	assert_true(stalled->closed && stalled->reset);
	assert_int_equal(w.gones, 1);
	http_end(w.held);
	pass(8);
	assert_int_equal(body->sent_bytes, 0);
	pass(2);
	assert_non_null(strstr(body->sent, "body_timeout"));
	assert_false(idle->closed);
	pass(43);
	assert_false(idle->closed);
	pass(2);
	assert_true(idle->closed && !idle->reset);
}

static void test_admission(void **state)
{
	struct http_server_options options = options_of_test();
	struct wire *wire;

	(void)state;
	options.max_connections_per_ip = 2;
	options.max_connections = 5;
	http_server_configure(w.server, &options);
	dial();
	dial();
	wire = dial();
	assert_non_null(strstr(wire->sent, "HTTP/1.1 429 "));
	assert_non_null(strstr(wire->sent, "connections_per_ip"));
	hang_up(wire);
	w.next_ip = htonl(0x7f000002);
	dial();
	dial();
	w.next_ip = htonl(0x7f000003);
	dial();
	wire = dial();
	assert_non_null(strstr(wire->sent, "HTTP/1.1 503 "));
	assert_non_null(strstr(wire->sent, "Connection: close"));
	assert_int_equal(http_server_counts(w.server).refused_connections, 2);
	hang_up(&w.wires[0]);
	w.next_ip = htonl(0x7f000001);
	hang_up(wire);
	wire = dial();
	say(wire, POST_ABC);
	assert_sent(wire, ECHO("3", "abc"));
	while (w.wire_count < 5 + 64 + 5 && !w.reset_at_once) /* who is above both bounds is not even told */
		dial();
	assert_int_equal(w.reset_at_once, 1);
}

static void test_drain(void **state)
{
	struct wire *idle = dial(), *busy = dial();

	(void)state;
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_drain(w.server);
	settle();
	assert_true(idle->closed);
	assert_false(w.accepting->op.in_flight);
	assert_true(w.listener_closed);
	assert_false(http_server_idle(w.server));
	http_respond(w.held, 200, SLICE(""), SLICE("late"));
	settle();
	assert_sent(busy, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 4\r\nConnection: close\r\n\r\nlate");
	assert_true(busy->shut);
	hang_up(busy);
	assert_true(http_server_idle(w.server));
}

/* Who was there keeps its answer and goes; who comes is answered and goes too; then the drain finds nobody. */
static void test_wind_down(void **state)
{
	struct wire *idle = dial(), *fresh = dial(), *busy = dial(), *late;

	(void)state;
	say(idle, POST_ABC);
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_wind_down(w.server);
	settle();
	assert_true(idle->closed);
	assert_false(fresh->closed);
	say(fresh, POST_ABC); /* was on its way */
	assert_non_null(strstr(fresh->sent, "HTTP/1.1 200 OK\r\n"));
	assert_true(fresh->shut);
	hang_up(fresh);
	assert_true(w.accepting->op.in_flight);
	late = dial();
	say(late, POST_ABC);
	assert_non_null(strstr(late->sent, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(late->sent, "Connection: close\r\n"));
	assert_true(late->shut);
	hang_up(late);
	late = dial(); /* and says nothing */
	http_respond(w.held, 200, SLICE(""), SLICE("late"));
	settle();
	assert_true(busy->shut);
	hang_up(busy);
	http_server_drain(w.server);
	settle();
	assert_true(late->closed);
	assert_false(w.accepting->op.in_flight);
	assert_true(http_server_idle(w.server));
}

static void test_abort(void **state)
{
	struct wire *busy = dial();

	(void)state;
	say(busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	http_server_abort(w.server);
	settle();
	assert_int_equal(w.gones, 1);
	assert_true(busy->closed && busy->reset);
	http_end(w.held);
	settle();
	assert_int_equal(w.dones, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_request_in_place), TEST(test_cuts_change_nothing), TEST(test_pipelined),
		TEST(test_malformed),            TEST(test_expect),              TEST(test_refusals_at_the_head),
		TEST(test_framing_of_answers),   TEST(test_streaming_and_back_pressure),
		TEST(test_more_at_once_than_are_kept),
		TEST(test_break),                TEST(test_client_gone),         TEST(test_timeouts),
		TEST(test_admission),            TEST(test_drain),               TEST(test_wind_down),
		TEST(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
