/*
 * One request of the server. A head whose body came with it (the usual case) stays in the receive buffer, which is
 * borrowed, and so does the body. Otherwise the head moves to the parser's memory before the service sees it, and the
 * body is gathered in one allocation: of Content-Length, or growing with the chunks.
 */
#include "proto/http/http_server_internal.h"

#include <assert.h>
#include <stdlib.h>

enum { BODY_FIRST_BYTES = 16 * 1024 }; /* of a chunked body, doubled from there */

static struct exchange *exchange_new(struct http_server *server)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->parser = http_parser_open(HTTP_PARSE_REQUESTS, &server->options.limits);
	if (!x->parser) {
		free(x);
		return NULL;
	}
	x->server = server;
	turn_hook_init(&x->hook, http_exchange_turn_end);
	return x;
}

struct exchange *http_exchange_take(struct connection *c)
{
	struct http_server *server = c->server;
	struct exchange *x = server->free_exchanges;

	if (x) {
		server->free_exchanges = x->next_free;
		server->free_exchange_count--;
	} else {
		x = exchange_new(server);
		if (!x)
			return NULL;
	}
	server->exchange_count++;
	x->connection = c;
	x->buffer = NULL;
	x->body = NULL;
	x->body_bytes = x->body_capacity = 0;
	x->held_count = 0;
	x->framing = FRAMING_NONE;
	x->in_hand = x->introduced = x->answered = x->ended = x->broken = x->continued = x->held_back = false;
	x->keep_alive = false;
	output_init(&x->output);
	x->request.body = slice_of(NULL, 0);
	x->request.gone = x->request.watched = x->request.passing = false;
	x->request.user = NULL;
	x->request.body_max_bytes = server->options.limits.max_body_bytes;
	peer_print(&c->peer, &x->request.peer);
	http_parser_limit(x->parser, &server->options.limits);
	http_parser_begin(x->parser, &x->request.head, false);
	c->exchange = x;
	return x;
}

static void give_buffer(struct exchange *x)
{
	if (!x->buffer)
		return;
	x->server->borrowed_count--;
	buffer_give(&x->buffer);
}

static struct large_pool *large_blocks(struct exchange *x)
{
	return &x->server->shard->arenas.large;
}

static void give_body(struct exchange *x)
{
	large_give(large_blocks(x), x->body, x->body_capacity + BUFFER_PADDING_BYTES);
	x->body = NULL;
	x->body_capacity = 0;
}

void http_exchange_release(struct exchange *x)
{
	struct http_server *server = x->server;

	if (x->connection)
		x->connection->exchange = NULL;
	if (x->introduced)
		server->service->on_done(server->context, &x->request);
	turn_hook_withdraw(&x->hook);
	output_drop(&server->output_pool, &x->output);
	give_buffer(x);
	give_body(x);
	for (unsigned i = 0; i < x->held_count; i++)
		buffer_give(&x->held[i].buffer);
	server->exchange_count--;
	if (server->free_exchange_count >= EXCHANGES_KEPT) {
		http_parser_close(x->parser);
		free(x);
		return;
	}
	x->next_free = server->free_exchanges;
	server->free_exchanges = x;
	server->free_exchange_count++;
}

static void memory_out(struct exchange *x)
{
	http_exchange_fail(x, 503, SLICE("memory_out"), SLICE("The server is out of memory; try again later."));
}

static bool body_reserve(struct exchange *x, size_t bytes)
{
	const struct http_head *head = &x->request.head;
	size_t capacity = x->body_capacity ? x->body_capacity * 2 : BODY_FIRST_BYTES;
	char *body;

	if (bytes <= x->body_capacity)
		return true;
	if (head->has_length)
		capacity = (size_t)head->content_length;
	else if (capacity > x->request.body_max_bytes)
		capacity = (size_t)x->request.body_max_bytes;
	assert(capacity >= bytes); /* the parser keeps the limit */
	capacity += BUFFER_PADDING_BYTES;
	body = large_take(large_blocks(x), &capacity);
	if (!body)
		return false;
	if (x->body_bytes)
		memcpy(body, x->body, x->body_bytes);
	give_body(x);
	x->body = body;
	x->body_capacity = capacity - BUFFER_PADDING_BYTES;
	return true;
}

/* What the service takes over is not kept here as well. */
static void show_body(struct exchange *x, struct slice piece)
{
	x->request.body = slice_of(x->body, x->body_bytes);
	x->server->service->on_body(x->server->context, &x->request, piece);
	x->request.body = slice_of(NULL, 0);
	if (x->request.passing)
		give_body(x);
}

static void take_body(struct exchange *x, struct slice piece)
{
	if (x->answered || x->ended)
		return; /* refused: nobody will read it */
	if (x->buffer) {
		x->request.body = piece;
		return;
	}
	if (x->request.passing) {
		x->server->service->on_body(x->server->context, &x->request, piece);
		return;
	}
	if (!body_reserve(x, x->body_bytes + piece.size)) {
		memory_out(x);
		return;
	}
	memcpy(x->body + x->body_bytes, piece.data, piece.size);
	x->body_bytes += piece.size;
	if (x->request.watched)
		show_body(x, piece);
}

/* True when all of the request is in the bytes at hand: `rest` is what follows the head. */
static bool body_in_hand(const struct http_head *head, struct slice rest)
{
	return !head->chunked && (!head->has_length || head->content_length <= rest.size);
}

/* Before the service sees the head: where it is going to stay. */
static bool settle(struct exchange *x, struct buffer *buffer)
{
	bool in_buffer = !http_parser_gathered(x->parser) || x->request.head.has_length;

	if (x->in_hand && in_buffer && x->server->borrowed_count < BUFFERS_KEPT_MAX) {
		x->buffer = buffer_borrow(buffer);
		x->server->borrowed_count++;
		return true;
	}
	return http_parser_keep_head(x->parser);
}

static void on_head(struct connection *c, struct slice rest, struct buffer *buffer)
{
	struct exchange *x = c->exchange;
	struct http_server *server = c->server;

	x->in_hand = body_in_hand(&x->request.head, rest);
	if (!settle(x, buffer)) {
		memory_out(x);
		return;
	}
	c->phase = PHASE_BODY;
	server->counts.requests++;
	x->request.received_ns = shard_now_ns(server->shard);
	x->introduced = true;
	server->service->on_head(server->context, &x->request);
	if (c->phase != PHASE_BODY)
		return;
	if (x->request.body_max_bytes > server->options.limits.max_body_bytes)
		x->request.body_max_bytes = server->options.limits.max_body_bytes;
	http_parser_limit_body(x->parser, x->request.body_max_bytes);
	x->continued = !x->request.head.expect_continue || rest.size > 0;
	connection_set_deadline(c, server->options.body_timeout_ns);
}

static void on_whole(struct connection *c)
{
	struct exchange *x = c->exchange;

	c->phase = PHASE_SERVING;
	c->deadline_ns = 0;
	if (x->answered || x->ended)
		return;
	if (x->body) {
		memset(x->body + x->body_bytes, 0, BUFFER_PADDING_BYTES);
		x->request.body = slice_of(x->body, x->body_bytes);
	} else if (!x->request.body.data) {
		x->request.body = SLICE("");
	}
	c->server->service->on_request(c->server->context, &x->request);
}

/* Returns when the bytes are used up, or the request is whole, refused or lost. */
void http_exchange_parse(struct connection *c, struct slice *data, struct buffer *buffer)
{
	struct exchange *x = c->exchange;
	const struct http_problem *problem;
	struct slice piece;

	while (c->phase == PHASE_HEAD || c->phase == PHASE_BODY) {
		switch (http_parser_next(x->parser, data, &piece)) {
		case HTTP_PARSED_MORE:
			if (c->phase == PHASE_BODY && !x->continued && !x->answered)
				http_exchange_continue(x);
			return;
		case HTTP_PARSED_HEAD:
			on_head(c, *data, buffer);
			break;
		case HTTP_PARSED_BODY:
			x->continued = true;
			take_body(x, piece);
			break;
		case HTTP_PARSED_END:
			on_whole(c);
			return;
		case HTTP_PARSED_BAD:
			problem = http_parser_problem(x->parser);
			http_exchange_fail(x, problem->status, problem->code, problem->message);
			return;
		}
	}
}
