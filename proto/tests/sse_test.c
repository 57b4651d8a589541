/*
 * Server-sent events: each stream is read whole, byte by byte, and cut at every offset and every pair of offsets; the events,
 * written down one a line, are always the same.
 */
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CAPACITY = 64 };

/* What an event is, in words: name=data; with ~ for LF, (none) for no data line, #text for a comment. */
struct record {
	char text[512];
	size_t size;
};

static void put(struct record *r, struct slice s)
{
	assert_true(r->size + s.size < sizeof(r->text));
	for (size_t i = 0; i < s.size; i++)
		r->text[r->size++] = s.data[i] == '\n' ? '~' : s.data[i];
	r->text[r->size] = '\0';
}

static void put_event(struct record *r, const struct sse_event *event)
{
	put(r, event->comment ? SLICE("#") : event->name);
	if (!event->comment)
		put(r, SLICE("="));
	put(r, event->data.data ? event->data : SLICE("(none)"));
	put(r, SLICE(";"));
}

static enum sse_result feed(struct sse_parser *parser, struct slice bytes, struct record *r)
{
	struct sse_event event;
	enum sse_result result;
	char *copy = malloc(bytes.size + 1); /* the sanitizer sees a byte too many, and a slice kept too long */
	struct slice given;

	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.size);
	given = slice_of(copy, bytes.size);
	while ((result = sse_next(parser, &given, &event)) == SSE_EVENT)
		put_event(r, &event);
	if (result == SSE_MORE)
		assert_int_equal(given.size, 0);
	free(copy);
	return result;
}

struct stream {
	struct slice bytes;
	const char *events;
	bool boundary;
};

#define STREAM(bytes, events, boundary) { { bytes, sizeof(bytes) - 1 }, events, boundary }

static const struct stream streams[] = {
	STREAM("", "", true),
	STREAM("data: a\n\n", "=a;", true),
	STREAM("data:a\n\ndata:  b\n\n", "=a;= b;", true),
	STREAM("data: a\r\n\r\ndata: b\r\n\r\n", "=a;=b;", true),
	STREAM("data: a\r\rdata: b\r\r", "=a;=b;", true),
	STREAM("data: a\n\r\ndata: b\r\n\rdata: c\r\n\n", "=a;=b;=c;", true),
	STREAM("\xef\xbb\xbf""data: a\n\n\xef\xbb\xbf""data: b\n\n", "=a;=(none);", true),
	STREAM("\xef\xbb\xbf\n\ndata: a\n\n", "=a;", true),
	STREAM("\xef\xbb\xbf: hi\n\n", "#hi;", true),
	STREAM("\xef\xbb""data: a\n\n", "=(none);", true),
	STREAM("event: x\ndata: a\ndata: b\ndata\ndata:\n\n", "x=a~b~~;", true),
	STREAM("data\n\ndata:\n\n", "=;=;", true),
	STREAM("data\ndata\n\n", "=~;", true),
	STREAM("event: x\n\nevent\ndata:1\n\n", "x=(none);=1;", true),
	STREAM("event: x\nevent: y\ndata: 1\n\n", "y=1;", true),
	STREAM("id: 7\nretry: 5\nfoo: b\ndata: 1\nDATA: 2\n data: 3\n\n", "=1;", true),
	STREAM(": one\n:two\n:\n\ndata: a\n\n", "#one;#two;#;=a;", true),
	STREAM("event: x\n: in between\ndata: a\n:\r\ndata: b\r\n\r\n", "#in between;#;x=a~b;", true),
	STREAM("\n\n\r\n\r\rdata: a\n\n\n\n", "=a;", true),
	STREAM("data: {\"a\":\"\xc3\xa9\xe2\x82\xac\"}\n\ndata: [DONE]\n\n", "={\"a\":\"\xc3\xa9\xe2\x82\xac\"};=[DONE];", true),
	STREAM("data: a\n\ndata: b\n", "=a;", false),
	STREAM("data: a\n\ndata: b", "=a;", false),
	STREAM("data: a\n\nd", "=a;", false),
	STREAM("data: a:b: c\n\n", "=a:b: c;", true),
};

static void start(struct sse_parser *parser, char memory[2 * CAPACITY], struct record *r)
{
	sse_init(parser, memory, CAPACITY);
	r->size = 0;
	r->text[0] = '\0';
}

static void every_cut_gives_the_same_events(void **state)
{
	char memory[2 * CAPACITY];
	struct sse_parser parser;
	struct record r;

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		struct slice bytes = streams[i].bytes;

		for (size_t a = 0; a <= bytes.size; a++) {
			for (size_t b = a; b <= bytes.size; b++) {
				start(&parser, memory, &r);
				assert_int_equal(feed(&parser, slice_of(bytes.data, a), &r), SSE_MORE);
				assert_int_equal(feed(&parser, slice_of(bytes.data + a, b - a), &r), SSE_MORE);
				assert_int_equal(feed(&parser, slice_after(bytes, b), &r), SSE_MORE);
				if (strcmp(r.text, streams[i].events) != 0)
					fail_msg("stream %zu cut at %zu, %zu: %s", i, a, b, r.text);
				assert_int_equal(sse_at_boundary(&parser), streams[i].boundary);
			}
		}
	}
}

static void bytes_one_by_one(void **state)
{
	char memory[2 * CAPACITY];
	struct sse_parser parser;
	struct record r;

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		start(&parser, memory, &r);
		for (size_t at = 0; at < streams[i].bytes.size; at++)
			assert_int_equal(feed(&parser, slice_of(streams[i].bytes.data + at, 1), &r), SSE_MORE);
		assert_string_equal(r.text, streams[i].events);
	}
}

/* An event that lies whole in the bytes is not copied. */
static void whole_events_stay_in_place(void **state)
{
	static const char text[] = "event: x\ndata: abc\n\n";
	char memory[2 * CAPACITY];
	struct slice bytes = slice_of_string(text);
	struct sse_parser parser;
	struct sse_event event;

	(void)state;
	sse_init(&parser, memory, CAPACITY);
	assert_int_equal(sse_next(&parser, &bytes, &event), SSE_EVENT);
	assert_ptr_equal(event.data.data, text + 15);
	assert_ptr_equal(event.name.data, text + 7);
	assert_int_equal(bytes.size, 0);
}

/* One event of data lines that fit or do not, whole and in two halves. */
static void large_events_are_refused(void **state)
{
	static const struct { unsigned lines, line_bytes; enum sse_result result; } table[] = {
		{ 1, CAPACITY - 1, SSE_MORE }, { 1, CAPACITY + 1, SSE_TOO_LARGE },
		{ 2, CAPACITY / 2 - 1, SSE_MORE }, { 3, CAPACITY / 2, SSE_TOO_LARGE },
	};
	char memory[2 * CAPACITY], text[4 * CAPACITY];
	struct sse_parser parser;
	struct record r;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		size_t size = 0;

		for (unsigned l = 0; l < table[i].lines; l++) {
			memset(text + size, 'x', table[i].line_bytes);
			memcpy(text + size, "data:", 5);
			size += table[i].line_bytes;
			text[size++] = '\n';
		}
		text[size++] = '\n';
		for (size_t cut = 0; cut <= size; cut++) {
			enum sse_result result;

			start(&parser, memory, &r);
			result = feed(&parser, slice_of(text, cut), &r);
			if (result == SSE_MORE)
				result = feed(&parser, slice_of(text + cut, size - cut), &r);
			assert_int_equal(result, table[i].result);
			assert_int_equal(r.size > 0, table[i].result == SSE_MORE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_events),
		cmocka_unit_test(bytes_one_by_one),
		cmocka_unit_test(whole_events_stay_in_place),
		cmocka_unit_test(large_events_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
