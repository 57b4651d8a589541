/* A client on a fake stream, and calls that note what they see: what the tests of the HTTP client share. */
#ifndef PROTO_TESTS_CLIENT_BENCH_H
#define PROTO_TESTS_CLIENT_BENCH_H

#include "core/clock.h"
#include "proto/http/http_client.h"
#include "proto/http/tests/fake_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { IDLE_MAX = 2, ENDED = -1, RUNNING = -2 };

struct reach { /* what a call's callbacks do and have seen */
	struct http_call call;
	struct http_head head;
	int outcome; /* RUNNING, ENDED or the failure */
	int error;
	unsigned heads, ends, rooms;
	char body[256];
	size_t body_size;
	char server[64]; /* a header's value, read when the call ends */
	bool pause_on_data, cancel_on_head, cancel_on_data, again_on_end;
};

struct bench {
	struct shard shard;
	struct http_client *client;
	struct http_origin *origin;
};

void bench_open_without_addresses(struct bench *b);
void bench_set_addresses(struct bench *b, unsigned count); /* ports 1000, 1001 ... */
void bench_open(struct bench *b);                          /* with one address */
void bench_close(struct bench *b);                         /* checks that nothing is left */
void bench_start(struct bench *b, struct reach *r);

/* Starts a call on a fresh connection and sends its request; returns the stream's number. */
unsigned bench_connect_and_send(struct bench *b, struct reach *r);

/* Delivers the text in pieces of `step` bytes; 0: in one. */
void bench_receive(unsigned number, const char *text, size_t step);

#endif
