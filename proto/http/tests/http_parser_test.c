/*
 * The parser, table-driven: each message whole, and cut in two at every place, and byte by byte. A cut must change
 * nothing, and each part is its own allocation of exact size, so that a sanitizer sees any look beyond it.
 */
#include "proto/http/http_parser.h"

#include "proto/http/tests/http_malformed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BODY_MAX = 4096, PARTS_MAX = 2048 };

struct outcome {
	struct http_head head;
	char seen[8192]; /* what the head says, copied out at HEAD */
	char body[BODY_MAX];
	size_t body_bytes, left; /* left: bytes behind the message */
	bool headed, ended, bad;
	struct http_problem problem;
};

static const struct http_limits limits = {MALFORMED_HEAD_BYTES, MALFORMED_HEADERS, MALFORMED_BODY_BYTES};

static size_t print(char *to, size_t room, const char *name, struct slice s)
{
	int size = snprintf(to, room, "%s=%.*s\n", name, (int)s.size, s.data ? s.data : "");

	assert_true(size > 0 && (size_t)size < room);
	return (size_t)size;
}

static void describe(struct outcome *o)
{
	const struct http_head *head = &o->head;
	size_t at = 0, room = sizeof(o->seen);

	at += print(o->seen + at, room - at, "method", head->method_name);
	at += print(o->seen + at, room - at, "path", head->path);
	at += print(o->seen + at, room - at, "query", head->query);
	for (unsigned i = 0; i < head->header_count; i++) {
		at += print(o->seen + at, room - at, "name", head->headers[i].name);
		at += print(o->seen + at, room - at, "value", head->headers[i].value);
	}
	at += (size_t)snprintf(o->seen + at, room - at,
		"status=%u minor=%u keep=%d expect=%d chunked=%d has=%d length=%llu", head->status, head->minor_version,
		head->keep_alive, head->expect_continue, head->chunked, head->has_length,
		(unsigned long long)head->content_length);
	assert_true(at < room);
}

/* Takes what one part gives; true when the message is over. */
static bool run_part(struct http_parser *p, struct slice *bytes, struct outcome *o)
{
	struct slice piece = {0};

	for (;;) {
		switch (http_parser_next(p, bytes, &piece)) {
		case HTTP_PARSED_MORE:
			assert_int_equal(bytes->size, 0);
			return false;
		case HTTP_PARSED_HEAD:
			assert_false(o->headed);
			o->headed = true;
			describe(o);
			assert_true(http_parser_keep_head(p));
			break;
		case HTTP_PARSED_BODY:
			assert_true(o->headed && piece.size > 0);
			assert_true(o->body_bytes + piece.size <= BODY_MAX);
			memcpy(o->body + o->body_bytes, piece.data, piece.size);
			o->body_bytes += piece.size;
			break;
		case HTTP_PARSED_END:
			o->ended = true;
			return true;
		case HTTP_PARSED_BAD:
			o->bad = true;
			o->problem = *http_parser_problem(p);
			return true;
		}
	}
}

/* Cuts `bytes` at each multiple of `step` behind `first`. */
static void run(struct http_parser *p, struct slice bytes, size_t first, size_t step, bool bodiless, struct outcome *o)
{
	char *parts[PARTS_MAX];
	unsigned count = 0;
	size_t at = 0;
	bool over = false;

	memset(o, 0, sizeof(*o));
	http_parser_begin(p, &o->head, bodiless);
	while (at < bytes.size && !over) {
		size_t size = at < first ? first - at : step;
		struct slice part;

		if (size > bytes.size - at)
			size = bytes.size - at;
		assert_true(count < PARTS_MAX);
		parts[count] = malloc(size);
		assert_non_null(parts[count]);
		memcpy(parts[count], bytes.data + at, size);
		part = slice_of(parts[count++], size);
		at += size;
		over = run_part(p, &part, o);
		o->left = part.size + bytes.size - at;
	}
	if (o->headed && !o->bad) { /* a kept head outlives the parts */
		struct outcome again = *o;

		while (count)
			free(parts[--count]);
		describe(&again);
		assert_string_equal(again.seen, o->seen);
	}
	while (count)
		free(parts[--count]);
}

static void assert_same(const struct outcome *a, const struct outcome *b, const char *name)
{
	if (a->bad != b->bad || a->ended != b->ended || strcmp(a->seen, b->seen) != 0 ||
		a->body_bytes != b->body_bytes || memcmp(a->body, b->body, a->body_bytes) != 0)
		fail_msg("%s: a cut changes the outcome", name);
	if (a->bad && (a->problem.status != b->problem.status || !slice_equal(a->problem.code, b->problem.code)))
		fail_msg("%s: a cut changes the problem: %.*s, %.*s", name, (int)a->problem.code.size,
			a->problem.code.data, (int)b->problem.code.size, b->problem.code.data);
}

static void run_all_cuts(
	struct http_parser *p, struct slice bytes, bool bodiless, const struct outcome *whole, const char *name)
{
	struct outcome cut;

	for (size_t at = 1; at < bytes.size; at++) {
		run(p, bytes, at, bytes.size, bodiless, &cut);
		assert_same(whole, &cut, name);
	}
	run(p, bytes, 0, 1, bodiless, &cut);
	assert_same(whole, &cut, name);
	if (!whole->bad)
		assert_int_equal(cut.left, whole->left);
}

static void test_malformed_requests_are_refused(void **state)
{
	(void)state;
	assert_true(MALFORMED_COUNT >= 60);
	for (unsigned i = 0; i < MALFORMED_COUNT; i++) {
		const struct malformed *m = &malformed[i];
		struct http_parser *p = http_parser_open(HTTP_PARSE_REQUESTS, &limits);
		struct outcome whole;

		assert_non_null(p);
		run(p, m->bytes, 0, m->bytes.size, false, &whole);
		if (!whole.bad)
			fail_msg("%s: was taken", m->name);
		if (whole.problem.status != m->status || !slice_equal(whole.problem.code, slice_of_string(m->code)))
			fail_msg("%s: %u %.*s", m->name, whole.problem.status, (int)whole.problem.code.size,
				whole.problem.code.data);
		run_all_cuts(p, m->bytes, false, &whole, m->name);
		http_parser_close(p);
	}
}

struct good {
	const char *name;
	struct slice bytes;
	bool bodiless;
	bool ended;       /* false: the body goes on to the connection's end */
	const char *seen; /* part of the description */
	const char *body;
	size_t left;
};

#define GOOD(name, bytes, seen, body, left)                                                                            \
	{                                                                                                              \
		name, {bytes, sizeof(bytes) - 1}, false, true, seen, body, left                                        \
	}

static const struct good requests[] = {
	GOOD("least", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "path=/\nquery=\nname=Host\nvalue=\nstatus=0 minor=1 keep=1",
		"", 0),
	GOOD("empty line ahead", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "path=/\n", "", 0),
	GOOD("query", "GET /a/b?c=d?e HTTP/1.1\r\n" HOST "\r\n", "path=/a/b\nquery=c=d?e\n", "", 0),
	GOOD("absolute form", "GET http://h:1/p?q HTTP/1.1\r\n" HOST "\r\n", "path=/p\nquery=q\n", "", 0),
	GOOD("absolute form without path", "GET HTTPS://h?q HTTP/1.1\r\n" HOST "\r\n", "path=/\nquery=q\n", "", 0),
	GOOD("OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "path=*\n", "", 0),
	GOOD("1.0", "GET / HTTP/1.0\r\n\r\n", "minor=0 keep=0", "", 0),
	GOOD("1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "minor=0 keep=1", "", 0),
	GOOD("close in a list", "GET / HTTP/1.1\r\n" HOST "Connection: x,, Close\r\n\r\n", "minor=1 keep=0", "", 0),
	GOOD("close wins", "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", "keep=0",
		"", 0),
	GOOD("white space trimmed", "GET / HTTP/1.1\r\n" HOST "A: \t b c \t\r\n\r\n", "name=A\nvalue=b c\n", "", 0),
	GOOD("high bytes in value", "GET / HTTP/1.1\r\n" HOST "A: \xc3\xa9\r\n\r\n", "value=\xc3\xa9\n", "", 0),
	GOOD("IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "value=[::1]:80\n", "", 0),
	GOOD("upgrade ignored", "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET", "keep=1",
		"", 3),
	GOOD("body", POST "Content-Length: 3\r\n\r\nabcGET", "has=1 length=3", "abc", 3),
	GOOD("body that begins with LF", POST "Content-Length: 3\r\n\r\n\nbcGET", "has=1 length=3", "\nbc", 3),
	GOOD("LF behind", "GET / HTTP/1.1\r\n" HOST "\r\n\n", "keep=1", "", 1),
	GOOD("no body", POST "Content-Length: 0\r\n\r\nGET", "has=1 length=0", "", 3),
	GOOD("body at the limit", POST "Content-Length: 64\r\n\r\n" X64, "length=64", X64, 0),
	GOOD("expect", POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na", "expect=1", "a", 0),
	GOOD("expect in 1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", "expect=0", "a",
		0),
	GOOD("chunks", CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nGET", "chunked=1", "abc0123456789", 3),
	GOOD("Chunked", POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "chunked=1", "", 0),
	GOOD("extensions", CHUNKED "3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n", "chunked=1", "abc", 0),
	GOOD("trailers", CHUNKED "1\r\na\r\n0\r\nContent-Length: 7\r\nB:\r\n\r\nGET", "has=0", "a", 3),
	GOOD("chunks at the limit",
		CHUNKED "20\r\n01234567890123456789012345678901\r\n"
			"20\r\n01234567890123456789012345678901\r\n0\r\n\r\n",
		"chunked=1", "0123456789012345678901234567890101234567890123456789012345678901", 0),
};

#define ANSWER(name, bytes, bodiless, ended, seen, body, left)                                                         \
	{                                                                                                              \
		name, {bytes, sizeof(bytes) - 1}, bodiless, ended, seen, body, left                                    \
	}

static const struct good responses[] = {
	ANSWER("length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcx", false, true, "status=200 minor=1 keep=1",
		"abc", 1),
	ANSWER("no reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", false, true, "status=404", "", 0),
	ANSWER("empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", false, true, "status=404", "", 0),
	ANSWER("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false, true,
		"chunked=1", "abc", 0),
	ANSWER("204", "HTTP/1.1 204 No Content\r\n\r\nHTTP", false, true, "status=204", "", 4),
	ANSWER("304 with length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, true, "length=9", "",
		0),
	ANSWER("100", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1", false, true, "status=100", "", 8),
	ANSWER("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, true, "length=9", "", 0),
	ANSWER("length, from LF on", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\nbc", false, true, "length=3",
		"\nbc", 0),
	ANSWER("to the end, from LF on", "HTTP/1.0 200 OK\r\n\r\n\nbc", false, false, "minor=0", "\nbc", 0),
	ANSWER("to the end", "HTTP/1.0 200 OK\r\n\r\nabc", false, false, "minor=0 keep=0", "abc", 0),
};

static void check_good(enum http_parser_kind kind, const struct good *good, size_t count)
{
	struct http_parser *p =
		http_parser_open(kind, &limits); /* one for all: messages of a connection follow each other */

	assert_non_null(p);
	for (size_t i = 0; i < count; i++) {
		const struct good *g = &good[i];
		struct outcome whole;

		run(p, g->bytes, 0, g->bytes.size, g->bodiless, &whole);
		if (whole.bad)
			fail_msg("%s: refused: %.*s", g->name, (int)whole.problem.code.size, whole.problem.code.data);
		if (whole.ended != g->ended || !strstr(whole.seen, g->seen))
			fail_msg("%s: %s", g->name, whole.seen);
		assert_int_equal(whole.body_bytes, strlen(g->body));
		assert_memory_equal(whole.body, g->body, whole.body_bytes);
		assert_int_equal(whole.left, g->left);
		run_all_cuts(p, g->bytes, g->bodiless, &whole, g->name);
		assert_int_equal(http_parser_finish(p), !g->ended);
	}
	http_parser_close(p);
}

static void test_good_requests(void **state)
{
	(void)state;
	check_good(HTTP_PARSE_REQUESTS, requests, sizeof(requests) / sizeof(requests[0]));
}

static void test_good_responses(void **state)
{
	(void)state;
	check_good(HTTP_PARSE_RESPONSES, responses, sizeof(responses) / sizeof(responses[0]));
}

static void test_bad_responses_are_refused(void **state)
{
	static const struct malformed bad[] = {
		MALFORMED("ICY", "ICY 200 OK\r\n\r\n", 400, "request_line_invalid"),
		MALFORMED("two digits", "HTTP/1.1 99 X\r\n\r\n", 400, "status_line_invalid"),
		MALFORMED("four digits", "HTTP/1.1 2000 X\r\n\r\n", 400, "status_line_invalid"),
		MALFORMED("two spaces", "HTTP/1.1  200 X\r\n\r\n", 400, "status_line_invalid"),
		MALFORMED("600", "HTTP/1.1 600 X\r\n\r\n", 400, "status_line_invalid"),
		MALFORMED("2.0", "HTTP/2.0 200 OK\r\n\r\n", 505, "version_unsupported"),
		MALFORMED("empty line ahead", "\r\nHTTP/1.1 200 OK\r\n\r\n", 400, "status_line_invalid"),
		MALFORMED("both framings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
			400, "framing_ambiguous"),
		MALFORMED("folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 400, "header_folded"),
		MALFORMED("gzip coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 501,
			"transfer_encoding_unsupported"),
		MALFORMED("endless body", "HTTP/1.1 200 OK\r\n\r\n" X64 "x", 413, "body_too_large"),
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_parser *p = http_parser_open(HTTP_PARSE_RESPONSES, &limits);
		struct outcome whole;

		run(p, bad[i].bytes, 0, bad[i].bytes.size, false, &whole);
		if (!whole.bad)
			fail_msg("%s: was taken", bad[i].name);
		if (whole.problem.status != bad[i].status ||
			!slice_equal(whole.problem.code, slice_of_string(bad[i].code)))
			fail_msg("%s: %u %.*s", bad[i].name, whole.problem.status, (int)whole.problem.code.size,
				whole.problem.code.data);
		http_parser_close(p);
	}
}

static void test_in_place(void **state)
{
	static const char bytes[] = POST "Content-Length: 3\r\n\r\nabc";
	struct http_parser *p = http_parser_open(HTTP_PARSE_REQUESTS, &limits);
	struct slice in = SLICE(""), piece;
	struct http_head head;

	(void)state;
	in = slice_of(bytes, sizeof(bytes) - 1);
	http_parser_begin(p, &head, false);
	assert_int_equal(http_parser_next(p, &in, &piece), HTTP_PARSED_HEAD);
	assert_false(http_parser_gathered(p));
	assert_ptr_equal(head.target.data, bytes + 5);
	assert_ptr_equal(http_header(&head, SLICE("content-length")).data, strstr(bytes, "3\r\n\r\n"));
	assert_null(http_header(&head, SLICE("accept")).data);
	http_parser_limit_body(p, 2);
	assert_int_equal(http_parser_next(p, &in, &piece), HTTP_PARSED_BAD);
	assert_int_equal(http_parser_problem(p)->status, 413);
	http_parser_close(p);
}

static void test_dates_and_reasons(void **state)
{
	static const struct {
		uint64_t unix_s;
		const char *text;
	} dates[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
		{1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
		{1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
		{4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
	};
	char text[HTTP_DATE_BYTES];

	(void)state;
	for (unsigned i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		http_date(dates[i].unix_s, text);
		assert_memory_equal(text, dates[i].text, HTTP_DATE_BYTES);
	}
	assert_true(slice_equal(http_reason(100), SLICE("Continue")));
	assert_true(slice_equal(http_reason(431), SLICE("Request Header Fields Too Large")));
	assert_true(slice_equal(http_reason(529), SLICE("Overloaded")));
	assert_true(slice_equal(http_reason(299), SLICE("Unknown")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed_requests_are_refused),
		cmocka_unit_test(test_good_requests),
		cmocka_unit_test(test_good_responses),
		cmocka_unit_test(test_bad_responses_are_refused),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_dates_and_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
