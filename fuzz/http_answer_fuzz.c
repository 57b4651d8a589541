/*
 * Fuzzes the command line's reading of a whole HTTP response: it is refused, or its body lies within what came, with
 * NULs behind it. Where the incremental parser takes it as well, both find the same status and body.
 *
 * An input: the response.
 */
#include "fuzz/input.h"
#include "proto/http/http_parser.h"
#include "tools/http_get.h"

#include <errno.h>

enum { ANSWER_MAX_BYTES = 8192 };

/* Whether `bytes` begin with a response that is whole; then its status and body. */
static bool parse_in_steps(struct slice bytes, struct http_head *head, struct text *body)
{
	static const struct http_limits limits = {ANSWER_MAX_BYTES + 1, HTTP_HEADERS_MAX, ANSWER_MAX_BYTES};
	struct http_parser *parser = http_parser_open(HTTP_PARSE_RESPONSES, &limits);
	enum http_parsed parsed;
	struct slice piece;

	assert(parser);
	http_parser_begin(parser, head, false);
	while ((parsed = http_parser_next(parser, &bytes, &piece)) == HTTP_PARSED_HEAD || parsed == HTTP_PARSED_BODY)
		if (parsed == HTTP_PARSED_BODY)
			text_add(body, piece);
	if (parsed == HTTP_PARSED_MORE && http_parser_finish(parser))
		parsed = HTTP_PARSED_END;
	http_parser_close(parser);
	assert(!body->full);
	return parsed == HTTP_PARSED_END;
}

static void compare(struct slice bytes, const struct http_answer *answer)
{
	struct http_head *head = calloc(1, sizeof(*head));
	char *memory = malloc(ANSWER_MAX_BYTES);
	struct text body = text_over(memory, ANSWER_MAX_BYTES);

	assert(head && memory);
	if (parse_in_steps(bytes, head, &body) && head->status != 204 && head->status != 304) {
		assert(head->status == answer->status);
		assert(slice_equal(text_slice(&body), slice_of(answer->body, answer->body_bytes)));
	}
	free(memory);
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_answer answer = {0};
	const char *why = NULL;
	char *bytes;
	int rc;

	if (size > ANSWER_MAX_BYTES)
		return 0;
	bytes = malloc(size + HTTP_GET_PADDING);
	assert(bytes);
	if (size)
		memcpy(bytes, data, size);
	memset(bytes + size, '7', HTTP_GET_PADDING);
	rc = http_answer_parse(bytes, size, &answer, &why);
	assert(rc == 0 || (why && (rc == -EPROTO || rc == -EMSGSIZE)));
	if (rc < 0) {
		free(bytes);
		return 0;
	}
	assert(answer.body == bytes && answer.body_bytes <= size && answer.status >= 200 && answer.status <= 599);
	for (size_t i = 0; i < HTTP_GET_PADDING; i++)
		assert(answer.body[answer.body_bytes + i] == '\0');
	compare(slice_of(data, size), &answer);
	http_answer_fini(&answer);
	return 0;
}
