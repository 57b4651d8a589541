/* Images and sound in OpenAI's APIs: see openai_media.h. */
#include "proto/openai/openai_media.h"

#include <errno.h>

/* Longer than any recording that one request can hold: a day. */
#define CREDIBLE_AUDIO_S 86400

static bool is_given(const struct json_parser *p, json_ref value)
{
	return value != JSON_NONE && json_type(p, value) != JSON_NULL;
}

static int refuse(struct openai_problem *problem, struct slice message, struct slice param)
{
	*problem = (struct openai_problem){SLICE("invalid_value"), message, param};
	return -EINVAL;
}

static int read_images(const struct json_parser *p, struct openai_media *media, struct openai_problem *problem)
{
	json_ref n = json_member(p, 0, SLICE("n"));
	int64_t count = 1;

	if (is_given(p, n) && (!json_integer(p, n, &count) || count < 1 || count > OPENAI_IMAGES_MAX))
		return refuse(problem, SLICE("'n' has to be a number of images from 1 to 10."), SLICE("n"));
	media->images = (uint32_t)count;
	return 0;
}

/* What is not the first byte of a character of UTF-8 goes on with one. */
static uint64_t count_characters(struct slice text)
{
	uint64_t count = 0;

	for (size_t i = 0; i < text.size; i++)
		count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return count;
}

static void read_format(const struct json_parser *p, struct openai_media *media)
{
	static const struct slice plain[] = {{"text", 4}, {"srt", 3}, {"vtt", 3}};
	json_ref format = json_member(p, 0, SLICE("response_format"));

	if (!is_given(p, format) || json_type(p, format) != JSON_STRING)
		return;
	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		media->plain |= slice_equal(json_string(p, format), plain[i]);
}

int openai_read_media_request(
	const struct json_parser *p, enum openai_api api, struct openai_media *media, struct openai_problem *problem)
{
	*media = (struct openai_media){0};
	if (api == OPENAI_IMAGES)
		return read_images(p, media, problem);
	if (api == OPENAI_SPEECH)
		media->characters = count_characters(json_string(p, json_member(p, 0, SLICE("input"))));
	else
		read_format(p, media);
	return 0;
}

/* Seconds, whole or not; whole milliseconds of them, rounded up. */
static void read_seconds(const struct json_parser *p, json_ref value, struct openai_media *media)
{
	double seconds;

	if (value == JSON_NONE || !json_number(p, value, &seconds) || !(seconds > 0) || seconds > CREDIBLE_AUDIO_S)
		return;
	media->audio_ms = (uint64_t)(seconds * 1000);
	media->audio_ms += (double)media->audio_ms < seconds * 1000;
	media->measured = true;
}

void openai_read_media_answer(const struct json_parser *p, struct openai_media *media, struct openai_usage *usage)
{
	json_ref data = json_member(p, 0, SLICE("data")), told = json_member(p, 0, SLICE("usage"));

	if (data != JSON_NONE && json_type(p, data) == JSON_ARRAY)
		media->images = json_count(p, data);
	read_seconds(p, json_member(p, 0, SLICE("duration")), media);
	if (told == JSON_NONE || json_type(p, told) != JSON_OBJECT)
		return;
	read_seconds(p, json_member(p, told, SLICE("seconds")), media);
	openai_read_usage(p, told, true, usage);
}
