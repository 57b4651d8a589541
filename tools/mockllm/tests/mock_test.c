/* What the simulator makes of a name: every option, several together, names that say nothing; and its vectors. */
#include "tools/mockllm/mock.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WORDS = 26, TTFT_MS = 5 };

static const struct {
	const char *model;
	struct mock_plan plan;
} rows[] = {
	{"gpt-4o-mini", {.words = WORDS, .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"mock", {.words = WORDS, .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"events-7", {.words = WORDS, .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"mock-unheard-of", {.words = WORDS, .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"vendor/mock-events-100", {.words = 100, .words_fixed = true, .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"mock-events-100-paced-20", {.words = 100,
					     .words_fixed = true,
					     .interval_ns = 20 * NS_PER_MS,
					     .head_delay_ns = TTFT_MS * NS_PER_MS}},
	{"mock-slow-250-no-usage", {.words = WORDS, .head_delay_ns = 250 * NS_PER_MS, .no_usage = true}},
	{"mock-slow-0-status-429", {.words = WORDS, .status = 429}},
	{"mock-slow-0-status-200", {.words = WORDS, .status = 500}},
	{"mock-slow-0-retry-after-7", {.words = WORDS, .status = 429, .retry_after_s = 7}},
	{"mock-slow-0-refuse", {.words = WORDS, .fault = MOCK_REFUSE}},
	{"mock-slow-0-reset", {.words = WORDS, .fault = MOCK_RESET}},
	{"mock-slow-0-stall-head", {.words = WORDS, .fault = MOCK_STALL_HEAD}},
	{"mock-slow-0-stall-body", {.words = WORDS, .fault = MOCK_STALL_BODY}},
	{"mock-slow-0-truncated", {.words = WORDS, .fault = MOCK_TRUNCATED}},
	{"mock-slow-0-invalid-json", {.words = WORDS, .fault = MOCK_INVALID_JSON}},
	{"mock-slow-0-cut", {.words = WORDS, .fault = MOCK_CUT}},
	{"mock-slow-0-no-done", {.words = WORDS, .fault = MOCK_NO_DONE}},
	{"mock-slow-0-error-event", {.words = WORDS, .fault = MOCK_ERROR_EVENT}},
	{"mock-slow-0-drip", {.words = WORDS, .pieces = MOCK_DRIP}},
	{"mock-slow-0-split", {.words = WORDS, .pieces = MOCK_SPLIT}},
	{"mock-slow-0-tool", {.words = WORDS, .tool = true}},
	{"mock-slow-0-tool-parallel-empty-input",
		{.words = WORDS, .tool = true, .parallel = true, .empty_input = true}},
	{"mock-slow-0-thinking-cached", {.words = WORDS, .thinking = true, .cached = true}},
	{"mock-slow-0-error-first", {.words = WORDS, .error_first = true}},
	{"mock-slow-0-large-6", {.words = 1025, .words_fixed = true}},
	{"mock-slow-0-events-99999999999999999999", {.words = 1000000, .words_fixed = true}},
};

static void test_names(void **state)
{
	const struct mock_options options = {.ttft_ns = TTFT_MS * NS_PER_MS, .answer_words = WORDS};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct mock_plan *want = &rows[i].plan;
		struct mock_plan got;

		mock_plan_make(&got, &options, slice_of_string(rows[i].model));
		if (got.fault != want->fault || got.words != want->words)
			print_error("%s\n", rows[i].model);
		assert_int_equal(got.fault, want->fault);
		assert_int_equal(got.pieces, want->pieces);
		assert_int_equal(got.status, want->status);
		assert_int_equal(got.retry_after_s, want->retry_after_s);
		assert_int_equal(got.words, want->words);
		assert_int_equal(got.words_fixed, want->words_fixed);
		assert_int_equal(got.head_delay_ns, want->head_delay_ns);
		assert_int_equal(got.interval_ns, want->interval_ns);
		assert_int_equal(got.no_usage, want->no_usage);
		assert_int_equal(got.tool, want->tool);
		assert_int_equal(got.parallel, want->parallel);
		assert_int_equal(got.empty_input, want->empty_input);
		assert_int_equal(got.thinking, want->thinking);
		assert_int_equal(got.cached, want->cached);
		assert_int_equal(got.error_first, want->error_first);
	}
}

/* Both encodings of a vector: the first of the base64 floats is the first of the written ones. */
static void test_vectors_agree(void **state)
{
	struct mock_request r = {.content_hash = 12345, .input_count = 1, .dimensions = 1, .base64 = true};
	char binary[256] = "", written[256] = "", expected[64];
	struct text b = text_over(binary, sizeof(binary)), w = text_over(written, sizeof(written));
	unsigned char bytes[4];
	float value;

	(void)state;
	mock_vectors(&b, &r);
	r.base64 = false;
	mock_vectors(&w, &r);
	assert_false(b.full || w.full);
	assert_true(mock_vectors_bytes(&r) >= w.size);
	for (int i = 0; i < 4; i++) {
		static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
		const char *text = strstr(binary, "\"embedding\":\"") + 13;
		unsigned high = (unsigned)(strchr(alphabet, text[i + i / 3]) - alphabet);
		unsigned low = (unsigned)(strchr(alphabet, text[i + i / 3 + 1]) - alphabet);

		bytes[i] = (unsigned char)(high << (2 + i % 3 * 2) | low >> (4 - i % 3 * 2));
	}
	memcpy(&value, bytes, sizeof(value));
	snprintf(expected, sizeof(expected), "\"embedding\":[%.10f]}", (double)value);
	assert_non_null(memmem(written, w.size, expected, strlen(expected)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_vectors_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
