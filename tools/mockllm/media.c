/*
 * OpenAI's images and sound: what it refuses, and what it says. Written from the description of its API, not from the
 * gateway's readers, so that one cannot agree with the other's mistakes.
 *
 * POST /v1/images/generations, /v1/audio/speech, /v1/audio/transcriptions. An image is 64 bytes that are no image, or
 * as many as "large-" in the model's name says; a recording lasts a second for each 1,000 bytes, or with "tool" a day.
 */
#include "tools/mockllm/media.h"

#include <assert.h>

enum { IMAGES_MAX = 10, IMAGE_BYTES = 64, PROMPT_BYTES_MAX = 32000, FRAME_BYTES = 2048, BYTES_PER_TOKEN = 4 };
enum { HEARD_WORDS = 4 };

static bool refuse(struct mock_connection *c, const char *message, const char *param)
{
	mock_answer_error(c, 400, slice_of_string(message), param, NULL);
	return false;
}

/* An unknown name is refused: nothing of a gateway's own may reach a provider. */
static bool check_names(struct mock_connection *c, const struct json_parser *p, const char *const *known)
{
	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m))
		if (!mock_one_of(json_key(p, m), known))
			return refuse(c, "Unknown parameter.", NULL);
	return true;
}

static bool read_text(
	struct mock_connection *c, const struct json_parser *p, const char *name, size_t most, struct slice *text)
{
	json_ref value = json_member(p, 0, slice_of_string(name));

	if (value == JSON_NONE)
		return refuse(c, "Missing required parameter.", name);
	if (json_type(p, value) != JSON_STRING)
		return refuse(c, "Invalid type: expected a string.", name);
	*text = json_string(p, value);
	if (text->size == 0 || text->size > most)
		return refuse(c, "Invalid length of a string.", name);
	return true;
}

/* Absent, or one of these. */
static bool check_choice(
	struct mock_connection *c, const struct json_parser *p, const char *name, const char *const *choices)
{
	json_ref value = json_member(p, 0, slice_of_string(name));

	if (value == JSON_NONE || (json_type(p, value) == JSON_STRING && mock_one_of(json_string(p, value), choices)))
		return true;
	return refuse(c, "Invalid value.", name);
}

/* ---- images --------------------------------------------------------------------------------------------------- */

static bool check_images(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"prompt", "model", "n", "size", "quality", "response_format",
		"output_format", "output_compression", "background", "moderation", "stream", "partial_images", "style",
		"user", NULL};
	static const char *const formats[] = {"url", "b64_json", NULL};
	struct mock_request *r = &c->request;
	json_ref n = json_member(p, 0, SLICE("n")), format = json_member(p, 0, SLICE("response_format"));
	int64_t count = 1;
	struct slice prompt;

	if (!check_names(c, p, known) || !read_text(c, p, "prompt", PROMPT_BYTES_MAX, &prompt) ||
		!check_choice(c, p, "response_format", formats))
		return false;
	if (n != JSON_NONE && (!json_integer(p, n, &count) || count < 1 || count > IMAGES_MAX))
		return refuse(c, "Invalid value for 'n': from 1 to 10.", "n");
	r->choices = (unsigned)count;
	r->prompt_tokens = (uint32_t)(prompt.size / BYTES_PER_TOKEN) + 1;
	r->base64 = format == JSON_NONE || slice_equal(json_string(p, format), SLICE("b64_json"));
	return true;
}

static size_t image_bytes(const struct mock_request *r)
{
	return r->plan.words_fixed ? (size_t)r->plan.words * MOCK_WORD_BYTES : IMAGE_BYTES;
}

/* Letters, four to a group: base64 of something. */
static void write_image(struct text *t, const struct mock_request *r)
{
	if (!r->base64) {
		text_literal(t, "{\"url\":\"https://images.invalid/");
		text_hex(t, &r->hash, sizeof(r->hash));
		text_literal(t, ".png\",\"revised_prompt\":\"a gate\"}");
		return;
	}
	text_literal(t, "{\"b64_json\":\"");
	for (size_t i = 0; i < image_bytes(r) / 4; i++)
		text_literal(t, "aGF0");
	text_literal(t, "\"}");
}

/* Those that "no-usage" names are as dall-e: they tell none. */
static void write_images(struct mock_connection *c)
{
	enum { TOKENS_AN_IMAGE = 1056 };
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + r->choices * (image_bytes(r) + FRAME_BYTES));

	text_literal(&t, "{\"created\":1790000000,\"data\":[");
	for (unsigned i = 0; i < r->choices; i++) {
		text_string(&t, i ? "," : "");
		write_image(&t, r);
	}
	text_literal(&t, "]");
	if (!r->plan.no_usage) {
		text_literal(&t, ",\"background\":\"opaque\",\"usage\":{\"input_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_literal(&t, ",\"input_tokens_details\":{\"image_tokens\":0,\"text_tokens\":");
		text_u64(&t, r->prompt_tokens);
		text_literal(&t, "},\"output_tokens\":");
		text_u64(&t, (uint64_t)r->choices * TOKENS_AN_IMAGE);
		text_literal(&t, ",\"total_tokens\":");
		text_u64(&t, r->prompt_tokens + (uint64_t)r->choices * TOKENS_AN_IMAGE);
		text_literal(&t, "}");
	}
	text_literal(&t, "}");
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* ---- speech --------------------------------------------------------------------------------------------------- */

static const struct sound {
	const char *format;
	struct slice type;
} sounds[] = {
	{"mp3", SLICE("audio/mpeg")},
	{"opus", SLICE("audio/opus")},
	{"aac", SLICE("audio/aac")},
	{"flac", SLICE("audio/flac")},
	{"wav", SLICE("audio/wav")},
	{"pcm", SLICE("audio/pcm")},
};

enum { SOUND_COUNT = sizeof(sounds) / sizeof(sounds[0]) };

static bool check_speech(struct mock_connection *c, const struct json_parser *p)
{
	enum { INPUT_CHARACTERS_MAX = 4096 };
	static const char *const known[] = {
		"input", "model", "voice", "response_format", "speed", "instructions", "stream_format", NULL};
	struct mock_request *r = &c->request;
	json_ref format = json_member(p, 0, SLICE("response_format")), speed = json_member(p, 0, SLICE("speed"));
	double times;
	struct slice text;

	if (!check_names(c, p, known) || !read_text(c, p, "input", 4 * INPUT_CHARACTERS_MAX, &text))
		return false;
	r->prompt_tokens = (uint32_t)text.size;
	if (!read_text(c, p, "voice", PROMPT_BYTES_MAX, &text))
		return false;
	if (speed != JSON_NONE && (!json_number(p, speed, &times) || times < 0.25 || times > 4))
		return refuse(c, "Invalid value for 'speed': from 0.25 to 4.", "speed");
	r->choices = 0;
	if (format == JSON_NONE)
		return true;
	while (r->choices < SOUND_COUNT &&
		!slice_equal(json_string(p, format), slice_of_string(sounds[r->choices].format)))
		r->choices++;
	return r->choices < SOUND_COUNT || refuse(c, "Invalid value for 'response_format'.", "response_format");
}

/* No text in any encoding: every byte there is, over and over. */
static void add_sound(struct mock_connection *c, size_t size)
{
	enum { PIECE_BYTES = 3000 };
	unsigned char piece[PIECE_BYTES];
	size_t at = 0;

	while (at < size) {
		size_t part = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;

		for (size_t i = 0; i < part; i++)
			piece[i] = (unsigned char)(at + i);
		mock_stream_chunk(c, slice_of(piece, part));
		at += part;
	}
	mock_out_add(c, SLICE("0\r\n\r\n"));
}

static void write_speech(struct mock_connection *c)
{
	enum { BYTES_PER_CHARACTER = 1000 };
	const struct mock_request *r = &c->request;
	char memory[FRAME_BYTES];
	struct text head = text_over(memory, sizeof(memory));

	text_literal(&head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ");
	text_add(&head, r->plan.json ? SLICE("application/json") : sounds[r->choices].type);
	text_literal(&head, "\r\n\r\n");
	mock_out_add(c, text_slice(&head));
	add_sound(c, r->plan.words_fixed ? (size_t)r->plan.words * MOCK_WORD_BYTES
					 : (size_t)r->prompt_tokens * BYTES_PER_CHARACTER);
}

/* ---- transcriptions ------------------------------------------------------------------------------------------- */

/* A field's text, or the bytes of the file; NULL data: not there. It stands between its head and the next boundary. */
static struct slice form_field(struct mock_connection *c, const char *name, bool file)
{
	struct slice type = http_header(&c->head, SLICE("content-type")), body = c->request.body;
	const char *boundary = type.size ? memmem(type.data, type.size, "boundary=", 9) : NULL, *at, *end;
	char wanted[128], close[128];
	struct text t = text_over(wanted, sizeof(wanted)), behind = text_over(close, sizeof(close));

	if (!boundary)
		return slice_of(NULL, 0);
	text_literal(&behind, "\r\n--");
	text_add(&behind, slice_after(type, (size_t)(boundary - type.data) + 9));
	text_literal(&t, "Content-Disposition: form-data; name=\"");
	text_string(&t, name);
	text_string(&t, file ? "\"; filename=\"" : "\"\r\n\r\n");
	at = memmem(body.data, body.size, t.data, t.size);
	if (!at)
		return slice_of(NULL, 0);
	body = slice_after(body, (size_t)(at - body.data) + t.size);
	at = file ? memmem(body.data, body.size, "\r\n\r\n", 4) : body.data;
	body = slice_after(body, at ? (size_t)(at - body.data) + (file ? 4 : 0) : body.size);
	end = body.size ? memmem(body.data, body.size, behind.data, behind.size) : NULL;
	return end ? slice_of(body.data, (size_t)(end - body.data)) : slice_of(NULL, 0);
}

static const char *const transcripts[] = {"json", "text", "srt", "verbose_json", "vtt", NULL};

enum transcript { AS_JSON, AS_TEXT, AS_SRT, AS_VERBOSE, AS_VTT };

static bool check_transcription(struct mock_connection *c)
{
	struct mock_request *r = &c->request;
	struct slice type = http_header(&c->head, SLICE("content-type")),
		     format = form_field(c, "response_format", false);
	struct slice file = form_field(c, "file", true);

	if (!slice_starts_with(type, SLICE("multipart/form-data; boundary=")))
		return refuse(c, "Could not parse multipart form", NULL);
	if (!mock_take_model(c, form_field(c, "model", false)))
		return false;
	if (memmem(r->body.data, r->body.size, "name=\"x-", 8))
		return refuse(c, "Unknown parameter.", NULL);
	if (!file.size)
		return refuse(c, "Missing required parameter: 'file'.", "file");
	while (format.data && transcripts[r->choices] && !slice_equal(format, slice_of_string(transcripts[r->choices])))
		r->choices++;
	if (!transcripts[r->choices])
		return refuse(c, "Invalid value for 'response_format'.", "response_format");
	r->prompt_tokens = (uint32_t)file.size;
	r->stream = slice_equal(form_field(c, "stream", false), SLICE("true"));
	return true;
}

static void write_heard_usage(struct text *t, const struct mock_request *r)
{
	if (r->plan.cached) {
		text_literal(t, ",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{\"text_"
				"tokens\":0,"
				"\"audio_tokens\":14},\"output_tokens\":45,\"total_tokens\":59}");
	} else if (!r->plan.no_usage) {
		text_literal(t, ",\"usage\":{\"type\":\"duration\",\"seconds\":");
		text_u64(t, r->plan.tool ? 86400 : (r->prompt_tokens + 999) / 1000);
		text_char(t, '}');
	}
}

static void write_transcript(struct text *t, const struct mock_request *r)
{
	switch ((enum transcript)r->choices) {
	case AS_TEXT:
		text_literal(t, "the gate is open\n");
		return;
	case AS_SRT:
		text_literal(t, "1\n00:00:00,000 --> 00:00:01,000\nthe gate is open\n\n");
		return;
	case AS_VTT:
		text_literal(t, "WEBVTT\n\n00:00.000 --> 00:01.000\nthe gate is open\n\n");
		return;
	case AS_JSON:
	case AS_VERBOSE:
		break;
	}
	text_literal(t, "{\"text\":\"the gate is open\"");
	if (r->choices == AS_VERBOSE) {
		text_literal(t, ",\"task\":\"transcribe\",\"language\":\"english\",\"segments\":[],\"duration\":");
		text_milli(t, r->prompt_tokens);
	} else {
		write_heard_usage(t, r);
	}
	text_char(t, '}');
}

static void write_transcription(struct mock_connection *c)
{
	struct text t = mock_body_open(c, FRAME_BYTES);

	write_transcript(&t, &c->request);
	mock_body_finish(c, 200, slice_of(NULL, 0), &t);
}

/* A piece for each word, with "events-N" so many; with "json" it is a model that does not stream, and says it whole. */
static void begin_transcription(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;

	if (r->plan.json) {
		write_transcription(c);
		return;
	}
	c->streaming = true;
	c->events.next = 0;
	c->events.total = r->plan.words_fixed ? r->plan.words : HEARD_WORDS;
	c->events.started_ns = shard_now_ns(&c->mock->shard);
	mock_stream_head(c);
	mock_stream_fill(c);
}

static void add_heard(struct mock_connection *c)
{
	static const char *const words[HEARD_WORDS] = {"the", " gate", " is", " open"};
	char memory[128];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "data: {\"type\":\"transcript.text.delta\",\"delta\":\"");
	text_string(&t, words[c->events.next++ % HEARD_WORDS]);
	text_literal(&t, "\"}\n\n");
	mock_stream_chunk(c, text_slice(&t));
}

static void end_heard(struct mock_connection *c)
{
	char memory[512];
	struct text t = text_over(memory, sizeof(memory));

	text_literal(&t, "data: {\"type\":\"transcript.text.done\",\"text\":\"the gate is open\"");
	write_heard_usage(&t, &c->request);
	text_literal(&t, "}\n\n");
	assert(!t.full);
	if (c->request.plan.fault != MOCK_NO_DONE)
		mock_stream_chunk(c, text_slice(&t));
	mock_out_add(c, SLICE("0\r\n\r\n"));
	c->streaming = false;
}

static void break_heard(struct mock_connection *c)
{
	mock_stream_chunk(
		c, SLICE("data: {\"error\":{\"message\":\"The server had an error.\",\"type\":\"server_error\"}}\n\n"));
	mock_out_add(c, SLICE("0\r\n\r\n"));
	c->close_after = true;
	c->streaming = false;
}

static const struct mock_steps heard_steps = {
	.token = add_heard, .error = break_heard, .end = end_heard, .behind_brace = 4};

const struct mock_format mock_images = {.check = check_images, .write = write_images};
const struct mock_format mock_speech = {.check = check_speech, .write = write_speech};
const struct mock_format mock_transcriptions = {.check_form = check_transcription,
	.write = write_transcription,
	.begin = begin_transcription,
	.steps = &heard_steps};
