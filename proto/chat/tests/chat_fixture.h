/* What the tests of dialects share: a document parsed, read by one dialect and written by another. */
#ifndef PROTO_TESTS_CHAT_FIXTURE_H
#define PROTO_TESTS_CHAT_FIXTURE_H

#include "core/buffer.h"
#include "proto/chat/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { FIXTURE_DOCUMENT_BYTES = 32768, FIXTURE_OUT_BYTES = 65536 };

struct fixture {
	struct json_parser *parser;
	struct arena_pool pool;
	struct arena arena;
	char document[FIXTURE_DOCUMENT_BYTES + BUFFER_PADDING_BYTES];
	char out_memory[FIXTURE_OUT_BYTES];
	struct text out;
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->parser = json_parser_open(FIXTURE_DOCUMENT_BYTES);
	arena_pool_init(&f->pool, 4);
	arena_init(&f->arena, &f->pool, 1 << 24);
	*state = f;
	return f->parser ? 0 : -1;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	arena_pool_fini(&f->pool);
	json_parser_close(f->parser);
	free(f);
	return 0;
}

/* Also clears `out`. */
static inline void parse(struct fixture *f, struct slice text)
{
	struct json_error error;

	assert_true(text.size <= FIXTURE_DOCUMENT_BYTES);
	memcpy(f->document, text.data, text.size);
	if (json_parse(f->parser, slice_of(f->document, text.size), &error))
		fail_msg("%s at %zu: %.*s", error.message, error.offset, (int)text.size, text.data);
}

static inline void clear_out(struct fixture *f)
{
	f->out = text_over(f->out_memory, sizeof(f->out_memory));
}

static inline void expect_text(size_t row, struct slice found, const char *expected)
{
	if (!slice_equal(found, slice_of_string(expected)))
		fail_msg("row %zu:\n%.*s\nexpected:\n%s", row, (int)found.size, found.data, expected);
}

#endif
