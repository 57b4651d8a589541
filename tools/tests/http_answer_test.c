/* Responses taken apart whole: framings, and every way to end early or lie. */
#include "tools/http_get.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *response;
	int rc;
	unsigned status;
	const char *body;
} rows[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, 200, "abc"},
	{"HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabcdef", 0, 200, "abc"},
	{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0, 404, ""},
	{"HTTP/1.0 200 \r\nA: b\r\n\r\nto the end", 0, 200, "to the end"},
	{"HTTP/1.1 200 OK\r\n\r\n", 0, 200, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 0, 200,
		"abc0123456789"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 0, 200, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", -EMSGSIZE, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", -EMSGSIZE, 0, NULL},
	{"", -EMSGSIZE, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", -EMSGSIZE, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", -EMSGSIZE, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 2x0 OK\r\n\r\n", -EPROTO, 0, NULL},
	{"SSH-2.0-OpenSSH\r\n\r\n", -EPROTO, 0, NULL},
	{"\r\n\r\n", -EPROTO, 0, NULL},
};

static void test_responses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = strlen(rows[i].response);
		struct http_answer answer = {.status = 0};
		const char *why = NULL;
		char *bytes = malloc(size + HTTP_GET_PADDING);
		int rc;

		assert_non_null(bytes);
		memcpy(bytes, rows[i].response, size);
		rc = http_answer_parse(bytes, size, &answer, &why);
		if (rc != rows[i].rc)
			fail_msg("row %u: %d", i, rc);
		assert_non_null(why);
		if (rc < 0) {
			free(bytes);
			continue;
		}
		assert_int_equal(answer.status, rows[i].status);
		assert_int_equal(answer.body_bytes, strlen(rows[i].body));
		assert_string_equal(answer.body, rows[i].body);
		http_answer_fini(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
