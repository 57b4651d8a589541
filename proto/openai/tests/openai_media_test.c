/* Images and sound: what requests ask for, and what answers are believed. */
#include "proto/openai/openai_media.h"

#include "core/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct json_parser *parser;

static int open_parser(void **state)
{
	(void)state;
	parser = json_parser_open(1 << 20);
	return parser ? 0 : -1;
}

static int close_parser(void **state)
{
	(void)state;
	json_parser_close(parser);
	return 0;
}

static void parse(const char *document)
{
	static char padded[4096 + BUFFER_PADDING_BYTES];
	size_t size = strlen(document);
	struct json_error error;

	assert_true(size < 4096);
	memset(padded, 0, sizeof(padded));
	memcpy(padded, document, size);
	assert_int_equal(json_parse(parser, slice_of(padded, size), &error), 0);
}

static void test_requests(void **state)
{
	static const struct {
		const char *document;
		enum openai_api api;
		int result;
		struct openai_media media;
	} rows[] = {
		{"{}", OPENAI_IMAGES, 0, {.images = 1}},
		{"{\"n\":null}", OPENAI_IMAGES, 0, {.images = 1}},
		{"{\"n\":10}", OPENAI_IMAGES, 0, {.images = 10}},
		{"{\"n\":0}", OPENAI_IMAGES, -EINVAL, {0}},
		{"{\"n\":11}", OPENAI_IMAGES, -EINVAL, {0}},
		{"{\"n\":\"2\"}", OPENAI_IMAGES, -EINVAL, {0}},
		{"{\"input\":\"Gr\\u00fc\\u00dfe\"}", OPENAI_SPEECH, 0, {.characters = 5}},
		{"{\"input\":\"\xf0\x9f\x98\x80!\"}", OPENAI_SPEECH, 0, {.characters = 2}},
		{"{}", OPENAI_TRANSCRIPTIONS, 0, {0}},
		{"{\"response_format\":\"verbose_json\"}", OPENAI_TRANSCRIPTIONS, 0, {0}},
		{"{\"response_format\":\"srt\"}", OPENAI_TRANSCRIPTIONS, 0, {.plain = true}},
		{"{\"response_format\":\"text\"}", OPENAI_TRANSCRIPTIONS, 0, {.plain = true}},
		{"{\"response_format\":\"vtt\"}", OPENAI_TRANSCRIPTIONS, 0, {.plain = true}},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct openai_problem problem = {0};
		struct openai_media media;

		parse(rows[i].document);
		if (openai_read_media_request(parser, rows[i].api, &media, &problem) != rows[i].result)
			fail_msg("%s", rows[i].document);
		if (rows[i].result < 0) {
			assert_true(problem.message.size > 0 && slice_equal(problem.param, SLICE("n")));
			continue;
		}
		if (media.images != rows[i].media.images || media.characters != rows[i].media.characters ||
			media.plain != rows[i].media.plain)
			fail_msg("%s", rows[i].document);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *document;
		uint32_t images;
		uint64_t audio_ms, input, output;
	} rows[] = {
		{"{\"data\":[{},{}]}", 2, 0, 0, 0},
		{"{\"data\":[{}],\"usage\":{\"input_tokens\":3,\"output_tokens\":1056}}", 1, 0, 3, 1056},
		{"{\"text\":\"\",\"usage\":{\"type\":\"duration\",\"seconds\":7}}", 0, 7000, 0, 0},
		{"{\"text\":\"\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":45}}", 0, 0, 14,
			45},
		{"{\"duration\":8.4701}", 0, 8471, 0, 0},
		{"{\"duration\":-1}", 0, 0, 0, 0},
		{"{\"duration\":1e300}", 0, 0, 0, 0},
		{"{\"usage\":{\"seconds\":86401}}", 0, 0, 0, 0},
		{"{\"usage\":{\"input_tokens\":-5,\"output_tokens\":1}}", 0, 0, 0, 0},
		{"{\"usage\":[],\"data\":{}}", 0, 0, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct openai_media media = {0};
		struct openai_usage usage = {0};

		parse(rows[i].document);
		openai_read_media_answer(parser, &media, &usage);
		if (media.images != rows[i].images || media.audio_ms != rows[i].audio_ms ||
			usage.prompt_tokens != rows[i].input || usage.completion_tokens != rows[i].output)
			fail_msg("%s", rows[i].document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, open_parser, close_parser);
}
