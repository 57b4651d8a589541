/*
 * Incremental HTTP/1.1 parser for requests and responses: bytes split anywhere in, head and body pieces out. Pure.
 * Heads are llhttp's, chunked bodies our own (http_chunked.h): llhttp lets sizes of up to 2^63 and endless trailers
 * pass. Strict against smuggling: Content-Length with Transfer-Encoding, lengths that differ or repeat, obs-fold, bare
 * CR or LF, NUL, missing or repeated Host, versions other than 1.0 and 1.1, and chunk sizes past the limit are
 * refused.
 *
 * A head that lies whole in the bytes of one call is parsed in place and its slices point there; one that is split is
 * gathered in memory of the parser (at most max_head_bytes), and `gathered` tells so.
 */
#ifndef PROTO_HTTP_PARSER_H
#define PROTO_HTTP_PARSER_H

#include "proto/http/http.h"

struct http_parser;

enum http_parser_kind { HTTP_PARSE_REQUESTS, HTTP_PARSE_RESPONSES };

enum http_parsed {
	HTTP_PARSED_MORE, /* all bytes taken; nothing to report */
	HTTP_PARSED_HEAD, /* the head is complete in *head */
	HTTP_PARSED_BODY, /* `piece` is some of the body, without framing, inside the given bytes */
	HTTP_PARSED_END,  /* the message is complete; bytes that follow belong to the next */
	HTTP_PARSED_BAD,  /* refused: `problem` says what; no further call */
};

struct http_problem {
	unsigned status;      /* for an answer: 400, 413, 417, 431, 501, 503 (memory is out), 505 */
	struct slice code;    /* stable word */
	struct slice message; /* sentence: what is wrong, what was expected */
};

/* NULL when memory is out. One parser serves a connection's messages one after the other. */
struct http_parser *http_parser_open(enum http_parser_kind kind, const struct http_limits *limits);
void http_parser_close(struct http_parser *parser);

/* Before each message. `head` receives it. `bodiless`: a response to HEAD. */
void http_parser_begin(struct http_parser *parser, struct http_head *head, bool bodiless);

/* Other limits, from the next message on. */
void http_parser_limit(struct http_parser *parser, const struct http_limits *limits);

/* May be lowered or raised between HEAD and the first BODY. */
void http_parser_limit_body(struct http_parser *parser, uint64_t max_body_bytes);

/* Takes from the front of *bytes; call again while it returns anything but MORE or BAD. */
enum http_parsed http_parser_next(struct http_parser *parser, struct slice *bytes, struct slice *piece);

/* Responses framed by the connection's end: true when the message may end here. */
bool http_parser_finish(struct http_parser *parser);

/*
 * After HEAD, before the given bytes go away: moves a head that was parsed in place into the parser's memory, where it
 * stays until the next http_parser_begin(). False when memory is out.
 */
bool http_parser_keep_head(struct http_parser *parser);

bool http_parser_gathered(const struct http_parser *parser); /* head slices point into the parser's memory */
const struct http_problem *http_parser_problem(const struct http_parser *parser);

#endif
