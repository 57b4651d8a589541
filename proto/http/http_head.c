/* The judgement of http_head.h. Where RFC 9112 leaves a choice between repairing and refusing, this refuses. */
#include "proto/http/http_head.h"

#include <assert.h>

/* What the fields said, before it is held against each other. */
struct fields {
	unsigned hosts, lengths, encodings;
	struct slice host, length, encoding;
	bool close, keep_alive;
};

static bool refuse(struct http_problem *problem, unsigned status, struct slice code, struct slice message)
{
	*problem = (struct http_problem){status, code, message};
	return false;
}

#define REFUSE(status, code, message) refuse(problem, (status), SLICE(code), SLICE(message))

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.size && is_space(s.data[s.size - 1]))
		s.size--;
	while (s.size && is_space(s.data[0]))
		s = slice_after(s, 1);
	return s;
}

/* Optional white space from `at`, then CR LF; where the next line begins, or NULL. */
static const char *line_end(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

/* Fields follow each other without a gap from `at` to the empty line: no folding, no bare line end. */
static bool fields_abut(struct http_head *head, const char *at, const char *end)
{
	for (unsigned i = 0; i < head->header_count; i++) {
		struct http_header *header = &head->headers[i];
		const char *name_end = header->name.data + header->name.size;

		if (!at || header->name.data != at || !header->name.size || name_end >= end || *name_end != ':')
			return false;
		for (at = name_end + 1; at < header->value.data; at++)
			if (!is_space(*at))
				return false;
		at = line_end(header->value.data + header->value.size, end);
		header->value = trim(header->value);
	}
	return at && end - at == 2 && at[0] == '\r' && at[1] == '\n';
}

/* One token from the front of a comma-separated list; empty elements are skipped. */
static struct slice take_token(struct slice *list)
{
	struct slice token;
	const char *comma;

	do {
		comma = list->size ? memchr(list->data, ',', list->size) : NULL;
		token = trim(slice_of(list->data, comma ? (size_t)(comma - list->data) : list->size));
		*list = slice_after(*list, comma ? (size_t)(comma - list->data) + 1 : list->size);
	} while (!token.size && list->size);
	return token;
}

static void note_connection(struct fields *fields, struct slice value)
{
	while (value.size) {
		struct slice token = take_token(&value);

		if (slice_equal_nocase(token, SLICE("close")))
			fields->close = true;
		else if (slice_equal_nocase(token, SLICE("keep-alive")))
			fields->keep_alive = true;
	}
}

static bool note_expect(struct http_head *head, struct slice value, struct http_problem *problem)
{
	if (!slice_equal_nocase(value, SLICE("100-continue")))
		return REFUSE(417, "expectation_unknown", "Expect: only 100-continue is understood.");
	head->expect_continue = head->minor_version > 0; /* RFC 9110 section 10.1.1: ignored in HTTP/1.0 */
	return true;
}

/* A switch over lengths first: most fields are none of ours, and this is run for every one of them. */
static bool note_field(
	struct http_head *head, struct fields *fields, const struct http_header *h, struct http_problem *problem)
{
	switch (h->name.size) {
	case 4:
		if (slice_equal_nocase(h->name, SLICE("host"))) {
			fields->hosts++;
			fields->host = h->value;
		}
		break;
	case 6:
		if (slice_equal_nocase(h->name, SLICE("expect")))
			return note_expect(head, h->value, problem);
		break;
	case 10:
		if (slice_equal_nocase(h->name, SLICE("connection")))
			note_connection(fields, h->value);
		break;
	case 14:
		if (slice_equal_nocase(h->name, SLICE("content-length"))) {
			fields->lengths++;
			fields->length = h->value;
		}
		break;
	case 17:
		if (slice_equal_nocase(h->name, SLICE("transfer-encoding"))) {
			fields->encodings++;
			fields->encoding = h->value;
		}
		break;
	default:
		break;
	}
	return true;
}

static bool parse_length(struct slice digits, uint64_t *length)
{
	*length = 0;
	if (!digits.size || digits.size > 18) /* below 2^63; no body is that large */
		return false;
	for (size_t i = 0; i < digits.size; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
		*length = *length * 10 + (unsigned)(digits.data[i] - '0');
	}
	return true;
}

/* RFC 9112 section 6.3, without its leniences. */
static bool judge_framing(struct http_head *head, const struct fields *fields, struct http_problem *problem)
{
	if (fields->encodings && fields->lengths)
		return REFUSE(400, "framing_ambiguous", "Content-Length and Transfer-Encoding must not come together.");
	if (fields->lengths > 1)
		return REFUSE(400, "content_length_repeated", "Content-Length must come once.");
	if (fields->lengths && !parse_length(fields->length, &head->content_length))
		return REFUSE(400, "content_length_invalid", "Content-Length must be a decimal number.");
	head->has_length = fields->lengths == 1;
	if (!fields->encodings)
		return true;
	if (head->minor_version == 0)
		return REFUSE(400, "framing_ambiguous", "Transfer-Encoding does not exist in HTTP/1.0.");
	if (fields->encodings > 1)
		return REFUSE(400, "transfer_encoding_repeated", "Transfer-Encoding must come once.");
	if (!slice_equal_nocase(fields->encoding, SLICE("chunked")))
		return REFUSE(501, "transfer_encoding_unsupported", "Transfer-Encoding: only chunked is understood.");
	head->chunked = true;
	return true;
}

static bool note_fields(struct http_head *head, struct fields *fields, struct http_problem *problem)
{
	for (unsigned i = 0; i < head->header_count; i++)
		if (!note_field(head, fields, &head->headers[i], problem))
			return false;
	head->keep_alive = !fields->close && (head->minor_version > 0 || fields->keep_alive);
	return judge_framing(head, fields, problem);
}

/* reg-name, IP literal and port of RFC 3986 section 3.2, by their bytes. */
static bool host_bytes_valid(struct slice host)
{
	for (size_t i = 0; i < host.size; i++) {
		char c = host.data[i];
		bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!alphanumeric && (c == '\0' || !strchr("-._~%!$&'()*+;=:[]", c)))
			return false;
	}
	return true;
}

/* RFC 9112 section 3.2. */
static bool judge_host(const struct http_head *head, const struct fields *fields, struct http_problem *problem)
{
	if (fields->hosts > 1)
		return REFUSE(400, "host_repeated", "Host must come once.");
	if (!fields->hosts && head->minor_version > 0)
		return REFUSE(400, "host_missing", "HTTP/1.1 wants a Host field.");
	if (!host_bytes_valid(fields->host))
		return REFUSE(400, "host_invalid", "Host must be a name or an address, with an optional port.");
	return true;
}

static bool starts_with_nocase(struct slice s, struct slice prefix)
{
	return s.size >= prefix.size && slice_equal_nocase(slice_of(s.data, prefix.size), prefix);
}

/* Of an absolute-form target's scheme with its slashes; 0 for any other. */
static size_t scheme_bytes(struct slice target)
{
	if (starts_with_nocase(target, SLICE("http://")))
		return 7;
	return starts_with_nocase(target, SLICE("https://")) ? 8 : 0;
}

/* Path and query of an origin-form or absolute-form target (RFC 9112 section 3.2). */
static bool split_target(struct http_head *head)
{
	struct slice rest = head->target;
	const char *mark;

	if (!rest.size || memchr(rest.data, '#', rest.size))
		return false;
	if (slice_equal(rest, SLICE("*"))) {
		head->path = rest;
		return head->method == HTTP_OPTIONS;
	}
	if (rest.data[0] != '/') {
		size_t scheme = scheme_bytes(rest);

		if (!scheme || rest.size == scheme)
			return false;
		rest = slice_after(rest, scheme);
		while (rest.size && rest.data[0] != '/' && rest.data[0] != '?')
			rest = slice_after(rest, 1);
	}
	mark = rest.size ? memchr(rest.data, '?', rest.size) : NULL;
	if (mark)
		head->query = slice_after(rest, (size_t)(mark - rest.data) + 1);
	head->path = slice_of(rest.data, mark ? (size_t)(mark - rest.data) : rest.size);
	if (!head->path.size)
		head->path = SLICE("/");
	return true;
}

/* Where the fields begin, when the request line is `method SP target SP HTTP/1.x CR LF`; else NULL. */
static const char *request_line_end(const struct http_head *head, const char *start, const char *end)
{
	const char *method = head->method_name.data, *target = head->target.data, *version;

	if (method - start == 2 && start[0] == '\r' && start[1] == '\n')
		start += 2; /* RFC 9112 section 2.2: one empty line ahead is let pass */
	if (method != start || target != method + head->method_name.size + 1 || target[-1] != ' ')
		return NULL;
	version = target + head->target.size;
	if (end - version < 11 || memcmp(version, " HTTP/1.", 8) != 0 || memcmp(version + 9, "\r\n", 2) != 0)
		return NULL;
	return version + 11;
}

bool http_head_judge_request(struct http_head *head, const char *start, const char *end, struct http_problem *problem)
{
	struct fields fields = {0};
	const char *line = NULL;

	if (head->method_name.data && head->target.data)
		line = request_line_end(head, start, end);
	if (!line)
		return REFUSE(400, "request_line_invalid",
			"The request line must be method, target and HTTP/1.1, with one space between.");
	if (!fields_abut(head, line, end))
		return REFUSE(400, "header_invalid",
			"A header line must be name, colon and value; folded lines are refused.");
	if (!note_fields(head, &fields, problem) || !judge_host(head, &fields, problem))
		return false;
	if (slice_equal(head->method_name, SLICE("CONNECT")))
		return REFUSE(501, "method_unknown", "CONNECT is not served here.");
	if (!split_target(head))
		return REFUSE(
			400, "target_invalid", "The target must be a path that begins with a slash, without fragment.");
	return true;
}

/* Where the fields begin, when the line is `HTTP/1.x SP 3DIGIT [SP reason] CR LF`; else NULL. */
static const char *status_line_end(const struct http_head *head, const char *start, const char *end)
{
	const char *lf;

	if (end - start < 14 || memcmp(start, "HTTP/1.", 7) != 0 || start[8] != ' ' ||
		(start[12] != ' ' && start[12] != '\r'))
		return NULL;
	for (unsigned i = 9; i < 12; i++)
		if (start[i] < '0' || start[i] > '9')
			return NULL;
	lf = memchr(start, '\n', (size_t)(end - start));
	return lf && lf[-1] == '\r' && head->status >= 100 && head->status <= 599 ? lf + 1 : NULL;
}

bool http_head_judge_response(struct http_head *head, const char *start, const char *end, struct http_problem *problem)
{
	struct fields fields = {0};
	const char *line = status_line_end(head, start, end);

	assert(head->header_count <= HTTP_HEADERS_MAX);
	if (!line)
		return REFUSE(400, "status_line_invalid",
			"The status line must be HTTP/1.1, a status of three digits and a phrase.");
	if (!fields_abut(head, line, end))
		return REFUSE(400, "header_invalid",
			"A header line must be name, colon and value; folded lines are refused.");
	return note_fields(head, &fields, problem);
}
