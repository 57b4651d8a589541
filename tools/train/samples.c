/* Reads samples and analyses them as the gateway does. */
#include "tools/train/samples.h"

#include "core/buffer.h"
#include "proto/json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES_MAX = 1 << 20 };

struct reader {
	const char *path;
	unsigned long line;
	struct json_parser *json;
	struct analysis_terms *terms;
	bool own;
};

static int complain(const struct reader *reader, const char *what)
{
	fprintf(stderr, "%s:%lu: %s\n", reader->path, reader->line, what);
	return -1;
}

static bool read_flag(const struct json_parser *json, struct slice name)
{
	json_ref value = json_member(json, 0, name);

	return value != JSON_NONE && json_type(json, value) == JSON_TRUE;
}

static uint64_t read_number(const struct json_parser *json, struct slice name, uint64_t otherwise)
{
	json_ref value = json_member(json, 0, name);
	int64_t number;

	return value != JSON_NONE && json_integer(json, value, &number) && number >= 0 ? (uint64_t)number : otherwise;
}

static struct slice read_text(const struct json_parser *json, struct slice name)
{
	json_ref value = json_member(json, 0, name);

	return value != JSON_NONE && json_type(json, value) == JSON_STRING ? json_string(json, value)
									   : slice_of(NULL, 0);
}

static int read_bucket(struct slice name, enum route_bucket *bucket)
{
	for (unsigned i = 0; i < ROUTE_BUCKETS; i++)
		if (slice_equal(name, score_bucket_name(i))) {
			*bucket = i;
			return 0;
		}
	return -1;
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv */
static unsigned fold_of(struct slice text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return (unsigned)((hash >> 32) % SAMPLE_FOLDS);
}

static int read_labels(const struct reader *reader, struct sample *sample)
{
	struct slice source = read_text(reader->json, reader->own ? SLICE("topic") : SLICE("source"));

	if (!source.size)
		return complain(reader, reader->own ? "no \"topic\"" : "no \"source\"");
	snprintf(sample->label, sizeof(sample->label), "%.*s:%lu", (int)(source.size < 40 ? source.size : 40),
		source.data, reader->line);
	if (reader->own) {
		sample->kind = SAMPLE_OWN;
		if (read_bucket(read_text(reader->json, SLICE("bucket")), &sample->bucket) < 0)
			return complain(reader, "\"bucket\" has to be simple, standard or complex");
		return 0;
	}
	sample->kind = slice_equal(source, SLICE("gsm8k")) ? SAMPLE_GSM8K : SAMPLE_MMLU;
	sample->weak = read_flag(reader->json, SLICE("weak"));
	sample->strong = read_flag(reader->json, SLICE("strong"));
	return 0;
}

static int read_sample(const struct reader *reader, struct sample *sample)
{
	const struct json_parser *json = reader->json;
	struct slice prompt = read_text(json, SLICE("prompt"));
	struct analysis_shape shape = {
		.prompt_bytes = read_number(json, SLICE("prompt_bytes"), prompt.size),
		.max_tokens = read_number(json, SLICE("max_tokens"), 0),
		.message_count = (unsigned)read_number(json, SLICE("messages"), 1),
		.tool_count = (unsigned)read_number(json, SLICE("tools"), 0),
		.image_count = (unsigned)read_number(json, SLICE("images"), 0),
		.schema = read_flag(json, SLICE("schema")),
	};
	struct analysis analysis;

	if (!prompt.size)
		return complain(reader, "no \"prompt\"");
	if (read_labels(reader, sample) < 0)
		return -1;
	analyse(&analysis, reader->terms, prompt, &shape);
	sample->fold = fold_of(prompt);
	sample->prompt_bytes = prompt.size;
	sample->form = analysis.form;
	memcpy(sample->features, analysis.features, sizeof(sample->features));
	sample->word_count = analysis.word_count;
	sample->words = malloc((analysis.word_count + 1) * sizeof(*sample->words));
	if (!sample->words)
		return complain(reader, "out of memory");
	memcpy(sample->words, analysis.words, analysis.word_count * sizeof(*sample->words));
	return 0;
}

static struct sample *add(struct samples *samples)
{
	if (samples->count == samples->capacity) {
		size_t capacity = samples->capacity ? 2 * samples->capacity : 1024;
		struct sample *list = realloc(samples->list, capacity * sizeof(*list));

		if (!list)
			return NULL;
		samples->list = list;
		samples->capacity = capacity;
	}
	memset(&samples->list[samples->count], 0, sizeof(samples->list[0]));
	return &samples->list[samples->count++];
}

static int read_line(const struct reader *reader, struct samples *samples, char *line, size_t size)
{
	struct sample *sample = add(samples);
	struct json_error error;

	if (!sample)
		return complain(reader, "out of memory");
	if (json_parse(reader->json, slice_of(line, size), &error) < 0)
		return complain(reader, error.message);
	if (json_type(reader->json, 0) != JSON_OBJECT)
		return complain(reader, "an object was expected");
	return read_sample(reader, sample);
}

static int read_lines(struct reader *reader, struct samples *samples, FILE *file, char *line)
{
	int err = 0;

	while (!err && fgets(line, LINE_BYTES_MAX, file)) {
		size_t size = strlen(line);

		reader->line++;
		if (size + 1 == LINE_BYTES_MAX)
			return complain(reader, "the line is longer than 1 MiB");
		if (size > 1)
			err = read_line(reader, samples, line, size);
	}
	if (!err && ferror(file))
		err = complain(reader, "cannot be read");
	return err;
}

int samples_read(struct samples *samples, const char *path, bool own)
{
	struct reader reader = {.path = path, .own = own};
	char *line = malloc(LINE_BYTES_MAX + BUFFER_PADDING_BYTES);
	FILE *file = fopen(path, "r");
	int err = -1;

	reader.json = json_parser_open(LINE_BYTES_MAX);
	reader.terms = analysis_terms_make();
	if (!file)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	else if (!line || !reader.json || !reader.terms)
		fprintf(stderr, "%s: out of memory\n", path);
	else
		err = read_lines(&reader, samples, file, line);
	if (file)
		fclose(file);
	json_parser_close(reader.json);
	analysis_terms_free(reader.terms);
	free(line);
	return err;
}

void samples_free(struct samples *samples)
{
	for (size_t i = 0; i < samples->count; i++)
		free(samples->list[i].words);
	free(samples->list);
}
