/* See server_world.h. */
#include "proto/http/tests/server_world.h"

#include "proto/http/tests/http_malformed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct world w;

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
	*s = (struct stream){.handler = handler, .shard = shard, .socket = socket};
	w.wires[socket].stream = s;
}

int stream_accepted_secure(struct stream *s, struct shard *shard, int socket, const struct stream_handler *handler,
	struct tls_listener *listener)
{
	(void)listener;
	stream_accepted(s, shard, socket, handler);
	return 0;
}

struct slice stream_tls_identity(const struct stream *stream)
{
	(void)stream;
	return slice_of(NULL, 0);
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
	request->watched = path_is(request, "/watch");
}

/* What there is so far, in brackets, then pieces. */
static void on_body(void *context, struct http_request *request, struct slice piece)
{
	struct text t = text_over(w.watched, sizeof(w.watched) - 1);

	assert_ptr_equal(context, &w);
	t.size = strlen(w.watched);
	if (!request->passing) {
		assert_true(slice_ends_with(request->body, piece));
		text_char(&t, '[');
		text_add(&t, request->body);
		text_char(&t, ']');
		request->passing = request->body.size >= 4;
	} else {
		assert_int_equal(request->body.size, 0);
		text_add(&t, piece);
		text_char(&t, '.');
	}
	assert_false(t.full);
	w.watched[t.size] = '\0';
	w.held = request;
	if (memchr(piece.data, 'x', piece.size))
		http_respond(request, 403, SLICE("X: y\r\n"), SLICE("no"));
}

static void on_request(void *context, struct http_request *request)
{
	static char one[] = "one ", two[] = "two"; /* outlive the answer */
	const struct iovec pieces[] = {{one, 4}, {two, 3}};

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

static void write_error(void *context, struct http_request *request, unsigned status, struct slice code,
	struct slice message, struct text *headers, struct text *body)
{
	(void)context;
	(void)request;
	assert_true(status >= 400 && message.size > 0);
	text_literal(headers, "Content-Type: text/plain\r\n");
	text_add(body, code);
}

static const struct http_service service = {.on_head = on_head,
	.on_body = on_body,
	.on_request = on_request,
	.on_drained = on_drained,
	.on_gone = on_gone,
	.on_done = on_done,
	.write_error = write_error};

struct http_server_options options_of_test(void)
{
	return (struct http_server_options){
		.limits = {MALFORMED_HEAD_BYTES, MALFORMED_HEADERS, MALFORMED_BODY_BYTES},
		.head_timeout_ns = 10 * NS_PER_S,
		.body_timeout_ns = 30 * NS_PER_S,
		.keepalive_timeout_ns = 75 * NS_PER_S,
		.write_stall_timeout_ns = 20 * NS_PER_S,
		.max_connections = 16,
	};
}

int set_up(void **state)
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

void settle(void)
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

void pass(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds * 10; i++) {
		w.shard.now_ns += 100 * NS_PER_MS;
		settle();
	}
}

struct wire *dial(void)
{
	struct wire *wire = &w.wires[w.wire_count];
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)w.wire_count), .sin_addr.s_addr = w.next_ip};
	struct sockaddr_storage peer = {0};

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

void give(struct wire *wire, struct slice bytes)
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

void say(struct wire *wire, const char *text)
{
	give(wire, slice_of_string(text));
}

void hang_up(struct wire *wire)
{
	if (!wire->closing && !wire->closed)
		wire->stream->handler->on_received(wire->stream, slice_of(NULL, 0), NULL);
	settle();
}

void assert_sent(const struct wire *wire, const char *text)
{
	assert_string_equal(wire->sent, text);
}

int tear_down(void **state)
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
