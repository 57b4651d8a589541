/* Response framing: each answer cut at every offset gives the same status and body; what cannot be framed is refused.
 */
#include "bench/loadgen/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reading {
	struct response response;
	char body[256];
	size_t body_bytes, left_bytes;
};

static enum response_step feed(struct reading *r, const char *bytes, size_t size)
{
	char *copy = malloc(size + 1); /* the sanitizer sees a byte too many */
	struct slice given, body;
	enum response_step step;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	given = slice_of(copy, size);
	while ((step = response_next(&r->response, &given, &body)) == RESPONSE_BODY) {
		assert_true(r->body_bytes + body.size <= sizeof(r->body));
		memcpy(r->body + r->body_bytes, body.data, body.size);
		r->body_bytes += body.size;
	}
	r->left_bytes = given.size;
	free(copy);
	return step;
}

static void start(struct reading *r)
{
	response_init(&r->response);
	r->body_bytes = r->left_bytes = 0;
}

static void every_cut_frames_the_same(void **state)
{
	static const struct {
		const char *text;
		enum response_step end;
		unsigned status;
		const char *body;
		bool close;
	} table[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", RESPONSE_DONE, 200, "hello", false},
		{"HTTP/1.1 200 OK\r\ncontent-length:  0 \r\n\r\n", RESPONSE_DONE, 200, "", false},
		{"HTTP/1.1 204 No Content\r\n\r\n", RESPONSE_DONE, 204, "", false},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Wait\r\nContent-Length: 1\r\n\r\nx", RESPONSE_DONE, 429,
			"x", false},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", RESPONSE_DONE, 200, "ab", true},
		{"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
			RESPONSE_DONE, 200, "abc0123456789", false},
		{"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n", RESPONSE_DONE, 500,
			"a", false},
		{"HTTP/1.1 200 OK\r\nX: y\r\n\r\nuntil the end", RESPONSE_MORE, 200, "until the end", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", RESPONSE_MORE, 200, "hell", false},
	};
	struct reading r;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		size_t size = strlen(table[i].text);

		for (size_t cut = 0; cut <= size; cut++) {
			enum response_step step;

			start(&r);
			step = feed(&r, table[i].text, cut);
			if (step == RESPONSE_MORE)
				step = feed(&r, table[i].text + cut, size - cut);
			assert_int_equal(step, table[i].end);
			assert_int_equal(r.left_bytes, 0);
			assert_int_equal(r.response.status, table[i].status);
			assert_int_equal(r.response.close, table[i].close);
			assert_int_equal(r.body_bytes, strlen(table[i].body));
			assert_memory_equal(r.body, table[i].body, r.body_bytes);
		}
	}
}

static void what_follows_is_left(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 ";
	struct reading r;

	(void)state;
	start(&r);
	assert_int_equal(feed(&r, text, sizeof(text) - 1), RESPONSE_DONE);
	assert_int_equal(r.left_bytes, 9);
}

static void unframed_is_refused(void **state)
{
	static const char *const table[] = {
		"SSH-2.0\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	};
	struct reading r;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		start(&r);
		if (feed(&r, table[i], strlen(table[i])) != RESPONSE_BAD)
			fail_msg("row %zu was let pass", i);
	}
}

static void a_head_is_bounded(void **state)
{
	static char text[2 * RESPONSE_HEAD_MAX];
	struct reading r;

	(void)state;
	memset(text, 'x', sizeof(text));
	start(&r);
	assert_int_equal(feed(&r, text, sizeof(text)), RESPONSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_frames_the_same),
		cmocka_unit_test(what_follows_is_left),
		cmocka_unit_test(unframed_is_refused),
		cmocka_unit_test(a_head_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
