/* The actors' own reading of HTTP/1.1: the same in one piece and byte by byte, and strict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fuzz/sim/wire.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* What was found, as text: H for a head, the body's bytes, E for an end, ! for what is not well-formed. */
static void read_all(struct slice bytes, size_t piece_bytes, bool requests, struct bytes *found)
{
	struct wire wire = {.requests = requests};
	enum wire_found what = WIRE_MORE;

	while (bytes.size && what != WIRE_BAD) {
		struct slice rest = slice_of(bytes.data, bytes.size < piece_bytes ? bytes.size : piece_bytes), piece;

		bytes = slice_after(bytes, rest.size);
		while ((what = wire_next(&wire, &rest, &piece)) != WIRE_MORE && what != WIRE_BAD)
			bytes_add(found, what == WIRE_HEAD ? SLICE("H") : what == WIRE_END ? SLICE("E") : piece);
	}
	if (what == WIRE_BAD)
		bytes_add(found, SLICE("!"));
	wire_free(&wire);
}

static void test_messages(void **state)
{
	static const struct {
		const char *bytes, *found;
		bool requests;
	} rows[] = {
		{OK "Content-Length: 3\r\n\r\nabc", "HabcE", false},
		{OK "Content-Length: 0\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "HEHxE", false},
		{OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "Habc0123456789E",
			false},
		{"HTTP/1.1 204 No Content\r\n\r\n" OK "content-length: 2\r\n\r\nhi", "HEHhiE", false},
		{"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "H{}E", true},
		{OK "\r\n", "!", false},
		{OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "!", false},
		{OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "!", false},
		{OK "Content-Length: x\r\n\r\n", "!", false},
		{OK "Content Length: 1\r\n\r\nx", "!", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "!", false},
		{"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", "!", false},
		{OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "H!", false},
		{OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "Ha!", false},
		{"GET / HTTP/1.1\r\n\r\n", "!", true},
	};

	static const size_t pieces[] = {1, 7, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (unsigned p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
			struct bytes found = {0};

			read_all(slice_of_string(rows[i].bytes), pieces[p], rows[i].requests, &found);
			if (!slice_equal(bytes_slice(&found), slice_of_string(rows[i].found)))
				fail_msg("row %zu: %.*s", i, (int)found.size, found.data);
			bytes_free(&found);
		}
	}
}

static void test_headers(void **state)
{
	struct slice bytes = SLICE(OK "Content-Length: 0\r\nX-Long:  v w \r\nConnection: close\r\n\r\n"), piece;
	struct wire wire = {.requests = false};

	(void)state;
	assert_int_equal(wire_next(&wire, &bytes, &piece), WIRE_HEAD);
	assert_true(slice_equal(wire_header(&wire, "x-long"), SLICE("v w ")));
	assert_null(wire_header(&wire, "x-lon").data);
	assert_int_equal(wire.status, 200);
	assert_true(wire.close);
	assert_true(wire_begun(&wire));
	assert_int_equal(wire_next(&wire, &bytes, &piece), WIRE_END);
	assert_false(wire_begun(&wire));
	wire_free(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_headers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
