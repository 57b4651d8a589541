/*
 * Server-sent events: each stream is read whole, byte by byte, and cut at every offset and every pair of offsets; the
 * events, written down one a line, are always the same.
 */
#include "proto/http/sse.h"

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

#define STREAM(bytes, events, boundary)                                                                                \
	{                                                                                                              \
		{bytes, sizeof(bytes) - 1}, events, boundary                                                           \
	}

static const struct stream streams[] = {
	STREAM("", "", true),
	STREAM("data: a\n\n", "=a;", true),
	STREAM("data:a\n\ndata:  b\n\n", "=a;= b;", true),
	STREAM("data: a\r\n\r\ndata: b\r\n\r\n", "=a;=b;", true),
	STREAM("data: a\r\rdata: b\r\r", "=a;=b;", true),
	STREAM("data: a\n\r\ndata: b\r\n\rdata: c\r\n\n", "=a;=b;=c;", true),
	STREAM("\xef\xbb\xbf"
	       "data: a\n\n\xef\xbb\xbf"
	       "data: b\n\n",
		"=a;=(none);", true),
	STREAM("\xef\xbb\xbf\n\ndata: a\n\n", "=a;", true),
	STREAM("\xef\xbb\xbf: hi\n\n", "#hi;", true),
	STREAM("\xef\xbb"
	       "data: a\n\n",
		"=(none);", true),
	STREAM("event: x\ndata: a\ndata: b\ndata\ndata:\n\n", "x=a~b~~;", true),
	STREAM("data\n\ndata:\n\n", "=;=;", true),
	STREAM("data\ndata\n\n", "=~;", true),
	STREAM("event: x\n\nevent\ndata:1\n\n", "x=(none);=1;", true),
	STREAM("event: x\nevent: y\ndata: 1\n\n", "y=1;", true),
	STREAM("id: 7\nretry: 5\nfoo: b\ndata: 1\nDATA: 2\n data: 3\n\n", "=1;", true),
	STREAM(": one\n:two\n:\n\ndata: a\n\n", "#one;#two;#;=a;", true),
	STREAM("event: x\n: in between\ndata: a\n:\r\ndata: b\r\n\r\n", "#in between;#;x=a~b;", true),
	STREAM("\n\n\r\n\r\rdata: a\n\n\n\n", "=a;", true),
	STREAM("data: {\"a\":\"\xc3\xa9\xe2\x82\xac\"}\n\ndata: [DONE]\n\n",
		"={\"a\":\"\xc3\xa9\xe2\x82\xac\"};=[DONE];", true),
	STREAM("data: a\n\ndata: b\n", "=a;", false),
	STREAM("data: a\n\ndata: b", "=a;", false),
	STREAM("data: a\n\nd", "=a;", false),
	STREAM("data: a:b: c\n\n", "=a:b: c;", true),
};

/* With memory of its own, or that grows in an arena. */
struct home {
	char memory[2 * CAPACITY];
	struct arena_pool pool;
	struct arena arena;
	bool growing;
};

static void open_home(struct home *home, bool growing)
{
	arena_pool_init(&home->pool, 4);
	arena_init(&home->arena, &home->pool, 64 * CAPACITY);
	home->growing = growing;
}

static void close_home(struct home *home)
{
	arena_fini(&home->arena);
	arena_pool_fini(&home->pool);
}

static void start(struct sse_parser *parser, struct home *home, struct record *r)
{
	arena_fini(&home->arena);
	if (home->growing)
		sse_init_growing(parser, &home->arena, home->memory, CAPACITY);
	else
		sse_init(parser, home->memory, CAPACITY);
	r->size = 0;
	r->text[0] = '\0';
}

static void check_every_cut(struct home *home)
{
	struct sse_parser parser;
	struct record r;

	for (size_t i = 0; i < COUNT(streams); i++) {
		struct slice bytes = streams[i].bytes;

		for (size_t a = 0; a <= bytes.size; a++) {
			for (size_t b = a; b <= bytes.size; b++) {
				start(&parser, home, &r);
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

static void check_bytes_one_by_one(struct home *home)
{
	struct sse_parser parser;
	struct record r;

	for (size_t i = 0; i < COUNT(streams); i++) {
		start(&parser, home, &r);
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
static void check_large_events(struct home *home)
{
	static const struct {
		unsigned lines, line_bytes;
		enum sse_result result;
	} table[] = {
		{1, CAPACITY - 1, SSE_MORE},
		{1, CAPACITY + 1, SSE_TOO_LARGE},
		{2, CAPACITY / 2 - 1, SSE_MORE},
		{3, CAPACITY / 2, SSE_TOO_LARGE},
	};
	char text[4 * CAPACITY];
	struct sse_parser parser;
	struct record r;

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

			start(&parser, home, &r);
			result = feed(&parser, slice_of(text, cut), &r);
			if (result == SSE_MORE)
				result = feed(&parser, slice_of(text + cut, size - cut), &r);
			assert_int_equal(result, table[i].result);
			assert_int_equal(r.size > 0, table[i].result == SSE_MORE);
		}
	}
}

static void check_both(void (*check)(struct home *home))
{
	for (unsigned growing = 0; growing < 2; growing++) {
		struct home home;

		open_home(&home, growing);
		check(&home);
		close_home(&home);
	}
}

static void every_cut_gives_the_same_events(void **state)
{
	(void)state;
	check_both(check_every_cut);
}

static void bytes_one_by_one(void **state)
{
	(void)state;
	check_both(check_bytes_one_by_one);
}

static void large_events_are_refused(void **state)
{
	(void)state;
	check_both(check_large_events);
}

/* An event that lies whole in what came takes nothing; one that is split, about what it is long. */
static void memory_is_what_an_event_needs(void **state)
{
	enum { EVENT_MAX = 1 << 18 };
	static char text[3 * 4096], joined[EVENT_MAX];
	struct slice whole = SLICE("data: a\n\n");
	struct arena_pool pool;
	struct arena arena;
	struct sse_parser parser;
	struct record r = {.size = 0};

	(void)state;
	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool, 1 << 20);
	sse_init_growing(&parser, &arena, joined, EVENT_MAX);
	assert_int_equal(feed(&parser, whole, &r), SSE_MORE);
	assert_int_equal(arena.used_bytes, 0);
	memset(text, 'x', sizeof(text));
	assert_int_equal(feed(&parser, slice_of(text, sizeof(text)), &r), SSE_MORE);
	assert_in_range(arena.used_bytes, sizeof(text), 2 * sizeof(text));
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static void without_memory_it_says_so(void **state)
{
	char text[3 * 4096], joined[CAPACITY];
	struct arena_pool pool;
	struct arena arena;
	struct sse_parser parser;
	struct record r = {.size = 0};

	(void)state;
	memset(text, 'x', sizeof(text));
	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool, 4096);
	sse_init_growing(&parser, &arena, joined, 4 * sizeof(text));
	assert_int_equal(feed(&parser, slice_of(text, 100), &r), SSE_MORE);
	assert_int_equal(feed(&parser, slice_of(text, sizeof(text)), &r), SSE_NO_MEMORY);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_events),
		cmocka_unit_test(bytes_one_by_one),
		cmocka_unit_test(whole_events_stay_in_place),
		cmocka_unit_test(large_events_are_refused),
		cmocka_unit_test(memory_is_what_an_event_needs),
		cmocka_unit_test(without_memory_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
