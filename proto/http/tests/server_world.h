/*
 * The server over streams that the test plays itself: this takes the place of tls/stream.c and the ring at link time,
 * so that splits, stalls, resets and time are the test's to choose, and every run is the same. set_up() and tear_down()
 * go around each test; tear_down() holds that every connection, buffer, request and timer has come home.
 *
 * What the service does, by path: /refuse answers 403 at the head; /small takes 4 bytes of body; /later leaves the
 * request in `held`; /empty, /pieces and /big answer with nothing, borrowed pieces and 300 KiB; /watch takes its body
 * over once there are 4 bytes, answers 403 to an "x", and tells in `watched` what it saw; any other echoes its body.
 */
#ifndef PROTO_TESTS_SERVER_WORLD_H
#define PROTO_TESTS_SERVER_WORLD_H

#include "proto/http/http_server.h"

#include "core/clock.h"
#include "tls/secure.h"

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

extern struct world {
	struct shard shard;
	struct http_server *server;
	struct accepting *accepting;
	struct wire wires[WIRES_MAX];
	unsigned wire_count, reset_at_once, buffers_live;
	bool listener_closed;
	uint32_t next_ip;
	unsigned heads, requests, dones, gones, drains;
	struct http_request *held; /* of /later */
	char watched[128];
	bool in_place;
	unsigned char padding;
	char big[300 * 1024];
} w;

int set_up(void **state);
int tear_down(void **state);

struct http_server_options options_of_test(void);

/* Turns until nothing moves. */
void settle(void);

/* In steps, because a timer that fires late is not what is tested. */
void pass(uint64_t seconds);

/* The client's side: connect, send, end, and what has come. */
struct wire *dial(void);
void give(struct wire *wire, struct slice bytes);
void say(struct wire *wire, const char *text);
void hang_up(struct wire *wire);
void assert_sent(const struct wire *wire, const char *text);

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define ECHO(length, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " length "\r\nX: y\r\n\r\n" body
#define CLOSING(status, length, body)                                                                                  \
	"HTTP/1.1 " status "\r\n" DATE "Content-Length: " length "\r\nConnection: close\r\n"                           \
	"Content-Type: text/plain\r\n\r\n" body
#define POST_ABC "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
