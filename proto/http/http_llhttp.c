/* The translation of http_llhttp.h. */
#include "proto/http/http_llhttp.h"

/* The byte at which llhttp stopped could be of a method: then the method is one that it does not know. */
static bool method_byte(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c != '\0' && strchr("-!#$%&'*+.^_`|~0123456789", c));
}

struct verdict {
	enum llhttp_errno error;
	unsigned status;
	struct slice code, message;
};

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}

static const struct verdict verdicts[] = {
	{HPE_PAUSED_H2_UPGRADE, 505, TEXT("http2_unsupported"),
		TEXT("HTTP/2 is not spoken on this port: use HTTP/1.1.")},
	{HPE_INVALID_METHOD, 400, TEXT("request_line_invalid"), TEXT("The bytes do not begin an HTTP/1.1 request.")},
	{HPE_INVALID_URL, 400, TEXT("target_invalid"),
		TEXT("The target must be a path that begins with a slash, without spaces or controls.")},
	{HPE_INVALID_VERSION, 400, TEXT("request_line_invalid"),
		TEXT("The first line must hold HTTP/1.1 and end with CR LF.")},
	{HPE_INVALID_CONSTANT, 400, TEXT("request_line_invalid"), TEXT("The first line is not one of HTTP/1.1.")},
	{HPE_INVALID_STATUS, 400, TEXT("status_line_invalid"), TEXT("The status must be three digits.")},
	{HPE_INVALID_CONTENT_LENGTH, 400, TEXT("content_length_invalid"),
		TEXT("Content-Length must be a decimal number.")},
	{HPE_UNEXPECTED_CONTENT_LENGTH, 400, TEXT("content_length_repeated"), TEXT("Content-Length must come once.")},
	{HPE_INVALID_TRANSFER_ENCODING, 400, TEXT("framing_ambiguous"),
		TEXT("Transfer-Encoding must end with chunked.")},
	{HPE_OK, 400, TEXT("header_invalid"), /* any other; last */
		TEXT("A header line must be name, colon and value, and end with CR LF.")},
};

static struct http_problem problem_of(const llhttp_t *llhttp, enum llhttp_errno error)
{
	const char *at = llhttp->error_pos;
	const struct verdict *v = verdicts;

	if (error == HPE_INVALID_METHOD && llhttp->type == HTTP_REQUEST && at && method_byte(*at))
		return (struct http_problem){
			501, SLICE("method_unknown"), SLICE("The method is not one that this server knows.")};
	if (error == HPE_INVALID_VERSION && (llhttp->http_major > 1 || llhttp->http_minor > 1))
		return (struct http_problem){
			505, SLICE("version_unsupported"), SLICE("Only HTTP/1.1 and HTTP/1.0 are spoken here.")};
	if (error == HPE_UNEXPECTED_CONTENT_LENGTH && llhttp->flags & F_TRANSFER_ENCODING)
		return (struct http_problem){400, SLICE("framing_ambiguous"),
			SLICE("Content-Length and Transfer-Encoding must not come together.")};
	while (v->error != error && v->error != HPE_OK)
		v++;
	return (struct http_problem){v->status, v->code, v->message};
}

void http_llhttp_problem(const llhttp_t *llhttp, enum llhttp_errno error, struct http_problem *problem)
{
	*problem = problem_of(llhttp, error);
}

enum http_method http_llhttp_method(const llhttp_t *llhttp)
{
	switch (llhttp->method) {
	case LLHTTP_GET:
		return HTTP_GET;
	case LLHTTP_HEAD:
		return HTTP_HEAD;
	case LLHTTP_POST:
		return HTTP_POST;
	case LLHTTP_PUT:
		return HTTP_PUT;
	case LLHTTP_PATCH:
		return HTTP_PATCH;
	case LLHTTP_DELETE:
		return HTTP_DELETE;
	case LLHTTP_OPTIONS:
		return HTTP_OPTIONS;
	default:
		return HTTP_METHOD_OTHER;
	}
}
