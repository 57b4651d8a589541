/*
 * The parser of http_parser.h. A message goes through three stages: the head is given to llhttp, which is stopped at
 * its end and whose slices http_head.c judges; the body is cut out by length, by chunks, or to the connection's end;
 * then END.
 *
 * Slices of a head point into `base`. While a head is in place that is the caller's memory; a head that is split is
 * copied to `memory`, and when that moves or grows, the slices move along (rebase()).
 */
#include "proto/http/http_parser.h"

#include "proto/http/http_chunked.h"
#include "proto/http/http_head.h"
#include "proto/http/http_llhttp.h"

#include <assert.h>
#include <stdlib.h>

enum {
	GATHER_BYTES = 2048,      /* copied at a time: what follows a split head in the same bytes is body,
			and not wanted */
	MEMORY_KEPT_BYTES = 8192, /* more is given back before the next message */
};

enum stage { STAGE_HEAD, STAGE_NONE, STAGE_LENGTH, STAGE_CHUNKED, STAGE_TO_END, STAGE_DONE, STAGE_BAD };

struct http_parser {
	llhttp_t llhttp;
	enum stage stage;
	bool responses, bodiless;
	bool name_complete; /* the last header's name is whole: another name begins the next header */
	struct http_limits limits;
	struct http_head *head;
	const char *base;  /* first byte of the head */
	size_t head_bytes; /* given to llhttp so far; after the head, its size */
	char *memory;      /* NULL until a head had to be gathered */
	size_t memory_bytes;
	bool gathered;
	uint64_t body_max_bytes;
	uint64_t body_left; /* by length: still to come; to the end: came so far */
	bool chunk_limited; /* `chunked` has begun, and with it the limit is settled */
	struct http_chunked chunked;
	struct http_problem problem;
};

static struct http_parser *parser_of(llhttp_t *llhttp)
{
	return llhttp->data;
}

/* Spans come in pieces that follow each other in memory, because memory is gathered without gaps. */
static void extend(struct slice *slice, const char *at, size_t size)
{
	if (!slice->data)
		*slice = slice_of(at, size);
	else
		slice->size = (size_t)(at + size - slice->data);
}

static int on_method(llhttp_t *llhttp, const char *at, size_t size)
{
	extend(&parser_of(llhttp)->head->method_name, at, size);
	return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t size)
{
	extend(&parser_of(llhttp)->head->target, at, size);
	return 0;
}

static int set_problem(struct http_parser *p, unsigned status, struct slice code, struct slice message)
{
	p->problem = (struct http_problem){status, code, message};
	p->stage = STAGE_BAD;
	return HPE_USER;
}

#define BAD(p, status, code, message) set_problem((p), (status), SLICE(code), SLICE(message))

static int on_header_field(llhttp_t *llhttp, const char *at, size_t size)
{
	struct http_parser *p = parser_of(llhttp);
	struct http_head *head = p->head;

	if (head->header_count == 0 || p->name_complete) {
		if (head->header_count == p->limits.max_headers)
			return BAD(p, 431, "headers_too_many", "There are more header lines than this server takes.");
		head->headers[head->header_count++] = (struct http_header){0};
		p->name_complete = false;
	}
	extend(&head->headers[head->header_count - 1].name, at, size);
	return 0;
}

static int on_header_field_complete(llhttp_t *llhttp)
{
	struct http_parser *p = parser_of(llhttp);
	struct http_header *header;

	if (p->head->header_count == 0)
		return BAD(p, 400, "header_invalid", "A header line must begin with a name.");
	header = &p->head->headers[p->head->header_count - 1];
	header->value = slice_of(header->name.data + header->name.size + 1, 0); /* behind the colon, should none come */
	p->name_complete = true;
	return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t size)
{
	struct http_parser *p = parser_of(llhttp);
	struct http_header *header = &p->head->headers[p->head->header_count - 1];

	if (size == 0)
		return 0; /* of an empty value, and told behind its line end */
	if (header->value.size == 0)
		header->value = slice_of(at, size);
	else if (at == header->value.data + header->value.size)
		header->value.size += size;
	else
		return BAD(p, 400, "header_folded", "A header's value must not go on in another line.");
	return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	(void)llhttp;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_method = on_method,
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_field_complete = on_header_field_complete,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

struct http_parser *http_parser_open(enum http_parser_kind kind, const struct http_limits *limits)
{
	struct http_parser *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->responses = kind == HTTP_PARSE_RESPONSES;
	p->stage = STAGE_DONE;
	http_parser_limit(p, limits);
	return p;
}

void http_parser_close(struct http_parser *p)
{
	if (!p)
		return;
	free(p->memory);
	free(p);
}

void http_parser_limit(struct http_parser *p, const struct http_limits *limits)
{
	p->limits = *limits;
	if (p->limits.max_headers > HTTP_HEADERS_MAX)
		p->limits.max_headers = HTTP_HEADERS_MAX;
}

void http_parser_begin(struct http_parser *p, struct http_head *head, bool bodiless)
{
	if (p->memory_bytes > MEMORY_KEPT_BYTES) {
		free(p->memory);
		p->memory = NULL;
		p->memory_bytes = 0;
	}
	llhttp_init(&p->llhttp, p->responses ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
	p->llhttp.data = p;
	memset(head, 0, offsetof(struct http_head, headers)); /* the array's members are set as they come */
	p->head = head;
	p->stage = STAGE_HEAD;
	p->bodiless = bodiless;
	p->name_complete = false;
	p->gathered = false;
	p->base = NULL;
	p->head_bytes = 0;
	p->body_max_bytes = p->limits.max_body_bytes;
}

void http_parser_limit_body(struct http_parser *p, uint64_t max_body_bytes)
{
	p->body_max_bytes = max_body_bytes;
}

static void rebase_slice(struct slice *slice, const char *from, size_t size, const char *to)
{
	/* The path may be a literal; addresses of other objects are compared as numbers. */
	if (slice->data && (uintptr_t)slice->data - (uintptr_t)from <= size)
		slice->data = to + (slice->data - from);
}

static void rebase(struct http_parser *p, const char *to)
{
	struct http_head *head = p->head;

	rebase_slice(&head->method_name, p->base, p->head_bytes, to);
	rebase_slice(&head->target, p->base, p->head_bytes, to);
	rebase_slice(&head->path, p->base, p->head_bytes, to);
	rebase_slice(&head->query, p->base, p->head_bytes, to);
	for (unsigned i = 0; i < head->header_count; i++) {
		rebase_slice(&head->headers[i].name, p->base, p->head_bytes, to);
		rebase_slice(&head->headers[i].value, p->base, p->head_bytes, to);
	}
	p->base = to;
}

/* Makes `memory` hold at least `size` bytes, what is gathered among them. */
static bool reserve(struct http_parser *p, size_t size)
{
	size_t bytes = p->memory_bytes ? p->memory_bytes : GATHER_BYTES;
	char *memory;

	if (size <= p->memory_bytes)
		return true;
	while (bytes < size)
		bytes *= 2;
	memory = malloc(bytes);
	if (!memory)
		return false;
	if (p->gathered) {
		memcpy(memory, p->memory, p->head_bytes);
		rebase(p, memory);
	}
	free(p->memory);
	p->memory = memory;
	p->memory_bytes = bytes;
	return true;
}

/* From now on the head is in memory. */
static bool gather(struct http_parser *p)
{
	if (!reserve(p, p->head_bytes ? p->head_bytes : 1))
		return false;
	if (p->head_bytes)
		memcpy(p->memory, p->base, p->head_bytes);
	rebase(p, p->memory);
	p->gathered = true;
	return true;
}

bool http_parser_keep_head(struct http_parser *p)
{
	return p->gathered || gather(p);
}

/* RFC 9112 section 6.3: how the body is framed. */
static enum stage body_stage(const struct http_parser *p)
{
	const struct http_head *head = p->head;

	if (p->responses && (p->bodiless || head->status < 200 || head->status == 204 || head->status == 304))
		return STAGE_NONE;
	if (head->chunked)
		return STAGE_CHUNKED;
	if (head->has_length)
		return head->content_length ? STAGE_LENGTH : STAGE_NONE;
	return p->responses ? STAGE_TO_END : STAGE_NONE;
}

static enum http_parsed finish_head(struct http_parser *p)
{
	struct http_head *head = p->head;
	const char *end = p->base + p->head_bytes;
	bool good;

	if (p->llhttp.http_major != 1 || p->llhttp.http_minor > 1) {
		if (p->llhttp.http_major == 0)
			BAD(p, 400, "request_line_invalid", "The first line must hold HTTP/1.1.");
		else
			BAD(p, 505, "version_unsupported", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
		return HTTP_PARSED_BAD;
	}
	head->minor_version = p->llhttp.http_minor;
	if (p->responses)
		head->status = p->llhttp.status_code;
	else
		head->method = http_llhttp_method(&p->llhttp);
	good = p->responses ? http_head_judge_response(head, p->base, end, &p->problem)
			    : http_head_judge_request(head, p->base, end, &p->problem);
	if (!good) {
		p->stage = STAGE_BAD;
		return HTTP_PARSED_BAD;
	}
	p->stage = body_stage(p);
	p->body_left = head->has_length ? head->content_length : 0;
	p->chunk_limited = false;
	return HTTP_PARSED_HEAD;
}

/* Gives `size` bytes at `at`, which follow the head so far, to llhttp. *used is how many were of the head. */
static enum http_parsed feed(struct http_parser *p, const char *at, size_t size, size_t *used)
{
	enum llhttp_errno error = llhttp_execute(&p->llhttp, at, size);
	const char *stopped;

	if (error == HPE_OK) {
		p->head_bytes += size;
		*used = size;
		if (p->head_bytes < p->limits.max_head_bytes)
			return HTTP_PARSED_MORE;
		BAD(p, 431, "head_too_large", "The head is larger than this server takes.");
		return HTTP_PARSED_BAD;
	}
	if (error != HPE_PAUSED || p->stage == STAGE_BAD) {
		if (p->stage != STAGE_BAD) /* else a callback has said it */
			http_llhttp_problem(&p->llhttp, error, &p->problem);
		p->stage = STAGE_BAD;
		return HTTP_PARSED_BAD;
	}
	/* At the head's last byte, or one behind it, where a body may begin with LF as well: then one stands before it.
	 */
	stopped = llhttp_get_error_pos(&p->llhttp);
	if (stopped < at + size && *stopped == '\n' && stopped[-1] != '\n')
		stopped++;
	*used = (size_t)(stopped - at);
	p->head_bytes += *used;
	return finish_head(p);
}

static enum http_parsed next_in_place(struct http_parser *p, struct slice *bytes)
{
	size_t most = p->limits.max_head_bytes;
	size_t used = 0;
	enum http_parsed parsed;

	p->base = bytes->data;
	parsed = feed(p, bytes->data, bytes->size < most ? bytes->size : most, &used);
	if (parsed == HTTP_PARSED_MORE && !gather(p)) {
		BAD(p, 503, "memory_out", "The server is out of memory.");
		return HTTP_PARSED_BAD;
	}
	*bytes = slice_after(*bytes, used);
	return parsed;
}

static enum http_parsed next_gathered(struct http_parser *p, struct slice *bytes)
{
	enum http_parsed parsed = HTTP_PARSED_MORE;

	while (parsed == HTTP_PARSED_MORE && bytes->size) {
		size_t room = p->limits.max_head_bytes - p->head_bytes;
		size_t size = bytes->size < GATHER_BYTES ? bytes->size : GATHER_BYTES;
		size_t used = 0;

		if (size > room)
			size = room;
		if (!reserve(p, p->head_bytes + size)) {
			BAD(p, 503, "memory_out", "The server is out of memory.");
			return HTTP_PARSED_BAD;
		}
		memcpy(p->memory + p->head_bytes, bytes->data, size);
		parsed = feed(p, p->memory + p->head_bytes, size, &used);
		*bytes = slice_after(*bytes, used);
	}
	return parsed;
}

static enum http_parsed next_of_head(struct http_parser *p, struct slice *bytes)
{
	if (!bytes->size)
		return HTTP_PARSED_MORE;
	return p->base ? next_gathered(p, bytes) : next_in_place(p, bytes);
}

static enum http_parsed body_too_large(struct http_parser *p)
{
	BAD(p, 413, "body_too_large", "The body is larger than this server takes.");
	return HTTP_PARSED_BAD;
}

static enum http_parsed done(struct http_parser *p)
{
	p->stage = STAGE_DONE;
	return HTTP_PARSED_END;
}

/* The last piece is reported as BODY; the call after it reports END, also without further bytes. */
static enum http_parsed next_of_length(struct http_parser *p, struct slice *bytes, struct slice *piece)
{
	size_t size;

	if (p->head->content_length > p->body_max_bytes)
		return body_too_large(p);
	if (!bytes->size)
		return HTTP_PARSED_MORE;
	size = p->body_left < bytes->size ? (size_t)p->body_left : bytes->size;
	*piece = slice_of(bytes->data, size);
	*bytes = slice_after(*bytes, size);
	p->body_left -= size;
	if (!p->body_left)
		p->stage = STAGE_NONE;
	return HTTP_PARSED_BODY;
}

static enum http_parsed next_chunked(struct http_parser *p, struct slice *bytes, struct slice *piece)
{
	if (!p->chunk_limited) {
		http_chunked_init(&p->chunked, p->body_max_bytes, p->limits.max_head_bytes);
		p->chunk_limited = true;
	}
	switch (http_chunked_next(&p->chunked, bytes, piece)) {
	case HTTP_CHUNKED_MORE:
		return HTTP_PARSED_MORE;
	case HTTP_CHUNKED_PIECE:
		return HTTP_PARSED_BODY;
	case HTTP_CHUNKED_END:
		return done(p);
	case HTTP_CHUNKED_TOO_LARGE:
		return body_too_large(p);
	case HTTP_CHUNKED_TOO_LONG:
		BAD(p, 431, "head_too_large", "Chunk extensions or trailers are larger than this server takes.");
		return HTTP_PARSED_BAD;
	case HTTP_CHUNKED_BAD:
		break;
	}
	BAD(p, 400, "chunk_invalid", "A chunk must be its size in hexadecimal, CR LF, its bytes, and CR LF.");
	return HTTP_PARSED_BAD;
}

static enum http_parsed next_to_end(struct http_parser *p, struct slice *bytes, struct slice *piece)
{
	if (!bytes->size)
		return HTTP_PARSED_MORE;
	p->body_left += bytes->size;
	if (p->body_left > p->body_max_bytes)
		return body_too_large(p);
	*piece = *bytes;
	*bytes = slice_after(*bytes, bytes->size);
	return HTTP_PARSED_BODY;
}

enum http_parsed http_parser_next(struct http_parser *p, struct slice *bytes, struct slice *piece)
{
	switch (p->stage) {
	case STAGE_HEAD:
		return next_of_head(p, bytes);
	case STAGE_NONE:
		return done(p);
	case STAGE_LENGTH:
		return next_of_length(p, bytes, piece);
	case STAGE_CHUNKED:
		return next_chunked(p, bytes, piece);
	case STAGE_TO_END:
		return next_to_end(p, bytes, piece);
	case STAGE_DONE:
	case STAGE_BAD:
		break;
	}
	assert(p->stage == STAGE_BAD); /* called after END, without http_parser_begin() */
	return HTTP_PARSED_BAD;
}

bool http_parser_finish(struct http_parser *p)
{
	if (p->stage != STAGE_TO_END)
		return false;
	p->stage = STAGE_DONE;
	return true;
}

bool http_parser_gathered(const struct http_parser *p)
{
	return p->gathered;
}

const struct http_problem *http_parser_problem(const struct http_parser *p)
{
	return &p->problem;
}
