/* One blocking request for the command line: HTTP/1.1 over TCP or TLS, the connection closed after it. */
#ifndef TOOLS_HTTP_GET_H
#define TOOLS_HTTP_GET_H

#include "tools/http_tls.h"

struct http_answer {
	unsigned status;
	char *body; /* malloc'ed; HTTP_GET_PADDING readable bytes behind it, the first of them NUL */
	size_t body_bytes;
};

enum { HTTP_GET_PADDING = 64, HTTP_GET_BYTES_MAX = 64 << 20, HTTP_GET_WHY_BYTES = 256 };

struct http_question {
	const char *method, *path; /* the path begins with "/" */
	const char *bearer;        /* may be NULL */
	const char *json;          /* the body; NULL: none */
};

/* `base` is http[s]://HOST[:PORT][/PREFIX]. 0, or -errno with `why` for people. Gives up after 30 s without progress.
 */
int http_ask(const char *base, const struct http_trust *trust, const struct http_question *question,
	struct http_answer *answer, char why[static HTTP_GET_WHY_BYTES]);
void http_answer_fini(struct http_answer *answer);

/*
 * The pure half: takes a whole response apart, in place: on success `bytes` (malloc'ed, HTTP_GET_PADDING writable
 * behind `size`) becomes the body and belongs to the answer. -EPROTO when it is no response, -EMSGSIZE when it ends
 * early.
 */
int http_answer_parse(char *bytes, size_t size, struct http_answer *answer, const char **why);

#endif
