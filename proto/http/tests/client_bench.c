/* See client_bench.h. */
#include "proto/http/tests/client_bench.h"

#include <arpa/inet.h>

static struct reach *reach_of(struct http_call *call)
{
	return container_of(call, struct reach, call);
}

static void on_head(struct http_call *call)
{
	struct reach *r = reach_of(call);

	r->heads++;
	if (r->cancel_on_head)
		http_call_cancel(call);
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	struct reach *r = reach_of(call);

	assert_true(data.data >= buffer->data && data.data + data.size <= buffer->data + buffer->used_bytes);
	assert_false(call->paused);
	assert_true(r->body_size + data.size <= sizeof(r->body));
	memcpy(r->body + r->body_size, data.data, data.size);
	r->body_size += data.size;
	if (r->pause_on_data)
		http_call_pause(call);
	if (r->cancel_on_data)
		http_call_cancel(call);
}

static void note_end(struct reach *r, int outcome)
{
	struct slice server = http_header(&r->head, SLICE("server"));

	assert_int_equal(r->outcome, RUNNING);
	r->outcome = outcome;
	r->ends++;
	if (r->heads && server.size && server.size < sizeof(r->server))
		memcpy(r->server, server.data, server.size);
}

static void on_end(struct http_call *call)
{
	struct reach *r = reach_of(call);

	note_end(r, ENDED);
	if (r->again_on_end) {
		r->again_on_end = false;
		bench_start(r->call.user, r);
	}
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	assert_true(detail.size > 0);
	note_end(reach_of(call), (int)failure);
	reach_of(call)->error = error;
}

static void on_room(struct http_call *call)
{
	reach_of(call)->rooms++;
}

static const struct http_call_handler handler = {
	.on_head = on_head, .on_data = on_data, .on_end = on_end, .on_room = on_room, .on_failed = on_failed};

void bench_start(struct bench *b, struct reach *r)
{
	r->outcome = RUNNING;
	r->body_size = 0;
	r->heads = 0;
	r->call.handler = &handler;
	r->call.origin = b->origin;
	r->call.request_head = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	r->call.limits = (struct http_limits){.max_head_bytes = 256, .max_headers = 16, .max_body_bytes = 64};
	r->call.head = &r->head;
	r->call.user = b;
	http_call_start(b->client, &r->call);
}

void bench_open_without_addresses(struct bench *b)
{
	fake_open(&b->shard);
	assert_int_equal(http_client_open(&b->client, &b->shard, IDLE_MAX, 10 * NS_PER_S), 0);
	b->origin = http_client_origin(b->client, SLICE("a.example"), 80, SLICE(""));
	assert_non_null(b->origin);
	assert_ptr_equal(http_client_origin(b->client, SLICE("A.example"), 80, SLICE("")), b->origin);
}

void bench_set_addresses(struct bench *b, unsigned count)
{
	struct sockaddr_storage addresses[4] = {0};

	for (unsigned i = 0; i < count; i++) {
		struct sockaddr_in *in = (void *)&addresses[i];

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)(1000 + i));
	}
	http_origin_set_addresses(b->origin, addresses, count);
}

void bench_open(struct bench *b)
{
	bench_open_without_addresses(b);
	bench_set_addresses(b, 1);
}

void bench_close(struct bench *b)
{
	http_client_close(b->client);
	fake_turn(&b->shard, 0);
	assert_true(http_client_idle(b->client));
	assert_int_equal(fake_buffers_out(), 0);
	assert_int_equal(b->shard.timers.armed_count, 0);
	http_client_free(b->client);
}

unsigned bench_connect_and_send(struct bench *b, struct reach *r)
{
	unsigned number = fake_stream_count();

	bench_start(b, r);
	assert_int_equal(fake_stream_count(), number + 1);
	fake_connected(number, 0);
	fake_sent(number, 0);
	return number;
}

void bench_receive(unsigned number, const char *text, size_t step)
{
	struct slice rest = slice_of_string(text);

	while (rest.size && fake_stream_open(number)) {
		size_t size = step && step < rest.size ? step : rest.size;

		fake_received(number, slice_of(rest.data, size));
		rest = slice_after(rest, size);
	}
}
