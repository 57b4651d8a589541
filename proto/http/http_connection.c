/*
 * One connection of the client: connects, sends the attached call's request, feeds the parser with what comes, and
 * tells the call. Any callback may cancel its call, after which connection->call is NULL and the connection is
 * closing: every step that called out looks before it goes on.
 */
#include "proto/http/http_client_internal.h"

#include "core/kconfig.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void on_connected(struct stream *stream, int result);
static void on_received(struct stream *stream, struct slice data, struct buffer *buffer);
static void on_sent(struct stream *stream, int result);
static void on_failed(struct stream *stream, int error);
static void on_closed(struct stream *stream);

static const struct stream_handler stream_handler = {
	.on_connected = on_connected,
	.on_received = on_received,
	.on_sent = on_sent,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

static void on_resume_turn(struct turn_hook *hook);

static int connect_to_index(struct http_connection *c)
{
	const struct sockaddr_storage *address = &c->origin->addresses[c->address_index % c->origin->address_count];
	socklen_t bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	c->state = CONNECTION_CONNECTING;
	c->client->counts.connects++;
	if (CONFIG(TLS) && c->origin->trust.size)
		return stream_connect_secure(&c->stream, c->client->shard, (const struct sockaddr *)address, bytes,
			&stream_handler, c->origin->tls_worker, &c->origin->tls);
	return stream_connect(&c->stream, c->client->shard, (const struct sockaddr *)address, bytes, &stream_handler);
}

int http_connection_connect(struct http_connection *c)
{
	assert(c->call && c->origin->address_count);
	c->address_count = c->origin->address_count;
	c->address_index = c->origin->address_first;
	c->address_tries = 1;
	c->try_next_address = false;
	turn_hook_init(&c->resume_hook, on_resume_turn);
	return connect_to_index(c);
}

bool http_connection_try_next(struct http_connection *c)
{
	if (c->address_tries >= c->address_count)
		return false;
	c->address_tries++;
	c->address_index = (c->address_index + 1) % c->address_count;
	c->try_next_address = true;
	c->state = CONNECTION_CLOSING;
	stream_close(&c->stream, false);
	return true;
}

/*
 * The call's memory goes back to its owner as soon as the call ends, which may be before the ring has even submitted
 * the send. What was submitted is cancelled before the kernel looks at it again; what was not is emptied here, so
 * that it never sends bytes that meanwhile belong to somebody else.
 */
static void neutralize(struct http_connection *c)
{
	for (unsigned i = 0; i < c->iov_count; i++)
		c->iov[i].iov_len = 0;
}

void http_connection_close(struct http_connection *c, bool reset)
{
	struct buffer *head_buffer = http_connection_take_head_buffer(c);

	assert(!c->call);
	c->try_next_address = false;
	buffer_give(&c->held_buffer);
	buffer_give(&head_buffer);
	if (c->state == CONNECTION_CLOSING)
		return;
	if (c->state == CONNECTION_IDLE)
		http_client_leave_pool(c);
	c->state = CONNECTION_CLOSING;
	turn_hook_withdraw(&c->resume_hook);
	if (stream_sending(&c->stream))
		neutralize(c);
	stream_close(&c->stream, reset);
}

static void on_closed(struct stream *stream)
{
	struct http_connection *c = container_of(stream, struct http_connection, stream);
	int rc;

	assert(c->state == CONNECTION_CLOSING);
	if (!c->try_next_address) {
		http_client_release(c);
		return;
	}
	c->try_next_address = false;
	rc = connect_to_index(c);
	if (rc < 0) {
		struct http_call *call = c->call;

		/* Nothing was started, so nothing will come: the connection ends here. */
		c->state = CONNECTION_CLOSING;
		http_call_fail(call, HTTP_FAILURE_CONNECT, rc, SLICE("no socket"));
		http_client_release(c);
	}
}

/* Where the head is to stay until the answer's end: in its buffer, or with the parser. */
static void settle_head(struct http_connection *c, struct buffer *buffer)
{
	if (http_parser_gathered(c->parser))
		return;
	if (c->client->kept_heads >= BUFFERS_KEPT_MAX && http_parser_keep_head(c->parser))
		return;
	c->client->kept_heads++;
	c->head_buffer = buffer_borrow(buffer);
}

struct buffer *http_connection_take_head_buffer(struct http_connection *c)
{
	struct buffer *buffer = c->head_buffer;

	c->head_buffer = NULL;
	c->client->kept_heads -= buffer != NULL;
	return buffer;
}

static int reserve_iov(struct http_connection *c, unsigned count)
{
	unsigned capacity = c->iov_capacity ? c->iov_capacity : HTTP_CONNECTION_IOV_MIN;
	struct iovec *iov;

	if (count <= c->iov_capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	iov = realloc(c->iov, capacity * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	c->iov = iov;
	c->iov_capacity = capacity;
	return 0;
}

/* Limits differ between calls only when the configuration changed in between, so a new parser is rare. */
static int reserve_parser(struct http_connection *c, const struct http_limits *limits)
{
	if (c->parser && limits->max_head_bytes == c->limits.max_head_bytes &&
		limits->max_headers == c->limits.max_headers)
		return 0;
	if (c->parser)
		http_parser_close(c->parser);
	c->limits = *limits;
	c->parser = http_parser_open(HTTP_PARSE_RESPONSES, &c->limits);
	return c->parser ? 0 : -ENOMEM;
}

int http_connection_send(struct http_connection *c)
{
	struct http_call *call = c->call;
	int rc = reserve_iov(c, call->body_count + 2);

	if (rc == 0)
		rc = reserve_parser(c, &call->limits);
	if (rc < 0)
		return rc;
	c->state = CONNECTION_BUSY;
	c->answered = c->interim = c->head_done = false;
	c->interim_count = 0;
	c->send_error = 0;
	http_parser_begin(c->parser, call->head, call->head_request);
	c->iov[0] = (struct iovec){(void *)(uintptr_t)call->request_head.data, call->request_head.size};
	c->iov_count = 1;
	for (unsigned i = 0; i < call->body_count; i++)
		if (call->body[i].iov_len)
			c->iov[c->iov_count++] = call->body[i];
	if (c->iov_count == 1)
		c->iov[c->iov_count++] = (struct iovec){c->iov, 0};
	stream_send(&c->stream, c->iov, c->iov_count);
	return 0;
}

void http_connection_send_more(struct http_connection *c)
{
	struct http_call *call = c->call;
	struct http_upload *upload = call->upload;
	struct text sent = upload->sending;

	if (c->state != CONNECTION_BUSY || stream_sending(&c->stream) || c->send_error || !upload->filling.size)
		return;
	upload->sending = upload->filling;
	upload->filling = sent;
	upload->filling.size = 0;
	c->iov[0] = (struct iovec){upload->sending.data, upload->sending.size};
	c->iov[1] = (struct iovec){c->iov, 0};
	c->iov_count = 2;
	call->phase_ns = shard_now_ns(c->client->shard);
	stream_send(&c->stream, c->iov, c->iov_count);
	http_call_watch(call);
}

/* Once the last of it is sent, the answer's time runs. */
static void go_on_sending(struct http_connection *c)
{
	struct http_call *call = c->call;
	bool waited = call->upload->filling.size > 0;

	call->phase_ns = shard_now_ns(c->client->shard);
	if (waited)
		http_connection_send_more(c);
	else
		http_call_watch(call);
	if (waited)
		call->handler->on_room(call);
}

static void fail_connect(struct http_call *call, const struct stream *stream, int error)
{
	call->tls_cause = CONFIG(TLS) ? stream_tls_cause(stream) : TLS_CAUSE_NONE;
	if (call->tls_cause)
		http_call_fail(call, HTTP_FAILURE_TLS, error, slice_of_string(tls_cause_text(call->tls_cause)));
	else
		http_call_fail(call, HTTP_FAILURE_CONNECT, error, slice_of_string(strerrordesc_np(-error)));
}

static void on_connected(struct stream *stream, int result)
{
	struct http_connection *c = container_of(stream, struct http_connection, stream);
	struct http_call *call = c->call;

	assert(c->state == CONNECTION_CONNECTING && call);
	if (result < 0) {
		/* Another address would hide why the peer is not trusted. */
		if ((CONFIG(TLS) && stream_tls_cause(stream)) || !http_connection_try_next(c))
			fail_connect(call, &c->stream, result);
		return;
	}
	c->origin->address_first = c->address_index;
	call->phase_ns = shard_now_ns(c->client->shard);
	result = http_connection_send(c);
	if (result < 0)
		http_call_fail(call, HTTP_FAILURE_CONNECT, result, SLICE("out of memory"));
	else
		http_call_watch(call);
}

/*
 * A peer that refuses a large body answers, then resets; our send fails first, and the answer still waits to be
 * received. So a failed send ends the call only when receiving ends too, or after a short while.
 */
static void on_sent(struct stream *stream, int result)
{
	struct http_connection *c = container_of(stream, struct http_connection, stream);
	uint64_t now_ns = shard_now_ns(c->client->shard);

	if (result == 0) {
		if (c->call)
			c->call->sent_ns = now_ns;
		if (c->call && c->call->upload)
			go_on_sending(c);
		return;
	}
	c->send_error = result;
	c->send_failed_ns = now_ns;
	if (c->call)
		http_call_watch(c->call);
}

static bool reusable_after(const struct http_head *head, bool head_request)
{
	bool framed = head->chunked || head->has_length || head_request || head->status == 204 || head->status == 304;

	return head->minor_version >= 1 && head->keep_alive && framed;
}

/* False when the connection or the call may be gone. */
static bool take_head(struct http_connection *c, struct buffer *buffer)
{
	struct http_call *call = c->call;
	uint16_t status = call->head->status;

	if (status < 200) {
		/* 101 would change the protocol, which we never ask for (RFC 9110, 15.2.2). */
		if (status == 101 || ++c->interim_count > HTTP_INTERIM_HEADS_MAX) {
			http_call_fail(call, HTTP_FAILURE_PROTOCOL, 0, SLICE("unexpected 1xx answer"));
			return false;
		}
		c->interim = true;
		return true;
	}
	c->head_done = true;
	settle_head(c, buffer);
	http_parser_limit_body(c->parser, call->limits.max_body_bytes);
	call->head_received_ns = shard_now_ns(c->client->shard);
	http_call_watch(call);
	call->handler->on_head(call);
	return c->call == call;
}

/* After 1xx the final answer follows. False when the call has ended. */
static bool take_end(struct http_connection *c, bool surplus)
{
	struct http_call *call = c->call;

	if (c->interim) {
		c->interim = false;
		http_parser_begin(c->parser, call->head, call->head_request);
		return true;
	}
	http_call_complete(c, !surplus && reusable_after(call->head, call->head_request));
	return false;
}

bool http_connection_held_back(const struct http_connection *c)
{
	return c->call && c->head_done && c->call->paused;
}

static void take_bytes(struct http_connection *c, struct slice bytes, struct buffer *buffer)
{
	struct http_call *call = c->call;
	struct slice piece;

	for (;;) {
		if (http_connection_held_back(c)) {
			c->held_buffer = buffer_keep(buffer, &bytes);
			c->held = bytes;
			return;
		}
		switch (http_parser_next(c->parser, &bytes, &piece)) {
		case HTTP_PARSED_MORE:
			return;
		case HTTP_PARSED_HEAD:
			if (!take_head(c, buffer))
				return;
			break;
		case HTTP_PARSED_BODY:
			call->handler->on_data(call, piece, buffer);
			if (c->call != call)
				return;
			break;
		case HTTP_PARSED_END:
			if (!take_end(c, bytes.size != 0))
				return;
			break;
		case HTTP_PARSED_BAD:
			http_call_fail(call, HTTP_FAILURE_PROTOCOL, 0, http_parser_problem(c->parser)->message);
			return;
		}
	}
}

/* What was held when the call paused comes first; the stream goes on only when the call did not pause again over it. */
static void on_resume_turn(struct turn_hook *hook)
{
	struct http_connection *c = container_of(hook, struct http_connection, resume_hook);
	struct buffer *buffer = c->held_buffer;

	c->held_buffer = NULL;
	if (buffer && c->call)
		take_bytes(c, c->held, buffer);
	buffer_give(&buffer);
	if (c->state != CONNECTION_CLOSING && !http_connection_held_back(c))
		stream_resume(&c->stream);
}

static void on_received(struct stream *stream, struct slice data, struct buffer *buffer)
{
	struct http_connection *c = container_of(stream, struct http_connection, stream);
	struct http_call *call = c->call;

	if (!call) {
		/* Idle: the peer ended the connection, or speaks unasked and cannot be trusted with another call. */
		http_connection_close(c, false);
		return;
	}
	if (!buffer) {
		/* An answer may be framed by the connection's end (RFC 9112, 6.3, rule 8). */
		if (c->head_done && http_parser_finish(c->parser))
			http_call_complete(c, false);
		else
			http_call_lost(c, 0);
		return;
	}
	c->answered = true;
	call->bytes_in += (uint32_t)data.size;
	if (c->head_done)
		call->phase_ns = shard_now_ns(c->client->shard);
	take_bytes(c, data, buffer);
}

static void on_failed(struct stream *stream, int error)
{
	struct http_connection *c = container_of(stream, struct http_connection, stream);

	if (c->call)
		http_call_lost(c, error);
	else
		http_connection_close(c, false);
}
