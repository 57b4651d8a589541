/* Requests that must be refused, with the answer each deserves: for the parser's test and the server's. */
#ifndef PROTO_TESTS_HTTP_MALFORMED_H
#define PROTO_TESTS_HTTP_MALFORMED_H

#include "core/slice.h"

struct malformed {
	const char *name;
	struct slice bytes;
	unsigned status;
	const char *code;
};

/* Limits under which the table holds. */
enum { MALFORMED_HEAD_BYTES = 512, MALFORMED_HEADERS = 8, MALFORMED_BODY_BYTES = 64 };

#define MALFORMED(name, bytes, status, code)                                                                           \
	{                                                                                                              \
		name, {bytes, sizeof(bytes) - 1}, status, code                                                         \
	}
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X512 X64 X64 X64 X64 X64 X64 X64 X64

static const struct malformed malformed[] = {
	MALFORMED("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "request_line_invalid"),
	MALFORMED("NUL first", "\0GET / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("space first", " GET / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("bare LF first", "\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("unknown method", "BREW / HTTP/1.1\r\n" HOST "\r\n", 501, "method_unknown"),
	MALFORMED("lower-case method", "get / HTTP/1.1\r\n" HOST "\r\n", 501, "method_unknown"),
	MALFORMED("longer method", "GETS / HTTP/1.1\r\n" HOST "\r\n", 501, "method_unknown"),
	MALFORMED("method with separator", "G@T / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("RTSP method", "DESCRIBE / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("CONNECT", "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 501, "method_unknown"),
	MALFORMED("no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("HTTP/0.9", "GET /\r\n\r\n", 400, "request_line_invalid"),
	MALFORMED("tab before target", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("two spaces before target", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("two spaces before version", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("space behind version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("word behind version", "GET / HTTP/1.1 x\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("space in target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("NUL in target", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("high byte in target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("DEL in target", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("relative target", "GET a/b HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("asterisk but not OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("other scheme", "GET ftp://a/b HTTP/1.1\r\n" HOST "\r\n", 400, "target_invalid"),
	MALFORMED("bare LF behind request line", "GET / HTTP/1.1\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("bare CR behind request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "request_line_invalid"),
	MALFORMED("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http2_unsupported"),
	MALFORMED("HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505, "version_unsupported"),
	MALFORMED("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505, "version_unsupported"),
	MALFORMED("HTTP/9.9", "GET / HTTP/9.9\r\n" HOST "\r\n", 505, "version_unsupported"),
	MALFORMED("HTTP/1.10", "GET / HTTP/1.10\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("HTTP/x.1", "GET / HTTP/x.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("lower-case http", "GET / http/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("HTTPS/1.1", "GET / HTTPS/1.1\r\n" HOST "\r\n", 400, "request_line_invalid"),
	MALFORMED("ICE", "SOURCE / ICE/1.0\r\n\r\n", 400, "request_line_invalid"),
	MALFORMED("a response", "HTTP/1.1 200 OK\r\n\r\n", 501, "method_unknown"),
	MALFORMED("no Host", "GET / HTTP/1.1\r\n\r\n", 400, "host_missing"),
	MALFORMED("two Hosts", "GET / HTTP/1.1\r\n" HOST "host: b\r\n\r\n", 400, "host_repeated"),
	MALFORMED("two equal Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, "host_repeated"),
	MALFORMED("two Hosts in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, "host_repeated"),
	MALFORMED("Host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "host_invalid"),
	MALFORMED("Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "host_invalid"),
	MALFORMED("Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "host_invalid"),
	MALFORMED("Host with high byte", "GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400, "host_invalid"),
	MALFORMED("space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "header_invalid"),
	MALFORMED("tab before colon", "GET / HTTP/1.1\r\n" HOST "A\t: b\r\n\r\n", 400, "header_invalid"),
	MALFORMED("no colon", "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400, "header_invalid"),
	MALFORMED("no name", "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400, "header_invalid"),
	MALFORMED("separator in name", "GET / HTTP/1.1\r\n" HOST "A(b): c\r\n\r\n", 400, "header_invalid"),
	MALFORMED("high byte in name", "GET / HTTP/1.1\r\n" HOST "\xe9: c\r\n\r\n", 400, "header_invalid"),
	MALFORMED("NUL in name", "GET / HTTP/1.1\r\n" HOST "A\0: c\r\n\r\n", 400, "header_invalid"),
	MALFORMED("NUL in value", "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n", 400, "header_invalid"),
	MALFORMED("control in value", "GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n", 400, "header_invalid"),
	MALFORMED("DEL in value", "GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 400, "header_invalid"),
	MALFORMED("bare CR in value", "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", 400, "header_invalid"),
	MALFORMED("bare LF behind value", "GET / HTTP/1.1\r\n" HOST "A: b\n\r\n", 400, "header_invalid"),
	MALFORMED("bare LF ends head", "GET / HTTP/1.1\r\n" HOST "\n", 400, "header_invalid"),
	MALFORMED("CR CR LF ends head", "GET / HTTP/1.1\r\n" HOST "\r\r\n", 400, "header_invalid"),
	MALFORMED("folded value", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400, "header_folded"),
	MALFORMED("folded by tab", "GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", 400, "header_folded"),
	MALFORMED("folded empty line", "GET / HTTP/1.1\r\n" HOST "A: b\r\n \r\n\r\n", 400, "header_folded"),
	MALFORMED("folded empty value", "GET / HTTP/1.1\r\n" HOST "A:\r\n c\r\n\r\n", 400, "header_invalid"),
	MALFORMED("fold before first header", "GET / HTTP/1.1\r\n " HOST "\r\n", 400, "header_invalid"),
	MALFORMED("folded Transfer-Encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400,
		"header_invalid"),
	MALFORMED("too many headers",
		"GET / HTTP/1.1\r\n" HOST "A:1\r\nA:2\r\nA:3\r\nA:4\r\nA:5\r\nA:6\r\nA:7\r\nA:8\r\n\r\n", 431,
		"headers_too_many"),
	MALFORMED("large value", "GET / HTTP/1.1\r\n" HOST "A: " X512 "\r\n\r\n", 431, "head_too_large"),
	MALFORMED("large name", "GET / HTTP/1.1\r\n" HOST X512 ": b\r\n\r\n", 431, "head_too_large"),
	MALFORMED("large target", "GET /" X512 " HTTP/1.1\r\n" HOST "\r\n", 431, "head_too_large"),
	MALFORMED("length and chunked", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
		"framing_ambiguous"),
	MALFORMED("chunked and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400,
		"framing_ambiguous"),
	MALFORMED("two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400,
		"content_length_repeated"),
	MALFORMED("two equal lengths", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400,
		"content_length_repeated"),
	MALFORMED("length list", POST "Content-Length: 3, 3\r\n\r\nabc", 400, "content_length_invalid"),
	MALFORMED("signed length", POST "Content-Length: +3\r\n\r\nabc", 400, "content_length_invalid"),
	MALFORMED("negative length", POST "Content-Length: -3\r\n\r\nabc", 400, "content_length_invalid"),
	MALFORMED("hexadecimal length", POST "Content-Length: 0x3\r\n\r\nabc", 400, "content_length_invalid"),
	MALFORMED("fractional length", POST "Content-Length: 3.0\r\n\r\nabc", 400, "content_length_invalid"),
	MALFORMED("empty length", POST "Content-Length: \r\n\r\n", 400, "content_length_invalid"),
	MALFORMED("length in two words", POST "Content-Length: 1 2\r\n\r\n", 400, "content_length_invalid"),
	MALFORMED("overflowing length", POST "Content-Length: 18446744073709551616\r\n\r\n", 400,
		"content_length_invalid"),
	MALFORMED("length past the limit", POST "Content-Length: 65\r\n\r\n", 413, "body_too_large"),
	MALFORMED("vast length", POST "Content-Length: 999999999999\r\n\r\n", 413, "body_too_large"),
	MALFORMED("gzip", POST "Transfer-Encoding: gzip\r\n\r\n", 501, "transfer_encoding_unsupported"),
	MALFORMED("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501,
		"transfer_encoding_unsupported"),
	MALFORMED("identity", POST "Transfer-Encoding: identity\r\n\r\n", 501, "transfer_encoding_unsupported"),
	MALFORMED("empty Transfer-Encoding", POST "Transfer-Encoding:\r\n\r\n", 501, "transfer_encoding_unsupported"),
	MALFORMED("chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400, "framing_ambiguous"),
	MALFORMED("two Transfer-Encodings",
		POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
		"transfer_encoding_repeated"),
	MALFORMED(
		"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, "transfer_encoding_unsupported"),
	MALFORMED("chunked in 1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
		"framing_ambiguous"),
	MALFORMED("unknown expectation", POST "Expect: magic\r\nContent-Length: 3\r\n\r\n", 417, "expectation_unknown"),
	MALFORMED("chunk without size", CHUNKED "\r\nabc\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk size not a number", CHUNKED "g\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk size 0x", CHUNKED "0x3\r\nabc\r\n", 400, "chunk_invalid"),
	MALFORMED("signed chunk size", CHUNKED "+3\r\nabc\r\n", 400, "chunk_invalid"),
	MALFORMED("space before chunk size", CHUNKED " 3\r\nabc\r\n", 400, "chunk_invalid"),
	MALFORMED("space behind chunk size", CHUNKED "3 \r\nabc\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk size by LF", CHUNKED "3\nabc\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk size by CR", CHUNKED "3\rabc\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("17 digits", CHUNKED "00000000000000001\r\na\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk too long for its size", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk too short for its size", CHUNKED "4\r\nabc\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk ended by LF", CHUNKED "3\r\nabc\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("chunk past the limit", CHUNKED "41\r\n", 413, "body_too_large"),
	MALFORMED("chunk of 2^63", CHUNKED "8000000000000000\r\n", 413, "body_too_large"),
	MALFORMED("chunk of 2^64-1", CHUNKED "ffffffffffffffff\r\n", 413, "body_too_large"),
	MALFORMED("chunks past the limit", CHUNKED "3f\r\n" X64 "\r\n", 400, "chunk_invalid"),
	MALFORMED("second chunk past the limit", CHUNKED "40\r\n" X64 "\r\n1\r\n", 413, "body_too_large"),
	MALFORMED("LF in chunk extension", CHUNKED "3;a\nabc\r\n0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("long chunk extension", CHUNKED "3;" X512 "\r\nabc\r\n0\r\n\r\n", 431, "head_too_large"),
	MALFORMED("trailer without colon", CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("folded trailer", CHUNKED "0\r\nA: b\r\n c\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("NUL in trailer", CHUNKED "0\r\nA: \0\r\n\r\n", 400, "chunk_invalid"),
	MALFORMED("endless trailers", CHUNKED "0\r\nA: " X512 "\r\n\r\n", 431, "head_too_large"),
	MALFORMED("LF ends trailers", CHUNKED "0\r\n\n", 400, "chunk_invalid"),
};

enum { MALFORMED_COUNT = sizeof(malformed) / sizeof(malformed[0]) };

#endif
