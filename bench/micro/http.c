/* Heads as they come: the official SDK's request, a provider's answer; with the body's framing up to its end. */
#include "bench/micro/micro.h"

#include "proto/http/http_parser.h"

#define REQUEST                                                                                                        \
	"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.example.com\r\nAccept: application/json\r\n"              \
	"Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"           \
	"User-Agent: OpenAI/JS 4.77.0\r\nX-Stainless-Lang: js\r\nX-Stainless-Package-Version: 4.77.0\r\n"              \
	"X-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: node\r\n"                              \
	"X-Stainless-Runtime-Version: v20.18.1\r\nX-Stainless-Retry-Count: 0\r\n"                                      \
	"Authorization: Bearer gw_virt_0123456789abcdef0123456789abcdef\r\nContent-Length: 2\r\n\r\n{}"
#define ANSWER                                                                                                         \
	"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 15:29:52 GMT\r\nContent-Type: application/json\r\n"                 \
	"Content-Length: 2\r\nConnection: keep-alive\r\nopenai-organization: example\r\nopenai-processing-ms: 412\r\n" \
	"openai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n"     \
	"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999983\r\n"                            \
	"x-request-id: req_0123456789abcdef0123456789abcdef\r\nserver: cloudflare\r\n\r\n{}"

struct message {
	struct http_parser *parser;
	struct slice bytes;
	struct http_head head;
};

static void *open_message(enum http_parser_kind kind, struct slice bytes)
{
	static const struct http_limits limits = {
		.max_head_bytes = 16384, .max_headers = 64, .max_body_bytes = 1 << 20};
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->bytes = bytes;
	m->parser = http_parser_open(kind, &limits);
	if (m->parser)
		return m;
	free(m);
	return NULL;
}

static void *open_request(void)
{
	return open_message(HTTP_PARSE_REQUESTS, SLICE(REQUEST));
}

static void *open_answer(void)
{
	return open_message(HTTP_PARSE_RESPONSES, SLICE(ANSWER));
}

static void close_message(void *state)
{
	struct message *m = state;

	http_parser_close(m->parser);
	free(m);
}

static void run_message(void *state, uint64_t times)
{
	struct message *m = state;

	while (times--) {
		struct slice bytes = m->bytes, piece;
		enum http_parsed parsed;

		http_parser_begin(m->parser, &m->head, false);
		do
			parsed = http_parser_next(m->parser, &bytes, &piece);
		while (parsed == HTTP_PARSED_HEAD || parsed == HTTP_PARSED_BODY);
		micro_expect(parsed == HTTP_PARSED_END && bytes.size == 0, "parsing a message");
	}
}

const struct micro micro_http[] = {
	{"http-request", "a request's head of 15 fields", open_request, run_message, close_message, 1, NULL},
	{"http-answer", "an answer's head of 13 fields", open_answer, run_message, close_message, 1, NULL},
	{.name = NULL},
};
