/*
 * Answers: heads, framing, and when bytes leave. What a turn writes is gathered and leaves in one send at its end;
 * what is written while a send is in flight leaves when that has ended. A finished answer is done with when its last
 * send has.
 */
#include "proto/http/http_server_internal.h"

#include <assert.h>

enum { COPIED_BYTES = 2048 }; /* a borrowed body up to this long is copied behind its head: below a chunk's room */

static bool can_send(const struct exchange *x)
{
	return x->connection && x->connection->phase != PHASE_CLOSED;
}

static void ask_turn_end(struct exchange *x)
{
	shard_at_turn_end(x->server->shard, &x->hook);
}

/* The answer has left, or nothing will be: what now. */
static void finish(struct exchange *x)
{
	struct connection *c = x->connection;

	if (x->broken)
		connection_lose(c, x->framing == FRAMING_TO_END || !x->answered);
	else
		connection_next(c);
}

static void flush(struct exchange *x)
{
	struct connection *c = x->connection;
	unsigned count;

	if (x->output.failed) {
		connection_lose(c, true);
		return;
	}
	if (stream_sending(&c->stream))
		return;
	count = output_take(&x->output);
	if (count) {
		stream_send(&c->stream, x->output.vectors, count);
		connection_set_deadline(c, c->server->options.write_stall_timeout_ns);
	} else if (x->ended) {
		finish(x);
	}
}

void http_exchange_turn_end(struct turn_hook *hook)
{
	struct exchange *x = container_of(hook, struct exchange, hook);

	if (can_send(x))
		flush(x);
	else if (!x->connection && x->ended)
		http_exchange_release(x);
}

void http_exchange_sent(struct exchange *x)
{
	struct connection *c = x->connection;

	x->server->counts.bytes_out += x->output.flying_bytes;
	output_landed(&x->server->output_pool, &x->output);
	if (c->phase == PHASE_SERVING || c->phase == PHASE_DROPPING)
		c->deadline_ns = 0;
	else
		connection_set_deadline(c, c->server->options.body_timeout_ns); /* it was 100 Continue */
	flush(x);
	if (c->exchange != x || c->phase == PHASE_CLOSED) /* it has ended, and its memory may be gone */
		return;
	if (x->held_back && x->output.waiting_bytes + x->output.flying_bytes <= OUTPUT_LOW_BYTES) {
		x->held_back = false;
		x->server->service->on_drained(x->server->context, &x->request);
	}
}

static struct slice date_of(struct http_server *server)
{
	uint64_t now_s = shard_wall_ns(server->shard) / 1000000000u;

	if (now_s != server->date_s) {
		server->date_s = now_s;
		http_date(now_s, server->date);
	}
	return slice_of(server->date, HTTP_DATE_BYTES);
}

static bool status_has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Decides how the answer is framed and whether the connection lives on; false when there is nobody to answer. */
static bool begin(struct exchange *x, unsigned status, bool known_length)
{
	struct connection *c = x->connection;
	const struct http_head *head = &x->request.head;
	bool whole;

	assert(!x->answered);
	assert(status >= 200 && status <= 599);
	x->answered = true;
	if (!can_send(x) || x->request.gone)
		return false;
	whole = c->phase == PHASE_SERVING || (c->phase == PHASE_BODY && x->in_hand);
	x->keep_alive = whole && head->keep_alive && !x->server->winding_down;
	if (!status_has_body(status))
		x->framing = FRAMING_NONE;
	else if (known_length)
		x->framing = FRAMING_LENGTH;
	else
		x->framing = head->minor_version ? FRAMING_CHUNKED : FRAMING_TO_END;
	if (x->framing == FRAMING_TO_END)
		x->keep_alive = false;
	if (!whole)
		c->phase = PHASE_DROPPING;
	ask_turn_end(x);
	return true;
}

static void write_head(struct exchange *x, unsigned status, struct slice headers, uint64_t length)
{
	struct slice reason = http_reason(status);
	size_t most = 256 + reason.size + headers.size;
	char *memory = output_reserve(&x->server->output_pool, &x->output, most);
	struct text t;

	if (!memory)
		return;
	t = text_over(memory, most);
	text_literal(&t, "HTTP/1.1 ");
	text_u64(&t, status);
	text_char(&t, ' ');
	text_add(&t, reason);
	text_literal(&t, "\r\nDate: ");
	text_add(&t, date_of(x->server));
	if (x->framing == FRAMING_LENGTH) {
		text_literal(&t, "\r\nContent-Length: ");
		text_u64(&t, length);
	} else if (x->framing == FRAMING_CHUNKED) {
		text_literal(&t, "\r\nTransfer-Encoding: chunked");
	}
	if (!x->keep_alive)
		text_literal(&t, "\r\nConnection: close");
	else if (x->request.head.minor_version == 0)
		text_literal(&t, "\r\nConnection: keep-alive");
	text_literal(&t, "\r\n");
	text_add(&t, headers);
	text_literal(&t, "\r\n");
	assert(!t.full);
	output_commit(&x->output, t.size);
}

static bool body_wanted(const struct exchange *x)
{
	return x->framing != FRAMING_NONE && x->request.head.method != HTTP_HEAD;
}

void http_respond(struct http_request *request, unsigned status, struct slice headers, struct slice body)
{
	struct exchange *x = exchange_of(request);

	if (begin(x, status, true)) {
		write_head(x, status, headers, body.size);
		if (body_wanted(x))
			output_copy(&x->server->output_pool, &x->output, body);
	}
	http_end(request);
}

/* What goes into the head's chunk makes one plain send, which costs the kernel less than gathering several pieces. */
static void add_body(struct output_pool *pool, struct output *output, struct slice piece, bool copy)
{
	if (copy)
		output_copy(pool, output, piece);
	else
		output_refer(pool, output, piece);
}

void http_respond_borrowed(
	struct http_request *request, unsigned status, struct slice headers, const struct iovec *body, unsigned count)
{
	struct exchange *x = exchange_of(request);
	uint64_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += body[i].iov_len;
	if (begin(x, status, true)) {
		write_head(x, status, headers, length);
		for (unsigned i = 0; i < count && body_wanted(x); i++)
			add_body(&x->server->output_pool, &x->output, slice_of(body[i].iov_base, body[i].iov_len),
				length <= COPIED_BYTES);
	}
	http_end(request);
}

void http_begin(struct http_request *request, unsigned status, struct slice headers)
{
	struct exchange *x = exchange_of(request);

	if (begin(x, status, false))
		write_head(x, status, headers, 0);
}

/* The size line of a chunk (RFC 9112 section 7.1). */
static void write_chunk_size(struct exchange *x, size_t size)
{
	char line[18];
	size_t at = sizeof(line);

	line[--at] = '\n';
	line[--at] = '\r';
	do {
		line[--at] = "0123456789abcdef"[size & 15];
		size >>= 4;
	} while (size);
	output_copy(&x->server->output_pool, &x->output, slice_of(line + at, sizeof(line) - at));
}

bool http_write(struct http_request *request, struct slice bytes)
{
	struct exchange *x = exchange_of(request);
	struct output_pool *pool = &x->server->output_pool;

	assert(x->answered && !x->ended);
	if (!can_send(x) || request->gone || !body_wanted(x) || !bytes.size)
		return true;
	if (x->framing == FRAMING_CHUNKED)
		write_chunk_size(x, bytes.size);
	output_copy(pool, &x->output, bytes);
	if (x->framing == FRAMING_CHUNKED)
		output_copy(pool, &x->output, SLICE("\r\n"));
	ask_turn_end(x);
	if (x->output.waiting_bytes + x->output.flying_bytes <= OUTPUT_HIGH_BYTES)
		return true;
	x->held_back = true;
	return false;
}

void http_end(struct http_request *request)
{
	struct exchange *x = exchange_of(request);

	assert(!x->ended);
	assert(x->answered || request->gone);
	if (x->framing == FRAMING_CHUNKED && can_send(x) && body_wanted(x))
		output_copy(&x->server->output_pool, &x->output, SLICE("0\r\n\r\n"));
	x->ended = true;
	x->held_back = false;
	ask_turn_end(x);
}

void http_break(struct http_request *request)
{
	struct exchange *x = exchange_of(request);

	assert(!x->ended);
	x->ended = true;
	x->broken = true;
	x->held_back = false;
	ask_turn_end(x);
}

bool http_answered(const struct http_request *request)
{
	return exchange_of(request)->answered;
}

void http_exchange_continue(struct exchange *x)
{
	x->continued = true;
	output_copy(&x->server->output_pool, &x->output, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
	ask_turn_end(x);
}

/* The one path that answers what the server itself refuses; the connection ends with it. */
void http_exchange_fail(struct exchange *x, unsigned status, struct slice code, struct slice message)
{
	struct http_server *server = x->server;
	char header_memory[1024], body_memory[4096];
	struct text headers = text_over(header_memory, sizeof(header_memory));
	struct text body = text_over(body_memory, sizeof(body_memory));

	server->counts.bad_requests++;
	x->connection->phase = PHASE_DROPPING;
	x->connection->deadline_ns = 0;
	if (x->answered) {
		/* Refused by the service already: a second answer would be taken for the next one's. */
		x->keep_alive = false;
		return;
	}
	server->service->write_error(
		server->context, x->introduced ? &x->request : NULL, status, code, message, &headers, &body);
	http_respond(&x->request, status, text_slice(&headers), text_slice(&body));
}
