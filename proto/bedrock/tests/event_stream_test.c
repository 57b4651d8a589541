/*
 * AWS event streams: messages of AWS's own tests (awslabs/aws-c-event-stream) and of its codec, read whole, byte by
 * byte and cut at every offset; and what is broken, at every byte.
 */
#include "proto/bedrock/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MESSAGE_MAX = 512, BYTES_MAX = 1024, RECORD_BYTES = 1024 };

#define EMPTY "000000100000000005c248eb7d98c8ff"
#define BARE "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936"
#define DELTA                                                                                                          \
	"0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e74"   \
	"2d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e7465"   \
	"6e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d7d1f944657"
#define THROTTLED                                                                                                      \
	"0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a63"   \
	"6f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d7479706507000965786365707469" \
	"6f6e7b226d657373616765223a22736c6f7720646f776e227d832ee072"

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static size_t unhex(const char *hex, char *bytes)
{
	size_t size = strlen(hex) / 2;

	assert_true(size <= BYTES_MAX);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return size;
}

static const char *const results[] = {"", "", "broken", "too large", "no memory"};

static enum event_stream_result feed(struct event_stream *stream, struct slice bytes, struct text *record)
{
	struct event_stream_message message;
	enum event_stream_result result;
	char *copy =
		malloc(bytes.size ? bytes.size : 1); /* the sanitizer sees a byte too many, and a slice kept too long */
	struct slice given;

	assert_non_null(copy);
	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	given = slice_of(copy, bytes.size);
	while ((result = event_stream_next(stream, &given, &message)) == EVENT_STREAM_MESSAGE) {
		text_add(record, message.type);
		text_char(record, ' ');
		event_stream_print(&message, record);
		text_char(record, ';');
	}
	text_string(record, results[result]);
	free(copy);
	return result;
}

/* The pieces before `first`, up to `second`, and what is left; `step`: all by so many bytes. */
static void read_cut(struct slice bytes, size_t first, size_t second, size_t step, struct text *record)
{
	struct event_stream stream;
	struct arena_pool pool;
	struct arena arena;
	size_t at = 0;

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool, SIZE_MAX);
	event_stream_init(&stream, &arena, MESSAGE_MAX);
	while (at < bytes.size) {
		size_t end = step ? at + step : at < first ? first : at < second ? second : bytes.size;

		if (feed(&stream, slice_of(bytes.data + at, (end < bytes.size ? end : bytes.size) - at), record) !=
			EVENT_STREAM_MORE)
			break;
		at = end;
	}
	arena_fini(&arena);
}

static void expect_record(struct slice bytes, const char *expected, size_t first, size_t second, size_t step)
{
	char memory[RECORD_BYTES];
	struct text record = text_over(memory, sizeof(memory));

	read_cut(bytes, first, second, step, &record);
	if (record.full || !slice_equal(text_slice(&record), slice_of_string(expected)))
		fail_msg("cut at %zu and %zu, by %zu: \"%.*s\", not \"%s\"", first, second, step, (int)record.size,
			record.data, expected);
}

static const struct {
	const char *hex, *expected;
} streams[] = {
	{EMPTY, " {\"\":{}};"},
	{BARE, " {\"\":{'foo':'bar'}};"},
	{DELTA, "event {\"contentBlockDelta\":{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}};"},
	{DELTA THROTTLED EMPTY,
		"event {\"contentBlockDelta\":{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}};"
		"exception {\"error\":{\"type\":\"throttlingException\",\"exception\":{\"message\":\"slow down\"}}}; "
		"{\"\":{}};"},
};

static void cut_anywhere(void **state)
{
	char bytes[BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		struct slice stream = slice_of(bytes, unhex(streams[i].hex, bytes));

		for (size_t first = 0; first <= stream.size; first++)
			for (size_t second = first; second <= stream.size; second += 7)
				expect_record(stream, streams[i].expected, first, second, 0);
		for (size_t step = 1; step < 20; step++)
			expect_record(stream, streams[i].expected, 0, 0, step);
	}
}

/* No bit of a message may change: one that does leaves no message behind. */
static void any_bit_wrong(void **state)
{
	char bytes[BYTES_MAX], memory[RECORD_BYTES];
	size_t size = unhex(DELTA, bytes);

	(void)state;
	for (size_t bit = 0; bit < 8 * size; bit++) {
		struct text record = text_over(memory, sizeof(memory));

		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		read_cut(slice_of(bytes, size), 0, 0, 0, &record);
		assert_true(slice_equal(text_slice(&record), SLICE("broken")));
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
}

/* What is written is what is read, and AWS's codec writes the same but for the order of headers. */
static void written(void **state)
{
	static const char expected[] =
		"event {\"messageStop\":{\"stopReason\":\"end_turn\"}};"
		"exception {\"error\":{\"type\":\"validationException\",\"exception\":{\"message\":\"no\"}}};"
		"event {\"ping\":{}};";
	char memory[BYTES_MAX], vector[BYTES_MAX];
	struct text out = text_over(memory, sizeof(memory));

	(void)state;
	event_stream_write(SLICE("event"), SLICE("contentBlockDelta"),
		SLICE("{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}"), &out);
	assert_int_equal(out.size, unhex(DELTA, vector));
	assert_memory_equal(out.data, vector, out.size);
	out.size = 0;
	event_stream_write(SLICE("event"), SLICE("messageStop"), SLICE("{\"stopReason\":\"end_turn\"}"), &out);
	event_stream_write(SLICE("exception"), SLICE("validationException"), SLICE("{\"message\":\"no\"}"), &out);
	event_stream_write(SLICE("event"), SLICE("ping"), SLICE(""), &out);
	assert_false(out.full);
	expect_record(text_slice(&out), expected, 0, 0, 0);
	expect_record(text_slice(&out), expected, 0, 0, 1);
}

static void too_large(void **state)
{
	static char payload[MESSAGE_MAX];
	char memory[2 * BYTES_MAX];
	struct text out = text_over(memory, sizeof(memory));

	(void)state;
	memset(payload, ' ', sizeof(payload));
	event_stream_write(SLICE("event"), SLICE("x"), slice_of(payload, sizeof(payload)), &out);
	assert_false(out.full);
	expect_record(text_slice(&out), "too large", 0, 0, 0);
	expect_record(text_slice(&out), "too large", 0, 0, 5);
}

/* Headers of every type are passed over; one of a type that there is not, or that is cut short, is none. */
static void header_types(void **state)
{
	static const struct {
		struct slice headers;
		const char *expected;
	} table[] = {
		{SLICE("\1a\0\1b\1\1c\2x\1d\3xx\1e\4xxxx"), " {\"\":{}};"},
		{SLICE("\1f\5xxxxxxxx\1g\6\0\2xx\1h\7\0\0\1i\10xxxxxxxx\1j\11xxxxxxxxxxxxxxxx"), " {\"\":{}};"},
		{SLICE("\13:error-code\7\0\1x\15:message-type\7\0\5error\16:error-message\7\0\2no"),
			"error {\"error\":{\"type\":\"x\",\"message\":\"no\"}};"},
		{SLICE("\13:event-type\6\0\1x"), " {\"\":{}};"},
		{SLICE("\1a\12"), "broken"},
		{SLICE("\0\0"), "broken"},
		{SLICE("\1a\7\0\2x"), "broken"},
		{SLICE("\1a\7\0"), "broken"},
		{SLICE("\5a"), "broken"},
		{SLICE("\1a\11x"), "broken"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char memory[BYTES_MAX];
		struct text out = text_over(memory, sizeof(memory));

		event_stream_frame(table[i].headers, slice_of(NULL, 0), &out);
		assert_false(out.full);
		expect_record(text_slice(&out), table[i].expected, 0, 0, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(any_bit_wrong),
		cmocka_unit_test(written),
		cmocka_unit_test(too_large),
		cmocka_unit_test(header_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
